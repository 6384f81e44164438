"""Blocks of measurements with a scale and a tiled background: of each measurement by itself, or shared by all.

The same crystal in the same beam has one scale at all temperatures, and what the sample environment adds does not
depend on that of the sample. Where counts are normalised to the monitor both are one for all measurements, and so are
the artefacts of a single pixel: they are in the mean of its measurements and in none of their differences. In place of
the pixels of each measurement a block then has, for each pixel,

    mean   Σ_t x_t/σ_t² / Σ_t 1/σ_t²,   differences   (x_t − mean of those before)/(σ_t² + σ²_mean)^½,  t = 2, 3, ...

which are independent where the x are. The means have the background, and what a robust loss leaves out; the
differences know no background.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ..errors import FitError
from .counts import counts_of
from .noise import estimate_noise
from .pixels import PixelSet
from .tiles import local_median, modulus_of, pixel_axes, tile_labels

SHARED = ("scale", "background", "artefacts")
"""What measurements may have in common; artefacts where they have the others."""


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
        Negative where there is no background.
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
        return self.n_scale + len(self.slopes) + len(np.unique(self.tile[self.tile >= 0]))

    @property
    def plain(self):
        """The block of pixels of the measurements."""
        return self

    def counted(self, images):
        """Return how often its pixels count where those of the measurements count as often as images say."""
        return self.gather(images)

    def gather(self, images):
        """Return images (..., n_q, n_energy) of its measurements at the pixels, (..., n_pixel)."""
        return np.concatenate([p.gather(image) for p, image in zip(self.pixels, images, strict=True)], axis=-1)

    def fitted(self, values, found):
        """Return scale · model + background at the pixels, of the model's values and the inner minimum."""
        return found.scales[self.scale_of] * values + found.slopes @ self.slopes + found.constants[self.tile]

    def pulled_back(self, slopes):
        """Return derivatives by the values at the pixels (n_pixel,) as those by images (n_q, n_energy)."""
        return self.spread(slopes)

    def spread(self, values):
        """Return values (n_pixel,) as images (n_q, n_energy), zero at masked pixels."""
        cuts = np.cumsum([p.n_pixel for p in self.pixels])[:-1]
        return [p.spread(part) for p, part in zip(self.pixels, np.split(values, cuts), strict=True)]

    def models(self, values):
        """Return what each scale multiplies, (n_scale, n_pixel), of the model's values (n_pixel,)."""
        return np.where(self.scale_of == np.arange(self.n_scale)[:, None], values, 0.0)


@dataclass(frozen=True, eq=False)
class MeanAndDifferences(TiledBlock):
    """A block whose pixels are means over the measurements, and differences between them.

    Parameters
    ----------
    mixing : (n_pixel, n_plain) sparse matrix
    of : TiledBlock
        The measurements' own pixels.
    """

    mixing: sparse.csr_matrix
    of: TiledBlock

    @property
    def plain(self):
        """The block of pixels of the measurements."""
        return self.of

    def gather(self, images):
        """Return means and differences of images (..., n_q, n_energy), (..., n_pixel)."""
        values = self.of.gather(images)
        return np.ascontiguousarray((self.mixing @ values.T).T)

    def pulled_back(self, slopes):
        """Return derivatives by means and differences (n_pixel,) as those by images (n_q, n_energy)."""
        return self.of.spread(self.mixing.T @ slopes)

    def counted(self, images):
        """Return how often means and differences count where pixels count as often as images say."""
        values = self.of.gather(images)
        own = (self.mixing != 0).astype(np.float64)
        return own @ values / np.asarray(own.sum(axis=1)).ravel()


def tiled_blocks(measurements, *, tiles, model_error, share):
    """Return the blocks of measurements in their order; arguments as of ``robust_tiled``."""
    if unknown := sorted(set(share) - set(SHARED)):
        raise FitError("measurements cannot share this", where="objective.share", expected=SHARED, got=unknown)
    alone = tuple(_of_measurement(m, tiles, model_error) for m in measurements)
    if not share or len(alone) == 1:
        return alone
    if "artefacts" in share and not {"scale", "background"} <= set(share):
        raise FitError("measurements share artefacts where they share scale and background", where="objective.share",
                       expected=list(SHARED), got=list(share))  # fmt: skip
    if "background" in share:
        _require_one_axis(measurements)
    block = _joined(alone, share)
    return (mean_and_differences(block),) if "artefacts" in share else (block,)


def mean_and_differences(block):
    """Return the block of means and differences of measurements on one axis that share scale and background."""
    starts = np.cumsum([0, *(p.n_pixel for p in block.pixels)])
    n = int(np.prod(block.pixels[0].shape))
    sums, total = sparse.csr_matrix((n, starts[-1])), np.zeros(n)
    differences = []
    for start, pixels in zip(starts, block.pixels, strict=False):
        where = start + np.arange(pixels.n_pixel)
        variance = block.std[where] ** 2
        pick = sparse.csr_matrix((np.ones(len(where)), (pixels.index, where)), shape=sums.shape)
        both = pixels.index[total[pixels.index] > 0]
        if len(both):
            own = np.zeros(n)
            own[pixels.index] = variance
            root = 1.0 / np.sqrt(own[both] + 1.0 / total[both])
            mean = sparse.diags(1.0 / total[both]) @ sums[both]
            differences.append(sparse.diags(root) @ (pick[both] - mean))
        weight = np.zeros(n)
        weight[pixels.index] = 1.0 / variance
        sums, total = sums + sparse.diags(weight) @ pick, total + weight
    known = np.nonzero(total > 0)[0]
    means = sparse.diags(1.0 / total[known]) @ sums[known]
    mixing = sparse.csr_matrix(sparse.vstack([means, *differences]))
    return _mixed(block, mixing, len(known), 1.0 / np.sqrt(total[known]))


def _mixed(block, mixing, n_mean, std):
    """Return a block of rows of which the first are means, with these standard deviations, the others differences."""
    n = mixing.shape[0]
    first = np.asarray(mixing[:n_mean].argmax(axis=1)).ravel()  # a pixel that the mean is of: all have its tile
    tile, slopes, rest = np.full(n, -1, dtype=np.int64), np.zeros((len(block.slopes), n)), np.ones(n)
    tile[:n_mean], slopes[:, :n_mean], rest[:n_mean] = block.tile[first], block.slopes[:, first], std
    ones = np.zeros(n, dtype=np.int64)
    return MeanAndDifferences(
        block.pixels, mixing @ block.data, rest, np.ones(n), slopes, tile, block.n_tile, ones, 1, mixing, block
    )


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
