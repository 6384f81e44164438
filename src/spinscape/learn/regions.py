"""Regions of coupling space: which points are neighbours there, and which neighbours share a cluster."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ..errors import DataError, check_shape

_CANDIDATES = 24
"""Nearest points among which neighbours are looked for."""
_EDGE = 1e-9


def neighbour_pairs(coordinates):
    """Return the pairs of points between which no other point lies, (n_pair, 2) int64, the lower index first.

    Parameters
    ----------
    coordinates : (n_point, n_coordinate) float64
        Couplings, or what they are mapped from: on scales on which distances mean something.

    Returns
    -------
    (n_pair, 2) int64
        The Gabriel graph: the ball with the pair as its diameter holds no third point. On a curve, a square grid or a
        cubic one these are the neighbours along the curve or the axes.
    """
    coordinates = np.asarray(coordinates, dtype=np.float64)
    check_shape("coordinates", coordinates, ("n_point", "n_coordinate"))
    if len(coordinates) < 2 or not np.all(np.isfinite(coordinates)):
        raise DataError("neighbours need at least two finite points", where="coordinates", got=coordinates.shape)
    tree = cKDTree(coordinates)
    n_near = min(_CANDIDATES, len(coordinates) - 1)
    near = tree.query(coordinates, k=n_near + 1)[1][:, 1:]
    pairs = np.column_stack([np.repeat(np.arange(len(coordinates)), n_near), near.ravel()])
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    first, second = coordinates[pairs[:, 0]], coordinates[pairs[:, 1]]
    radius = 0.5 * np.linalg.norm(first - second, axis=1)
    # The two ends lie on the sphere; on a square grid so do the other corners, and a diagonal is then no neighbour.
    inside = tree.query(0.5 * (first + second), k=min(3, len(coordinates)))[0]
    on_or_in = np.sum(inside <= (radius * (1.0 + _EDGE))[:, None], axis=1)
    return pairs[on_or_in <= 2].astype(np.int64)


def extents(coordinates, pairs, *, dimension=None):
    """Return the share of coupling space that each point stands for, (n_point,) float64, of sum 1.

    Parameters
    ----------
    coordinates : (n_point, n_coordinate) float64
    pairs : (n_pair, 2) int64
        Neighbours, as :func:`neighbour_pairs` gives them.
    dimension : int, optional
        Of what the points fill: 1 on a curve in a plane; ``n_coordinate`` where left out.

    Returns
    -------
    (n_point,) float64
        The mean distance to neighbours to the power of the dimension: the same for all points of an even grid, small
        where points were added.
    """
    coordinates = np.asarray(coordinates, dtype=np.float64)
    length = np.linalg.norm(coordinates[pairs[:, 0]] - coordinates[pairs[:, 1]], axis=1)
    count = np.bincount(pairs.ravel(), minlength=len(coordinates))
    total = np.bincount(pairs.ravel(), weights=np.repeat(length, 2), minlength=len(coordinates))
    size = (total / np.maximum(count, 1)) ** (dimension or coordinates.shape[1])
    return size / size.sum()


@dataclass(frozen=True, eq=False)
class Regions:
    """Connected parts of clusters in coupling space. Make them with :func:`regions_of`.

    Parameters
    ----------
    region : (n_point,) int64
        Region of each point, from 0, the largest first.
    cluster : (n_region,) int64
        Cluster that each region is a part of.
    size : (n_region,) int64
        Points of each.
    """

    region: np.ndarray
    cluster: np.ndarray
    size: np.ndarray

    @property
    def n_region(self):
        """Number of regions."""
        return len(self.size)


def regions_of(label, pairs):
    """Return the :class:`Regions` of a clustering.

    Parameters
    ----------
    label : (n_point,) int64
        Cluster of each point.
    pairs : (n_pair, 2) int64
        Neighbours, as :func:`neighbour_pairs` gives them.
    """
    label = np.asarray(label, dtype=np.int64)
    same = pairs[label[pairs[:, 0]] == label[pairs[:, 1]]]
    graph = coo_matrix((np.ones(len(same)), (same[:, 0], same[:, 1])), shape=(len(label), len(label)))
    n, part = connected_components(graph, directed=False)
    size = np.bincount(part, minlength=n)
    first = np.unique(part, return_index=True)[1]
    order = np.lexsort((first, -size))
    rank = np.empty(n, dtype=np.int64)
    rank[order] = np.arange(n)
    return Regions(rank[part], label[first][order], size[order])
