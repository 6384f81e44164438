"""Random numbers against numpy's functions of the same words, and their moments."""

import numba as nb
import numpy as np
import pytest

from spinscape.kernels import random_numbers as rn
from spinscape.kernels.simd import LANES, load, store
from spinscape.kernels.simd_math import load_words, store_words, word_sum, words_after

SEED = np.array([11, 12], dtype=np.uint64)
N = 20_000


@nb.njit(error_model="numpy")
def draw(state, words, out):
    s, t = load_words(state, 0), load_words(state, 1)
    for k in range(len(out)):
        word = word_sum(s, t)
        s, t = words_after(s, t)
        store_words(words, k, word)
        store(out, (k, 0), rn.minus_logarithm(word))
        store(out, (k, 1), rn.logistic(word))
        x, y = rn.circle(word)
        store(out, (k, 2), x)
        store(out, (k, 3), y)
        x, y, z = rn.sphere(word)
        store(out, (k, 4), x)
        store(out, (k, 5), y)
        store(out, (k, 6), z)
    store_words(state, 0, s)
    store_words(state, 1, t)


@nb.njit(error_model="numpy")
def exponentials(x, out):
    for k in range(len(x)):
        store(out, k, rn.exp_minus(load(x, k)))


@pytest.fixture(scope="module")
def drawn():
    words, out = np.zeros((N // LANES, LANES), dtype=np.uint64), np.zeros((N // LANES, 7, LANES))
    draw(rn.random_state(SEED), words, out)
    return words.ravel(), out.transpose(1, 0, 2).reshape(7, -1)


def test_logarithms(drawn):
    words, out = drawn
    u = 1.0 - (words >> np.uint64(12)) / 2.0**52
    np.testing.assert_allclose(out[0], -np.log(u), rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(out[1], np.log((1 - u) / u), rtol=1e-12, atol=1e-14)


def test_circle_and_sphere_follow_from_their_word(drawn):
    words, out = drawn

    def angle(number, mirrored, turned):
        quarter = (number - 0.5) * np.pi / 2
        quarter = np.where(words >> np.uint64(mirrored) & np.uint64(1), np.pi / 2 - quarter, quarter)
        return quarter + np.pi * (words >> np.uint64(turned) & np.uint64(1))

    phi = angle((words >> np.uint64(12)) / 2.0**52, 10, 11)
    np.testing.assert_allclose(out[2:4], [np.cos(phi), np.sin(phi)], atol=1e-15)
    phi, z = angle((words & np.uint64(2**30 - 1)) / 2.0**30, 30, 31), 2 * ((words >> np.uint64(32)) + 0.5) / 2.0**32 - 1
    across = np.sqrt(1 - z * z)
    np.testing.assert_allclose(out[4:], [across * np.cos(phi), across * np.sin(phi), z], atol=1e-15)


def test_directions_are_even_and_of_length_one(drawn):
    for rows in (drawn[1][2:4], drawn[1][4:]):
        assert np.abs(np.linalg.norm(rows, axis=0) - 1).max() < 1e-15
        # Mean, second and fourth moments of a component in 2 and 3 dimensions.
        square, fourth = (0.5, 3 / 8) if len(rows) == 2 else (1 / 3, 1 / 5)
        for row in rows:
            for power, mean in ((1, 0.0), (2, square), (4, fourth)):
                values = row**power
                assert abs(values.mean() - mean) < 4 * values.std() / np.sqrt(len(values))
        cross = rows[0] * rows[1]
        assert abs(cross.mean()) < 4 * cross.std() / np.sqrt(cross.size)


def test_exponential_function():
    x = np.concatenate([np.linspace(0, 40, 60), [699.0, 1e-300, 1e-9, 0.3465735]]).reshape(-1, LANES)
    out = np.zeros_like(x)
    exponentials(x, out)
    np.testing.assert_allclose(out, np.exp(-x), rtol=1e-13)
    ends = np.tile([-1.0, -1e300, -np.inf, 1e5, np.inf, 701.0, 0.0, -0.0], (1, 1))
    out = np.zeros_like(ends)
    exponentials(ends, out)
    np.testing.assert_allclose(out, np.exp(-np.clip(ends, 0, 700)), rtol=1e-13)


def test_single_numbers():
    state = rn.random_state(SEED)
    lanes = state[:, :LANES].copy()
    u = np.array([rn.next_uniform(state) for _ in range(N)])
    assert u.min() >= 0 and u.max() < 1 and abs(u.mean() - 0.5) < 4 / np.sqrt(12 * N)
    assert abs(np.corrcoef(u[1:], u[:-1])[0, 1]) < 4 / np.sqrt(N)
    e = np.array([rn.next_exponential(state) for _ in range(N)])
    assert abs(e.mean() - 1) < 4 / np.sqrt(N)
    np.testing.assert_array_equal(state[:, :LANES], lanes)


def test_states_of_close_seeds_have_nothing_in_common():
    seeds = [[1, 2], [2, 1], [1, 3], [0, 0], [3, 2]]
    states = [rn.random_state(np.array(seed, dtype=np.uint64)) for seed in seeds]
    words = np.concatenate([state.ravel() for state in states])
    assert len(np.unique(words)) == len(words) == len(seeds) * 2 * rn.N_STREAM
    bits = np.unpackbits((states[0] ^ states[2]).view(np.uint8))
    assert abs(bits.mean() - 0.5) < 4 * 0.5 / np.sqrt(bits.size)
