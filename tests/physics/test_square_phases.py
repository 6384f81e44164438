"""The square lattice J1 = 1, J2, J3: four orders told apart without labels, by the correlations of near neighbours."""

import numpy as np
import pytest
from scipy.optimize import brentq
from sklearn.metrics import adjusted_rand_score, silhouette_score

from spinscape.learn.hierarchy import agglomerative

from ..unit.learn.test_refine import even_grid, ordering_vector

N_GRID, N_Q, BETA = 24, 48, 20.0
NEAR = np.array([(1, 0), (1, 1), (2, 0), (2, 1), (2, 2), (3, 0)])


def correlations(j2, j3):
    """⟨S_0·S_r⟩ of six neighbours in the self-consistent Gaussian at low temperature, (6,)."""
    q = 2 * np.pi * np.arange(N_Q) / N_Q
    x, y = np.meshgrid(q, q, indexing="ij")
    j = 2 * (np.cos(x) + np.cos(y)) + 4 * j2 * np.cos(x) * np.cos(y) + 2 * j3 * (np.cos(2 * x) + np.cos(2 * y))
    above = BETA * (j - j.min())
    level = brentq(lambda z: np.mean(1.0 / (np.exp(z) + above)) - 1.0 / 3.0, -40.0, 8.0)
    s = 3.0 / (np.exp(level) + above)
    return np.fft.ifft2(s).real[NEAR[:, 0], NEAR[:, 1]]


def inside(label):
    """Points all of whose neighbours, one step of the grid away, have their own label."""
    square = np.pad(label.reshape(N_GRID, N_GRID), 1, mode="edge")
    shifts = [(a, b) for a in range(3) for b in range(3)]
    near = [square[a : a + N_GRID, b : b + N_GRID] == square[1:-1, 1:-1] for a, b in shifts]
    return np.all(near, axis=0).ravel()


@pytest.mark.parametrize("linkage", ["ward", "average"])
def test_four_orders_are_four_clusters(linkage):
    theta = even_grid(N_GRID)
    truth = ordering_vector(theta)
    features = np.array([correlations(*row) for row in theta])
    assert np.abs(features).max() < 1.0 + 1e-9
    found = agglomerative(features, linkage=linkage)
    numbers = range(2, 8)
    chosen = max(numbers, key=lambda n: silhouette_score(features, found.labels(n)))
    label, deep = found.labels(chosen), inside(truth)
    assert chosen == 4 and deep.mean() > 0.75
    assert adjusted_rand_score(truth[deep], label[deep]) >= 0.95
    assert adjusted_rand_score(truth, label) > 0.8
