"""Likelihoods with scale and background eliminated, against plain minimisation, χ² and their own derivatives."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from spinscape.errors import FitError
from spinscape.infer.background_terms import BackgroundForm
from spinscape.infer.gauss_newton import gauss_newton
from spinscape.infer.objectives import chi2_profiled
from spinscape.infer.poisson import gaussian_likelihood, poisson_likelihood, student_likelihood
from spinscape.infer.problem import Problem
from spinscape.infer.protocols import Objective
from spinscape.infer.uncertainty import block_bootstrap

TRUTH = np.array([14.0, 5.0, 2.0])
FORMS = {
    "row": BackgroundForm(),
    "row_segment": BackgroundForm("row_segment"),
    "polynomial": BackgroundForm("none", degree=(2, 1)),
    "row_slope": BackgroundForm("row", degree=(0, 1)),
    "exponential": BackgroundForm("none", degree=(0, 0), decays=(10.0,)),
}


@pytest.fixture
def counted(band, measure):
    """Return counts of the band on a background that differs from row to row; a block is missing."""

    def make(seed=0, *, per_mean=8.0, exposure=1.0, parameters=TRUTH, background=3.0):
        rng = np.random.default_rng(seed)
        image = 40.0 * band().predict(parameters)[0] + background * (1.2 + np.sin(np.arange(30)))
        counts = rng.poisson(per_mean * image / image.mean()).astype(float)
        valid = np.ones(image.shape, bool)
        valid[4:9, 10:20] = False
        one = measure(np.where(valid, counts / exposure, np.nan), valid=valid, segment=np.repeat([0, 1], 12))
        return replace(one, provenance={"counts_per_unit": exposure})

    return make


def plain_deviance(one, vector):
    """Minimise the deviance over scale and background by a general method."""
    n_group = 0 if one.groups is None else len(one.groups.start)

    def split(x):
        mu = x[0] * one.exposure * vector + x[1 + n_group :] @ one.columns
        return mu if one.groups is None else mu + one.exposure * x[1 : 1 + n_group][one.groups.of_pixel]

    def value(x):
        mu = np.maximum(split(x), 1e-12)
        slope = 2.0 * (1.0 - one.data / mu)
        by_group = [] if one.groups is None else one.groups.total(one.exposure * slope)
        gradient = np.concatenate([[slope @ (one.exposure * vector)], by_group, one.columns @ slope])
        safe = np.where(one.data > 0, one.data, 1.0)
        return 2.0 * np.sum(mu - one.data + one.data * np.log(safe / mu)), gradient

    start = np.concatenate([[1.0], np.full(n_group, 3.0), np.zeros(len(one.columns))])
    if not n_group:
        start[1] = 1.0
    bounds = [(0, None)] * (1 + n_group) + [(None, None)] * len(one.columns)
    options = {"maxiter": 20000, "maxfun": 60000, "ftol": 1e-15, "gtol": 1e-9}
    return minimize(value, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).fun


@pytest.mark.parametrize("form", FORMS)
def test_the_inner_minimum_is_that_of_plain_minimisation(counted, band, form):
    objective = poisson_likelihood([counted(per_mean=3.0)], background=FORMS[form])
    predictions = band().predict(np.add(TRUTH, [0.3, -0.2, 0.1]))
    one = objective.sets[0]
    found = objective.value(predictions)
    assert found == pytest.approx(plain_deviance(one, one.pixels.gather(predictions[0])), abs=2e-3)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["poisson", "gaussian", "student_t"])
def test_the_gradient_is_that_of_the_value(counted, band, box, form, kind):
    measurement = counted()
    std = np.sqrt(np.maximum(np.where(measurement.valid, measurement.signal, 1.0), 1.0))
    make = {"poisson": poisson_likelihood, "gaussian": gaussian_likelihood, "student_t": student_likelihood}[kind]
    objective = make([measurement if kind == "poisson" else replace(measurement, std=std)], background=FORMS[form])
    problem, at = Problem(band(), objective), np.add(TRUTH, [0.3, -0.2, 0.1])
    predictions, jacobians = problem.linearise(at, box)
    gradient, matrix = objective.normal_equations(predictions, jacobians)
    step = 1e-4
    numeric = [(problem(at + step * e) - problem(at - step * e)) / (2 * step) for e in np.eye(3)]
    assert gradient == pytest.approx(numeric, rel=2e-3, abs=0.05)
    value, slopes = objective.derivative(predictions)
    assert value == pytest.approx(objective.value(predictions))
    assert [(slopes[0] * j).sum() for j in jacobians[0]] == pytest.approx(numeric, rel=2e-3, abs=0.05)
    assert np.linalg.eigvalsh(matrix)[0] > 0


def test_gaussian_noise_gives_the_profiled_chi2(noisy, band, box):
    measurement = noisy()
    ours, known = gaussian_likelihood([measurement]), chi2_profiled([measurement])
    predictions, jacobians = Problem(band(), known).linearise(TRUTH, box)
    assert ours.value(predictions) == pytest.approx(known.value(predictions), rel=1e-9)
    assert ours.dof == known.dof
    for a, b in zip(
        ours.normal_equations(predictions, jacobians), known.normal_equations(predictions, jacobians), strict=True
    ):
        assert np.allclose(a, b, rtol=1e-6, atol=1e-6 * np.abs(b).max())
    assert ours.residuals(predictions)[0] == pytest.approx(known.residuals(predictions)[0], abs=1e-6)
    assert ours.fitted(predictions)[0][0, 0] == pytest.approx(known.fitted(predictions)[0][0, 0])


def test_many_degrees_of_freedom_make_students_law_that_of_gauss(noisy, band):
    predictions = band().predict(np.add(TRUTH, [0.2, 0.0, 0.1]))
    gauss, student = gaussian_likelihood([noisy()]), student_likelihood([noisy()], nu=1e7)
    assert student.value(predictions) == pytest.approx(gauss.value(predictions), rel=1e-4)


def test_a_spot_pulls_students_fit_less(noisy, band, box):
    measurement = noisy()
    signal = measurement.signal.copy()
    signal[2:4, 24:27] += 40.0
    spoiled = replace(measurement, signal=signal)
    off = []
    for make in (gaussian_likelihood, student_likelihood):
        problem = Problem(band(), make([spoiled]))
        off.append(np.abs(gauss_newton(problem, TRUTH, box=box).parameters - TRUTH).max())
    assert off[1] < 0.5 * off[0] and off[1] < 0.2


@settings(max_examples=15, deadline=None)
@given(factor=st.floats(0.01, 100.0), level=st.floats(0.05, 50.0))
def test_the_unit_of_the_model_and_the_exposure_do_not_matter(factor, level):
    from .conftest import Band, make_measurement

    rng = np.random.default_rng(3)
    image = Band().predict(TRUTH)[0] + 0.1
    counts = rng.poisson(level * image / image.mean()).astype(float)
    plain = replace(make_measurement(counts), provenance={"counts_per_unit": 1.0})
    scaled = replace(make_measurement(counts / factor), provenance={"counts_per_unit": factor})
    a, b = poisson_likelihood([plain]), poisson_likelihood([scaled])
    model = Band().predict(TRUTH)
    assert a.value(model) == pytest.approx(b.value((3.0 * factor * model[0],)), rel=1e-6, abs=1e-6)
    assert 0 <= a.value(model) < np.inf


def test_fits_of_repeated_experiments_scatter_as_the_information_says(counted, band, box):
    pulls = []
    for seed in range(40):
        problem = Problem(band(), poisson_likelihood([counted(seed, per_mean=1.0)]))
        best = gauss_newton(problem, TRUTH, box=box).parameters
        predictions, jacobians = problem.linearise(best, box)
        _, matrix = problem.objective.normal_equations(predictions, jacobians)
        pulls.append((best - TRUTH) / np.sqrt(np.diag(problem.objective.covariance(predictions, jacobians, matrix))))
    # The mean of 40 pulls has the error 0.16, their standard deviation 0.11: four errors each.
    assert np.abs(np.mean(pulls, axis=0)).max() < 0.64
    assert np.abs(np.std(pulls, axis=0) - 1.0).max() < 0.44


def test_a_pixel_that_counts_twice_is_two_pixels_and_one_that_counts_not_is_none(counted, band, box):
    measurement = counted()
    objective = poisson_likelihood([measurement])
    predictions, jacobians = Problem(band(), objective).linearise(TRUTH, box)
    double = objective.reweighted((np.full(measurement.shape, 2.0),))
    assert double.value(predictions) == pytest.approx(2.0 * objective.value(predictions), rel=1e-8)
    for a, b in zip(
        double.normal_equations(predictions, jacobians), objective.normal_equations(predictions, jacobians), strict=True
    ):
        assert np.allclose(a, 2.0 * b, rtol=1e-5, atol=1e-4)
    weights = np.ones(measurement.shape)
    weights[12:15] = 0.0
    masked = replace(measurement, valid=measurement.valid & (weights > 0))
    without, dropped = poisson_likelihood([masked]), objective.reweighted((weights,))
    assert dropped.value(predictions) == pytest.approx(without.value(predictions), rel=1e-9)
    assert dropped.dof == without.dof
    assert np.allclose(
        dropped.normal_equations(predictions, jacobians)[1], without.normal_equations(predictions, jacobians)[1]
    )


def test_a_subset_is_the_likelihood_of_its_pixels(counted, band):
    objective = poisson_likelihood([counted()])
    chosen = np.arange(0, objective.pixels[0].n_pixel, 3)
    small = objective.subset((chosen,))
    vector = objective.pixels[0].gather(band().predict(TRUTH)[0])[chosen]
    value, slopes = small.derivative_of_pixels((vector,))
    assert value == pytest.approx(plain_deviance(small.sets[0], vector), abs=2e-3)
    assert len(slopes[0]) == len(chosen)


def test_a_row_without_counts_has_no_background_and_still_speaks(counted, band, box):
    measurement = counted(per_mean=0.3)
    signal = measurement.signal.copy()
    signal[:, 27] = 0.0
    alone = BackgroundForm(least_counts=0)
    objective = poisson_likelihood([replace(measurement, signal=signal)], background=alone)
    predictions, jacobians = Problem(band(), objective).linearise(TRUTH, box)
    found = objective.inner(predictions)[0][1]
    assert found.constants[27] == 0.0 and found.constants.min() >= 0.0
    assert np.isfinite(objective.normal_equations(predictions, jacobians)[1]).all()


@pytest.mark.parametrize("constant", ["row", "row_segment"])
def test_energies_with_few_counts_share_a_constant_and_those_with_many_do_not(counted, constant):
    few, many = counted(per_mean=0.1), counted(per_mean=80.0)
    form = BackgroundForm(constant)
    labels = form.labels_of_counts(few, filled(few))
    totals = np.bincount(labels.ravel(), weights=filled(few).ravel())
    n_segment = 2 if constant == "row_segment" else 1
    alone = form.labels(few)
    assert 1 < np.count_nonzero(totals) < 0.5 * (alone.max() + 1) and totals[totals > 0].min() >= 25.0
    for label in np.unique(labels):
        # One segment, and energies without a gap.
        where = labels == label
        assert len(np.unique(few.segments[where.any(axis=1)])) == (1 if n_segment == 2 else 2)
        assert np.ptp(np.flatnonzero(where.any(axis=0))) == where.any(axis=0).sum() - 1
    assert np.array_equal(form.labels_of_counts(many, filled(many)), alone)


def filled(measurement):
    return np.where(measurement.valid, measurement.signal, 0.0)


def test_an_absent_model_has_no_scale(counted, band):
    objective = poisson_likelihood([counted()])
    quality = objective.quality((np.zeros((24, 30)),))
    assert quality["scale_0"] == 0.0 and np.isfinite(quality["deviance"])
    assert objective.quality(band().predict(TRUTH))["chi2_per_dof"] == pytest.approx(1.0, abs=0.25)


def test_an_empty_can_is_found_in_its_share(band, measure):
    rng = np.random.default_rng(5)
    can = 2.0 + np.cos(0.3 * np.arange(24))[:, None] * np.sin(0.2 * np.arange(30))
    image = 400.0 * band().predict(TRUTH)[0] + 30.0 * can
    one = replace(measure(rng.poisson(image).astype(float)), provenance={"counts_per_unit": 1.0})
    objective = poisson_likelihood([one], background=BackgroundForm("none", empty=(can,)))
    ((_, found),) = objective.inner(band().predict(TRUTH))
    assert found.coefficients[0] == pytest.approx(30.0, rel=0.02)
    assert found.scale == pytest.approx(400.0, rel=0.02)


def test_bad_requests_are_named(counted, measure):
    with pytest.raises(FitError, match="nothing was counted"):
        poisson_likelihood([replace(measure(np.zeros((24, 30))), provenance={"counts_per_unit": 1.0})])
    with pytest.raises(FitError, match="more freedom"):
        few = counted()
        valid = np.zeros(few.shape, bool)
        valid[0] = True
        poisson_likelihood([replace(few, valid=valid)], background=BackgroundForm(least_counts=0))
    with pytest.raises(FitError, match="at least one measurement"):
        gaussian_likelihood([])
    with pytest.raises(FitError, match="standard deviation"):
        gaussian_likelihood([measure(np.ones((24, 30)), std=np.zeros((24, 30)))])
    with pytest.raises(FitError, match="degrees of freedom"):
        student_likelihood([measure(np.ones((24, 30)), std=np.ones((24, 30)))], nu=0.0)
    with pytest.raises(FitError, match="groups"):
        BackgroundForm("column")
    with pytest.raises(FitError, match="decay"):
        BackgroundForm(decays=(0.0,))
    with pytest.raises(FitError, match="degree"):
        BackgroundForm(degree=(-1, 0))


def test_it_is_an_objective_like_the_others_and_can_be_bootstrapped(counted, band, box):
    measurement = counted(per_mean=4.0)
    problem = Problem(band(), poisson_likelihood([measurement]))
    assert isinstance(problem.objective, Objective)
    best = gauss_newton(problem, TRUTH, box=box).parameters
    replicas = block_bootstrap(problem, best, box, measurements=[measurement], block=(3, 5), n_replica=60)
    predictions, jacobians = problem.linearise(best, box)
    _, matrix = problem.objective.normal_equations(predictions, jacobians)
    std = np.sqrt(np.diag(problem.objective.covariance(predictions, jacobians, matrix)))
    # Sixty replicas of 48 blocks: 9 % and 10 %; blocks drawn twice leave rows with fewer pixels, which widens a little.
    assert replicas.covariance().std / std == pytest.approx(np.ones(3), abs=0.45)
