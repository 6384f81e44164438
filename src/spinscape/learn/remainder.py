"""What a compressor leaves of images: a part of a generator's error that the latent numbers do not know of.

    r_i = x_i − decode(encode(x_i)),   x_i the image that was simulated at θ_i

Two things are in r: structure that the latent numbers have no room for, which neighbours share, and the noise of the
simulation, which they do not. The second moment of the structure is therefore that of neighbours,

    M = Σ_ij w_ij r_i r_jᵀ / Σ_ij w_ij,   w_ij = w_ji > 0 where one is next to the other, w_ii = 0                 (1)

to which noise adds only chance, with eigenvalues of either sign: those well beyond the most negative one are kept. What
(1) leaves is noise. It makes the decoder inexact, as it does the coefficients of any regression on n images: principal
components have for it, to first order, the covariance between images of points i and j

    noise H_ij,   H_ij = (1 + δ_iᵀ C⁻¹ δ_j)/n,   δ = z − mean of z,  C the covariance of the latent numbers        (2)

which is an error at new points and is missing from (1), that of the points learnt from. So structure that has no
eigenvalue of its own is what the trace of (1), with (2) added, is more than those that are kept. A network, which has
more to learn, has at least the error (2).
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..lattice.crystal import read_only
from ..rng import stream
from .compressor import as_source

NEIGHBOURS = 2
"""Points next to each one that (1) takes: the farther they are, the less of the structure do they share."""
MAX_ROWS = 8
"""Directions that are kept of (1) for each phase."""
MAX_POINTS = 600
"""Points of each phase that (1) is found from: n² n_voxel operations."""
MAX_BYTES = 2**28
"""Of the images that are held for it."""
LEAST_POINTS = 4
BEYOND = 1.5
"""Eigenvalues of (1) are kept from this times the most negative one on."""
SIGNS = 16
"""Rows that stand for the independent errors of voxels."""


@dataclass(frozen=True, eq=False)
class Remainder:
    """Second moments of what a compressor leaves. Make it with :func:`fit_remainder`.

    Parameters
    ----------
    rows : tuple of (n_row, n_voxel) float32
        For each phase: Σ over rows of their squares is the diagonal of (1).
    share : (n_phase,) float64
        Structure that is in no row, in units of the noise: it is taken for independent errors of the voxels.
    noise : (n_voxel,) float32
        Variance.
    centre : (n_latent,) float64
    whitening : (n_latent, n_latent) float64
        Its product with its transpose is C⁻¹.
    n_image : int
    """

    rows: tuple[np.ndarray, ...]
    share: np.ndarray
    noise: np.ndarray
    centre: np.ndarray
    whitening: np.ndarray
    n_image: int

    def independent(self, phase, latent):
        """Return variances that all voxels have for themselves, in units of the noise, (m,): (2) and the share."""
        return np.sum(_coordinates(latent, self.centre, self.whitening, self.n_image) ** 2, axis=1) + self.share[phase]

    def variance(self, phase, latent):
        """Return the variance of each voxel that the latent numbers (m, n_latent) do not know of, (m, n_voxel)."""
        structure = np.sum(np.square(self.rows[phase], dtype=np.float64), axis=0)
        return structure + self.independent(phase, latent)[:, None] * self.noise

    def noise_rows(self, factor):
        """Return rows (:data:`SIGNS`, n_voxel) that stand for independent errors of the voxels.

        The diagonal of their Gram matrix is ``factor`` times the noise, what is off it has the mean zero: random signs.
        """
        signs = stream(0, "dataset", "signs", len(self.noise)).integers(0, 2, (SIGNS, len(self.noise)))
        return (2.0 * signs - 1.0) * np.sqrt(factor * self.noise / SIGNS)


def _coordinates(latent, centre, whitening, n_image):
    """Return rows whose products are H of (2), (m, 1 + n_latent)."""
    return np.column_stack([np.ones(len(latent)), (latent - centre) @ whitening]) / np.sqrt(n_image)


def fit_remainder(theta, latent, images, compressor, label, *, seed):
    """Return the :class:`Remainder` of images (n_point, n_voxel) or an ImageSource, of phases ``label`` (n_point,)."""
    source, parts = as_source(images), []
    values, turn = np.linalg.eigh(np.atleast_2d(np.cov(latent, rowvar=False, ddof=0)))
    whitening = turn / np.sqrt(np.maximum(values, 1e-12 * values.max() + 1e-300))
    place = latent.mean(axis=0), whitening, len(latent)
    limit = min(MAX_POINTS, max(MAX_BYTES // (4 * compressor.n_voxel), 64))
    for c in range(label.max() + 1):
        mine = np.flatnonzero(label == c)
        mine = np.sort(stream(seed, "dataset", "remainder", c, len(mine)).permutation(mine)[:limit])
        at = _coordinates(latent[mine], *place)
        parts.append(_of_phase(theta[mine], at, _residuals(source, mine, compressor)))
    noise = np.average([noise for _, _, noise in parts], axis=0, weights=np.bincount(label[label >= 0]))
    rows, share = tuple(read_only(part[0], np.float32) for part in parts), np.array([part[1] for part in parts])
    return Remainder(rows, read_only(share), read_only(noise, np.float32), *place)


def _residuals(source, points, compressor):
    """Return r (n, n_voxel) float32; zero at masked voxels."""
    out = np.empty((len(points), compressor.n_voxel), dtype=np.float32)
    for start in range(0, len(points), 256):
        values, valid = source.read(points[start : start + 256])
        left = values - compressor.decode(compressor.encode(values, valid))
        out[start : start + 256] = left if valid is None else np.where(valid, left, 0.0)
    return out


def _of_phase(theta, at, residual):
    """Return rows (n_row, n_voxel), the share of structure in none, and the noise (n_voxel,) of one phase."""
    total = np.mean(np.square(residual, dtype=np.float64), axis=0)
    if len(theta) < LEAST_POINTS or not total.any():
        return np.zeros((0, len(total))), 0.0, total
    weights = _neighbours(theta) / len(theta)
    values, turn = np.linalg.eigh((residual @ residual.T).astype(np.float64))
    kept = values > 1e-6 * values[-1]
    root, turn = np.sqrt(values[kept]), turn[:, kept]
    half = turn * root
    shared, within = np.linalg.eigh(half.T @ weights @ half)
    chosen = np.flatnonzero(shared > BEYOND * max(-shared[0], 0.0))[::-1][:MAX_ROWS]
    rows = ((within[:, chosen].T / root) @ turn.T) @ residual * np.sqrt(shared[chosen])[:, None]
    noise = np.maximum(total - np.sum(rows**2, axis=0), 0.0)
    missing = np.sum((weights @ at) * at) * noise.sum()
    rest = shared.sum() + missing - shared[chosen].sum()
    return rows, float(max(rest, 0.0) / max(noise.sum(), 1e-300)), noise


def _neighbours(theta):
    """Return the weights of (1), (n, n), whose sum is n; distances in units of the couplings' ranges."""
    span, n = np.ptp(theta, axis=0), len(theta)
    scaled = theta[:, span > 0] / span[span > 0] if span.any() else np.zeros((n, 1))
    near = cKDTree(scaled).query(scaled, NEIGHBOURS + 1)[1]
    weights = np.zeros((n, n))
    weights[np.arange(n)[:, None], near] = 1.0
    np.fill_diagonal(weights, 0.0)
    weights += weights.T
    return weights * (n / weights.sum())
