"""Fits of diffuse scattering through Monte Carlo: what the calibration is made of, and a small one."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom


@pytest.fixture
def calibration():
    file = Path(__file__).parents[2] / "benchmarks" / "calibration_diffuse.py"
    spec = importlib.util.spec_from_file_location("benchmark_calibration_diffuse", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_images_are_those_of_spins_of_one_length_and_of_their_key_alone(calibration):
    sampler, theta = calibration.Sampler(), np.array([1.0, 0.1, 0.1])
    one, again, other = (sampler.image(theta, 1500, "test", k) for k in (1, 1, 2))
    assert np.array_equal(one, again) and not np.array_equal(one, other)
    # The mean over the zone is |S|²; the point group is that of the square.
    assert one.mean() == pytest.approx(1.0, abs=1e-9)
    square = one.reshape(16, 16)
    assert np.allclose(square, square.T) and np.allclose(square[1:], square[:0:-1])
    near = sampler.gaussian.predict_structure_factor(theta, 1.0 / (calibration.K_B * calibration.BETA), sampler.view)
    # 1 % noise of each, and what the approximation is off by.
    assert np.std(one / near - 1.0) < 0.05


def test_the_bound_is_that_of_the_counts(calibration):
    """Four times the counts are half the error; less of the zone is more."""
    sampler, truth = calibration.Sampler(), calibration.drawn(0)
    image = sampler.gaussian.predict_structure_factor(
        truth["theta"], 1.0 / (calibration.K_B * calibration.BETA), sampler.view
    )
    bounds = []
    for counts in (1e5, 4e5):
        measured, expected = calibration.experiment(0, {**truth, "counts": counts}, image)
        assert expected.sum() == pytest.approx(counts)
        bounds.append(sampler.bound({**truth, "counts": counts}, expected, measured.valid))
    assert np.array(bounds[0]) == pytest.approx(2.0 * np.array(bounds[1]))
    everywhere = sampler.bound(truth | {"counts": 4e5}, expected, np.ones_like(measured.valid))
    assert np.all(np.array(everywhere) < bounds[1])


@pytest.mark.parametrize("level", [0.68, 0.95])
def test_the_band_holds_its_share_of_counts(calibration, level):
    low, high = calibration.band(100, level)
    assert binom.cdf(high, 100, level) - binom.cdf(low - 1, 100, level) >= 0.99
    assert binom.cdf(low - 1, 100, level) <= 0.005 and binom.sf(high, 100, level) <= 0.005


@pytest.mark.slow
def test_intervals_hold_the_truth_with_the_generators_error(calibration, tmp_path):
    """Twenty experiments in place of a hundred; one in 10,000 correct programs would fail."""
    calibration.N_HELD, calibration.LONG = 8, 6000
    calibration.run(tmp_path, 20)
    rows = calibration.rows_of(tmp_path / "experiments.jsonl")
    assert len(rows) == 20 and all(r["converged"] for r in rows)
    for level in calibration.LEVELS:
        low, high = calibration.band(20, level, inside=0.9999)
        found = calibration.covered(rows, "std", level)
        assert np.all((found >= low) & (found <= high))
    width = np.mean([np.divide(r["std"], r["bound"]) for r in rows], axis=0)
    assert np.all((width > 0.9) & (width < 2.5))
