"""The map of acceptable couplings against the parabola that it must be near a well determined minimum."""

import numpy as np
import pytest

from spinscape.errors import FitError
from spinscape.infer.box import Box
from spinscape.infer.gauss_newton import gauss_newton
from spinscape.infer.intervals import information_covariance
from spinscape.infer.poisson import gaussian_likelihood
from spinscape.infer.problem import Problem
from spinscape.infer.region import LEVEL, acceptable_region
from spinscape.infer.uncertainty import Covariance

TRUTH = np.array([12.0, 5.0, 2.0])
BOX = Box.from_intervals({"a": (6.0, 20.0), "b": (1.0, 9.0), "width": (1.0, 4.0)})


@pytest.fixture
def fitted(band, measure):
    image = band().predict(TRUTH)[0]
    noisy = image + 0.02 * np.random.default_rng(6).normal(size=image.shape)
    problem = Problem(band(), gaussian_likelihood([measure(noisy, std=np.full(image.shape, 0.02))]))
    best = gauss_newton(problem, TRUTH, box=BOX).parameters
    return problem, best, information_covariance(problem, best, BOX)


def test_the_region_is_the_ellipse_of_the_covariance(fitted):
    problem, best, covariance = fitted
    region = acceptable_region(problem, best, BOX, covariance, n_point=9)
    offsets = np.stack([region.x - best[0], region.y - best[1]], axis=-1)
    parabola = np.einsum("ijk,kl,ijl->ij", offsets, np.linalg.inv(covariance.matrix[:2, :2]), offsets)
    near = parabola < 2 * LEVEL["95"]
    # The third parameter is refitted everywhere; cubic terms are a few percent of a well determined minimum.
    np.testing.assert_allclose(region.excess[near], parabola[near], rtol=0.15, atol=0.1)
    assert region.excess.min() == pytest.approx(0.0, abs=0.05) and region.names == ("a", "b")
    # The mesh reaches beyond what it is drawn for.
    assert np.all(region.excess[[0, -1]] > LEVEL["95"])


def test_outside_of_the_box_nothing_is_acceptable(fitted):
    problem, best, covariance = fitted
    small = Box(BOX.names, BOX.lower, np.array([best[0] + covariance.std[0], 9.0, 4.0]))
    region = acceptable_region(problem, best, small, covariance, n_point=7)
    assert np.all(np.isinf(region.excess[region.x > small.upper[0]])) and np.isfinite(region.excess).any()


def test_a_coupling_at_its_bound_has_no_region(fitted):
    problem, best, covariance = fitted
    matrix = covariance.matrix.copy()
    matrix[0], matrix[:, 0] = 0.0, 0.0
    with pytest.raises(FitError, match="no region"):
        acceptable_region(problem, best, BOX, Covariance(BOX.names, matrix, ("a",), "hessian"), n_point=5)
