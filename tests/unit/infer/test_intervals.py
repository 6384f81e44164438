"""Intervals against each other, against closed forms, and where something is in the data that the model lacks."""

from dataclasses import replace

import numpy as np
import pytest

from spinscape.errors import FitError
from spinscape.infer.background_terms import BackgroundForm
from spinscape.infer.box import Box
from spinscape.infer.clip import box_residuals, clipped_fit
from spinscape.infer.gauss_newton import gauss_newton
from spinscape.infer.held import held_problem
from spinscape.infer.intervals import (
    information_covariance,
    instrument_warnings,
    interval_width,
    jackknife_covariance,
    profile_interval,
    quoted_std,
    robust_fit,
    sandwich_covariance,
    widened,
)
from spinscape.infer.poisson import gaussian_likelihood
from spinscape.infer.problem import Problem
from spinscape.infer.uncertainty import Covariance, hessian_covariance

TRUTH = np.array([14.0, 5.0, 2.0])


@pytest.fixture
def fitted(noisy, band, box):
    def make(measurement=None, seed=0, **how):
        one = noisy(seed) if measurement is None else measurement
        problem = Problem(band(), gaussian_likelihood([one], **how))
        return one, problem, gauss_newton(problem, TRUTH, box=box).parameters

    return make


def spoiled(measurement, height=4.0):
    """Return the measurement with a hump that no background of rows describes."""
    signal = measurement.signal.copy()
    signal[12:17, 20:26] += height
    return replace(measurement, signal=signal)


def test_the_information_is_the_curvature(fitted, box):
    _, problem, best = fitted()
    ours, numeric = information_covariance(problem, best, box), hessian_covariance(problem, best, box)
    assert np.allclose(ours.matrix, numeric.matrix, rtol=0.1, atol=0.02 * numeric.matrix.max())


def test_a_flat_likelihood_has_no_covariance(noisy, box):
    from .conftest import Band

    class Flat(Band):
        def predict(self, parameters):
            return super().predict(np.array([parameters[0], 5.0, parameters[2]]))

    problem = Problem(Flat(), gaussian_likelihood([noisy()]))
    with pytest.raises(FitError, match="flat"):
        information_covariance(problem, TRUTH, box)


@pytest.mark.parametrize("name", ["a", "b", "width"])
def test_the_profile_of_a_near_parabola_is_that_of_its_curvature(fitted, box, name):
    _, problem, best = fitted()
    low, high = profile_interval(problem, best, box, name, level=0.95)
    k = box.names.index(name)
    half = 1.96 * information_covariance(problem, best, box).std[k]
    assert (low, high) == pytest.approx((best[k] - half, best[k] + half), abs=0.12 * half)


def test_a_profile_ends_at_the_box(fitted, box):
    _, problem, best = fitted()
    tight = Box(box.names, box.lower, [best[0] + 1e-3, *box.upper[1:]])
    assert profile_interval(problem, best, tight, "a")[1] == tight.upper[0]


def test_a_held_problem_is_the_same_with_one_parameter_less(fitted, box):
    _, problem, best = fitted()
    held, small = held_problem(problem, box, 1, best[1])
    assert small.names == held.forward.parameter_names == ("a", "width")
    assert held.forward.coupling_names == ("a",) and held.forward.units == ("meV", "meV")
    assert held(np.delete(best, 1)) == problem(best)
    whole, part = problem.linearise(best, box)[1][0], held.linearise(np.delete(best, 1), small)[1][0]
    assert np.allclose(part, np.delete(whole, 1, axis=0))


def test_the_sandwich_of_independent_noise_is_the_information(fitted, box):
    ratios = []
    for seed in range(8):
        measurement, problem, best = fitted(seed=seed)
        wide = sandwich_covariance(problem, best, box, measurements=[measurement], block=(1, 1)).std
        ratios.append(wide / information_covariance(problem, best, box).std)
    # Backgrounds take 30 of 670 degrees of freedom from the residuals: 2.5 %; few pixels matter: 2 % of the mean.
    assert np.mean(ratios, axis=0) == pytest.approx(np.ones(3), abs=0.1)


def test_the_sandwich_does_not_depend_on_the_declared_noise(fitted, noisy, box):
    measurement = noisy()
    stds = []
    for factor in (1.0, 3.0):
        one, problem, best = fitted(replace(measurement, std=factor * measurement.std))
        stds.append(sandwich_covariance(problem, best, box, measurements=[one], block=(4, 5)).std)
    assert stds[0] == pytest.approx(stds[1], rel=0.02)


