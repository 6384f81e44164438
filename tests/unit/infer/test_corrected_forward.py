"""The Gaussian approximation corrected by simulated ratios: exact for polynomials, with derivatives and errors."""

from types import SimpleNamespace

import numpy as np
import pytest

from spinscape.errors import FitError
from spinscape.infer.corrected_forward import CorrectedForward, CorrectedPart, basis, fit_correction

RNG = np.random.default_rng(6)
THETA = RNG.uniform([1.0, -1.0, 2.0], [2.0, 1.0, 2.0], (40, 3))
"""The third coupling is fixed."""
CENTRE, WIDTH = THETA.mean(axis=0), np.ptp(THETA, axis=0) / 2


def truth(theta, n_row=5):
    """Return a quadratic ratio on rows, (n_point, n_row)."""
    x, y = theta[:, :1], theta[:, 1:2]
    row = np.arange(n_row)
    return 1.0 + 0.1 * row + 0.2 * x - 0.05 * row * y + 0.03 * x * y + 0.02 * y**2


def test_a_polynomial_is_found_to_rounding_and_its_derivatives():
    found = fit_correction(THETA, truth(THETA), np.full((40, 5), 0.1), degree=2)
    assert len(found.terms) == 6 and found.chi2_per_dof < 1e-20
    at = np.array([1.3, 0.4, 2.0])
    np.testing.assert_allclose(found.values(at), truth(at[None])[0], rtol=1e-12)
    for k in range(2):
        step = 1e-5 * np.eye(3)[k]
        numerical = (found.values(at + step) - found.values(at - step)) / 2e-5
        np.testing.assert_allclose(found.gradient(at)[k], numerical, rtol=1e-7, atol=1e-9)
    assert not found.gradient(at)[2].any()


def test_noise_and_a_degree_that_is_too_low_are_told():
    noisy = truth(THETA) + 0.05 * RNG.standard_normal((40, 5))
    error = np.full((40, 5), 0.05)
    good = fit_correction(THETA, noisy, error, degree=2)
    # 170 degrees of freedom: four standard deviations are 0.43.
    assert abs(good.chi2_per_dof - 1.0) < 4 * np.sqrt(2 / 170)
    low = fit_correction(THETA, truth(THETA), error / 10, degree=0)
    assert low.chi2_per_dof > 10
    phi = basis((THETA - CENTRE) / np.where(WIDTH > 0, WIDTH, 1), good.terms)
    constant = np.sqrt(np.linalg.inv(phi.T @ phi)[0, 0]) * 0.05
    np.testing.assert_allclose(good.std, constant, rtol=1e-10)


def test_rows_between_rows():
    found = fit_correction(THETA, truth(THETA), np.full((40, 5), 0.1), degree=2)
    weights = np.array([[0.5, 0.5, 0, 0, 0], [0, 0, 0, 0, 1.0]])
    at = np.array([1.3, 0.4, 2.0])
    np.testing.assert_allclose(found.mixed(weights).values(at), weights @ found.values(at))
    everywhere = found.spread(np.array([1, 2, 4, 5, 6]), 8)
    np.testing.assert_allclose(everywhere.values(at)[[1, 2, 4, 5, 6]], found.values(at), rtol=1e-14)
    assert not everywhere.values(at)[[0, 3, 7]].any() and not everywhere.gradient(at)[:, [0, 3, 7]].any()


def test_a_corrected_part_and_its_region():
    slope = np.array([[1.0], [2.0], [3.0], [4.0], [5.0]])
    plain = SimpleNamespace(
        predict=lambda theta: slope * theta[0] ** 2,
        gradient=lambda theta: np.stack([2 * slope * theta[0], 0 * slope, 0 * slope]),
    )
    correction = fit_correction(THETA, truth(THETA), np.full((40, 5), 0.1), degree=2)
    source = CorrectedForward(
        (CorrectedPart(plain, correction),), ("a", "b"), np.array([0.0, 0.0, 2.0]), np.array([0, 1]),
        lower=THETA.min(axis=0), upper=THETA.max(axis=0),
    )  # fmt: skip
    at = np.array([1.4, 0.2])
    np.testing.assert_allclose(
        source.predict(at)[0][:, 0], slope[:, 0] * 1.4**2 * truth(np.array([[1.4, 0.2, 2.0]]))[0]
    )
    for k in range(2):
        step = 1e-5 * np.eye(2)[k]
        numerical = (source.predict(at + step)[0] - source.predict(at - step)[0]) / 2e-5
        np.testing.assert_allclose(source.gradient(at)[0][k], numerical, rtol=1e-6, atol=1e-9)
    assert source.outside(at) == () and source.outside(np.array([2.5, 0.0])) == ("theta",)


def test_too_few_points_are_refused():
    with pytest.raises(FitError, match="too few"):
        fit_correction(THETA[:8], truth(THETA[:8]), np.ones((8, 5)), degree=2)
