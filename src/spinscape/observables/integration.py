"""Averages over regions of Q by fixed points: Gaussian resolution, intervals of projection axes, and histograms.

A rule is a set of offsets δ with weights w of sum 1: what is seen at Q is Σ_k w_k f(Q + δ_k). No random numbers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, ShapeError, check_shape
from ..lattice.crystal import read_only
from ..lattice.volumes import QGrid

MAX_ORDER = 64
MAX_POINT = 1_000_000
_SINGULAR = 1e-12


@dataclass(frozen=True, eq=False)
class OffsetRule:
    """Points around Q and their weights.

    Parameters
    ----------
    offsets : (n_offset, 3) float64
        In the frame and unit of the Q that they are added to.
    weights : (n_offset,) float64, positive, of sum 1
    """

    offsets: np.ndarray
    weights: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, "offsets", read_only(self.offsets))
        object.__setattr__(self, "weights", read_only(self.weights))
        check_shape("offsets", self.offsets, ("n_offset", 3))
        check_shape("weights", self.weights, (len(self.offsets),))

    @property
    def n_offset(self) -> int:
        """Number of points around each Q."""
        return len(self.weights)

    def points(self, q) -> np.ndarray:
        """Return q + δ, (n_q, n_offset, 3), for q (n_q, 3)."""
        return np.asarray(q, dtype=np.float64)[:, None] + self.offsets[None]


def gaussian_rule(covariance, *, order: int = 5) -> OffsetRule:
    """Return the rule of a Gaussian resolution in Q.

    Parameters
    ----------
    covariance : (3, 3) float64
        Symmetric, not negative: of a FWHM w along one axis the variance there is (w/2.3548)². A direction of
        variance 0 has no spread.
    order : int
        Points along each direction that has a spread.

    Returns
    -------
    OffsetRule
        Exact for polynomials in Q up to the degree 2·order - 1.

    Notes
    -----
    Gauss-Hermite in the coordinates of the triangular factor L of covariance = L Lᵀ. Unlike eigenvectors it has no
    choice of signs or of directions in a degenerate space: equal input gives equal points on any machine.
    """
    factor = _triangular_factor(np.asarray(covariance, dtype=np.float64))
    columns = [column for column in factor.T if np.any(column)]
    nodes, weights = np.polynomial.hermite_e.hermegauss(_checked_order(order))
    return _product([(column, nodes, weights / weights.sum()) for column in columns])


def interval_rule(axis, low: float, high: float, *, order: int = 8) -> OffsetRule:
    """Return the rule of the mean over an interval of a projection axis, low to high times ``axis``.

    Parameters
    ----------
    axis : (3,) float64
        In the frame of Q: (0, 0, 1) in r.l.u. for an integration along L.
    low, high : float
    order : int
        Points of Gauss-Legendre: exact for polynomials up to the degree 2·order - 1.

    Returns
    -------
    OffsetRule
    """
    axis = np.asarray(axis, dtype=np.float64)
    check_shape("axis", axis, (3,))
    if not (np.all(np.isfinite(axis)) and np.any(axis) and np.isfinite(low) and low < high < np.inf):
        raise ConfigError(
            "no such interval to integrate over",
            where="integration",
            expected="an axis that is not zero, and low < high",
            got=f"axis {axis.tolist()}, {low} to {high}",
        )
    nodes, weights = np.polynomial.legendre.leggauss(_checked_order(order))
    return _product([(axis, 0.5 * (low + high) + 0.5 * (high - low) * nodes, 0.5 * weights)])


def grid_rule(grid: QGrid, *, order: int = 8, bin_order: int = 0) -> OffsetRule:
    """Return the rule of the mean over the integrated axes of a grid, about the centres of its bins, in r.l.u.

    Parameters
    ----------
    grid : QGrid
    order : int
        Points along each axis that is integrated over.
    bin_order : int
        Points across the bins of the other axes, which must be of one width; 0 for their centres alone.
    """
    rule = OffsetRule(np.zeros((1, 3)), np.ones(1))
    for axis, edges, integrated in zip(grid.basis, grid.edges, grid.integrated, strict=True):
        n = order if integrated else bin_order
        if n:
            half = 0.5 * _bin_width(edges, grid.name)
            rule = combined_rule([rule, interval_rule(axis, -half, half, order=n)])
    return rule


def _bin_width(edges, name):
    """Return the width of bins that are all as wide."""
    widths = np.diff(edges)
    if np.ptp(widths) > 1e-6 * widths[0]:
        raise ConfigError(
            "means over bins need bins of one width", where=name, got=widths[:6].tolist(), fix="take equal bins"
        )
    return float(np.mean(widths))


def combined_rule(rules: Sequence[OffsetRule]) -> OffsetRule:
    """Return the rule of several spreads that act together: a convolution, every sum of one offset of each."""
    offsets, weights = np.zeros((1, 3)), np.ones(1)
    for rule in rules:
        if len(weights) * rule.n_offset > MAX_POINT:
            raise ConfigError("too many points around each Q", expected=f"at most {MAX_POINT}", fix="take lower orders")
        offsets = (offsets[:, None] + rule.offsets[None]).reshape(-1, 3)
        weights = np.outer(weights, rule.weights).ravel()
    return OffsetRule(offsets, weights)


def rule_average(function: Callable, q, *, rule: OffsetRule, chunk: int = 65536) -> np.ndarray:
    """Return Σ_k w_k f(q + δ_k).

    Parameters
    ----------
    function : callable
        (n, 3) -> (n, ...), in the frame of the rule.
    q : (n_q, 3) float64
    rule : OffsetRule
    chunk : int
        Most points given to the function at once, but at least those of one Q.

    Returns
    -------
    (n_q, ...) array
    """
    q = np.asarray(q, dtype=np.float64)
    check_shape("q", q, ("n_q", 3))
    step, parts = max(1, chunk // rule.n_offset), []
    for start in range(0, max(1, len(q)), step):
        points = rule.points(q[start : start + step])
        values = np.asarray(function(points.reshape(-1, 3)))
        if len(values) != points.shape[0] * points.shape[1]:
            raise ShapeError(
                "a function to be averaged has the wrong shape",
                expected=(points.shape[0] * points.shape[1], "..."),
                got=values.shape,
                fix="return one row for each Q",
            )
        parts.append(np.einsum("k,qk...->q...", rule.weights, values.reshape(*points.shape[:2], *values.shape[1:])))
    return np.concatenate(parts)


def _product(directions):
    """Return the product of one-dimensional rules (axis, nodes, weights of sum 1)."""
    return combined_rule([OffsetRule(np.outer(nodes, axis), weights) for axis, nodes, weights in directions])


def _checked_order(order):
    if not 1 <= order <= MAX_ORDER:
        raise ConfigError("no such order of a rule", expected=f"1 to {MAX_ORDER}", got=order)
    return int(order)


def _triangular_factor(covariance):
    """Return lower triangular L with L Lᵀ = covariance, which may be singular."""
    check_shape("covariance", covariance, (3, 3))
    size = np.abs(covariance).max()
    rest = np.array(covariance)
    factor = np.zeros((3, 3))
    bad = not np.isfinite(size) or np.abs(covariance - covariance.T).max() > _SINGULAR * size
    for k in range(0 if bad else 3):
        if rest[k, k] > _SINGULAR * size:
            factor[:, k] = rest[:, k] / np.sqrt(rest[k, k])
            rest -= np.outer(factor[:, k], factor[:, k])
    if bad or np.abs(rest).max() > 1e3 * _SINGULAR * size:
        raise ConfigError(
            "not a covariance",
            where="Q resolution",
            expected="a symmetric 3×3 matrix without negative eigenvalues",
            got=covariance.tolist(),
        )
    return factor


def grid_coordinates(grid: QGrid, q) -> np.ndarray:
    """Return the coordinates of wave vectors on the axes of a grid, (n_q, 3), for q (n_q, 3) in r.l.u."""
    return (np.asarray(q, dtype=np.float64) - grid.origin) @ np.linalg.inv(grid.basis)


@dataclass(frozen=True, eq=False)
class Histogram:
    """Means of values that fell into bins.

    Parameters
    ----------
    mean : (n_bin_0, ...) float64
        0 where nothing fell in: ``weight`` says where.
    weight : (n_bin_0, ...) float64
        Sum of the weights of what fell into each bin.
    """

    mean: np.ndarray
    weight: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, "mean", read_only(self.mean))
        object.__setattr__(self, "weight", read_only(self.weight))

    @property
    def filled(self) -> np.ndarray:
        """Where at least one value fell in, of the shape of ``mean``."""
        return self.weight > 0


def histogram(coordinates, values, *, edges: Sequence, weights=None) -> Histogram:
    """Return the mean of values in bins of their coordinates.

    Parameters
    ----------
    coordinates : (n_point, n_axis) float64
    values : (n_point,) float64
    edges : sequence of n_axis arrays, rising
        A bin holds its lower edge and not its upper one; the last bin holds both.
    weights : (n_point,) float64, optional
        Positive; 1 where they are left out.

    Returns
    -------
    Histogram
        What falls outside the edges is left out.
    """
    coordinates, values = np.asarray(coordinates, dtype=np.float64), np.asarray(values, dtype=np.float64)
    check_shape("coordinates", coordinates, ("n_point", len(edges)))
    check_shape("values", values, (len(coordinates),))
    weights = np.ones(len(values)) if weights is None else np.asarray(weights, dtype=np.float64)
    check_shape("weights", weights, values.shape)
    if not np.all(np.isfinite(coordinates)) or not np.all(np.isfinite(values)) or not np.all(weights > 0):
        raise ConfigError(
            "a point of a histogram is not finite, or its weight not positive",
            fix="leave masked points out before: a mask is never a value",
        )
    for axis, rising in enumerate(edges):
        if len(rising) < 2 or not np.all(np.diff(rising) > 0):
            raise ConfigError("bin edges must rise", where=f"edges of axis {axis}", got=list(rising[:6]))
    weight = np.histogramdd(coordinates, bins=edges, weights=weights)[0]
    total = np.histogramdd(coordinates, bins=edges, weights=weights * values)[0]
    return Histogram(total / np.where(weight > 0, weight, 1.0), weight)


def overlap_matrix(edges, *, new_edges) -> np.ndarray:
    """Return the matrix that takes densities in one set of bins to means over another.

        P_ij = length of (bin i of new_edges ∩ bin j of edges) / length of bin i

    Parameters
    ----------
    edges : (n_bin + 1,) float64, rising
    new_edges : (n_new + 1,) float64, rising, inside ``edges``

    Returns
    -------
    (n_new, n_bin) float64, rows of sum 1
    """
    old, new = np.asarray(edges, dtype=np.float64), np.asarray(new_edges, dtype=np.float64)
    slack = 1e-9 * (old[-1] - old[0])
    if np.any(np.diff(old) <= 0) or np.any(np.diff(new) <= 0) or new[0] < old[0] - slack or new[-1] > old[-1] + slack:
        raise ConfigError(
            "new bins must rise and lie inside the old ones",
            expected=f"{old[0]:g} to {old[-1]:g}",
            got=f"{new[0]:g} to {new[-1]:g}",
        )
    low = np.maximum(new[:-1, None], old[None, :-1])
    high = np.minimum(new[1:, None], old[None, 1:])
    length = np.clip(high - low, 0.0, None)
    return length / length.sum(axis=1, keepdims=True)
