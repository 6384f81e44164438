"""Graph Degree Linkage: agglomerative clustering on a directed graph of nearest neighbours.

    w_ij = exp(−d_ij²/σ²) where j is one of the K nearest neighbours of i, else 0;   σ² = a · mean of those d_ij²
    A(a, b) = 1/|a|² Σ_{i∈b} w_i→a w_a→i + 1/|b|² Σ_{i∈a} w_i→b w_b→i,   w_i→a = Σ_{j∈a} w_ij

Two clusters are near where paths lead from members of one through a vertex of the other and back. Source: Zhang, Wang,
Zhao and Tang, Graph degree linkage, ECCV 2012, eqs. 1, 5 and 8.
"""

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.neighbors import NearestNeighbors

from ..errors import ConfigError
from .hierarchy import Hierarchy, checked_features

_START_NEIGHBOURS = 1
"""Points that are linked to their nearest neighbour start in one cluster, as in the paper."""


def graph_degree_linkage(features, *, n_neighbour=20, a=1.0):
    """Return the hierarchy of clusters by graph degree linkage.

    Parameters
    ----------
    features : (n_point, n_feature) float64
    n_neighbour : int
        K: neighbours of each point in the graph.
    a : float
        Width of the affinity, in units of the mean squared distance to those neighbours.

    Returns
    -------
    Hierarchy
        ``score`` falls: the affinity of the two clusters of each merge. Clusters without any path between them merge
        last, at affinity 0, the smallest first.

    Notes
    -----
    Time n·n_start + n_start², memory 8 n_start² bytes, with n_start about a third of n.
    """
    features = checked_features(features)
    if not 1 <= n_neighbour < len(features) or not a > 0:
        raise ConfigError(
            "the graph of neighbours cannot be made",
            where="graph_degree_linkage",
            expected=f"1 to {len(features) - 1} neighbours, a positive a",
            got={"n_neighbour": n_neighbour, "a": a},
            fix="use fewer neighbours, or more points",
        )
    distance, neighbour = neighbours(features, n_neighbour)
    weights = graph_weights(distance, neighbour, a=a)
    start = starting_clusters(neighbour)
    return _merge(weights, start)


def neighbours(features, n_neighbour):
    """Return distances and indices of the nearest neighbours of each point, (n_point, n_neighbour), itself left out.

    Of equal distances the lower index comes first, so that the graph does not depend on the library.
    """
    search = NearestNeighbors(n_neighbors=n_neighbour).fit(features)
    distance, index = search.kneighbors()
    order = np.lexsort((index, distance.round(12)), axis=1)
    return np.take_along_axis(distance, order, 1), np.take_along_axis(index, order, 1)


def graph_weights(distance, neighbour, *, a=1.0):
    """Return w_ij as a sparse matrix (n_point, n_point); rows lead from i to its neighbours."""
    square = distance**2
    width = a * square.mean()
    # Points that all coincide are as near as can be.
    weight = np.exp(-square / width) if width > 0 else np.ones_like(square)
    n = len(distance)
    rows = np.repeat(np.arange(n), neighbour.shape[1])
    return csr_matrix((weight.ravel(), (rows, neighbour.ravel())), shape=(n, n))


def starting_clusters(neighbour):
    """Return the label of each point's starting cluster, (n_point,): those linked to a nearest neighbour are one."""
    n = len(neighbour)
    near = neighbour[:, :_START_NEIGHBOURS]
    rows = np.repeat(np.arange(n), near.shape[1])
    graph = coo_matrix((np.ones(near.size), (rows, near.ravel())), shape=(n, n))
    return connected_components(graph, directed=True, connection="weak")[1]


