"""Scattered points of a function: where a scan looks, and who leads downhill to whom."""

import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import qmc

from ..rng import stream


def sobol_unit_points(n_point, *, n_parameter, seed, content=()):
    """Return scrambled Sobol points in the unit cube, (n_point, n_parameter), keyed by seed and content."""
    generator = stream(seed, "start", "sobol", *content)
    exponent = max(0, int(np.ceil(np.log2(n_point))))
    # A whole power of two is balanced; its first n_point points are those of a longer sequence.
    return qmc.Sobol(n_parameter, scramble=True, rng=generator).random_base2(exponent)[:n_point]


def basin_of_points(points, values, *, n_neighbour, pinned=()):
    """Return, for each point, the index of the point that its way down ends at; −1 where the value is infinite.

    Each point is linked to the lowest of its ``n_neighbour`` nearest points where that is lower than itself; a point
    without a lower neighbour is the bottom of a basin.

    Parameters
    ----------
    points : (n, d) float64
        In coordinates in which distances make sense.
    values : (n,) float64, may hold +inf
    n_neighbour : int
    pinned : (m,) int
        Points that count as bottoms whatever is near them.

    Returns
    -------
    (n,) int64
    """
    points, values = np.asarray(points), np.asarray(values)
    k = min(n_neighbour + 1, len(points))
    near = cKDTree(points).query(points, k=k)[1].reshape(len(points), k)
    lowest = near[np.arange(len(points)), np.argmin(values[near], axis=1)]
    link = np.where(values[lowest] < values, lowest, np.arange(len(points)))
    link[np.asarray(pinned, dtype=np.int64)] = pinned
    # Following links downhill ends after at most as many doublings as the longest chain has binary digits.
    for _ in range(int(np.ceil(np.log2(len(points)))) + 1):
        link = link[link]
    return np.where(np.isfinite(values), link, -1)


def starts_from_scan(points, values, *, n_start, n_neighbour):
    """Return the starts of descents: bottoms of basins by rising value, then the lowest points far from these.

    Returns
    -------
    starts : (m,) int64, m ≤ n_start
        Indices into ``points``.
    weights : (m,) int64
        Points of the scan whose way down leads to each start.
    """
    basin = basin_of_points(points, values, n_neighbour=n_neighbour)
    bottoms = np.unique(basin[basin >= 0])
    starts = list(bottoms[np.argsort(values[bottoms], kind="stable")][:n_start])
    # A steep valley narrower than the scan's mesh hides bottoms: fill up with low points apart from those known.
    apart = 1.5 * np.median(cKDTree(points).query(points, k=min(2, len(points)))[0][:, -1])
    for k in np.argsort(values, kind="stable"):
        if len(starts) >= n_start or not np.isfinite(values[k]):
            break
        if min(np.linalg.norm(points[k] - points[s]) for s in starts) > apart:
            starts.append(k)
    starts = np.array(starts, dtype=np.int64)
    ends = basin_of_points(points, values, n_neighbour=n_neighbour, pinned=starts)
    return starts, np.array([int((ends == s).sum()) for s in starts])
