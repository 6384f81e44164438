"""Objective ``correlation``: how far the logarithms of data and model are from proportional."""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import FitError
from .inner import dot, gram, rows_dot
from .pixels import ByPixels, PixelSet

FLOOR = -0.99
"""Lowest c·model that a logarithm is taken of: networks dip a little below zero."""
FLOOR_RMS = 1e-300
"""Smallest root mean square of residuals that is divided by: a perfect fit has residuals of zero."""


@dataclass(frozen=True, eq=False)
class _LogSet:
    """One measurement of a correlation: log data, centred and normalised under the pixels' weights."""

    pixels: PixelSet
    log_data: np.ndarray
    weight: np.ndarray | None
    unit_data: np.ndarray
    norm_data: float

    @classmethod
    def make(cls, pixels, log_data, weight=None):
        """Centre and normalise the data once."""
        return cls(pixels, log_data, weight, *_unit(log_data, weight))

    def unit(self, values):
        """Return ``values`` centred, times sqrt(weight), normalised, and their norm before that."""
        return _unit(values, self.weight)

    @property
    def n_effective(self):
        """Number of pixels, each as often as it counts."""
        return float(self.pixels.n_pixel if self.weight is None else self.weight.sum())


@dataclass(frozen=True, eq=False)
class Correlation(ByPixels):
    """1 − r, with r the Pearson correlation of log(1 + c_data·data) and log(1 + c_model·model).

    Over several measurements: the mean of 1 − r weighted by the numbers of valid pixels. The result depends on both
    factors, since a logarithm is not free of scale. Make it with :func:`correlation`.

    Notes
    -----
    Intervals come from the equivalent least squares problem log data = a + b·log model + noise, with the noise's
    variance taken from the residuals. Source: Chitturi et al., Nat. Commun. 14, 5852 (2023), eq. 3.
    """

    c_data: float
    c_model: float
    sets: tuple[_LogSet, ...]
    kind: str = "correlation"
    n_fitted_by_profile: int = 2

    @property
    def share(self):
        """Share of each measurement in the pixels, (n_set,)."""
        n = np.array([one.n_effective for one in self.sets])
        return n / n.sum()

    def value_of_pixels(self, vectors):
        """Return the value from the predictions at the valid pixels alone."""
        return float(self.share @ [1.0 - self._r(one, v)[0] for one, v in zip(self.sets, vectors, strict=True)])

    def derivative_of_pixels(self, vectors):
        """Return the value and its derivative by each of the predictions at the valid pixels."""
        value, slopes = 0.0, []
        for share, one, vector in zip(self.share, self.sets, vectors, strict=True):
            r, u, v, norm = self._r(one, vector)
            value += share * (1.0 - r)
            by_log = np.zeros_like(vector) if norm == 0.0 else (r * v - u) / norm
            by_log = by_log if one.weight is None else by_log * np.sqrt(one.weight)
            slopes.append(share * by_log * self._log_slope(vector))
        return float(value), tuple(slopes)

    def normal_equations(self, predictions, jacobians):
        """Return the gradient (p,) and the Gauss-Newton matrix (p, p) of the value.

        jacobians : one (p, n_q, n_energy) for each measurement.
        """
        p = len(jacobians[0])
        gradient, matrix = np.zeros(p), np.zeros((p, p))
        for share, r, along, slope in self._linearised(predictions, jacobians):
            gradient -= share * slope
            matrix += share * max(r, 0.0) * gram(along)
        return gradient, matrix

    def covariance(self, predictions, jacobians, hessian):
        """Return H⁻¹ B H⁻¹, (p, p): B is the covariance of the gradient under independent noise of log data."""
        p = len(hessian)
        noise = np.zeros((p, p))
        for one, (share, r, along, _) in zip(self.sets, self._linearised(predictions, jacobians), strict=True):
            dof = max(one.n_effective - self.n_fitted_by_profile - p, 1.0)
            noise += share**2 * (1.0 - r**2) / dof * gram(along)
        inverse = np.linalg.inv(hessian)
        return inverse @ noise @ inverse

    def reweighted(self, multiplicities):
        """Return the objective with pixels counted as often as the images (n_q, n_energy) say."""
        weights = [one.pixels.gather(m).astype(np.float64) for one, m in zip(self.sets, multiplicities, strict=True)]
        return replace(self, sets=tuple(_with_weight(s, w) for s, w in zip(self.sets, weights, strict=True)))

    def subset(self, chosen):
        """Return the objective on some of the valid pixels: rising positions for each measurement."""
        return replace(self, sets=tuple(_subset(one, where) for one, where in zip(self.sets, chosen, strict=True)))

    def quality(self, predictions):
        """Return the correlation of the logarithms, over all measurements and of each."""
        each = [self._r(one, vector)[0] for one, vector in zip(self.sets, self.gather(predictions), strict=True)]
        out = {"r": float(self.share @ each), "n_pixel": int(sum(one.pixels.n_pixel for one in self.sets))}
        return out if len(each) == 1 else {**out, **{f"r_{k}": float(r) for k, r in enumerate(each)}}

    def fitted(self, predictions):
        """Return images on the scale of log(1 + c_data·data): the least squares line through the log model."""
        images = []
        for one, image, vector in zip(self.sets, predictions, self.gather(predictions), strict=True):
            r, _, _, norm = self._r(one, vector)
            slope = 0.0 if norm == 0.0 else r * one.norm_data / norm
            log_model = np.log1p(np.maximum(self.c_model * vector, FLOOR))
            level = one.log_data.mean() - slope * log_model.mean()
            images.append(level + slope * np.log1p(np.maximum(self.c_model * np.asarray(image), FLOOR)))
        return tuple(images)

    def residuals(self, predictions):
        """Return log data less :meth:`fitted`, over its root mean square, as images; zero at masked pixels."""
        images = []
        for one, image in zip(self.sets, self.fitted(predictions), strict=True):
            rest = one.log_data - one.pixels.gather(image)
            images.append(one.pixels.spread(rest / max(float(np.sqrt(np.mean(rest**2))), FLOOR_RMS)))
        return tuple(images)

    def _r(self, one, vector):
        v, norm = one.unit(np.log1p(np.maximum(self.c_model * vector, FLOOR)))
        return dot(one.unit_data, v), one.unit_data, v, norm if one.norm_data > 0.0 else 0.0

    def _log_slope(self, vector):
        scaled = self.c_model * vector
        return np.where(scaled > FLOOR, self.c_model / (1.0 + np.maximum(scaled, FLOOR)), 0.0)

    def _linearised(self, predictions, jacobians):
        """Yield for each set: share, r, derivatives of the unit vector (p, n_pixel), derivative of r (p,)."""
        gathered = self.gather(predictions)
        for share, one, vector, jacobian in zip(self.share, self.sets, gathered, jacobians, strict=True):
            r, u, v, norm = self._r(one, vector)
            by_log = one.pixels.gather(jacobian) * self._log_slope(vector)
            if norm == 0.0:
                yield share, 0.0, np.zeros_like(by_log), np.zeros(len(by_log))
                continue
            if one.weight is None:
                centred = by_log - by_log.mean(axis=1, keepdims=True)
            else:
                mean = rows_dot(by_log, one.weight) / one.weight.sum()
                centred = (by_log - mean[:, None]) * np.sqrt(one.weight)
            along = (centred - np.outer(rows_dot(centred, v), v)) / norm
            yield share, r, along, rows_dot(along, u)


