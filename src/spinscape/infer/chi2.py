"""Objective ``chi2_profiled``: χ² with a linear scale and a free background per energy, eliminated in closed form."""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import FitError
from .inner import dot, gram, rows_dot
from .noise import estimate_noise, has_estimated_std
from .pixels import ByPixels, EnergyRows, PixelSet


@dataclass(frozen=True, eq=False)
class _RowSet:
    """One measurement: data and weights at the valid pixels, the data's row means taken off.

    Parameters
    ----------
    pixels : PixelSet
    rows : EnergyRows
    data : (n_pixel,) float64
    weight : (n_pixel,) float64
        Multiplicity / variance.
    multiplicity : (n_pixel,) float64 or None
        None: every pixel once.
    free_background : bool
        A background for each row is eliminated; without it only the scale is.
    estimated : bool
        The variance was estimated from the signal.
    root, row_weight, target : (n_pixel,), (n_row,), (n_pixel,) float64
        sqrt(weight), its squares' sum over each row, and sqrt(weight)·(data − row mean).
    """

    pixels: PixelSet
    rows: EnergyRows
    data: np.ndarray
    weight: np.ndarray
    multiplicity: np.ndarray | None
    free_background: bool
    estimated: bool
    root: np.ndarray
    row_weight: np.ndarray
    target: np.ndarray

    @classmethod
    def make(cls, pixels, rows, data, weight, *, multiplicity=None, free_background=True, estimated=False):
        """Prepare what every evaluation needs: sqrt(w), Σ w of the rows, sqrt(w)·(data − row mean)."""
        total, root = rows.total(weight), np.sqrt(weight)
        target = root * (rows.centred(data, weight, total) if free_background else data)
        return cls(pixels, rows, data, weight, multiplicity, free_background, estimated, root, total, target)

    def remade(self, *, weight, multiplicity):
        """Return the set with other weights."""
        how = {"free_background": self.free_background, "estimated": self.estimated}
        return _RowSet.make(self.pixels, self.rows, self.data, weight, multiplicity=multiplicity, **how)

    def projected(self, vector):
        """Return sqrt(w)·(vector − row mean), (n_pixel,): what the free backgrounds leave of it."""
        if not self.free_background:
            return self.root * vector
        return self.root * self.rows.centred(vector, self.weight, self.row_weight)

    @property
    def dof(self):
        """Counted pixels less one background for each row that has any, and less one scale."""
        counts = np.ones(self.pixels.n_pixel) if self.multiplicity is None else self.multiplicity
        in_row = self.rows.total(counts)
        used = 1.0 if self.free_background else 0.0
        return float(np.maximum(in_row - used, 0.0).sum()) - 1.0


