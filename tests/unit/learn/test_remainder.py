"""What a compressor leaves: noise in closed form, structure with and without noise, against fresh truths."""

import numpy as np
import pytest

from spinscape.learn.compressor import fit_pca
from spinscape.learn.remainder import SIGNS, fit_remainder

N, V, NOISE = 300, 120, 0.1
X = np.linspace(0.0, 1.0, V)


def truths(theta, bend):
    """Return images of two patterns, and of a third one that is ``bend`` as strong and turns faster."""
    a, b = theta.T[:, :, None]
    return 3.0 + a * np.sin(3.0 * X) + b * np.cos(5.0 * X) + bend * np.sin(2.0 * a + b) * np.sin(9.0 * X)


def found(seed, *, bend=0.0, noise=NOISE, n_latent=2):
    """Return the remainder, its stated square of an image at fresh couplings, and what is left of exact images."""
    rng = np.random.default_rng(seed)
    theta, fresh = rng.uniform(-1.0, 1.0, (N, 2)), rng.uniform(-1.0, 1.0, (500, 2))
    volumes = truths(theta, bend) + noise * rng.standard_normal((N, V))
    pca = fit_pca(volumes, n_latent=n_latent)
    left = fit_remainder(theta, pca.encode(volumes), volumes, pca, np.zeros(N, np.int64), seed=1)
    exact = truths(fresh, bend)
    latent = pca.encode(exact)
    return left, np.mean(left.variance(0, latent).sum(axis=1)), exact - pca.decode(latent)


def square(images):
    return np.mean(np.sum(images**2, axis=1))


def test_noise_makes_the_components_inexact_by_a_closed_form():
    draws = [found(seed) for seed in range(6)]
    for left, _, _ in draws:
        assert len(left.rows[0]) == 0 and left.share[0] < 1e-3
        assert left.noise.sum() == pytest.approx(V * NOISE**2, rel=0.05)
    # A mean and two components from n images: 3/n of the noise.
    actual = np.mean([square(rest) for _, _, rest in draws])
    assert actual == pytest.approx(3 / N * V * NOISE**2, rel=0.15)
    assert np.mean([stated for _, stated, _ in draws]) == pytest.approx(actual, rel=0.15)


@pytest.mark.parametrize("bend", [0.1, 0.5])
def test_structure_that_is_left_is_told_without_noise(bend):
    left, stated, rest = found(1, bend=bend, noise=0.0)
    assert stated == pytest.approx(square(rest), rel=0.25)
    along = np.linalg.svd(rest, full_matrices=False)[2][0]
    assert abs(left.rows[0][0] @ along) / np.linalg.norm(left.rows[0][0]) > 0.95


@pytest.mark.parametrize("bend", [0.05, 0.1, 0.2])
def test_structure_is_told_beneath_noise(bend):
    # Noise of 150, 40 and 12 times its square.
    draws = [found(seed, bend=bend) for seed in range(6)]
    actual = np.mean([square(rest) for _, _, rest in draws])
    assert 1.4 * 3 / N * V * NOISE**2 < actual < 0.15 * V * NOISE**2
    assert np.mean([stated for _, stated, _ in draws]) == pytest.approx(actual, rel=0.2)


def test_rows_of_independent_errors():
    left, _, _ = found(3)
    rows = left.noise_rows(0.7)
    assert rows.shape == (SIGNS, V)
    np.testing.assert_allclose(np.sum(rows**2, axis=0), 0.7 * left.noise, rtol=1e-6)
    gram = rows.T @ rows / (0.7 * np.sqrt(np.outer(left.noise, left.noise)))
    off = gram[~np.eye(V, dtype=bool)]
    assert abs(off.mean()) < 4.0 / np.sqrt(SIGNS * V * (V - 1) / 2) and off.std() == pytest.approx(SIGNS**-0.5, rel=0.1)


def test_masked_voxels_and_points_of_no_phase_say_nothing():
    rng = np.random.default_rng(5)
    theta = rng.uniform(-1.0, 1.0, (60, 2))
    volumes = truths(theta, 0.0)
    pca = fit_pca(volumes, n_latent=2)
    label = np.where(np.arange(60) < 50, 0, -1)
    spoilt = np.where(label[:, None] < 0, 100.0, volumes)
    left = fit_remainder(theta, pca.encode(volumes), spoilt, pca, label, seed=1)
    assert np.sqrt(left.noise.max()) < 1e-4
