"""Energies and widths of lines of S(Q, E): damped harmonic oscillators fitted to spectra."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from ..errors import check_shape

_MIN_BIN = 6


@dataclass(frozen=True)
class Line:
    """A line of a spectrum.

    Parameters
    ----------
    energy, width : float, meV
        E₀, and Γ: for Γ ≪ E₀ the position of the line and its full width at half of the maximum.
    energy_error, width_error : float, meV
    weight : float
        Integral over all energies, of the classical spectrum.
    peak : float, meV
        Where the spectrum that was fitted has its largest value at E ≥ 0: 0 for an overdamped one.
    chi2 : float
        Per degree of freedom.
    """

    energy: float
    energy_error: float
    width: float
    width_error: float
    weight: float
    peak: float
    chi2: float


def damped_oscillator(energy, *, centre, width):
    """Return the line of a classical damped harmonic oscillator, of unit area over all energies.

        S(E) = (1/π) Γ E₀² / ((E² − E₀²)² + Γ² E²)

    Parameters
    ----------
    energy : (...) float64, meV
    centre, width : float, meV
        E₀ and Γ, positive.

    Returns
    -------
    (...) float64, 1/meV

    Examples
    --------
    >>> energy = np.linspace(-400.0, 400.0, 400001)
    >>> float(np.trapezoid(damped_oscillator(energy, centre=5.0, width=1.0), energy).round(5))
    1.0
    """
    return width * centre**2 / np.pi / ((energy**2 - centre**2) ** 2 + (width * energy) ** 2)


def fit_line(energy, signal, error, factor=None, *, least=0.0):
    """Fit one damped harmonic oscillator to a spectrum.

    Parameters
    ----------
    energy : (n_energy,) float64, meV
        Bin centres, equally far apart.
    signal, error : (n_energy,) float64, 1/meV
        Of one wave vector.
    factor : (n_energy,) float64, optional
        That the classical spectrum was multiplied with: detailed balance, say.
    least : float, meV
        Leave out |E| below it: an elastic line is no oscillator.

    Returns
    -------
    Line or None
        None where nothing is left to fit.

    Notes
    -----
    The scatter of S(Q, E) of a few trajectories is that of its own size: points are weighted by the error and 5 % of
    the largest value together, so that bins that happened to be small do not decide. Errors are scaled by χ².
    """
    energy, signal, error = (np.asarray(x, dtype=np.float64) for x in (energy, signal, error))
    check_shape("signal", signal, energy.shape, hint="One value for each energy.")
    factor = np.ones_like(energy) if factor is None else np.asarray(factor, dtype=np.float64)
    kept = (np.abs(energy) >= least) & np.isfinite(error)
    if kept.sum() < _MIN_BIN or not np.any(signal[kept] > 0):
        return None
    x, y, f = energy[kept], signal[kept], factor[kept]
    sigma = np.hypot(error[kept], 0.05 * y.max())
    step = float(np.min(np.diff(energy)))
    best = min(
        (_fitted(x, y, f, sigma, start, step) for start in _starts(x, y / f, step)), key=lambda found: found.cost
    )
    centre, width = np.exp(best.x[:2])
    dof = max(1, len(x) - 3)
    chi2 = 2.0 * best.cost / dof
    spread = np.sqrt(np.diag(np.linalg.pinv(best.jac.T @ best.jac)) * max(chi2, 1.0))
    up = energy >= 0
    peak = abs(float(energy[up][np.argmax(signal[up])])) if np.any(up) else 0.0
    return Line(
        float(centre),
        float(centre * spread[0]),
        float(width),
        float(width * spread[1]),
        float(np.exp(best.x[2])),
        peak,
        float(chi2),
    )


def _starts(x, y, step):
    """Return log(E₀, Γ, weight) to begin at: at the peak, sharp or broad."""
    top = max(abs(x[np.argmax(y * (np.abs(x) > 0))]), 2.0 * step)
    area = max(float(np.sum(np.abs(y)) * step), 1e-12)
    return [np.log([top, width, area]) for width in (2.0 * step, 0.3 * top, 2.0 * top)]


def _fitted(x, y, factor, sigma, start, step):
    def residual(p):
        # Bins may be wider than the line: the mean over each, by three points.
        model = sum(
            share * damped_oscillator(x + shift * step, centre=np.exp(p[0]), width=np.exp(p[1]))
            for shift, share in _NODES
        )
        return (np.exp(p[2]) * factor * model - y) / sigma

    low = np.log([0.1 * step, 0.05 * step, 1e-15])
    high = np.log([20.0 * np.abs(x).max(), 200.0 * np.abs(x).max(), 1e15])
    return least_squares(residual, np.clip(start, low + 1e-6, high - 1e-6), bounds=(low, high), max_nfev=200)


_NODES = ((-np.sqrt(0.15), 5.0 / 18.0), (0.0, 8.0 / 18.0), (np.sqrt(0.15), 5.0 / 18.0))


@dataclass(frozen=True)
class CentralLine:
    """A Lorentzian about zero energy.

    Parameters
    ----------
    half_width, half_width_error : float, meV
        At half of the maximum.
    height : float, 1/meV
    """

    half_width: float
    half_width_error: float
    height: float


def fit_centre(energy, signal, error, *, reach, least=0.0):
    """Fit a Lorentzian about zero energy to the quasi-elastic part of a classical spectrum.

    Parameters
    ----------
    energy : (n_energy,) float64, meV
    signal, error : (n_energy,) float64, 1/meV
    reach : float, meV
        Fit up to |E| = ``reach``.
    least : float, meV
        And from here on: what does not move along a trajectory stands in the bin of zero energy, and was taken out of
        its neighbours.

    Returns
    -------
    CentralLine or None
        None where fewer than six bins are left.
    """
    energy, signal, error = (np.asarray(x, dtype=np.float64) for x in (energy, signal, error))
    size = np.abs(energy)
    kept = (size >= least) & (size <= reach) & np.isfinite(error)
    if kept.sum() < _MIN_BIN or not np.any(signal[kept] > 0):
        return None
    x, y, sigma = energy[kept], signal[kept], np.hypot(error[kept], 1e-3 * signal[kept].max())
    start = [np.log(2.0 * y.max()), np.log(0.3 * reach)]
    found = least_squares(lambda p: (np.exp(p[0]) / (1.0 + (x / np.exp(p[1])) ** 2) - y) / sigma, start)
    chi2 = max(2.0 * found.cost / max(1, len(x) - 2), 1.0)
    spread = np.sqrt(np.diag(np.linalg.pinv(found.jac.T @ found.jac)) * chi2)
    width = float(np.exp(found.x[1]))
    return CentralLine(width, width * float(spread[1]), float(np.exp(found.x[0])))
