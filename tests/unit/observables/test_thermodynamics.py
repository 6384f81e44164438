"""Fluctuations of free Ising spins, whose statistics are known, sampled exactly."""

import numpy as np
import pytest

from spinscape.errors import ConfigError, ShapeError
from spinscape.observables import thermodynamics as td
from spinscape.observables.statistics import effective_sample_size
from spinscape.units import K_B, MU_B

FOUR = 4.0
"""Standard errors."""
N, T, THETA = 20, 3.0, 0.2
"""Spins, K, meV."""
X = THETA / (K_B * T)


def sampled(n_chain=4, n_sample=5000, seed=1):
    """E = θ Σσ: sums of σ of N free spins, (n_chain, n_sample)."""
    up = np.random.default_rng(seed).binomial(N, 1 / (1 + np.exp(2 * X)), size=(n_chain, n_sample))
    return 2.0 * up - N


def near(estimate, exact, *, least=0.0):
    assert np.all(np.abs(estimate.value - exact) <= FOUR * estimate.error + 1e-12), (estimate, exact)
    assert np.all(estimate.error > least)


def test_heat_capacity_of_a_two_level_system():
    estimate = td.heat_capacity(THETA * sampled(), temperature=T, n_spin=N)
    near(estimate, X**2 / np.cosh(X) ** 2)
    # The variance of a variance: 2 % of the value with 20,000 samples at most.
    assert estimate.error < 0.02 * estimate.value


def test_susceptibility_by_fluctuation_and_by_field():
    rng = np.random.default_rng(2)
    moment = np.zeros((4, 5000, 3))
    moment[..., 2] = 2.0 * sampled()
    moment[..., 0] = rng.normal(size=(4, 5000))
    chi = td.susceptibility(moment, temperature=T, n_spin=N)
    exact = 4.0 * MU_B / (K_B * T * np.cosh(X) ** 2)
    assert abs(chi.value[2, 2] - exact) < FOUR * chi.error[2, 2]
    assert abs(chi.value[0, 2]) < FOUR * chi.error[0, 2]
    np.testing.assert_allclose(chi.value, chi.value.T, atol=1e-12)
    whole = td.susceptibility(moment, temperature=T, n_spin=N, connected=False)
    mean_square = 4.0 * N * np.tanh(X) ** 2 * MU_B / (K_B * T)
    assert whole.value[2, 2] == pytest.approx(exact + mean_square, abs=FOUR * whole.error[2, 2])
    # Moments 2σ along the field: E = (θ − 2 μ_B B) σ.
    fields = 0.01 * np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1.0], [0, 0, -1]])
    moments = np.zeros((5, 3))
    moments[:, 2] = -2.0 * np.tanh((THETA - 2 * MU_B * fields[:, 2]) / (K_B * T))
    slope = td.susceptibility_by_field(fields, moments, np.full((5, 3), 1e-6))
    assert slope.value[2, 2] == pytest.approx(exact, rel=1e-4)
    assert slope.error[2, 2] == pytest.approx(1e-6 / (0.01 * np.sqrt(2)), rel=1e-6)


def test_curie_constant_in_cgs():
    # χ = N_A g² μ_B² S(S+1)/(3 k_B T): 0.375 emu K/mol for S = 1/2, g = 2.
    per_spin = MU_B * 4 * 0.75 / (3 * K_B * 1.0)
    assert per_spin * td.EMU_PER_MOL == pytest.approx(0.375, abs=5e-4)
    # The law of Dulong and Petit.
    three = 3 * td.GAS_CONSTANT
    assert three == pytest.approx(24.94, abs=5e-3)


def test_total_moment_is_antiparallel_to_the_spin():
    g = np.stack([2.0 * np.eye(3), np.diag([0.0, 0.0, 9.0])])
    spins = np.array([[[1.0, 0, 0], [1.0, 0, 0.5]], [[0, 1.0, 0], [0, 0, -0.5]]])
    assert td.total_moment(spins, g=g).tolist() == [[-2, 0, -4.5], [0, -2, 4.5]]
    cells = np.concatenate([spins[0], spins[1]])
    assert td.total_moment(cells, g=g).tolist() == [-2, -2, 0]


def test_heat_capacity_by_derivative():
    t = np.array([0.5, 0.8, 1.0, 1.5, 1.6])
    error = np.full(5, 1e-3)
    estimate = td.heat_capacity_from_energies(t, 0.1 * t**2 - t, error)
    assert estimate.value * K_B == pytest.approx(0.2 * t - 1)
    draws = 0.1 * t**2 - t + 1e-3 * np.random.default_rng(4).normal(size=(4000, 5))
    scatter = np.std([td.heat_capacity_from_energies(t, e, error).value for e in draws], axis=0)
    assert estimate.error == pytest.approx(scatter, rel=FOUR / np.sqrt(2 * 4000))
    falling = td.heat_capacity_from_energies(t[::-1], (0.1 * t**2 - t)[::-1], error)
    assert falling.value == pytest.approx(estimate.value[::-1])


def test_derivative_by_couplings_and_by_temperature():
    m = sampled()
    by_theta = td.derivative_by_couplings(m, m[..., None], temperature=T)
    assert by_theta.value.shape == (1,)
    near(by_theta, -N / (K_B * T * np.cosh(X) ** 2))
    by_t = td.derivative_by_temperature(m, THETA * m, temperature=T)
    near(by_t, N * X / T / np.cosh(X) ** 2)


