import numpy as np
import pytest

from spinscape.simulate.diagnostics import judge
from spinscape.simulate.montecarlo_settings import Sampling

LIMITS = Sampling(replicas=4, samples=100, sample_size=100.0)


def chains(rng, *, n=4, length=200, shift=0.0):
    return rng.normal(size=(n, length, 2)) + shift * np.arange(n)[:, None, None]


def test_independent_samples_pass():
    verdict = judge(chains(np.random.default_rng(1)), ["energy", "m"], LIMITS)
    assert verdict.passed and verdict.r_hat < 1.03 and verdict.sample_size > 400 and verdict.tau < 0.8


def test_chains_that_disagree_do_not():
    verdict = judge(chains(np.random.default_rng(1), shift=1.0), ["energy", "m"], LIMITS)
    assert not verdict.passed and verdict.r_hat > 1.3 and verdict.worst in ("energy", "m")


def test_slow_chains_have_too_few_samples():
    """An AR(1) process of autocorrelation time (1 + a)/(1 − a)/2."""
    rng, a = np.random.default_rng(2), 0.9
    x = np.zeros((4, 400, 1))
    for k in range(1, 400):
        x[:, k] = a * x[:, k - 1] + rng.normal(size=(4, 1))
    verdict = judge(x, ["energy"], LIMITS)
    assert verdict.tau == pytest.approx((1 + a) / (1 - a) / 2, rel=0.4)
    assert verdict.sample_size == pytest.approx(1600 / (2 * verdict.tau)) and not verdict.passed


def test_what_is_frozen_agrees_within_the_tolerance_or_not_at_all():
    still = np.zeros((4, 50, 1)) + np.array([1.0, 1.0, 1.0, 1.005])[:, None, None]
    limits = Sampling(replicas=4, samples=50, frozen=0.01)
    assert judge(still, ["energy"], limits, size=np.ones(1)).passed
    far = judge(still, ["energy"], Sampling(replicas=4, samples=50, frozen=1e-4), size=np.ones(1))
    assert not far.passed and far.r_hat == np.inf
