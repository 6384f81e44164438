"""Objective ``robust_tiled``: a robust likelihood whose background is a constant on each tile and a slope.

    D = min over a ≥ 0, b, c of Σ ρ((x − a·model − b[tile] − c·|Q|)/σ),   σ² = counting variance + (model_error · x̃)²

ρ is Tukey's loss: beyond c standard deviations a pixel says nothing. Its inner minimum starts from that of Student's
law with ν = 1, which sees every pixel, so that D is a function of the model alone. σ is found once from the local
median x̃ of the data: an outlier does not set its own weight. Source: Maronna et al., Robust Statistics, 2nd ed.,
ch. 4 and 5.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import FitError
from ..kernels.robust import STUDENT, TUKEY, reweighted_background
from .counts import counts_of
from .inner import gram, rows_dot
from .noise import estimate_noise
from .pixels import PixelSet
from .tiles import local_median, modulus_of, pixel_axes, tile_labels

NU = 1.0
CUT = 4.0
MAX_INNER = 60
CLOSE = 1e-4
"""Change of a standardised residual at which the inner search ends."""
LEAST = 0.3
"""Of the curvature by weights, where many pixels lie beyond the turn of the loss: no step is longer than that."""
DOWN = 0.1
"""A pixel of less weight than that, of a whole one's, counts as left out: 3.3 standard deviations off."""
MAX_DOWN = 0.4
"""Share of left-out pixels above which a result is not to be trusted: docs/theory/robust.md."""
MAX_SCATTER = 1.75
"""Of the pixels that are not left out, the same: artefacts below the cut are everywhere."""


@dataclass(frozen=True, eq=False)
class TiledPixels:
    """One measurement at its valid pixels.

    Parameters
    ----------
    name : str
    pixels : PixelSet
    data, std, multiplicity : (n_pixel,) float64
    slope : (n_pixel,) float64
        Column of the background beside the tiles.
    tile : (n_pixel,) int64
    n_tile : int
    """

    name: str
    pixels: PixelSet
    data: np.ndarray
    std: np.ndarray
    multiplicity: np.ndarray
    slope: np.ndarray
    tile: np.ndarray
    n_tile: int


@dataclass(frozen=True, eq=False)
class Inner:
    """The inner minimum: scale, coefficient of the slope, constants of the tiles, standardised residuals, deviance."""

    coefficients: np.ndarray
    constants: np.ndarray
    residual: np.ndarray
    deviance: float

    @property
    def scale(self):
        """Scale of the model."""
        return float(self.coefficients[0])


