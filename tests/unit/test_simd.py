"""Vectors of LANES doubles inside compiled functions, operation by operation."""

import numba as nb
import numpy as np
import pytest

from spinscape.kernels.simd import LANES, divided, fill, load, minus_product, plus_product, store, times

RNG = np.random.default_rng(0)
X, Y, T = RNG.uniform(1, 2, (3, LANES))


@nb.njit
def run(rows, out, scalar):
    x, y, t = load(rows, 0), load(rows, 1), load(rows, 2)
    store(out, (0, 0), times(x, y))
    store(out, (0, 1), divided(x, y))
    store(out, (0, 2), plus_product(t, x, y))
    store(out, (1, 0), minus_product(t, x, y))
    store(out, (1, 1), fill(scalar))


@pytest.fixture(scope="module")
def results():
    out = np.zeros((2, 3, LANES))
    run(np.stack([X, Y, T]), out, 2.5)
    return out


def test_operations_are_those_of_numpy(results):
    np.testing.assert_array_equal(results[0, 0], X * Y)
    np.testing.assert_array_equal(results[0, 1], X / Y)
    np.testing.assert_allclose(results[0, 2], T + X * Y, rtol=1e-15)
    np.testing.assert_allclose(results[1, 0], T - X * Y, atol=1e-15)
    np.testing.assert_array_equal(results[1, 1], 2.5)


def test_a_store_writes_its_own_row_only(results):
    assert not np.any(results[1, 2])
