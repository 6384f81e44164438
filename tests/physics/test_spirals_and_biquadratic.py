"""Spirals against supercells, biquadratic terms against the equation of motion: second methods over random models."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinscape.errors import ConfigError, ShapeError
from spinscape.hamiltonian.biquadratic import BiquadraticTable
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.energy import effective_field, energy, pair_list
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model, OnsiteTable
from spinscape.hamiltonian.spiral import SpiralStructure
from spinscape.lattice.crystal import Crystal
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.lattice.supercell import supercell
from spinscape.simulate.quadratic import quadratic_form
from spinscape.simulate.spectrum import SpectrumModel, SpinwaveSettings
from spinscape.simulate.spinwave import modes
from spinscape.simulate.spiral import spiral_form, spiral_modes, turn_matrices
from spinscape.units import MU_B

SEEDS = st.integers(0, 2**31)
FEW = settings(max_examples=20, deadline=None)
AXIS = np.array([0.0, 0.0, 1.0])


def crystal_of(rng, spins):
    n = len(spins)
    return Crystal(
        vectors=np.diag([3.0, 4.0, 5.0]),
        positions=rng.uniform(0, 1, (n, 3)),
        labels=("a",) * n,
        orbit=np.zeros(n),
        spins=spins,
        ions=("",) * n,
        g=np.tile(2.0 * np.eye(3), (n, 1, 1)),
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )


@given(SEEDS)
@FEW
def test_polarised_spins_may_be_called_a_spiral_of_any_wave_vector(seed):
    """Two unequal spins along a strong field: k changes nothing, with DM along the axis and anywhere in the cell."""
    rng = np.random.default_rng(seed)
    j, k, d = rng.uniform(-1, 1, (3, 4, 1, 1))
    matrix = j * np.eye(3) + k * np.diag([0.0, 0.0, 1.0]) + d * np.cross(np.eye(3), AXIS)
    bonds = BondTable([0, 0, 1, 1], [1, 0, 1, 0], [[1, 0, 0], [1, 1, 0], [2, 0, 0], [0, 0, 1]], [0] * 4, matrix)
    model = Model(crystal_of(rng, [1.0, 2.0]), ("unit",), bonds)
    down = np.tile([0.0, 0.0, -1.0], (2, 1))
    compare(model, SpiralStructure([rng.integers(1, 4) / 4, 0, 0], AXIS, down), 4, Conditions(field=(0.0, 0.0, 500.0)))


@given(SEEDS, st.sampled_from([3, 4, 5]))
@FEW
def test_canted_spirals_of_one_site_equal_their_supercells(seed, period):
    """A cone in a field: its angle solves one equation, the wave vector is the best one of the period."""
    rng = np.random.default_rng(seed)
    crystal = crystal_of(rng, [1.5])
    j, d = rng.uniform(0.5, 1.0), rng.uniform(0.2, 1.0)
    cross = np.cross(np.eye(3), AXIS)
    bonds = BondTable([0], [0], [[1, 0, 0]], [0], [j * np.eye(3) - d * cross])

    steps = np.arange(period) / period
    # What neighbours across the axis gain at an angle of 2πh.
    values = np.einsum("b,nbc,c->n", bonds.matrix[0, 0], turn_matrices(AXIS, 2 * np.pi * steps), [1.0, 0.0, 0.0])
    wave = steps[np.argmin(values)]
    # E = S² [λ sin²θ + j cos²θ] + g μ_B B S cos θ, λ = min of the exchange; an easy plane keeps other k away.
    plane = 2.0
    field = 10.0
    stiffness = 2 * 1.5 * (j - values.min() + plane)
    cosine = -2 * MU_B * field / stiffness
    model = Model(crystal, ("unit",), bonds, OnsiteTable([0], [0], [np.diag([0.0, 0.0, plane])]))
    one = SpiralStructure([wave, 0, 0], AXIS, [[np.sqrt(1 - cosine**2), 0.0, cosine]])
    compare(model, one, period, Conditions(field=(0.0, 0.0, field)))


@given(SEEDS, st.sampled_from([3, 4, 5]), st.sampled_from(["large_s", "renormalised"]))
@FEW
def test_spirals_with_biquadratic_terms_equal_their_supercells(seed, period, form):
    """Flat spirals: any wave vector is stationary, that of the lowest energy of the period is stable."""
    rng = np.random.default_rng(seed)
    crystal = crystal_of(rng, [1.5])
    d, b = rng.uniform(0.7, 1.0), rng.uniform(-0.02, 0.02)
    bonds = BondTable([0], [0], [[1, 0, 0]], [0], [np.eye(3) - d * np.cross(np.eye(3), AXIS)])
    steps = np.arange(period) / period
    values = np.einsum("b,nbc,c->n", bonds.matrix[0, 0], turn_matrices(AXIS, 2 * np.pi * steps), [1.0, 0.0, 0.0])
    wave = steps[np.argmin(values)]
    table = BiquadraticTable([0, 0], [0, 0], [[1, 0, 0], [0, 1, 0]], [0, 0], [b, -0.02], form)
    plane = OnsiteTable([0], [0], [np.diag([0.0, 0.0, 2.0])])
    model = Model(crystal, ("unit",), bonds, plane, biquadratic=table)
    compare(model, SpiralStructure([wave, 0, 0], AXIS, [[1.0, 0.0, 0.0]]), period, Conditions())


def spin_matrices(s):
    m = np.arange(s, -s - 1, -1)
    raising = np.diag(np.sqrt(s * (s + 1) - m[1:] * (m[1:] + 1)), 1)
    return np.stack([(raising + raising.T) / 2, (raising - raising.T) / 2j, np.diag(m)])


def coherent_mean(s, direction, tensor_rank):
    """Mean of S^a or S^a S^b in the state of largest spin along a direction."""
    operators = spin_matrices(s)
    _, states = np.linalg.eigh(np.tensordot(direction, operators, axes=1))
    top = states[:, -1]
    if tensor_rank == 1:
        return np.einsum("i,aij,j->a", top.conj(), operators, top)
    return np.einsum("i,aij,bjk,k->ab", top.conj(), operators, operators, top)


@pytest.mark.parametrize("spins", [(0.5, 0.5), (1.0, 1.0), (1.0, 2.5)])
def test_the_renormalised_energy_is_the_quantum_mean_in_coherent_states(spins):
    rng = np.random.default_rng(4)
    n = rng.normal(size=(2, 3))
    n /= np.linalg.norm(n, axis=1, keepdims=True)
    quantum = np.sum(coherent_mean(spins[0], n[0], 2) * coherent_mean(spins[1], n[1], 2)).real
    crystal = crystal_of(rng, spins)
    table = BiquadraticTable([0], [1], [[0, 0, 0]], [0], [0.7], "renormalised")
    empty = BondTable([], [], np.zeros((0, 3)), [], np.zeros((0, 3, 3)))
    model = Model(crystal, ("unit",), empty, biquadratic=table)
    structure = MagneticStructure(np.eye(3), [0, 1], np.zeros((2, 3)), n)
    form = quadratic_form(model, structure, np.zeros((1, 3)))
    assert 2 * form.classical_energy([1.0]) == pytest.approx(0.7 * quantum, rel=1e-12)
    cell = supercell((1, 1, 1), n_site=2)
    s = np.array(spins)[:, None] * n
    assert energy(model, s, np.ones(1), cell=cell) == pytest.approx(0.7 * quantum, rel=1e-12)
    across = effective_field(model, s, np.ones(1), cell=cell)
    across -= n * np.sum(across * n, axis=1, keepdims=True)
    np.testing.assert_allclose(form.torques([1.0]), -across, atol=1e-13)


@pytest.mark.parametrize("spin", [1.0, 1.5, 2.5])
def test_the_renormalised_neel_magnet_is_an_effective_exchange(spin):
    """Source: Sunny.jl, test_lswt.jl, scalar biquadratic: J = [S cos a - (2S - 2 + 1/S) sin a] / S."""
    a = -0.4 * np.pi
    crystal = crystal_of(np.random.default_rng(0), [spin])
    offsets, zero = np.eye(3), [0, 0, 0]
    exchange = BondTable(zero, zero, offsets, zero, np.tile(np.eye(3), (3, 1, 1)))
    table = BiquadraticTable(zero, zero, offsets, [1, 1, 1], np.ones(3), "renormalised")
    model = Model(crystal, ("J", "K"), exchange, biquadratic=table)
    neel = MagneticStructure([[1, 1, 0], [1, 0, 1], [0, 1, 1]], [0, 0], [[0, 0, 0], [1, 0, 0]], [[1, 0, 0], [-1, 0, 0]])
    q = np.array([[0.12, 0.23, 0.34]])
    found = modes(quadratic_form(model, neel, q), [np.cos(a), np.sin(a) / spin**2])
    effective = (spin * np.cos(a) - (2 * spin - 2 + 1 / spin) * np.sin(a)) / spin
    gamma = 2 * np.cos(2 * np.pi * q[0]).sum()
    np.testing.assert_allclose(found.energies[0], spin * effective * np.sqrt(36 - gamma**2), rtol=1e-9)


def test_the_table_is_part_of_the_model_file():
    crystal = crystal_of(np.random.default_rng(0), [1.0])
    table = BiquadraticTable([0, 0], [0, 0], [[1, 0, 0], [0, 1, 0]], [1, 0], [0.5, 2.0], ("large_s", "renormalised"))
    model = Model(crystal, ("J", "K"), BondTable([0], [0], [[1, 0, 0]], [0], [np.eye(3)]), biquadratic=table)
    again = Model.from_dict(json.loads(json.dumps(model.to_dict())))
    assert again.to_dict() == model.to_dict()
    assert again.biquadratic.form == ("large_s", "renormalised")
    with pytest.raises(ConfigError, match="biquadratic terms are not taken into account here"):
        pair_list(model, supercell((2, 2, 2), n_site=1))
    with pytest.raises(ConfigError, match="the form of a biquadratic term is not known"):
        BiquadraticTable([0], [0], [[1, 0, 0]], [0], [1.0], "quantum")
    with pytest.raises(ShapeError, match="factor has the wrong shape"):
        BiquadraticTable([0], [0], [[1, 0, 0]], [0], [1.0, 2.0])


def test_couplings_of_biquadratic_terms_have_gradients():
    """Two coupled couplings, by the adjoint against differences of an image loss."""
    crystal = crystal_of(np.random.default_rng(0), [1.0])
    offsets, zero = np.eye(3), [0, 0, 0]
    exchange = BondTable(zero, zero, offsets, zero, np.tile(np.eye(3), (3, 1, 1)))
    table = BiquadraticTable(zero, zero, offsets, [1, 1, 1], np.ones(3))
    model = Model(crystal, ("J", "K"), exchange, biquadratic=table)
    neel = MagneticStructure([[1, 1, 0], [1, 0, 1], [0, 1, 1]], [0, 0], [[0, 0, 0], [1, 0, 0]], [[1, 0, 0], [-1, 0, 0]])
    path = path_through([[0.1, 0.2, 0.3], [0.4, 0.2, 0.1]], n_point=(4,), reciprocal=crystal.reciprocal)
    axis = EnergyAxis.from_range(first=0.0, last=16.0, step=0.5)
    one = SpectrumModel(model, neel, path, axis, SpinwaveSettings(fwhm=(2.0,)))
    theta, h = np.array([1.0, -0.3]), 1e-3
    cotangent = np.random.default_rng(1).normal(size=one.shape)
    slopes = [
        np.sum(cotangent * (8 * (one.predict(theta + e) - one.predict(theta - e))))
        - np.sum(cotangent * (one.predict(theta + 2 * e) - one.predict(theta - 2 * e)))
        for e in h * np.eye(2)
    ]
    np.testing.assert_allclose(one.pullback(theta, cotangent), np.array(slopes) / (12 * h), atol=1e-8)


def compare(model, spiral, period, conditions):
    cells = np.array([[n, 0, 0] for n in range(period)])
    turned = turn_matrices(spiral.axis, 2 * np.pi * (cells @ spiral.k)) @ spiral.direction.T
    n_site = model.crystal.n_site
    structure = MagneticStructure(
        np.diag([period, 1, 1]),
        np.tile(np.arange(n_site), period),
        np.repeat(cells, n_site, axis=0),
        turned.swapaxes(1, 2).reshape(-1, 3),
    )
    q = np.array([[0.137, 0.21, -0.33], [-0.29, 0.4, 0.11]])
    form, large_form = spiral_form(model, spiral, q, conditions), quadratic_form(model, structure, q, conditions)
    small, large = spiral_modes(form, [1.0]), modes(large_form, [1.0])
    np.testing.assert_allclose(form.classical_energy([1.0]), large_form.classical_energy([1.0]), atol=1e-10)
    for weight in (1.0, small.energies, small.energies**2):
        other = 1.0 if np.isscalar(weight) else large.energies ** (1 if weight is small.energies else 2)
        moment = np.sum(small.s_ab * np.reshape(weight, (*np.shape(weight), 1, 1)), axis=1)
        expected = np.sum(large.s_ab * np.reshape(other, (*np.shape(other), 1, 1)), axis=1)
        np.testing.assert_allclose(moment, expected, atol=1e-7 * max(1.0, np.abs(expected).max()))
    for row, every in zip(small.energies, large.energies, strict=True):
        assert np.abs(row[:, None] - every).min(axis=1).max() < 1e-7


@given(SEEDS)
@FEW
def test_biquadratic_frequencies_are_those_of_the_equation_of_motion(seed):
    """ħ dS/dt = (dE/dS) × S for spins that are not collinear, linearised by differences of the exact field."""
    rng = np.random.default_rng(seed)
    spins = np.array([1.0, 1.5, 2.0])
    crystal = crystal_of(rng, spins)
    table = BiquadraticTable([0, 1, 2], [1, 2, 0], np.zeros((3, 3)), [0] * 3, rng.uniform(-1, 1, 3))
    n = rng.normal(size=(3, 3))
    n /= np.linalg.norm(n, axis=1, keepdims=True)
    length = spins[:, None]

    def biquadratic_field(s):
        h = np.zeros((3, 3))
        for i, j, b in zip(table.site_i, table.site_j, table.factor, strict=True):
            h[i] += 2 * b * (s[i] @ s[j]) * s[j]
            h[j] += 2 * b * (s[i] @ s[j]) * s[i]
        return h

    h = biquadratic_field(length * n)
    across = h - n * np.sum(h * n, axis=1, keepdims=True)
    hold = -40.0 * n[:, :, None] * n[:, None, :]
    hold -= (across[:, :, None] * n[:, None, :] + n[:, :, None] * across[:, None, :]) / (2 * length[:, :, None])
    empty = BondTable([], [], np.zeros((0, 3)), [], np.zeros((0, 3, 3)))
    model = Model(crystal, ("unit",), empty, OnsiteTable([0, 1, 2], [0] * 3, hold), biquadratic=table)
    structure = MagneticStructure(np.eye(3), [0, 1, 2], np.zeros((3, 3)), n)

    def motion(flat):
        s = flat.reshape(3, 3)
        return np.cross(biquadratic_field(s) + 2 * np.einsum("iab,ib->ia", hold, s), s).ravel()

    start = (length * n).ravel()
    # The motion is a polynomial of fourth degree: these differences are exact but for rounding.
    slope = np.array(
        [
            (8 * (motion(start + e) - motion(start - e)) - (motion(start + 2 * e) - motion(start - 2 * e)))
            / (12 * 0.01)
            for e in 0.01 * np.eye(9)
        ]
    ).T
    frequencies = np.sort(np.linalg.eigvals(slope).imag)[-3:]
    form = quadratic_form(model, structure, np.zeros((1, 3)))
    np.testing.assert_allclose(modes(form, [1.0]).energies[0], frequencies, rtol=1e-7)
    energy = sum(
        b * (spins[i] * spins[j] * n[i] @ n[j]) ** 2
        for i, j, b in zip(table.site_i, table.site_j, table.factor, strict=True)
    )
    energy += np.einsum("ia,iab,ib->", length * n, hold, length * n)
    np.testing.assert_allclose(form.classical_energy([1.0]), energy / 3, rtol=1e-10)
