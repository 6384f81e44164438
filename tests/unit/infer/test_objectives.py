"""Objectives against plain references, and what they must not depend on."""

from dataclasses import replace

import numpy as np
import pytest

from spinscape.errors import FitError
from spinscape.infer.objectives import chi2_profiled, correlation, objective_by_name
from spinscape.infer.problem import Problem

HERE = np.array([13.6, 4.8, 2.2])


def chi2_reference(measurement, image):
    """Weighted least squares with explicit columns: the model, and one constant for each energy."""
    q, e = np.nonzero(measurement.valid)
    columns = [image[q, e]] + [(e == k).astype(float) for k in np.unique(e)]
    root = 1.0 / measurement.std[q, e]
    design, target = np.stack(columns, axis=1) * root[:, None], measurement.signal[q, e] * root
    solution = np.linalg.lstsq(design, target, rcond=None)[0]
    return float(((target - design @ solution) ** 2).sum()), float(solution[0])


def spoiled(measurement, fill):
    signal = measurement.signal.copy()
    signal[~measurement.valid] = fill
    std = measurement.std
    if std is not None:
        std = std.copy()
        std[~measurement.valid] = fill
    return replace(measurement, signal=signal, std=std)


def test_chi2_is_that_of_explicit_least_squares(noisy, band):
    measurement, image = noisy(), band().predict(HERE)[0]
    objective = chi2_profiled([measurement])
    chi2, scale = chi2_reference(measurement, image)
    assert objective.value((image,)) == pytest.approx(chi2, rel=1e-10)
    assert objective.profiled((image,))[0][0] == pytest.approx(scale, rel=1e-10)
    assert objective.dof == measurement.valid.sum() - 30 - 1


def test_chi2_with_a_known_background_eliminates_the_scale_alone(noisy, band):
    measurement, image = noisy(), band().predict(HERE)[0]
    ok, objective = measurement.valid, chi2_profiled([measurement], free_background=False)
    d, m = measurement.signal[ok] / measurement.std[ok], image[ok] / measurement.std[ok]
    assert objective.value((image,)) == pytest.approx(d @ d - (d @ m) ** 2 / (m @ m), rel=1e-10)
    assert objective.dof == ok.sum() - 1


def test_correlation_is_that_of_numpy(noisy, band):
    measurement, image = noisy(), band().predict(HERE)[0]
    shifted = replace(measurement, signal=np.maximum(measurement.signal, 0.0))
    ok = measurement.valid
    r = np.corrcoef(np.log1p(2.0 * shifted.signal[ok]), np.log1p(0.5 * image[ok]))[0, 1]
    objective = correlation([shifted], c_data=2.0, c_model=0.5)
    assert objective.value((image,)) == pytest.approx(1.0 - r, abs=1e-12)
    assert objective.quality((image,))["r"] == pytest.approx(r, abs=1e-12)


def test_several_sets_are_weighted_by_their_pixels(noisy, band):
    first, second = noisy(1), noisy(2, missing=False)
    images = band(n_set=2).predict(HERE)
    make = lambda *sets: correlation([replace(m, signal=np.maximum(m.signal, 0.0)) for m in sets])  # noqa: E731
    n = [first.valid.sum(), second.valid.sum()]
    apart = [make(first).value(images[:1]), make(second).value(images[1:])]
    assert make(first, second).value(images) == pytest.approx(np.average(apart, weights=n), abs=1e-12)
    sums = [chi2_profiled([first]).value(images[:1]), chi2_profiled([second]).value(images[1:])]
    assert chi2_profiled([first, second]).value(images) == pytest.approx(sum(sums), rel=1e-12)


@pytest.fixture(params=["correlation", "chi2_profiled", "known background"])
def make_objective(request):
    if request.param == "correlation":
        return lambda sets: correlation(
            [replace(m, signal=np.where(m.valid, np.maximum(m.signal, 0.0), m.signal)) for m in sets]
        )
    return lambda sets: chi2_profiled(sets, free_background=request.param == "chi2_profiled")


