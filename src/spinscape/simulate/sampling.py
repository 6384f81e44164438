"""Which wave vectors are calculated for each row of a spectrum, and with which weights they are averaged.

A row is a point of a path, a bin of a grid, or a |Q| of a powder. Its value is Σ_k w_k f(Q_k), the points and weights
given by rules and never by chance. Rows are dealt out in blocks, so that memory is bounded however many there are.
"""

from typing import NamedTuple, Protocol

import numpy as np
from scipy.sparse import csr_array

from ..lattice.volumes import QGrid
from ..observables.integration import OffsetRule, combined_rule, gaussian_rule, grid_rule, interval_rule

GRID_ORDER, BIN_ORDER = 8, 3
"""Points along each axis of a grid that is integrated over, and across one bin of an axis, of |Q| too."""


class Means:
    """Weighted sums over points: a sparse matrix, or a plain choice where each row has one point of weight 1.

    Parameters
    ----------
    row, column : (n,) int64
        Row that is summed up, and the point.
    weight : (n,) float64
    shape : tuple of 2 int
        Rows and points.

    Attributes
    ----------
    chosen : (n_row,) int64 or None
        The point of each row, where it is a plain choice.
    """

    def __init__(self, row, column, weight, shape):
        self.shape = shape
        self.chosen = None
        if len(row) == shape[0] and np.array_equal(row, np.arange(shape[0])) and np.all(weight == 1.0):
            self.chosen = np.asarray(column)
        self._matrix = csr_array((weight, (row, column)), shape=shape)

    def __call__(self, values):
        """Return the sums (n_row, n_energy) of values (n_point, n_energy)."""
        return self._matrix @ values if self.chosen is None else values[self.chosen]

    def back(self, cotangent):
        """Return the transpose of the sums: (n_row, n_energy) -> (n_point, n_energy)."""
        return np.ascontiguousarray(self._matrix.T @ cotangent)

    def scaled(self, factor):
        """Return the sums times a factor."""
        entries = self._matrix.tocoo()
        return Means(*entries.coords, factor * entries.data, self.shape)


class Samples(NamedTuple):
    """The points of some rows.

    Parameters
    ----------
    q : (n_sample, 3) float64, r.l.u.
    means : Means
        Takes values at the points to means of the rows.
    """

    q: np.ndarray
    means: Means


class Sampling(Protocol):
    """The points of every row of a spectrum."""

    @property
    def counts(self) -> np.ndarray:
        """Points of each row, (n_row,) int64."""
        ...

    def at(self, start: int, stop: int) -> Samples:
        """Return the points of rows start to stop - 1, equal ones once."""
        ...


class RuleSampling:
    """The same points around each of a list of Q.

    Parameters
    ----------
    points : (n_row, 3) float64, r.l.u.
    rule : OffsetRule
        Offsets in r.l.u.
    """

    def __init__(self, points, rule):
        self.points, self.rule = np.asarray(points, dtype=np.float64), rule

    @property
    def counts(self):
        """Points of each row, (n_row,) int64."""
        return np.full(len(self.points), self.rule.n_offset, dtype=np.int64)

    def at(self, start, stop):
        """Return :class:`Samples` of rows start to stop - 1."""
        q = self.rule.points(self.points[start:stop])
        row = np.repeat(np.arange(len(q)), self.rule.n_offset)
        return merged_samples(q.reshape(-1, 3), row, np.tile(self.rule.weights, len(q)), n_row=len(q))


def merged_samples(q, row, weight, *, n_row):
    """Return samples in which equal points, such as the two copies of a path's corner, stand once.

    Parameters
    ----------
    q : (n, 3) float64, r.l.u.
    row : (n,) int64
        Row that each point belongs to.
    weight : (n,) float64
    n_row : int

    Returns
    -------
    Samples
    """
    unique, inverse = np.unique(np.round(q, 12), axis=0, return_inverse=True)
    return Samples(unique, Means(row, inverse.reshape(-1), weight, (n_row, len(unique))))


def bin_order_of(settings):
    """Return how many points stand across one bin of Q; 0 for the centre alone."""
    return BIN_ORDER if settings.bins == "means" else 0


def axes_sampling(axes, settings, crystal):
    """Return the sampling of a path or a grid with the spread and the ranges of spin-wave settings.

    Parameters
    ----------
    axes : QPath or QGrid
        A grid's integrated axes are averaged over; with ``bins: means`` its bins too.
    settings : SpinwaveSettings
    crystal : Crystal

    Returns
    -------
    RuleSampling
    """
    rules = [OffsetRule(np.zeros((1, 3)), np.ones(1))]
    if isinstance(axes, QGrid):
        rules.append(grid_rule(axes, order=GRID_ORDER, bin_order=bin_order_of(settings)))
    rules += [interval_rule(r["axis"], r["low"], r["high"], order=r["order"]) for r in settings.ranges]
    if settings.spread is not None:
        cartesian = gaussian_rule(settings.spread["covariance"], order=settings.spread["order"])
        rules.append(OffsetRule(cartesian.offsets @ np.linalg.inv(crystal.reciprocal), cartesian.weights))
    return RuleSampling(axes.points, combined_rule(rules))
