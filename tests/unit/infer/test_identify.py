"""What data tell of couplings, in words and in numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinscape.errors import FitError
from spinscape.infer.box import Box
from spinscape.infer.identify import combination_text, coupling_information, identifiability
from spinscape.infer.poisson import gaussian_likelihood
from spinscape.infer.problem import Problem
from spinscape.infer.uncertainty import hessian_covariance

NAMES = ("J", "Jp")


def information(stds, directions):
    """Return the information of independent combinations (unit vectors) with standard deviations."""
    return sum(np.outer(d, d) / s**2 for s, d in zip(stds, np.array(directions, dtype=float), strict=True))


def test_the_well_known_combination_is_named():
    unit = np.array([[1.0, -2.0], [2.0, 1.0]]) / np.sqrt(5.0)
    found = identifiability(information([0.03, 0.6], unit), [29.0, 1.7], names=NAMES, widths=[55.0, 40.0])
    assert found.directions[0].text == "J − 2 Jp"
    assert found.directions[0].std == pytest.approx(0.03 * np.sqrt(5.0))
    assert found.directions[0].value == pytest.approx(29.0 - 3.4)
    assert found.stds["J"] == pytest.approx(np.hypot(0.03, 2 * 0.6) / np.sqrt(5.0))
    assert found.unidentifiable == ()
    assert found.sentences == ("J − 2 Jp is known to 0.26 %, J alone to 1.9 %, Jp alone to 16 %",)


def test_a_flat_coupling_has_no_number():
    found = identifiability(np.diag([100.0, 0.0]), [29.0, 1.7], names=NAMES, widths=[55.0, 40.0])
    assert found.unidentifiable == ("Jp",) and found.stds["Jp"] == np.inf
    assert found.stds["J"] == pytest.approx(0.1)
    assert "do not determine Jp" in found.sentences[1] and found.sentences[0].startswith("J is known")


def test_a_flat_combination_takes_both_with_it():
    found = identifiability(np.array([[1.0, 1.0], [1.0, 1.0]]), [29.0, 1.7], names=NAMES, widths=[50.0, 50.0])
    assert found.unidentifiable == NAMES
    assert found.directions[1].std == np.inf and found.sentences[-1].endswith("J − Jp")


def test_as_wide_as_the_box_is_not_known():
    found = identifiability(np.diag([1.0, 1e-4]), [29.0, 1.7], names=NAMES, widths=[50.0, 50.0])
    assert found.unidentifiable == ("Jp",)


@given(angle=st.floats(0.0, 3.14), a=st.floats(0.01, 1.0), b=st.floats(0.01, 1.0))
def test_errors_alone_are_those_of_the_inverse(angle, a, b):
    unit = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    matrix = information([a, b], unit)
    found = identifiability(matrix, [10.0, 5.0], names=NAMES, widths=[1e3, 1e3])
    assert list(found.stds.values()) == pytest.approx(np.sqrt(np.diag(np.linalg.inv(matrix))).tolist(), rel=1e-6)


def test_small_coefficients_are_left_out_of_words():
    assert combination_text({"a": -1.0, "b": 0.5, "c": 0.02}) == "−a + 0.5 b"
    with pytest.raises(FitError, match="finite"):
        identifiability(np.diag([np.nan, 1.0]), [1.0, 1.0], names=NAMES, widths=[1.0, 1.0])


def test_the_information_of_couplings_has_the_nuisances_eliminated(noisy, band, box):
    problem = Problem(band(), gaussian_likelihood([noisy()]))
    at = np.array([14.0, 5.0, 2.0])
    matrix = coupling_information(problem, at, box)
    expected = hessian_covariance(problem, at, box).matrix[:2, :2]
    assert np.allclose(np.linalg.inv(matrix), expected, rtol=0.1, atol=0.05 * expected.max())


def test_a_coupling_that_no_pixel_feels_is_reported(noisy, box):
    from .conftest import Band

    class Deaf(Band):
        def predict(self, parameters):
            return super().predict(np.array([parameters[0], 5.0, parameters[2]]))

    wide = Box(box.names, box.lower, box.upper)
    problem = Problem(Deaf(), gaussian_likelihood([noisy()]))
    matrix = coupling_information(problem, np.array([14.0, 5.0, 2.0]), wide)
    found = identifiability(matrix, [14.0, 5.0], names=("a", "b"), widths=wide.width[:2])
    assert found.unidentifiable == ("b",) and np.isfinite(found.stds["a"])
