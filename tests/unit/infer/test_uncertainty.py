"""Errors of fits against textbook formulas, against each other, and against the scatter of repeated experiments."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinscape.errors import FitError
from spinscape.infer.box import Box
from spinscape.infer.gauss_newton import gauss_newton
from spinscape.infer.objectives import chi2_profiled, correlation
from spinscape.infer.problem import Problem
from spinscape.infer.uncertainty import (
    Covariance,
    Replicas,
    block_bootstrap,
    block_labels,
    group_jackknife,
    hessian_covariance,
    hessian_matrix,
)

TRUTH = np.array([14.0, 5.0, 2.0])


def fitted(problem, box):
    return gauss_newton(problem, TRUTH, box=box).parameters


def test_the_numerical_hessian_of_a_quadratic_is_its_matrix(box):
    matrix = np.array([[4.0, 1.0, -0.5], [1.0, 3.0, 0.2], [-0.5, 0.2, 2.0]])
    at = np.array([14.0, 5.0, 2.0])

    def function(p):
        return 0.5 * (p - at) @ matrix @ (p - at)

    assert np.allclose(hessian_matrix(function, at, np.arange(3), np.full(3, 0.1), box), matrix, atol=1e-9)
    part = hessian_matrix(function, at, np.array([0, 2]), np.full(2, 0.1), box)
    assert np.allclose(part, matrix[np.ix_([0, 2], [0, 2])], atol=1e-9)
    # Next to a bound the steps shrink: the function is never asked outside.
    asked = []
    hessian_matrix(lambda p: asked.append(p) or function(p), np.array([24.9, 5.0, 2.0]), np.arange(3), np.ones(3), box)
    assert np.max([p[0] for p in asked]) < 25.0


def test_curvature_gives_the_scatter_of_repeated_experiments(noisy, band, box):
    """Forty experiments that differ in their noise: their fits scatter as each one's Hessian says."""
    fits, stds = [], []
    for seed in range(40):
        problem = Problem(band(), chi2_profiled([noisy(seed)]))
        fits.append(fitted(problem, box))
        stds.append(hessian_covariance(problem, fits[-1], box).std)
    pulls = (np.array(fits) - TRUTH) / np.array(stds)
    # The mean of 40 pulls has the error 0.16, their standard deviation 0.11: three errors each.
    assert np.abs(pulls.mean(axis=0)).max() < 0.5
    assert np.abs(pulls.std(axis=0) - 1.0).max() < 0.35


def test_the_covariance_is_that_of_weighted_least_squares(noisy, band, box):
    measurement = noisy()
    problem = Problem(band(), chi2_profiled([measurement]))
    best = fitted(problem, box)
    (image,), (jacobian,) = problem.linearise(best, box)
    q, e = np.nonzero(measurement.valid)
    scale = problem.objective.profiled((image,))[0][0]
    columns = [scale * j[q, e] for j in jacobian] + [image[q, e]] + [(e == k).astype(float) for k in range(30)]
    design = np.stack(columns, axis=1) / measurement.std[q, e][:, None]
    expected = np.linalg.inv(design.T @ design)[:3, :3]
    # Residuals times second derivatives are in the numerical Hessian and not in the textbook's: a few percent here.
    assert np.allclose(hessian_covariance(problem, best, box).matrix, expected, rtol=0.1, atol=0.02 * expected.max())


def test_estimated_variances_are_scaled_by_chi2_per_dof_and_declared_ones_are_not(noisy, band, box):
    measurement = noisy()
    half = replace(measurement, std=0.5 * measurement.std)
    marked = replace(half, provenance={"noise": {"std": "estimated"}})
    std = {}
    for name, one in {"right": measurement, "half": half, "marked": marked}.items():
        problem = Problem(band(), chi2_profiled([one]))
        std[name] = hessian_covariance(problem, fitted(problem, box), box).std
    assert std["half"] == pytest.approx(0.5 * std["right"], rel=1e-3)
    assert std["marked"] == pytest.approx(std["right"], rel=0.1)


def test_bootstrap_and_curvature_agree_where_pixels_are_independent(noisy, band, box):
    measurement = noisy(3)
    problem = Problem(band(), chi2_profiled([measurement]))
    best = fitted(problem, box)
    curvature = hessian_covariance(problem, best, box)
    replicas = block_bootstrap(problem, best, box, measurements=[measurement], block=(3, 3), n_replica=80, seed=1)
    ratio = replicas.covariance().std / curvature.std
    # A standard deviation from 80 replicas of one data set of 80 blocks: 8 and 8 %.
    assert np.all((ratio > 0.65) & (ratio < 1.5))
    again = block_bootstrap(problem, best, box, measurements=[measurement], block=(3, 3), n_replica=5, seed=1)
    assert np.array_equal(again.parameters, replicas.parameters[:5])
    low, high = replicas.interval(0.68).T
    assert np.all((low < replicas.parameters.mean(axis=0)) & (replicas.parameters.mean(axis=0) < high))


def test_noise_that_pixels_share_widens_the_bootstrap_and_not_the_curvature(noisy, band, box):
    """Noise equal in 3 × 3 pixels carries a ninth of the information that independent pixels would."""
    clean = noisy(0, noise=1e-9, missing=False)
    shared = np.kron(np.random.default_rng(5).normal(scale=0.5, size=(8, 10)), np.ones((3, 3)))
    measurement = replace(clean, signal=clean.signal + shared, std=np.full(clean.shape, 0.5))
    problem = Problem(band(), chi2_profiled([measurement]))
    best = fitted(problem, box)
    curvature = hessian_covariance(problem, best, box)
    replicas = block_bootstrap(problem, best, box, measurements=[measurement], block=(3, 3), n_replica=60, seed=1)
    assert np.median(replicas.covariance().std / curvature.std) > 1.6


