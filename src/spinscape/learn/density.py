"""Clusters by density: HDBSCAN, which leaves points between clusters without one.

Source: Campello, Moulavi and Sander, Density-based clustering based on hierarchical density estimates, PAKDD 2013;
scikit-learn's implementation.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import HDBSCAN

from ..errors import ConfigError
from ..lattice.crystal import read_only
from .hierarchy import checked_features, in_order

NOISE = -1
"""Label of a point in no cluster; the same number that crossovers have in a map of phases."""


@dataclass(frozen=True, eq=False)
class DensityClusters:
    """Clusters of high density.

    Parameters
    ----------
    label : (n_point,) int64
        From 0, in the order of the clusters' first points; :data:`NOISE` in none.
    membership : (n_point,) float64
        How firmly each point belongs to its cluster, 0 to 1; 0 in none.
    """

    label: np.ndarray
    membership: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, "label", read_only(self.label, np.int64))
        object.__setattr__(self, "membership", read_only(self.membership))

    @property
    def n_cluster(self):
        """Number of clusters."""
        return int(self.label.max()) + 1


def density_clusters(features, *, min_points=5, n_neighbour=None):
    """Return clusters by density; their number is found, and may be none.

    Parameters
    ----------
    features : (n_point, n_feature) float64
    min_points : int
        Least number of points of a cluster.
    n_neighbour : int, optional
        Points within the distance that measures the density at a point; ``min_points`` where left out.

    Returns
    -------
    DensityClusters
    """
    features = checked_features(features)
    near = min_points if n_neighbour is None else n_neighbour
    if not 2 <= min_points <= len(features) or not 1 <= near <= len(features):
        raise ConfigError(
            "clusters of this size cannot be found",
            where="density_clusters",
            expected=f"2 to {len(features)} points",
            got={"min_points": min_points, "n_neighbour": near},
            fix="ask for smaller clusters, or simulate more points",
        )
    found = HDBSCAN(min_cluster_size=min_points, min_samples=near, copy=True).fit(features)
    inside = found.labels_ >= 0
    label = np.full(len(features), NOISE)
    label[inside] = in_order(found.labels_[inside])
    return DensityClusters(label, np.where(inside, found.probabilities_, 0.0))
