"""χ² in latent numbers: its metric is that of the data's noise, its derivatives those of the encoder."""

import numpy as np
import pytest
from scipy.optimize import minimize

from spinscape.errors import FitError, ShapeError
from spinscape.infer.background_terms import BackgroundForm
from spinscape.infer.box import Box
from spinscape.infer.gauss_newton import gauss_newton
from spinscape.infer.generator_forward import generator_forward
from spinscape.infer.intervals import few_counts
from spinscape.infer.latent_chi2 import latent_chi2
from spinscape.infer.problem import Problem
from spinscape.learn.compressor import fit_pca
from spinscape.learn.images import Transform

from .test_generator_forward import Hills
from .test_robust_tiled import N, hills, measured, plane

BOX = Box.from_intervals({"x": (0.2, 1.8), "y": (0.2, 1.8)})
TRUTH = np.array([0.7, 1.2])


@pytest.fixture(scope="module")
def compressor():
    rng = np.random.default_rng(1)
    images = np.array([hills(BOX.from_unit(u)) for u in rng.random((150, 2))])
    return fit_pca(images, n_latent=6, transform=Transform("log1p"))


def noisy(seed, scale=1.0):
    rng = np.random.default_rng(seed)
    return measured(scale * (hills(TRUTH) + 0.05 * rng.standard_normal(N * N)), std=0.05 * scale)


def problem(compressor, data, **how):
    forward = generator_forward(Hills(), [data], voxels=[(plane(), 0)])
    return Problem(forward, latent_chi2([data], compressor=compressor, **how))


def test_at_the_truth_it_is_chi2_of_as_many_numbers(compressor):
    values = [problem(compressor, noisy(seed))(TRUTH) for seed in range(60)]
    # C comes from 96 copies: without the correction 1.08 in the mean.
    assert np.mean(values) / 6.0 == pytest.approx(1.0, abs=4 * np.sqrt(2.0 / 6 / 60))


def test_the_metric_is_the_inverse_of_the_noises_covariance(compressor):
    """Of a linear encoder it is known: C = σ² V Vᵀ = σ², as the components are orthonormal."""
    linear = fit_pca(np.array([hills(BOX.from_unit(u)) for u in np.random.default_rng(1).random((150, 2))]), n_latent=6)
    traces = []
    for seed in range(30):
        metric = latent_chi2([noisy(seed)], compressor=linear, seed=seed).metric
        traces.append(np.trace(metric.T @ metric) * 0.05**2 / 6)
    # An eigenvalue of the inverse scatters by √(2/96); the correction is 8 %.
    assert np.mean(traces) == pytest.approx(1.0, abs=4 * np.std(traces) / np.sqrt(30))
    assert np.std(traces) / np.sqrt(30) < 0.015


def test_its_derivative_is_the_encoders(compressor):
    one, here = problem(compressor, noisy(1)), np.array([0.75, 1.1])
    predictions, jacobians = one.linearise(here, BOX)
    gradient, matrix = one.objective.normal_equations(predictions, jacobians)
    steps = 1e-4 * np.eye(2)
    assert gradient == pytest.approx([(one(here + s) - one(here - s)) / 2e-4 for s in steps], rel=1e-3)
    assert np.linalg.eigvalsh(matrix)[0] > 0


def test_the_fit_finds_the_couplings_within_its_errors(compressor):
    pulls = []
    for seed in range(8):
        one = problem(compressor, noisy(seed))
        best = gauss_newton(one, np.array([0.8, 1.1]), box=BOX).parameters
        predictions, jacobians = one.linearise(best, BOX)
        matrix = one.objective.normal_equations(predictions, jacobians)[1]
        covariance = one.objective.covariance(predictions, jacobians, matrix)
        pulls.append((best - TRUTH) / np.sqrt(np.diag(covariance)))
    assert np.sqrt(np.mean(np.square(pulls))) < 1.8


def test_the_data_are_brought_to_the_unit_of_the_simulations(compressor):
    scaled, plain = problem(compressor, noisy(1, scale=7.0), scale=7.0), problem(compressor, noisy(1))
    assert scaled.objective.latent == pytest.approx(plain.objective.latent)
    assert scaled(TRUTH) < 0.1 * problem(compressor, noisy(1, scale=7.0))(TRUTH)


def test_masked_pixels_are_never_read(compressor):
    data = hills(TRUTH)
    valid = np.ones(N * N, bool)
    valid[30:50] = False
    values = [
        latent_chi2([measured(np.where(valid, data, x), valid=valid, std=0.05)], compressor=compressor)
        for x in (0.0, 1e6)
    ]
    assert values[0].latent == pytest.approx(values[1].latent)


def test_its_terms_are_not_those_of_a_sum(compressor):
    """Scale and background are its terms; whether counts are few is asked of every objective."""
    assert not few_counts(problem(compressor, noisy(8)).objective)


def test_what_it_cannot_do_is_said(compressor):
    with pytest.raises(ShapeError, match="bin by bin"):
        latent_chi2([measured(hills(TRUTH, 10), std=0.1)], compressor=compressor)
    with pytest.raises(FitError, match="no derivative by single pixels"):
        problem(compressor, noisy(1)).objective.derivative((hills(TRUTH)[:, None],))


# Scale and background -------------------------------------------------------------------------------------------------

CONSTANT = BackgroundForm(constant="none", degree=(0, 0))


def raised(seed, *, scale=7.0, constant=0.4):
    """Return data in another unit, on a constant background."""
    rng = np.random.default_rng(seed)
    return measured(scale * (hills(TRUTH) + constant + 0.05 * rng.standard_normal(N * N)), std=0.05 * scale)


