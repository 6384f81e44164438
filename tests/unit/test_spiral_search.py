"""Spirals of least energy: the closed form against sums over cells, its slopes, and the search."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from spinscape.errors import ConfigError
from spinscape.hamiltonian.biquadratic import BiquadraticTable
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.dipolar import DipolarTable, empty_dipolar
from spinscape.hamiltonian.energy import energy
from spinscape.hamiltonian.model import BondTable, Model, OnsiteTable
from spinscape.lattice.crystal import Crystal
from spinscape.lattice.supercell import supercell
from spinscape.simulate.groundstate import minimise_energy
from spinscape.simulate.luttinger_tisza import luttinger_tisza
from spinscape.simulate.spiral import spiral_form, spiral_modes
from spinscape.simulate.spiral_energy import (
    energy_and_slopes,
    local_matrices,
    quartic_turns,
    spiral_energy,
    turns_freely,
)
from spinscape.simulate.spiral_search import LowestSpiral, SpiralStructure, minimise_spiral
from spinscape.units import MU_B

FIELD = Conditions(field=(3.0, -2.0, 5.0))
TOL = 1e-10


def crystal_of(spins):
    n = len(spins)
    return Crystal(
        vectors=np.eye(3) * 4.0,
        positions=np.linspace(0, 0.7, n)[:, None] * np.ones(3),
        labels=tuple(f"s{k}" for k in range(n)),
        orbit=range(n),
        spins=spins,
        ions=("",) * n,
        g=np.tile(2.0 * np.eye(3), (n, 1, 1)),
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )


def random_model(seed):
    rng = np.random.default_rng(seed)
    offset = rng.integers(-1, 2, (5, 3))
    offset[:, 0] = 1
    table = BondTable(*rng.integers(0, 2, (2, 5)), offset, np.zeros(5), rng.normal(size=(5, 3, 3)))
    a = rng.normal(size=(2, 3, 3))
    onsite = OnsiteTable([0, 1], [0, 0], a + a.transpose(0, 2, 1))
    squares = BiquadraticTable([0, 0], [1, 0], [[1, 0, 0], [2, 0, 0]], [0, 0], [0.4, -0.3], ("large_s", "renormalised"))
    return Model(crystal_of([0.5, 2.0]), ("P",), table, onsite, DipolarTable([0], [5.0]), squares)


def random_spiral(seed):
    rng = np.random.default_rng(seed)
    frame = Rotation.random(random_state=seed).as_matrix()
    local = rng.normal(size=(2, 3))
    return frame, local / np.linalg.norm(local, axis=1, keepdims=True)


@given(st.integers(0, 10_000))
@settings(max_examples=15)
def test_energy_is_the_mean_over_cells_and_phases(seed):
    """Second method: the spiral laid out in five cells, its common phase averaged over eight turns."""
    model, k = random_model(seed), np.array([0.2, 0.0, 0.0])
    frame, local = random_spiral(seed)
    value, *_ = energy_and_slopes(spiral_energy(model, [0.7], FIELD), k, frame[2], local)
    cell = supercell((5, 1, 1), n_site=2)
    total = 0.0
    for phase in np.arange(8) * np.pi / 4:
        turned = local @ Rotation.from_rotvec([0, 0, phase]).as_matrix().T @ frame
        n = LowestSpiral(SpiralStructure(k, frame[2], turned), 0.0, True).directions(cell.cells).reshape(-1, 3)
        spins = np.tile([0.5, 2.0], 5)[:, None] * n
        total += energy(model, spins, [0.7], cell=cell, conditions=FIELD) / 8
    assert value == pytest.approx(total / 5, abs=TOL)


@given(st.integers(0, 10_000))
@settings(max_examples=10)
def test_slopes_are_those_of_differences_and_the_matrix_gives_the_same_energy(seed):
    rng = np.random.default_rng(seed)
    form, k = spiral_energy(random_model(seed), [0.7], FIELD), rng.uniform(size=3)
    frame, local = random_spiral(seed)
    x = np.concatenate([k, frame[2], local.ravel()])

    def value(x):
        # The slope by the axis is that of the polynomial, off the sphere too: ½ (tr M - a·M·a) has tr M as it is.
        return energy_and_slopes(form, x[:3], x[3:6], x[6:].reshape(2, 3))[0]

    slopes = np.concatenate([part.ravel() for part in energy_and_slopes(form, k, frame[2], local)[1:]])
    differences = [(value(x + h) - value(x - h)) / 2e-5 for h in 1e-5 * np.eye(len(x))]
    np.testing.assert_allclose(slopes, differences, atol=1e-6)
    quadratic, linear = local_matrices(form, k[None], frame[2][None])
    same = 0.5 * np.einsum("ia,ijab,jb->", local, quadratic[0], local) + np.sum(linear[0] * local) + form.constant
    turns = quartic_turns(form, k[None])[0]
    products = np.einsum("ra,rab,rb->r", local[form.quartic_i], turns, local[form.quartic_j])
    same += np.sum(form.quartic * products**2)
    assert same == pytest.approx(value(x), abs=TOL)
    np.testing.assert_allclose(quadratic[0], quadratic[0].transpose(1, 0, 3, 2), atol=TOL)


def dm_chain(d=(0.0, 0.0, 1.0)):
    """E = Σ J S·S + D d·(S_i × S_i+1), S = 1."""
    m = np.array([[0, d[2], -d[1]], [-d[2], 0, d[0]], [d[1], -d[0], 0]], dtype=float)
    return Model(crystal_of([1.0]), ("J", "D"), BondTable([0, 0], [0, 0], [[1, 0, 0]] * 2, [0, 1], [np.eye(3), m]))


@pytest.mark.parametrize(("j", "d"), [(-1.0, 0.3), (1.0, 0.3), (-0.5, -1.0), (0.0, 1.0)])
def test_dm_chain_winds_about_its_vector_with_the_sense_of_d(j, d):
    """E = J cos δ + D sin δ: δ = atan2(-D, -J), E = -sqrt(J² + D²), about the DM vector."""
    found = minimise_spiral(dm_chain(), [j, d])
    assert found.energy == pytest.approx(-np.hypot(j, d), rel=1e-12) and found.exact
    sense = np.sign(found.spiral.axis[2])
    assert abs(found.spiral.axis[2]) == pytest.approx(1.0, abs=1e-9)
    turn = np.arctan2(-d, -j) / (2 * np.pi)
    assert np.exp(2j * np.pi * found.spiral.k[0] * sense) == pytest.approx(np.exp(2j * np.pi * turn), abs=1e-6)


def test_axis_is_found_where_no_start_has_it():
    tilted = np.array([1.0, 2.0, -2.0]) / 3.0
    found = minimise_spiral(dm_chain(tilted), [-1.0, 0.5])
    assert found.energy == pytest.approx(-np.hypot(1.0, 0.5), rel=1e-12)
    assert abs(found.spiral.axis @ tilted) == pytest.approx(1.0, abs=1e-9)


def test_cone_in_a_field_along_the_vector():
    """E = -e sin²α + J cos²α - h cos α with e = sqrt(J² + D²): cos α = h / 2(e + J)."""
    h, e = 2 * MU_B * 12.0, np.hypot(1.0, 0.8)
    found = minimise_spiral(dm_chain(), [1.0, 0.8], conditions=Conditions(field=(0.0, 0.0, 12.0)))
    assert found.energy == pytest.approx(-e - h**2 / (4 * (e + 1.0)), rel=1e-12) and found.exact
    assert found.spiral.direction[0, 2] == pytest.approx(-h / (2 * (e + 1.0)), abs=1e-8)
    saturated = minimise_spiral(dm_chain(), [1.0, 0.8], conditions=Conditions(field=(0.0, 0.0, 60.0)))
    assert saturated.energy == pytest.approx(1.0 - 2 * MU_B * 60.0, rel=1e-12)


def two_site_spiral():
    """Two sites, three Heisenberg couplings: an incommensurate spiral with a phase between the sites."""
    rows = [(0, 1, (0, 0, 0), 0), (1, 0, (1, 0, 0), 1), (0, 0, (1, 0, 0), 2), (1, 1, (1, 0, 0), 2)]
    i, j, offset, parameter = zip(*rows, strict=True)
    return Model(crystal_of([1.0, 1.0]), ("P", "Q", "R"), BondTable(i, j, offset, parameter, [np.eye(3)] * 4))


def test_heisenberg_spirals_reach_the_luttinger_tisza_bound_and_supercells_approach_them():
    theta = [-1.0, -0.4, 0.22]
    found, bound = minimise_spiral(two_site_spiral(), theta), luttinger_tisza(two_site_spiral(), theta)
    assert found.energy == pytest.approx(bound.bound, abs=1e-10) and bound.exact
    k, q = abs(found.spiral.k[0]), abs(bound.orders[0].vector[0])
    assert k == pytest.approx(q, abs=1e-6) and 0.02 < k < 0.48
    n = round(1 / min(k, 0.5 - k))
    gaps = [minimise_energy(two_site_spiral(), (m, 1, 1), theta).energy[0] - found.energy for m in (n, 4 * n, 8 * n)]
    assert min(gaps) > -1e-12 and min(gaps) < 1e-3
    flat = np.cross(found.spiral.axis, found.spiral.direction)
    np.testing.assert_allclose(np.linalg.norm(flat, axis=1), 1.0, atol=1e-6)


def test_a_found_spiral_has_stable_spin_waves():
    theta = [-1.0, -0.4, 0.22]
    found = minimise_spiral(two_site_spiral(), theta)
    q = np.random.default_rng(0).uniform(-0.5, 0.5, (5, 3))
    form = spiral_form(two_site_spiral(), found.spiral, q)
    assert form.classical_energy(theta) == pytest.approx(found.energy, abs=1e-10)
    assert np.all(np.isfinite(spiral_modes(form, theta).energies))


def test_same_spiral_twice_and_by_turned_couplings():
    model = replace(random_model(2), dipolar=empty_dipolar())  # dipoles know the lattice
    first, second = (minimise_spiral(model, [1.0], n_mesh=4) for _ in range(2))
    assert first.energy == second.energy and np.array_equal(first.spiral.direction, second.spiral.direction)
    r = Rotation.random(random_state=1).as_matrix()
    turned = Model(
        model.crystal,
        model.parameter_names,
        BondTable(
            *(getattr(model.bonds, x) for x in ("site_i", "site_j", "offset", "parameter")),
            r @ model.bonds.matrix @ r.T,
        ),
        OnsiteTable(model.onsite.site, model.onsite.parameter, r @ model.onsite.matrix @ r.T),
        biquadratic=model.biquadratic,
    )
    found = minimise_spiral(turned, [1.0], n_mesh=4, axes=np.eye(3) @ r.T)
    assert found.energy == pytest.approx(first.energy, abs=1e-9)


def test_a_spiral_of_anisotropic_couplings_is_marked_and_lies_above_the_ground_state():
    """Néel order with the easy axis z: -J - D along z, and -J - D/2 in the mean over turns about x."""
    bonds = BondTable([0], [0], [[1, 0, 0]], [0], [np.eye(3)])
    easy = Model(crystal_of([1.0]), ("J", "D"), bonds, OnsiteTable([0], [1], [np.diag([0.0, 0.0, -1.0])]))
    found = minimise_spiral(easy, [1.0, 0.4])
    assert not found.exact and found.energy == pytest.approx(-1.2, rel=1e-12)
    assert minimise_energy(easy, (2, 1, 1), [1.0, 0.4], n_start=4).energy[0] == pytest.approx(-1.4, rel=1e-12)
    form = spiral_energy(dm_chain(), [1.0, 0.5])
    assert turns_freely(form, np.array([0, 0, 1.0]), np.array([[1.0, 0, 0]]))
    assert not turns_freely(form, np.array([0, 1.0, 0]), np.array([[1.0, 0, 0]]))


def test_spins_along_the_axis_have_no_wave_vector():
    bonds = BondTable([0], [0], [[1, 0, 0]], [0], [np.diag([-0.5, -0.5, -1.0])])
    found = minimise_spiral(Model(crystal_of([1.0]), ("J",), bonds), [1.0])
    assert found.energy == pytest.approx(-1.0) and found.exact
    assert found.spiral.k.tolist() == [0.0, 0.0, 0.0]


def test_a_commensurate_spiral_becomes_a_structure():
    found = minimise_spiral(dm_chain(), [0.0, 1.0])  # k = ±1/4
    structure = found.in_cell((4, 1, 1))
    assert structure.n_sublattice == 4
    assert energy(
        dm_chain(), structure.direction, [0.0, 1.0], cell=supercell((4, 1, 1), n_site=1)
    ) / 4 == pytest.approx(found.energy, abs=1e-9)
    with pytest.raises(ConfigError, match="does not fit"):
        found.in_cell((3, 1, 1))


def test_bad_axes_are_refused():
    with pytest.raises(ConfigError, match="axis of a spiral"):
        minimise_spiral(dm_chain(), [1.0, 0.0], axes=[[0.0, 0.0, 0.0]])
    with pytest.raises(ConfigError, match="axis of a spiral"):
        minimise_spiral(dm_chain(), [1.0, 0.0], axes=[[1.0, 0.0]])


def test_biquadratic_terms_turn_a_ferromagnet_into_a_spiral():
    """E = -J cos δ + B cos²δ on a chain, S = 1: cos δ = J/2B where B > J/2, E = -J²/4B."""
    table = BiquadraticTable([0], [0], [[1, 0, 0]], [1], [1.0])
    chain = Model(crystal_of([1.0]), ("J", "B"), BondTable([0], [0], [[1, 0, 0]], [0], [-np.eye(3)]), biquadratic=table)
    found = minimise_spiral(chain, [1.0, 0.8])
    assert found.energy == pytest.approx(-1 / 3.2, rel=1e-12) and found.exact
    # Cones of any opening have the angle δ between neighbours.
    first, second = found.directions([[0, 0, 0], [1, 0, 0]])[:, 0]
    assert first @ second == pytest.approx(1 / 1.6, abs=1e-6)
    # The bound by tangents is the same; the best tangent cancels the exchange, so that no wave vector is selected.
    bound = luttinger_tisza(chain, [1.0, 0.8])
    assert bound.bound == pytest.approx(-1 / 3.2, abs=1e-8) and bound.flat == 1.0


def test_dipoles_on_a_simple_cubic_lattice_order_antiferromagnetically():
    """Columns along the moments, signs alternating across: -2.676789 per a³ and μ² (Luttinger and Tisza)."""
    crystal = Crystal.from_dict(
        {**crystal_of([1.0]).to_dict(), "vectors": np.eye(3).tolist(), "g": np.eye(3)[None].tolist()}
    )
    empty = BondTable([], [], np.zeros((0, 3)), [], np.zeros((0, 3, 3)))
    model = Model(crystal, ("D",), empty, dipolar=DipolarTable([0], [1.0]))
    bound = luttinger_tisza(model, [1.0], n_mesh=6)
    assert bound.bound == pytest.approx(-2.676789, abs=1e-6) and bound.exact
    assert sorted(np.abs(bound.orders[0].vector)) == [0.0, 0.5, 0.5]
    assert minimise_energy(model, (2, 2, 2), [1.0], n_start=8).energy[0] == pytest.approx(bound.bound, rel=1e-10)
    # Turns of those columns cost energy. Layers of moments along any direction in them are the best that turns freely.
    found = minimise_spiral(model, [1.0], n_mesh=4)
    assert found.energy == pytest.approx(-2.421861, abs=1e-6) and found.exact
