"""Bogoliubov problem of quadratic boson Hamiltonians ½ x†Dx, x = (b, b†): arrays in, arrays out.

D = C C† (Cholesky); C† g C is Hermitian with g = diag(1, -1), its N positive eigenvalues λ are the mode energies, and
with its eigenvectors U the amplitude of a source x†v is sqrt(λ_n) (U† C⁻¹ v)_n. Sources: Colpa, Physica A 93, 327
(1978). Two routes: plain numpy, the reference; and `solve_blocks`, which finds no eigenvectors at all: the reflectors
and rotations that diagonalise C† g C are applied to the three columns C⁻¹v only, eight Q side by side in SIMD lanes.
"""

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from .jit import compiled
from .lanes import cholesky, forward, implicit_ql, make_real, sandwich, tridiagonalise
from .simd import LANES

REGULAR, REGULARISED, UNSTABLE = 0, 1, 2
"""What happened to a matrix: positive definite; singular and shifted; not even the shifted one is positive."""


def signature(n_mode):
    """Return the diagonal of g: 1 for b, -1 for b†, (2 n_mode,) float64."""
    return np.repeat([1.0, -1.0], n_mode)


def paraunitary(dynamical):
    """Return energies and the full transformation T with T†DT = diag and T†gT = g, by plain numpy.

    Parameters
    ----------
    dynamical : (n_q, 2N, 2N) complex128, Hermitian positive definite

    Returns
    -------
    eigenvalues : (n_q, 2N) float64
        Signed, ascending: -ω(-q), then ω(q) in the last N.
    transform : (n_q, 2N, 2N) complex128

    Raises
    ------
    numpy.linalg.LinAlgError
        Where a matrix is not positive definite.
    """
    return paraunitary_from_factor(np.linalg.cholesky(dynamical))


def paraunitary_from_factor(lower):
    """Return what :func:`paraunitary` does, from the Cholesky factors C of D = C C†, (n_q, 2N, 2N) complex128."""
    n = lower.shape[-1] // 2
    upper = lower.conj().swapaxes(-1, -2)
    values, vectors = np.linalg.eigh(upper @ (signature(n)[:, None] * lower))
    return values, np.linalg.solve(upper, vectors * np.sqrt(np.abs(values))[:, None, :])


def solve_plain(dynamical, vectors):
    """Return energies and amplitudes by batched Cholesky, eigh and solve: the reference of the fast route.

    Parameters
    ----------
    dynamical : (n_q, 2N, 2N) complex128
    vectors : (n_q, 3, 2N) complex128

    Returns
    -------
    energies : (n_q, N) float64, ascending
    amplitudes : (n_q, N, 3) complex128
        Of each source in each mode; their phases are common to the three, and arbitrary.
    """
    n = dynamical.shape[-1] // 2
    values, transform = paraunitary(dynamical)
    amplitudes = transform.conj().swapaxes(-1, -2) @ vectors.swapaxes(-1, -2)
    return values[:, n:], amplitudes[:, n:]


@compiled
def combine(theta, matrices, constant, out):
    """Write constant + Σ_k θ_k matrices_k.

    Parameters
    ----------
    theta : (n_parameter,) float64
    matrices : (n_parameter, n_q, n, n) complex128
    constant, out : (n_q, n, n) complex128
    """
    for q in range(out.shape[0]):
        out[q] = constant[q]
        for k in range(len(theta)):
            for i in range(out.shape[1]):
                for j in range(out.shape[2]):
                    out[q, i, j] += theta[k] * matrices[k, q, i, j]


def find_blocks(pattern):
    """Return the connected components of a sparsity pattern, as index arrays.

    Parameters
    ----------
    pattern : (n, n) bool
        Where some matrix of the family is not zero.

    Returns
    -------
    list of (n_block,) int64
    """
    count, label = connected_components(csr_array(pattern), directed=False)
    return [np.flatnonzero(label == k) for k in range(count)]


@compiled
def _load(dynamical, vectors, first, members, shift, re, im, y_re, y_im):
    """Gather one block of up to LANES matrices (lower triangles) and its sources."""
    n, last = len(members), len(dynamical) - 1
    for lane in range(LANES):
        q = min(first + lane, last)
        for i in range(n):
            for k in range(i + 1):
                x = dynamical[q, members[i], members[k]]
                re[i, k, lane], im[i, k, lane] = x.real, x.imag
            re[i, i, lane] += shift[lane]
            for c in range(3):
                v = vectors[q, c, members[i]]
                y_re[i, c, lane], y_im[i, c, lane] = v.real, v.imag


@compiled
def _insert(q, value, z, i, count, energies, amplitudes):
    """Put one mode into the ascending list of its Q."""
    k = count
    while k > 0 and energies[q, k - 1] > value:
        energies[q, k] = energies[q, k - 1]
        for a in range(3):
            amplitudes[q, k, a] = amplitudes[q, k - 1, a]
        k -= 1
    energies[q, k] = value
    root = np.sqrt(value)
    for a in range(3):
        amplitudes[q, k, a] = root * complex(z[i, a], z[i, a + 3])


