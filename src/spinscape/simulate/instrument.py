"""From lines to rows of a spectrum on an energy axis, with derivatives forward and back.

A line of energy ω and intensity I stands at ± Zc ω + offset. At a temperature its intensity is I (1 + n) on the side
where the neutron loses energy (side +1) and I n where it gains energy (side -1), n = 1/(e^{Zc ω/k_B T} - 1).
"""

from typing import NamedTuple

import numpy as np

from ..errors import ConfigError
from ..kernels.adjoint import broaden_pullback
from ..kernels.spectrum import broaden, broaden_gradient
from ..observables.profiles import LineShape, PolynomialWidth, TableWidth, line_profiles
from ..units import K_B
from .gradient import group_labels
from .lines import DEGENERACY

_ZERO_ENERGY = 1e-9
"""meV: a mode below it counts as one of this energy where thermal factors are taken, which diverge at zero."""


def width_of(settings):
    """Return the FWHM as a function of the energy: a polynomial or a table."""
    if settings.fwhm_table is not None:
        return TableWidth(*(np.array(column) for column in settings.fwhm_table))
    return PolynomialWidth(settings.fwhm)


class Instrument:
    """How lines look on an energy axis.

    Parameters
    ----------
    settings : SpinwaveSettings
    energy : EnergyAxis
    temperature : float or None, K
        Of the thermal factors; None for none.
    """

    def __init__(self, settings, energy, temperature=None):
        self.settings, self.energy, self.temperature = settings, energy, temperature
        self._plain = settings.line == "gaussian" and settings.fwhm_table is None and settings.bins == "centres"
        self._polynomial = np.array(settings.fwhm)
        self._shape, self._width = LineShape(settings.line, settings.mixing), width_of(settings)

    def rows(self, energies, intensities, *, side=1, fwhm_factor=None, energy_offset=None):
        """Return the spectrum of lines.

        Parameters
        ----------
        energies, intensities : (n_q, n_mode) float64
            Energies ascending.
        side : int
            +1 where the neutron loses energy, -1 where it gains it.
        fwhm_factor, energy_offset : float, optional
            In place of those of the settings.

        Returns
        -------
        (n_q, n_energy) float64, per meV
        """
        intensities = self._thermal(energies, side).factor * intensities
        if self._plain:
            rows = np.empty((len(energies), len(self.energy.centres)))
            arguments = self._kernel_arguments(side, fwhm_factor, energy_offset)
            self._check_width(broaden(energies, intensities, *arguments, rows))
            return rows
        return _Profiles(self, energies, intensities, side, fwhm_factor, energy_offset).rows()

    def gradient(self, lines, *, side=1, fwhm_factor=None, energy_offset=None):
        """Return the derivative of :meth:`rows` by the couplings, (n_parameter, n_q, n_energy).

        Parameters
        ----------
        lines : SlopedLines
        side, fwhm_factor, energy_offset
            As of :meth:`rows`.
        """
        _, intensities, brighten, shift = lines
        if self.temperature is not None:
            factor, slope = self._thermal(lines.energies, side)
            intensities, brighten, shift = factor * intensities, factor * brighten + slope * shift, factor * shift
        if self._plain:
            rows = np.empty((len(brighten), len(intensities), len(self.energy.centres)))
            arguments = self._kernel_arguments(side, fwhm_factor, energy_offset)
            self._check_width(broaden_gradient(lines.energies, intensities, brighten, shift, *arguments, rows))
            return rows
        how = _Profiles(self, lines.energies, intensities, side, fwhm_factor, energy_offset)
        return how.gradient(brighten, shift)

    def pullback(self, energies, intensities, cotangent, *, side=1, fwhm_factor=None, energy_offset=None):
        """Take a cotangent of :meth:`rows` back to the lines.

        Parameters
        ----------
        energies, intensities : (n_q, n_mode) float64
        cotangent : (n_q, n_energy) float64
        side, fwhm_factor, energy_offset
            As of :meth:`rows`.

        Returns
        -------
        by_intensity, by_shift : (n_q, n_mode) float64
        """
        thermal = self._thermal(energies, side)
        seen = thermal.factor * intensities
        if self._plain:
            by_intensity, by_shift = np.empty((2, *energies.shape))
            arguments = self._kernel_arguments(side, fwhm_factor, energy_offset)
            broaden_pullback(energies, seen, cotangent, *arguments, by_intensity, by_shift)
        else:
            how = _Profiles(self, energies, seen, side, fwhm_factor, energy_offset)
            by_intensity, by_shift = how.pullback(cotangent)
        return thermal.factor * by_intensity, thermal.factor * by_shift + thermal.slope * by_intensity

    def holds(self, energies, intensities, *, side=1):
        """Tell whether a line with intensity stands between the first and the last edge of the energy axis."""
        at = side * self.settings.energy_factor * energies + self.settings.energy_offset
        inside = (at >= self.energy.edges[0]) & (at <= self.energy.edges[-1])
        return bool(np.any(inside & (intensities > 0.0)))

    def _thermal(self, energies, side):
        """Return the factor of each line's intensity and its slope by the mode's energy."""
        if self.temperature is None:
            return _Thermal(1.0, 0.0)
        if self.temperature == 0.0:
            return _Thermal(float(side > 0), 0.0)
        factor = self.settings.energy_factor
        x = np.maximum(factor * energies, _ZERO_ENERGY) / (K_B * self.temperature)
        occupation = np.exp(-x) / -np.expm1(-x)
        slope = -occupation * (1.0 + occupation) * factor / (K_B * self.temperature)
        return _Thermal(occupation + (side > 0), np.where(factor * energies > _ZERO_ENERGY, slope, 0.0))

    def _kernel_arguments(self, side, fwhm_factor, energy_offset):
        """Return the arguments that say how a line looks, in the order of the kernels."""
        s = self.settings
        return (
            float(side * s.energy_factor),
            float(s.energy_offset if energy_offset is None else energy_offset),
            self._polynomial,
            float(s.fwhm_factor if fwhm_factor is None else fwhm_factor),
            float(np.inf if s.cap is None else s.cap),
            DEGENERACY,
            float(self.energy.centres[0]),
            self.energy.step,
        )

    def _check_width(self, energy):
        """Raise :class:`ConfigError` where a kernel met a line without width; NaN says that it met none."""
        if not np.isnan(energy):
            raise ConfigError(
                "the energy resolution has no positive width",
                where=f"resolution at {energy:.6g} meV",
                got=f"fwhm polynomial {list(self.settings.fwhm)}",
                fix="give a polynomial and a factor that are positive at every energy of the bands",
            )


