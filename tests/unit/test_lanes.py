"""Hermitian linear algebra on lanes against numpy, lane by lane."""

import numpy as np
import pytest

from spinscape.kernels.lanes import cholesky, forward, implicit_ql, make_real, sandwich, tridiagonalise
from spinscape.kernels.simd import LANES

TOL = 1e-12


def hermitian(n, seed):
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(LANES, n, n)) + 1j * rng.normal(size=(LANES, n, n))
    return half @ half.conj().swapaxes(1, 2) / n + np.eye(n)


def split(matrices):
    """(LANES, n, m) complex to (n, m, LANES) real and imaginary parts."""
    return np.ascontiguousarray(matrices.real.transpose(1, 2, 0)), np.ascontiguousarray(
        matrices.imag.transpose(1, 2, 0)
    )


def joined(re, im):
    return (re + 1j * im).transpose(2, 0, 1)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_cholesky_and_forward_substitution(n):
    matrices = hermitian(n, n)
    columns = np.random.default_rng(9).normal(size=(LANES, n, 3)) + 0j
    re, im = split(matrices)
    y_re, y_im = split(columns)
    smallest = np.empty(LANES)
    cholesky(re, im, smallest)
    lower = np.linalg.cholesky(matrices)
    np.testing.assert_allclose(np.tril(joined(re, im)), lower, atol=TOL)
    pivots = np.abs(np.diagonal(lower, axis1=1, axis2=2)) ** 2
    np.testing.assert_allclose(smallest, pivots.min(axis=1), rtol=TOL)
    forward(re, im, y_re, y_im)
    np.testing.assert_allclose(joined(y_re, y_im), np.linalg.solve(lower, columns), atol=TOL)


def test_cholesky_reports_a_negative_pivot_of_one_lane():
    matrices = hermitian(3, 1)
    matrices[2] = np.diag([1.0, -2.0, 1.0])
    re, im = split(matrices)
    smallest = np.empty(LANES)
    cholesky(re, im, smallest)
    assert smallest[2] == -2.0
    assert np.all(np.delete(smallest, 2) > 0)
    assert np.all(np.isfinite(re[np.tril_indices(3)]))


def test_sandwich():
    matrices = np.tril(hermitian(4, 2))
    matrices[:, range(4), range(4)] = matrices[:, range(4), range(4)].real
    sign = np.array([1.0, -1.0, 1.0, -1.0])
    re, im = split(matrices)
    h_re, h_im = np.empty_like(re), np.empty_like(im)
    sandwich(re, im, sign, h_re, h_im)
    expected = matrices.conj().swapaxes(1, 2) @ (sign[:, None] * matrices)
    np.testing.assert_allclose(np.tril(joined(h_re, h_im)), np.tril(expected), atol=TOL)


def spectral_weights(matrices, columns):
    """Eigenvalues and |U†y|² by the lanes, for each lane."""
    n = matrices.shape[1]
    (re, im), (y_re, y_im) = split(matrices), split(columns)
    diagonal, below, work = np.empty((n, LANES)), np.empty((n, 2, LANES)), np.empty((4, n, LANES))
    tridiagonalise(re, im, y_re, y_im, diagonal, below, work)
    values, weights = np.empty((LANES, n)), np.empty((LANES, n))
    for lane in range(LANES):
        d, e, z = np.empty(n), np.empty(n), np.zeros((n, LANES))
        make_real(lane, diagonal, below, y_re, y_im, d, e, z)
        assert implicit_ql(d, e, z)
        order = np.argsort(d)
        values[lane], weights[lane] = d[order], np.sum(z[order] ** 2, axis=1)
    return values, weights


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_eigenvalues_and_weights_without_eigenvectors(n):
    matrices = hermitian(n, 10 + n)
    columns = np.random.default_rng(n).normal(size=(LANES, n, 3)) + 0j
    values, weights = spectral_weights(matrices, columns)
    expected, vectors = np.linalg.eigh(matrices)
    np.testing.assert_allclose(values, expected, rtol=TOL)
    overlap = vectors.conj().swapaxes(1, 2) @ columns
    np.testing.assert_allclose(weights, np.sum(np.abs(overlap) ** 2, axis=2), rtol=1e-10)


def test_matrices_that_are_tridiagonal_or_fall_apart_already():
    matrices = hermitian(5, 3)
    matrices[0] = np.diag([3.0, 1.0, 2.0, 1.0, 5.0])
    matrices[1, 2:, :2] = matrices[1, :2, 2:] = 0.0
    matrices[2] = 0.0
    columns = np.ones((LANES, 5, 3), dtype=complex)
    values, weights = spectral_weights(matrices, columns)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(matrices), atol=TOL)
    np.testing.assert_allclose(weights.sum(axis=1), 15.0, rtol=TOL)