@compiled
def _buffers(n):
    """Return work space for one block of n rows."""
    return (
        np.empty((n, n, LANES)),
        np.empty((n, n, LANES)),
        np.empty((n, n, LANES)),
        np.empty((n, n, LANES)),
        np.empty((n, 3, LANES)),
        np.empty((n, 3, LANES)),
        np.empty((n, LANES)),
        np.empty((n, 2, LANES)),
        np.empty((4, n, LANES)),
        np.empty(n),
        np.empty(n),
        np.empty((n, LANES)),
    )


@compiled
def _factorise(dynamical, vectors, first, members, start, shift, smallest, pivot, buffers):
    """Load and factorise all blocks of a chunk; `smallest` receives each lane's smallest squared pivot."""
    smallest[:] = np.inf
    for b in range(len(buffers)):
        re, im, y_re, y_im = buffers[b][0], buffers[b][1], buffers[b][4], buffers[b][5]
        _load(dynamical, vectors, first, members[start[b] : start[b + 1]], shift, re, im, y_re, y_im)
        cholesky(re, im, pivot)
        for lane in range(LANES):
            smallest[lane] = smallest[lane] if pivot[lane] >= smallest[lane] else pivot[lane]


@compiled
def _solve_block(first, sign, count, energies, amplitudes, buffers):
    """Solve one block of a chunk that has been factorised into its buffers."""
    re, im, h_re, h_im, y_re, y_im, diagonal, below, work, d, e, z = buffers
    n = len(sign)
    forward(re, im, y_re, y_im)
    sandwich(re, im, sign, h_re, h_im)
    tridiagonalise(h_re, h_im, y_re, y_im, diagonal, below, work)
    z[:] = 0.0
    converged = True
    for lane in range(len(count)):
        make_real(lane, diagonal, below, y_re, y_im, d, e, z)
        converged &= implicit_ql(d, e, z)
        for i in range(n):
            # A lane that was not positive definite can offer more modes than there are; it is flagged already.
            if d[i] > 0.0 and count[lane] < energies.shape[1]:
                _insert(first + lane, d[i], z, i, count[lane], energies, amplitudes)
                count[lane] += 1
    return converged


@compiled
def _solve_chunk(dynamical, vectors, first, members, start, signs, tiny, energies, amplitudes, status, lanes, buffers):
    """Solve the matrices first, first + 1, ... of one chunk; False where an iteration did not converge."""
    shift, smallest, pivot = lanes[0], lanes[1], lanes[2]
    shift[:] = 0.0
    _factorise(dynamical, vectors, first, members, start, shift, smallest, pivot, buffers)
    again = False
    for lane in range(LANES):
        if not smallest[lane] >= tiny:
            shift[lane] = tiny
            again = True
    if again:
        # All blocks of a matrix get the same shift, so that modes that are degenerate by symmetry stay so.
        _factorise(dynamical, vectors, first, members, start, shift, smallest, pivot, buffers)
    count = np.zeros(min(LANES, len(dynamical) - first), np.int64)
    for lane in range(len(count)):
        status[first + lane] = REGULAR if shift[lane] == 0.0 else REGULARISED
        if not smallest[lane] > 0.0:
            status[first + lane] = UNSTABLE
    converged = True
    for b in range(len(buffers)):
        converged &= _solve_block(first, signs[b], count, energies, amplitudes, buffers[b])
    for lane in range(len(count)):
        converged &= count[lane] == energies.shape[1] or status[first + lane] == UNSTABLE
    return converged


@compiled
def solve_blocks(dynamical, vectors, members, start, sign, tiny, energies, amplitudes, status):
    """Solve many Bogoliubov problems that fall apart into the same blocks.

    Parameters
    ----------
    dynamical : (n_q, 2N, 2N) complex128
        Only the lower triangle of each block is read.
    vectors : (n_q, 3, 2N) complex128
    members : (2N,) int64
        Indices, ascending within a block, the blocks one after the other.
    start : (n_block + 1,) int64
        Where each block starts in ``members``.
    sign : (2N,) float64
        Diagonal of g.
    tiny : float
        Matrices whose smallest squared Cholesky pivot lies below are solved again with ``tiny`` on the diagonal.
    energies : (n_q, N) float64, out
        Ascending.
    amplitudes : (n_q, N, 3) complex128, out
    status : (n_q,) int64, out
        REGULAR, REGULARISED or UNSTABLE; where unstable, the other results mean nothing.

    Returns
    -------
    bool
        False where an eigenvalue iteration did not converge, or modes are missing.
    """
    buffers = [_buffers(start[b + 1] - start[b]) for b in range(len(start) - 1)]
    signs = [sign[members[start[b] : start[b + 1]]] for b in range(len(start) - 1)]
    lanes = np.empty((3, LANES))
    converged = True
    for first in range(0, len(dynamical), LANES):
        converged &= _solve_chunk(
            dynamical, vectors, first, members, start, signs, tiny, energies, amplitudes, status, lanes, buffers
        )
    return converged