class _Thermal(NamedTuple):
    factor: np.ndarray | float
    slope: np.ndarray | float


class _Profiles:
    """Lines of any shape and width: groups of degenerate modes as one line each, like the kernels of Gaussians."""

    def __init__(self, instrument, energies, intensities, side, fwhm_factor, energy_offset):
        s = instrument.settings
        self.offset = s.energy_offset if energy_offset is None else energy_offset
        self.scale = s.fwhm_factor if fwhm_factor is None else fwhm_factor
        self.instrument, self.factor = instrument, side * s.energy_factor
        n_q, n_mode = energies.shape
        self.label = group_labels(energies, DEGENERACY)
        self.place = (np.arange(n_q)[:, None] * n_mode + self.label).ravel()
        total, moment = self.grouped(intensities), self.grouped(intensities * energies)
        self.lit = total > 0.0
        # A group without intensity stands where it does no harm: at the brightest line of all.
        brightest = np.unravel_index(np.argmax(total), total.shape)
        anchor = moment[brightest] / total[brightest] if self.lit[brightest] else 0.0
        self.energy = self.factor * np.where(self.lit, moment / np.where(self.lit, total, 1.0), anchor)
        cap = np.inf if s.cap is None else s.cap
        self.cut = total > cap
        self.total = np.minimum(total, cap)
        self.share = np.where(self.cut, self.total / np.where(self.lit, total, 1.0), 1.0)

    def grouped(self, values):
        """Return sums over groups of (n_q, n_mode), at the index of the group."""
        return np.bincount(self.place, weights=values.ravel(), minlength=values.size).reshape(values.shape)

    def width(self, energy):
        """Return FWHM and slope at energies on the axis, the factor included."""
        fwhm, slope = self.instrument._width(energy - self.offset)
        return self.scale * fwhm, self.scale * slope

    def profiles(self):
        """Yield rows, values (n_row, n_mode, n_energy) and derivatives by the position of the line."""
        how = {"axis": self.instrument.energy, "width": self.width, "shape": self.instrument._shape}
        how["integrate"] = self.instrument.settings.bins == "means"
        for rows, profile, growth in line_profiles(self.energy + self.offset, self.total, **how):
            yield rows, profile.value, profile.by_position + profile.by_width * growth[..., None]

    def rows(self):
        out = np.empty((len(self.total), len(self.instrument.energy.centres)))
        for rows, value, _ in self.profiles():
            out[rows] = np.einsum("qn,qne->qe", self.total[rows], value)
        return out

    def gradient(self, brighten, shift):
        out = np.empty((len(brighten), len(self.total), len(self.instrument.energy.centres)))
        brighter = np.stack([np.where(self.lit & ~self.cut, self.grouped(part), 0.0) for part in brighten])
        faster = np.stack([self.factor * self.share * np.where(self.lit, self.grouped(part), 0.0) for part in shift])
        for rows, value, moved in self.profiles():
            out[:, rows] = np.einsum("kqn,qne->kqe", brighter[:, rows], value)
            out[:, rows] += np.einsum("kqn,qne->kqe", faster[:, rows], moved)
        return out

    def pullback(self, cotangent):
        brighter, faster = np.empty((2, *self.total.shape))
        for rows, value, moved in self.profiles():
            brighter[rows] = np.einsum("qe,qne->qn", cotangent[rows], value)
            faster[rows] = np.einsum("qe,qne->qn", cotangent[rows], moved)
        brighter = np.where(self.lit & ~self.cut, brighter, 0.0)
        faster = self.factor * self.share * np.where(self.lit, faster, 0.0)
        return (np.take_along_axis(part, self.label, axis=1) for part in (brighter, faster))
