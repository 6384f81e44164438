"""Objective ``robust_tiled``: a robust likelihood whose background is a constant on each tile and a slope.

    D = min over a ≥ 0, b, c of Σ ρ((x − a·model − b[tile] − c·|Q|)/σ),   σ² = counting variance + (model_error · x̃)²

ρ is Tukey's loss: beyond c standard deviations a pixel says nothing. Its inner minimum starts from that of Student's
law with ν = 1, which sees every pixel, so that D is a function of the model alone. σ is found once from the local
median x̃ of the data: an outlier does not set its own weight. Each measurement has a, b and c of its own, unless it
shares them (:mod:`.tiled_blocks`). Source: Maronna et al., Robust Statistics, 2nd ed., ch. 4 and 5.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import FitError
from ..kernels.robust import STUDENT, TUKEY, reweighted_background
from .inner import gram, rows_dot
from .tiled_blocks import TiledBlock, tiled_blocks

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
class Inner:
    """The inner minimum: scales, coefficients of slopes, constants of the tiles, standardised residuals, deviance."""

    scales: np.ndarray
    slopes: np.ndarray
    constants: np.ndarray
    residual: np.ndarray
    deviance: float


@dataclass(frozen=True, eq=False)
class RobustTiled:
    """See the module. Make it with :func:`robust_tiled`."""

    blocks: tuple[TiledBlock, ...]
    law: int = TUKEY
    kind: str = "robust_tiled"

    @property
    def pixels(self):
        """The pixel set of each measurement."""
        return tuple(pixels for block in self.blocks for pixels in block.pixels)

    @property
    def dof(self):
        """Counted pixels less the coefficients of scale and background."""
        return float(sum((one.multiplicity > 0).sum() - one.n_coefficient for one in self.blocks))

    def coarse(self):
        """Return the objective with Student's law alone, which feels the model from afar."""
        return replace(self, law=STUDENT)

    def inner(self, predictions):
        """Return (values at the pixels, :class:`Inner`) of each block."""
        values = [one.gather(own) for one, own in self._own(predictions)]
        return [(vector, _inner(one, vector, self.law)) for one, vector in zip(self.blocks, values, strict=True)]

    def value(self, predictions):
        """Return D."""
        return float(sum(found.deviance for _, found in self.inner(predictions)))

    def derivative(self, predictions):
        """Return D and its derivative by the predictions, zero at masked pixels."""
        inner = self.inner(predictions)
        images = []
        for one, (_, found) in zip(self.blocks, inner, strict=True):
            weight = self._weights(one, found)
            images += one.pulled_back(-2.0 * found.scales[one.scale_of] * weight * found.residual / one.std)
        return float(sum(found.deviance for _, found in inner)), tuple(images)

    def normal_equations(self, predictions, jacobians):
        """Return the gradient (p,) of D and its expected curvature (p, p), scale and background eliminated.

        Least squares with the weights w have more curvature than D itself: ⟨ψ'⟩/⟨w⟩ is what is left of it.
        """
        p = len(jacobians[0])
        gradient, matrix = np.zeros(p), np.zeros((p, p))
        parts = zip(self.blocks, self._columns(predictions, jacobians), strict=True)
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
        for one, (_, found) in zip(self.blocks, self.inner(predictions), strict=True):
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
        pairs = self._own(multiplicities)
        return replace(
            self, blocks=tuple(replace(one, multiplicity=one.multiplicity * one.counted(own)) for one, own in pairs)
        )

    def residuals(self, predictions):
        """Return standardised residuals as images, zero at masked pixels and at those that do not count."""
        out = []
        for one, fit in self._fits(predictions):
            out += one.spread(np.where(one.multiplicity > 0, (one.data - fit) / one.std, 0.0))
        return tuple(out)

    def fitted(self, predictions):
        """Return scale · model + background, each (n_q, n_energy); zero at masked pixels."""
        return tuple(image for one, fit in self._fits(predictions) for image in one.spread(fit))

    def _fits(self, predictions):
        """Yield the pixels of the measurements of each block, and scale · model + background there."""
        parts = zip(self._own(predictions), self.inner(predictions), strict=True)
        for (one, own), (_, found) in parts:
            yield one.plain, one.plain.fitted(one.plain.gather(own), found)

    def down_weighted(self, predictions):
        """Return the share of the valid pixels that are all but left out; where artefacts are shared of their means."""
        lost = n = 0.0
        for one, (_, found) in zip(self.blocks, self.inner(predictions), strict=True):
            whole, count = _weight(np.zeros(1), self.law)[0], np.where(one.tile >= 0, one.multiplicity, 0.0)
            lost += float(np.sum(count * (_weight(found.residual, self.law) < DOWN * whole)))
            n += float(count.sum())
        return lost / n

    def scatter(self, predictions):
        """Return the mean square of the standardised residuals that are not left out; one where noise is all."""
        total = n = 0.0
        for one, (_, found) in zip(self.blocks, self.inner(predictions), strict=True):
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
        scales = [float(a) for _, f in inner for a in f.scales]
        return out | {f"scale_{k}": a for k, a in enumerate(scales)}

    def _own(self, images):
        """Yield each block with its measurements' images."""
        start = 0
        for one in self.blocks:
            yield one, images[start : start + len(one.pixels)]
            start += len(one.pixels)

    def _weights(self, one, found):
        return one.multiplicity * _weight(found.residual, self.law)

    def _columns(self, predictions, jacobians):
        """Yield √w a ∂model/∂parameter /σ with scale and background projected off, √count·r, and w of each pixel."""
        parts = zip(self.inner(predictions), self._own(jacobians), strict=True)
        for (vector, found), (one, jacobian) in parts:
            weight = self._weights(one, found)
            root = np.sqrt(weight) / one.std
            columns = _off_tiles(one, root * found.scales[one.scale_of] * one.gather(jacobian), root)
            others = np.concatenate([one.models(vector)[found.scales > 0], one.slopes])
            basis = np.linalg.qr(_off_tiles(one, root * others, root).T)[0].T
            yield columns - (columns @ basis.T) @ basis, found.residual, weight


