"""The test of line shapes: silent where the shape is right, loud where lines have tails."""

import numpy as np
import pytest

from spinscape.infer.gauss_newton import gauss_newton
from spinscape.infer.line_shape_test import line_shape_test, shape_changes
from spinscape.infer.poisson import gaussian_likelihood
from spinscape.infer.problem import Problem

TRUTH = np.array([14.0, 5.0, 2.0])
FWHM = 2.3548 * TRUTH[2]


def tailed(mixing):
    """Return the band with pseudo-Voigt lines of the same FWHM."""
    q, energy = np.arange(24) / 24, np.arange(30.0)
    x = energy - (14.0 + 5.0 * np.cos(2 * np.pi * q))[:, None]
    gauss, lorentz = np.exp(-0.5 * (x / 2.0) ** 2) / 2.0, 1.0 / (x**2 + (FWHM / 2) ** 2)
    return (1 - mixing) * gauss + mixing * lorentz * (FWHM / 2) / np.pi * np.sqrt(2 * np.pi)


def outcome(image, seed, band, box, measure, *, noise=0.5):
    signal = 40.0 * image + 3.0 + np.random.default_rng(seed).normal(scale=noise, size=image.shape)
    data = measure(signal, std=np.full(image.shape, noise))
    problem = Problem(band(), gaussian_likelihood([data]))
    best = gauss_newton(problem, TRUTH, box=box).parameters
    return line_shape_test(problem, best, box, measurements=[data], fwhm=FWHM)


def test_under_the_right_shape_amplitudes_are_standard_normal(band, box, measure):
    found = [outcome(tailed(0.0), seed, band, box, measure) for seed in range(40)]
    for name in ("tails", "lean"):
        sizes = np.array([t.amplitudes[name] for t in found])
        # The mean of 40 has the error 0.16, their standard deviation 0.11: four errors each.
        assert abs(sizes.mean()) < 0.64 and abs(sizes.std() - 1.0) < 0.44
    # At 5 %: 2 of 40 expected; seven or more have a chance of 0.3 %.
    assert sum(t.fires(0.05) for t in found) < 7


def test_tails_are_seen_and_named(band, box, measure):
    found = [outcome(tailed(0.4), seed, band, box, measure) for seed in range(10)]
    assert all(t.fires(0.01) for t in found)
    assert np.mean([t.amplitudes["tails"] for t in found]) > 4.0


def test_the_forms_of_a_gaussian_are_its_own(band):
    image = band().predict(np.array([14.0, 0.0, 4.0]))[0]
    energies = np.arange(30.0)
    forms = shape_changes(image, energies, fwhm=FWHM)
    x = (energies - 14.0) / 4.0
    third = (3 * x - x**3) * image[0] / 64.0
    assert forms["lean"][0][6:23] == pytest.approx(FWHM**3 * third[6:23], abs=0.15 * FWHM**3 * np.abs(third).max())
    # Weight leaves the peak for the tails, and only the window's edges lose any.
    assert forms["tails"][0][14] < 0 < forms["tails"][0][4]
    assert -0.35 * image[0].sum() < forms["tails"][0].sum() <= 0


def test_the_shift_is_that_of_a_fit_with_tails_as_a_parameter(band, box, measure):
    """One step of least squares with the form of tails as one more column."""
    image = 40.0 * tailed(0.2) + 3.0
    data = measure(image, std=np.full(image.shape, 0.5))
    problem = Problem(band(), gaussian_likelihood([data]))
    best = gauss_newton(problem, TRUTH, box=box, tolerance=1e-6).parameters
    found = line_shape_test(problem, best, box, measurements=[data], fwhm=FWHM)
    (prediction,), (jacobian,) = problem.linearise(best, box)
    form = shape_changes(prediction, data.energy.centres, fwhm=FWHM)["tails"]
    scale = problem.objective.quality((prediction,))["scale_0"]
    rows = np.kron(np.ones((24, 1)), np.eye(30))
    columns = [*(scale * jacobian).reshape(3, -1), form.ravel(), prediction.ravel(), *rows.T]
    rest = data.signal - problem.objective.fitted((prediction,))[0]
    step = np.linalg.lstsq(np.column_stack(columns), rest.ravel(), rcond=None)[0]
    assert found.shift == pytest.approx(step[:3], rel=0.02, abs=2e-3)
    assert found.amplitudes["tails"] > 2.0
