"""Objective ``latent_chi2``: the distance of model and data in the latent numbers of a compressor.

    D(S) = min over a ≥ 0, b of (z(a S + b B) − z(x/u))ᵀ C⁻¹ (z(a S + b B) − z(x/u))

C is the covariance that the data's noise gives z(data), from n noisy copies of the data. The inverse of a covariance
from n copies is too large by (n − 1)/(n − n_latent − 2) in the mean, which is taken off (Hartlap, Simon and Schneider,
Astron. Astrophys. 464, 399, 2007). What artefacts the encoder lets through is not in it: see docs/theory/robust.md on
when to trust this objective. u brings the data x to the brightness that the encoder has learnt; a is near one then.

Samarakoon et al., Nat. Commun. 11, 892 (2020), eq. 5, is the same with 1 in the place of C⁻¹ (``weights="equal"``), a
scale that is known and no background.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import FitError, check_shape
from ..rng import stream
from .latent_noise import WEIGHTS, latent_covariance, metric_of, std_of
from .latent_terms import Terms, background_columns, best_terms, projected, slopes_of
from .pixels import PixelSet


@dataclass(frozen=True, eq=False)
class LatentChi2:
    """See the module. Make it with :func:`latent_chi2`.

    Parameters
    ----------
    compressor : Compressor
    pixels : tuple of PixelSet
    data : (n_voxel,) float64
        Measurements side by side, as the compressor learnt them, over ``unit``.
    valid : (n_voxel,) bool
    weight : (n_voxel,) float64
        1/variance, zero at masked voxels: where the search of scale and background begins.
    unit : (n_measurement,) float64
        u of each.
    latent : (n_latent,) float64
        Of the data.
    metric : (n_latent, n_latent) float64
        M with D = |M Δz|².
    noise : (n_latent, n_latent) float64
        Covariance of M z(data) under the noise of the data.
    terms : Terms
        Scale and background.
    """

    compressor: object
    pixels: tuple[PixelSet, ...]
    data: np.ndarray
    valid: np.ndarray
    weight: np.ndarray
    unit: np.ndarray
    latent: np.ndarray
    metric: np.ndarray
    noise: np.ndarray
    terms: Terms
    kind: str = "latent_chi2"

    @property
    def dof(self):
        """Latent numbers less what is fitted beside the couplings."""
        return float(len(self.latent) - self.terms.n_term)

    def value(self, predictions):
        """Return D."""
        return float(np.sum(self.distance(predictions) ** 2))

    def distance(self, predictions):
        """Return M (z(model) − z(data)), (n_latent,)."""
        model = _flat(predictions)
        return self._distance(model, self.coefficients(model))

    def coefficients(self, model):
        """Return scales and coefficients of the background at their best for a model (n_voxel,)."""
        if not self.terms.n_term:
            return np.zeros(0)
        starts = (self.terms.plain(), self.terms.by_least_squares(model, self.data, self.weight))
        return best_terms(self.terms, model, self._encoded, self.metric @ self.latent, starts)

    def derivative(self, predictions):
        """Refuse: an encoder is not asked pixel by pixel."""
        raise FitError(
            "latent χ² has no derivative by single pixels",
            where="objective.kind: latent_chi2",
            fix="use the strategy multistart, descents or gaussian_process",
        )

    def normal_equations(self, predictions, jacobians):
        """Return the gradient (p,) of D and its Gauss-Newton matrix (p, p); the encoder by central differences."""
        rest, slopes, free = self._linearised(predictions, jacobians)
        return 2.0 * slopes @ rest, 2.0 * free @ free.T

    def covariance(self, predictions, jacobians, hessian):
        """Return the covariance (p, p) that the noise of the data alone makes: 4 H⁻¹ J N Jᵀ H⁻¹."""
        _, _, free = self._linearised(predictions, jacobians)
        inverse = np.linalg.inv(hessian)
        return 4.0 * inverse @ free @ self.noise @ free.T @ inverse

    def shift_of(self, predictions, jacobians, columns):
        """Return what changes of the model (m, n_q, n_energy) would move the minimum by, (m, p)."""
        p = len(jacobians[0])
        both = tuple(np.concatenate([j, c]) for j, c in zip(jacobians, columns, strict=True))
        _, _, free = self._linearised(predictions, both)
        return -np.linalg.solve(free[:p] @ free[:p].T, free[:p] @ free[p:].T).T

    def _linearised(self, predictions, jacobians):
        """Return M Δz, its slopes by the parameters (p, n_latent), and these with scale and background eliminated."""
        model = _flat(predictions)
        found = self.coefficients(model)
        here = self.terms.image(model, found)
        columns = self.terms.scaled(np.concatenate([j.reshape(len(j), -1) for j in jacobians], axis=1), found)
        slopes = slopes_of(self._encoded, here, columns)
        rows = self.terms.rows(model)
        rows[self.terms.held(found)] = 0.0
        return self._distance(model, found), slopes, projected(slopes, slopes_of(self._encoded, here, rows))

    def reweighted(self, multiplicities):
        """Return the objective of the pixels that are counted at all: an encoder knows masks and no weights."""
        kept = np.concatenate([np.asarray(m).ravel() > 0 for m in multiplicities])
        return _encoded_data(replace(self, valid=self.valid & kept, weight=np.where(kept, self.weight, 0.0)))

    def quality(self, predictions):
        """Return D, how many latent numbers it is made of, the scales, and the background over the data's mean."""
        found = self.coefficients(_flat(predictions))
        n = self.terms.n_scale
        out = {"latent_chi2": self.value(predictions), "dof": self.dof}
        out |= {f"scale_{k}": float(u * a) for k, (u, a) in enumerate(zip(self.unit, found[:n], strict=False))}
        return out | {f"background_{k}": float(b) for k, b in enumerate(found[n:])}

    def fitted(self, predictions):
        """Return scale · model + background, each (n_q, n_energy), in the unit of the data."""
        model = _flat(predictions)
        return self._images(self.terms.image(model, self.coefficients(model)))

    def residuals(self, predictions):
        """Return data less model, zero at masked pixels; in the unit of the data."""
        model = _flat(predictions)
        rest = self.data - self.terms.image(model, self.coefficients(model))
        return self._images(np.where(self.valid, rest, 0.0))

    def _distance(self, model, coefficients):
        return self._encoded(self.terms.image(model, coefficients)[None])[0] - self.metric @ self.latent

    def _encoded(self, rows):
        return self.compressor.encode(rows, None if self.valid.all() else self.valid) @ self.metric.T

    def _images(self, flat):
        """Return voxels side by side as an image of each measurement, in its unit."""
        parts = zip(self.terms.spans, self.pixels, self.unit, strict=True)
        return tuple((unit * flat[span]).reshape(pixels.shape) for span, pixels, unit in parts)


