"""Correlations of near spins from S(Q): spirals and cells by hand, whole zones only."""

import numpy as np
import pytest

from spinscape.errors import DataError
from spinscape.learn.near_correlations import near_correlations

VECTORS = [[1, 0, 0], [0, 1, 0], [1, 1, 0], [2, 0, 0]]


def zone(n, cells=1):
    u = (np.arange(n * cells) + 0.5) / n - 0.5 * cells
    x, y = np.meshgrid(u, u, indexing="ij")
    return np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)])


def test_a_spiral_has_the_cosines_of_its_pitch():
    q, k = zone(16), np.array([3.5 / 16, -1.5 / 16, 0])
    signal = (np.abs(np.abs(q @ [1, 0, 0]) - k[0]) < 1e-9) & (np.abs(np.abs(q @ [0, 1, 0]) + k[1]) < 1e-9)
    signal = signal & (np.sign(q[:, 0]) != np.sign(q[:, 1]))
    found = near_correlations(signal[None], q, VECTORS)
    np.testing.assert_allclose(found[0], np.cos(2 * np.pi * np.array(VECTORS) @ k), atol=1e-12)


def test_spins_of_a_cluster_have_their_products():
    rng = np.random.default_rng(2)
    spins = rng.normal(size=(12, 12, 3))
    wave = np.fft.fft2(spins, axes=(0, 1))
    q = np.stack(np.meshgrid(np.arange(12) / 12, np.arange(12) / 12, [0.0], indexing="ij"), -1).reshape(-1, 3)
    found = near_correlations((np.abs(wave) ** 2).sum(-1).reshape(1, -1), q, VECTORS)[0]
    square = (spins**2).sum()
    by_hand = [(spins * np.roll(spins, (-r[0], -r[1]), axis=(0, 1))).sum() / square for r in VECTORS]
    np.testing.assert_allclose(found, by_hand, atol=1e-12)


def test_a_constant_has_none_and_parts_of_zones_are_refused():
    np.testing.assert_allclose(near_correlations(np.ones((2, 4 * 64)), zone(8, 2), VECTORS), 0, atol=1e-12)
    with pytest.raises(DataError, match="whole zones"):
        near_correlations(np.ones((1, 64)), 0.7 * zone(8), VECTORS)
    with pytest.raises(DataError, match="whole zones"):
        near_correlations(np.ones((1, 64)), zone(8), [[0, 0, 0]])
    with pytest.raises(DataError, match="without intensity"):
        near_correlations(np.zeros((1, 64)), zone(8), VECTORS)
