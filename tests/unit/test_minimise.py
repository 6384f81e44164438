"""The minimiser's kernels against numpy, difference quotients and the laws that they state."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from spinscape.kernels.minimise import align, curvature, descend, gradient, minimise_runs

ROUNDING = 1e-12


def problem(seed, n_spin=6, n_pair=9, n_square=7):
    """A random symmetric problem: start, head, matrix, own, linear, squares; pairs may come more than once."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, n_spin, n_pair)
    second = (first + rng.integers(1, n_spin, n_pair)) % n_spin
    m = rng.normal(size=(n_pair, 3, 3))
    tail = np.concatenate([first, second])
    order = np.argsort(tail, kind="stable")
    head = np.concatenate([second, first])[order]
    matrix = np.concatenate([m, m.transpose(0, 2, 1)])[order]
    own = rng.normal(size=(n_spin, 3, 3))
    start = np.searchsorted(tail[order], np.arange(n_spin + 1))
    linear = rng.normal(size=(n_spin, 3))
    return start, head, matrix, own + own.transpose(0, 2, 1), linear, random_squares(rng, n_spin, n_square)


def random_squares(rng, n_spin, n_square):
    """Start, head, R and b of squares from either end; the first is of a spin with itself."""
    first, second = rng.integers(0, n_spin, (2, n_square))
    second[:1] = first[:1]
    turn, strength = Rotation.random(n_square, random_state=rng).as_matrix(), rng.normal(size=n_square)
    tail = np.concatenate([first, second])
    order = np.argsort(tail, kind="stable")
    head, both = np.concatenate([second, first])[order], np.concatenate([turn, turn.transpose(0, 2, 1)])[order]
    start = np.searchsorted(tail[order], np.arange(n_spin + 1))
    return start, head, both, np.tile(strength, 2)[order]


def square_energy(n, squares):
    """½ Σ b (n_i·R n_j)², in plain numpy."""
    start, head, turn, strength = squares
    tail = np.repeat(np.arange(len(n)), np.diff(start))
    return 0.5 * np.sum(strength * np.einsum("ra,rab,rb->r", n[tail], turn, n[head]) ** 2)


def shift_of(parts):
    """Upper bound of the curvature by one spin: see ``align``."""
    start, head, _, strength = parts[5]
    tail = np.repeat(np.arange(len(parts[3])), np.diff(start))
    most = np.where(head == tail, 6.0 * np.abs(strength), 2.0 * np.maximum(strength, 0.0))
    return np.linalg.eigvalsh(parts[3])[:, -1] + np.bincount(tail, weights=most, minlength=len(parts[3]))


def unit(rng, n_spin=6):
    n = rng.normal(size=(n_spin, 3))
    return n / np.linalg.norm(n, axis=1, keepdims=True)


def dense(start, head, matrix, own):
    n = len(own)
    out = np.zeros((n, 3, n, 3))
    for i in range(n):
        out[i, :, i] += own[i]
        for k in range(start[i], start[i + 1]):
            out[i, :, head[k]] += matrix[k]
    return out.reshape(3 * n, 3 * n)


def energy_of(n, parts):
    return gradient(n, *parts, np.empty_like(n))


def scale_of(parts):
    squares = 2.0 * np.abs(parts[5][3]).sum()
    return float(np.abs(dense(*parts[:4])).sum(axis=1).max() + np.abs(parts[4]).max() + squares)