@dataclass(frozen=True, eq=False)
class RobustTiled:
    """See the module. Make it with :func:`robust_tiled`."""

    sets: tuple[TiledPixels, ...]
    law: int = TUKEY
    kind: str = "robust_tiled"

    @property
    def pixels(self):
        """The pixel set of each measurement."""
        return tuple(one.pixels for one in self.sets)

    @property
    def dof(self):
        """Counted pixels less the coefficients of scale and background."""
        return float(sum((one.multiplicity > 0).sum() - len(np.unique(one.tile)) - 2 for one in self.sets))

    def coarse(self):
        """Return the objective with Student's law alone, which feels the model from afar."""
        return replace(self, law=STUDENT)

    def inner(self, predictions):
        """Return (values at the pixels, :class:`Inner`) of each measurement."""
        values = [one.pixels.gather(image) for one, image in zip(self.sets, predictions, strict=True)]
        return [(vector, _inner(one, vector, self.law)) for one, vector in zip(self.sets, values, strict=True)]

    def value(self, predictions):
        """Return D."""
        return float(sum(found.deviance for _, found in self.inner(predictions)))

    def derivative(self, predictions):
        """Return D and its derivative by the predictions, zero at masked pixels."""
        inner = self.inner(predictions)
        images = []
        for one, (_, found) in zip(self.sets, inner, strict=True):
            weight = self._weights(one, found)
            images.append(one.pixels.spread(-2.0 * found.scale * weight * found.residual / one.std))
        return float(sum(found.deviance for _, found in inner)), tuple(images)

    def normal_equations(self, predictions, jacobians):
        """Return the gradient (p,) of D and its expected curvature (p, p), scale and background eliminated.

        Least squares with the weights w have more curvature than D itself: ⟨ψ'⟩/⟨w⟩ is what is left of it.
        """
        p = len(jacobians[0])
        gradient, matrix = np.zeros(p), np.zeros((p, p))
        parts = zip(self.sets, self._columns(predictions, jacobians), strict=True)
        for one, (columns, residuals, weight) in parts:
            root = np.sqrt(weight)
            gradient -= 2.0 * rows_dot(columns, root * residuals)
            turned = np.sum(one.multiplicity * _influence(residuals, self.law)[1])
            slope = turned / max(float(np.sum(weight)), 1e-300)
            matrix += 2.0 * max(float(slope), LEAST) * gram(columns)
        return gradient, matrix

    def covariance(self, predictions, jacobians, hessian):
        """Return the covariance (p, p) of a minimum, by the residuals' own scatter.

        2 H⁻¹ · Σψ²/(n − p) / ⟨ψ'⟩,   H the curvature of D: Huber's A⁻¹ B A⁻¹ for pixels that are alike.
        """
        spread = slope = n = 0.0
        for one, (_, found) in zip(self.sets, self.inner(predictions), strict=True):
            psi, derivative = _influence(found.residual, self.law)
            spread += float(np.sum(one.multiplicity * psi**2))
            slope += float(np.sum(one.multiplicity * derivative))
            n += float(one.multiplicity.sum())
        factor = (spread / max(self.dof - len(hessian), 1.0)) / max(slope / n, 1e-2)
        return 2.0 * factor * np.linalg.inv(hessian)

    def pull(self, predictions, jacobians, columns):
        """Return JᵀWJ (p, p) and JᵀWe of each change of the model (m, n_q, n_energy), (m, p)."""
        p = len(jacobians[0])
        matrix, right = np.zeros((p, p)), np.zeros((len(columns[0]), p))
        both = tuple(np.concatenate([j, c]) for j, c in zip(jacobians, columns, strict=True))
        for projected, _, _ in self._columns(predictions, both):
            matrix += gram(projected[:p])
            right += np.einsum("pi,mi->mp", projected[:p], projected[p:])
        return matrix, right

    def shift_of(self, predictions, jacobians, columns):
        """Return what changes of the model (m, n_q, n_energy) would move the minimum by, (m, p)."""
        matrix, right = self.pull(predictions, jacobians, columns)
        return -np.linalg.solve(matrix, right.T).T

    def reweighted(self, multiplicities):
        """Return the objective with pixels counted as often as the images (n_q, n_energy) say."""
        pairs = zip(self.sets, multiplicities, strict=True)
        sets = [replace(one, multiplicity=one.multiplicity * one.pixels.gather(m)) for one, m in pairs]
        return replace(self, sets=tuple(sets))

    def residuals(self, predictions):
        """Return standardised residuals as images, zero at masked pixels and at those that do not count."""
        pairs = zip(self.sets, self.inner(predictions), strict=True)
        return tuple(one.pixels.spread(np.where(one.multiplicity > 0, f.residual, 0.0)) for one, (_, f) in pairs)

    def fitted(self, predictions):
        """Return scale · model + background, each (n_q, n_energy); zero at masked pixels."""
        pairs = zip(self.sets, self.inner(predictions), strict=True)
        return tuple(one.pixels.spread(one.data - one.std * f.residual) for one, (_, f) in pairs)

    def down_weighted(self, predictions):
        """Return the share of the valid pixels that are all but left out."""
        lost = n = 0.0
        for one, (_, found) in zip(self.sets, self.inner(predictions), strict=True):
            whole = _weight(np.zeros(1), self.law)[0]
            lost += float(np.sum(one.multiplicity * (_weight(found.residual, self.law) < DOWN * whole)))
            n += float(one.multiplicity.sum())
        return lost / n

    def scatter(self, predictions):
        """Return the mean square of the standardised residuals that are not left out; one where noise is all."""
        total = n = 0.0
        for one, (_, found) in zip(self.sets, self.inner(predictions), strict=True):
            kept = one.multiplicity * (_weight(found.residual, self.law) >= DOWN * _weight(np.zeros(1), self.law)[0])
            total, n = total + float(np.sum(kept * found.residual**2)), n + float(kept.sum())
        return total / max(n, 1.0)

    def quality(self, predictions):
        """Return the deviance, degrees of freedom, the share of left-out pixels, what others scatter, the scales."""
        inner = self.inner(predictions)
        out = {"deviance": float(sum(f.deviance for _, f in inner)), "dof": self.dof}
        share = self.down_weighted(predictions)
        scatter = self.scatter(predictions)
        trusted = share <= MAX_DOWN and scatter <= MAX_SCATTER
        out |= {"down_weighted": share, "scatter": scatter, "trusted": trusted}
        return out | {f"scale_{k}": f.scale for k, (_, f) in enumerate(inner)}

    def _weights(self, one, found):
        return one.multiplicity * _weight(found.residual, self.law)

    def _columns(self, predictions, jacobians):
        """Yield √w a ∂model/∂parameter /σ with scale and background projected off, √count·r, and w of each pixel."""
        for one, (vector, found), jacobian in zip(self.sets, self.inner(predictions), jacobians, strict=True):
            weight = self._weights(one, found)
            root = np.sqrt(weight) / one.std
            columns = _off_tiles(one, root * found.scale * one.pixels.gather(jacobian), root)
            others = _off_tiles(one, root * np.stack([vector, one.slope]), root)
            basis = np.linalg.qr(others.T)[0].T if found.scale > 0 else others[1:] / np.linalg.norm(others[1:])
            yield columns - (columns @ basis.T) @ basis, found.residual, weight


