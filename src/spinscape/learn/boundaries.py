"""Boundaries between phases from the energies on both sides.

    e_p(θ) = a_p·θ + c_p,   a boundary where e_1(θ) = e_2(θ)

The energy of one phase is, at low temperature, linear in the couplings but for a constant: dE/dθ_k is E_k, and what is
bent is small near a boundary. Each side is continued across it, so that points which have stayed in the wrong phase, or
melted beside the boundary, do not move it. At higher temperature free energies cross elsewhere than energies do.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.stats import t as student

from ..errors import DataError, check_shape

_STEPS = 400


@dataclass(frozen=True, eq=False)
class PhaseEnergy:
    """The energy of one phase over the couplings. Make it with :func:`fit_energy`.

    Parameters
    ----------
    coefficients : (n_parameter + 1,) float64
        a, then c.
    covariance : (n_parameter + 1, n_parameter + 1) float64
    n_free : int
        Points less fitted numbers: what the scatter is known from.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    n_free: int


def fit_energy(theta, energy):
    """Return the :class:`PhaseEnergy` of points of one phase.

    Parameters
    ----------
    theta : (n_point, n_parameter) float64
    energy : (n_point,) float64
        Of each spin or cell.

    Returns
    -------
    PhaseEnergy
        Least squares. Errors from the scatter about the fit; directions in which the points do not differ are left at
        zero with no error: along them nothing may be asked.
    """
    theta, energy = np.asarray(theta, dtype=np.float64), np.asarray(energy, dtype=np.float64)
    check_shape("energy", energy, (len(theta),))
    design = np.column_stack([theta, np.ones(len(theta))])
    solution, _, rank, _ = np.linalg.lstsq(design, energy, rcond=1e-10)
    if len(energy) <= rank:
        raise DataError(
            "too few points to fit the energy of a phase",
            where="boundary",
            expected=f"more than {rank} points on each side",
            got=len(energy),
            fix="refine the grid near the boundary, or widen the range of points that are used",
        )
    scatter = np.sum((energy - design @ solution) ** 2) / (len(energy) - rank)
    return PhaseEnergy(solution, scatter * np.linalg.pinv(design.T @ design, rcond=1e-10), len(energy) - rank)


def energy_difference(first, second, theta):
    """Return e_1 − e_2 and its standard deviation at couplings (..., n_parameter), both (...)."""
    theta = np.asarray(theta, dtype=np.float64)
    row = np.concatenate([theta, np.ones((*theta.shape[:-1], 1))], axis=-1)
    variance = np.einsum("...i,ij,...j->...", row, first.covariance + second.covariance, row)
    return row @ (first.coefficients - second.coefficients), np.sqrt(np.maximum(variance, 0.0))


@dataclass(frozen=True)
class Boundary:
    """A boundary on a line through coupling space.

    Parameters
    ----------
    place : float
        Coordinate along the line.
    std : float
        Its standard deviation from the scatter of the energies.
    slope : float
        Derivative of the energy difference there: how sharply the two phases cross.
    n_free : int
        Degrees of freedom that the scatter is known from.
    """

    place: float
    std: float
    slope: float
    n_free: int

    @property
    def band(self):
        """The interval of 95 %: by Student's distribution, for the scatter is known from few points."""
        half = float(student.ppf(0.975, self.n_free)) * self.std
        return self.place - half, self.place + half


def boundary_between(first, second, theta_of, low, high):
    """Return where the energies of two phases cross on a line, the crossing nearest to its middle.

    Parameters
    ----------
    first, second : PhaseEnergy
    theta_of : callable
        Coordinate to couplings (n_parameter,).
    low, high : float
        Where to look.

    Returns
    -------
    Boundary

    Raises
    ------
    DataError
        Where they do not cross.
    """

    def difference(u):
        return energy_difference(first, second, theta_of(u))

    grid = np.linspace(low, high, _STEPS + 1)
    values = np.array([difference(u)[0] for u in grid])
    crossings = np.flatnonzero(np.sign(values[:-1]) * np.sign(values[1:]) <= 0)
    if not len(crossings):
        raise DataError(
            "the energies of two phases do not cross here",
            where=f"boundary between {low:g} and {high:g}",
            fix="look on a longer line, or fit points nearer to the boundary",
        )
    k = crossings[np.argmin(np.abs(grid[crossings] - 0.5 * (low + high)))]
    place = brentq(lambda u: difference(u)[0], grid[k], grid[k + 1], xtol=1e-14 + 1e-12 * abs(high - low))
    step = 1e-4 * (high - low)
    slope = (difference(place + step)[0] - difference(place - step)[0]) / (2.0 * step)
    std = float(difference(place)[1] / max(abs(slope), 1e-300))
    return Boundary(float(place), std, float(slope), first.n_free + second.n_free)