@pytest.mark.parametrize("fill", [np.nan, 1e30, -3.0])
@pytest.mark.parametrize("with_std", [True, False])
def test_masked_values_change_no_bit(noisy, band, make_objective, fill, with_std):
    measurement, images = noisy(with_std=with_std), band().predict(HERE)
    clean, dirty = make_objective([measurement]), make_objective([spoiled(measurement, fill)])
    assert clean.value(images) == dirty.value(images)
    for a, b in zip(clean.derivative(images)[1], dirty.derivative(images)[1], strict=True):
        assert np.array_equal(a, b)


def test_the_derivative_by_the_image_is_that_of_differences(noisy, band, make_objective):
    objective, image = make_objective([noisy()]), band().predict(HERE)[0]
    value, (slope,) = objective.derivative((image,))
    assert value == pytest.approx(objective.value((image,)), rel=1e-12)
    assert not slope[4:9, 10:20].any()
    direction = np.random.default_rng(0).normal(size=image.shape)
    step = 1e-6
    difference = (
        (objective.value((image + step * direction,)) - objective.value((image - step * direction,))) / 2 / step
    )
    assert (slope * direction).sum() == pytest.approx(difference, rel=1e-5)


def test_the_gradient_of_the_normal_equations_is_that_of_differences(noisy, band, box, make_objective):
    problem = Problem(band(), make_objective([noisy()]))
    gradient, matrix = problem.objective.normal_equations(*problem.linearise(HERE, box))
    for k in range(3):
        step = 1e-5 * np.eye(3)[k]
        assert gradient[k] == pytest.approx((problem(HERE + step) - problem(HERE - step)) / 2e-5, rel=1e-4)
    assert np.linalg.eigvalsh(matrix)[0] > 0


def test_gauss_newton_is_the_hessian_where_the_model_is_right(noisy, band, box, make_objective):
    """Without noise and background the residuals vanish, and with them what Gauss and Newton leave out."""
    measurement = noisy(noise=1e-6, missing=False)
    clean = replace(measurement, signal=40.0 * band().predict(np.array([14.0, 5.0, 2.0]))[0])
    objective = (
        make_objective([clean]) if make_objective([clean]).kind != "correlation" else correlation([clean], c_model=40.0)
    )
    problem, at = Problem(band(), objective), np.array([14.0, 5.0, 2.0])
    _, matrix = objective.normal_equations(*problem.linearise(at, box))
    step = 2e-3
    for k in range(3):
        up, down = problem(at + step * np.eye(3)[k]), problem(at - step * np.eye(3)[k])
        assert matrix[k, k] == pytest.approx((up - 2 * problem(at) + down) / step**2, rel=1e-3)


def test_weights_are_repetitions(noisy, band, make_objective):
    """A pixel with weight two counts as if it were there twice: a set with all pixels twice is a doubled set."""
    measurement, images = noisy(), band().predict(HERE)
    objective = make_objective([measurement])
    twice = objective.reweighted((np.full(measurement.shape, 2.0),))
    factor = 1.0 if objective.kind == "correlation" else 2.0
    assert twice.value(images) == pytest.approx(factor * objective.value(images), rel=1e-12)
    dropped = np.ones(measurement.shape)
    dropped[10:] = 0.0
    without = make_objective([replace(measurement, valid=measurement.valid & (dropped > 0))])
    if measurement.std is not None:
        assert objective.reweighted((dropped,)).value(images) == pytest.approx(without.value(images), rel=1e-10)


def test_a_subset_is_an_objective_of_those_pixels(noisy, band, make_objective):
    measurement, images = noisy(), band().predict(HERE)
    objective = make_objective([measurement])
    chosen = np.sort(np.random.default_rng(1).choice(objective.pixels[0].n_pixel, 200, replace=False))
    mask = np.zeros(measurement.shape)
    mask.reshape(-1)[objective.pixels[0].index[chosen]] = 1.0
    sub = objective.subset((chosen,))
    assert sub.value(images) == pytest.approx(objective.reweighted((mask,)).value(images), rel=1e-10)
    assert sub.value_of_pixels(sub.gather(images)) == sub.value(images)