def test_covariances_keep_the_axes_of_the_observable():
    rng = np.random.default_rng(5)
    observable, energies = rng.normal(size=(2, 100, 3, 2)), rng.normal(size=(2, 100, 4))
    estimate = td.derivative_by_couplings(observable, energies, temperature=T)
    assert estimate.value.shape == (3, 2, 4)
    one = td.derivative_by_couplings(observable[..., 1, 0], energies[..., 2:3], temperature=T)
    assert estimate.value[1, 0, 2] == pytest.approx(one.value[0])
    assert estimate.error[1, 0, 2] == pytest.approx(one.error[0])


def test_reweighting_to_neighbouring_couplings_and_temperatures():
    m = sampled()
    for theta, temperature in ((0.22, T), (0.2, 3.2), (0.15, 2.7)):
        x = td.reweighting_exponent(
            m[..., None], 0.0, theta=[THETA], temperature=T, new_theta=[theta], new_temperature=temperature
        )
        found = td.reweighted(m, x)
        assert abs(found.value + N * np.tanh(theta / (K_B * temperature))) < FOUR * found.error
        assert 1000 < found.sample_size <= 1.2 * m.size
    far = td.reweighting_exponent(m[..., None], 0.0, theta=[THETA], temperature=T, new_theta=[-1.0])
    assert td.reweighted(m, far).sample_size < 50


def redrawn(n_chain, n_sample, rng, *, kept=0.8):
    """Sums of σ in chains whose every spin is drawn anew with the probability 1/5: τ = ½ + 0.8/0.2 = 4.5."""
    p, out = 1 / (1 + np.exp(2 * X)), np.empty((n_chain, n_sample))
    up = rng.binomial(N, p, size=n_chain)
    for t in range(n_sample):
        stay = rng.binomial(up, kept)
        anew = N - stay - rng.binomial(N - up, kept)
        up = stay + rng.binomial(anew, p)
        out[:, t] = 2.0 * up - N
    return out


def test_reweighting_may_be_trusted_as_far_as_its_sample_size_says():
    """Deviations in units of the stated error, of 50 correlated runs, by how far the coupling is moved."""
    chains = redrawn(200, 500, np.random.default_rng(8)).reshape(50, 4, 500)
    sizes, widths = [], []
    for theta in (0.2, 0.23, 0.27, -0.05, -0.3):
        exact, found = -N * np.tanh(theta / (K_B * T)), []
        for m in chains:
            x = td.reweighting_exponent(m[..., None], 0.0, theta=[THETA], temperature=T, new_theta=[theta])
            found.append(td.reweighted(m, x))
        sizes.append(np.median([one.sample_size for one in found]))
        widths.append(np.sqrt(np.mean([((one.value - exact) / one.error) ** 2 for one in found])))
    # 2,000 samples with τ = 4.5; then fewer and fewer carry the weight.
    assert sizes[0] == pytest.approx(2000 / 9, rel=0.25) and np.all(np.diff(sizes) < 0)
    for size, width in zip(sizes, widths, strict=True):
        if size > 50:
            assert width == pytest.approx(np.sqrt(19 / 17), abs=FOUR / np.sqrt(2 * 50))
    assert sizes[-1] < 10 and widths[-1] > 2.0


def test_reweighting_by_nothing_is_the_mean():
    m = sampled(n_sample=100)
    found = td.reweighted(m, np.zeros(m.shape))
    assert found.value == pytest.approx(m.mean())
    assert found.sample_size == pytest.approx(effective_sample_size(m)) and found.sample_size > 0.5 * m.size
    zeeman = td.reweighting_exponent(
        np.zeros((1, 4, 1)), np.ones((1, 4)), theta=[0], temperature=1, new_theta=[0], new_temperature=2
    )
    assert zeeman == pytest.approx(-0.5 / K_B)


def test_binder_cumulants():
    rng = np.random.default_rng(6)
    vector = rng.normal(size=(4, 20_000, 3))
    gaussian = td.order_parameter(vector)
    # ⟨m⁴⟩/⟨m²⟩² = (n + 2)/n of n Gaussian components.
    near(gaussian.binder, 1 - 5 / 9)
    near(gaussian.second, 3.0)
    near(gaussian.fourth, 15.0)
    near(gaussian.absolute, np.sqrt(8 / np.pi))
    near(td.order_parameter(vector[..., 0]).binder, 0.0)
    ordered = td.order_parameter(np.sign(vector[..., 0]))
    assert ordered.binder.value == pytest.approx(2 / 3)


def test_histograms_are_densities():
    values = np.random.default_rng(7).uniform(0, 2, size=(4, 5000))
    edges = np.array([0.0, 0.5, 0.6, 1.0])
    near(td.histogram(values, edges=edges), 0.5)
    counts = np.histogram(np.arange(8.0), bins=[0, 2, 7])[0]
    exact = td.histogram(np.arange(8.0).reshape(2, 4), edges=[0, 2, 7])
    assert (exact.value * [2, 5] * 8).tolist() == pytest.approx(counts.tolist())


@pytest.mark.parametrize(
    "call",
    [
        lambda: td.heat_capacity(sampled(), temperature=0.0, n_spin=1),
        lambda: td.heat_capacity_from_energies([1.0, 3.0, 2.0], np.zeros(3), np.zeros(3)),
        lambda: td.heat_capacity_from_energies([1.0, 2.0], np.zeros(2), np.zeros(2)),
        lambda: td.susceptibility(np.zeros((1, 10, 2)), temperature=1.0, n_spin=1),
        lambda: td.susceptibility_by_field(np.eye(3), np.eye(3), np.ones((3, 3))),
        lambda: td.order_parameter(np.zeros((1, 10))),
        lambda: td.histogram(np.zeros((1, 10)), edges=[1.0, 0.0]),
    ],
)
def test_bad_input(call):
    with pytest.raises((ConfigError, ShapeError)):
        call()
