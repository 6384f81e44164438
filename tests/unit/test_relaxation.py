"""Relaxed structures: at rest and stable; their motion with the couplings against closed forms and differences."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinscape.errors import ConfigError, UnstableError
from spinscape.hamiltonian.biquadratic import BiquadraticTable
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.dipolar import DipolarTable
from spinscape.hamiltonian.energy import energy
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model, OnsiteTable
from spinscape.lattice.crystal import Crystal
from spinscape.lattice.supercell import supercell
from spinscape.simulate.relaxation import relaxed_structure, structure_derivative, structure_form, tangent_hessian
from spinscape.simulate.spinwave import modes, quadratic_form
from spinscape.units import MU_B

FIELD = Conditions(field=(2.0, -4.0, 3.0))


def crystal_of(spins, g=2.0):
    n = len(spins)
    return Crystal(
        vectors=np.eye(3) * 4.0,
        positions=np.linspace(0, 0.7, n)[:, None] * np.ones(3),
        labels=tuple(f"s{k}" for k in range(n)),
        orbit=range(n),
        spins=spins,
        ions=("",) * n,
        g=np.tile(g * np.eye(3), (n, 1, 1)),
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )


def random_model(seed):
    """Three sites, two couplings of general exchange, one of anisotropy; dipoles, biquadratic terms of both forms."""
    rng = np.random.default_rng(seed)
    bonds = BondTable(
        [0, 1, 2, 0, 1],
        [1, 2, 0, 2, 1],
        [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]],
        [0, 0, 1, 1, 0],
        np.eye(3) + 0.5 * rng.normal(size=(5, 3, 3)),
    )
    a = rng.normal(size=(3, 3, 3))
    onsite = OnsiteTable([0, 1, 2], [2, 2, 2], a + a.transpose(0, 2, 1))
    squares = BiquadraticTable([0, 2], [2, 2], [[0, 0, 0], [1, 0, 0]], [0, 1], [0.3, -0.2], ("large_s", "renormalised"))
    crystal = crystal_of([1.0, 0.5, 2.0])
    return Model(crystal, ("P", "Q", "A"), bonds, onsite, DipolarTable([1, 0], [2.0, -1.0]), squares)


def random_structure(seed, n=3):
    direction = np.random.default_rng(seed + 1).normal(size=(n, 3))
    return MagneticStructure(np.eye(3), range(n), np.zeros((n, 3)), direction)


THETA = np.array([1.0, 0.7, 0.3])


@given(st.integers(0, 10_000))
@settings(max_examples=15)
def test_a_relaxed_structure_is_at_rest_stable_and_lower(seed):
    model, declared = random_model(seed), random_structure(seed)
    relaxed = relaxed_structure(model, declared, THETA, FIELD)
    form, _ = structure_form(model, declared, FIELD)
    hessian, _, scale = tangent_hessian(form, THETA, relaxed.direction)
    assert np.linalg.eigvalsh(hessian)[0] > -1e-7 * scale
    # The torques by the spin-wave layer: no code of the minimiser.
    torques, s = quadratic_form(model, relaxed, np.zeros((1, 3)), FIELD).torques(THETA), model.crystal.spins
    assert np.max(np.linalg.norm(torques, axis=1)) < 1e-9 * scale
    cell = supercell((1, 1, 1), n_site=3)
    before, after = (
        energy(model, s[:, None] * x.direction, THETA, cell=cell, conditions=FIELD) for x in (declared, relaxed)
    )
    assert after <= before


@given(st.integers(0, 10_000))
@settings(max_examples=15)
def test_the_derivative_is_that_of_differences(seed):
    model = random_model(seed)
    relaxed = relaxed_structure(model, random_structure(seed), THETA, FIELD)
    moved = structure_derivative(model, relaxed, THETA, FIELD)
    form, _ = structure_form(model, relaxed, FIELD)
    stiffness = np.linalg.eigvalsh(tangent_hessian(form, THETA, relaxed.direction)[0])[0]
    s, h = model.crystal.spins[:, None], 1e-4 * stiffness
    for k, step in enumerate(h * np.eye(3)):
        up, down = (relaxed_structure(model, relaxed, THETA + x, FIELD).direction for x in (step, -step))
        # Differences err by h² (third derivatives), in units where the softest mode is 1.
        np.testing.assert_allclose(moved[k], s * (up - down) / (2 * h), atol=2e-5 * max(1.0, np.abs(moved[k]).max()))
    np.testing.assert_allclose(np.sum(moved * relaxed.direction, axis=2), 0.0, atol=1e-9)


def triangle():
    """E = J S1·S2 + K (S1 + S2)·S3: a molecule with all turns of its spins as zero modes."""
    bonds = BondTable([0, 0, 1], [1, 2, 2], np.zeros((3, 3)), [0, 1, 1], np.tile(np.eye(3), (3, 1, 1)))
    return Model(crystal_of([1.0, 1.0, 1.0]), ("J", "K"), bonds)


def test_isosceles_triangle_its_angle_and_what_moves_it():
    """cos(1, 3) = -K/2J: d/dJ = K/2J², d/dK = -1/2J; turns of all spins are zero modes, and left out."""
    j, k = 1.0, 1.2
    relaxed = relaxed_structure(triangle(), random_structure(0), [j, k])
    n = relaxed.direction
    assert n[0] @ n[2] == pytest.approx(-k / (2 * j), abs=1e-9)
    moved = structure_derivative(triangle(), relaxed, [j, k])
    change = np.einsum("ka,a->k", moved[:, 0], n[2]) + np.einsum("ka,a->k", moved[:, 2], n[0])
    np.testing.assert_allclose(change, [k / (2 * j**2), -1 / (2 * j)], atol=1e-8)
    for axis in np.eye(3):
        assert np.sum(moved * np.cross(axis, n)) == pytest.approx(0.0, abs=1e-8)


CANTED_CELL = [[1, 1, 0], [1, -1, 0], [0, 0, 1]]


def square():
    return Model(crystal_of([1.0]), ("J",), BondTable([0, 0], [0, 0], [[1, 0, 0], [0, 1, 0]], [0, 0], [np.eye(3)] * 2))


def canted(direction):
    return MagneticStructure(CANTED_CELL, [0, 0], [[0, 0, 0], [1, 0, 0]], direction)


def test_canted_antiferromagnet_in_a_field():
    """cos θ = g μ_B B / 8 J S against the field, from any start in the cell; its change with J is -cos θ / J."""
    h = 2.0 * MU_B * 30.0
    conditions = Conditions(field=(0.0, 0.0, 30.0))
    relaxed = relaxed_structure(square(), canted([[1, 0, 0.1], [-1, 0.3, 0]]), [0.9], conditions)
    np.testing.assert_allclose(relaxed.direction[:, 2], -h / (8 * 0.9), atol=1e-9)
    moved = structure_derivative(square(), relaxed, [0.9], conditions)
    np.testing.assert_allclose(moved[0, :, 2], h / (8 * 0.9**2), atol=1e-8)
    np.testing.assert_array_equal(relaxed.cell, [[0, 0, 0], [1, 0, 0]])


def test_a_structure_at_rest_on_a_saddle_leaves_it():
    """Antiparallel spins along the field feel no torque, yet flop."""
    conditions = Conditions(field=(0.0, 0.0, 30.0))
    relaxed = relaxed_structure(square(), canted([[0, 0, 1], [0, 0, -1]]), [0.9], conditions)
    np.testing.assert_allclose(relaxed.direction[:, 2], -2.0 * MU_B * 30.0 / (8 * 0.9), atol=1e-9)


def test_a_structure_at_rest_stays_bit_for_bit():
    declared = canted([[0.6, 0.0, 0.8], [-0.6, 0.0, -0.8]])
    relaxed = relaxed_structure(square(), declared, [1.0])
    np.testing.assert_allclose(relaxed.direction, declared.direction, atol=1e-15)


def test_a_relaxed_structure_has_spin_waves():
    """Stationary for the spin-wave layer, whose tolerance is its own; the uniform precession has g μ_B B."""
    conditions = Conditions(field=(0.0, 0.0, 30.0))
    relaxed = relaxed_structure(square(), canted([[1, 0, 0.1], [-1, 0.3, 0]]), [0.9], conditions)
    found = modes(quadratic_form(square(), relaxed, np.zeros((1, 3)), conditions), [0.9])
    assert found.energies[0, -1] == pytest.approx(2.0 * MU_B * 30.0, abs=1e-4)


def test_order_of_the_sublattices_does_not_matter():
    model, a = random_model(5), random_structure(5)
    order = [2, 0, 1]
    b = MagneticStructure(a.magnetic_cell, a.site[order], a.cell[order], a.direction[order])
    first, second = (relaxed_structure(model, x, THETA, FIELD) for x in (a, b))
    np.testing.assert_allclose(first.direction[order], second.direction, atol=1e-9)
    moved = [structure_derivative(model, x, THETA, FIELD) for x in (first, second)]
    np.testing.assert_allclose(moved[0][:, order], moved[1], atol=1e-7)


def test_a_driven_soft_mode_is_refused():
    """A lone spin at D = 0 has no stiffness at all, and D drives it."""
    onsite = OnsiteTable([0], [0], [[[0, 0, 1.0], [0, 0, 0], [1.0, 0, 0]]])
    lone = Model(crystal_of([1.0]), ("D",), BondTable([], [], np.zeros((0, 3)), [], np.zeros((0, 3, 3))), onsite)
    with pytest.raises(UnstableError, match="does not move smoothly with D"):
        structure_derivative(lone, MagneticStructure(np.eye(3), [0], [[0, 0, 0]], [[0, 0, 1]]), [0.0])


def test_only_a_relaxed_structure_has_a_derivative():
    conditions = Conditions(field=(0.0, 0.0, 30.0))
    with pytest.raises(UnstableError, match="only a relaxed structure"):
        structure_derivative(square(), canted([[1, 0, 0], [-1, 0, 0]]), [0.9], conditions)
    with pytest.raises(UnstableError, match="lowest eigenvalue -"):
        structure_derivative(square(), canted([[0, 0, 1], [0, 0, -1]]), [0.9], conditions)


def test_moments_that_do_not_fill_the_cell_are_refused():
    with pytest.raises(ConfigError, match="do not fill"):
        relaxed_structure(square(), MagneticStructure(CANTED_CELL, [0], [[0, 0, 0]], [[0, 0, 1]]), [1.0])
