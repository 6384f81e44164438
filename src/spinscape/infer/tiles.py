"""Tiles of a measurement: neighbouring pixels that share a constant background, and a slope across all of them."""

import numpy as np

from ..errors import FitError
from ..lattice.momentum import MomentumAxis
from ..lattice.volumes import QGrid


def pixel_axes(measurement):
    """Return the shape of a measurement's pixels as they lie beside each other: momenta, then energies if several."""
    n_energy = measurement.shape[1]
    momentum = measurement.momentum.shape if isinstance(measurement.momentum, QGrid) else (measurement.shape[0],)
    return (*(momentum or (1,)), *((n_energy,) if n_energy > 1 else ()))


def tile_labels(measurement, n_tile):
    """Return the tile of each pixel, (n_q, n_energy) int64: every axis cut into ``n_tile`` equal parts.

    An axis shorter than that is cut into its bins.
    """
    if n_tile < 1:
        raise FitError("the number of tiles is not positive", where="background.tiles", got=n_tile)
    label = np.zeros((), dtype=np.int64)
    for n in pixel_axes(measurement):
        parts = min(n_tile, n)
        label = label[..., None] * parts + (np.arange(n) * parts) // n
    return label.reshape(measurement.shape)


def modulus_of(momentum: MomentumAxis):
    """Return a distance from the origin of each momentum, (n_q,), its largest value 1: |Q| of a powder, else |hkl|."""
    points = np.asarray(momentum.points if hasattr(momentum, "points") else momentum.centres, dtype=np.float64)
    modulus = np.linalg.norm(points, axis=1) if points.ndim == 2 else points
    return modulus / max(float(modulus.max()), 1e-300)


def local_median(image, valid, axes):
    """Return the median of the valid pixels in the 3 × 3 (× 3 ...) surroundings of each pixel, image's shape.

    Parameters
    ----------
    image : (n_q, n_energy) float64
    valid : (n_q, n_energy) bool
        Around a pixel without valid neighbours the median of all valid pixels stands.
    axes : tuple of int
        :func:`pixel_axes`.
    """
    shaped = np.where(valid, image, np.nan).reshape(axes)
    padded = np.pad(shaped, 1, constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3,) * shaped.ndim)
    flat = windows.reshape(*shaped.shape, -1)
    count = np.isfinite(flat).sum(axis=-1)
    ordered = np.sort(flat, axis=-1)  # NaN last
    low, high = (np.maximum(count - 1, 0)) // 2, count // 2
    pick = [
        np.take_along_axis(ordered, np.minimum(k, flat.shape[-1] - 1)[..., None], axis=-1)[..., 0] for k in (low, high)
    ]
    middle = np.where(count % 2 == 1, pick[0], 0.5 * (pick[0] + pick[1]))
    return np.where(count > 0, middle, np.median(image[valid])).reshape(image.shape)
