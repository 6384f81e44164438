"""Laws of linear spin waves over random models: any exchange, any spin lengths, any structure.

Random directions are no ground state of random couplings; an on-site term on each site makes them one: it cancels the
field across the spin and holds the spin along its direction.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model, OnsiteTable
from spinscape.kernels.bogoliubov import paraunitary
from spinscape.lattice.crystal import Crystal
from spinscape.simulate.quadratic import directed_bonds, local_fields
from spinscape.simulate.spinwave import modes, quadratic_form
from spinscape.units import MU_B

SEEDS = st.integers(0, 2**31)
FEW = settings(max_examples=25, deadline=None)
# Sums of some hundred terms of order ten.
TOL = 1e-9
FIELD = (3.0, -2.0, 5.0)


def random_crystal(rng, n_site):
    return Crystal(
        vectors=np.diag([3.0, 4.0, 5.0]) + rng.uniform(-0.5, 0.5, (3, 3)),
        positions=rng.uniform(0, 1, (n_site, 3)) if n_site > 1 else np.zeros((1, 3)),
        labels=tuple(f"s{k}" for k in range(n_site)),
        orbit=range(n_site),
        spins=rng.choice([0.5, 1.0, 1.5, 2.5], n_site),
        ions=("",) * n_site,
        g=2.0 * np.eye(3) + rng.uniform(-0.3, 0.3, (n_site, 3, 3)),
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )


def random_structure(rng, crystal, cell):
    """Random directions on the cells (0, 0, 0) and (1, 0, 0), or on the first alone."""
    volume = abs(round(np.linalg.det(cell)))
    cells = [[0, 0, 0], [1, 0, 0]][:volume]
    site = [s for _ in cells for s in range(crystal.n_site)]
    where = [c for c in cells for _ in range(crystal.n_site)]
    return MagneticStructure(cell, site, where, rng.normal(size=(len(site), 3)))


def random_model(seed, *, cell=((1, 0, 0), (0, 1, 0), (0, 0, 1)), n_site=None):
    """A model with couplings (exchange, onsite) at which the structure is stationary and stable in FIELD."""
    rng = np.random.default_rng(seed)
    crystal = random_crystal(rng, n_site or rng.integers(1, 4))
    structure = random_structure(rng, crystal, np.array(cell))
    n, n_bond = crystal.n_site, 4
    offset = rng.integers(-1, 2, (n_bond, 3))
    offset[:, 0] = 1  # no bond of a site to itself
    matrix = rng.uniform(-1, 1, (n_bond, 3, 3))
    bonds = BondTable(rng.integers(0, n, n_bond), rng.integers(0, n, n_bond), offset, np.zeros(n_bond), matrix)
    bare = Model(crystal, ("exchange", "onsite"), bonds)
    return Model(crystal, bare.parameter_names, bonds, holding_term(bare, structure)), structure


def holding_term(model, structure):
    """On-site terms that make every direction stationary; the same for all cells, so for one-cell structures only."""
    bonds = directed_bonds(model, structure)
    s, n = model.crystal.spins[structure.site], structure.direction
    h = local_fields(bonds, spins=s, direction=n, n_parameter=2)[0]
    h = h + MU_B * np.einsum("a,iab->ib", FIELD, model.crystal.g[structure.site])
    across = h - n * np.sum(h * n, axis=1, keepdims=True)
    stiff = 60.0
    matrix = -stiff * n[:, :, None] * n[:, None, :]
    matrix -= (across[:, :, None] * n[:, None, :] + n[:, :, None] * across[:, None, :]) / (2 * s[:, None, None])
    return OnsiteTable(structure.site, np.ones(len(s)), matrix)


def form_of(model, structure, q):
    return quadratic_form(model, structure, q, Conditions(field=FIELD))


def random_q(seed, n):
    return np.random.default_rng(seed + 1).uniform(-1, 1, (n, 3))


def cross_matrix(v):
    """The matrices of x -> v × x, (n, 3, 3)."""
    return np.cross(v[:, None, :], np.eye(3)[None, :, :]).swapaxes(1, 2)


@given(SEEDS)
@FEW
def test_frequencies_are_those_of_the_landau_lifshitz_equation(seed):
    """ħ dS_i/dt = (dE/dS_i) × S_i, linearised in Cartesian components: no bosons, no local axes, no code of ours."""
    model, structure = random_model(seed)
    q = random_q(seed, 1)
    crystal, s, n = model.crystal, model.crystal.spins[:, None], structure.direction
    pull = np.zeros((len(s), 3, len(s), 3), dtype=complex)  # δ(dE/dS_i) = Σ_j pull_ij δS_j
    field = MU_B * np.einsum("a,iab->ib", FIELD, crystal.g)
    for i, j, offset, m in zip(
        *(getattr(model.bonds, x) for x in ("site_i", "site_j", "offset", "matrix")), strict=True
    ):
        phase = np.exp(2j * np.pi * q[0] @ (crystal.positions[j] + offset - crystal.positions[i]))
        pull[i, :, j] += m * phase
        pull[j, :, i] += m.T * phase.conj()
        field[i] += m @ n[j] * s[j]
        field[j] += m.T @ n[i] * s[i]
    for i, a in zip(model.onsite.site, model.onsite.matrix, strict=True):
        pull[i, :, i] += 2.0 * a
        field[i] += 2.0 * a @ n[i] * s[i]
    motion = -np.einsum("ixy,iyjz->ixjz", cross_matrix(n * s), pull)
    for i in range(len(s)):
        motion[i, :, i] += cross_matrix(field)[i]
    frequencies = np.sort((1j * np.linalg.eigvals(motion.reshape(3 * len(s), -1))).real)
    up = modes(form_of(model, structure, q), [1.0, 1.0]).energies[0]
    down = modes(form_of(model, structure, -q), [1.0, 1.0]).energies[0]
    expected = np.sort(np.concatenate([up, -down, np.zeros(len(s))]))
    np.testing.assert_allclose(frequencies, expected, atol=1e-7)


@given(SEEDS)
@FEW
def test_energies_are_periodic_in_the_reciprocal_lattice(seed):
    model, structure = random_model(seed)
    q = random_q(seed, 3)
    shift = np.random.default_rng(seed).integers(-3, 4, 3)
    first, second = (modes(form_of(model, structure, x), [1.0, 1.0]).energies for x in (q, q + shift))
    np.testing.assert_allclose(first, second, atol=TOL)


@given(SEEDS)
@FEW
def test_a_rotation_of_spins_and_couplings_changes_nothing(seed):
    model, structure = random_model(seed)
    turn = Rotation.random(random_state=seed).as_matrix()
    turned = Model(
        Crystal.from_dict({**model.crystal.to_dict(), "g": (model.crystal.g @ turn.T).tolist()}),
        model.parameter_names,
        with_matrix(model.bonds, turn @ model.bonds.matrix @ turn.T),
        with_matrix(model.onsite, turn @ model.onsite.matrix @ turn.T),
    )
    turned_structure = MagneticStructure(
        structure.magnetic_cell, structure.site, structure.cell, structure.direction @ turn.T
    )
    q = random_q(seed, 3)
    first = modes(form_of(model, structure, q), [1.0, 1.0])
    second = modes(form_of(turned, turned_structure, q), [1.0, 1.0])
    np.testing.assert_allclose(first.energies, second.energies, atol=TOL)
    np.testing.assert_allclose(turn @ first.s_ab.sum(axis=1) @ turn.T, second.s_ab.sum(axis=1), atol=TOL)


def with_matrix(table, matrix):
    rows = {name: getattr(table, name) for name in table.__dataclass_fields__}
    return type(table)(**{**rows, "matrix": matrix})


@given(SEEDS)
@FEW
def test_a_larger_magnetic_cell_describes_the_same_magnet(seed):
    """The lines that folding adds at Q have no intensity; the others are the same."""
    model, structure = random_model(seed)
    double = MagneticStructure(
        [[2, 0, 0], [0, 1, 0], [0, 0, 1]],
        np.tile(structure.site, 2),
        np.repeat([[0, 0, 0], [1, 0, 0]], structure.n_sublattice, axis=0),
        np.tile(structure.direction, (2, 1)),
    )
    q = random_q(seed, 2)
    small, large = (modes(form_of(model, s, q), [1.0, 1.0]) for s in (structure, double))
    np.testing.assert_allclose(large.s_ab.sum(axis=1), small.s_ab.sum(axis=1), atol=1e-8)
    folded = modes(form_of(model, structure, np.concatenate([q, q + np.array([0.5, 0, 0])])), [1.0, 1.0]).energies
    expected = np.sort(np.concatenate([folded[:2], folded[2:]], axis=1), axis=1)
    np.testing.assert_allclose(large.energies, expected, atol=TOL)


@given(SEEDS)
@FEW
def test_zone_mean_of_the_trace_is_the_sum_rule(seed):
    """On a mesh, exactly: mean over Q of Σ_n S^αα = Σ_i S_i (1 + 2 <a†a>_i), for one site in the chemical cell."""
    model, structure = random_model(seed, n_site=1)
    steps = np.arange(3) / 3.0
    mesh = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    form = form_of(model, structure, mesh)
    trace = np.einsum("qnaa->qn", modes(form, [1.0, 1.0]).s_ab.real).sum(axis=1)
    _, transform = paraunitary(form.assembled([1.0, 1.0]))
    # b_i = Σ T_in β_n; the columns of β†, with negative eigenvalues, come first.
    number = np.mean(np.sum(np.abs(transform[:, 0, :1]) ** 2, axis=1))
    assert trace.mean() == pytest.approx(model.crystal.spins[0] * (1.0 + 2.0 * number), rel=1e-10)


@given(SEEDS)
@FEW
def test_time_reversal_of_a_structure_takes_q_to_minus_q(seed):
    """Without a field, all spins reversed: ω(Q) becomes ω(-Q), S^αβ(Q) the complex conjugate of S^αβ(-Q)."""
    model, structure = random_model(seed)
    reverse = MagneticStructure(structure.magnetic_cell, structure.site, structure.cell, -structure.direction)
    q = random_q(seed, 3)
    first = modes(quadratic_form(model, structure, q, Conditions(field=FIELD)), [1.0, 1.0])
    opposite = Conditions(field=tuple(-b for b in FIELD))
    second = modes(quadratic_form(model, reverse, -q, opposite), [1.0, 1.0])
    np.testing.assert_allclose(first.energies, second.energies, atol=TOL)
    np.testing.assert_allclose(first.s_ab.sum(axis=1), second.s_ab.sum(axis=1).conj(), atol=TOL)