def test_a_correlation_has_errors_of_the_scatter_of_its_fits(noisy, band, box):
    """Data whose logarithm is a line in the model's, with noise as large as its contrast: r is 0.6 or so."""
    log_model = np.log1p(10.0 * band().predict(TRUTH)[0])
    fits, stds = [], []
    for seed in range(40):
        noise = np.random.default_rng(seed).normal(scale=0.6, size=log_model.shape)
        measurement = replace(noisy(), signal=np.expm1(2.5 + 0.8 * log_model + noise).clip(0.0), std=None)
        problem = Problem(band(), correlation([measurement], c_model=10.0))
        fits.append(gauss_newton(problem, TRUTH, box=box, max_step=60).parameters)
        stds.append(hessian_covariance(problem, fits[-1], box).std)
    assert 0.5 < problem.objective.quality(band().predict(fits[-1]))["r"] < 0.7
    pulls = (np.array(fits) - TRUTH) / np.array(stds)
    # Three errors of the mean and of the standard deviation of 40 pulls.
    assert np.abs(pulls.mean(axis=0)).max() < 0.5
    assert np.abs(pulls.std(axis=0) - 1.0).max() < 0.35


def test_the_jackknife_is_that_of_the_textbook(noisy, band, box):
    measurement = noisy(2)
    problem = Problem(band(), chi2_profiled([measurement]))
    best = fitted(problem, box)
    replicas = group_jackknife(problem, best, box, measurements=[measurement], n_band=3)
    assert replicas.description["n_group"] == 6 and len(replicas.parameters) == 6
    by_hand = []
    for segment in range(2):
        for band_of_energy in range(3):
            weight = np.ones((24, 30))
            weight[12 * segment : 12 * (segment + 1), 10 * band_of_energy : 10 * (band_of_energy + 1)] = 0.0
            by_hand.append(gauss_newton(problem.reweighted((weight,)), best, box=box).parameters)
    expected = np.sqrt(5.0 / 6.0 * ((by_hand - np.mean(by_hand, axis=0)) ** 2).sum(axis=0))
    assert replicas.covariance().std == pytest.approx(expected, rel=0.05)


@given(st.integers(3, 40), st.integers(3, 40), st.integers(1, 12), st.integers(1, 12))
def test_blocks_cover_every_pixel_once_and_do_not_cross_segments(n_q, n_energy, high, wide):
    segment = np.sort(np.random.default_rng(n_q).integers(0, 3, n_q))
    labels, n_block = block_labels((n_q, n_energy), segment, (high, wide))
    assert set(np.unique(labels)) == set(range(n_block))
    for label in np.unique(labels):
        rows = np.unique(np.nonzero(labels == label)[0])
        assert len(np.unique(segment[rows])) == 1
        assert np.array_equal(rows, np.arange(rows[0], rows[-1] + 1))
        assert len(rows) < 2 * high + 1


def test_parameters_at_a_bound_are_held(noisy, band):
    tight = Box(("a", "b", "width"), [5.0, -10.0, 2.5], [25.0, 10.0, 5.0])
    problem = Problem(band(), chi2_profiled([noisy()]))
    best = gauss_newton(problem, np.array([14.0, 5.0, 2.5]), box=tight).parameters
    covariance = hessian_covariance(problem, best, tight)
    assert covariance.fixed == ("width",)
    assert covariance.std[2] == 0.0 and covariance.std[:2].min() > 0
    assert covariance.correlation[2].tolist() == [0.0, 0.0, 1.0]
    cornered = Box(tight.names, best - [0, 0, 0], best + 1.0)
    with pytest.raises(FitError, match="every parameter sits at a bound"):
        hessian_covariance(problem, best, cornered)


def test_parameters_that_the_data_do_not_determine_are_an_error(noisy, band, box):
    class Blind(type(band())):
        def predict(self, parameters):
            return band().predict(np.array([parameters[0] + parameters[1], 5.0, parameters[2]]))

    with pytest.raises(FitError, match="curvature of the spectra is not positive"):
        hessian_covariance(Problem(Blind(), chi2_profiled([noisy()])), np.array([10.0, 4.0, 2.0]), box)


def test_the_error_along_a_direction_is_that_of_the_matrix():
    covariance = Covariance(("a", "b"), np.array([[4.0, 1.9], [1.9, 1.0]]), (), "hessian")
    assert covariance.along([1.0, -2.0]) == pytest.approx(np.sqrt(4.0 - 4 * 1.9 + 4.0))
    assert covariance.correlation[0, 1] == pytest.approx(0.95)


def test_replicas_of_which_too_many_fail_are_an_error(noisy, band, box):
    measurement = noisy()

    class Fragile(type(band())):
        """Cannot be linearised away from where it starts."""

        def predict(self, parameters):
            if len(parameters) == 3 and abs(parameters[0] - 14.0) > 1e-4:
                return (np.full((24, 30), np.nan),)
            return super().predict(parameters)

    problem = Problem(Fragile(), chi2_profiled([measurement]))
    wide = Box(box.names, [13.0, 4.0, 1.5], [15.0, 6.0, 2.5])
    with pytest.raises(FitError, match="too many replicas"):
        block_bootstrap(problem, TRUTH, wide, measurements=[measurement], block=(3, 3), n_replica=20, seed=0)


def test_a_jackknife_s_covariance_is_larger_than_its_scatter():
    parameters = np.arange(10.0)[:, None]
    jackknife = Replicas(("a",), parameters, 0, "jackknife", {}).covariance().matrix[0, 0]
    bootstrap = Replicas(("a",), parameters, 0, "bootstrap", {}).covariance().matrix[0, 0]
    assert jackknife == pytest.approx(bootstrap * 81.0 / 10.0)
