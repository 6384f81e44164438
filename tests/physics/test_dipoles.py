"""Dipole sums: closed forms, laws over random lattices, and a second method; and the spin waves made of them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from spinscape.errors import ConfigError
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.dipolar import DipolarTable
from spinscape.hamiltonian.dipole_sums import dipole_sums, natural_splitting
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model, OnsiteTable
from spinscape.hamiltonian.spiral import SpiralStructure
from spinscape.kernels.bogoliubov import paraunitary
from spinscape.lattice.crystal import Crystal
from spinscape.simulate.modes import modes
from spinscape.simulate.quadratic import quadratic_form
from spinscape.simulate.spiral import rotating_form, spiral_form, turn_matrices

SEEDS = st.integers(0, 2**31)
FEW = settings(max_examples=5, deadline=None)
# Six digits are printed in the tables of classical dipole energies.
TOL_TABLE = 6e-7


def random_lattice(rng, n_site=2):
    return np.diag([3.0, 4.0, 5.0]) + rng.uniform(-0.7, 0.7, (3, 3)), rng.uniform(0, 4, (n_site, 3))


def cubic_energy(q, moment):
    tensor = dipole_sums(np.eye(3), np.zeros((1, 3)), np.pi * np.array([q], dtype=float))[0, 0, 0]
    return 0.5 * float(np.array(moment) @ tensor.real @ np.array(moment))


@pytest.mark.parametrize(
    ("q", "moment", "energy"),
    [
        ([0, 0, 0], [0, 0, 1], -2 * np.pi / 3),
        ([1, 1, 0], [0, 0, 1], -2.676789),
        ([0, 0, 1], [1, 0, 0], -2.421861),
        ([0, 0, 1], [0, 0, 1], 4.843722),
        ([1, 1, 1], [0, 0, 1], 0.0),
    ],
)
def test_simple_cubic_dipoles(q, moment, energy):
    assert cubic_energy(q, moment) == pytest.approx(energy, abs=TOL_TABLE)


@given(SEEDS)
@FEW
def test_sums_do_not_depend_on_the_splitting_parameter(seed):
    rng = np.random.default_rng(seed)
    vectors, positions = random_lattice(rng)
    q = np.concatenate([np.zeros((1, 3)), rng.normal(size=(2, 3))])
    natural = natural_splitting(vectors)
    one, two = (dipole_sums(vectors, positions, q, splitting=x * natural) for x in (0.8, 1.3))
    np.testing.assert_allclose(one, two, atol=1e-10 * np.abs(one).max())


@given(SEEDS)
@FEW
def test_the_trace_vanishes_but_for_the_uniform_field(seed):
    rng = np.random.default_rng(seed)
    vectors, positions = random_lattice(rng)
    traces = np.einsum("qijaa->qij", dipole_sums(vectors, positions, [[0, 0, 0], [0.3, -0.2, 0.9]]))
    np.testing.assert_allclose(traces[0], -4 * np.pi / abs(np.linalg.det(vectors)), rtol=1e-11)
    np.testing.assert_allclose(traces[1], 0.0, atol=1e-12)


@pytest.mark.parametrize("q", [[0.0, 0.0, 0.0], [1.1, -0.6, 0.8]])
def test_sums_over_a_smoothly_ending_sphere(q):
    """Cut off by exp(-(r/R)⁸), whose first moments in k vanish; at q = 0 the sphere has its demagnetising field."""
    vectors, positions = random_lattice(np.random.default_rng(5))
    radius = 55.0
    steps = np.stack(np.meshgrid(*[np.arange(-n, n + 1) for n in (32, 25, 20)], indexing="ij"), axis=-1).reshape(-1, 3)
    lattice = steps @ vectors
    found = dipole_sums(vectors, positions, [q])[0]
    for i, j in ((0, 0), (0, 1)):
        way = lattice + positions[j] - positions[i]
        r = np.linalg.norm(way, axis=1)
        way, r = way[r > 0], r[r > 0]
        weight = np.exp(-((r / radius) ** 8)) * np.exp(1j * way @ q)
        direct = np.sum(weight / r**3) * np.eye(3) - 3 * np.einsum("t,ta,tb->ab", weight / r**5, way, way)
        sphere = 4 * np.pi / (3 * abs(np.linalg.det(vectors))) * np.eye(3) * (not any(q))
        np.testing.assert_allclose(direct, found[i, j] + sphere, atol=1e-7)


def magnet(rng):
    """Two sites with tensor g and unequal spins, exchange and dipoles."""
    crystal = Crystal(
        vectors=np.diag([3.0, 4.0, 5.0]),
        positions=[[0, 0, 0], [0.4, 0.3, 0.6]],
        labels=("a",) * 2,
        orbit=[0, 1],
        spins=[1.0, 1.5],
        ions=("",) * 2,
        g=2 * np.eye(3) + rng.uniform(-0.4, 0.4, (2, 3, 3)),
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )
    bonds = BondTable([0, 0], [1, 1], [[0, 0, 0], [-1, 0, 0]], [0, 0], np.tile(np.eye(3), (2, 1, 1)))
    return Model(crystal, ("J", "D"), bonds, dipolar=DipolarTable([1, 0], [2.0, 0.1]))


def doubled(direction, cell=(2, 1, 1)):
    where = [[0, 0, 0], [0, 0, 0], [1, 0, 0], [1, 0, 0]][: 2 * cell[0]]
    return MagneticStructure(np.diag(cell), [0, 1, 0, 1][: 2 * cell[0]], where, direction)


def held(model, structure, theta):
    """Return the model with on-site terms, worth 1 meV, that make any structure stationary and stable."""
    n, length = structure.direction, model.crystal.spins[structure.site]
    across = quadratic_form(model, structure, np.zeros((1, 3))).torques(theta)
    hold = -40.0 * n[:, :, None] * n[:, None, :]
    hold -= (across[:, :, None] * n[:, None, :] + n[:, :, None] * across[:, None, :]) / (2 * length[:, None, None])
    onsite = OnsiteTable([0, 1], [2, 2], hold[:2])
    return Model(model.crystal, ("J", "D", "hold"), model.bonds, onsite, model.dipolar)


def test_torque_is_the_gradient_of_the_energy():
    rng = np.random.default_rng(8)
    model, theta = magnet(rng), np.array([0.7, 1.9])
    n, length = rng.normal(size=(4, 3)), np.array([1.0, 1.5, 1.0, 1.5])
    n /= np.linalg.norm(n, axis=1, keepdims=True)

    def energy(direction):
        form = quadratic_form(model, doubled(direction), np.zeros((1, 3)), Conditions(field=(1.0, 2.0, 3.0)))
        return 4 * form.classical_energy(theta), form.torques(theta)

    torque = energy(n)[1]
    for i, a in ((0, 0), (1, 2), (3, 1)):
        across = np.eye(3)[a] - n[i] * n[i, a]
        step = np.zeros((4, 3))
        step[i] = 1e-5 * across
        slope = (energy(n + step)[0] - energy(n - step)[0]) / 2e-5
        assert slope == pytest.approx(length[i] * torque[i] @ across, abs=1e-7)


def test_a_larger_magnetic_cell_folds_the_same_modes():
    rng = np.random.default_rng(9)
    model, theta = magnet(rng), np.array([0.7, 1.9])
    n = rng.normal(size=(2, 3))
    small = doubled(n, (1, 1, 1))
    model, theta = held(model, small, theta), np.append(theta, 1.0)
    q = np.array([[0.21, 0.4, -0.3]])
    form = quadratic_form(model, small, np.concatenate([q, q + np.array([0.5, 0, 0])]))
    one, two = modes(form, theta), modes(quadratic_form(model, doubled(np.tile(n, (2, 1))), q), theta)
    np.testing.assert_allclose(np.sort(one.energies.ravel()), two.energies[0], rtol=1e-11)
    # Only the magnons at Q itself are seen.
    np.testing.assert_allclose(one.s_ab[0].sum(axis=0), two.s_ab[0].sum(axis=0), atol=1e-10)
    assert form.scale(theta) > np.linalg.norm(form.assembled(theta), ord=2, axis=(1, 2)).max() / 2
    again = modes(quadratic_form(model, small, q + np.array([3, -2, 1])), theta)
    np.testing.assert_allclose(again.energies[0], one.energies[0], rtol=1e-11)


def test_dipoles_match_frequencies_of_the_equation_of_motion():
    """ħ dS/dt = (dE/dS) × S at finite q: amplitudes exp(iq·r) turn the Ewald sums at q and at 0 into a 6×6 problem."""
    rng = np.random.default_rng(10)
    model, theta = magnet(rng), np.array([0.7, 1.9])
    small = doubled(rng.normal(size=(2, 3)), (1, 1, 1))
    model, theta = held(model, small, theta), np.append(theta, 1.0)
    crystal, n = model.crystal, small.direction
    q = np.array([[0.21, 0.4, -0.3]])
    strength = 2.0 * theta[1] + 0.1 * theta[0]

    def interaction(q):
        positions = crystal.positions @ crystal.vectors
        g = crystal.g
        out = strength * np.swapaxes(g, 1, 2)[:, None] @ dipole_sums(crystal.vectors, positions, q)[0] @ g
        for i, j, offset, k, m in zip(*(getattr(model.bonds, f) for f in BondTable.__dataclass_fields__), strict=True):
            phase = np.exp(2j * np.pi * q_rlu(q) @ (crystal.positions[j] + offset - crystal.positions[i]))
            out[i, j] += theta[k] * phase * m
            out[j, i] += theta[k] * phase.conj() * m.T
        for i, a in zip(model.onsite.site, model.onsite.matrix, strict=True):
            out[i, i] += theta[2] * (a + a.T)
        return out

    def q_rlu(q):
        return q[0] @ np.linalg.inv(crystal.reciprocal)

    spins = crystal.spins[:, None] * n
    field = np.einsum("ijab,jb->ia", interaction(np.zeros((1, 3))).real, spins)
    at_q = interaction(q @ crystal.reciprocal)
    # d/dt δS_i = h_i × δS_i + δh_i × S_i
    turn = np.zeros((2, 3, 2, 3), dtype=complex)
    for i in range(2):
        turn[i, :, i] += np.cross(field[i], np.eye(3)).T
        for j in range(2):
            turn[i, :, j] += np.cross(at_q[i, j].T, spins[i]).T
    # δS goes like exp(iq·r - iωt).
    frequencies = np.sort(-np.linalg.eigvals(turn.reshape(6, 6)).imag)
    # Two of the six are zero: the lengths. ω(q) and -ω(-q) are the others.
    expected = modes(quadratic_form(model, small, np.concatenate([q, -q])), theta).energies
    np.testing.assert_allclose(
        np.sort(np.concatenate([expected[0], -expected[1]])), frequencies[[0, 1, 4, 5]], rtol=1e-8
    )


def held_magnet(seed):
    """A magnet with dipoles in a structure of one cell that is stationary and stable, and its couplings."""
    rng = np.random.default_rng(seed)
    model, theta = magnet(rng), np.array([0.7, 1.9])
    structure = doubled(rng.normal(size=(2, 3)), (1, 1, 1))
    return held(model, structure, theta), structure, np.append(theta, 1.0), rng


@given(SEEDS)
@FEW
def test_a_turn_of_the_whole_magnet_changes_nothing(seed):
    """Lattice, spins, g and couplings turned together: the same energies at the same (h, k, l), S^αβ turned."""
    model, structure, theta, rng = held_magnet(seed)
    turn = Rotation.random(random_state=rng).as_matrix()
    crystal = model.crystal.to_dict()
    crystal |= {"vectors": (model.crystal.vectors @ turn.T).tolist(), "g": (turn @ model.crystal.g @ turn.T).tolist()}
    turned = replace(
        model,
        crystal=Crystal.from_dict(crystal),
        bonds=replace(model.bonds, matrix=turn @ model.bonds.matrix @ turn.T),
        onsite=replace(model.onsite, matrix=turn @ model.onsite.matrix @ turn.T),
    )
    q = rng.uniform(-1, 1, (2, 3))
    one = modes(quadratic_form(model, structure, q), theta)
    other = replace(structure, direction=structure.direction @ turn.T)
    two = modes(quadratic_form(turned, other, q), theta)
    np.testing.assert_allclose(two.energies, one.energies, rtol=1e-9)
    np.testing.assert_allclose(two.s_ab.sum(axis=1), turn @ one.s_ab.sum(axis=1) @ turn.T, atol=1e-8)


@given(SEEDS)
@FEW
def test_time_reversal_takes_q_to_minus_q(seed):
    model, structure, theta, rng = held_magnet(seed)
    q = rng.uniform(-1, 1, (2, 3))
    one = modes(quadratic_form(model, structure, q), theta)
    two = modes(quadratic_form(model, replace(structure, direction=-structure.direction), -q), theta)
    np.testing.assert_allclose(two.energies, one.energies, rtol=1e-9)
    np.testing.assert_allclose(two.s_ab.sum(axis=1), one.s_ab.sum(axis=1).conj(), atol=1e-8)


@given(SEEDS)
@FEW
def test_the_sum_rule_holds_site_by_site(seed):
    """The trace of one site's own correlations is S (1 + 2 <a†a>) at each Q; <a†a> by a plain diagonalisation of gD."""
    model, structure, theta, rng = held_magnet(seed)
    q = np.concatenate([mesh := rng.uniform(-1, 1, (3, 3)), -mesh])
    form = quadratic_form(model, structure, q)
    values, vectors = np.linalg.eig(np.diag([1.0, 1.0, -1.0, -1.0]) @ form.assembled(theta))
    signed = np.einsum("qin,i,qin->qn", vectors.conj(), [1.0, 1.0, -1.0, -1.0], vectors).real
    weights = np.abs(vectors) ** 2 / np.abs(signed)[:, None, :]
    number = np.where(values.real[:, None, :] < 0, weights, 0.0).sum(axis=2)[:, :2]
    _, transform = paraunitary(form.assembled(theta))
    for i, length in enumerate(model.crystal.spins):
        keep = np.isin(np.arange(4) % 2, [i])
        source = np.einsum("qin,qai->qna", transform.conj(), np.where(keep, form.vectors, 0.0))
        trace = np.sum(np.abs(source[:, 2:]) ** 2, axis=(1, 2))
        both = number[:3, i] + number[3:, i]
        np.testing.assert_allclose(trace[:3] + trace[3:], 2 * length * (1.0 + both), rtol=1e-8)


