"""Averages over regions of Q: moments, closed forms, second methods, and bins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinscape.errors import ConfigError, ShapeError
from spinscape.lattice.volumes import QGrid
from spinscape.observables.integration import (
    combined_rule,
    gaussian_rule,
    grid_coordinates,
    grid_rule,
    histogram,
    interval_rule,
    overlap_matrix,
    rule_average,
)

COVARIANCE = np.array([[0.04, 0.01, 0.0], [0.01, 0.02, -0.005], [0.0, -0.005, 0.03]])


@given(st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_second_and_fourth_moments_of_any_covariance(seed, rank):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(3, rank))
    covariance = root @ root.T
    rule = gaussian_rule(covariance, order=3)
    d, w = rule.offsets, rule.weights
    assert rule.n_offset == 3**rank
    np.testing.assert_allclose(w @ d, 0.0, atol=1e-12)
    np.testing.assert_allclose(np.einsum("k,ka,kb->ab", w, d, d), covariance, atol=1e-10)
    # Isserlis: <x⁴> = 3<x²>², <x²y²> = <x²><y²> + 2<xy>².
    along = d @ (n := rng.normal(size=3))
    assert w @ along**4 == pytest.approx(3 * (n @ covariance @ n) ** 2, rel=1e-9, abs=1e-12)


def test_a_gaussian_damps_a_plane_wave():
    distance = np.array([1.0, -2.0, 3.0])
    q = np.array([[0.1, 0.2, 0.3], [1.0, 0.0, -1.0]])
    seen = rule_average(lambda k: np.cos(k @ distance), q, rule=gaussian_rule(COVARIANCE, order=9), chunk=800)
    expected = np.exp(-0.5 * distance @ COVARIANCE @ distance) * np.cos(q @ distance)
    np.testing.assert_allclose(seen, expected, rtol=1e-7)


def test_a_rule_does_not_depend_on_the_sampling_of_a_degenerate_covariance():
    rule = gaussian_rule(0.01 * np.eye(3), order=2)
    np.testing.assert_allclose(np.abs(rule.offsets), 0.1, rtol=1e-12)
    assert gaussian_rule(np.zeros((3, 3))).n_offset == 1


def test_an_interval_against_its_integral():
    rule = interval_rule((0, 0, 1), -0.5, 1.5, order=8)
    seen = rule_average(lambda q: np.cos(2.0 * q[:, 2]) + q[:, :1].sum(axis=1), [[0.25, 0.0, 0.1]], rule=rule)
    assert seen[0] == pytest.approx(0.25 + (np.sin(3.2) - np.sin(-0.8)) / 4.0, rel=1e-12)
    for power in range(16):
        mean = rule.weights @ rule.offsets[:, 2] ** power
        assert mean == pytest.approx((1.5 ** (power + 1) - (-0.5) ** (power + 1)) / (2 * (power + 1)), rel=1e-12)


def grid(n_third=1):
    edges = (np.linspace(0, 1, 5), np.linspace(0, 1, 4), np.linspace(-0.2, 0.4, n_third + 1))
    return QGrid("slice", np.array([0.0, 0.0, 0.5]), np.array([[1.0, 1, 0], [1, -1, 0], [0, 0, 1]]), edges)


def test_integrated_axes_of_a_grid_agree_with_fine_midpoints():
    def function(q):
        return np.exp(np.sin(3 * q[:, 2]) + q[:, 0])

    fine = function(grid().integration_points(400).reshape(-1, 3)).reshape(12, 400).mean(axis=1)
    seen = rule_average(function, grid().points, rule=grid_rule(grid()))
    np.testing.assert_allclose(seen, fine, rtol=1e-6)
    assert grid_rule(grid(n_third=3)).n_offset == 1


def test_spreads_that_act_together_are_a_convolution():
    both = combined_rule([gaussian_rule(COVARIANCE, order=4), interval_rule((0, 0, 1), -1, 1, order=4)])
    variance = np.einsum("k,ka,kb->ab", both.weights, both.offsets, both.offsets)
    np.testing.assert_allclose(variance, COVARIANCE + np.diag([0, 0, 1 / 3]), atol=1e-12)
    assert both.weights.sum() == pytest.approx(1.0)


def test_a_spectrum_is_averaged_row_by_row():
    rule = gaussian_rule(COVARIANCE, order=2)
    seen = rule_average(lambda q: q[:, :, None] * np.ones(4), [[1.0, 2.0, 3.0]], rule=rule)
    assert seen.shape == (1, 3, 4)
    np.testing.assert_allclose(seen[0, :, 0], [1, 2, 3])


@pytest.mark.parametrize(
    "covariance",
    [np.diag([1.0, -0.1, 1.0]), [[1, 2, 0], [2, 1, 0], [0, 0, 1]], np.full((3, 3), np.nan), [[0, 1, 0]] * 3],
)
def test_what_is_no_covariance(covariance):
    with pytest.raises(ConfigError, match="not a covariance"):
        gaussian_rule(np.array(covariance, dtype=float))


def test_other_bad_input():
    with pytest.raises(ShapeError):
        gaussian_rule(np.eye(2))
    for axis, low, high in (((0, 0, 0), 0, 1), ((0, 0, 1), 1, 1), ((0, 0, 1), 0, np.inf)):
        with pytest.raises(ConfigError, match="interval"):
            interval_rule(axis, low, high)
    with pytest.raises(ConfigError, match="order"):
        gaussian_rule(np.eye(3), order=0)
    with pytest.raises(ConfigError, match="too many"):
        combined_rule([gaussian_rule(np.eye(3), order=30)] * 2)
    with pytest.raises(ShapeError):
        rule_average(lambda q: np.ones(2), [[0.0, 0, 0]], rule=gaussian_rule(np.eye(3)))


def test_coordinates_on_a_grid_invert_its_points():
    u, v, w = grid().centres
    found = grid_coordinates(grid(), grid().points).reshape(4, 3, 3)
    np.testing.assert_allclose(found[:, 0, 0], u, atol=1e-14)
    np.testing.assert_allclose(found[0, :, 1], v, atol=1e-14)
    np.testing.assert_allclose(found[..., 2], w[0], atol=1e-14)


def test_bins_hold_means_and_empty_ones_say_so():
    points, values = np.array([[0.0], [0.4], [1.0], [2.0], [5.0]]), np.array([1.0, 3.0, 7.0, 9.0, 100.0])
    out = histogram(points, values, edges=[[-2, -1, 0, 1, 2]], weights=np.array([1.0, 3.0, 1.0, 1.0, 1.0]))
    np.testing.assert_allclose(out.mean, [0, 0, 2.5, 8])  # 2.0 lies on the last edge, 5.0 outside
    np.testing.assert_array_equal(out.filled, [False, False, True, True])
    np.testing.assert_allclose(out.weight, [0, 0, 4, 2])


def test_many_points_in_two_axes_against_a_loop():
    rng = np.random.default_rng(1)
    points, values = rng.uniform(0, 3, (200, 2)), rng.normal(size=200)
    out = histogram(points, values, edges=[np.arange(4), np.arange(4)])
    for i, j in np.ndindex(3, 3):
        inside = (points.astype(int) == [i, j]).all(axis=1)
        assert out.mean[i, j] == pytest.approx(values[inside].mean())
        assert out.weight[i, j] == inside.sum()


@pytest.mark.parametrize("bad", [{"values": [np.nan]}, {"edges": [[1, 0]]}, {"weights": [0.0]}])
def test_histograms_refuse(bad):
    with pytest.raises(ConfigError):
        histogram([[0.5]], **{"values": [1.0], "edges": [[0, 1]], **bad})


@given(st.lists(st.floats(0.01, 1.0), min_size=1, max_size=8), st.floats(0.0, 0.4), st.floats(0.6, 1.0))
def test_rebinning_keeps_constants_and_integrals(lengths, low, high):
    old = np.append(0.0, np.cumsum(lengths)) / sum(lengths)
    new = np.linspace(low, high, 4)
    matrix = overlap_matrix(old, new_edges=new)
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0)
    # A piecewise constant density: the integral over the new bins is that of its running integral.
    density = np.cos(np.arange(len(lengths)))
    running = np.append(0.0, np.cumsum(density * np.diff(old)))
    expected = np.diff(np.interp(new, old, running)) / np.diff(new)
    np.testing.assert_allclose(matrix @ density, expected, atol=1e-9)


def test_new_bins_outside_the_old_ones_are_refused():
    with pytest.raises(ConfigError, match="inside the old"):
        overlap_matrix([0, 1, 2], new_edges=[1, 3])
