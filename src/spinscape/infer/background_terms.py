"""Backgrounds that are linear in their coefficients: a constant for each group of pixels, and given columns."""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import FitError, check_shape

GROUPINGS = ("none", "row", "row_segment")
"""Groups with a constant each: none, the pixels of one energy, those of one energy on one segment of the path."""
LEAST_COUNTS = 25.0
"""Constants of counts: known to a fifth, before they are a nuisance of their own."""


@dataclass(frozen=True)
class BackgroundForm:
    """What stands under a spectrum, up to coefficients that a fit eliminates.

    Parameters
    ----------
    constant : str
        One of :data:`GROUPINGS`: which pixels share a free constant.
    degree : (int, int) or None
        Of a polynomial in the energy and in the momentum's row (or |Q| bin): all products of the two. (0, 0) is one
        constant for all pixels.
    decays : tuple of float, meV
        One exponential exp(-E/decay) for each.
    empty : tuple of (n_q, n_energy) arrays
        Measured backgrounds, an empty can for instance: the coefficient is its share.
    least_counts : float
        Of counts: neighbouring energies share a constant until they hold so many. A constant for each energy that saw
        a handful of counts takes as much from the couplings as it gives: the likelihood ratio of 800 counts at 121
        energies exceeds χ² by 20 %. Zero for no such sharing.
    """

    constant: str = "row"
    degree: tuple[int, int] | None = None
    decays: tuple[float, ...] = ()
    empty: tuple = ()
    least_counts: float = LEAST_COUNTS

    def __post_init__(self):
        if self.constant not in GROUPINGS:
            raise FitError("unknown groups of a background", where="background.constant", expected=GROUPINGS,
                           got=self.constant)  # fmt: skip
        if self.degree is not None and min(self.degree) < 0:
            raise FitError("a degree is negative", where="background.degree", got=self.degree)
        if any(not 0 < decay < np.inf for decay in self.decays):
            raise FitError("a decay must be positive, meV", where="background.decays", got=self.decays)

    def with_constant(self, constant):
        """Return the same background with other groups of constants."""
        return replace(self, constant=constant)

    def labels(self, measurement):
        """Return the group of each pixel, (n_q, n_energy) int64, or None."""
        n_q, n_energy = measurement.shape
        if self.constant == "none":
            return None
        group = np.zeros(n_q, dtype=np.int64)
        if self.constant == "row_segment":
            group = np.unique(measurement.segments, return_inverse=True)[1].reshape(-1)
        return np.arange(n_energy)[None, :] * (group.max() + 1) + group[:, None]

    def labels_of_counts(self, measurement, counts):
        """Return :meth:`labels` with groups of neighbouring energies made one until they hold ``least_counts``.

        Parameters
        ----------
        measurement : Measurement
        counts : (n_q, n_energy) float64
            Zero at masked pixels.
        """
        labels = self.labels(measurement)
        if labels is None or self.least_counts <= 0:
            return labels
        n_energy = measurement.shape[1]
        totals = np.bincount(labels.ravel(), weights=counts.ravel(), minlength=labels.max() + 1).reshape(n_energy, -1)
        pools = np.array([pooled(one, self.least_counts) for one in totals.T]).T
        return (pools * totals.shape[1] + np.arange(totals.shape[1])).ravel()[labels]

    def columns(self, measurement):
        """Return the images of the given columns, (n_column, n_q, n_energy); constants of groups are not in them."""
        shape = measurement.shape
        energies = np.zeros(1) if measurement.energy is None else measurement.energy.centres
        images = [np.broadcast_to(np.exp(-(energies - energies[0]) / d), shape) for d in self.decays]
        if self.degree is not None:
            x = _unit(np.arange(shape[0]))[:, None]
            y = _unit(energies)[None, :]
            skip = self.constant != "none"  # a polynomial of the energy alone is in the rows' constants already
            pairs = [(i, j) for i in range(self.degree[1] + 1) for j in range(self.degree[0] + 1)]
            images += [_legendre(i, x) * _legendre(j, y) for i, j in pairs if not (skip and i == 0)]
        for image in self.empty:
            check_shape("background.empty", np.asarray(image), shape, hint="an image on the measurement's axes")
            if not np.isfinite(image).all():
                raise FitError("a measured background is not finite", where="background.empty",
                               fix="mask these pixels of the measurement")  # fmt: skip
            images.append(np.asarray(image, dtype=np.float64))
        return np.array([np.broadcast_to(image, shape) for image in images]).reshape(len(images), *shape)


def pooled(totals, least):
    """Return the pool of each of a row of cells, (n,) int64: neighbours share one until it holds ``least``.

    >>> pooled([9, 2, 3, 5, 1], 4).tolist()
    [0, 1, 1, 2, 2]
    """
    out, pool, held = np.zeros(len(totals), dtype=np.int64), 0, 0.0
    for k, total in enumerate(totals):
        out[k] = pool
        held += total
        if held >= least:
            pool, held = pool + 1, 0.0
    if held < least and pool > 0:
        out[out == pool] = pool - 1  # what is left over at the end
    return out


def _unit(values):
    span = np.ptp(values)
    return 2.0 * (values - values.min()) / span - 1.0 if span > 0 else np.zeros(len(values))


def _legendre(order, x):
    return np.polynomial.legendre.legval(x, np.eye(order + 1)[order])
