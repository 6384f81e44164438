import numpy as np
import pytest

from spinscape.errors import ConfigError, ShapeError
from spinscape.observables.resolution import fwhm_from_energy, smear_along_path

# Two segments of different spacing, the corner twice.
DISTANCE = np.concatenate([np.linspace(0.0, 1.0, 21), np.linspace(1.0, 2.0, 41)])


def test_the_polynomial_starts_with_its_constant():
    np.testing.assert_allclose(fwhm_from_energy(np.array([0.0, 10.0]), [3.0, -0.1, 0.02]), [3.0, 4.0])


def test_a_constant_stays_and_no_smear_is_no_change():
    rows = np.random.default_rng(0).normal(size=(62, 4))
    np.testing.assert_allclose(smear_along_path(np.ones((62, 2)), distance=DISTANCE, sigma=0.2), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(smear_along_path(rows, distance=DISTANCE, sigma=0.0), rows)


def test_a_gaussian_widens_to_the_sum_of_squares_across_a_corner():
    rows = np.exp(-0.5 * ((DISTANCE - 1.0) / 0.12) ** 2)[:, None]
    expected = 0.12 / 0.15 * np.exp(-0.5 * ((DISTANCE - 1.0) / 0.15) ** 2)
    out = smear_along_path(rows, distance=DISTANCE, sigma=0.09)[:, 0]
    # The trapezoidal rule over a Gaussian of 1.8 spacings.
    np.testing.assert_allclose(out, expected, atol=2e-3)
    assert out[20] == out[21]


def test_the_two_copies_of_a_corner_count_as_one_point():
    rows = np.random.default_rng(1).normal(size=(5, 1))
    once = smear_along_path(rows, distance=np.arange(5.0), sigma=0.7)
    source = np.array([0, 1, 2, 2, 3, 4])
    twice = smear_along_path(rows, distance=np.array([0.0, 1, 2, 2, 3, 4]), sigma=0.7, source=source)
    np.testing.assert_allclose(twice, once[source], rtol=1e-12)


@pytest.mark.parametrize("sigma", [-0.1, np.nan, np.inf])
def test_a_width_out_of_range(sigma):
    with pytest.raises(ConfigError, match="Q smear"):
        smear_along_path(np.ones((3, 2)), distance=np.arange(3.0), sigma=sigma)


def test_the_distance_must_have_a_value_for_each_row():
    with pytest.raises(ShapeError, match="distance"):
        smear_along_path(np.ones((3, 2)), distance=np.arange(4.0), sigma=0.1)
