"""The fast route against plain numpy: energies, amplitudes, blocks, shifts, failures."""

import os
import subprocess
import sys

import numpy as np
import pytest

from spinscape.kernels.bogoliubov import (
    REGULAR,
    REGULARISED,
    UNSTABLE,
    combine,
    find_blocks,
    paraunitary,
    signature,
    solve_blocks,
    solve_plain,
)

# Householder and QL are backward stable: a few hundred rounding errors of the largest element.
TOL = 1e-12


def random_problem(n_q, n_mode, seed, *, gap=0.1):
    rng = np.random.default_rng(seed)
    size = 2 * n_mode
    half = rng.normal(size=(n_q, size, size)) + 1j * rng.normal(size=(n_q, size, size))
    vectors = rng.normal(size=(n_q, 3, size)) + 1j * rng.normal(size=(n_q, 3, size))
    return half @ half.conj().swapaxes(1, 2) + gap * np.eye(size), vectors


def solve_fast(dynamical, vectors, *, blocks=None, tiny=1e-10):
    n_q, n = len(dynamical), dynamical.shape[1] // 2
    blocks = [np.arange(2 * n)] if blocks is None else blocks
    energies, amplitudes = np.zeros((n_q, n)), np.zeros((n_q, n, 3), dtype=complex)
    status = np.full(n_q, -1)
    members, start = np.concatenate(blocks), np.cumsum([0, *(len(b) for b in blocks)])
    ok = solve_blocks(dynamical, vectors, members, start, signature(n), tiny, energies, amplitudes, status)
    assert ok
    return energies, amplitudes, status


def tensor(amplitudes):
    return amplitudes.conj()[..., :, None] * amplitudes[..., None, :]


def test_paraunitary_diagonalises_and_keeps_the_commutators():
    dynamical, _ = random_problem(5, 3, seed=1)
    values, transform = paraunitary(dynamical)
    adjoint = transform.conj().swapaxes(1, 2)
    np.testing.assert_allclose(adjoint @ dynamical @ transform, np.abs(values)[:, :, None] * np.eye(6), atol=1e-11)
    # The columns come with the negative eigenvalues first.
    metric = adjoint @ (signature(3)[:, None] * transform)
    np.testing.assert_allclose(metric, np.broadcast_to(np.diag(-signature(3)), metric.shape), atol=1e-11)


@pytest.mark.parametrize("n_mode", [1, 2, 3, 7])
@pytest.mark.parametrize("n_q", [1, 8, 11])
def test_fast_route_agrees_with_plain_numpy(n_mode, n_q):
    dynamical, vectors = random_problem(n_q, n_mode, seed=n_mode)
    energies, amplitudes, status = solve_fast(dynamical, vectors)
    expected, expected_amplitudes = solve_plain(dynamical, vectors)
    np.testing.assert_allclose(energies, expected, rtol=TOL)
    scale = np.abs(expected_amplitudes).max() ** 2
    np.testing.assert_allclose(tensor(amplitudes), tensor(expected_amplitudes), rtol=0.0, atol=TOL * scale)
    assert np.all(status == REGULAR)


def test_only_the_lower_triangle_is_read():
    dynamical, vectors = random_problem(3, 2, seed=3)
    energies, _, _ = solve_fast(dynamical, vectors)
    spoilt = dynamical + np.triu(np.full((4, 4), np.nan), 1)
    np.testing.assert_array_equal(solve_fast(spoilt, vectors)[0], energies)


def test_blocks_give_the_same_modes_in_ascending_order():
    dynamical, vectors = random_problem(9, 4, seed=4)
    blocks = [np.array([0, 3, 6]), np.array([1, 4, 5, 7]), np.array([2])]
    keep = np.zeros((8, 8))
    for block in blocks:
        keep[np.ix_(block, block)] = 1.0
    dynamical = dynamical * keep
    energies, amplitudes, _ = solve_fast(dynamical, vectors, blocks=blocks)
    expected, expected_amplitudes = solve_plain(dynamical, vectors)
    np.testing.assert_allclose(energies, expected, rtol=TOL)
    np.testing.assert_allclose(tensor(amplitudes), tensor(expected_amplitudes), atol=1e-10)
    assert [b.tolist() for b in find_blocks(keep > 0)] == [b.tolist() for b in blocks]