def test_a_negative_scale_becomes_none(noisy, band):
    measurement, images = noisy(), band().predict(HERE)
    objective = chi2_profiled([measurement])
    upside_down = (-images[0],)
    background_alone = chi2_reference(measurement, np.zeros(measurement.shape))[0]
    assert objective.value(upside_down) == pytest.approx(background_alone, rel=1e-10)
    assert objective.quality(upside_down)["scale_0"] == 0.0
    assert not objective.derivative(upside_down)[1][0].any()


def test_models_without_contrast_explain_nothing(noisy, band):
    measurement = noisy()
    flat = (np.full(measurement.shape, 0.3),)
    clipped = replace(measurement, signal=np.maximum(measurement.signal, 0.0))
    assert correlation([clipped]).value(flat) == 1.0
    assert chi2_profiled([measurement]).value(flat) == pytest.approx(
        chi2_reference(measurement, np.zeros(measurement.shape))[0], rel=1e-10
    )


def test_rows_with_one_pixel_or_none_say_nothing(noisy, band):
    measurement, images = noisy(), band().predict(HERE)
    valid = measurement.valid.copy()
    valid[:, 3] = False
    thin = valid.copy()
    thin[2, 3] = True
    without, with_one = (chi2_profiled([replace(measurement, valid=v)]) for v in (valid, thin))
    assert with_one.value(images) == pytest.approx(without.value(images), rel=1e-12)
    assert with_one.dof == without.dof
    assert np.isfinite(with_one.fitted(images)[0]).all() and np.isfinite(without.fitted(images)[0]).all()


def test_the_fit_lies_on_the_data(noisy, band):
    measurement, images = noisy(), band().predict(np.array([14.0, 5.0, 2.0]))
    objective, ok = chi2_profiled([measurement]), measurement.valid
    residual = objective.residuals(images)[0]
    assert np.allclose(residual[ok], ((measurement.signal - objective.fitted(images)[0]) / measurement.std)[ok])
    assert (residual**2).sum() == pytest.approx(objective.value(images), rel=1e-12)
    clipped = replace(measurement, signal=np.maximum(measurement.signal, 0.0))
    fitted = correlation([clipped]).fitted(images)[0]
    rest = correlation([clipped]).residuals(images)[0]
    expected = (np.log1p(clipped.signal) - fitted)[ok]
    assert rest[ok] == pytest.approx(expected / np.sqrt(np.mean(expected**2)), abs=1e-10)
    assert not rest[~ok].any()
    assert np.log1p(clipped.signal[ok]).mean() == pytest.approx(fitted[ok].mean(), rel=1e-12)


@pytest.mark.parametrize("kind", ["correlation", "chi2_profiled"])
def test_data_that_cannot_be_fitted_are_refused(noisy, measure, kind):
    nothing = replace(noisy(), valid=np.zeros((24, 30), bool))
    with pytest.raises(FitError, match="no pixel of the measurement is valid"):
        objective_by_name(kind, [nothing])
    with pytest.raises(FitError, match="at least one measurement"):
        objective_by_name(kind, [])


def test_each_objective_says_what_it_cannot_use(noisy, measure):
    measurement = noisy()
    with pytest.raises(FitError, match="clip_negative"):
        correlation([replace(measurement, signal=measurement.signal - 20.0)])
    with pytest.raises(FitError, match="constant"):
        correlation([measure(np.full((4, 4), 2.0))])
    with pytest.raises(FitError, match="no usable standard deviation"):
        chi2_profiled([replace(measurement, std=np.zeros(measurement.shape))])
    with pytest.raises(FitError, match="too few valid pixels"):
        chi2_profiled([measure(np.ones((4, 4)), valid=np.eye(4, dtype=bool), std=np.ones((4, 4)))])
    with pytest.raises(FitError, match="unknown objective"):
        objective_by_name("chi3", [measurement])
