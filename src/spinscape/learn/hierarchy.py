"""A hierarchy of clusters: what every agglomerative method returns."""

from dataclasses import dataclass

import numpy as np
from scipy.cluster import hierarchy as scipy_hierarchy

from ..errors import ConfigError, DataError
from ..lattice.crystal import read_only

LINKAGES = ("ward", "average", "complete")


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """Merges of clusters, from many to one.

    Parameters
    ----------
    start : (n_point,) int64
        Cluster of each point before any merge, from 0.
    merges : (n_start - 1, 2) int64
        Kept and vanished label of each merge, in order.
    score : (n_start - 1,) float64
        Distance or affinity of the two at their merge.
    rising : bool
        Whether a larger score means a worse merge (a distance), or a better one (an affinity).
    """

    start: np.ndarray
    merges: np.ndarray
    score: np.ndarray
    rising: bool

    def __post_init__(self):
        object.__setattr__(self, "start", read_only(self.start, np.int64))
        object.__setattr__(self, "merges", read_only(np.asarray(self.merges).reshape(-1, 2), np.int64))
        object.__setattr__(self, "score", read_only(self.score))

    @property
    def n_start(self):
        """Number of clusters before any merge."""
        return len(self.merges) + 1

    def labels(self, n_cluster):
        """Return the cluster of each point when ``n_cluster`` are left.

        Parameters
        ----------
        n_cluster : int

        Returns
        -------
        (n_point,) int64
            From 0, in the order of the clusters' first points.
        """
        if not 1 <= n_cluster <= self.n_start:
            raise ConfigError(
                "there are never so many clusters",
                where="n_cluster",
                expected=f"1 to {self.n_start}",
                got=n_cluster,
            )
        parent = np.arange(self.n_start)
        for keep, gone in self.merges[: self.n_start - n_cluster]:
            parent[parent == gone] = keep
        return in_order(parent[self.start])


def in_order(label):
    """Return labels renumbered from 0 in the order in which they first appear, (n_point,) int64.

    >>> in_order(np.array([5, 5, 2, 5, 0])).tolist()
    [0, 0, 1, 0, 2]
    """
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse.reshape(-1)].astype(np.int64)


def checked_features(features):
    """Return features as (n_point, n_feature) float64, or raise :class:`DataError` where they say nothing."""
    features = np.asarray(features, dtype=np.float64)
    if features.ndim != 2 or len(features) < 2 or not np.all(np.isfinite(features)):
        raise DataError(
            "these features cannot be clustered",
            where="features",
            expected="finite numbers of shape (n_point, n_feature), at least two points",
            got=f"shape {features.shape}, {int(np.sum(~np.isfinite(features)))} not finite",
            fix="leave out points that have failed, and fill or leave out masked features",
        )
    if not np.any(np.ptp(features, axis=0) > 0):
        raise DataError(
            "all points have the same features",
            where="features",
            expected="images that change with the couplings",
            got=f"{len(features)} equal points",
            fix="check what is simulated, or compare another array",
        )
    return features


def agglomerative(features, *, linkage="ward"):
    """Return the hierarchy of clusters by Ward's, average or complete linkage (scipy).

    Parameters
    ----------
    features : (n_point, n_feature) float64
    linkage : str
        One of :data:`LINKAGES`.

    Returns
    -------
    Hierarchy
        ``score`` rises: the distance of each merge.
    """
    if linkage not in LINKAGES:
        raise ConfigError("no such linkage", where="linkage", expected=f"one of {', '.join(LINKAGES)}", got=linkage)
    features = checked_features(features)
    tree = scipy_hierarchy.linkage(features, linkage)
    n = len(features)
    # Scipy gives a merged pair a new number; here it goes on under the lower of its two.
    name = np.concatenate([np.arange(n), np.zeros(n - 1, dtype=np.int64)])
    merges = np.empty((n - 1, 2), dtype=np.int64)
    for step, (a, b) in enumerate(tree[:, :2].astype(np.int64)):
        merges[step] = sorted((name[a], name[b]))
        name[n + step] = merges[step, 0]
    return Hierarchy(np.arange(n), merges, tree[:, 2], rising=True)
