"""Which law of noise a measurement gets, known scales, and measured backgrounds."""

from dataclasses import replace

import numpy as np
import pytest

from spinscape.errors import FitError
from spinscape.experiment.measurement import ThermalMeasurement
from spinscape.infer.background_terms import BackgroundForm
from spinscape.infer.box import Box
from spinscape.infer.counts import are_counts
from spinscape.infer.poisson import gaussian_likelihood, likelihood, poisson_likelihood
from spinscape.infer.problem import Problem

TRUTH = np.array([12.0, 5.0, 2.0])
BOX = Box.from_intervals({"a": (6.0, 20.0), "b": (1.0, 9.0), "width": (1.0, 4.0)})


def counted(band, measure, *, per_unit=400.0, seed=1, background=0.05):
    image = band().predict(TRUTH)[0]
    counts = np.random.default_rng(seed).poisson(per_unit * (image + background)).astype(float)
    std = np.sqrt(np.maximum(counts, 1.0)) / per_unit
    return measure(counts / per_unit, std=std)


def test_counts_are_told_from_their_errors_and_zero_counts_are_data(band, measure):
    one = counted(band, measure, per_unit=20.0, background=0.01)
    assert (one.signal == 0).sum() > 100
    objective = likelihood([one])
    assert objective.sets[0].law.kind == "poisson" and objective.sets[0].pixels.n_pixel == one.signal.size
    images = band().predict(TRUTH)
    assert objective.value(images) == pytest.approx(poisson_likelihood([one]).value(images))
    assert objective.quality(images)["law_0"] == "poisson"


def test_other_errors_make_it_gauss_law(band, measure):
    one = counted(band, measure)
    other = replace(one, std=np.full(one.shape, 0.03))
    assert are_counts(one) and not are_counts(other)
    objective = likelihood([one, replace(other, name="other")])
    assert [s.law.kind for s in objective.sets] == ["poisson", "gaussian"]
    # A background that was taken off leaves no counts, nor do errors that were read off the signal.
    assert not are_counts(replace(one, signal=one.signal - 0.1, provenance={"counts_per_unit": 400.0}))
    assert not are_counts(replace(one, provenance={"noise": {"std": "estimated"}}))


def test_a_known_scale_is_kept_and_a_wrong_one_costs(band, measure):
    one = counted(band, measure)
    for make in (poisson_likelihood, gaussian_likelihood):
        free = make([one]).quality(band().predict(TRUTH))
        known = make([one], scale=1.0)
        quality = known.quality(band().predict(TRUTH))
        assert quality["scale_0"] == 1.0 and quality["dof"] == free["dof"] + 1
        # One more number fitted lowers the deviance by χ²₁: 16 is four standard deviations.
        assert 0.0 <= quality["deviance"] - free["deviance"] < 16.0
        assert make([one], scale=1.3).quality(band().predict(TRUTH))["deviance"] > free["deviance"] + 500.0


def test_a_known_scale_makes_the_intensity_tell(band, measure):
    """Where the scale is free the width is known from shapes alone; a known scale can only add."""
    image = band().predict(TRUTH)[0]
    one, stds = measure(image + 0.05, std=np.full(image.shape, 0.03)), []
    for scale in (None, 1.0):
        problem = Problem(band(), gaussian_likelihood([one], background=BackgroundForm("none", (0, 0)), scale=scale))
        predictions, jacobians = problem.linearise(TRUTH, BOX)
        _, matrix = problem.objective.normal_equations(predictions, jacobians)
        stds.append(np.sqrt(np.diag(problem.objective.covariance(predictions, jacobians, matrix))))
    assert np.all(stds[1] <= stds[0] * (1 + 1e-9)) and stds[1][2] < 0.99 * stds[0][2]


def test_the_derivative_with_a_known_scale_is_that_of_differences(band, measure):
    one = counted(band, measure)
    images, rng = band().predict(TRUTH), np.random.default_rng(4)
    move = 1e-5 * rng.normal(size=images[0].shape)
    for form in (BackgroundForm("row"), BackgroundForm("none", (1, 1)), BackgroundForm("row", decays=(9.0,))):
        objective = gaussian_likelihood([one], background=form, scale=1.1)
        _, (slope,) = objective.derivative(images)
        difference = objective.value((images[0] + move,)) - objective.value((images[0] - move,))
        assert float((slope * move).sum()) == pytest.approx(difference / 2, rel=1e-3, abs=1e-9)


def test_a_measured_background_is_taken_at_its_own_share(band, measure):
    rng = np.random.default_rng(7)
    image = band().predict(TRUTH)[0]
    can = 0.2 + 0.1 * np.sin(np.arange(image.shape[1]) / 3.0) + 0.05 * np.cos(np.arange(image.shape[0]))[:, None]
    one = measure(image + 0.7 * can + 0.01 * rng.normal(size=image.shape), std=np.full(image.shape, 0.01))
    objective = gaussian_likelihood([one], background=BackgroundForm("none", empty=(can,)))
    ((_, found),) = objective.inner((image,))
    assert found.coefficients == pytest.approx([0.7], abs=0.01) and found.scale == pytest.approx(1.0, abs=0.02)
    with pytest.raises(FitError, match="not finite"):
        gaussian_likelihood([one], background=BackgroundForm("none", empty=(np.full(image.shape, np.nan),)))


def test_a_table_over_the_temperature_has_neither_scale_nor_background():
    t = np.linspace(2.0, 50.0, 25)
    table = ThermalMeasurement(
        "chi", "susceptibility", t, (1.0 / t)[:, None], np.ones((25, 1), bool), np.full((25, 1), 0.01)
    )
    objective = likelihood([table], background=BackgroundForm("none"), scale=1.0)
    assert objective.dof == 25 and objective.value(((1.0 / t)[:, None],)) == pytest.approx(0.0, abs=1e-20)
    assert objective.value(((1.0 / t + 0.01)[:, None],)) == pytest.approx(25.0)
