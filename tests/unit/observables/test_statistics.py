"""Errors of correlated samples against processes whose correlations are known."""

import numpy as np
import pytest
from scipy.stats import norm

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


def plain_rhat(chains):
    """Vehtari et al. 2021, equations 3, 4 and 14, sample by sample: the larger of location and scale."""
    half = len(chains[0]) // 2
    parts = [part for chain in chains for part in (chain[:half], chain[-half:])]
    everything = sorted(x for part in parts for x in part)

    def of(parts):
        size = sum(map(len, parts))
        order = sorted(x for part in parts for x in part)
        rank = {x: np.mean([k + 1 for k, y in enumerate(order) if y == x]) for x in set(order)}
        scores = [[norm.ppf((rank[x] - 3 / 8) / (size + 1 / 4)) for x in part] for part in parts]
        n, means = len(parts[0]), [np.mean(part) for part in scores]
        between = n / (len(parts) - 1) * sum((m - np.mean(means)) ** 2 for m in means)
        within = np.mean([np.var(part, ddof=1) for part in scores])
        return np.sqrt(((n - 1) / n * within + between / n) / within)

    centre = np.median(everything)
    return max(of(parts), of([[abs(x - centre) for x in part] for part in parts]))


@pytest.mark.parametrize("n_sample", [40, 41])
def test_rhat_is_that_of_its_definition(n_sample):
    x = autoregressive(0.6, n_chain=3, n_sample=n_sample)
    for shape in (1.0, np.array([[1.0], [1.0], [3.0]])):
        assert split_rhat(shape * x) == pytest.approx(plain_rhat((shape * x).tolist()), rel=1e-12)
    # Energies of small systems repeat: equal values share their rank.
    levels = np.round(x + np.array([[0.0], [0.0], [0.7]]))
    assert split_rhat(levels) == pytest.approx(plain_rhat(levels.tolist()), rel=1e-12)


def test_the_variance_of_a_mean_is_that_of_as_many_independent_samples_as_are_said():
    """Of 200 runs the scatter of means is σ²/n_eff, the mean of what each run says of itself, at two speeds."""
    for phi, n_sample in ((0.5, 250), (0.9, 1000)):
        runs = autoregressive(phi, n_chain=200 * 4, n_sample=n_sample).reshape(200, 4, n_sample)
        said = np.mean([effective_sample_size(run) for run in runs])
        found = 1.0 / np.var(runs.mean(axis=(1, 2)), ddof=1)
        assert said == pytest.approx(found, rel=FOUR * np.sqrt(2 / 199) + 0.03)


def test_chains_that_stand_in_wells_of_their_own_are_worth_as_many_samples_as_there_are_wells():
    x = 1e-3 * autoregressive(0.2, n_sample=500) + np.array([[0.0], [0.0], [1.0], [1.0]])
    assert split_rhat(x) > 1.5 and effective_sample_size(x) < 8
    one = x.copy()
    one[0, 250:] += 1.0
    assert split_rhat(one) > 1.5 and effective_sample_size(one) < 16


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