def _off_tiles(one, columns, root):
    """Take the tiles' constants off columns (p, n_pixel) that have the weights' root in them."""
    total = np.bincount(one.tile, weights=root * root, minlength=one.n_tile)
    safe = np.where(total > 0, total, 1.0)
    share = np.array([np.bincount(one.tile, weights=root * c, minlength=one.n_tile) for c in columns]) / safe
    return columns - root * share[:, one.tile]


def _inner(one, model, law):
    dense = np.stack([model, one.slope])
    coefficients, constants = np.zeros(2), np.zeros(one.n_tile)
    residual = np.full(len(model), np.inf)
    common = (one.data, dense, one.tile, one.std, one.multiplicity)
    deviance = reweighted_background(*common, STUDENT, NU, MAX_INNER, CLOSE, coefficients, constants, residual)
    if law == TUKEY:
        deviance = reweighted_background(*common, TUKEY, CUT, MAX_INNER, CLOSE, coefficients, constants, residual)
    return Inner(coefficients, constants, residual, float(deviance))


def _weight(r, law):
    if law == STUDENT:
        return (NU + 1.0) / (NU + r**2)
    return np.maximum(1.0 - (r / CUT) ** 2, 0.0) ** 2


def _influence(r, law):
    """Return ψ = ½ dD/dr and its derivative, (n_pixel,) each."""
    if law == STUDENT:
        return (NU + 1.0) * r / (NU + r**2), (NU + 1.0) * (NU - r**2) / (NU + r**2) ** 2
    u = np.maximum(1.0 - (r / CUT) ** 2, 0.0)
    return r * u**2, u**2 - 4.0 * (r / CUT) ** 2 * u


def robust_tiled(measurements, *, tiles=3, model_error=0.03):
    """Return the :class:`RobustTiled` bound to measurements.

    Parameters
    ----------
    measurements : sequence of Measurement
        With counts, standard deviations, or neither: then the noise is read off neighbouring pixels.
    tiles : int
        Parts that each axis is cut into; every tile has a constant.
    model_error : float
        Relative error of the model, of each pixel by itself.
    """
    sets = tuple(_tiled_pixels(m, tiles, model_error) for m in measurements)
    if not sets:
        raise FitError("a fit needs at least one measurement", where="measurements", got="none")
    return RobustTiled(sets)


def _tiled_pixels(measurement, tiles, model_error):
    pixels = PixelSet.from_mask(measurement.valid, name=f"measurement {measurement.name}")
    axes = pixel_axes(measurement)
    smooth = local_median(np.where(measurement.valid, measurement.signal, 0.0), measurement.valid, axes)
    variance = _noise_variance(measurement, smooth) + (model_error * smooth) ** 2
    tile = pixels.gather(tile_labels(measurement, tiles))
    slope = np.broadcast_to(modulus_of(measurement.momentum)[:, None], measurement.shape)
    data = pixels.gather(measurement.signal).astype(np.float64)
    one = TiledPixels(
        measurement.name, pixels, data, np.sqrt(pixels.gather(variance)), np.ones(len(data)),
        np.ascontiguousarray(pixels.gather(slope)), np.ascontiguousarray(tile), int(tile.max()) + 1,
    )  # fmt: skip
    if len(data) <= len(np.unique(tile)) + 2 or not (np.isfinite(one.std).all() and (one.std > 0).all()):
        raise FitError(
            "the background has more freedom than the measurement has pixels, or a pixel has no error",
            where=f"measurement {measurement.name}",
            got=f"{len(data)} pixels, {len(np.unique(tile))} tiles",
            fix="use fewer tiles, or mask less",
        )
    return one


def _noise_variance(measurement, smooth):
    """Return the variance of the noise, (n_q, n_energy): that of the counts behind the local median, or the file's."""
    if "counts_per_unit" in measurement.provenance:
        exposure = counts_of(measurement).exposure
        return np.maximum(smooth * exposure, 1.0) / exposure**2
    std = estimate_noise(measurement).std if measurement.std is None else measurement.std
    return np.where(measurement.valid, std, 1.0) ** 2
