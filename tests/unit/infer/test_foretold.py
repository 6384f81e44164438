"""What is foretold of more counts: the width of the lines is believed as declared, until the counts know better."""

import numpy as np
import pytest

from spinscape.infer.box import Box
from spinscape.infer.intervals import information_covariance
from spinscape.infer.poisson import gaussian_likelihood
from spinscape.infer.problem import Problem
from spinscape.infer.watching import BELIEVED, foretold_std

TRUTH = np.array([14.0, 5.0, 1.3])


class Widths:
    """The band of the other tests, 2 meV wide times a factor that is declared to be one."""

    parameter_names, units, coupling_names = ("a", "b", "fwhm_factor"), ("meV", "meV", ""), ("a", "b")

    def __init__(self, band):
        self.band = band

    def predict(self, parameters):
        return self.band.predict(np.array([*parameters[:2], 2.0 * parameters[2]]))


@pytest.mark.parametrize(("noise", "expected"), [(0.6, 1.0), (1e-4, 1.3)])
def test_the_width_is_between_the_declared_and_the_fitted_one(band, measure, noise, expected):
    forward = Widths(band())
    box = Box(forward.parameter_names, [5.0, -10.0, 0.3], [25.0, 10.0, 3.0])
    image = forward.predict(TRUTH)[0]
    problem = Problem(forward, gaussian_likelihood([measure(image, std=np.full(image.shape, noise))]))
    here = information_covariance(problem, TRUTH, box)
    assert here.std[2] > 2 * BELIEVED or here.std[2] < BELIEVED / 50
    wanted = information_covariance(problem, np.array([14.0, 5.0, expected]), box).std[0]
    assert foretold_std(problem, TRUTH, box, here, 0) == pytest.approx(wanted, rel=0.1)
    assert foretold_std(problem, TRUTH, box, here, 0) <= here.std[0] * (1 + 1e-6)
