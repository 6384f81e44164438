"""Time steps from a stated error of frequencies, and how often a trajectory is looked at.

Structure-preserving integrators conserve the energy at any step, so its drift says nothing. What a step costs is the
frequency: with x = b·dt/ħ, b the bound of the effective field, the relative error of any spin-wave frequency is at most

    suzuki_trotter_2  x²/11      suzuki_trotter_4  x⁴/750      midpoint  x²/3      rk4  x⁴/7

Measured on the cubic ferromagnet and antiferromagnet over the whole zone; midpoint and rk4 follow from their phase
errors (ω dt)²/12 and (ω dt)⁴/120 at ω = 2b/ħ, the most that a spin wave can have.
"""

from dataclasses import dataclass

import numpy as np
from scipy.fft import next_fast_len

from ..errors import ConfigError
from ..units import HBAR

ERROR_TERMS = {
    "suzuki_trotter_2": (1.0 / 11.0, 2),
    "suzuki_trotter_4": (1.0 / 750.0, 4),
    "midpoint": (1.0 / 3.0, 2),
    "rk4": (1.0 / 7.0, 4),
}
"""c and n of the relative frequency error c xⁿ."""
MAX_ERROR = 0.05
"""Relative frequency error beyond which a given time step is refused."""


def frequency_error(kind, dt, *, bound):
    """Return the bound of the relative error of frequencies.

    Parameters
    ----------
    kind : str
        Integrator.
    dt : float, ps
    bound : float, meV
        Of the effective field: :func:`spinscape.simulate.integrators_field.largest_field`.

    Returns
    -------
    float
    """
    factor, order = ERROR_TERMS[kind]
    return factor * (bound * dt / HBAR) ** order


def step_from_error(kind, error, *, bound):
    """Return the time step (ps) at which the bound of :func:`frequency_error` is ``error``."""
    if not 0 < error <= MAX_ERROR:
        raise ConfigError(
            "a frequency error out of range",
            where="dynamics.frequency_error",
            expected=f"a positive number up to {MAX_ERROR}",
            got=error,
        )
    factor, order = ERROR_TERMS[kind]
    return HBAR / bound * (error / factor) ** (1.0 / order)


def checked_step(kind, dt, *, bound):
    """Return dt, or raise where it is too large for the spectrum."""
    largest = step_from_error(kind, MAX_ERROR, bound=bound)
    if not 0 < dt <= largest:
        raise ConfigError(
            "the time step is too large for the spectrum" if dt > 0 else "a time step is positive",
            where="dynamics.dt",
            expected=f"at most {largest:.4g} ps: fields reach {bound:.4g} meV, and {kind} then errs by "
            f"{MAX_ERROR:.0%} in frequency",
            got=f"{dt:.4g} ps",
            fix="give a smaller dt, or a frequency_error in its place",
        )
    return dt


@dataclass(frozen=True)
class Sampling:
    """When a trajectory is looked at.

    Parameters
    ----------
    dt : float, ps
    stride : int
        Steps from one sample to the next.
    n_sample : int
    """

    dt: float
    stride: int
    n_sample: int

    @property
    def interval(self):
        """Time between samples, ps."""
        return self.dt * self.stride

    @property
    def duration(self):
        """Length of a trajectory, ps."""
        return self.interval * self.n_sample

    @property
    def energy_step(self):
        """Distance of the frequencies that the trajectory tells apart, meV."""
        return 2.0 * np.pi * HBAR / self.duration

    @property
    def largest_energy(self):
        """Largest energy that the samples can tell from a smaller one, meV."""
        return np.pi * HBAR / self.interval


def sampling(*, dt, window, energy_step, bound, stride=None, n_sample=None):
    """Return how a trajectory is sampled.

    Parameters
    ----------
    dt : float, ps
    window : float, meV
        Largest energy of the spectrum that is asked for.
    energy_step : float, meV
        Distance of energies that must be told apart.
    bound : float, meV
        Of the effective field. Excitations reach twice as far, and none of them may appear in the window under a
        false name.
    stride : int, optional
        Steps between samples; the largest that is safe where left out.
    n_sample : int, optional
        Samples; as many as ``energy_step`` asks for where left out.

    Returns
    -------
    Sampling
    """
    # An energy e beyond the largest, m, appears at 2m − e.
    safe = max(1, int(2.0 * np.pi * HBAR / (dt * (window + max(2.0 * bound, window)))))
    stride = safe if stride is None else int(stride)
    if stride < 1 or np.pi * HBAR / (dt * stride) < window:
        raise ConfigError(
            "the energy window reaches beyond the sampling rate",
            where="dynamics.stride" if stride > 1 else "dynamics.dt",
            expected=f"samples at most {np.pi * HBAR / window:.4g} ps apart for energies up to {window:.4g} meV",
            got=f"{stride} steps of {dt:.4g} ps",
            fix=f"take a stride of at most {safe}" if stride > 1 else "make the time step smaller",
        )
    if n_sample is None:
        n_sample = next_fast_len(max(2, int(np.ceil(2.0 * np.pi * HBAR / (energy_step * dt * stride) - 1e-9))))
    found = Sampling(float(dt), stride, int(n_sample))
    if found.n_sample < 2 or found.energy_step > energy_step * (1.0 + 1e-6):
        raise ConfigError(
            "the trajectories are too short for the energy axis",
            where="dynamics.n_sample",
            expected=f"{2.0 * np.pi * HBAR / energy_step:.4g} ps for steps of {energy_step:.4g} meV",
            got=f"{found.duration:.4g} ps",
            fix="take more samples, or wider energy bins",
        )
    return found