def _off_tiles(one, columns, root):
    """Take the tiles' constants off columns (p, n_pixel) that have the weights' root in them."""
    group, n = one.tile + 1, one.n_tile + 1  # the first has no constant
    total = np.bincount(group, weights=root * root, minlength=n)
    safe = np.where(total > 0, total, 1.0)
    share = np.array([np.bincount(group, weights=root * c, minlength=n) for c in columns]) / safe
    share[:, 0] = 0.0
    return columns - root * share[:, group]


def _inner(one, model, law):
    models = one.models(model)
    dense, n = np.concatenate([models, one.slopes]), len(models)
    coefficients, constants = np.zeros(len(dense)), np.zeros(one.n_tile)
    residual = np.full(len(model), np.inf)
    common = (one.data, dense, n, one.tile, one.std, one.multiplicity)
    deviance = reweighted_background(*common, STUDENT, NU, MAX_INNER, CLOSE, coefficients, constants, residual)
    if law == TUKEY:
        deviance = reweighted_background(*common, TUKEY, CUT, MAX_INNER, CLOSE, coefficients, constants, residual)
    return Inner(coefficients[:n], coefficients[n:], constants, residual, float(deviance))


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


def robust_tiled(measurements, *, tiles=3, model_error=0.03, share=()):
    """Return the :class:`RobustTiled` bound to measurements.

    Parameters
    ----------
    measurements : sequence of Measurement
        With counts, standard deviations, or neither: then the noise is read off neighbouring pixels.
    tiles : int
        Parts that each axis is cut into; every tile has a constant.
    model_error : float
        Relative error of the model, of each pixel by itself.
    share : collection of str
        Of :data:`~spinscape.infer.tiled_blocks.SHARED`: what the measurements have in common, one crystal in one beam
        at several temperatures say.
    """
    if not measurements:
        raise FitError("a fit needs at least one measurement", where="measurements", got="none")
    return RobustTiled(tiled_blocks(measurements, tiles=tiles, model_error=model_error, share=share))
