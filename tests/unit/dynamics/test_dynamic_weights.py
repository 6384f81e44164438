"""From classical to quantum: factors and lengths."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinscape.errors import ConfigError
from spinscape.observables.dynamic_weights import WEIGHTINGS, SpinLength, weighting_factor
from spinscape.units import K_B

ENERGY = np.linspace(-5.0, 5.0, 41)
T = 2.0 / K_B


def test_factors_are_what_they_say():
    x = ENERGY / 2.0
    with np.errstate(invalid="ignore"):
        closed = {
            "classical": np.ones(41),
            "detailed_balance": np.where(x == 0, 1.0, x / (1.0 - np.exp(-x))),
            "symmetric": np.where(x == 0, 1.0, 0.5 * x / np.tanh(0.5 * x)),
            "density_of_states": np.abs(x),
            "susceptibility": np.pi * x,
        }
    assert set(closed) == set(WEIGHTINGS)
    for kind, expected in closed.items():
        np.testing.assert_allclose(weighting_factor(kind, ENERGY, temperature=T), expected, rtol=1e-12)


@given(energy=st.floats(0.01, 50.0))
def test_detailed_balance_holds_and_is_twice_symmetric(energy):
    loss, gain = weighting_factor("detailed_balance", np.array([energy, -energy]), temperature=T)
    assert gain == pytest.approx(loss * np.exp(-energy / 2.0), rel=1e-9)
    assert 0.5 * (loss + gain) == pytest.approx(weighting_factor("symmetric", energy, temperature=T))


def test_bad_input_is_refused():
    with pytest.raises(ConfigError, match="detailed_balance"):
        weighting_factor("bose", ENERGY, temperature=T)
    with pytest.raises(ConfigError, match="temperature"):
        weighting_factor("symmetric", ENERGY, temperature=None)


def test_lengths():
    spins = np.array([0.5, 2.5])
    full = np.sqrt([3.0, 1.4])
    assert np.array_equal(SpinLength().factor(spins), [1.0, 1.0])
    np.testing.assert_allclose(SpinLength("sqrt(S(S+1))").factor(spins), full)
    between = SpinLength("interpolated", low=20.0, high=60.0)
    for temperature, share in ((4.0, 0.0), (30.0, 0.25), (60.0, 1.0), (300.0, 1.0)):
        np.testing.assert_allclose(between.factor(spins, temperature=temperature), 1.0 + share * (full - 1.0))


@pytest.mark.parametrize("how", [{"kind": "S+1"}, {"kind": "interpolated"}, {"low": 1.0, "high": 2.0}])
def test_lengths_without_sense_are_refused(how):
    with pytest.raises(ConfigError, match=r"dynamics\.length"):
        SpinLength(**how)


def test_an_interpolated_length_needs_a_temperature():
    with pytest.raises(ConfigError, match="temperature"):
        SpinLength("interpolated", low=1.0, high=2.0).factor([1.0])
