"""Kernels of the adjoint: each is the transpose of a forward kernel, or ten lines of numpy."""

import numpy as np
import pytest

from spinscape.kernels.adjoint import broaden_pullback, mixing_weights, smear_rows_pullback
from spinscape.kernels.spectrum import broaden_gradient, smear_rows
from spinscape.observables.resolution import smear_along_path, smear_pullback

POLYNOMIAL = np.array([0.8, 0.05])


def test_mixing_weights_follow_numpy():
    rng = np.random.default_rng(0)
    values = np.sort(rng.normal(size=(3, 6)), axis=1)
    label = np.array([[0, 0, 1], [0, 1, 2], [0, 0, 0]])
    sources = rng.normal(size=(3, 6, 3)) + 1j * rng.normal(size=(3, 6, 3))
    weights = rng.normal(size=(3, 3, 3))
    weights += weights.swapaxes(1, 2)
    by_intensity, by_shift = rng.normal(size=(2, 3, 3))
    out = np.empty((3, 3, 6), dtype=complex)
    mixing_weights(values, label, sources, weights, 0.5, by_intensity, by_shift, out)
    overlap = 0.5 * np.einsum("qna,qab,qmb->qnm", sources[:, 3:].conj(), weights, sources)
    for q, n, m in np.ndindex(3, 3, 6):
        g = 1 if m >= 3 else -1
        same = m >= 3 and label[q, m - 3] == label[q, n]
        factor = by_shift[q, n] if same else 2 * g * by_intensity[q, n] / (values[q, 3 + n] - values[q, m])
        assert out[q, n, m] == pytest.approx(factor * overlap[q, n, m], rel=1e-12)


@pytest.mark.parametrize("cap", [np.inf, 1.5])
def test_broaden_pullback_is_the_transpose(cap):
    rng = np.random.default_rng(1)
    energies = np.array([[1.0, 1.0, 4.0, 7.0], [2.0, 3.0, 3.0 + 1e-9, 30.0]])
    intensities = rng.uniform(0.2, 2.0, (2, 4))
    intensities[1, 0] = 0.0
    brighten, shift = rng.normal(size=(2, 2, 2, 4))
    shape = (1.2, 0.3, POLYNOMIAL, 1.1, cap, 1e-6, 0.0, 0.25)
    rows, cotangent = np.empty((2, 2, 40)), rng.normal(size=(2, 40))
    assert np.isnan(broaden_gradient(energies, intensities, brighten, shift, *shape, rows))
    back = np.empty((2, 2, 4))
    assert np.isnan(broaden_pullback(energies, intensities, cotangent, *shape, *back))
    np.testing.assert_allclose(
        np.einsum("qe,kqe->k", cotangent, rows),
        np.einsum("qn,kqn->k", back[0], brighten) + np.einsum("qn,kqn->k", back[1], shift),
        rtol=1e-12,
    )
    # Dark lines, and lines out of the window, have no say.
    assert not back[:, 1, [0, 3]].any()
    assert back[1].any()


def test_broaden_pullback_says_which_line_has_no_width():
    shape = (1.0, 0.0, np.array([1.0, -1.0]), 1.0, np.inf, 1e-6, 0.0, 0.25)
    back = np.empty((2, 1, 1))
    assert broaden_pullback(np.array([[2.0]]), np.ones((1, 1)), np.ones((1, 9)), *shape, *back) == 2.0


@pytest.mark.parametrize("sigma", [0.0, 0.3])
def test_smear_pullback_is_the_transpose(sigma):
    rng = np.random.default_rng(2)
    distance = np.array([0.0, 0.1, 0.4, 0.4, 0.7, 9.0])
    source = np.array([0, 1, 2, 2, 1, 3])
    rows, cotangent = rng.normal(size=(4, 5)), rng.normal(size=(6, 5))
    forward = smear_along_path(rows, distance=distance, sigma=sigma, source=source)
    back = smear_pullback(cotangent, distance=distance, sigma=sigma, source=source, n_row=4)
    assert np.sum(forward * cotangent) == pytest.approx(np.sum(rows * back), rel=1e-12)


def test_a_point_without_weight_in_reach_keeps_its_own_row():
    distance, weight, source = np.array([0.0, 5.0]), np.array([1.0, 0.0]), np.array([1, 0])
    rows, cotangent, out, back = np.random.default_rng(3).normal(size=(4, 2, 3))
    back[:] = 0.0
    smear_rows(rows, source, distance, weight, 0.1, out)
    smear_rows_pullback(cotangent, source, distance, weight, 0.1, back)
    np.testing.assert_allclose(out, rows[source])
    np.testing.assert_allclose(back, cotangent[source])