def pull_of(one, start=(0.8, 1.1)):
    best = gauss_newton(one, np.array(start), box=BOX).parameters
    predictions, jacobians = one.linearise(best, BOX)
    matrix = one.objective.normal_equations(predictions, jacobians)[1]
    return (best - TRUTH) / np.sqrt(np.diag(one.objective.covariance(predictions, jacobians, matrix)))


def test_the_papers_distance_is_a_special_case(compressor):
    one = problem(compressor, noisy(1), weights="equal").objective
    model = hills(np.array([0.9, 1.0]))
    plain = np.sum((compressor.encode(model[None]) - compressor.encode(one.data[None])) ** 2)
    assert one.value((model[:, None],)) == pytest.approx(plain, rel=1e-12)


@pytest.mark.parametrize("weights", ["noise", "equal"])
def test_scale_and_background_are_at_their_best(compressor, weights):
    one = problem(compressor, raised(1), scale=None, background=CONSTANT, weights=weights).objective
    model = hills(np.array([0.72, 1.18]))
    found = one.coefficients(model)
    assert (found > 0.1).all()

    def value(coefficients):
        latent = compressor.encode(one.terms.image(model, coefficients)[None])[0]
        return np.sum((one.metric @ (latent - one.latent)) ** 2)

    search = minimize(value, [1.0, 0.3], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-9})
    assert one.value((model[:, None],)) == pytest.approx(search.fun, rel=1e-5)
    assert found == pytest.approx(search.x, rel=1e-3)


def test_they_are_those_of_the_data(compressor):
    one = problem(compressor, raised(1), scale=None, background=CONSTANT)
    quality = one.objective.quality(one.forward.predict(TRUTH))
    assert quality["scale_0"] == pytest.approx(7.0, rel=0.1)
    assert quality["background_0"] * raised(1).signal.mean() == pytest.approx(7.0 * 0.4, rel=0.15)
    assert quality["dof"] == 4
    assert one(TRUTH) < 4 + 4 * np.sqrt(8)
    # Without them the same data have no good fit.
    assert problem(compressor, raised(1), scale=7.0)(TRUTH) > 100


def test_the_fit_is_the_same_in_any_unit(compressor):
    """The unit is taken off before anything is encoded."""
    values = []
    for scale in (1.0, 7.0):
        one = problem(compressor, raised(1, scale=scale), scale=None, background=CONSTANT, weights="equal").objective
        values.append(np.concatenate([one.latent, one.coefficients(hills(TRUTH))]))
    assert values[0] == pytest.approx(values[1], rel=1e-9)


def test_the_derivative_with_scale_and_background_eliminated(compressor):
    one, here = problem(compressor, raised(1), scale=None, background=CONSTANT), np.array([0.75, 1.1])
    gradient, matrix = one.objective.normal_equations(*one.linearise(here, BOX))
    steps = 1e-4 * np.eye(2)
    assert gradient == pytest.approx([(one(here + s) - one(here - s)) / 2e-4 for s in steps], rel=1e-3)
    # They cost information: less is left along every direction.
    fixed = problem(compressor, raised(1, constant=0.0), scale=7.0).objective
    whole = fixed.normal_equations(*problem(compressor, raised(1)).linearise(here, BOX))[1]
    assert np.linalg.eigvalsh(matrix)[0] < np.linalg.eigvalsh(whole)[0]


@pytest.mark.parametrize("weights", ["noise", "equal"])
def test_the_fit_with_scale_and_background_finds_the_couplings_within_its_errors(compressor, weights):
    how = {"scale": None, "background": CONSTANT, "weights": weights}
    pulls = np.array([pull_of(problem(compressor, raised(seed), **how)) for seed in range(40)])
    # Root mean square of 80 pulls, two and two correlated: 1 ± 0.11; metric from 96 copies: + 3 %.
    assert np.sqrt(np.mean(pulls**2)) == pytest.approx(1.03, abs=4 * 0.11)
    assert np.abs(pulls.mean(axis=0)).max() < 4 / np.sqrt(40)


def test_masked_pixels_are_no_part_of_scale_and_background(compressor):
    data = raised(1).signal.ravel()
    valid = np.ones(N * N, bool)
    valid[30:50] = False
    found = []
    for x in (0.0, 1e6):
        spoilt = measured(np.where(valid, data, x), valid=valid, std=0.35)
        one = problem(compressor, spoilt, scale=None, background=CONSTANT).objective
        found.append(one.coefficients(hills(TRUTH)))
    assert found[0] == pytest.approx(found[1])


def test_residuals_and_fit_are_in_the_unit_of_the_data(compressor):
    one = problem(compressor, raised(1), scale=None, background=CONSTANT)
    predictions = one.forward.predict(TRUTH)
    both = one.objective.fitted(predictions)[0] + one.objective.residuals(predictions)[0]
    assert both == pytest.approx(raised(1).signal)
    assert np.std(one.objective.residuals(predictions)[0]) == pytest.approx(0.35, rel=0.2)


def test_a_background_with_too_much_freedom_is_refused(compressor):
    with pytest.raises(FitError, match="as much freedom as there are latent numbers"):
        problem(compressor, raised(1), scale=None, background=BackgroundForm(constant="none", degree=(0, 5)))


def test_a_free_scale_needs_data_that_are_not_negative(compressor):
    with pytest.raises(FitError, match="cannot be compared"):
        problem(compressor, measured(-hills(TRUTH), std=0.05), scale=None)


def test_weights_that_do_not_exist_are_refused(compressor):
    with pytest.raises(FitError, match="weights that it knows"):
        problem(compressor, noisy(1), weights="paper")
