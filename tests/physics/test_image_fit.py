"""Twelve couplings from one noisy image by exact gradients: the benchmark as a test."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest


@pytest.mark.slow
def test_twelve_couplings_come_back_within_three_errors():
    file = Path(__file__).parents[2] / "benchmarks" / "image_fit.py"
    spec = importlib.util.spec_from_file_location("image_fit", file)
    image_fit = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(image_fit)
    search, best, covariance, _, problem = image_fit.fit(seed=1, n_start=2)
    truth = np.array(list(image_fit.TRUTH.values()))
    assert len(truth) == 12 and problem.objective.pixels[0].shape == (200, 100)
    pulls = (best - truth) / covariance.std
    # Parameters of a shell are correlated at 0.9 and more: they leave the truth together.
    assert np.abs(pulls).max() < 3.0
    chi2 = problem.objective.quality(problem.forward.predict(best))["chi2_per_dof"]
    assert abs(chi2 - 1.0) < 4.0 * np.sqrt(2.0 / 20_000)
    assert search.best.n_start >= 1
