"""The generator: predictions against truth, their stated errors, derivatives, and couplings that it has not seen."""

from dataclasses import replace

import numpy as np
import pytest

from spinscape.errors import DataError
from spinscape.learn.autoencoder import AutoencoderSettings
from spinscape.learn.compressor import fit_pca
from spinscape.learn.generator import fit_generator
from spinscape.learn.images import Transform
from spinscape.learn.train_compressor import fit_autoencoder

from .controlled import error, images

LOGARITHM = Transform("log1p")
BOX = ((-0.6, 0.9), (-0.5, 0.7), (1 / 3, 0.6))
NAMES = ("J2", "J3", "beta")


@pytest.fixture(scope="module")
def data():
    return images(900, seed=1, box=BOX), images(150, seed=2, box=((-0.5, 0.8), (-0.4, 0.6), (0.35, 0.58)))


@pytest.fixture(scope="module")
def generator(data):
    (theta, _, train), _ = data
    settings = AutoencoderSettings(n_latent=4, n_component=32, width=64, n_epoch=80, batch_size=32, learning_rate=1e-2)
    network, _ = fit_autoencoder(train, settings, seed=3, transform=LOGARITHM)
    return fit_generator(theta, network.encode(train), network, seed=3, parameter_names=NAMES, images=train)


def test_it_is_nearer_to_the_truth_than_the_mean_of_four_runs(data, generator):
    (_, _, train), (theta, truth, _) = data
    rng = np.random.default_rng(9)
    runs = truth * rng.gamma(20.0, 1 / 20.0, (4, *truth.shape))
    assert error(generator.predict(theta), truth, train) < 0.5 * error(runs.mean(axis=0), truth, train)


def test_smooth_images_are_of_one_phase(generator):
    assert generator.n_phase == 1 and generator.gate is None


def test_its_latent_errors_are_of_the_right_size(data, generator):
    _, (theta, truth, _) = data
    mean, std = generator.latent(theta)
    # The compressor's own latent numbers of noise-free images stand for the truth.
    pull = (mean - generator.compressor.encode(truth)) / std
    assert 0.5 < np.sqrt(np.median(pull**2) / 0.455) < 3.0


def pulls(made, truth, theta):
    image, std = made.predict_with_std(theta)
    error = (image - truth) ** 2
    return np.mean(error <= 4.0 * std**2), np.mean(error.sum(axis=1) / np.sum(std**2, axis=1))


@pytest.mark.parametrize("n_latent", [2, 4])
def test_stated_errors_of_components_are_of_the_right_size(data, n_latent):
    (theta, _, train), (at, truth, _) = data
    pca = fit_pca(train, n_latent=n_latent)
    made = fit_generator(theta, pca.encode(train), pca, seed=3, parameter_names=NAMES, images=train, experts="one")
    within, pull = pulls(made, truth, at)
    assert within > 0.9 and 0.5 < pull < 2.0
    # What components leave is most of it.
    assert pulls(replace(made, remainder=None), truth, at)[1] > 5.0


def test_stated_errors_of_a_network_are_nearly_so(data, generator):
    # Its decoder has more to learn than a regression on four numbers: noise costs it more than is stated.
    within, pull = pulls(generator, data[1][1], data[1][0])
    assert within > 0.8 and 0.5 < pull < 2.5
    assert pulls(replace(generator, remainder=None), data[1][1], data[1][0])[1] > 10.0


def test_derivatives_by_the_couplings(data, generator):
    theta = data[1][0][:3]
    slope = generator.gradient(theta)
    for k in range(3):
        # Single precision in the network: steps that are not too small.
        step = 2e-3 * np.eye(3)[k]
        expected = (generator.predict(theta + step) - generator.predict(theta - step)) / 4e-3
        assert np.abs(slope[:, k] - expected).max() < 1e-2 * np.abs(slope[:, k]).max()


def test_an_exact_linear_compressor_gives_exact_slopes():
    rng = np.random.default_rng(0)
    theta = rng.uniform(size=(80, 2))
    volumes = np.column_stack([np.sin(3 * theta[:, 0]), theta[:, 1] ** 2, theta.sum(axis=1)]) @ rng.normal(size=(3, 20))
    pca = fit_pca(volumes, n_latent=3)
    made = fit_generator(theta, pca.encode(volumes), pca, seed=1, parameter_names=("a", "b"))
    at = np.array([[0.4, 0.5], [0.6, 0.2]])
    volume, std = made.predict_with_std(at)
    truth = np.column_stack([np.sin(3 * at[:, 0]), at[:, 1] ** 2, at.sum(axis=1)])
    assert np.abs(volume - truth @ np.linalg.lstsq(_basis(theta), volumes, rcond=None)[0]).max() < 2e-2
    assert np.all(std >= 0) and std.max() < 0.05
    step = 1e-3 * np.array([1.0, 0.0])
    expected = (made.predict(at + step) - made.predict(at - step)) / 2e-3
    np.testing.assert_allclose(made.gradient(at)[:, 0], expected, atol=1e-4)


def _basis(theta):
    return np.column_stack([np.sin(3 * theta[:, 0]), theta[:, 1] ** 2, theta.sum(axis=1)])


def test_unknown_couplings_are_refused(generator):
    with pytest.raises(DataError, match="outside"):
        generator.predict([[2.0, 0.0, 0.4]])
    with pytest.raises(DataError, match="too few"):
        fit_generator(np.zeros((3, 2)), np.zeros((3, 1)), None, seed=1, parameter_names=("a", "b"))