def cluster_affinity(weights, label, first, second):
    """Return A of two clusters by its definition: the reference for the faster sums of the merging.

    Parameters
    ----------
    weights : (n_point, n_point) sparse or dense
    label : (n_point,) int
    first, second : int
        Labels.

    Returns
    -------
    float
    """
    dense = np.asarray(weights.todense()) if hasattr(weights, "todense") else np.asarray(weights)
    a, b = np.flatnonzero(label == first), np.flatnonzero(label == second)
    to_b, to_a = dense[np.ix_(a, b)], dense[np.ix_(b, a)]
    return float((to_b @ to_a).sum() / len(a) ** 2 + (to_a @ to_b).sum() / len(b) ** 2)


class _Affinities:
    """Affinities of all pairs of clusters, kept up while they merge.

    ``through[c, d]`` is Σ_{i∈c} w_i→d w_d→i: additive in c, so that a merge of two clusters adds their rows; the column
    of the new cluster is summed again.
    """

    def __init__(self, weights, label):
        self.leave, self.reach = weights.tocsc(), weights.tocsr()
        self.label = label.copy()
        self.size = np.bincount(label).astype(np.float64)
        self.alive = np.ones(len(self.size), dtype=bool)
        self.members = [np.flatnonzero(label == c) for c in range(len(self.size))]
        n = len(self.size)
        self.through = np.zeros((n, n))
        for cluster in range(n):
            self.through[:, cluster] = self._column(cluster)
        self.affinity = self.through / self.size[None] ** 2
        self.affinity += self.affinity.T.copy()
        np.fill_diagonal(self.affinity, -np.inf)
        self.best = self.affinity.argmax(axis=1)

    def _column(self, cluster):
        members = self.members[cluster]
        towards = np.asarray(self.leave[:, members].sum(axis=1)).ravel()
        back = np.asarray(self.reach[members].sum(axis=0)).ravel()
        return np.bincount(self.label, weights=towards * back, minlength=len(self.size))

    def nearest(self):
        """Return the two living clusters of the largest affinity, and it."""
        value = self.affinity[np.arange(len(self.best)), self.best]
        first = int(np.argmax(np.where(self.alive, value, -np.inf)))
        if value[first] > 0:
            return (*sorted((first, int(self.best[first]))), float(value[first]))
        # No path leads anywhere: the two smallest.
        living = np.flatnonzero(self.alive)
        order = living[np.lexsort((living, self.size[living]))]
        return (*sorted((int(order[0]), int(order[1]))), 0.0)

    def merge(self, keep, gone):
        """Merge cluster ``gone`` into ``keep``."""
        self.label[self.members[gone]] = keep
        self.members[keep] = np.concatenate([self.members[keep], self.members[gone]])
        self.members[gone] = np.zeros(0, dtype=np.int64)
        self.alive[gone] = False
        self.size[keep] += self.size[gone]
        self.through[keep] += self.through[gone]
        self.through[:, keep] = self._column(keep)
        row = (
            self.through[keep] / np.where(self.alive, self.size, 1.0) ** 2
            + self.through[:, keep] / self.size[keep] ** 2
        )
        row[~self.alive] = row[keep] = -np.inf
        self.affinity[keep] = self.affinity[:, keep] = row
        self.affinity[gone] = self.affinity[:, gone] = -np.inf
        self._renew(keep, gone, row)

    def _renew(self, keep, gone, row):
        """Keep ``best`` up: rows whose best has changed are searched again."""
        now = self.affinity[np.arange(len(self.best)), self.best]
        self.best[row > now] = keep
        stale = np.flatnonzero(self.alive & ((self.best == gone) | (self.best == keep)))
        self.best[stale] = self.affinity[stale].argmax(axis=1)
        self.best[keep] = row.argmax()


def _merge(weights, start):
    affinities = _Affinities(weights, start)
    n_start = len(affinities.size)
    merges = np.empty((n_start - 1, 2), dtype=np.int64)
    score = np.empty(n_start - 1)
    for step in range(n_start - 1):
        keep, gone, score[step] = affinities.nearest()
        merges[step] = keep, gone
        affinities.merge(keep, gone)
    return Hierarchy(start, merges, score, rising=False)
