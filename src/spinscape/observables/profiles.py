"""Lines in energy: Gaussian, Lorentzian and pseudo-Voigt of a width that may depend on the energy.

    Gaussian G, Lorentzian L, both of area 1 and of the same FWHM w;   pseudo-Voigt V = η L + (1 - η) G

A profile is evaluated at bin centres, or integrated over bins. The derivatives are those of the same numbers.
:mod:`spinscape.kernels.spectrum` has the fast way for Gaussians whose width is a polynomial.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import erf

from ..errors import ConfigError, check_shape
from ..lattice.crystal import read_only
from ..lattice.qspace import EnergyAxis
from ..units import FWHM_PER_SIGMA
from .resolution import fwhm_from_energy

SHAPES = ("gaussian", "lorentzian", "pseudo_voigt")
"""Names of line shapes."""
CHUNK = 4_000_000
"""Elements of the largest temporary array of a broadening."""
_ROOT_TWO_PI = np.sqrt(2.0 * np.pi)


class Profile(NamedTuple):
    """Values of a line and their derivatives, each of the shape of the arguments.

    Parameters
    ----------
    value : array, 1/meV
    by_position : array, 1/meV²
        Derivative by the line's position.
    by_width : array, 1/meV²
        Derivative by the FWHM.
    """

    value: np.ndarray
    by_position: np.ndarray
    by_width: np.ndarray


def _gaussian(x, fwhm):
    """Return G(x), dG/dx and dG/dw."""
    sigma = fwhm / FWHM_PER_SIGMA
    u = x / sigma
    value = np.exp(-0.5 * u * u) / (sigma * _ROOT_TWO_PI)
    return value, -value * u / sigma, value * (u * u - 1.0) / fwhm


def _lorentzian(x, fwhm):
    """Return L(x), dL/dx and dL/dw."""
    half = 0.5 * fwhm
    inverse = 1.0 / (x * x + half * half)
    value = half * inverse / np.pi
    return value, -2.0 * x * inverse * value, 0.5 * (x * x - half * half) * inverse * inverse / np.pi


def _gaussian_area(x, fwhm):
    """Return the integral of G up to x, from the centre, and its derivatives by x and w."""
    sigma = fwhm / FWHM_PER_SIGMA
    value = np.exp(-0.5 * (x / sigma) ** 2) / (sigma * _ROOT_TWO_PI)
    return 0.5 * erf(x / (sigma * np.sqrt(2.0))), value, -value * x / fwhm


def _lorentzian_area(x, fwhm):
    value = _lorentzian(x, fwhm)[0]
    return np.arctan(2.0 * x / fwhm) / np.pi, value, -value * x / fwhm


@dataclass(frozen=True)
class LineShape:
    """A normalised line.

    Parameters
    ----------
    kind : str
        One of :data:`SHAPES`.
    mixing : float
        η of the pseudo-Voigt, 0 (Gaussian) to 1 (Lorentzian). The other shapes have none.
    """

    kind: str = "gaussian"
    mixing: float | None = None

    def __post_init__(self):
        if self.kind not in SHAPES:
            raise ConfigError(
                f"no line shape is called {self.kind!r}", expected=f"one of {', '.join(SHAPES)}", got=self.kind
            )
        mixed = self.kind == "pseudo_voigt"
        if mixed != (self.mixing is not None) or (mixed and not 0 <= self.mixing <= 1):
            raise ConfigError(
                "the mixing of a line shape is out of place or out of range",
                where=f"line shape {self.kind}",
                expected="a number from 0 to 1" if mixed else "none: only pseudo_voigt has one",
                got=self.mixing,
            )

    @property
    def eta(self) -> float:
        """Part of the Lorentzian, 0 to 1."""
        return {"gaussian": 0.0, "lorentzian": 1.0}.get(self.kind, self.mixing or 0.0)

    def at(self, x, *, fwhm) -> Profile:
        """Return the line at distances from its centre.

        Parameters
        ----------
        x : (...) float64, meV
            Energy less the line's position.
        fwhm : (...) float64, meV, positive
            Broadcast with x.

        Returns
        -------
        Profile
        """
        return self._mixed(_gaussian, _lorentzian, np.asarray(x, dtype=np.float64), _checked_width(fwhm))

    def over(self, low, high, *, fwhm) -> Profile:
        """Return the mean of the line over bins.

        Parameters
        ----------
        low, high : (...) float64, meV
            Bin edges less the line's position.
        fwhm : (...) float64, meV, positive

        Returns
        -------
        Profile
            Of the same units as :meth:`at`: the integral is divided by the bin's width.
        """
        fwhm = _checked_width(fwhm)
        low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
        ends = [self._mixed(_gaussian_area, _lorentzian_area, x, fwhm) for x in (low, high)]
        return Profile(*((b - a) / (high - low) for a, b in zip(*ends, strict=True)))

    def _mixed(self, gaussian, lorentzian, x, fwhm):
        parts = [
            (share, function(x, fwhm))
            for share, function in ((1.0 - self.eta, gaussian), (self.eta, lorentzian))
            if share > 0
        ]
        value, by_x, by_width = (sum(share * part[k] for share, part in parts) for k in range(3))
        # The line moves up where x goes down.
        return Profile(value, -by_x, by_width)


def _checked_width(fwhm):
    fwhm = np.asarray(fwhm, dtype=np.float64)
    if not np.all((fwhm > 0) & (fwhm < np.inf)):
        raise ConfigError(
            "the width of a line is not positive",
            where="resolution",
            expected="FWHM > 0 in meV at every line",
            got=float(np.min(fwhm)),
            fix="give a width that is positive at every energy of the bands",
        )
    return fwhm


@dataclass(frozen=True)
class PolynomialWidth:
    """FWHM = Σ_n c_n E^n; one coefficient is a constant width.

    Parameters
    ----------
    coefficients : tuple of float, meV^(1-n)
        The constant first.
    """

    coefficients: tuple[float, ...]

    def __post_init__(self):
        object.__setattr__(self, "coefficients", tuple(float(c) for c in self.coefficients))
        if not self.coefficients or not np.all(np.isfinite(self.coefficients)):
            raise ConfigError("a width polynomial needs finite coefficients", got=self.coefficients)

    def __call__(self, energy):
        """Return FWHM and its slope at energies (...): two arrays (...), meV and 1."""
        slope = np.polynomial.polynomial.polyder(self.coefficients)
        return fwhm_from_energy(energy, self.coefficients), np.polynomial.polynomial.polyval(energy, slope)


@dataclass(frozen=True, eq=False)
class TableWidth:
    """FWHM by straight lines between measured or calculated values.

    Parameters
    ----------
    energy : (n_entry,) float64, meV, rising
    fwhm : (n_entry,) float64, meV, positive
    """

    energy: np.ndarray
    fwhm: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, "energy", read_only(self.energy))
        object.__setattr__(self, "fwhm", _checked_width(read_only(self.fwhm)))
        check_shape("energy", self.energy, ("n_entry",))
        check_shape("fwhm", self.fwhm, self.energy.shape)
        if len(self.energy) < 2 or not np.all(np.diff(self.energy) > 0):
            raise ConfigError("the energies of a width table must rise", got=self.energy[:6].tolist())

    def __call__(self, energy):
        """Return FWHM and its slope at energies (...) inside the table: two arrays (...), meV and 1."""
        x = np.asarray(energy, dtype=np.float64)
        if x.size and (x.min() < self.energy[0] or x.max() > self.energy[-1]):
            raise ConfigError(
                "a line lies outside the table of widths",
                where="resolution",
                expected=f"{self.energy[0]:g} to {self.energy[-1]:g} meV",
                got=f"{x.min():.6g} to {x.max():.6g} meV",
                fix="extend the table: it is not extrapolated",
            )
        k = np.clip(np.searchsorted(self.energy, x, side="right") - 1, 0, len(self.energy) - 2)
        slope = (np.diff(self.fwhm) / np.diff(self.energy))[k]
        return self.fwhm[k] + slope * (x - self.energy[k]), slope


def broadened(
    energies,
    intensities,
    *,
    axis: EnergyAxis,
    width: Callable,
    shape: LineShape | None = None,
    integrate: bool = False,
) -> np.ndarray:
    """Return the spectrum of broadened lines.

    Parameters
    ----------
    energies : (n_q, n_mode) float64, meV
    intensities : (n_q, n_mode) float64
    axis : EnergyAxis
    width : PolynomialWidth or TableWidth
        FWHM of the energy.
    shape : LineShape
        Gaussian where it is left out.
    integrate : bool
        Mean over each bin instead of the value at its centre.

    Returns
    -------
    (n_q, n_energy) float64, per meV
    """
    out = np.empty((len(energies), len(axis.centres)))
    for rows, profile, _ in line_profiles(
        energies, intensities, axis=axis, width=width, shape=shape, integrate=integrate
    ):
        out[rows] = np.einsum("qn,qne->qe", np.asarray(intensities)[rows], profile.value)
    return out


def broadened_gradient(
    energies,
    intensities,
    *,
    energy_slope,
    intensity_slope,
    axis: EnergyAxis,
    width: Callable,
    shape: LineShape | None = None,
    integrate: bool = False,
) -> np.ndarray:
    """Return the derivative of :func:`broadened` by parameters that move and brighten the lines.

    Parameters
    ----------
    energy_slope, intensity_slope : (n_parameter, n_q, n_mode) float64
        Derivatives of the energies and intensities. The other parameters are those of :func:`broadened`.

    Returns
    -------
    (n_parameter, n_q, n_energy) float64
        Exact, the change of the width with the energy included.
    """
    energy_slope, intensity_slope = np.asarray(energy_slope), np.asarray(intensity_slope)
    check_shape("energy_slope", energy_slope, ("n_parameter", *np.shape(energies)))
    check_shape("intensity_slope", intensity_slope, energy_slope.shape)
    out = np.empty((len(energy_slope), len(energies), len(axis.centres)))
    for rows, profile, growth in line_profiles(
        energies, intensities, axis=axis, width=width, shape=shape, integrate=integrate
    ):
        moved = profile.by_position + profile.by_width * growth[..., None]
        faster = energy_slope[:, rows] * np.asarray(intensities)[rows]
        out[:, rows] = np.einsum("kqn,qne->kqe", intensity_slope[:, rows], profile.value)
        out[:, rows] += np.einsum("kqn,qne->kqe", faster, moved)
    return out


def line_profiles(energies, intensities, *, axis, width, shape=None, integrate=False):
    """Evaluate lines on an axis, some rows at a time; the parameters are those of :func:`broadened`.

    Yields
    ------
    rows : slice
    profile : Profile of arrays (n_row, n_mode, n_energy)
    growth : (n_row, n_mode) float64
        Slope of the width by the energy.
    """
    energies, shape = np.asarray(energies, dtype=np.float64), shape or LineShape()
    check_shape("energies", energies, ("n_q", "n_mode"))
    check_shape("intensities", np.asarray(intensities), energies.shape)
    if not np.all(np.isfinite(energies)) or not np.all(np.isfinite(intensities)):
        raise ConfigError("a line to be broadened is not finite", where="energies and intensities")
    n_row = max(1, CHUNK // max(1, energies.shape[1] * len(axis.centres)))
    for start in range(0, len(energies), n_row):
        rows = slice(start, start + n_row)
        centre = energies[rows][..., None]
        fwhm, growth = width(energies[rows])
        fwhm = np.broadcast_to(fwhm, energies[rows].shape)[..., None]
        if integrate:
            profile = shape.over(axis.edges[:-1] - centre, axis.edges[1:] - centre, fwhm=fwhm)
        else:
            profile = shape.at(axis.centres - centre, fwhm=fwhm)
        yield rows, profile, np.broadcast_to(growth, energies[rows].shape)