def test_box_residuals_of_noise_are_standard_normal_also_at_edges_and_gaps():
    rng = np.random.default_rng(4)
    counted = rng.random((120, 90)) < 0.8
    z = box_residuals(np.where(counted, rng.standard_normal((120, 90)), 0.0), counted)
    # 432 independent boxes: 3.4 % each.
    assert z.std() == pytest.approx(1.0, abs=0.14)
    assert box_residuals(np.ones((9, 9)), np.ones((9, 9), bool))[4, 4] == pytest.approx(5.0)
    assert np.all(box_residuals(np.ones((9, 9)), np.zeros((9, 9), bool)) == 0.0)


def test_clipping_finds_the_hump_and_leaves_clean_data_alone(fitted, noisy, box):
    _, problem, best = fitted()
    assert clipped_fit(problem, best, box).share < 0.02
    _, bad, start = fitted(spoiled(noisy()))
    clipped = clipped_fit(bad, start, box)
    assert not clipped.kept[0][13:16, 21:25].any() and 0.03 < clipped.share < 0.25
    assert np.abs(clipped.parameters - TRUTH).max() < np.abs(start - TRUTH).max()
    std = information_covariance(clipped.problem, clipped.parameters, box).std
    assert np.abs((clipped.parameters - TRUTH) / std).max() < 4.0


def test_a_robust_fit_says_what_moved_it(fitted, noisy, box):
    measurement = spoiled(noisy())
    _, problem, best = fitted(measurement)
    freer = gaussian_likelihood([measurement], background=BackgroundForm("row_segment"))
    robust = robust_fit(problem, best, box, freer=freer)
    plain = information_covariance(robust.clipped.problem, robust.parameters, box)
    assert np.allclose(robust.covariance.matrix, plain.matrix + np.outer(robust.shift, robust.shift))
    assert robust_fit(problem, best, box).covariance.matrix == pytest.approx(plain.matrix)
    assert any("stands out" in warning for warning in robust.warnings)
    _, clean, start = fitted()
    assert robust_fit(clean, start, box).warnings == ()


def test_groups_disagree_where_the_line_is_not_what_the_model_says(fitted, noisy, band, box, measure):
    """Lines that lean: the curvature does not know, the groups do."""
    clean = noisy()
    lean = np.roll(band().predict(TRUTH)[0], 3, axis=1) * np.linspace(0.0, 12.0, 24)[:, None]
    measurement = replace(clean, signal=clean.signal + lean)
    _, problem, best = fitted(measurement)
    groups, n_group = jackknife_covariance(problem, best, box, measurements=[measurement])
    covariances = {"hessian": information_covariance(problem, best, box), "jackknife": groups}
    std, method = quoted_std(np.array([1.0, 0.0, 0.0]), covariances)
    assert n_group == 6 and method == "jackknife" and std > 2.0 * covariances["hessian"].std[0]


def test_the_quoted_error_is_the_larger_and_few_groups_have_wide_intervals():
    def of(*stds):
        return Covariance(("a", "b"), np.diag(np.square(stds)), (), "")

    both = {"hessian": of(1.0, 0.1), "jackknife": of(0.5, 0.3)}
    assert quoted_std(np.array([1.0, 0.0]), both) == (1.0, "hessian")
    assert quoted_std(np.array([0.0, 1.0]), both) == (pytest.approx(0.3), "jackknife")
    assert interval_width(0.95, n_group=10**6) == pytest.approx(interval_width(0.95), abs=1e-4)
    assert interval_width(0.6827) == pytest.approx(1.0, abs=1e-4)


def test_widths_far_from_the_declared_ones_and_bounds_are_warned_of():
    box = Box(("a", "ln_fwhm_factor"), [0.0, -0.7], [1.0, 0.7])
    assert instrument_warnings(box, np.array([0.5, 0.2])) == ()
    assert "1.35 times" in instrument_warnings(box, np.array([0.5, 0.3]))[0]
    assert "a sits at a bound" in instrument_warnings(box, np.array([1.0, 0.0]))[0]


def test_shifts_widen_along_themselves_only():
    before = Covariance(("a", "b", "c"), np.diag([1.0, 4.0, 0.0]), ("c",), "hessian")
    after = widened(before, np.array([2.0, 0.0, 9.0]), np.array([0.0, 3.0, 0.0]), method="wide")
    assert after.std.tolist() == pytest.approx([np.sqrt(5.0), np.sqrt(13.0), 0.0])
    assert (after.method, after.fixed) == ("wide", ("c",)) and widened(before).method == "hessian"
