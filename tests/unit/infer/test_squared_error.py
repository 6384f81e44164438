"""Squared error with a profiled scale and a leak: closed form, derivatives, masks, errors."""

import numpy as np
import pytest

from spinscape.errors import FitError
from spinscape.infer.objectives import objective_by_name
from spinscape.infer.squared_error import squared_error

RNG = np.random.default_rng(8)
DATA, MODEL = RNG.normal(size=(2, 6, 5)) + 2.0
VALID = RNG.random((6, 5)) > 0.2
JACOBIAN = RNG.normal(size=(3, 6, 5))


@pytest.fixture
def objective(measure):
    return squared_error([measure(np.where(VALID, DATA, np.nan), valid=VALID)], leak=0.03)


def reference(model):
    """The same in a few lines of numpy: energies are 0 to 4 meV, six momenta."""
    x, y = model[VALID], DATA[VALID]
    scale = x @ y / (x @ x)
    return np.sum((y - scale * x) ** 2) / (y @ y) + 0.03 * 4.0**2 * np.sum(model[:, -1] ** 2) / 6


def test_value_is_one_minus_the_squared_cosine_and_the_leak(objective):
    assert objective.value([MODEL]) == pytest.approx(reference(MODEL), rel=1e-12)
    x, y = MODEL[VALID], DATA[VALID]
    assert objective.quality([MODEL])["error"] == pytest.approx(1 - (x @ y) ** 2 / (x @ x) / (y @ y), rel=1e-12)
    assert objective.coarse().value([MODEL]) == pytest.approx(objective.quality([MODEL])["error"], rel=1e-12)


def test_the_scale_of_data_and_the_masked_pixels_do_not_matter(measure, objective):
    signal = np.where(VALID, 7.0 * DATA, 1e30)
    other = squared_error([measure(signal, valid=VALID)], leak=0.03)
    assert other.value([MODEL]) == pytest.approx(objective.value([MODEL]), rel=1e-12)


def test_derivatives_against_differences(objective):
    value, (slope,) = objective.derivative([MODEL])
    assert value == objective.value([MODEL])
    gradient, _ = objective.normal_equations([MODEL], [JACOBIAN])
    for k, direction in enumerate(JACOBIAN):
        up, down = (objective.value([MODEL + s * 1e-5 * direction]) for s in (1, -1))
        assert np.sum(slope * direction) == pytest.approx((up - down) / 2e-5, abs=1e-8)
        assert gradient[k] == pytest.approx((up - down) / 2e-5, abs=1e-8)


def test_the_gauss_newton_matrix_is_the_curvature_where_the_model_fits(measure):
    objective = squared_error([measure(3.0 * MODEL)], leak=0.0)
    _, matrix = objective.normal_equations([MODEL], [JACOBIAN])
    numeric = np.empty((3, 3))
    for i, a in enumerate(JACOBIAN):
        for j, b in enumerate(JACOBIAN):
            corners = [objective.value([MODEL + 1e-4 * (s * a + t * b)]) for s in (1, -1) for t in (1, -1)]
            numeric[i, j] = (corners[0] - corners[1] - corners[2] + corners[3]) / 4e-8
    np.testing.assert_allclose(matrix, numeric, rtol=1e-4, atol=1e-6)


def test_errors_are_those_of_repeated_noise(measure):
    """Least squares of a line of known noise: the covariance is that of many data sets."""
    truth, sigma = np.array([0.0, 0.0, 0.0]), 0.05
    found = []
    for seed in range(200):
        data = MODEL + np.random.default_rng(seed).normal(scale=sigma, size=MODEL.shape)
        objective = squared_error([measure(data)])
        gradient, matrix = objective.normal_equations([MODEL], [JACOBIAN])
        found.append(truth - np.linalg.solve(matrix, gradient))
    covariance = objective.covariance([MODEL], [JACOBIAN], matrix)
    # Two hundred samples know a standard deviation to 5 %; four times that.
    np.testing.assert_allclose(np.sqrt(np.diag(covariance)), np.std(found, axis=0), rtol=0.2)


def test_a_model_that_points_the_other_way_is_absent(objective):
    assert objective.quality([-MODEL])["error"] == 1.0 and objective.quality([-MODEL])["scale_0"] == 0.0
    assert np.all(objective.fitted([-MODEL])[0] == 0.0)


def test_counting_pixels_twice_is_doubling_their_weight(measure, objective):
    twice = objective.reweighted([np.where(np.arange(5) > 2, 2.0, 1.0) * np.ones((6, 1))])
    x, y = MODEL[VALID], DATA[VALID]
    w = (np.where(np.arange(5) > 2, 2.0, 1.0) * np.ones((6, 1)))[VALID]
    scale = (w * x) @ y / ((w * x) @ x)
    expected = np.sum(w * (y - scale * x) ** 2) / np.sum(w * y * y)
    assert twice.quality([MODEL])["error"] == pytest.approx(expected, rel=1e-12)


def test_several_measurements_share_by_their_pixels(measure):
    one, two = measure(DATA), measure(DATA[:3])
    both = squared_error([one, two])
    parts = squared_error([one]).value([MODEL]), squared_error([two]).value([MODEL[:3]])
    assert both.value([MODEL, MODEL[:3]]) == pytest.approx((2 * parts[0] + parts[1]) / 3, rel=1e-12)


def test_residuals_have_mean_square_one(objective):
    rest = objective.residuals([MODEL])[0]
    assert np.mean(rest[VALID] ** 2) == pytest.approx(1.0) and np.all(rest[~VALID] == 0.0)


def test_data_without_signal_are_refused(measure):
    with pytest.raises(FitError, match="zero"):
        objective_by_name("squared_error", [measure(np.zeros((6, 5)))], leak=0.1)
    with pytest.raises(FitError, match="at least one"):
        squared_error([])
