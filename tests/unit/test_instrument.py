"""Lines on an energy axis: every shape against a plain sum, thermal factors, and derivatives forward and back."""

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.lattice.qspace import EnergyAxis
from spinscape.observables.profiles import LineShape
from spinscape.observables.quantum import mode_weights
from spinscape.simulate.instrument import Instrument
from spinscape.simulate.lines import SlopedLines
from spinscape.simulate.spectrum_settings import SpinwaveSettings

AXIS = EnergyAxis.from_range(first=-12.0, last=12.0, step=0.25)
RNG = np.random.default_rng(5)
ENERGIES = np.sort(RNG.uniform(1.0, 9.0, (6, 4)), axis=1)
ENERGIES[2, 1] = ENERGIES[2, 2]
INTENSITIES = RNG.uniform(0.2, 1.5, (6, 4))
INTENSITIES[3, 0] = 0.0
TABLE = ((-20.0, 0.0, 20.0), (0.6, 1.0, 1.4))
SHAPES = {
    "gaussian": {"fwhm": (1.0, 0.02)},
    "gaussian of a table": {"fwhm_table": TABLE},
    "lorentzian": {"fwhm": (1.0, 0.02), "line": "lorentzian"},
    "pseudo-Voigt, cut": {"fwhm_table": TABLE, "line": "pseudo_voigt", "mixing": 0.3, "cap": 0.9},
}


def plain_sum(settings, side=1, temperature=None):
    """Return the spectrum line by line, groups of degenerate modes cut at the cap."""
    out = np.zeros((len(ENERGIES), len(AXIS.centres)))
    shape = LineShape(settings.line, settings.mixing)
    for q, (energies, intensities) in enumerate(zip(ENERGIES, INTENSITIES, strict=True)):
        for energy in np.unique(energies):
            area = intensities[energies == energy].sum()
            at = side * settings.energy_factor * energy
            if temperature is not None:
                area *= mode_weights(abs(at), temperature=temperature)[int(side < 0)]
            area = min(area, np.inf if settings.cap is None else settings.cap)
            out[q] += area * shape.at(AXIS.centres - at - settings.energy_offset, fwhm=1.0 + 0.02 * at).value
    return out


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("side", [1, -1])
def test_rows_are_the_sum_over_lines(name, side):
    settings = SpinwaveSettings(energy_factor=1.1, energy_offset=0.3, **SHAPES[name])
    rows = Instrument(settings, AXIS).rows(ENERGIES, INTENSITIES, side=side)
    np.testing.assert_allclose(rows, plain_sum(settings, side), atol=1e-12)
    hot = Instrument(settings, AXIS, 40.0).rows(ENERGIES, INTENSITIES, side=side)
    np.testing.assert_allclose(hot, plain_sum(settings, side, 40.0), atol=1e-12)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("temperature", [None, 0.0, 40.0])
def test_gradient_and_pullback_are_those_of_rows(name, temperature):
    """One parameter that moves and one that brightens every line; the degenerate pair of row 2 moves together."""
    instrument = Instrument(SpinwaveSettings(energy_factor=1.1, **SHAPES[name]), AXIS, temperature)
    brighter, faster = np.zeros((2, *ENERGIES.shape)), np.zeros((2, *ENERGIES.shape))
    brighter[0] = np.where(INTENSITIES > 0, RNG.normal(size=ENERGIES.shape), 0.0)
    faster[1] = RNG.normal(size=(len(ENERGIES), 1))
    for side in (1, -1):
        lines = SlopedLines(ENERGIES, INTENSITIES, brighter, INTENSITIES * faster)
        found = instrument.gradient(lines, side=side)
        step = 1e-5
        for k in range(2):
            ends = [
                instrument.rows(ENERGIES + s * faster[k], INTENSITIES + s * brighter[k], side=side)
                for s in (step, -step)
            ]
            np.testing.assert_allclose(found[k], (ends[0] - ends[1]) / (2 * step), atol=2e-8)
        cotangent = np.cos(np.arange(found[0].size)).reshape(found[0].shape)
        by_intensity, by_shift = instrument.pullback(ENERGIES, INTENSITIES, cotangent, side=side)
        back = [np.sum(by_intensity * lines.brighten[k] + by_shift * lines.shift[k]) for k in range(2)]
        np.testing.assert_allclose(back, np.sum(found * cotangent, axis=(1, 2)), atol=1e-12)


def test_overrides_stand_in_for_the_settings():
    for name in ("gaussian", "pseudo-Voigt, cut"):
        asked = Instrument(SpinwaveSettings(fwhm_factor=1.3, energy_offset=-0.4, **SHAPES[name]), AXIS)
        plain = Instrument(SpinwaveSettings(**SHAPES[name]), AXIS)
        there = plain.rows(ENERGIES, INTENSITIES, fwhm_factor=1.3, energy_offset=-0.4)
        np.testing.assert_array_equal(there, asked.rows(ENERGIES, INTENSITIES))


def test_a_zero_mode_is_bright_and_finite_at_a_temperature():
    instrument = Instrument(SpinwaveSettings(fwhm=(1.0,), cap=5.0), AXIS, 40.0)
    energies, intensities = np.array([[0.0, 3.0]]), np.array([[0.3, 0.2]])
    rows = instrument.rows(energies, intensities, side=-1)
    np.testing.assert_allclose(0.25 * rows.sum(), 5.0 + 0.2 * mode_weights(3.0, temperature=40.0)[1], rtol=1e-6)
    slopes = SlopedLines(energies, intensities, np.ones((1, 1, 2)), np.ones((1, 1, 2)))
    assert np.all(np.isfinite(instrument.gradient(slopes, side=-1)))


def test_a_window_knows_whether_a_mode_stands_in_it():
    instrument = Instrument(SpinwaveSettings(), EnergyAxis.from_range(first=2.0, last=3.0, step=0.5))
    assert instrument.holds(np.array([[1.0, 2.9]]), np.ones((1, 2)))
    assert not instrument.holds(np.array([[1.0, 3.3]]), np.ones((1, 2)))
    assert not instrument.holds(np.array([[1.0, 2.9]]), np.array([[1.0, 0.0]]))
    assert not instrument.holds(np.array([[1.0, 2.9]]), np.ones((1, 2)), side=-1)


def test_widths_that_are_not_positive_and_tables_that_end_are_errors():
    with pytest.raises(ConfigError, match="no positive width"):
        Instrument(SpinwaveSettings(fwhm=(1.0, -0.5)), AXIS).rows(ENERGIES, INTENSITIES)
    with pytest.raises(ConfigError, match="not positive"):
        Instrument(SpinwaveSettings(fwhm=(1.0, -0.5), line="lorentzian"), AXIS).rows(ENERGIES, INTENSITIES)
    short = SpinwaveSettings(fwhm_table=((0.0, 5.0), (1.0, 1.0)))
    with pytest.raises(ConfigError, match="outside the table"):
        Instrument(short, AXIS).rows(ENERGIES, INTENSITIES)