def spiral_magnet(rng, g, k, spin_turns):
    """Two sites of unequal spins with XXZ exchange on chains, dipoles and a strong easy plane."""
    model = magnet(rng)
    crystal = Crystal.from_dict({**model.crystal.to_dict(), "g": np.tile(g, (2, 1, 1)).tolist()})
    exchange = np.eye(3) + 0.3 * np.diag([0.0, 0.0, 1.0])
    bonds = BondTable([0, 1, 0, 1], [0, 1, 1, 1], [[1, 0, 0], [1, 0, 0], [0, 0, 0], [0, 1, 0]], [0] * 4, [exchange] * 4)
    plane = OnsiteTable([0, 1], [2, 2], np.tile(np.diag([0.0, 0.0, 1.0]), (2, 1, 1)))
    angle = 2 * np.pi * np.array(spin_turns)
    direction = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(2)])
    model = Model(crystal, ("J", "D", "plane"), bonds, plane, DipolarTable([1], [1.0]))
    return model, SpiralStructure(k, [0, 0, 1], direction)


@pytest.mark.parametrize(
    ("g", "k", "theta"),
    [
        # Moments along the axis alone: any wave vector.
        (np.diag([0.0, 0.0, 2.0]), [0.25, 0, 0], [-1.0, 0.5, 3.0]),
        # Moments across it alone, and half a turn: the tensors at Q, Q + k and Q - k all count.
        (np.diag([2.0, 1.6, 0.0]), [0.5, 0, 0], [1.0, 0.5, 3.0]),
        # Nothing turns, and anything goes.
        (np.diag([2.0, 1.6, 1.1]) + 0.2, [1.0, 0, 0], [-1.0, 0.4, 3.0]),
    ],
)
def test_spirals_with_dipoles_have_the_frequencies_and_intensities_of_their_supercells(g, k, theta):
    """Stationary or not, the two descriptions have the same equation of motion; a hold makes them both stable."""
    model, spiral = spiral_magnet(np.random.default_rng(2), g, k, [0.0, 0.07 if k[0] == 0.25 else 0.0])
    n_cell = {0.25: 4, 0.5: 2, 1.0: 1}[k[0]]
    cells = np.repeat([[c, 0, 0] for c in range(n_cell)], 2, axis=0)
    turn = turn_matrices(spiral.axis, 2 * np.pi * cells @ spiral.k)
    direction = np.einsum("iab,ib->ia", turn, np.tile(spiral.direction, (n_cell, 1)))
    flat = MagneticStructure(np.diag([n_cell, 1, 1]), np.tile([0, 1], n_cell), cells, direction)
    q = np.array([[0.21, 0.4, -0.3]])
    rotating, whole = rotating_form(model, spiral, q), quadratic_form(model, flat, q)
    assert rotating.classical_energy(theta) == pytest.approx(whole.classical_energy(theta), rel=1e-12)
    found = np.concatenate(
        [rotating_form(model, spiral, q + m * spiral.k).assembled(theta)[0][None] for m in range(n_cell)]
    )
    ours, theirs = np.sort(np.linalg.eigvalsh(found).ravel()), np.linalg.eigvalsh(whole.assembled(theta))[0]
    np.testing.assert_allclose(ours, theirs, atol=1e-10)
    signed = np.diag([1.0, 1.0, -1.0, -1.0])
    speeds = np.linalg.eigvals(signed @ found).ravel()
    wide = np.linalg.eigvals(np.kron(np.diag([1.0, -1.0]), np.eye(2 * n_cell)) @ whole.assembled(theta)[0])
    np.testing.assert_allclose(np.sort(speeds.real), np.sort(wide.real), atol=1e-7)


def test_dipoles_have_no_rotating_frame_where_moments_lie_across_the_axis():
    spiral = SpiralStructure([0.3, 0, 0], [0, 0, 1], np.tile([1.0, 0, 0], (2, 1)))
    with pytest.raises(ConfigError, match="dipoles have no rotating frame here") as caught:
        spiral_form(magnet(np.random.default_rng(0)), spiral, np.zeros((1, 3)))
    assert "supercell" in caught.value.fix