@dataclass(frozen=True, eq=False)
class Chi2Profiled(ByPixels):
    """χ² with one linear scale s for each measurement and one free background b for each of its energies.

        χ² = min over s ≥ 0, b of  Σ w (data − s·model − b[energy])²,   w = 1 / std²

    The minimum is the weighted projection of the data off the row constants and off the model. A scale that would be
    negative is zero: the model is then absent, and χ² is that of the backgrounds alone. A row with one valid pixel
    says nothing. Over several measurements the χ² are summed. Make it with :func:`chi2_profiled`.
    """

    sets: tuple[_RowSet, ...]
    kind: str = "chi2_profiled"

    @property
    def estimated(self):
        """Whether the variance of any measurement was estimated from its signal."""
        return any(one.estimated for one in self.sets)

    @property
    def dof(self):
        """Degrees of freedom left by scales and backgrounds, over all measurements."""
        return sum(one.dof for one in self.sets)

    def value_of_pixels(self, vectors):
        """Return χ² from the predictions at the valid pixels alone."""
        total = 0.0
        for one, vector in zip(self.sets, vectors, strict=True):
            z = one.projected(vector)
            s = _scale(one, z)
            rest = one.target - s * z
            total += dot(rest, rest)
        return total

    def derivative_of_pixels(self, vectors):
        """Return χ² and its derivative by each of the predictions at the valid pixels."""
        value, slopes = 0.0, []
        for one, vector in zip(self.sets, vectors, strict=True):
            z = one.projected(vector)
            s = _scale(one, z)
            rest = one.target - s * z
            value += dot(rest, rest)
            # The profiled s and b are at their own minimum: they add nothing to the first derivative.
            slopes.append(-2.0 * s * one.root * rest)
        return value, tuple(slopes)

    def normal_equations(self, predictions, jacobians):
        """Return the gradient (p,) and the Gauss-Newton matrix (p, p) of χ², scale and backgrounds eliminated.

        jacobians : one (p, n_q, n_energy) for each measurement.
        """
        p = len(jacobians[0])
        gradient, matrix = np.zeros(p), np.zeros((p, p))
        for one, vector, jacobian in zip(self.sets, self.gather(predictions), jacobians, strict=True):
            z = one.projected(vector)
            s = _scale(one, z)
            rest = one.target - s * z
            columns = np.stack([one.projected(column) for column in one.pixels.gather(jacobian)])
            gradient -= 2.0 * s * rows_dot(columns, rest)
            along = z / np.sqrt(dot(z, z)) if s > 0.0 else np.zeros_like(z)
            columns = columns - np.outer(rows_dot(columns, along), along)
            matrix += 2.0 * s**2 * gram(columns)
        return gradient, matrix

    def noise_scale(self, chi2, *, n_parameter):
        """Return the factor on the variances: χ²/dof where they were estimated, 1 where the data bring them."""
        return chi2 / max(self.dof - n_parameter, 1.0) if self.estimated else 1.0

    def covariance(self, predictions, jacobians, hessian):
        """Return 2 H⁻¹ (p, p), times χ²/dof where the variances were estimated."""
        return 2.0 * self.noise_scale(self.value(predictions), n_parameter=len(hessian)) * np.linalg.inv(hessian)

    def coarse(self):
        """Return the objective with equal weights: for lines so wide that no pixel is fitted to within its error.

        Pixels without signal have the smallest errors, and would say no more than that wide lines are wrong.
        """
        sets = []
        for one in self.sets:
            counts = np.ones(one.pixels.n_pixel) if one.multiplicity is None else one.multiplicity
            sets.append(one.remade(weight=counts * np.median(one.weight), multiplicity=one.multiplicity))
        return replace(self, sets=tuple(sets))

    def reweighted(self, multiplicities):
        """Return the objective with pixels counted as often as the images (n_q, n_energy) say."""
        return replace(self, sets=tuple(_reweighted(s, m) for s, m in zip(self.sets, multiplicities, strict=True)))

    def subset(self, chosen):
        """Return the objective on some of the valid pixels: rising positions for each measurement."""
        return replace(self, sets=tuple(_subset(one, where) for one, where in zip(self.sets, chosen, strict=True)))

    def quality(self, predictions):
        """Return χ², the degrees of freedom before the parameters are counted, and the profiled scales."""
        chi2 = self.value(predictions)
        out = {"chi2": chi2, "dof": self.dof, "chi2_per_dof": chi2 / self.dof, "variance_estimated": self.estimated}
        scales = [s for s, _ in self.profiled(predictions)]
        return {**out, **{f"scale_{k}": s for k, s in enumerate(scales)}}

    def profiled(self, predictions):
        """Return (scale, background (n_energy,)) of each measurement.

        An energy without valid pixels gets the background interpolated from its neighbours: nothing is fitted there.
        """
        out = []
        for one, vector in zip(self.sets, self.gather(predictions), strict=True):
            s = _scale(one, one.projected(vector))
            rows, total = one.rows, one.row_weight
            if not one.free_background:
                out.append((s, np.zeros(one.pixels.shape[1])))
                continue
            level = rows.mean(one.data - s * vector, one.weight, total)
            known = total > 0
            axis = np.arange(one.pixels.shape[1])
            out.append((s, np.interp(axis, rows.energy[known], level[known])))
        return out

    def fitted(self, predictions):
        """Return images on the scale of the data: scale · model + background, each (n_q, n_energy)."""
        profiled = self.profiled(predictions)
        return tuple(s * np.asarray(image) + b for (s, b), image in zip(profiled, predictions, strict=True))

    def residuals(self, predictions):
        """Return (data − fit) / std as images, zero at masked pixels."""
        images = []
        for one, vector in zip(self.sets, self.gather(predictions), strict=True):
            z = one.projected(vector)
            images.append(one.pixels.spread(one.target - _scale(one, z) * z))
        return tuple(images)


def chi2_profiled(measurements, *, free_background=True):
    """Return the :class:`Chi2Profiled` bound to measurements.

    ``free_background=False`` takes the background as known (taken off before): only the scale is eliminated.


    Standard deviations are the data's own or, where there are none, those of counts whose size is read off
    neighbouring pixels (:func:`~spinscape.infer.noise.estimate_noise`).
    """
    objective = Chi2Profiled(tuple(_row_set(m, free_background) for m in measurements))
    if not objective.sets:
        raise FitError("a fit needs at least one measurement", where="measurements", got="none")
    return objective


def _row_set(measurement, free_background):
    where = f"measurement {measurement.name}"
    pixels = PixelSet.from_mask(measurement.valid, name=where)
    estimated = measurement.std is None or has_estimated_std(measurement)
    std = estimate_noise(measurement).std if measurement.std is None else measurement.std
    sigma = pixels.gather(std)
    if not (np.isfinite(sigma).all() and sigma.min() > 0):
        raise FitError(
            "a valid pixel has no usable standard deviation",
            where=where,
            expected="positive and finite",
            got=f"{int((~(sigma > 0) | ~np.isfinite(sigma)).sum())} of {len(sigma)} pixels are not",
            fix="mask these pixels, or leave the standard deviations out",
        )
    how = {"free_background": free_background, "estimated": estimated}
    one = _RowSet.make(pixels, EnergyRows.from_pixels(pixels), pixels.gather(measurement.signal), sigma**-2, **how)
    if one.dof <= 0:
        raise FitError(
            "too few valid pixels: the free backgrounds fit them all",
            where=where,
            expected="at least three in some row of equal energy, or two in several",
            got=f"{pixels.n_pixel} pixels in {len(one.rows.energy)} rows",
        )
    return one


def _scale(one, z):
    """Return the profiled scale, zero where it would be negative or where the model has no contrast."""
    zz = dot(z, z)
    return max(dot(z, one.target) / zz, 0.0) if zz > 0.0 else 0.0


def _reweighted(one, image):
    counts = one.pixels.gather(image).astype(np.float64)
    total = counts if one.multiplicity is None else counts * one.multiplicity
    return one.remade(weight=counts * one.weight, multiplicity=total)


def _subset(one, chosen):
    multiplicity = None if one.multiplicity is None else one.multiplicity[chosen]
    pixels = one.pixels.subset(chosen)
    how = {"multiplicity": multiplicity, "free_background": one.free_background, "estimated": one.estimated}
    return _RowSet.make(pixels, EnergyRows.from_pixels(pixels), one.data[chosen], one.weight[chosen], **how)
