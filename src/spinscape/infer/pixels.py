"""The valid pixels of a measurement, taken out once: what is masked cannot enter a fit, whatever stands in it."""

from dataclasses import dataclass

import numpy as np

from ..errors import FitError, check_shape


@dataclass(frozen=True, eq=False)
class PixelSet:
    """Some pixels of one spectrum, energy by energy.

    Parameters
    ----------
    shape : (n_q, n_energy)
    index : (n_pixel,) int64
        Flat indices into (n_q, n_energy), sorted by energy, then momentum.
    """

    shape: tuple[int, int]
    index: np.ndarray

    @classmethod
    def from_mask(cls, valid, *, name="measurement"):
        """Return the set of pixels where ``valid`` (n_q, n_energy) is True."""
        n_energy = valid.shape[1]
        energy, q = np.nonzero(valid.T)
        if len(q) == 0:
            raise FitError(
                "no pixel of the measurement is valid",
                where=name,
                expected="at least a few measured pixels",
                got="all masked",
                fix="check the rule for missing values and the mask of the file",
            )
        return cls(tuple(valid.shape), np.ascontiguousarray(q * n_energy + energy))

    @property
    def n_pixel(self):
        """Number of pixels."""
        return len(self.index)

    @property
    def energy(self):
        """Index of each pixel's energy, (n_pixel,)."""
        return self.index % self.shape[1]

    @property
    def momentum(self):
        """Index of each pixel's momentum, (n_pixel,)."""
        return self.index // self.shape[1]

    def gather(self, image):
        """Return the values of an image (..., n_q, n_energy) at the pixels: a contiguous (..., n_pixel)."""
        image = np.asarray(image)
        check_shape("image", image[(0,) * (image.ndim - 2)], self.shape, hint="(n_q, n_energy) of the measurement")
        return image.reshape(*image.shape[:-2], -1).take(self.index, axis=-1)

    def spread(self, values, *, fill=0.0):
        """Return an image (n_q, n_energy) with ``values`` (n_pixel,) at the pixels and ``fill`` elsewhere."""
        out = np.full(self.shape[0] * self.shape[1], fill)
        out[self.index] = values
        return out.reshape(self.shape)

    def subset(self, chosen):
        """Return the set of some of the pixels; ``chosen`` are rising positions in this one."""
        return PixelSet(self.shape, self.index[chosen])


class OnPixels:
    """What objectives share whose ``sets``, one for each measurement, hold their pixels as ``pixels``."""

    @property
    def pixels(self):
        """The pixel set of each measurement."""
        return tuple(one.pixels for one in self.sets)

    def gather(self, predictions):
        """Return the predictions' values at the valid pixels, one vector for each measurement."""
        return tuple(one.pixels.gather(image) for one, image in zip(self.sets, predictions, strict=True))


class ByPixels(OnPixels):
    """An objective that needs the valid pixels alone: ``value_of_pixels`` and ``derivative_of_pixels`` say all."""

    def value(self, predictions):
        """Return the objective's value."""
        return self.value_of_pixels(self.gather(predictions))

    def derivative(self, predictions):
        """Return the value and its derivative by the predictions, zero at masked pixels."""
        value, slopes = self.derivative_of_pixels(self.gather(predictions))
        return value, tuple(one.pixels.spread(slope) for one, slope in zip(self.sets, slopes, strict=True))


@dataclass(frozen=True, eq=False)
class EnergyRows:
    """Sums over the pixels of each energy.

    Parameters
    ----------
    energy : (n_row,) int64
        Energies that have a pixel.
    start : (n_row,) int64
        First pixel of each row.
    row : (n_pixel,) int64
        Row of each pixel.
    """

    energy: np.ndarray
    start: np.ndarray
    row: np.ndarray

    @classmethod
    def from_pixels(cls, pixels):
        """Return the rows of a :class:`PixelSet`."""
        energy, start, row = np.unique(pixels.energy, return_index=True, return_inverse=True)
        return cls(energy, start, row.reshape(-1))

    def total(self, values):
        """Return the sum of ``values`` (n_pixel,) over each row, (n_row,)."""
        return np.add.reduceat(values, self.start)

    def mean(self, values, weight, weight_total):
        """Return the weighted mean of each row, (n_row,); 0 for a row without weight."""
        safe = np.where(weight_total > 0, weight_total, 1.0)
        return self.total(weight * values) / safe

    def centred(self, values, weight, weight_total):
        """Return ``values`` less the weighted mean of their row, (n_pixel,)."""
        return values - self.mean(values, weight, weight_total)[self.row]
