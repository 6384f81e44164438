"""Lines fitted to spectra: what was put in comes out, within errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinscape.observables.bands import damped_oscillator, fit_centre, fit_line
from spinscape.observables.quantum import quantum_factor

ENERGY = np.arange(-40, 101) * 0.1


@given(centre=st.floats(1.0, 8.0), ratio=st.floats(0.1, 1.5))
def test_a_line_without_noise_is_found(centre, ratio):
    fine = ENERGY[:, None] + np.linspace(-0.045, 0.045, 10)
    signal = 3.0 * damped_oscillator(fine, centre=centre, width=ratio * centre).mean(axis=1)
    found = fit_line(ENERGY, signal, np.full_like(signal, 1e-6))
    assert found.energy == pytest.approx(centre, rel=0.01)
    assert found.width == pytest.approx(ratio * centre, rel=0.03)
    assert found.weight == pytest.approx(3.0, rel=0.02)


def test_a_line_in_detailed_balance_with_noise():
    """A hundred spectra: the pulls of energy and width have a scatter of one, or less."""
    factor = quantum_factor(ENERGY, temperature=30.0)
    true = factor * damped_oscillator(ENERGY, centre=6.0, width=0.8)
    rng, pulls = np.random.default_rng(1), []
    for _ in range(100):
        error = 0.03 * true.max() * np.ones_like(true)
        found = fit_line(ENERGY, true + rng.normal(size=len(true)) * error, error, factor)
        pulls.append([(found.energy - 6.0) / found.energy_error, (found.width - 0.8) / found.width_error])
    pulls = np.array(pulls)
    assert np.all(np.abs(pulls.mean(axis=0)) < 4.0 / np.sqrt(100))
    assert np.all(pulls.std(axis=0) < 1.3)


def test_an_overdamped_line_peaks_at_zero_though_it_has_an_energy():
    signal = damped_oscillator(ENERGY, centre=3.0, width=9.0)
    found = fit_line(ENERGY, signal, np.full_like(signal, 1e-4))
    assert found.peak == pytest.approx(0.0, abs=0.11)
    assert found.width / found.energy == pytest.approx(3.0, rel=0.05)


def test_an_elastic_line_is_left_out():
    signal = damped_oscillator(ENERGY, centre=5.0, width=0.5)
    signal[40] += 100.0
    assert fit_line(ENERGY, signal, np.full_like(signal, 1e-4), least=0.25).energy == pytest.approx(5.0, rel=0.01)


def test_nothing_to_fit():
    assert fit_line(ENERGY, np.zeros_like(ENERGY), np.ones_like(ENERGY)) is None
    assert fit_line(ENERGY[:4], np.ones(4), np.ones(4)) is None
    assert fit_centre(ENERGY, np.zeros_like(ENERGY), np.ones_like(ENERGY), reach=1.0) is None


def test_a_central_line_with_a_hole_at_zero():
    """What stands still is taken off, and with it the neighbours of zero: they must not count."""
    energy = np.arange(-50, 51) * 0.02
    signal = 7.0 / (1.0 + (energy / 0.1) ** 2)
    signal[49:52] = [0.1, 90.0, 0.1]
    found = fit_centre(energy, signal, np.full_like(energy, 0.01), reach=0.3, least=0.03)
    assert found.half_width == pytest.approx(0.1, rel=1e-6)
    assert found.height == pytest.approx(7.0, rel=1e-6)
    assert found.half_width_error < 0.001