def latent_chi2(measurements, *, compressor, seed=0, scale=1.0, background=None, weights="noise"):
    """Return the :class:`LatentChi2` of measurements on the axes that a compressor was trained on.

    Parameters
    ----------
    measurements : sequence of Measurement
        Side by side in the order in which the compressor learnt its arrays.
    compressor : Compressor
    seed : int
        Of the noisy copies.
    scale : float or None
        Of the data over the simulations. None: fitted for each measurement. An encoder knows one brightness: the data
        are divided by the scale, or by what brings their mean to that of the images that were learnt.
    background : BackgroundForm, optional
        None by default.
    weights : str
        ``"noise"``: C⁻¹; ``"equal"``: 1, a distance that is no χ².
    """
    if not measurements or (scale is not None and not 0 < scale < np.inf) or weights not in WEIGHTS:
        raise FitError(
            "latent χ² needs measurements, a positive scale or none, and weights that it knows",
            where="latent_chi2",
            expected=f"weights: {', '.join(WEIGHTS)}",
            got=f"{len(measurements)} measurements, scale {scale}, weights {weights}",
        )
    sizes = [m.valid.size for m in measurements]
    spans = tuple(slice(end - n, end) for n, end in zip(sizes, np.cumsum(sizes).tolist(), strict=True))
    valid = np.concatenate([m.valid.ravel() for m in measurements])
    check_shape("measurements", valid, (compressor.n_voxel,), hint="all arrays that the compressor learnt, bin by bin")
    unit = np.array([_unit_of(m, span, compressor, scale) for m, span in zip(measurements, spans, strict=True)])
    data = _side_by_side([np.where(m.valid, m.signal, 0.0) for m in measurements], unit)
    std = np.where(valid, _side_by_side([std_of(m) for m in measurements], unit), 0.0)
    terms = Terms(spans, background_columns(measurements, spans, data, background), scale is None)
    _require_freedom(terms, compressor)
    generator = stream(seed, "counting", "latent_chi2", data)
    metric, noise = metric_of(latent_covariance(compressor, data, valid, std, generator), weights)
    pixels = tuple(PixelSet.from_mask(m.valid, name=f"measurement {m.name}") for m in measurements)
    weight = np.where(std > 0, 1.0 / np.where(std > 0, std, 1.0) ** 2, 0.0)
    return _encoded_data(LatentChi2(compressor, pixels, data, valid, weight, unit, np.zeros(0), metric, noise, terms))


def _encoded_data(objective):
    """Return the objective with the latent numbers of its data, as far as they are valid."""
    mask = None if objective.valid.all() else objective.valid
    return replace(objective, latent=objective.compressor.encode(objective.data[None], mask)[0])


def _unit_of(measurement, span, compressor, scale):
    if scale is not None:
        return scale
    here = measurement.valid.ravel()
    mean, known = measurement.signal.ravel()[here].mean(), compressor.typical_image()[span][here].mean()
    if not (mean > 0 and known > 0):
        raise FitError(
            "the brightness of a measurement and that of the simulations cannot be compared",
            where=f"measurement {measurement.name}, objective.scale: free",
            expected="positive means",
            got=f"{mean:.4g} of the data, {known:.4g} of what the compressor learnt",
            fix="give the scale as a number",
        )
    return float(mean / known)


def _require_freedom(terms, compressor):
    if terms.n_term >= compressor.n_latent:
        raise FitError(
            "scale and background have as much freedom as there are latent numbers",
            where="objective.kind: latent_chi2",
            expected=f"fewer than {compressor.n_latent}",
            got=f"{terms.n_scale} scales, {len(terms.columns)} coefficients of the background",
            fix="set background: {constant: none, degree: [0, 0]}, or compress into more numbers",
        )


def _side_by_side(images, unit):
    return np.concatenate([np.asarray(image).ravel() / u for image, u in zip(images, unit, strict=True)])


def _flat(images):
    return np.concatenate([np.asarray(image).ravel() for image in images])
