"""Blocks of measurements with a scale and a tiled background: of each measurement by itself, or shared by all.

The same crystal in the same beam has one scale at all temperatures, and what the sample environment adds does not
depend on that of the sample. Where counts are normalised to the monitor both are one for all measurements.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import FitError
from .counts import counts_of
from .noise import estimate_noise
from .pixels import PixelSet
from .tiles import local_median, modulus_of, pixel_axes, tile_labels

SHARED = ("scale", "background")
"""What measurements may have in common."""


@dataclass(frozen=True, eq=False)
class TiledBlock:
    """Measurements that are fitted with common coefficients, at their valid pixels, one after the other.

    Parameters
    ----------
    pixels : tuple of PixelSet
        Of each measurement.
    data, std, multiplicity : (n_pixel,) float64
    slopes : (n_slope, n_pixel) float64
        Columns of the background beside the tiles.
    tile : (n_pixel,) int64
    n_tile : int
    scale_of : (n_pixel,) int64
        Which scale multiplies the model.
    n_scale : int
    """

    pixels: tuple[PixelSet, ...]
    data: np.ndarray
    std: np.ndarray
    multiplicity: np.ndarray
    slopes: np.ndarray
    tile: np.ndarray
    n_tile: int
    scale_of: np.ndarray
    n_scale: int

    @property
    def n_coefficient(self):
        """Number of scales, slopes and constants."""
        return self.n_scale + len(self.slopes) + len(np.unique(self.tile))

    def gather(self, images):
        """Return images (..., n_q, n_energy) of its measurements at the pixels, (..., n_pixel)."""
        return np.concatenate([p.gather(image) for p, image in zip(self.pixels, images, strict=True)], axis=-1)

    def spread(self, values):
        """Return values (n_pixel,) as images (n_q, n_energy), zero at masked pixels."""
        cuts = np.cumsum([p.n_pixel for p in self.pixels])[:-1]
        return [p.spread(part) for p, part in zip(self.pixels, np.split(values, cuts), strict=True)]

    def models(self, values):
        """Return what each scale multiplies, (n_scale, n_pixel), of the model's values (n_pixel,)."""
        return np.where(self.scale_of == np.arange(self.n_scale)[:, None], values, 0.0)


def tiled_blocks(measurements, *, tiles, model_error, share):
    """Return the blocks of measurements in their order; arguments as of ``robust_tiled``."""
    if unknown := sorted(set(share) - set(SHARED)):
        raise FitError("measurements cannot share this", where="objective.share", expected=SHARED, got=unknown)
    alone = tuple(_of_measurement(m, tiles, model_error) for m in measurements)
    if not share or len(alone) == 1:
        return alone
    if "background" in share:
        _require_one_axis(measurements)
    return (_joined(alone, share),)


def _joined(alone, share):
    """Return one block of several, each of one measurement."""
    number = np.repeat(np.arange(len(alone)), [len(one.data) for one in alone])
    tile, slope, one_scale = (
        np.concatenate(x) for x in zip(*((b.tile, b.slopes[0], b.scale_of) for b in alone), strict=True)
    )
    n_tile = max(one.n_tile for one in alone)
    slopes = slope[None]
    if "background" not in share:
        tile, n_tile = tile + n_tile * number, n_tile * len(alone)
        slopes = np.where(number == np.arange(len(alone))[:, None], slope, 0.0)
    scales = (one_scale, 1) if "scale" in share else (number, len(alone))
    rest = (np.concatenate([getattr(one, name) for one in alone]) for name in ("data", "std", "multiplicity"))
    return TiledBlock(tuple(p for one in alone for p in one.pixels), *rest, slopes, tile, n_tile, *scales)


def _require_one_axis(measurements):
    first = measurements[0]
    for other in measurements[1:]:
        if other.shape != first.shape or not _same(first.momentum, other.momentum):
            raise FitError(
                "measurements on different axes cannot share a tiled background",
                where=f"measurement {other.name}",
                expected=f"the axes of {first.name}, {first.shape}",
                got=other.shape,
                fix="share: [scale], or put them on the same axes",
            )


def _same(first, second):
    a, b = (np.asarray(m.points if hasattr(m, "points") else m.centres) for m in (first, second))
    return a.shape == b.shape and np.allclose(a, b, rtol=0.0, atol=1e-6)


def _of_measurement(measurement, tiles, model_error):
    pixels = PixelSet.from_mask(measurement.valid, name=f"measurement {measurement.name}")
    axes = pixel_axes(measurement)
    smooth = local_median(np.where(measurement.valid, measurement.signal, 0.0), measurement.valid, axes)
    variance = _noise_variance(measurement, smooth) + (model_error * smooth) ** 2
    tile = pixels.gather(tile_labels(measurement, tiles))
    slope = np.broadcast_to(modulus_of(measurement.momentum)[:, None], measurement.shape)
    data = pixels.gather(measurement.signal).astype(np.float64)
    one = TiledBlock(
        (pixels,), data, np.sqrt(pixels.gather(variance)), np.ones(len(data)),
        np.ascontiguousarray(pixels.gather(slope))[None], np.ascontiguousarray(tile), int(tile.max()) + 1,
        np.zeros(len(data), dtype=np.int64), 1,
    )  # fmt: skip
    if len(data) <= one.n_coefficient or not (np.isfinite(one.std).all() and (one.std > 0).all()):
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
