"""Kernels of diffuse scattering against plain numpy."""

import numpy as np
import pytest

from spinscape.kernels.correlate import average_pairs, gather, interpolate, quadratic_forms

ROUNDING = 1e-12


def hermitian(rng, n_wave, n):
    x = rng.normal(size=(n_wave, n, n)) + 1j * rng.normal(size=(n_wave, n, n))
    return x + x.conj().swapaxes(1, 2)


@pytest.mark.parametrize("n_component", [1, 3])
def test_the_average_over_operations(n_component):
    rng = np.random.default_rng(1)
    n_operation, n_wave, n_site = 3, 4, 2
    n = n_site * n_component
    pairs = hermitian(rng, n_wave, n)
    wave = rng.integers(0, n_wave, size=(n_operation, n_wave))
    mirrored = rng.random((n_operation, n_wave)) < 0.5
    phase = np.exp(2j * np.pi * rng.random((n_operation, n_wave, n_site)))
    site = np.array([[0, 1], [1, 0], [1, 0]])
    turn = rng.normal(size=(n_operation, n_site, n_component, n_component))
    out = np.empty_like(pairs)
    average_pairs(pairs, wave, mirrored, phase, site, turn, out)

    plain = np.zeros_like(pairs)
    for o in range(n_operation):
        # What an operation does to amplitudes, as one matrix for each wave.
        for q in range(n_wave):
            matrix = np.zeros((n, n), dtype=complex)
            for p in range(n_site):
                rows, columns = (slice(s * n_component, (s + 1) * n_component) for s in (site[o, p], p))
                matrix[rows, columns] = phase[o, q, p] * turn[o, p]
            c = pairs[wave[o, q]]
            plain[q] += matrix.conj() @ (c.conj() if mirrored[o, q] else c) @ matrix.T / n_operation
    np.testing.assert_allclose(out, plain, atol=ROUNDING)


def test_quadratic_forms():
    rng = np.random.default_rng(2)
    pairs = hermitian(rng, 3, 5)
    wave = np.array([2, 0, 2, 1])
    vectors = rng.normal(size=(4, 2, 5)) + 1j * rng.normal(size=(4, 2, 5))
    out = np.empty(4)
    quadratic_forms(pairs, wave, vectors, out)
    plain = np.einsum("skm,smn,skn->s", vectors.conj(), pairs[wave], vectors)
    np.testing.assert_allclose(out, plain.real, atol=ROUNDING)
    assert np.abs(plain.imag).max() < ROUNDING


def test_interpolation_of_a_trilinear_function_is_exact():
    rng = np.random.default_rng(3)
    shape = (3, 4, 5)
    x, y, z = np.indices(shape)
    box = (1 + 2 * x - y + 0.5 * z + 0.3 * x * y - 0.2 * x * y * z).ravel().astype(float)
    place = rng.random((20, 2, 3)) * (np.array(shape) - 1.001)
    low = np.floor(place).astype(int)
    base = np.ravel_multi_index(tuple(np.moveaxis(low, -1, 0)), shape).astype(np.int32)
    out = np.empty(20, dtype=np.float32)
    interpolate(box, base, (place - low).astype(np.float32), np.array([20, 5, 1]), out)
    x, y, z = np.moveaxis(place, -1, 0)
    plain = (1 + 2 * x - y + 0.5 * z + 0.3 * x * y - 0.2 * x * y * z).mean(axis=1)
    np.testing.assert_allclose(out, plain, atol=2e-6)


def test_gather():
    out = np.empty(2, dtype=np.float32)
    gather(np.array([1.0, 10.0, 100.0]), np.array([[0, 1], [2, 2]], dtype=np.int32), out)
    assert out.tolist() == [5.5, 100.0]
