"""Graph degree linkage: an example by hand, the definition at every merge, shapes that Ward cannot follow."""

import numpy as np
import pytest
from sklearn.datasets import make_moons
from sklearn.metrics import adjusted_rand_score

from spinscape.errors import ConfigError, DataError
from spinscape.learn.graph_linkage import (
    _Affinities,
    cluster_affinity,
    graph_degree_linkage,
    graph_weights,
    neighbours,
    starting_clusters,
)
from spinscape.learn.hierarchy import Hierarchy, agglomerative, in_order


def test_an_example_by_hand():
    # Two pairs and, between them, a point nearer to the first: 0, 1 | 2.5 | 6, 7.
    points = np.array([[0.0], [1.0], [2.5], [6.0], [7.0]])
    distance, near = neighbours(points, 2)
    assert near.tolist() == [[1, 2], [0, 2], [1, 0], [4, 2], [3, 2]]
    # Squares of distances: 1, 6.25, 1, 2.25, 2.25, 6.25, 1, 12.25, 1, 20.25; their mean is 5.35.
    weights = graph_weights(distance, near).toarray()
    w = np.exp(-np.array([1.0, 2.25, 6.25, 12.25, 20.25]) / 5.35)
    assert weights[0, 1] == pytest.approx(w[0]) and weights[3, 2] == pytest.approx(w[3]) and weights[2, 3] == 0
    # Nearest neighbours 0-1, 1-0, 2-1, 3-4, 4-3: two starting clusters, between which paths lead one way only.
    assert starting_clusters(near).tolist() == [0, 0, 0, 1, 1]
    found = graph_degree_linkage(points, n_neighbour=2)
    assert found.n_start == 2 and found.score.tolist() == [0.0]
    # Three clusters {0, 1}, {2}, {3, 4}: through 2 to {0, 1} and back, and through 0 and 1 to 2 and back.
    label = np.array([0, 0, 1, 2, 2])
    by_hand = (w[1] + w[2]) * (w[1] + w[2]) / 4 + (w[1] * w[1] + w[2] * w[2]) / 1
    assert cluster_affinity(weights, label, 0, 1) == pytest.approx(by_hand)
    assert cluster_affinity(weights, label, 1, 2) == 0


def test_every_merge_is_the_best_by_definition():
    points = np.random.default_rng(4).normal(size=(60, 3))
    distance, near = neighbours(points, 6)
    weights, start = graph_weights(distance, near), starting_clusters(near)
    affinities = _Affinities(weights, start)
    found = graph_degree_linkage(points, n_neighbour=6)
    for (keep, gone), score in zip(found.merges, found.score, strict=True):
        living = np.flatnonzero(affinities.alive)
        pairs = [(a, b) for a in living for b in living if a < b]
        best = max(cluster_affinity(weights, affinities.label, a, b) for a, b in pairs)
        assert score == pytest.approx(best, abs=1e-12)
        assert cluster_affinity(weights, affinities.label, keep, gone) == pytest.approx(best, abs=1e-12)
        affinities.merge(keep, gone)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_two_moons_are_followed_where_ward_cuts_them(seed):
    points, truth = make_moons(400, noise=0.08, random_state=seed)
    graph = adjusted_rand_score(truth, graph_degree_linkage(points, n_neighbour=20).labels(2))
    ward = adjusted_rand_score(truth, agglomerative(points).labels(2))
    assert graph > 0.95 > 0.7 > ward


def test_noisy_manifolds_in_many_dimensions():
    # Two interleaved spirals on a plane of a 30-dimensional space, noise in all directions.
    rng = np.random.default_rng(7)
    angle = rng.uniform(np.pi, 3.5 * np.pi, 500)
    truth = np.arange(500) % 2
    plane = angle[:, None] * np.column_stack([np.cos(angle + np.pi * truth), np.sin(angle + np.pi * truth)])
    points = np.hstack([plane, np.zeros((500, 28))]) @ np.linalg.qr(rng.normal(size=(30, 30)))[0]
    points += 0.25 * rng.normal(size=points.shape)
    graph = adjusted_rand_score(truth, graph_degree_linkage(points, n_neighbour=10).labels(2))
    assert graph > 0.95 and adjusted_rand_score(truth, agglomerative(points).labels(2)) < 0.3


@pytest.mark.slow
def test_ten_thousand_points_need_a_quarter_of_a_gigabyte():
    """What it costs is the square of the number of starting clusters, which is about a fifth of that of points."""
    points, truth = make_moons(10_000, noise=0.06, random_state=0)
    found = graph_degree_linkage(points, n_neighbour=20)
    assert 8 * found.n_start**2 < 4e9 / 10 and found.n_start < len(points) / 3
    assert (
        adjusted_rand_score(truth, found.labels(2)) > 0.95 > adjusted_rand_score(truth, agglomerative(points).labels(2))
    )


def test_coinciding_points_and_two_of_them():
    points = np.repeat(np.eye(3), 10, axis=0)
    assert adjusted_rand_score(np.repeat([0, 1, 2], 10), graph_degree_linkage(points, n_neighbour=9).labels(3)) == 1.0
    assert graph_degree_linkage(np.eye(2), n_neighbour=1).labels(1).tolist() == [0, 0]


@pytest.mark.parametrize("change", [{"n_neighbour": 5}, {"n_neighbour": 0}, {"n_neighbour": 2, "a": 0.0}])
def test_graphs_that_cannot_be_are_refused(change):
    with pytest.raises(ConfigError):
        graph_degree_linkage(np.eye(5), **change)


@pytest.mark.parametrize("bad", [np.ones((4, 2)), np.full((4, 2), np.nan), np.zeros((1, 3)), np.zeros(4)])
def test_features_that_say_nothing_are_refused(bad):
    with pytest.raises(DataError):
        agglomerative(bad)


@pytest.mark.parametrize("linkage", ["ward", "average", "complete"])
def test_agglomerative_labels_are_those_of_a_cut_tree(linkage):
    from scipy.cluster.hierarchy import cut_tree
    from scipy.cluster.hierarchy import linkage as tree

    points = np.random.default_rng(2).normal(size=(40, 3))
    found = agglomerative(points, linkage=linkage)
    for n in (1, 2, 7, 40):
        expected = in_order(cut_tree(tree(points, linkage), n_clusters=n).ravel())
        np.testing.assert_array_equal(found.labels(n), expected)
    with pytest.raises(ConfigError):
        found.labels(41)


def test_a_hierarchy_counts_from_its_start():
    found = Hierarchy([0, 0, 1, 2], [[0, 2], [0, 1]], [1.0, 2.0], rising=True)
    assert [found.labels(n).tolist() for n in (3, 2, 1)] == [[0, 0, 1, 2], [0, 0, 1, 0], [0, 0, 0, 0]]