def correlation(measurements, *, c_data=1.0, c_model=1.0):
    """Return the :class:`Correlation` bound to measurements.

    Raises ``FitError`` where no pixel is valid, where the data are constant, and where 1 + c_data·data is not
    positive: negative data (a background taken off) must be clipped first.
    """
    sets = []
    for measurement in measurements:
        where = f"measurement {measurement.name}"
        pixels = PixelSet.from_mask(measurement.valid, name=where)
        scaled = c_data * pixels.gather(measurement.signal)
        if scaled.min() <= -1.0:
            raise FitError(
                "the logarithm of 1 + c_data·data does not exist: the data are too negative",
                where=where,
                expected="c_data·data > −1",
                got=float(scaled.min()),
                fix="set clip_negative: true under background, or use chi2_profiled",
            )
        one = _LogSet.make(pixels, np.log1p(scaled))
        if one.norm_data == 0.0:
            raise FitError("the data are constant: nothing correlates with them", where=where, got=float(scaled[0]))
        sets.append(one)
    if not sets:
        raise FitError("a fit needs at least one measurement", where="measurements", got="none")
    return Correlation(float(c_data), float(c_model), tuple(sets))


def _unit(values, weight):
    if weight is None:
        centred = values - values.mean()
    else:
        centred = np.sqrt(weight) * (values - dot(weight, values) / weight.sum())
    norm = float(np.sqrt(dot(centred, centred)))
    # A spectrum without contrast correlates with nothing; its rounding must not either.
    flat = norm <= 1e-12 * np.sqrt(len(values)) * float(np.abs(values).max(initial=0.0))
    return (np.zeros_like(centred), 0.0) if flat else (centred / norm, norm)


def _with_weight(one, weight):
    return _LogSet.make(one.pixels, one.log_data, weight if one.weight is None else weight * one.weight)


def _subset(one, chosen):
    weight = None if one.weight is None else one.weight[chosen]
    return _LogSet.make(one.pixels.subset(chosen), one.log_data[chosen], weight)
