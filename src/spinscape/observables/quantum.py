"""Temperature in spectra: Bose factors, detailed balance, and the factors that take classical spectra to quantum ones.

All follow from x = E/(k_B T), written so that none overflows or divides zero by zero at any E and T > 0:

    S(-E) = e^{-x} S(E),   n(E) = 1/(e^x - 1),   1 + n(E) = 1/(1 - e^{-x}),   χ''(E) = π (1 - e^{-x}) S(E)
"""

import numpy as np

from ..errors import ConfigError
from ..units import K_B

MAX_EXPONENT = 700.0
"""exp() of more than this overflows."""


def reduced_energy(energy, *, temperature: float) -> np.ndarray:
    """Return x = E/(k_B T).

    Parameters
    ----------
    energy : (...) float64, meV
        Energy transfer, positive where the neutron loses energy.
    temperature : float, K

    Returns
    -------
    (...) float64, dimensionless
    """
    if not 0 < temperature < np.inf:
        raise ConfigError(
            "this needs a positive temperature", where="temperature", expected="a number > 0, in K", got=temperature
        )
    return np.asarray(energy, dtype=np.float64) / (K_B * temperature)


def bose_occupation(energy, *, temperature: float) -> np.ndarray:
    """Return n(E) = 1/(e^{E/k_B T} - 1) of modes of positive energy.

    Parameters
    ----------
    energy : (...) float64, meV, positive
    temperature : float, K
        0 has no thermal excitations.

    Returns
    -------
    (...) float64

    Raises
    ------
    ConfigError
        For E <= 0, where n has no meaning as an occupation.
    """
    values = np.asarray(energy, dtype=np.float64)
    if not np.all(values > 0):
        raise ConfigError(
            "the occupation of a mode without positive energy is not defined",
            where="energy",
            expected="E > 0 in meV",
            got=float(values.min(initial=np.inf)) if values.size else None,
            fix="use quantum_factor, which is finite at E = 0, for spectra",
        )
    if temperature == 0:
        return np.zeros(values.shape)
    x = reduced_energy(values, temperature=temperature)
    # e^-x/(1 - e^-x) does not overflow; expm1 keeps the digits at small x.
    return np.exp(-x) / -np.expm1(-x)


def mode_weights(energy, *, temperature: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the factors of a mode's line on the two sides of a spectrum.

    Parameters
    ----------
    energy : (...) float64, meV, positive
    temperature : float, K

    Returns
    -------
    loss, gain : (...) float64
        1 + n at +E (the neutron loses energy) and n at -E.
    """
    occupation = bose_occupation(energy, temperature=temperature)
    return 1.0 + occupation, occupation


def detailed_balance_factor(energy, *, temperature: float) -> np.ndarray:
    """Return S(-E)/S(E) = e^{-E/k_B T}.

    Parameters
    ----------
    energy : (...) float64, meV, of either sign
    temperature : float, K

    Returns
    -------
    (...) float64

    Raises
    ------
    ConfigError
        Where the factor is beyond the range of numbers (E below -700 k_B T).
    """
    x = reduced_energy(energy, temperature=temperature)
    if np.any(x < -MAX_EXPONENT):
        raise _beyond_range(x)
    return np.exp(-x)


def quantum_factor(energy, *, temperature: float) -> np.ndarray:
    """Return the factor that takes a classical spectrum, even in E, to one in detailed balance.

        S_q(E) = x/(1 - e^{-x}) S_cl(E),   x = E/(k_B T)

    Parameters
    ----------
    energy : (...) float64, meV, of either sign
    temperature : float, K

    Returns
    -------
    (...) float64
        1 at E = 0, x at large x, 0 at large negative x.

    Notes
    -----
    Exact for a harmonic oscillator: classical equipartition k_B T against the quantum E (1 + n). Source:
    docs/theory/observables.md, eq. 6; for spins, Huberman et al., J. Stat. Mech. (2008) P05017.
    """
    x = reduced_energy(energy, temperature=temperature)
    size = np.abs(x)
    tiny = size < 1e-8
    safe = np.where(tiny, 1.0, size)
    positive = np.where(tiny, 1.0 + 0.5 * size, safe / -np.expm1(-safe))
    # At negative x the factor is e^{-|x|} times that at |x|.
    return np.where(x < 0, np.exp(-size), 1.0) * positive


def symmetric_factor(energy, *, temperature: float) -> np.ndarray:
    """Return (x/2) coth(x/2), the even part of :func:`quantum_factor`.

    It takes a classical spectrum to the symmetrised correlation ½(S(E) + S(-E)), and classical equipartition to the
    mean energy of a quantum oscillator.

    Parameters
    ----------
    energy : (...) float64, meV
    temperature : float, K

    Returns
    -------
    (...) float64, at least 1
    """
    half = 0.5 * np.abs(reduced_energy(energy, temperature=temperature))
    tiny = half < 1e-4
    # The next term of the series is half⁴/45, 2e-18.
    return np.where(tiny, 1.0 + half**2 / 3.0, half / np.tanh(np.where(tiny, 1.0, half)))


def susceptibility_factor(energy, *, temperature: float) -> np.ndarray:
    """Return the factor of the fluctuation-dissipation theorem, χ''(E) = π (1 - e^{-E/k_B T}) S(E).

    Parameters
    ----------
    energy : (...) float64, meV, of either sign
    temperature : float, K
        0 leaves π for E > 0 and nothing for E <= 0, where S vanishes.

    Returns
    -------
    (...) float64
    """
    if temperature == 0:
        return np.where(np.asarray(energy) > 0, np.pi, 0.0)
    x = reduced_energy(energy, temperature=temperature)
    if np.any(x < -MAX_EXPONENT):
        raise _beyond_range(x)
    return -np.pi * np.expm1(-x)


def _beyond_range(x):
    return ConfigError(
        "a factor of detailed balance is beyond the range of numbers",
        where="energy",
        expected=f"E > -{MAX_EXPONENT:.0f} k_B T",
        got=f"{float(np.min(x)):.4g} k_B T",
        fix="evaluate the side of positive energies and take the other from it",
    )
