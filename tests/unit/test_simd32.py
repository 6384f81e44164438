"""Operations on vectors of 32-bit numbers against numpy."""

import numba as nb
import numpy as np
import pytest

from spinscape.kernels import simd32 as s

WIDE = s.WIDE


def vectors(seed=0):
    rng = np.random.default_rng(seed)
    ints = rng.integers(-(2**31), 2**31, (2, WIDE)).astype(np.int32)
    return ints[0], ints[1], *rng.normal(size=(3, WIDE)).astype(np.float32) * np.float32(100)


INTEGER = {
    "add_ints": lambda x, y: x + y,
    "subtract_ints": lambda x, y: x - y,
    "xor_ints": lambda x, y: x ^ y,
    "and_ints": lambda x, y: x & y,
    "or_ints": lambda x, y: x | y,
}


@pytest.mark.parametrize("name", INTEGER)
def test_integers(name):
    operation = getattr(s, name)

    @nb.njit
    def work(x, y, out):
        s.store_ints(out, 1, operation(s.load_ints(x, 0), s.load_ints(y, 0)))

    x, y = vectors()[:2]
    out = np.zeros(WIDE + 2, dtype=np.int32)
    work(x, y, out)
    np.testing.assert_array_equal(out[1:-1], INTEGER[name](x, y))
    assert out[0] == out[-1] == 0


FLOAT = {
    "times_floats": lambda x, y: x * y,
    "add_floats": lambda x, y: x + y,
    "smaller": np.minimum,
    "larger": np.maximum,
}


@pytest.mark.parametrize("name", FLOAT)
def test_floats(name):
    operation = getattr(s, name)

    @nb.njit
    def work(x, y, out):
        s.store_floats(out, 0, operation(s.load_floats(x, 0), s.load_floats(y, 0)))

    x, y = vectors()[2:4]
    out = np.zeros(WIDE, dtype=np.float32)
    work(x, y, out)
    np.testing.assert_array_equal(out, FLOAT[name](x, y))


def test_shifts_conversions_and_comparison():
    @nb.njit
    def work(x, y, f, g, ints, floats):
        s.store_ints(ints, 0, s.left(s.load_ints(x, 0), 5))
        s.store_ints(ints, WIDE, s.right(s.load_ints(x, 0), 5))
        s.store_ints(ints, 2 * WIDE, s.to_ints(s.load_floats(f, 0)))
        s.store_ints(ints, 3 * WIDE, s.bits(s.load_floats(f, 0)))
        s.store_ints(ints, 4 * WIDE, s.fill_ints(-7))
        s.store_floats(floats, 0, s.to_floats(s.load_ints(x, 0)))
        s.store_floats(floats, WIDE, s.from_bits(s.bits(s.load_floats(g, 0))))
        s.store_floats(floats, 2 * WIDE, s.fill_floats(0.1))
        s.store_floats(floats, 3 * WIDE, s.plus_floats(s.load_floats(f, 0), s.load_floats(g, 0), s.load_floats(g, 0)))
        return s.below(s.load_ints(x, 0), s.load_ints(y, 0))

    x, y, f, g, _ = vectors(1)
    ints, floats = np.zeros(5 * WIDE, dtype=np.int32), np.zeros(4 * WIDE, dtype=np.float32)
    word = int(work(x, y, f, g, ints, floats))
    expected = [x << 5, (x.view(np.uint32) >> 5).view(np.int32), f.astype(np.int32), f.view(np.int32)]
    np.testing.assert_array_equal(ints, np.concatenate([*expected, np.full(WIDE, -7)]))
    np.testing.assert_array_equal(floats[: 3 * WIDE], np.concatenate([x, g, np.full(WIDE, 0.1)]).astype(np.float32))
    fused = (f.astype(np.float64) + g.astype(np.float64) ** 2).astype(np.float32)
    np.testing.assert_allclose(floats[3 * WIDE :], fused, rtol=2e-7)
    assert word == sum(1 << n for n in range(WIDE) if x[n] < y[n]) > 0


def test_lowest_bit():
    @nb.njit
    def work(word):
        return s.lowest_bit(word)

    assert [work(np.uint64(w)) for w in (1, 6, 1 << 40, 1 << 63)] == [0, 1, 40, 63]
