"""Broadening, its derivative and the smear against short numpy references."""

import numpy as np
import pytest

from spinscape.kernels.spectrum import broaden, broaden_gradient, group_end, mode_intensities, smear_rows
from spinscape.units import FWHM_PER_SIGMA

# The recurrence loses a rounding error for each bin; the reach cuts at 1e-14 of a peak.
TOL = 1e-11
AXIS = np.linspace(0.0, 30.0, 61)
FIRST, STEP = 0.0, 0.5
POLYNOMIAL = np.array([2.0, -0.03, 0.001])
SMOOTH = {"factor": 1.1, "offset": 0.3, "width_factor": 0.9, "cap": np.inf, "tolerance": 1e-6}


def lines(seed, n_q=7, n_mode=4):
    rng = np.random.default_rng(seed)
    return np.sort(rng.uniform(1.0, 28.0, (n_q, n_mode)), axis=1), rng.uniform(0.1, 3.0, (n_q, n_mode))


def run(energies, intensities, *, factor, offset, width_factor, cap, tolerance):
    out = np.full((len(energies), len(AXIS)), np.nan)
    how = (factor, offset, POLYNOMIAL, width_factor, cap, tolerance, FIRST, STEP)
    assert np.isnan(broaden(energies, intensities, *how, out))
    return out


def reference(energies, intensities, *, factor, offset, width_factor):
    energy = factor * energies
    sigma = width_factor * np.polynomial.polynomial.polyval(energy, POLYNOMIAL) / FWHM_PER_SIGMA
    x = (AXIS - energy[..., None] - offset) / sigma[..., None]
    profile = np.exp(-0.5 * x**2) / (np.sqrt(2 * np.pi) * sigma[..., None])
    return np.sum(intensities[..., None] * profile, axis=1)


def test_broaden_is_a_sum_of_gaussians():
    energies, intensities = lines(1)
    expected = reference(energies, intensities, factor=1.1, offset=0.3, width_factor=0.9)
    np.testing.assert_allclose(run(energies, intensities, **SMOOTH), expected, atol=TOL)


def test_a_line_keeps_its_area():
    out = run(np.array([[15.0]]), np.array([[2.5]]), **{**SMOOTH, "factor": 1.0, "offset": 0.0})
    assert out.sum() * STEP == pytest.approx(2.5, rel=1e-9)


def test_lines_outside_of_the_axis_leave_only_their_tails():
    energies, intensities = np.array([[33.0], [45.0]]), np.ones((2, 1))
    how = {"factor": 1.0, "offset": 0.0, "width_factor": 1.0}
    out = run(energies, intensities, **{**SMOOTH, **how})
    np.testing.assert_allclose(out[:1], reference(energies[:1], intensities[:1], **how), atol=TOL)
    assert out[0].max() > 0
    assert not np.any(out[1])


def test_the_cap_holds_for_the_sum_over_a_degenerate_group():
    how = {**SMOOTH, "factor": 1.0, "offset": 0.0, "cap": 3.0}
    together = run(np.array([[10.0, 10.0]]), np.array([[2.0, 4.0]]), **how)
    apart = run(np.array([[10.0, 12.0]]), np.array([[2.0, 4.0]]), **how)
    assert together.sum() * STEP == pytest.approx(3.0, rel=1e-9)
    assert apart.sum() * STEP == pytest.approx(5.0, rel=1e-9)


def test_groups_chain_and_zero_modes_are_one():
    energies = np.array([0.0, 0.0, 1.0, 1.0 + 1e-7, 1.0 + 2e-7, 2.0])
    ends = [group_end(energies, start, 1e-7) for start in (0, 2, 5)]
    assert ends == [2, 5, 6]
    assert group_end(np.zeros(2), 0, 1e-7) == 2


def test_a_width_that_is_not_positive_is_reported_with_its_energy():
    out = np.empty((1, len(AXIS)))
    how = (1.0, 0.0, np.array([1.0, -0.1]), 1.0, np.inf, 1e-6, FIRST, STEP)
    assert broaden(np.array([[20.0]]), np.ones((1, 1)), *how, out) == 20.0
    gradient = np.empty((1, 1, len(AXIS)))
    one = np.ones((1, 1, 1))
    assert broaden_gradient(np.array([[20.0]]), np.ones((1, 1)), one, one, *how, gradient) == 20.0


@pytest.mark.parametrize("cap", [np.inf, 1.5])
def test_gradient_follows_differences(cap):
    energies, intensities = lines(2)
    rng = np.random.default_rng(3)
    faster, brighter = rng.normal(size=(2, *energies.shape))
    how = {**SMOOTH, "cap": cap}
    step = 1e-3

    def at(t):
        return run(energies + t * faster, intensities + t * brighter, **how)

    expected = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step)
    out = np.empty((1, len(energies), len(AXIS)))
    shape = (how["factor"], how["offset"], POLYNOMIAL, how["width_factor"], cap, how["tolerance"], FIRST, STEP)
    broaden_gradient(energies, intensities, brighter[None], (intensities * faster)[None], *shape, out)
    np.testing.assert_allclose(out[0], expected, atol=1e-9)


def test_mode_intensities():
    rng = np.random.default_rng(4)
    amplitudes = rng.normal(size=(3, 2, 3)) + 1j * rng.normal(size=(3, 2, 3))
    weights = rng.normal(size=(3, 3, 3))
    weights += weights.swapaxes(1, 2)
    out = np.empty((3, 2))
    mode_intensities(amplitudes, weights, 0.5, out)
    expected = 0.5 * np.einsum("qna,qab,qnb->qn", amplitudes.conj(), weights, amplitudes).real
    np.testing.assert_allclose(out, expected, rtol=1e-13)


def test_smear_rows_is_a_matrix_of_weights():
    rng = np.random.default_rng(5)
    distance, weight = np.sort(rng.uniform(0, 4, 30)), rng.uniform(0.1, 1.0, 30)
    rows, source = rng.normal(size=(12, 5)), rng.integers(0, 12, 30)
    out = np.empty((30, 5))
    smear_rows(rows, source, distance, weight, 0.2, out)
    matrix = np.exp(-0.5 * ((distance[:, None] - distance) / 0.2) ** 2) * weight
    np.testing.assert_allclose(out, matrix @ rows[source] / matrix.sum(axis=1, keepdims=True), atol=1e-12)


def test_a_point_without_weight_in_reach_keeps_its_row():
    rows, out = np.arange(4.0).reshape(2, 2), np.empty((2, 2))
    smear_rows(rows, np.arange(2), np.array([0.0, 9.0]), np.array([0.0, 1.0]), 0.1, out)
    np.testing.assert_array_equal(out, rows)
