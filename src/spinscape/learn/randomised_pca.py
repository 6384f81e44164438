"""Principal components of images that are too large for their covariance, streamed: subspace iteration.

    Q ← orth(XᵀX Q), a few times;   XᵀX within the span of Q gives components and variances (Rayleigh and Ritz)

X are the images less their mean. One pass over the images is one step, at 4 n_image n_voxel n_latent operations.
Source: Halko, Martinsson and Tropp, SIAM Review 53, 217 (2011), sections 4.5 and 5.
"""

import numpy as np

from ..rng import stream
from .images import no_spread

EXTRA = 16
"""Directions beyond those asked for: they take up what the iteration has not yet told apart."""
N_PASS = 4
"""Passes over the images; the last gives the variances."""


def leading_components(batches, *, n_image, n_voxel, n_latent):
    """Return mean, components and variances of streamed images.

    Parameters
    ----------
    batches : callable
        Returns an iterator over all images, (n, n_voxel) at a time; called once for each pass.
    n_image, n_voxel, n_latent : int

    Returns
    -------
    mean : (n_voxel,) float64
    components : (n_latent, n_voxel) float64
        Orthonormal rows.
    variance : (n_latent,) float64
        Of the images along each, Σ/(n_image − 1).
    total : float
        Variance of the images along all directions together.
    """
    width = min(n_latent + EXTRA, n_image, n_voxel)
    # Drawn from a fixed key: the components are a function of the images.
    start = stream(0, "initialise", "components", n_voxel, width).standard_normal((n_voxel, width), dtype=np.float32)
    mean, total, image = _first_pass(batches, n_image, start)
    if not total > 0:
        raise no_spread("pca")
    for _ in range(N_PASS - 2):
        image, _ = _applied(batches, mean, _orthonormal(image))
    basis = _orthonormal(image)
    _, inner = _applied(batches, mean, basis)
    value, vector = np.linalg.eigh(inner)
    chosen = np.argsort(value)[::-1][:n_latent]
    components = (basis.astype(np.float64) @ vector[:, chosen]).T
    return mean, components, np.maximum(value[chosen], 0.0) / (n_image - 1), total / (n_image - 1)


def _orthonormal(columns):
    return np.linalg.qr(columns)[0]


def _first_pass(batches, n_image, start):
    """Return the mean, the sum of all squares about it, and XᵀX of the start, from one pass."""
    total, square, image, reference = np.zeros(len(start)), 0.0, np.zeros_like(start), None
    for values in batches():
        # About the first image: sums of squares far from zero would lose their digits.
        reference = values[0].astype(np.float64) if reference is None else reference
        x = (values - reference).astype(np.float32)
        total += x.sum(axis=0, dtype=np.float64)
        square += float(np.einsum("ij,ij->", x, x, dtype=np.float64))
        image += x.T @ (x @ start)
    shift = total / n_image
    image -= (n_image * np.outer(shift, shift @ start)).astype(np.float32)
    return reference + shift, square - n_image * float(shift @ shift), image


def _applied(batches, mean, basis):
    """Return XᵀX Q and QᵀXᵀX Q."""
    image, inner = np.zeros_like(basis), np.zeros((basis.shape[1],) * 2)
    for values in batches():
        x = (values - mean).astype(np.float32)
        along = x @ basis
        image += x.T @ along
        wide = along.astype(np.float64)
        inner += wide.T @ wide
    return image, inner
