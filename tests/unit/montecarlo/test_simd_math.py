"""Operations on lanes and words, one by one, against numpy."""

import numba as nb
import numpy as np
import pytest

from spinscape.kernels import simd_math as sm
from spinscape.kernels.simd import LANES, fill, load, store

RNG = np.random.default_rng(0)
X, Y, A, B = RNG.normal(size=(4, LANES))
WORDS = RNG.integers(0, 2**64, (2, LANES), dtype=np.uint64)


@nb.njit(error_model="numpy")
def run_numbers(rows, out):
    x, y, a, b = load(rows, 0), load(rows, 1), load(rows, 2), load(rows, 3)
    store(out, 0, sm.plus(x, y))
    store(out, 1, sm.minus(x, y))
    store(out, 2, sm.root(sm.size(x)))
    store(out, 3, sm.whole(x))
    store(out, 4, sm.with_sign(x, y))
    store(out, 5, sm.larger(x, y))
    store(out, 6, sm.smaller(x, y))
    store(out, 7, sm.where_less(x, y, a, b))
    store(out, 8, fill(sm.item(rows, (1, 2))))


@nb.njit(error_model="numpy")
def run_words(words, rows, numbers, out):
    s, t = sm.load_words(words, 0), sm.load_words(words, 1)
    store(numbers, 0, sm.one_to_two(s))
    upper, lower = sm.halves(s)
    store(numbers, 1, upper)
    store(numbers, 2, lower)
    store(numbers, 3, sm.where_bit(s, 5, load(rows, 0), load(rows, 1)))
    store(numbers, 4, sm.signed_by_bit(load(rows, 0), s, 63))
    m, k = sm.mantissa_and_exponent(sm.size(load(rows, 2)))
    store(numbers, 5, m)
    store(numbers, 6, k)
    store(numbers, 7, sm.times_power(load(rows, 0), fill(1.5 * 2.0**52 - 3.0)))
    sm.store_words(out, 0, sm.word_sum(s, t))
    s, t = sm.words_after(s, t)
    sm.store_words(out, 1, s)
    sm.store_words(out, 2, t)


@pytest.fixture(scope="module")
def numbers():
    out = np.zeros((9, LANES))
    run_numbers(np.stack([X, Y, A, B]), out)
    return out


@pytest.fixture(scope="module")
def words():
    numbers, out = np.zeros((8, LANES)), np.zeros((3, LANES), dtype=np.uint64)
    run_words(WORDS, np.stack([X, Y, A, B]), numbers, out)
    return numbers, out


def test_operations_are_those_of_numpy(numbers):
    expected = [X + Y, X - Y, np.sqrt(np.abs(X)), np.floor(X), np.copysign(X, Y), np.maximum(X, Y), np.minimum(X, Y)]
    np.testing.assert_array_equal(numbers[:7], expected)
    np.testing.assert_array_equal(numbers[7], np.where(X < Y, A, B))
    np.testing.assert_array_equal(numbers[8], Y[2])


def test_numbers_from_words(words):
    s = WORDS[0]
    np.testing.assert_array_equal(words[0][0], 1.0 + (s >> np.uint64(12)) / 2.0**52)
    np.testing.assert_array_equal(words[0][1], 1.0 + (s >> np.uint64(32)) / 2.0**32)
    np.testing.assert_array_equal(words[0][2], 1.0 + (s & np.uint64(2**30 - 1)) / 2.0**30)
    np.testing.assert_array_equal(words[0][3], np.where(s >> np.uint64(5) & np.uint64(1), X, Y))
    np.testing.assert_array_equal(words[0][4], np.where(s >> np.uint64(63), -X, X))


def test_powers_of_two(words):
    mantissa, exponent = words[0][5], words[0][6]
    np.testing.assert_array_equal(np.ldexp(mantissa, exponent.astype(int)), np.abs(A))
    assert np.all((mantissa >= np.sqrt(0.5) * (1 - 1e-15)) & (mantissa < np.sqrt(2)))
    np.testing.assert_array_equal(words[0][7], X / 8)


def test_words_follow_the_published_generator(words):
    mask = 2**64 - 1

    def rotated(x, k):
        return (x << k | x >> (64 - k)) & mask

    for lane in range(LANES):
        s, t = (int(x) for x in WORDS[:, lane])
        t ^= s
        after = [rotated(s, 24) ^ t ^ (t << 16 & mask), rotated(t, 37)]
        assert words[1][1:, lane].tolist() == after
        assert int(words[1][0, lane]) == (int(WORDS[0, lane]) + int(WORDS[1, lane])) & mask
