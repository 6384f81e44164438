"""Objective ``squared_error``: the part of the data's square that a scaled model leaves, and what leaks out."""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import FitError
from .inner import dot, gram, rows_dot
from .pixels import OnPixels, PixelSet


@dataclass(frozen=True, eq=False)
class _ScaledSet:
    """One measurement: data and counts of the valid pixels, and what weighs the last energy of the model."""

    pixels: PixelSet
    data: np.ndarray
    count: np.ndarray
    leak: float

    @property
    def square(self):
        """Σ count · data²."""
        return dot(self.count * self.data, self.data)

    def scale(self, vector):
        """Return the profiled scale: that of least squares, zero where it would be negative."""
        norm = dot(self.count * vector, vector)
        return max(dot(self.count * vector, self.data) / norm, 0.0) if norm > 0.0 else 0.0

    def rest(self, vector):
        """Return data − scale · model, (n_pixel,)."""
        return self.data - self.scale(vector) * vector


@dataclass(frozen=True, eq=False)
class SquaredError(OnPixels):
    """Squared error with one linear scale for each measurement, relative to the square of the data.

        L = min over s ≥ 0 of Σ (data − s·model)² / Σ data²  +  leak · E_max² · Σ_q model(q, E_max)² / n_q

    The first part is one minus the squared cosine of the angle between data and model, over the measured pixels. The
    second keeps a model from leaving the window: E_max is the last energy, the sum runs over all its pixels, measured
    or not, and the model's own units count in it (μ_B²/meV where spectra are those of moments). Over several
    measurements the mean, weighted by their numbers of pixels. Make it with :func:`squared_error`.

    Notes
    -----
    All pixels count alike, whatever their errors: bright ones decide. Intervals take the variance of the noise from the
    residuals. Source: the powder tutorial of Sunny.jl (functions squared_error_with_rescaling and its leak penalty).
    """

    sets: tuple[_ScaledSet, ...]
    kind: str = "squared_error"

    @property
    def share(self):
        """Share of each measurement in the pixels, (n_set,)."""
        n = np.array([one.count.sum() for one in self.sets])
        return n / n.sum()

    def value(self, predictions):
        """Return L."""
        parts = [self._parts(one, image) for one, image in zip(self.sets, predictions, strict=True)]
        return float(self.share @ [error + leak for error, leak in parts])

    def derivative(self, predictions):
        """Return L and its derivative by every pixel of the predictions."""
        slopes = []
        for share, one, image in zip(self.share, self.sets, predictions, strict=True):
            vector = one.pixels.gather(image)
            by_pixel = -2.0 * one.scale(vector) / one.square * one.count * one.rest(vector)
            slope = one.pixels.spread(by_pixel)
            slope[:, -1] += 2.0 * one.leak * np.asarray(image)[:, -1]
            slopes.append(share * slope)
        return self.value(predictions), tuple(slopes)

    def normal_equations(self, predictions, jacobians):
        """Return the gradient (p,) and the Gauss-Newton matrix (p, p) of L, the scales eliminated.

        jacobians : one (p, n_q, n_energy) for each measurement.
        """
        p = len(jacobians[0])
        gradient, matrix = np.zeros(p), np.zeros((p, p))
        for share, one, image, jacobian in zip(self.share, self.sets, predictions, jacobians, strict=True):
            vector, columns = one.pixels.gather(image), one.pixels.gather(jacobian)
            s, root = one.scale(vector), np.sqrt(one.count)
            gradient -= share * 2.0 * s / one.square * rows_dot(columns, one.count * one.rest(vector))
            along, columns = root * vector, root * columns
            along /= np.sqrt(max(dot(along, along), np.finfo(float).tiny))
            columns = columns - np.outer(rows_dot(columns, along), along)
            matrix += share * 2.0 * s**2 / one.square * gram(columns)
            last, lasts = np.asarray(image)[:, -1], np.ascontiguousarray(np.asarray(jacobian)[:, :, -1])
            gradient += share * 2.0 * one.leak * rows_dot(lasts, np.ascontiguousarray(last))
            matrix += share * 2.0 * one.leak * gram(lasts)
        return gradient, matrix

    def covariance(self, predictions, jacobians, hessian):
        """Return the covariance (p, p): 2 L/(n − p − 1) H⁻¹, the noise being that of the residuals."""
        n = sum(float(one.count.sum()) for one in self.sets)
        dof = max(n - len(hessian) - len(self.sets), 1.0)
        errors = [self._parts(one, image)[0] for one, image in zip(self.sets, predictions, strict=True)]
        return 2.0 * float(self.share @ errors) / dof * np.linalg.inv(hessian)

    def reweighted(self, multiplicities):
        """Return the objective with pixels counted as often as the images (n_q, n_energy) say."""
        sets = [
            replace(one, count=one.count * one.pixels.gather(m))
            for one, m in zip(self.sets, multiplicities, strict=True)
        ]
        return replace(self, sets=tuple(sets))

    def coarse(self):
        """Return the objective without the leak: for lines so wide that they leave any window."""
        return replace(self, sets=tuple(replace(one, leak=0.0) for one in self.sets))

    def quality(self, predictions):
        """Return error and leak of all measurements together, and the profiled scales."""
        parts = np.array([self._parts(one, image) for one, image in zip(self.sets, predictions, strict=True)])
        scales = [one.scale(v) for one, v in zip(self.sets, self.gather(predictions), strict=True)]
        error, leak = (float(x) for x in self.share @ parts)
        out = {"error": error, "leak": leak, "n_pixel": int(sum(one.pixels.n_pixel for one in self.sets))}
        return {**out, **{f"scale_{k}": float(s) for k, s in enumerate(scales)}}

    def fitted(self, predictions):
        """Return images on the scale of the data: scale · model, each (n_q, n_energy)."""
        pairs = zip(self.sets, predictions, strict=True)
        return tuple(one.scale(one.pixels.gather(image)) * np.asarray(image) for one, image in pairs)

    def residuals(self, predictions):
        """Return data − fit over its root mean square as images, zero at masked pixels."""
        images = []
        for one, vector in zip(self.sets, self.gather(predictions), strict=True):
            rest = one.rest(vector)
            size = np.sqrt(dot(one.count * rest, rest) / max(one.count.sum(), 1.0))
            images.append(one.pixels.spread(rest / max(size, np.finfo(float).tiny)))
        return tuple(images)

    def _parts(self, one, image):
        """Return the relative squared error and the leak of one measurement."""
        rest, last = one.rest(one.pixels.gather(image)), np.ascontiguousarray(np.asarray(image)[:, -1])
        return dot(one.count * rest, rest) / one.square, one.leak * dot(last, last)


def squared_error(measurements, *, leak=0.0):
    """Return the :class:`SquaredError` bound to measurements; ``leak`` weighs intensity at the last energy, per meV².

    Raises ``FitError`` where no pixel is valid, and where the data are zero.
    """
    sets = []
    for measurement in measurements:
        where = f"measurement {measurement.name}"
        pixels = PixelSet.from_mask(measurement.valid, name=where)
        data = pixels.gather(measurement.signal).astype(np.float64)
        weight = leak * float(measurement.energy.centres[-1]) ** 2 / measurement.shape[0]
        one = _ScaledSet(pixels, data, np.ones(len(data)), weight)
        if not one.square > 0.0:
            raise FitError("the data are zero: no model has an error relative to them", where=where, got=0.0)
        sets.append(one)
    if not sets:
        raise FitError("a fit needs at least one measurement", where="measurements", got="none")
    return SquaredError(tuple(sets))
