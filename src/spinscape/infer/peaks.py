"""Objective ``peaks``: energies of peaks along cuts against mode energies, as SpinW fits spectra; for comparison."""

import warnings
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import OptimizeWarning, curve_fit

from ..errors import FitError
from .inner import dot, gram, rows_dot
from .pixels import PixelSet

FWHM_SIGMA = 2.0 * np.sqrt(2.0 * np.log(2.0))


@dataclass(frozen=True, eq=False)
class PeakTable:
    """Peaks of one measurement.

    Parameters
    ----------
    row : (n_peak,) int64
        Momentum that the cut is centred at.
    q : (n_peak, 3) float64, r.l.u.
    energy, std : (n_peak,) float64, meV
        Centres and their standard deviations.
    column : (n_peak,) int64
        Energy bin that the centre lies in.
    shape : (n_q, n_energy)
    """

    row: np.ndarray
    q: np.ndarray
    energy: np.ndarray
    std: np.ndarray
    column: np.ndarray
    shape: tuple[int, int]


def find_peaks(measurement, *, fwhm, threshold=5.0, n_row=3):
    """Find the peaks of a spectrum along energy, momentum by momentum.

    Parameters
    ----------
    measurement : Measurement
        With standard deviations, on a path.
    fwhm : float, meV
        Of a typical line.
    threshold : float
        Significance of a peak, in standard deviations.
    n_row : int
        Neighbouring momenta of a segment that make one cut.

    Returns
    -------
    PeakTable

    Notes
    -----
    A cut is filtered by the negative second derivative of a Gaussian of the line's width, which sees no straight
    background; where the result is highest within a line's width and beyond ``threshold`` of its own noise, a Gaussian
    and a straight line are fitted over ± 1.2 FWHM. A centre that the fit moves by more than half a width, or leaves
    uncertain by more, is no peak.
    """
    if measurement.std is None:
        raise FitError("peaks need standard deviations", where=f"measurement {measurement.name}")
    energies, found = measurement.energy.centres, []
    for rows in _cuts(measurement.segments, n_row):
        signal, std, seen = _cut(measurement, rows)
        if seen.sum() < 8:
            continue
        centre = int(rows[len(rows) // 2])
        for k in _candidates(energies, signal, std, seen, fwhm, threshold):
            peak = _refined(energies, signal, std, seen, energies[k], fwhm)
            if peak is not None:
                found.append((centre, *peak))
    if not found:
        raise FitError(
            "no peak stands out of a measurement", where=f"measurement {measurement.name}",
            expected=f"at least one of {threshold} standard deviations", fix="lower the threshold",
        )  # fmt: skip
    row = np.array([peak[0] for peak in found], dtype=np.int64)
    energy, std = np.array([peak[1:] for peak in found]).T
    column = np.abs(energies[None, :] - energy[:, None]).argmin(axis=1)
    return PeakTable(row, measurement.momentum.points[row], energy, std, column, measurement.shape)


def _cuts(segment, n_row):
    """Yield the rows of each cut: runs of ``n_row`` neighbours that do not leave their segment."""
    for one in np.unique(segment):
        members = np.flatnonzero(segment == one)
        for start in range(0, len(members) - n_row + 1, n_row):
            yield members[start : start + n_row]


def _cut(measurement, rows):
    """Return the weighted mean over some rows, its standard deviation, and where there was anything."""
    valid = measurement.valid[rows]
    weight = np.where(valid, 1.0 / np.where(valid, measurement.std[rows], 1.0) ** 2, 0.0)
    total = weight.sum(axis=0)
    safe = np.where(total > 0, total, 1.0)
    return (weight * np.where(valid, measurement.signal[rows], 0.0)).sum(axis=0) / safe, 1.0 / np.sqrt(safe), total > 0


def _candidates(energies, signal, std, seen, fwhm, threshold):
    """Return the bins where a filtered cut has a significant maximum."""
    sigma = fwhm / FWHM_SIGMA
    t = (energies[:, None] - energies[None, :]) / sigma
    kernel = np.where(seen[None, :], (1.0 - t**2) * np.exp(-0.5 * t**2), 0.0)
    # Without mean and slope over what was measured: a straight background is not seen, at edges and gaps either.
    line = np.stack([np.ones_like(energies), energies - energies.mean()])[:, seen]
    basis = np.linalg.qr(line.T)[0]
    kernel[:, seen] -= (kernel[:, seen] @ basis) @ basis.T
    noise = np.sqrt(np.maximum(((kernel * np.where(seen, std, 0.0)) ** 2).sum(axis=1), 1e-300))
    z = np.where(seen, (kernel * np.where(seen, signal, 0.0)).sum(axis=1) / noise, -np.inf)
    near = np.abs(energies[:, None] - energies[None, :]) <= 0.5 * fwhm
    return np.flatnonzero((z >= threshold) & (z >= np.where(near, z[None, :], -np.inf).max(axis=1)))


def _refined(energies, signal, std, seen, start, fwhm):
    """Return (centre, standard deviation) of a Gaussian and a straight line near ``start``, or None."""
    here = seen & (np.abs(energies - start) <= 1.2 * fwhm)
    if here.sum() < 6:
        return None
    x, y, sigma = energies[here], signal[here], fwhm / FWHM_SIGMA

    def shape(x, height, centre, width, level, slope):
        return height * np.exp(-0.5 * ((x - centre) / width) ** 2) + level + slope * (x - start)

    guess = [np.ptp(y), start, sigma, y.min(), 0.0]
    try:
        with warnings.catch_warnings():
            # Its covariance is then infinite, and the peak is none.
            warnings.simplefilter("ignore", OptimizeWarning)
            best, covariance = curve_fit(shape, x, y, p0=guess, sigma=std[here], absolute_sigma=True, maxfev=500)
    except RuntimeError:
        return None
    error = float(np.sqrt(covariance[1, 1]))
    good = best[0] > 0 and abs(best[1] - start) < 0.5 * fwhm and error < 0.5 * fwhm
    return (float(best[1]), error) if good else None


@dataclass(frozen=True, eq=False)
class PeakForward:
    """A forward model asked for its mode energies at the peaks' momenta instead of spectra: each (n_peak, n_mode)."""

    forward: object
    tables: tuple[PeakTable, ...]

    @property
    def parameter_names(self):
        """The couplings alone: peaks know no instrument."""
        return tuple(self.forward.coupling_names)

    @property
    def coupling_names(self):
        """The free couplings."""
        return tuple(self.forward.coupling_names)

    @property
    def units(self):
        """Their units."""
        return tuple(self.forward.units[: len(self.coupling_names)])

    def predict(self, parameters):
        """Return mode energies, meV, rising; raises ``UnstableError``."""
        return tuple(np.asarray(self.forward.mode_energies(parameters, table.q)) for table in self.tables)

    def mode_energies(self, parameters, q):
        """Return mode energies at q (n_q, 3) in r.l.u., (n_q, n_mode), meV, rising."""
        return self.forward.mode_energies(parameters, q)


@dataclass(frozen=True, eq=False)
class Peaks:
    """χ² = Σ (E_peak − E of the nearest mode)²/σ² over all peaks; SpinW's R is √(χ²/n_peak).

    Peaks of anything else (phonons) count like those of modes, and modes without intensity like those with: this is
    what fitting peak positions means.

    Source: SpinW's ``fitspec`` (R value) and ``ndbase.pso``.
    """

    tables: tuple[PeakTable, ...]
    weights: tuple[np.ndarray, ...]
    kind: str = "peaks"
    estimated: bool = True

    @property
    def pixels(self):
        """The bins that the peaks lie in, of each measurement."""
        flat = [table.row * table.shape[1] + table.column for table in self.tables]
        return tuple(PixelSet(t.shape, np.unique(index)) for t, index in zip(self.tables, flat, strict=True))

    @property
    def dof(self):
        """Peaks that count."""
        return float(sum((weight > 0).sum() for weight in self.weights))

    def value(self, predictions):
        """Return χ²."""
        return float(sum(dot(r, r) for r, _ in self._rests(predictions)))

    def derivative(self, predictions):
        """Return χ² and its derivative by the mode energies."""
        value, images = 0.0, []
        for (rest, nearest), image, root in zip(self._rests(predictions), predictions, self._roots(), strict=True):
            slope = np.zeros(image.shape)
            slope[np.arange(len(rest)), nearest] = -2.0 * rest * root
            value += dot(rest, rest)
            images.append(slope)
        return value, tuple(images)

    def normal_equations(self, predictions, jacobians):
        """Return the gradient (p,) and the Gauss-Newton matrix (p, p) of χ²."""
        p = len(jacobians[0])
        gradient, matrix = np.zeros(p), np.zeros((p, p))
        for (rest, nearest), jacobian, root in zip(self._rests(predictions), jacobians, self._roots(), strict=True):
            columns = root * jacobian[:, np.arange(len(rest)), nearest]
            gradient -= 2.0 * rows_dot(columns, rest)
            matrix += 2.0 * gram(columns)
        return gradient, matrix

    def noise_scale(self, value, *, n_parameter):
        """Return χ²/dof: peaks scatter by more than their fits say."""
        return max(value / max(self.dof - n_parameter, 1.0), 1.0)

    def covariance(self, predictions, jacobians, hessian):
        """Return 2 H⁻¹ (p, p), times the noise scale."""
        scale = self.noise_scale(self.value(predictions), n_parameter=len(hessian))
        return 2.0 * scale * np.linalg.inv(hessian)

    def reweighted(self, multiplicities):
        """Return the objective with peaks counted as often as the images (n_q, n_energy) say of their bins."""
        pairs = zip(self.tables, self.weights, multiplicities, strict=True)
        return replace(self, weights=tuple(w * image[t.row, t.column] for t, w, image in pairs))

    def fitted(self, predictions):
        """Return images (n_q, n_energy): the fitted energy at each peak's bin, zero elsewhere."""
        values = []
        for (_, nearest), image in zip(self._rests(predictions), predictions, strict=True):
            values.append(image[np.arange(len(nearest)), nearest])
        return self._images(values)

    def residuals(self, predictions):
        """Return images (n_q, n_energy): (E_peak − E)/σ at each peak's bin, zero elsewhere."""
        return self._images([rest for rest, _ in self._rests(predictions)])

    def quality(self, predictions):
        """Return χ², SpinW's R and the number of peaks."""
        chi2 = self.value(predictions)
        n = max(self.dof, 1.0)
        return {
            "chi2": chi2,
            "dof": self.dof,
            "chi2_per_dof": chi2 / n,
            "R": float(np.sqrt(chi2 / n)),
            "n_peak": int(n),
        }

    def _roots(self):
        return [np.sqrt(w) / t.std for w, t in zip(self.weights, self.tables, strict=True)]

    def _rests(self, predictions):
        """Return (√weight (E_peak − E)/σ, index of the nearest mode) of each measurement."""
        out = []
        for table, image, root in zip(self.tables, predictions, self._roots(), strict=True):
            nearest = np.abs(image - table.energy[:, None]).argmin(axis=1)
            out.append((root * (table.energy - image[np.arange(len(nearest)), nearest]), nearest))
        return out

    def _images(self, values):
        images = []
        for table, one in zip(self.tables, values, strict=True):
            image = np.zeros(table.shape)
            image[table.row, table.column] = one
            images.append(image)
        return tuple(images)


def peaks(tables):
    """Return the objective of tables of peaks, one for each measurement."""
    tables = tuple(tables)
    return Peaks(tables, tuple(np.ones(len(table.energy)) for table in tables))
