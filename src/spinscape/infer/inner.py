"""Inner products over pixels, without BLAS.

BLAS spreads a dot product of some ten thousand numbers over threads; on busy cores that costs a hundred times the
product, and the last digits depend on the number of threads. ``einsum`` sums in one thread, in one order.
"""

import numpy as np


def dot(a, b):
    """Return Σ a·b of two vectors (n,)."""
    return float(np.einsum("i,i->", a, b))


def rows_dot(rows, vector):
    """Return the inner product of each row (p, n) with a vector (n,): (p,)."""
    return np.einsum("pi,i->p", rows, vector)


def gram(rows):
    """Return the inner products of rows (p, n) with each other: (p, p)."""
    return np.einsum("pi,qi->pq", rows, rows)
