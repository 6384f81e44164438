"""Time steps and sampling."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinscape.errors import ConfigError
from spinscape.simulate.integrators_step import (
    ERROR_TERMS,
    MAX_ERROR,
    checked_step,
    frequency_error,
    sampling,
    step_from_error,
)
from spinscape.units import HBAR

KINDS = st.sampled_from(sorted(ERROR_TERMS))


@given(kind=KINDS, error=st.floats(1e-6, MAX_ERROR), bound=st.floats(1e-3, 1e3))
def test_the_step_has_the_stated_error(kind, error, bound):
    dt = step_from_error(kind, error, bound=bound)
    assert frequency_error(kind, dt, bound=bound) == pytest.approx(error)
    assert checked_step(kind, dt, bound=bound) == dt


def test_the_error_of_the_cubic_antiferromagnet():
    """As measured for magnons: 0.12 % at dt = 0.02 and 0.73 % at 0.05 (ħ = J = 1, the field is 6)."""
    for dt, measured in ((0.02, 1.2e-3), (0.05, 7.3e-3)):
        assert measured <= frequency_error("suzuki_trotter_2", dt * HBAR, bound=6.0) <= 1.25 * measured


@pytest.mark.parametrize("dt", [0.0, -1.0, 10.0, np.nan])
def test_steps_too_large_are_refused_with_the_bound(dt):
    with pytest.raises(ConfigError, match=r"fields reach 6 meV|positive"):
        checked_step("suzuki_trotter_2", dt, bound=6.0)


@pytest.mark.parametrize("error", [0.0, -1e-3, 0.2])
def test_errors_out_of_range_are_refused(error):
    with pytest.raises(ConfigError, match="frequency_error"):
        step_from_error("rk4", error, bound=1.0)


@given(window=st.floats(0.1, 30.0), step=st.floats(0.01, 0.1), bound=st.floats(0.5, 20.0))
def test_samples_are_as_few_as_is_safe(window, step, bound):
    dt = min(step_from_error("suzuki_trotter_2", 2e-3, bound=bound), HBAR / window)
    found = sampling(dt=dt, window=window, energy_step=step, bound=bound)
    assert found.energy_step <= step * (1.0 + 1e-6)
    assert found.duration == pytest.approx(found.n_sample * found.interval)
    if found.stride > 1:
        # What lies beyond the largest energy folds back to above the window.
        assert 2.0 * found.largest_energy - 2.0 * bound >= window * (1.0 - 1e-9)
        assert found.largest_energy >= window * (1.0 - 1e-9)


def test_a_window_beyond_the_sampling_rate_is_refused():
    with pytest.raises(ConfigError, match="stride of at most 6"):
        sampling(dt=0.05 * HBAR, window=6.0, energy_step=0.1, bound=6.0, stride=20)
    with pytest.raises(ConfigError, match="time step smaller"):
        sampling(dt=1.0 * HBAR, window=6.0, energy_step=0.1, bound=6.0, stride=1)


def test_trajectories_too_short_for_the_energies_are_refused():
    with pytest.raises(ConfigError, match="n_sample"):
        sampling(dt=0.05 * HBAR, window=6.0, energy_step=0.1, bound=6.0, n_sample=20)
