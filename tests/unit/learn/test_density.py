"""Clusters by density: blobs and noise, arcs that centres do not tell apart, and what is refused."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from spinscape.errors import ConfigError, DataError
from spinscape.learn.density import NOISE, density_clusters
from spinscape.learn.phase_count import CROSSOVER, phases_of_clusters


def test_blobs_are_found_and_points_between_them_are_none():
    rng = np.random.default_rng(0)
    centres = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])
    points = np.concatenate([centres.repeat(30, axis=0) + 0.3 * rng.normal(size=(90, 2)), [[3.0, 0.0], [3.0, 3.0]]])
    found = density_clusters(points)
    assert found.n_cluster == 3 and found.label[91] == NOISE and np.all(found.membership[90:] < 0.1)
    inside = found.label >= 0
    assert adjusted_rand_score(np.arange(90) // 30, found.label[:90]) > 0.9
    assert np.all(found.membership[inside] > 0) and np.all(found.membership[~inside] == 0)
    assert list(dict.fromkeys(found.label[inside].tolist())) == [0, 1, 2]


def test_two_arcs_are_two_clusters():
    angle = np.linspace(0, np.pi, 100)
    arcs = [np.column_stack([np.cos(angle), np.sin(angle)]), np.column_stack([1 - np.cos(angle), 0.4 - np.sin(angle)])]
    points = np.concatenate(arcs) + 0.04 * np.random.default_rng(1).normal(size=(200, 2))
    found = density_clusters(points)
    assert adjusted_rand_score(np.arange(200) // 100, found.label) > 0.95


def test_what_cannot_be_clustered_is_refused():
    points = np.random.default_rng(2).normal(size=(20, 2))
    with pytest.raises(ConfigError, match="this size"):
        density_clusters(points, min_points=21)
    with pytest.raises(DataError, match="same features"):
        density_clusters(np.ones((20, 2)))
    with pytest.raises(DataError, match="clustered"):
        density_clusters(np.full((20, 2), np.nan))


def on_a_line(spread):
    """Three phases along a line of couplings, and what was simulated there."""
    place = np.linspace(0, 3, 60)[:, None]
    kind = np.floor(place[:, 0] - 1e-9).astype(int).clip(0, 2)
    return place, kind, 8.0 * np.eye(3)[kind] + spread * np.random.default_rng(3).normal(size=(60, 3))


def test_phases_of_clusters_of_density():
    place, kind, features = on_a_line(0.1)
    found = phases_of_clusters(features, place, seed=1)
    assert found.n_phase == 3 and adjusted_rand_score(kind, found.nearest) == 1.0
    assert all(border["kept"] for border in found.borders) and "3 clusters by density" in found.reason


def test_points_in_no_cluster_are_crossovers():
    place, kind, features = on_a_line(0.1)
    features[20] = [4.0, 4.0, 30.0]
    found = phases_of_clusters(features, place, seed=1)
    assert found.phase[20] == CROSSOVER and found.n_phase == 3 and found.nearest[20] >= 0
    assert adjusted_rand_score(np.delete(kind, 20), np.delete(found.phase, 20)) == 1.0


def test_noise_alone_is_no_phase():
    place, _, _ = on_a_line(0.1)
    found = phases_of_clusters(np.random.default_rng(5).uniform(size=(60, 6)), place, seed=1)
    assert found.n_phase == 0 and "not known" in found.reason
