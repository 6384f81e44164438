"""Posterior samples against the normal law, against a fit's covariance, and what is said when they are too few."""

import numpy as np
import pytest

from spinscape.errors import FitError
from spinscape.infer.box import Box
from spinscape.infer.gauss_newton import gauss_newton
from spinscape.infer.intervals import information_covariance
from spinscape.infer.poisson import gaussian_likelihood
from spinscape.infer.posterior import sample_posterior, split_r_hat
from spinscape.infer.problem import Problem
from spinscape.infer.surrogate import quadratic_surrogate

CENTRE = np.array([1.0, -2.0])
MATRIX = np.array([[0.04, 0.03], [0.03, 0.09]])
WIDE = Box(("a", "b"), [-9.0, -9.0], [9.0, 9.0])


def parabola(x):
    return (x - CENTRE) @ np.linalg.solve(MATRIX, x - CENTRE)


def test_samples_of_a_parabola_are_normal():
    found = sample_posterior(parabola, CENTRE, WIDE, seed=1)
    assert found.converged and found.warnings == ()
    # Errors of mean and variance of n independent samples.
    n = found.n_effective.min()
    std = np.sqrt(np.diag(MATRIX))
    assert np.abs((found.samples.mean(axis=0) - CENTRE) / std).max() < 4.0 / np.sqrt(n)
    assert np.abs(found.covariance().std / std - 1.0).max() < 4.0 / np.sqrt(2.0 * n)
    assert found.covariance().correlation[0, 1] == pytest.approx(0.5, abs=4.0 / np.sqrt(n))
    assert found.interval(0.95)[0] == pytest.approx([1 - 0.392, 1 + 0.392], abs=0.2 * 8.0 / np.sqrt(n))
    assert found.of(lambda x: x[0] - x[1]).mean() == pytest.approx(3.0, abs=4 * 0.27 / np.sqrt(n))


def test_equal_seeds_give_equal_samples_and_calls_are_counted():
    def run(seed):
        calls = []
        found = sample_posterior(lambda x: calls.append(1) or parabola(x), CENTRE, WIDE, seed=seed, max_step=400)
        return found, len(calls)

    (a, n_a), (b, _), (c, _) = run(1), run(1), run(2)
    assert np.array_equal(a.samples, b.samples) and not np.array_equal(a.samples, c.samples)
    assert a.n_call == n_a


def test_a_bound_cuts_and_noise_and_priors_widen_or_narrow():
    half = Box(("a", "b"), [1.0, -9.0], [9.0, 9.0])
    cut = sample_posterior(parabola, np.add(CENTRE, [0.1, 0.0]), half, seed=3, max_step=1000)
    assert cut.samples[:, 0].min() >= 1.0
    assert cut.samples[:, 0].mean() == pytest.approx(1.0 + 0.2 * np.sqrt(2 / np.pi), abs=0.02)
    noisy = sample_posterior(parabola, CENTRE, WIDE, seed=4, noise_scale=4.0, max_step=1000)
    assert noisy.covariance().std == pytest.approx(2.0 * np.sqrt(np.diag(MATRIX)), rel=0.12)
    prior = sample_posterior(
        parabola, CENTRE, WIDE, seed=5, max_step=1000, log_prior=lambda x: -12.5 * (x[0] - 1.0) ** 2
    )
    assert prior.covariance().std[0] == pytest.approx(0.2 / np.sqrt(2.0), rel=0.12)


def test_a_short_chain_says_so():
    found = sample_posterior(parabola, CENTRE, WIDE, seed=1, max_step=200)
    assert not found.converged and any("autocorrelation" in w for w in found.warnings)


def test_parts_that_disagree_have_a_large_r_hat():
    rng = np.random.default_rng(0)
    still = rng.standard_normal((400, 16, 1))
    assert split_r_hat(still)[0] < 1.01
    assert split_r_hat(still + np.linspace(0, 3, 400)[:, None, None])[0] > 1.2
    assert split_r_hat(still[:4])[0] == np.inf


def test_the_posterior_of_a_fit_is_its_covariance(noisy, band, box):
    problem = Problem(band(), gaussian_likelihood([noisy()]))
    best = gauss_newton(problem, np.array([14.0, 5.0, 2.0]), box=box).parameters
    covariance = information_covariance(problem, best, box)
    found = sample_posterior(problem, best, box, seed=2, covariance=covariance, max_step=300, check_every=100)
    # About 150 independent samples: 6 % of a standard deviation.
    assert found.covariance().std == pytest.approx(covariance.std, rel=0.25)
    # The parabola through some of the samples stands in for the likelihood.
    points = best + 2.0 * covariance.std * np.random.default_rng(1).uniform(-1, 1, size=(40, 3))
    surrogate = quadratic_surrogate(points, np.array([problem(p) for p in points]))
    cheap = sample_posterior(surrogate, best, box, seed=2, covariance=covariance, max_step=1000)
    assert surrogate.rms < 0.3 and surrogate.minimum == pytest.approx(best, abs=0.3 * covariance.std.max())
    assert cheap.covariance().std == pytest.approx(covariance.std, rel=0.2)


def test_impossible_requests_are_named():
    with pytest.raises(FitError, match="walkers can be started"):
        sample_posterior(lambda x: np.inf, CENTRE, WIDE, seed=1)
    with pytest.raises(FitError, match="too few walkers"):
        sample_posterior(parabola, CENTRE, WIDE, seed=1, n_walker=3)
    line = np.column_stack([np.arange(12.0), np.zeros(12)])
    with pytest.raises(FitError, match="do not determine"):
        quadratic_surrogate(line, np.arange(12.0))
    points = np.random.default_rng(0).normal(size=(12, 2))
    with pytest.raises(FitError, match="no minimum"):
        quadratic_surrogate(points, -np.square(points).sum(axis=1))
