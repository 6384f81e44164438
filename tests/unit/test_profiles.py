"""Line shapes: areas, widths, derivatives against differences, and spectra against a plain sum."""

import numpy as np
import pytest
from scipy.integrate import quad

from spinscape.errors import ConfigError, ShapeError
from spinscape.kernels.spectrum import broaden
from spinscape.lattice.qspace import EnergyAxis
from spinscape.observables.profiles import (
    LineShape,
    PolynomialWidth,
    TableWidth,
    broadened,
    broadened_gradient,
)

SHAPES = [LineShape("gaussian"), LineShape("lorentzian"), LineShape("pseudo_voigt", 0.3)]
IDS = [shape.kind for shape in SHAPES]
X = np.array([-7.0, -1.0, 0.0, 0.3, 2.5])
AXIS = EnergyAxis.from_range(first=0.0, last=30.0, step=0.25)
TABLE = TableWidth([0.0, 10.0, 40.0], [2.0, 1.5, 3.0])
POLYNOMIAL = PolynomialWidth((2.0, -0.05, 0.001))


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
def test_area_one_and_the_width_at_half_height(shape):
    area = quad(lambda x: float(shape.at(x, fwhm=1.7).value), -np.inf, np.inf)[0]
    assert area == pytest.approx(1.0, rel=1e-8)
    peak, half = shape.at(np.array([0.0, 0.85]), fwhm=1.7).value
    assert half == pytest.approx(0.5 * peak, rel=1e-12)
    assert shape.over(-1e9, 1e9, fwhm=1.7).value * 2e9 == pytest.approx(1.0, rel=1e-8)


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
def test_bins_hold_the_integral_over_them(shape):
    for low, high in ((-3.0, -1.0), (-0.2, 0.4), (1.0, 9.0)):
        expected = quad(lambda x: float(shape.at(x, fwhm=1.7).value), low, high)[0] / (high - low)
        assert shape.over(low, high, fwhm=1.7).value == pytest.approx(expected, rel=1e-10)
    narrow = shape.over(X - 1e-4, X + 1e-4, fwhm=1.7)
    for binned, pointwise in zip(narrow, shape.at(X, fwhm=1.7), strict=True):
        np.testing.assert_allclose(binned, pointwise, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
def test_derivatives_by_position_and_width(shape):
    step = 1e-5  # error of a central difference: step² times the third derivative, 1e-10
    for line in (lambda x, w: shape.at(x, fwhm=w), lambda x, w: shape.over(x - 0.3, x + 0.2, fwhm=w)):
        exact = line(X, 1.7)
        by_position = (line(X - step, 1.7).value - line(X + step, 1.7).value) / (2 * step)
        by_width = (line(X, 1.7 + step).value - line(X, 1.7 - step).value) / (2 * step)
        np.testing.assert_allclose(exact.by_position, by_position, atol=1e-9)
        np.testing.assert_allclose(exact.by_width, by_width, atol=1e-9)


@pytest.mark.parametrize("width", [POLYNOMIAL, TABLE])
def test_widths_have_their_slopes(width):
    energy = np.array([0.5, 3.0, 9.0, 12.0, 35.0])
    fwhm, slope = width(energy)
    difference = (width(energy + 1e-6)[0] - width(energy - 1e-6)[0]) / 2e-6
    np.testing.assert_allclose(np.broadcast_to(slope, energy.shape), difference, atol=1e-8)
    assert np.all(fwhm > 0)


def test_a_table_is_straight_between_its_entries_and_ends():
    np.testing.assert_allclose(TABLE(np.array([0.0, 5.0, 10.0, 25.0, 40.0]))[0], [2.0, 1.75, 1.5, 2.25, 3.0])
    with pytest.raises(ConfigError, match="outside the table"):
        TABLE(np.array([5.0, 40.001]))


def lines():
    rng = np.random.default_rng(3)
    return rng.uniform(1.0, 28.0, (5, 4)), rng.uniform(0.0, 2.0, (5, 4))


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
@pytest.mark.parametrize("integrate", [False, True])
def test_spectra_are_sums_of_lines(shape, integrate, monkeypatch):
    monkeypatch.setattr("spinscape.observables.profiles.CHUNK", 1000)  # two rows at a time
    energies, intensities = lines()
    out = broadened(energies, intensities, axis=AXIS, width=TABLE, shape=shape, integrate=integrate)
    expected = np.zeros_like(out)
    for q, n in np.ndindex(energies.shape):
        fwhm = float(TABLE(energies[q, n])[0])
        low, high = AXIS.edges[:-1] - energies[q, n], AXIS.edges[1:] - energies[q, n]
        at, over = shape.at(AXIS.centres - energies[q, n], fwhm=fwhm), shape.over(low, high, fwhm=fwhm)
        expected[q] += intensities[q, n] * (over if integrate else at).value
    np.testing.assert_allclose(out, expected, rtol=1e-12)


def test_gaussians_agree_with_the_fast_kernel():
    energies, intensities = lines()
    order = np.argsort(energies, axis=1)
    energies, intensities = np.take_along_axis(energies, order, 1), np.take_along_axis(intensities, order, 1)
    out = np.empty((5, len(AXIS.centres)))
    how = (1.0, 0.0, np.array(POLYNOMIAL.coefficients), 1.0, np.inf, 1e-9, 0.0, AXIS.step)
    assert np.isnan(broaden(energies, intensities, *how, out))
    np.testing.assert_allclose(broadened(energies, intensities, axis=AXIS, width=POLYNOMIAL), out, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES, ids=IDS)
@pytest.mark.parametrize("integrate", [False, True])
@pytest.mark.parametrize("width", [POLYNOMIAL, TABLE])
def test_gradients_of_spectra_against_differences(shape, integrate, width):
    energies, intensities = lines()
    rng = np.random.default_rng(4)
    slopes, brighten = rng.normal(size=(2, 5, 4)), rng.normal(size=(2, 5, 4))
    how = {"axis": AXIS, "width": width, "shape": shape, "integrate": integrate}
    exact = broadened_gradient(energies, intensities, energy_slope=slopes, intensity_slope=brighten, **how)
    h = 1e-5
    for k in range(2):
        up = broadened(energies + h * slopes[k], intensities + h * brighten[k], **how)
        down = broadened(energies - h * slopes[k], intensities - h * brighten[k], **how)
        np.testing.assert_allclose(exact[k], (up - down) / (2 * h), atol=1e-8)


@pytest.mark.parametrize(
    ("kind", "mixing"),
    [("voigt", None), ("pseudo_voigt", None), ("pseudo_voigt", 1.1), ("pseudo_voigt", np.nan), ("gaussian", 0.5)],
)
def test_shapes_that_are_none(kind, mixing):
    with pytest.raises(ConfigError):
        LineShape(kind, mixing)


@pytest.mark.parametrize("fwhm", [0.0, -1.0, np.nan, np.inf])
def test_widths_that_are_none(fwhm):
    with pytest.raises(ConfigError, match="width of a line"):
        LineShape().at(X, fwhm=fwhm)
    with pytest.raises(ConfigError):
        TableWidth([0.0, 1.0], [1.0, fwhm])


def test_other_bad_input():
    with pytest.raises(ConfigError, match="must rise"):
        TableWidth([1.0, 1.0], [1.0, 1.0])
    with pytest.raises(ConfigError, match="finite coefficients"):
        PolynomialWidth(())
    with pytest.raises(ConfigError, match="width of a line"):
        broadened([[20.0]], [[1.0]], axis=AXIS, width=PolynomialWidth((1.0, -0.1)))
    with pytest.raises(ConfigError, match="not finite"):
        broadened([[np.nan]], [[1.0]], axis=AXIS, width=POLYNOMIAL)
    with pytest.raises(ShapeError):
        broadened([[1.0, 2.0]], [[1.0]], axis=AXIS, width=POLYNOMIAL)
