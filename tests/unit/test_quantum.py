"""Temperature factors: laws over the whole range, limits, and the harmonic oscillator."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinscape.errors import ConfigError
from spinscape.observables.quantum import (
    bose_occupation,
    detailed_balance_factor,
    mode_weights,
    quantum_factor,
    reduced_energy,
    susceptibility_factor,
    symmetric_factor,
)
from spinscape.units import K_B

reduced = st.floats(-600.0, 600.0)
temperatures = st.floats(0.01, 1000.0)


def test_room_temperature_is_25_mev():
    assert reduced_energy(25.852, temperature=300.0) == pytest.approx(1.0, abs=1e-4)


@given(reduced, temperatures)
def test_classical_spectra_get_detailed_balance(x, t):
    energy = x * K_B * t
    up, down = quantum_factor(energy, temperature=t), quantum_factor(-energy, temperature=t)
    assert down == pytest.approx(up * detailed_balance_factor(energy, temperature=t), rel=1e-12)
    assert symmetric_factor(energy, temperature=t) == pytest.approx(0.5 * (up + down), rel=1e-12)


@given(st.floats(1e-12, 600.0), temperatures)
def test_the_two_sides_of_a_mode_obey_detailed_balance(x, t):
    energy = x * K_B * t
    loss, gain = mode_weights(energy, temperature=t)
    assert gain == pytest.approx(loss * detailed_balance_factor(energy, temperature=t), rel=1e-12)
    # Fluctuation and dissipation: the susceptibility of a mode does not depend on the temperature.
    assert susceptibility_factor(energy, temperature=t) * loss == pytest.approx(np.pi, rel=1e-9)
    # x (1 + n) is what classical equipartition lacks.
    assert quantum_factor(energy, temperature=t) == pytest.approx(x * loss, rel=1e-9)


@given(reduced, temperatures)
def test_the_susceptibility_is_odd_where_the_correlation_is_balanced(x, t):
    energy = x * K_B * t
    up = susceptibility_factor(energy, temperature=t)
    down = susceptibility_factor(-energy, temperature=t) * detailed_balance_factor(energy, temperature=t)
    assert down == pytest.approx(-up, rel=1e-9, abs=1e-300)


def test_series_at_zero_energy():
    x = np.array([-1e-5, -1e-9, 0.0, 1e-9, 1e-5])
    energy = x * K_B * 10.0
    np.testing.assert_allclose(quantum_factor(energy, temperature=10.0), 1 + x / 2 + x**2 / 12, rtol=1e-14)
    np.testing.assert_allclose(symmetric_factor(energy, temperature=10.0), 1 + x**2 / 12, rtol=1e-15)
    # Across the switch to the series nothing jumps.
    for function, edge in ((quantum_factor, 1e-8), (symmetric_factor, 2e-4)):
        near = edge * K_B * np.array([1 - 1e-9, 1 + 1e-9])
        assert np.ptp(function(near, temperature=1.0)) < 1e-15


def test_far_from_zero_nothing_overflows():
    energy = np.array([-1e6, 1e6])
    np.testing.assert_allclose(quantum_factor(energy, temperature=1.0), [0.0, 1e6 / K_B])
    np.testing.assert_allclose(symmetric_factor(energy, temperature=1.0), 0.5e6 / K_B)
    assert bose_occupation(1e6, temperature=1.0) == 0
    assert detailed_balance_factor(1e6, temperature=1.0) == 0


def test_the_mean_energy_of_an_oscillator_from_its_levels():
    energy, t = 3.0, 20.0
    n = np.arange(400)
    weight = np.exp(-n * energy / (K_B * t))
    mean = np.sum((n + 0.5) * energy * weight) / np.sum(weight)
    assert K_B * t * symmetric_factor(energy, temperature=t) == pytest.approx(mean, rel=1e-12)
    assert bose_occupation(energy, temperature=t) == pytest.approx(np.sum(n * weight) / np.sum(weight), rel=1e-12)


def test_the_ground_state_has_no_thermal_modes():
    loss, gain = mode_weights(np.array([0.1, 5.0]), temperature=0.0)
    assert gain.tolist() == [0, 0]
    assert loss.tolist() == [1, 1]
    np.testing.assert_array_equal(susceptibility_factor([-1.0, 0.0, 1.0], temperature=0.0), [0, 0, np.pi])


@pytest.mark.parametrize("temperature", [0.0, -1.0, np.nan, np.inf])
def test_a_temperature_out_of_range(temperature):
    with pytest.raises(ConfigError, match="positive temperature"):
        quantum_factor(1.0, temperature=temperature)


@pytest.mark.parametrize("energy", [0.0, -1.0, np.nan])
def test_modes_without_positive_energy_have_no_occupation(energy):
    with pytest.raises(ConfigError, match="without positive energy"):
        bose_occupation([1.0, energy], temperature=1.0)


@pytest.mark.parametrize("function", [detailed_balance_factor, susceptibility_factor])
def test_factors_beyond_the_range_of_numbers(function):
    with pytest.raises(ConfigError, match="beyond the range"):
        function(-1e6, temperature=1.0)
