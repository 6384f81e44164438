"""Compression of a model with exact truth: networks against principal components, on images with 22 % noise."""

import numpy as np
import pytest

from spinscape.learn.autoencoder import AutoencoderSettings
from spinscape.learn.compressor import fit_pca
from spinscape.learn.images import Transform
from spinscape.learn.train_compressor import fit_autoencoder

from ..unit.learn.controlled import error, structure_factor

ASKED = 0.010


def grid_images(seed):
    """The 8,100 points of the grid: 2,000 noisy images to learn from, 1,000 others with their truth."""
    axes = np.linspace(-0.6, 0.9, 30), np.linspace(-0.5, 0.7, 30), np.linspace(1 / 3, 1 / 1.2, 9)
    theta = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    rng = np.random.default_rng(seed)
    chosen = theta[rng.permutation(len(theta))[:3000]]
    truth = np.array([structure_factor(*row) for row in chosen])
    noisy = truth * rng.gamma(20.0, 1.0 / 20.0, truth.shape)
    return noisy[:2000], truth[2000:], noisy[2000:]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_four_numbers_hold_an_image_better_than_any_number_of_components(seed):
    train, truth, noisy = grid_images(seed)
    network, _ = fit_autoencoder(train, AutoencoderSettings(), seed=seed, transform=Transform("log1p", 1.0))
    found = error(network.decode(network.encode(noisy)), truth, train)
    pca = [error((p := fit_pca(train, n_latent=d)).decode(p.encode(noisy)), truth, train) for d in (2, 3, 4, 8, 20)]
    assert found <= ASKED and found < 0.4 * min(pca)
