"""Flips without rejections: weights, choice, waiting times, against numpy."""

import math

import numba as nb
import numpy as np
import pytest

from spinscape.kernels.rejection_free import (
    N_LANE,
    choose,
    power_of_two,
    rejection_free_tries,
    shift_and_weigh,
)
from spinscape.kernels.simd32 import WIDE, load_floats, store_floats

N = 128
TABLE = (np.zeros(N * N, dtype=np.int32), np.arange(0, N, WIDE, dtype=np.int32)[None], N)


def test_powers_of_two():
    @nb.njit
    def work(x, out):
        for j in range(0, len(x), WIDE):
            store_floats(out, j, power_of_two(load_floats(x, j)))

    x = np.concatenate([np.linspace(-126, 0, 1600 - 3), [-0.5, -1.0, -1.5]]).astype(np.float32)
    out = np.zeros_like(x)
    work(x, out)
    np.testing.assert_allclose(out, 2.0 ** x.astype(np.float64), rtol=3e-7)


def weights(local, beta, alive):
    spins, weight, lanes = (np.ones(n, dtype=np.float32) for n in (N, N, N_LANE))
    shift_and_weigh(TABLE, 0, 0, beta, alive, spins, local, weight, lanes)
    return weight, lanes


def test_weights_and_their_sums():
    rng = np.random.default_rng(0)
    local, alive = rng.integers(-5000, 2000, N).astype(np.int32), np.ones(N, dtype=np.float32)
    alive[[3, 77]] = 0
    weight, lanes = weights(local, 1e-3, alive)
    np.testing.assert_allclose(weight, np.minimum(1.0, np.exp(2e-3 * local)) * alive, rtol=1e-6)
    np.testing.assert_allclose(lanes, weight.reshape(-1, N_LANE).sum(axis=0), rtol=1e-6)


def test_choice_follows_the_weights():
    weight = np.zeros(N, dtype=np.float32)
    weight[[4, 70, 100]] = [1.0, 2.0, 5.0]
    lanes = weight.reshape(-1, N_LANE).sum(axis=0)
    # In the order of lanes: 4, then 70 (lane 6), then 100 (lane 36).
    assert [choose(weight, lanes, t) for t in (0.0, 0.99, 1.0, 2.9, 3.1, 7.9)] == [4, 4, 70, 70, 100, 100]
    # A threshold that rounding has put beyond the sum takes the last one.
    assert choose(weight, lanes, 8.1) == 100


@pytest.mark.parametrize("cost", [0.0, 2.0])
def test_free_spins_flip_as_often_as_tries_are_accepted(cost):
    """Spins in a field that do not interact: up ones cost 2h, down ones nothing; detailed balance in time."""
    beta, n_spin, n_call = 1.0, 100, 400
    alive = (np.arange(N) < n_spin).astype(np.float32)
    spins = alive.copy()
    unit, h = 1e-6, cost / 2
    local = np.full(N, -round(h / unit), dtype=np.int32)
    words = np.array([2], dtype=np.uint64)
    work = (np.zeros(N, dtype=np.float32), np.zeros(N_LANE, dtype=np.float32))
    flips = np.array(
        [
            rejection_free_tries(TABLE, n_spin, beta * unit, n_spin, alive, spins, local, *work, words)
            for _ in range(n_call)
        ]
    )[50:]
    # In equilibrium P(up)·exp(−2h) = P(down)·1 flips per try in each direction.
    up = 1 / (1 + math.exp(-2 * h))
    expected = n_spin * (up * math.exp(-2 * h) + 1 - up)
    error = max(flips.std() / math.sqrt(len(flips)), 1e-9)
    assert abs(flips.mean() - expected) < 5 * error
    if cost == 0.0:
        assert np.all(flips == n_spin)


def test_nothing_moves_where_nothing_can():
    alive = np.zeros(N, dtype=np.float32)
    words = np.array([2], dtype=np.uint64)
    work = (np.zeros(N, dtype=np.float32), np.zeros(N_LANE, dtype=np.float32))
    spins, local = np.zeros(N, dtype=np.float32), np.zeros(N, dtype=np.int32)
    assert rejection_free_tries(TABLE, 1, 1.0, 1000, alive, spins, local, *work, words) == 0