@pytest.mark.parametrize("seed", range(3))
def test_energy_and_gradient_are_those_of_the_dense_matrix(seed):
    parts, n = problem(seed), unit(np.random.default_rng(seed + 10))
    out = np.empty_like(n)
    energy = gradient(n, *parts, out)
    full, x, c = dense(*parts[:4]), n.ravel(), parts[4].ravel()
    assert energy == pytest.approx(0.5 * x @ full @ x + c @ x + square_energy(n, parts[5]), abs=ROUNDING)
    h, slope = 1e-5, np.empty(18)
    for k, step in enumerate(h * np.eye(18).reshape(18, 6, 3)):
        slope[k] = (square_energy(n + step, parts[5]) - square_energy(n - step, parts[5])) / (2 * h)
    np.testing.assert_allclose(out.ravel(), full @ x + c + slope, atol=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_curvature_is_the_second_difference_along_great_circles(seed):
    parts, rng = problem(seed), np.random.default_rng(seed)
    n = unit(rng)
    field, out = np.empty_like(n), np.empty_like(n)
    gradient(n, *parts, field)
    v = rng.normal(size=n.shape)
    v -= n * np.sum(n * v, axis=1, keepdims=True)
    curvature(n, field, v, *parts[:4], parts[5], out)
    speed = np.linalg.norm(v, axis=1, keepdims=True)

    def along(t):
        return energy_of(np.cos(speed * t) * n + np.sin(speed * t) / speed * v, parts)

    h = 1e-4
    second = (along(h) - 2 * along(0.0) + along(-h)) / h**2
    # The rounding of three energies over h².
    assert np.sum(v * out) == pytest.approx(second, abs=1e-5 * scale_of(parts))
    np.testing.assert_allclose(np.sum(n * out, axis=1), 0.0, atol=ROUNDING * scale_of(parts))


@pytest.mark.parametrize("over", [0.0, 0.5, 1.0])
def test_no_sweep_raises_the_energy(over):
    parts, n = problem(1), unit(np.random.default_rng(2))
    shift = shift_of(parts)
    energies = [energy_of(n, parts)]
    for _ in range(40):
        align(n, *parts, shift, over)
        energies.append(energy_of(n, parts))
    assert np.all(np.diff(energies) <= 1e-12 * scale_of(parts))
    assert energies[-1] < energies[0]
    np.testing.assert_allclose(np.linalg.norm(n, axis=1), 1.0, atol=ROUNDING)


def test_without_over_relaxation_a_lone_spin_falls_at_once():
    parts = (*problem(0)[:3], np.zeros((6, 3, 3)), problem(0)[4], random_squares(np.random.default_rng(0), 6, 0))
    n = unit(np.random.default_rng(3))
    align(n, *parts, np.zeros(6), 0.0)
    field = np.empty_like(n)
    gradient(n, *parts, field)
    # The last spin of a sweep lies exactly against its field.
    assert n[-1] @ field[-1] == pytest.approx(-np.linalg.norm(field[-1]), rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_descent_ends_in_a_minimum(seed):
    parts, rng = problem(seed), np.random.default_rng(seed + 5)
    n = unit(rng)
    before, scale = energy_of(n, parts), scale_of(parts)
    energy, torque, steps = descend(n, *parts, scale, 1e-12, 200)
    assert torque <= 1e-12 * scale and 0 < steps < 200
    assert energy == pytest.approx(energy_of(n, parts), abs=ROUNDING * scale) and energy < before
    for _ in range(20):
        near = n + 1e-3 * rng.normal(size=n.shape)
        assert energy_of(near / np.linalg.norm(near, axis=1, keepdims=True), parts) > energy


def test_descent_stops_where_it_may_take_no_step():
    parts, n = problem(0), unit(np.random.default_rng(0))
    kept = n.copy()
    _, torque, steps = descend(n, *parts, scale_of(parts), 1e-12, 0)
    assert steps == 0 and torque > 1e-3 and np.array_equal(n, kept)


def runs(sweeps=(10, 50)):
    """Two couplings, three starts each."""
    start, head, matrix, own, linear, squares = problem(4)
    factor = np.array([1.0, -0.7])[:, None, None, None]
    own, matrix = factor * own, factor * matrix
    linear = np.stack([linear, linear])
    rng = np.random.default_rng(0)
    n = np.stack([unit(rng) for _ in range(6)])
    point = np.repeat([0, 1], 3)
    energy, torque, steps = np.empty(6), np.empty(6), np.empty(6, dtype=np.int64)
    strength = np.stack([squares[3], -0.5 * squares[3]])
    shift = np.stack([shift_of((0, 0, 0, own[p], 0, (*squares[:3], strength[p]))) for p in (0, 1)])
    coefficients = (
        start,
        head,
        matrix,
        own,
        linear,
        (*squares[:2], squares[2][None], strength),
        shift,
        np.full(2, 30.0),
    )
    minimise_runs(
        point, n, *coefficients, np.array(sweeps), np.full(len(sweeps), 50), 0.5, 1e-11, energy, torque, steps
    )
    return point, n, coefficients, energy, torque


def test_runs_have_the_couplings_of_their_point():
    point, n, (start, head, matrix, own, linear, squares, _, scale), energy, torque = runs()
    for r, p in enumerate(point):
        some = (*squares[:2], squares[2][0], squares[3][p])
        assert energy[r] == pytest.approx(energy_of(n[r], (start, head, matrix[p], own[p], linear[p], some)), abs=1e-11)
    assert np.all(torque <= 1e-11 * scale[point])


INSIDE = """
import numpy as np, runpy
tests = runpy.run_path({path!r})
_, _, _, energy, torque = tests["runs"](sweeps=(2,))
print(repr(energy.tolist()))
"""


def test_no_index_is_out_of_bounds_and_plain_python_says_the_same():
    """Without compilation numpy checks every index."""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    code = INSIDE.format(path=str(Path(__file__)))
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(np.array(eval_list(done.stdout)), runs(sweeps=(2,))[3], atol=1e-10)


def eval_list(text):
    return [float(x) for x in text.strip().strip("[]").split(",")]
