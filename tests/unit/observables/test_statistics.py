"""Errors of correlated samples against processes whose correlations are known."""

import numpy as np
import pytest

from spinscape.errors import ShapeError
from spinscape.observables.statistics import (
    autocorrelation_time,
    autocorrelations,
    block_means,
    effective_sample_size,
    jackknife,
    mean_estimate,
    split_rhat,
)

FOUR = 4.0
"""Standard errors."""


def autoregressive(phi, *, n_chain=4, n_sample=20_000, seed=1):
    """Chains x' = φ x + sqrt(1 − φ²) ξ: ρ(t) = φ^t, variance 1."""
    rng = np.random.default_rng(seed)
    noise = np.sqrt(1 - phi**2) * rng.normal(size=(n_chain, n_sample))
    x = np.empty_like(noise)
    x[:, 0] = rng.normal(size=n_chain)
    for t in range(1, n_sample):
        x[:, t] = phi * x[:, t - 1] + noise[:, t]
    return x


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9, -0.5])
def test_autocorrelation_time_of_an_autoregressive_process(phi):
    x = autoregressive(phi)
    tau = 0.5 + phi / (1 - phi)
    window = 6 * max(tau, 0.5)
    error = max(tau, 0.5) * np.sqrt(2 * (2 * window + 1) / x.size)
    # A negative correlation is cut at independence.
    assert autocorrelation_time(x) == pytest.approx(max(tau, 0.5), abs=FOUR * error + np.exp(-6) * tau)
    assert effective_sample_size(x) == pytest.approx(x.size / (2 * autocorrelation_time(x)))


def test_autocorrelations_are_those_of_a_plain_sum():
    x = autoregressive(0.7, n_chain=2, n_sample=50)
    y = x - x.mean()
    plain = np.array([np.mean(y[:, : 50 - t] * y[:, t:]) for t in range(50)])
    np.testing.assert_allclose(autocorrelations(x), plain / plain[0], atol=1e-12)


def test_observables_are_independent_of_each_other():
    x, y = autoregressive(0.9), autoregressive(0.2, seed=2)
    both = np.stack([x, y, np.ones_like(x)], axis=-1)
    assert autocorrelation_time(both)[:2] == pytest.approx([autocorrelation_time(x), autocorrelation_time(y)])
    assert autocorrelation_time(both)[2] == 0.5
    assert split_rhat(both).shape == (3,)


def test_block_errors_are_those_of_the_process():
    phi = 0.8
    deviations = []
    for seed in range(40):
        estimate = mean_estimate(autoregressive(phi, n_sample=4000, seed=seed), n_block=40)
        exact = np.sqrt(2 * (0.5 + phi / (1 - phi)) / 16000)
        assert estimate.error == pytest.approx(exact, rel=FOUR / np.sqrt(2 * 39))
        deviations.append(estimate.value / estimate.error)
    # Deviations from the true mean in units of the error scatter like Student's t of 39 degrees.
    assert np.std(deviations) == pytest.approx(1.0, abs=FOUR / np.sqrt(2 * 40))


def test_blocks_never_span_chains_and_drop_the_beginning():
    x = np.stack([np.arange(7.0), 100 + np.arange(7.0)])
    assert block_means(x, n_block=4).tolist() == [2.0, 5.0, 102.0, 105.0]
    assert block_means(x, n_block=100).shape == (14,)


def test_jackknife_of_a_square():
    rng = np.random.default_rng(3)
    values = [jackknife(lambda m: m**2, 3 + rng.normal(size=(1, 200)), n_block=50) for _ in range(200)]
    # The square of a mean is biased by 1/200 and scatters by 6/sqrt(200).
    mean, error = np.mean([v.value for v in values]), np.mean([v.error for v in values])
    assert mean == pytest.approx(9.0, abs=FOUR * 6 / np.sqrt(200) / np.sqrt(200))
    assert error == pytest.approx(6 / np.sqrt(200), rel=FOUR / np.sqrt(2 * 49 * 200) + 0.02)


def test_the_jackknife_of_a_mean_is_the_block_error():
    x = autoregressive(0.3, n_sample=400)
    linear, plain = jackknife(lambda m: 2 * m, x), mean_estimate(x)
    assert linear.value == pytest.approx(2 * plain.value)
    assert linear.error == pytest.approx(2 * plain.error)


def test_rhat_tells_chains_apart():
    x = autoregressive(0.3, n_sample=1000)
    assert split_rhat(x) < 1.01
    assert split_rhat(x + np.array([[0.0], [0], [0], [1.0]])) > 1.05
    # Equal means, other widths: the folded ranks see it.
    assert split_rhat(x * np.array([[1.0], [1], [1], [3.0]])) > 1.05
    # A drift within each chain.
    assert split_rhat(x + np.linspace(0, 2, 1000)) > 1.05


def test_rhat_of_frozen_chains():
    frozen = np.repeat([[1.0], [1.0], [1.1]], 10, axis=1)
    assert split_rhat(frozen[:2]) == 1.0
    assert split_rhat(frozen) == np.inf
    assert split_rhat(frozen, tolerance=0.1) == 1.0


@pytest.mark.parametrize("samples", [np.zeros(10), np.zeros((2, 3)), np.full((2, 10), np.nan)])
def test_bad_samples(samples):
    with pytest.raises(ShapeError, match="samples"):
        autocorrelation_time(samples)


def test_one_block_has_no_error():
    with pytest.raises(ShapeError, match="two blocks"):
        mean_estimate(np.zeros((1, 1)))
