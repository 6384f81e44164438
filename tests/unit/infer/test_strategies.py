"""Searches: what they find, what they count, what they cannot do."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from spinscape.errors import FitError
from spinscape.infer.basins import basin_of_points, sobol_unit_points, starts_from_scan
from spinscape.infer.box import Box
from spinscape.infer.search import merged_minima
from spinscape.infer.simplex import nelder_mead
from spinscape.infer.strategies import Adam, Multistart, strategy_by_name

SQUARE = Box(("x", "y"), [-5.0, -5.0], [5.0, 5.0])
HIMMELBLAU = np.array([[3.0, 2.0], [-2.805118, 3.131312], [-3.779310, -3.283186], [3.584428, -1.848126]])
"""The four minima of Himmelblau's function, all with the value 0."""


def himmelblau(p):
    return (p[0] ** 2 + p[1] - 11) ** 2 + (p[0] + p[1] ** 2 - 7) ** 2


def narrow_valley(p):
    """A valley fifty times as long as wide, along x = 2 y, and a shallow false minimum."""
    along, across = (2 * p[0] + p[1]) / np.sqrt(5), (p[0] - 2 * p[1]) / np.sqrt(5)
    true = -2.0 * np.exp(-0.5 * ((along - 1.5) / 3.0) ** 2 - 0.5 * (across / 0.4) ** 2)
    return true - 1.0 * np.exp(-0.5 * ((p[0] + 3) ** 2 + (p[1] - 3) ** 2) / 1.5**2)


@pytest.mark.parametrize("seed", range(5))
def test_all_four_minima_of_himmelblau_are_listed(seed):
    result = Multistart().minimise(himmelblau, SQUARE, seed)
    found = np.array([m.parameters for m in result.minima if m.objective < 1e-6])
    assert len(found) == 4
    for place in HIMMELBLAU:
        assert np.abs(found - place).max(axis=1).min() < 1e-3
    # Each point of the scan leads to one of the descents' starts, but for a few in basins too shallow to be among six.
    assert 240 <= sum(m.n_start for m in result.minima) <= 256
    assert all(m.at_bound == () for m in result.minima)


@pytest.mark.parametrize("seed", range(20))
def test_a_narrow_valley_is_found_from_any_seed(seed):
    result = Multistart().minimise(narrow_valley, SQUARE, seed)
    reference = minimize(narrow_valley, [1.34, 0.67], method="BFGS", options={"gtol": 1e-9})
    assert result.best.parameters == pytest.approx(reference.x, abs=1e-4)
    assert result.n_call < 900
    assert any(np.abs(m.parameters - [-3, 3]).max() < 0.2 for m in result.minima)


def test_equal_seeds_give_equal_results_and_calls_are_counted():
    calls = []

    def function(p):
        calls.append(p)
        return himmelblau(p) if p[0] > -2 else np.inf

    first = Multistart(n_sobol=64).minimise(function, SQUARE, 3)
    assert first.n_call == len(calls)
    assert first.n_infinite == sum(p[0] <= -2 for p in calls) > 0
    again = Multistart(n_sobol=64).minimise(function, SQUARE, 3)
    assert [m.parameters.tolist() for m in again.minima] == [m.parameters.tolist() for m in first.minima]
    other = Multistart(n_sobol=64).minimise(function, SQUARE, 4)
    assert not np.array_equal(other.scan_points, first.scan_points)
    assert np.isinf(first.scan_values).any()


def test_minima_at_the_edge_of_the_box_say_so():
    result = Multistart(n_sobol=32).minimise(lambda p: p[0] + (p[1] - 1.0) ** 2, SQUARE, 0)
    assert result.best.at_bound == ("x",)
    assert result.best.parameters == pytest.approx([-5.0, 1.0], abs=1e-3)


def test_a_box_without_a_stable_point_is_an_error():
    with pytest.raises(FitError, match="unstable at every start"):
        Multistart(n_sobol=16).minimise(lambda p: np.inf, SQUARE, 0)


@pytest.mark.parametrize("factor", [1e-4, 1.0, 1e4])
def test_the_way_of_a_simplex_does_not_depend_on_the_unit_of_the_value(factor):
    """Powers of ten round; the comparisons must not turn on it."""
    descent = nelder_mead(
        lambda p: factor * himmelblau(p), np.array([0.0, 0.0]), box=SQUARE, size=0.05, tolerance=1e-7, max_call=500
    )
    assert descent.converged
    assert descent.parameters == pytest.approx([3.0, 2.0], abs=1e-5)


