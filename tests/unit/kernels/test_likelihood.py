"""Constants and scale of counts against closed forms and a grid search."""

import numpy as np
import pytest
from scipy.optimize import brentq

from spinscape.kernels.likelihood import best_constants, profile_counts


def reference(n, base, exposure, weight):
    """Return the constant by bisection of the derivative."""

    some = n > 0

    def slope(c):
        return weight @ exposure - np.sum((weight * exposure * n)[some] / (base + c * exposure)[some])

    top = (weight @ n) / (weight @ exposure)
    if np.all(base[some] > 0) and slope(0.0) >= 0:
        return 0.0
    return brentq(slope, 1e-14, top + 1e-12, xtol=1e-14)


def constant(n, base, exposure, weight, start):
    """Return the constant of one group of all pixels."""
    out = np.array([start])
    best_constants(n, base, exposure, weight, np.zeros(1, np.int64), out)
    return out[0]


@pytest.mark.parametrize("level", [0.05, 1.0, 30.0])
def test_the_constant_of_a_group_is_the_root_of_its_slope(level):
    rng = np.random.default_rng(1)
    for _ in range(30):
        base = level * rng.exponential(size=20) * (rng.random(20) < 0.7)
        exposure, weight = rng.uniform(0.5, 2.0, 20), rng.integers(0, 3, 20).astype(float)
        n = rng.poisson(base + 0.3 * level * exposure).astype(float)
        wanted = reference(n[weight > 0], base[weight > 0], exposure[weight > 0], weight[weight > 0])
        for start in (0.0, 1e-9, 1e9):
            assert constant(n, base, exposure, weight, start) == pytest.approx(wanted, rel=1e-6, abs=1e-10)


def test_without_a_model_the_constant_is_the_mean_and_without_counts_it_is_zero():
    n, zero, one = np.array([1.0, 2.0, 6.0]), np.zeros(3), np.ones(3)
    assert constant(n, zero, one, one, 0.0) == pytest.approx(3.0)
    assert constant(zero, one, one, one, 5.0) == 0.0


def test_a_model_where_nothing_was_seen_has_the_scale_zero_at_once():
    seen, one = np.tile([0.0, 1.0, 2.0, 1.0], 6), np.ones(24)
    n, start, constants = np.tile([9.0, 4.0, 0.0, 5.0], 6), np.arange(0, 24, 4), np.zeros(6)
    assert profile_counts(n, seen, one, one, start, constants, 1e-12) == 0.0
    assert constants == pytest.approx(np.full(6, 4.5))


@pytest.mark.parametrize("level", [0.1, 2.0, 100.0])
def test_the_scale_is_that_of_a_fine_search(level):
    rng = np.random.default_rng(2)
    seen, one = rng.exponential(size=60), np.ones(60)
    start, of_pixel = np.arange(0, 60, 12), np.repeat(np.arange(5), 12)
    n = rng.poisson(level * (seen + 0.5)).astype(float)
    constants = np.zeros(5)
    scale = profile_counts(n, seen, one, one, start, constants, 1e-12)

    def deviance(a):
        c = np.array([reference(n[of_pixel == g], a * seen[of_pixel == g], one[:12], one[:12]) for g in range(5)])
        mu = a * seen + c[of_pixel]
        return np.sum(mu - n * np.log(mu))

    mu = scale * seen + constants[of_pixel]
    assert mu.sum() == pytest.approx(n.sum(), rel=1e-5)
    least = min(deviance(a) for a in scale * np.linspace(0.9, 1.1, 21))
    assert deviance(scale) <= least + 1e-9
