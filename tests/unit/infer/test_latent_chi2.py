"""χ² in latent numbers: its metric is that of the data's noise, its derivatives those of the encoder."""

import numpy as np
import pytest

from spinscape.errors import FitError, ShapeError
from spinscape.infer.box import Box
from spinscape.infer.gauss_newton import gauss_newton
from spinscape.infer.generator_forward import generator_forward
from spinscape.infer.latent_chi2 import latent_chi2
from spinscape.infer.problem import Problem
from spinscape.learn.compressor import fit_pca
from spinscape.learn.images import Transform

from .test_generator_forward import Hills
from .test_robust_tiled import N, hills, measured, plane

BOX = Box.from_intervals({"x": (0.2, 1.8), "y": (0.2, 1.8)})
TRUTH = np.array([0.7, 1.2])


@pytest.fixture(scope="module")
def compressor():
    rng = np.random.default_rng(1)
    images = np.array([hills(BOX.from_unit(u)) for u in rng.random((150, 2))])
    return fit_pca(images, n_latent=6, transform=Transform("log1p"))


def noisy(seed, scale=1.0):
    rng = np.random.default_rng(seed)
    return measured(scale * (hills(TRUTH) + 0.05 * rng.standard_normal(N * N)), std=0.05 * scale)


def problem(compressor, data, **how):
    forward = generator_forward(Hills(), [data], voxels=[(plane(), 0)])
    return Problem(forward, latent_chi2([data], compressor=compressor, **how))


def test_at_the_truth_it_is_chi2_of_as_many_numbers(compressor):
    values = [problem(compressor, noisy(seed))(TRUTH) for seed in range(60)]
    # C comes from 96 copies: without the correction 1.08 in the mean.
    assert np.mean(values) / 6.0 == pytest.approx(1.0, abs=4 * np.sqrt(2.0 / 6 / 60))


def test_the_metric_is_the_inverse_of_the_noises_covariance(compressor):
    """Of a linear encoder it is known: C = σ² V Vᵀ = σ², as the components are orthonormal."""
    linear = fit_pca(np.array([hills(BOX.from_unit(u)) for u in np.random.default_rng(1).random((150, 2))]), n_latent=6)
    traces = []
    for seed in range(30):
        whiten = latent_chi2([noisy(seed)], compressor=linear, seed=seed).whiten
        traces.append(np.trace(whiten.T @ whiten) * 0.05**2 / 6)
    # An eigenvalue of the inverse scatters by √(2/96); the correction is 8 %.
    assert np.mean(traces) == pytest.approx(1.0, abs=4 * np.std(traces) / np.sqrt(30))
    assert np.std(traces) / np.sqrt(30) < 0.015


def test_its_derivative_is_the_encoders(compressor):
    one, here = problem(compressor, noisy(1)), np.array([0.75, 1.1])
    predictions, jacobians = one.linearise(here, BOX)
    gradient, matrix = one.objective.normal_equations(predictions, jacobians)
    steps = 1e-4 * np.eye(2)
    assert gradient == pytest.approx([(one(here + s) - one(here - s)) / 2e-4 for s in steps], rel=1e-3)
    assert np.linalg.eigvalsh(matrix)[0] > 0


def test_the_fit_finds_the_couplings_within_its_errors(compressor):
    pulls = []
    for seed in range(8):
        one = problem(compressor, noisy(seed))
        best = gauss_newton(one, np.array([0.8, 1.1]), box=BOX).parameters
        predictions, jacobians = one.linearise(best, BOX)
        matrix = one.objective.normal_equations(predictions, jacobians)[1]
        covariance = one.objective.covariance(predictions, jacobians, matrix)
        pulls.append((best - TRUTH) / np.sqrt(np.diag(covariance)))
    assert np.sqrt(np.mean(np.square(pulls))) < 1.8


def test_the_data_are_brought_to_the_unit_of_the_simulations(compressor):
    scaled, plain = problem(compressor, noisy(1, scale=7.0), scale=7.0), problem(compressor, noisy(1))
    assert scaled.objective.latent == pytest.approx(plain.objective.latent)
    assert scaled(TRUTH) < 0.1 * problem(compressor, noisy(1, scale=7.0))(TRUTH)


def test_masked_pixels_are_never_read(compressor):
    data = hills(TRUTH)
    valid = np.ones(N * N, bool)
    valid[30:50] = False
    values = [
        latent_chi2([measured(np.where(valid, data, x), valid=valid, std=0.05)], compressor=compressor)
        for x in (0.0, 1e6)
    ]
    assert values[0].latent == pytest.approx(values[1].latent)


def test_what_it_cannot_do_is_said(compressor):
    with pytest.raises(ShapeError, match="bin by bin"):
        latent_chi2([measured(hills(TRUTH, 10), std=0.1)], compressor=compressor)
    with pytest.raises(FitError, match="no derivative by single pixels"):
        problem(compressor, noisy(1)).objective.derivative((hills(TRUTH)[:, None],))
