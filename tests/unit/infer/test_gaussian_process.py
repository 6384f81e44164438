"""Gaussian-process rounds: acceptance below a falling cut-off, expected improvement, on functions with known minima."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from spinscape.errors import FitError
from spinscape.infer.box import Box
from spinscape.infer.gaussian_process import (
    GaussianProcessRounds,
    expected_improvement,
    falling_cutoff,
    objective_process,
    points_below,
)

BOX = Box.from_intervals({"a": (-1.0, 3.0), "b": (0.0, 2.0)})


def valley(x):
    """A bent valley whose bottom is at (1, 1)."""
    return 0.02 + (x[0] - 1.0) ** 2 + 4.0 * (x[1] - 1.0 - 0.3 * (x[0] - 1.0) ** 2) ** 2


def test_expected_improvement_is_the_integral():
    mean, std, best = 0.3, 0.7, 0.1
    exact = quad(lambda y: (best - y) * norm.pdf(y, mean, std), best - 12 * std, best)[0]
    assert expected_improvement(np.array([mean]), np.array([std]), best)[0] == pytest.approx(exact, rel=1e-8)
    assert expected_improvement(np.array([0.0]), np.array([0.0]), best)[0] == best


@pytest.mark.parametrize("acquisition", ["cutoff", "expected_improvement"])
def test_rounds_find_the_bottom_of_a_valley(acquisition):
    strategy = GaussianProcessRounds(n_first=16, n_round=4, n_new=6, acquisition=acquisition)
    found = strategy.minimise(valley, BOX, 1)
    assert found.n_call == 16 + 4 * 6 + 1 == len(found.scan_values) + 1
    assert np.abs(found.best.parameters - 1.0).max() < 0.05
    again = strategy.minimise(valley, BOX, 1)
    assert np.array_equal(found.scan_points, again.scan_points)


def test_the_cutoff_falls_and_accepted_points_are_below_it():
    strategy = GaussianProcessRounds(n_first=32, n_round=5, n_new=8)
    found = strategy.minimise(valley, BOX, 3)
    cutoffs = found.strategy["cutoffs"]
    assert len(cutoffs) == 5 and all(a >= b for a, b in pairwise(cutoffs))
    # Later rounds lie in the valley: their worst point is better than the median of the first one.
    assert np.max(found.scan_values[-8:]) < np.median(found.scan_values[:32])
    values = np.random.default_rng(1).random(50)
    ranks = [falling_cutoff(values[:n], 5) for n in range(5, 50)]
    assert ranks == sorted(ranks, reverse=True) and ranks[-1] == np.sort(values[:49])[4]


def test_accepted_points_fill_the_acceptable_region():
    rng = np.random.default_rng(5)
    unit = rng.random((80, 2))
    known = objective_process(unit, [valley(BOX.from_unit(u)) for u in unit])
    cutoff = np.log(0.3)
    new = points_below(known, cutoff, 40, seed=1)
    assert np.all(known.process.mean_at(new) <= cutoff)
    # The region {valley < 0.3} is an ellipse of half axes sqrt(0.28) and sqrt(0.07), bent: its points reach both ends.
    assert np.ptp(BOX.from_unit(new)[:, 0]) > 0.75 * 2 * np.sqrt(0.28)


def test_noise_of_the_values_is_smoothed():
    rng = np.random.default_rng(2)

    def noisy(x):
        return valley(x) * np.exp(0.2 * rng.standard_normal())

    found = GaussianProcessRounds(n_first=32, n_round=5, n_new=16).minimise(noisy, BOX, 1)
    assert np.abs(found.best.parameters - 1.0).max() < 0.12


def test_settings_and_too_few_values_are_refused():
    with pytest.raises(FitError, match="out of range"):
        GaussianProcessRounds(acquisition="luck")
    with pytest.raises(FitError, match="too few"):
        objective_process(np.random.default_rng(1).random((4, 2)), np.arange(4.0))
