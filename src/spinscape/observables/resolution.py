"""Resolution: the width of a line in energy, and the smear along a path in Q."""

import numpy as np

from ..errors import ConfigError, check_shape
from ..kernels.adjoint import smear_rows_pullback
from ..kernels.spectrum import smear_rows


def fwhm_from_energy(energy, polynomial):
    """Return the full width at half maximum Σ_n c_n E^n of the energy resolution, meV.

    Parameters
    ----------
    energy : (...) float64, meV
        Energy transfer.
    polynomial : (n_coefficient,) float64
        c_n in meV^(1-n), the constant first.

    Returns
    -------
    (...) float64, meV
    """
    return np.polynomial.polynomial.polyval(energy, np.asarray(polynomial, dtype=np.float64))


def smear_along_path(rows, *, distance, sigma, source=None):
    """Smear an array along a path by a Gaussian in the length travelled.

        out_i = Σ_j w_j exp(-(s_i - s_j)² / 2σ²) rows_j / Σ_j w_j exp(-(s_i - s_j)² / 2σ²)

    with trapezoidal weights w_j, so that the two copies of a corner count as one point and segments of different
    spacing have equal say. At the ends of the path the Gaussian is cut and normalised.

    Parameters
    ----------
    rows : (n_row, n_energy) float64
    distance : (n_q,) float64, 1/Å, ascending
    sigma : float, 1/Å
        Standard deviation; 0 for no smear.
    source : (n_q,) int64, optional
        The row that stands at each point of the path; the points are the rows where it is left out.

    Returns
    -------
    (n_q, n_energy) float64
    """
    s = np.asarray(distance, dtype=np.float64)
    index = np.arange(len(rows)) if source is None else source
    check_shape("distance", s, (len(index),))
    if not (0 <= sigma < np.inf):
        raise ConfigError("the width of a Q smear is negative or not finite", expected="sigma >= 0 in 1/Å", got=sigma)
    if sigma == 0 or len(s) < 2:
        return rows[index]
    out = np.empty((len(s), rows.shape[1]))
    smear_rows(rows, index, s, _trapezoid(s), float(sigma), out)
    return out


def smear_pullback(cotangent, *, distance, sigma, source, n_row):
    """Take a cotangent back through :func:`smear_along_path`: its transpose.

    Parameters
    ----------
    cotangent : (n_q, n_energy) float64
    distance, sigma, source
        Those of :func:`smear_along_path`.
    n_row : int

    Returns
    -------
    (n_row, n_energy) float64
    """
    s = np.asarray(distance, dtype=np.float64)
    out = np.zeros((n_row, cotangent.shape[1]))
    if sigma == 0 or len(s) < 2:
        np.add.at(out, source, cotangent)
    else:
        smear_rows_pullback(cotangent, source, s, _trapezoid(s), float(sigma), out)
    return out


def _trapezoid(distance):
    """Return the length of path that each point stands for."""
    step = np.diff(distance)
    return 0.5 * (np.append(step, 0.0) + np.insert(step, 0, 0.0))
