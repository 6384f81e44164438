"""Objective ``latent_chi2``: the distance of model and data in the latent numbers of a compressor.

    D = (z(model) − z(data))ᵀ C⁻¹ (z(model) − z(data))

C is the covariance that the data's noise gives z(data), from n noisy copies of the data. The inverse of a covariance
from n copies is too large by (n − 1)/(n − n_latent − 2) in the mean, which is taken off (Hartlap, Simon and Schneider,
Astron. Astrophys. 464, 399, 2007). What artefacts the encoder lets through is not in it: see docs/theory/robust.md on
when to trust this objective. Samarakoon et al., Nat. Commun. 11, 892 (2020), eq. 5, is the same with C = 1.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import FitError, check_shape
from ..rng import stream
from .noise import estimate_noise
from .pixels import PixelSet

LEAST_COPIES = 64
COPIES_PER_LATENT = 16
"""Noisy copies of the data that C is found from: its errors widen the scatter of the couplings by n_latent/copies."""
HELD = 2**24
"""Numbers of the copies that are held at once."""
STEP = 1e-3
"""Of the derivative of the encoder along a change of the image, relative to the change that one parameter makes."""


@dataclass(frozen=True, eq=False)
class LatentChi2:
    """See the module. Make it with :func:`latent_chi2`.

    Parameters
    ----------
    compressor : Compressor
    pixels : tuple of PixelSet
    data : (n_voxel,) float64
        Measurements side by side, as the compressor learnt them.
    valid : (n_voxel,) bool
    latent : (n_latent,) float64
        Of the data.
    whiten : (n_latent, n_latent) float64
        W with WᵀW = C⁻¹.
    """

    compressor: object
    pixels: tuple[PixelSet, ...]
    data: np.ndarray
    valid: np.ndarray
    latent: np.ndarray
    whiten: np.ndarray
    kind: str = "latent_chi2"

    @property
    def dof(self):
        """Latent numbers."""
        return float(len(self.latent))

    def value(self, predictions):
        """Return D."""
        return float(np.sum(self.distance(predictions) ** 2))

    def distance(self, predictions):
        """Return W (z(model) − z(data)), (n_latent,)."""
        return self.whiten @ (self._encoded(_flat(predictions)[None])[0] - self.latent)

    def derivative(self, predictions):
        """Refuse: an encoder is not asked pixel by pixel."""
        raise FitError(
            "latent χ² has no derivative by single pixels",
            where="objective.kind: latent_chi2",
            fix="use the strategy multistart, descents or gaussian_process",
        )

    def normal_equations(self, predictions, jacobians):
        """Return the gradient (p,) of D and its Gauss-Newton matrix (p, p); the encoder by central differences."""
        here = _flat(predictions)
        columns = np.concatenate([j.reshape(len(j), -1) for j in jacobians], axis=1)
        moved = np.concatenate([here + STEP * columns, here - STEP * columns])
        ahead, behind = np.split(self._encoded(moved), 2)
        slopes = (ahead - behind) / (2.0 * STEP) @ self.whiten.T
        return 2.0 * slopes @ self.distance(predictions), 2.0 * slopes @ slopes.T

    def covariance(self, predictions, jacobians, hessian):
        """Return 2 H⁻¹ (p, p): the noise alone."""
        return 2.0 * np.linalg.inv(hessian)

    def reweighted(self, multiplicities):
        """Return the objective of the pixels that are counted at all: an encoder knows masks and no weights."""
        kept = np.concatenate([np.asarray(m).ravel() > 0 for m in multiplicities])
        return _bound(self.compressor, self.pixels, self.data, self.valid & kept, self.whiten)

    def quality(self, predictions):
        """Return D and how many latent numbers it is made of."""
        return {"latent_chi2": self.value(predictions), "dof": self.dof}

    def fitted(self, predictions):
        """Return the model itself: nothing is fitted beside the couplings."""
        return tuple(np.asarray(image) for image in predictions)

    def residuals(self, predictions):
        """Return data less model, zero at masked pixels; in the unit of the data."""
        rest = np.where(self.valid, self.data - _flat(predictions), 0.0)
        sizes = np.cumsum([np.prod(p.shape) for p in self.pixels])[:-1]
        return tuple(part.reshape(p.shape) for part, p in zip(np.split(rest, sizes), self.pixels, strict=True))

    def _encoded(self, rows):
        return self.compressor.encode(rows, None if self.valid.all() else self.valid)


def latent_chi2(measurements, *, compressor, seed=0, scale=1.0):
    """Return the :class:`LatentChi2` of measurements on the axes that a compressor was trained on.

    Parameters
    ----------
    measurements : sequence of Measurement
        Side by side in the order in which the compressor learnt its arrays.
    compressor : Compressor
    seed : int
        Of the noisy copies.
    scale : float
        What the data are divided by to be in the simulations' unit: an encoder knows no other.
    """
    if not measurements or not 0 < scale < np.inf:
        raise FitError("latent χ² needs measurements and a positive scale", where="latent_chi2", got=scale)
    data = np.concatenate([np.where(m.valid, m.signal, 0.0).ravel() for m in measurements]) / scale
    valid = np.concatenate([m.valid.ravel() for m in measurements])
    check_shape("measurements", data, (compressor.n_voxel,), hint="all arrays that the compressor learnt, bin by bin")
    pixels = tuple(PixelSet.from_mask(m.valid, name=f"measurement {m.name}") for m in measurements)
    std = np.concatenate([_std_of(m).ravel() for m in measurements]) / scale
    whiten = _whitening(
        compressor, data, valid, np.where(valid, std, 0.0), stream(seed, "counting", "latent_chi2", data)
    )
    return _bound(compressor, pixels, data, valid, whiten)


def _whitening(compressor, data, valid, std, generator):
    """Return W (n_latent, n_latent) with WᵀW = C⁻¹ from noisy copies."""
    n_latent = compressor.n_latent
    n_copy = max(LEAST_COPIES, COPIES_PER_LATENT * n_latent)
    clouds, at_once = [], max(1, HELD // len(data))
    for start in range(0, n_copy, at_once):
        noise = generator.standard_normal((min(at_once, n_copy - start), len(data)))
        clouds.append(compressor.encode(data + std * noise, None if valid.all() else valid))
    matrix = np.atleast_2d(np.cov(np.concatenate(clouds), rowvar=False))
    values, turn = np.linalg.eigh(matrix)
    unbiased = (n_copy - n_latent - 2) / (n_copy - 1)
    return (turn * np.sqrt(unbiased / np.maximum(values, 1e-9 * values.max() + 1e-300))).T


def _bound(compressor, pixels, data, valid, whiten):
    latent = compressor.encode(data[None], None if valid.all() else valid)[0]
    return LatentChi2(compressor, pixels, data, valid, latent, whiten)


def _std_of(measurement):
    """Return standard deviations (n_q, n_energy): the counts', the file's, or read off neighbours."""
    per_unit = measurement.provenance.get("counts_per_unit")
    if per_unit is not None:
        return np.sqrt(np.maximum(np.where(measurement.valid, measurement.signal, 0.0), 1.0 / per_unit) / per_unit)
    return estimate_noise(measurement).std if measurement.std is None else measurement.std


def _flat(images):
    return np.concatenate([np.asarray(image).ravel() for image in images])
