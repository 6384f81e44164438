"""Diffuse scattering and thermodynamics of a chain whose statistics are known, and what holds for any spins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.supercell import supercell
from spinscape.lattice.symmetry import SiteSpec, crystal_from_space_group
from spinscape.observables import thermodynamics as td
from spinscape.observables.diffuse import PairSums, correlation_grid
from spinscape.observables.diffuse_projection import DiffuseSettings, Projector, structure_tensor
from spinscape.observables.statistics import mean_estimate
from spinscape.units import K_B

FOUR = 4.0
"""Standard errors."""
N, TEMPERATURE, COUPLING = 24, 10.0, -0.9
"""Spins of the ring, K, meV: E = θ Σ σσ', ferromagnetic."""
PYROCHLORE = crystal_from_space_group(
    lattice_vectors(a=10.0, b=10.0, c=10.0), "Fd-3m", [SiteSpec("A", "Dy3+", (0.5, 0.5, 0.5), 1.0)]
)
CELL = supercell((2, 1, 2), n_site=16)


def ring():
    vectors = lattice_vectors(a=3.0, b=8.0, c=9.0)
    site = SiteSpec("A", "Dy3+", (0, 0, 0), 1.0, kind="ising", axis=(0, 0, 1))
    return crystal_from_space_group(vectors, "Pmmm", [site])


def sampled_rings(n_chain=20, n_sample=1000, seed=3):
    """Independent states of an Ising ring: bonds are free but for their product, which is +1."""
    rng = np.random.default_rng(seed)
    like = 1 / (1 + np.exp(2 * COUPLING / (K_B * TEMPERATURE)))
    bonds = np.where(rng.random((3 * n_chain * n_sample, N)) < like, 1, -1)
    bonds = bonds[bonds.prod(axis=1) == 1][: n_chain * n_sample]
    first = rng.choice([-1, 1], size=(len(bonds), 1))
    sigma = first * np.cumprod(np.roll(bonds, 1, axis=1) * np.where(np.arange(N) == 0, bonds[:, -1:], 1), axis=1)
    return sigma.astype(np.int8).reshape(n_chain, n_sample, N)


def exact_correlation(theta):
    """⟨σ_0 σ_r⟩ = (t^r + t^(N − r))/(1 + t^N), t = −tanh(θ/k_B T)."""
    t, r = -np.tanh(theta / (K_B * TEMPERATURE)), np.arange(N)
    return (t**r + t ** (N - r)) / (1 + t**N)


def exact_structure(theta, k):
    return np.cos(2 * np.pi * np.outer(k, np.arange(N)) / N) @ exact_correlation(theta)


def test_structure_factor_of_an_ising_ring():
    crystal, cell = ring(), supercell((N, 1, 1), n_site=1)
    grid = correlation_grid(crystal, cell)
    sums = PairSums(grid)
    for chain in sampled_rings():
        sums.add(chain)
        sums.close_block()
    k = np.arange(N)
    projector = Projector(grid, np.column_stack([k / N, 0 * k, 0 * k]), DiffuseSettings("zz"))
    blocks = projector.star_intensity(sums.correlations().blocks)[:, projector.star[:, 0]]
    error = blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks))
    deviation = (blocks.mean(axis=0) - exact_structure(COUPLING, k)) / error
    assert np.abs(deviation).max() < FOUR
    # A ferromagnetic sign of the coupling, and errors that see it.
    assert exact_structure(COUPLING, [0])[0] > 3 + 10 * error[0]


def test_thermodynamics_of_an_ising_ring():
    sigma = sampled_rings()
    bond = np.sum(sigma * np.roll(sigma, 1, axis=2), axis=2, dtype=np.float64)
    beta = 1 / (K_B * TEMPERATURE)

    def energy(theta, b=beta):
        t = -np.tanh(theta * b)
        return theta * N * (t + t ** (N - 1)) / (1 + t**N)

    mean = mean_estimate(COUPLING * bond)
    assert abs(mean.value - energy(COUPLING)) < FOUR * mean.error
    capacity = td.heat_capacity(COUPLING * bond, temperature=TEMPERATURE, n_spin=N)
    slope = (energy(COUPLING, beta * 1.0001) - energy(COUPLING, beta * 0.9999)) / (2e-4 * beta)
    assert abs(capacity.value + beta**2 * slope / N) < FOUR * capacity.error
    moment = np.zeros((*sigma.shape[:2], 3))
    moment[..., 2] = sigma.sum(axis=2)
    chi = td.susceptibility(moment, temperature=TEMPERATURE, n_spin=N)
    exact = td.MU_B * beta * exact_structure(COUPLING, [0])[0]
    assert abs(chi.value[2, 2] - exact) < FOUR * chi.error[2, 2]


def test_derivatives_and_reweighting_of_the_structure_factor():
    sigma = sampled_rings(n_sample=400)
    bond = np.sum(sigma * np.roll(sigma, 1, axis=2), axis=2, dtype=np.float64)
    k = np.array([0, 1, 3, 12])
    amplitude = np.abs(np.fft.fft(sigma, axis=2)[..., k]) ** 2 / N
    found = td.derivative_by_couplings(amplitude, bond[..., None], temperature=TEMPERATURE)
    plain = (exact_structure(COUPLING + 1e-4, k) - exact_structure(COUPLING - 1e-4, k)) / 2e-4
    assert np.all(np.abs(found.value[:, 0] - plain) < FOUR * found.error[:, 0])
    x = td.reweighting_exponent(
        bond[..., None], 0.0, theta=[COUPLING], temperature=TEMPERATURE, new_theta=[COUPLING + 0.08]
    )
    moved = td.reweighted(amplitude, x)
    assert np.all(np.abs(moved.value - exact_structure(COUPLING + 0.08, k)) < FOUR * moved.error)
    assert moved.sample_size > 500


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_the_sum_rule_and_positivity(seed):
    """The mean of the trace over a period of waves is Σ|S|²; S(Q) is positive semidefinite; S(−Q) is its conjugate."""
    grid = correlation_grid(PYROCHLORE, CELL)
    spins = np.random.default_rng(seed).normal(size=(2, CELL.n_spin, 3))
    sums = PairSums(grid)
    sums.add(spins)
    pairs = sums.correlations().mean
    # Positions are multiples of 1/8 of the cell: amplitudes repeat after 8 r.l.u., which hold 16, 8 and 16 waves.
    numbers = np.stack([axis.ravel() for axis in np.indices((16, 8, 16))], axis=1)
    q = numbers @ np.linalg.inv(CELL.matrix).T
    tensor = structure_tensor(grid, pairs, q)
    assert np.einsum("qxx->q", tensor).real.mean() == pytest.approx(np.sum(spins**2) / 2 / CELL.n_cell)
    assert np.linalg.eigvalsh(tensor).min() > -1e-9
    np.testing.assert_allclose(structure_tensor(grid, pairs, -q[::7]), tensor[::7].conj(), atol=1e-9)