def test_a_simplex_lives_with_infinite_walls_and_stops_when_told():
    def walled(p):
        return np.inf if p[0] > 1.0 else (p[0] - 2.0) ** 2 + p[1] ** 2

    descent = nelder_mead(walled, np.array([0.0, 0.5]), box=SQUARE, size=0.05, tolerance=1e-7, max_call=1000)
    assert descent.parameters == pytest.approx([1.0, 0.0], abs=2e-2)
    short = nelder_mead(himmelblau, np.zeros(2), box=SQUARE, size=0.05, tolerance=1e-12, max_call=10)
    assert not short.converged and short.n_call <= 14


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_basins_lead_downhill_to_bottoms(seed):
    rng = np.random.default_rng(seed)
    points, values = rng.random((40, 2)), rng.normal(size=40)
    values[rng.random(40) < 0.2] = np.inf
    basin = basin_of_points(points, values, n_neighbour=5)
    finite = np.isfinite(values)
    assert np.all(basin[~finite] == -1)
    assert np.all(values[basin[finite]] <= values[finite])
    assert np.array_equal(basin[basin[finite]], basin[finite])
    if finite.any():
        starts, weights = starts_from_scan(points, values, n_start=4, n_neighbour=5)
        assert values[starts[0]] == values.min()
        assert len(set(starts.tolist())) == len(starts) <= 4
        assert weights.min() >= 1 and weights.sum() <= finite.sum()


def test_ends_that_are_near_are_one_minimum():
    ends = [[1.0, 1.0], [1.05, 1.0], [3.0, 0.0], [1.0, 1.02]]
    minima = merged_minima(np.array(ends), [0.2, 0.1, 0.5, 0.3], [5, 6, 7, 8], box=SQUARE, tolerance=0.01)
    assert [(m.objective, m.n_start) for m in minima] == [(0.1, 19), (0.5, 7)]
    assert minima[0].parameters.tolist() == [1.05, 1.0]


def test_sobol_points_fill_the_box_and_are_keyed():
    points = sobol_unit_points(256, n_parameter=2, seed=1)
    counts = np.histogram2d(*points.T, bins=16, range=[[0, 1], [0, 1]])[0]
    assert counts.min() == counts.max() == 1
    assert len(sobol_unit_points(100, n_parameter=2, seed=1)) == 100
    assert not np.array_equal(points, sobol_unit_points(256, n_parameter=2, seed=2))


class NoisyBowl:
    """A bowl at (1, −2) whose gradients scatter, as those of batches do."""

    def __call__(self, p):
        return float((p[0] - 1.0) ** 2 + 3.0 * (p[1] + 2.0) ** 2)

    def sample_gradient(self, p, generator, *, n_pixel):
        noise = generator.normal(scale=5.0 / np.sqrt(n_pixel), size=2)
        return self(p), np.array([2.0 * (p[0] - 1.0), 6.0 * (p[1] + 2.0)]) + noise


def test_adam_finds_the_minimum_through_noise_from_every_start():
    result = Adam(n_start=5, n_step=600, batch_size=25).minimise(NoisyBowl(), SQUARE, 1)
    assert len(result.minima) == 1 and result.best.n_start == 5
    # One step is 0.005 widths of the box, 0.05; the last tenth of the steps is averaged.
    assert result.best.parameters == pytest.approx([1.0, -2.0], abs=0.05)
    again = Adam(n_start=5, n_step=600, batch_size=25).minimise(NoisyBowl(), SQUARE, 1)
    assert again.best.parameters.tolist() == result.best.parameters.tolist()


def test_the_first_step_of_adam_is_the_learning_rate():
    """The mean over the square root of the mean square of one gradient is its sign."""

    class Slope(NoisyBowl):
        def sample_gradient(self, p, generator, *, n_pixel):
            return 0.0, np.array([7.0, -0.01])

    strategy = Adam(n_start=1, n_step=1, learning_rate=0.01)
    one = strategy.minimise(Slope(), SQUARE, 0).best.parameters
    two = Adam(n_start=1, n_step=1, learning_rate=0.02).minimise(Slope(), SQUARE, 0).best.parameters
    assert one - two == pytest.approx([0.1, -0.1], abs=1e-4)


def test_adam_without_gradients_and_unknown_strategies_are_errors():
    with pytest.raises(FitError, match="gradients on batches"):
        Adam().minimise(himmelblau, SQUARE, 0)
    with pytest.raises(FitError, match="unknown strategy"):
        strategy_by_name("swarm")
    assert strategy_by_name("multistart", n_sobol=8, n_refine=2) == Multistart(n_sobol=8, n_refine=2)


@pytest.mark.parametrize("intervals", [{"x": (1, 1)}, {"x": (2, 1)}, {"x": (0, np.inf)}])
def test_intervals_must_rise(intervals):
    with pytest.raises(FitError, match=r"must be finite and rise"):
        Box.from_intervals(intervals)


def test_a_box_names_every_parameter_once():
    with pytest.raises(FitError, match="every free parameter once"):
        Box.from_intervals({"x": (0, 1)}, names=("x", "y"))
    box = Box.from_intervals({"y": (0, 4), "x": (1, 2)}, names=("x", "y"))
    assert box.to_unit([1.5, 1.0]).tolist() == [0.5, 0.25]
    assert box.from_unit([0.5, 0.25]).tolist() == [1.5, 1.0]
    assert box.at_bound([1.0, 4.0]) == ("x", "y") and box.at_bound([1.5, 2.0]) == ()
    assert box.to_dict() == {"x": [1.0, 2.0], "y": [0.0, 4.0]}