def test_each_result_depends_on_its_own_matrix_only():
    dynamical, vectors = random_problem(20, 3, seed=5)
    order = np.random.default_rng(0).permutation(20)
    energies, amplitudes, _ = solve_fast(dynamical, vectors)
    again, amplitudes_again, _ = solve_fast(dynamical[order], vectors[order])
    np.testing.assert_array_equal(again, energies[order])
    np.testing.assert_array_equal(amplitudes_again, amplitudes[order])


def test_exactly_degenerate_and_diagonal_matrices_converge():
    vectors = np.ones((2, 3, 6), dtype=complex)
    dynamical = np.stack([np.eye(6), np.diag([1.0, 2.0, 3.0, 1.0, 2.0, 3.0])]).astype(complex)
    energies, amplitudes, _ = solve_fast(dynamical, vectors)
    np.testing.assert_allclose(energies, [[1.0, 1.0, 1.0], [1.0, 2.0, 3.0]], rtol=TOL)
    np.testing.assert_allclose(np.abs(amplitudes), 1.0, rtol=TOL)


def test_a_singular_matrix_is_shifted_and_says_so():
    dynamical = np.array([[[2.0, 2.0], [2.0, 2.0]], [[2.0, 1.0], [1.0, 2.0]]], dtype=complex)
    vectors = np.ones((2, 3, 2), dtype=complex)
    energies, _, status = solve_fast(dynamical, vectors, tiny=1e-8)
    assert status.tolist() == [REGULARISED, REGULAR]
    # ω² = (A + s)² - B² with A = B = 2.
    np.testing.assert_allclose(energies[:, 0], [np.sqrt(4e-8 + 1e-16), np.sqrt(3.0)], rtol=1e-7)


def test_an_indefinite_matrix_is_flagged_and_harms_no_neighbour():
    dynamical, vectors = random_problem(8, 2, seed=6)
    expected, _ = solve_plain(dynamical, vectors)
    dynamical[3] -= 50.0 * np.eye(4)
    energies, _, status = solve_fast(dynamical, vectors)
    assert status[3] == UNSTABLE
    good = np.arange(8) != 3
    assert np.all(status[good] == REGULAR)
    np.testing.assert_allclose(energies[good], expected[good], rtol=TOL)


def test_nan_is_flagged_as_unstable():
    dynamical, vectors = random_problem(2, 2, seed=7)
    dynamical[1, 2, 1] = np.nan
    status = np.zeros(2, dtype=int)
    out = np.zeros((2, 2)), np.zeros((2, 2, 3), dtype=complex)
    solve_blocks(dynamical, vectors, np.arange(4), np.array([0, 4]), signature(2), 1e-10, *out, status)
    assert status.tolist() == [REGULAR, UNSTABLE]


def test_combine_is_a_sum():
    rng = np.random.default_rng(8)
    matrices = rng.normal(size=(3, 4, 2, 2)) + 1j * rng.normal(size=(3, 4, 2, 2))
    constant, theta, out = matrices[0] * 2.0, rng.normal(size=3), np.empty((4, 2, 2), dtype=complex)
    combine(theta, matrices, constant, out)
    np.testing.assert_allclose(out, constant + np.einsum("k,kqij->qij", theta, matrices), rtol=1e-14)


@pytest.mark.slow
def test_no_index_runs_out_of_bounds(tmp_path):
    """Compile once more with numba's bounds checks, which a compiled kernel does without."""
    code = (
        "import numpy as np; from spinscape.kernels.bogoliubov import *\n"
        "d = np.tile(np.eye(6) * 2 + 0.3, (9, 1, 1)).astype(complex); v = np.ones((9, 3, 6), complex)\n"
        "e, a, s = np.zeros((9, 3)), np.zeros((9, 3, 3), complex), np.zeros(9, int)\n"
        "assert solve_blocks(d, v, np.arange(6), np.array([0, 6]), signature(3), 1e-10, e, a, s)\n"
        "np.testing.assert_allclose(e, solve_plain(d, v)[0], rtol=1e-12)"
    )
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
