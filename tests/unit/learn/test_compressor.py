"""Compressors: PCA against the singular value decomposition, networks against noise-free truth, masks, files."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spinscape.errors import ConfigError, DataError, TrainingError
from spinscape.learn.autoencoder import AutoencoderSettings
from spinscape.learn.compressor import fit_pca
from spinscape.learn.compressor_file import load_compressor, save_compressor
from spinscape.learn.images import ArrayImages, Transform, split_points
from spinscape.learn.train_compressor import fit_autoencoder

from .controlled import error, images

LOGARITHM = Transform("log1p", 3.0)
QUICK = AutoencoderSettings(n_latent=4, n_component=32, width=64, n_epoch=80, batch_size=32, learning_rate=1e-2)


@pytest.fixture(scope="module")
def model():
    # Far from order: there a few images would hold most of the error.
    box = ((-0.6, 0.9), (-0.5, 0.7), (1 / 3, 0.6))
    _, _, train = images(1000, seed=1, box=box)
    _, truth, noisy = images(200, seed=2, box=box)
    return train, truth, noisy


@pytest.fixture(scope="module")
def trained(model):
    return fit_autoencoder(model[0], QUICK, seed=3, transform=LOGARITHM)


def test_pca_is_the_singular_value_decomposition():
    x = np.random.default_rng(0).normal(size=(200, 5)) @ np.diag([5.0, 3.0, 1.0, 0.1, 0.1])
    found = fit_pca(x, n_latent=3)
    _, s, vt = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(found.variance, s[:3] ** 2 / 199, rtol=1e-6)
    np.testing.assert_allclose(np.abs(np.sum(found.components * vt[:3], axis=1)), 1.0, rtol=1e-6)
    np.testing.assert_allclose(
        found.decode(found.encode(x)), x.mean(0) + (x - x.mean(0)) @ vt[:3].T @ vt[:3], atol=1e-5
    )


def test_pca_fits_noise_where_the_error_on_its_own_images_still_falls(model):
    train, truth, noisy = model
    own, held_out = [], []
    for d in (3, 30, 150):
        pca = fit_pca(train, n_latent=d)
        own.append(error(pca.decode(pca.encode(train)), train, train))
        held_out.append(error(pca.decode(pca.encode(noisy)), truth, train))
    assert own[0] > own[1] > own[2] and held_out[0] < held_out[1] < held_out[2]


def test_a_dense_network_beats_the_best_pca(model, trained):
    train, truth, noisy = model
    best = min(error((p := fit_pca(train, n_latent=d)).decode(p.encode(noisy)), truth, train) for d in range(2, 9))
    network, history = trained
    found = error(network.decode(network.encode(noisy)), truth, train)
    assert found < 0.5 * best and history.held_out[-1] < history.held_out[0]


def test_the_same_seed_gives_the_same_bits_and_another_gives_others(model, trained):
    again, _ = fit_autoencoder(model[0], QUICK, seed=3, transform=LOGARITHM)
    other, _ = fit_autoencoder(model[0], QUICK, seed=4, transform=LOGARITHM)
    expected = trained[0].encode(model[2])
    assert np.array_equal(again.encode(model[2]), expected) and not np.allclose(other.encode(model[2]), expected)


def test_a_training_stops_where_it_gains_no_more_and_keeps_its_best(model):
    settings = replace(QUICK, n_epoch=400, patience=4, learning_rate=3e-2, n_component=16, width=16)
    network, history = fit_autoencoder(model[0], settings, seed=3, transform=LOGARITHM)
    best = int(np.argmin(history.held_out))
    assert len(history.held_out) == best + 1 + 1 + settings.patience - 1 < 400
    # The same training told to end at its best epoch cannot be had: rates fall with the number of epochs. But the
    # network that is kept is no worse on what judged it than the last one.
    assert history.held_out[best] < history.held_out[-1] and network.n_latent == 4


def test_a_training_shows_how_far_it_is(model, capsys):
    fit_autoencoder(model[0], replace(QUICK, n_epoch=2), seed=3, transform=LOGARITHM, progress=True)
    shown = capsys.readouterr().err
    assert "dense" in shown and "2/2" in shown and "epoch" in shown
    fit_autoencoder(model[0], replace(QUICK, n_epoch=2), seed=3, transform=LOGARITHM)
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
def test_a_training_on_a_gpu_is_as_good_and_comes_back_to_the_processor(model, trained):
    train, truth, noisy = model
    found, _ = fit_autoencoder(train, QUICK, seed=3, transform=LOGARITHM, device="cuda")
    assert {weight.device.type for weight in found.network.state_dict().values()} == {"cpu"}
    here, there = (error(one.decode(one.encode(noisy)), truth, train) for one in (trained[0], found))
    assert there < 1.5 * here


def test_a_training_goes_on_from_its_checkpoint(model, trained, tmp_path, monkeypatch):
    from spinscape.learn import train_compressor

    class StoppedError(Exception):
        pass

    epoch = train_compressor._Training._one_epoch

    def stop(self, number):
        if number == 45:
            raise StoppedError
        return epoch(self, number)

    monkeypatch.setattr(train_compressor._Training, "_one_epoch", stop)
    with pytest.raises(StoppedError):
        fit_autoencoder(model[0], QUICK, seed=3, transform=LOGARITHM, checkpoint=tmp_path / "state.pt")
    seen = []
    monkeypatch.setattr(train_compressor._Training, "_one_epoch", lambda self, n: seen.append(n) or epoch(self, n))
    again, _ = fit_autoencoder(model[0], QUICK, seed=3, transform=LOGARITHM, checkpoint=tmp_path / "state.pt")
    assert seen[0] == 40 and np.array_equal(again.encode(model[2]), trained[0].encode(model[2]))


@pytest.mark.parametrize("kind", ["pca", "dense", "variational", "logistic"])
def test_files_and_slopes(kind, model, tmp_path):
    train, _, noisy = model
    if kind == "pca":
        found = fit_pca(train, n_latent=4, transform=LOGARITHM)
    else:
        front = 0 if kind == "logistic" else 16
        settings = AutoencoderSettings(kind=kind, n_latent=2, n_component=front, width=16, n_epoch=3)
        found, _ = fit_autoencoder(train, settings, seed=1, transform=LOGARITHM)
    save_compressor(tmp_path / "c.pt", found, metadata={"study": "s"})
    again, metadata = load_compressor(tmp_path / "c.pt")
    latent = found.encode(noisy[:5])
    assert metadata == {"study": "s"} and np.array_equal(again.encode(noisy[:5]), latent)
    np.testing.assert_array_equal(again.decode(latent), found.decode(latent))
    step = 1e-2 * latent.std(axis=0).max()
    for k in range(found.n_latent):
        shift = step * np.eye(found.n_latent)[k]
        expected = (found.decode(latent + shift) - found.decode(latent - shift)) / (2 * step)
        slope = found.decode_slope(latent)[:, k]
        assert np.abs(slope - expected).max() < 5e-3 * np.abs(slope).max()


def test_masked_voxels_are_not_looked_at(model, trained):
    train, truth, noisy = model
    network = trained[0]
    valid = np.ones(576, dtype=bool)
    valid[100:250] = False
    wild = np.where(valid, noisy, np.nan)
    latent = network.encode(wild, valid)
    assert np.array_equal(latent, network.encode(np.where(valid, noisy, 1e30), valid))
    masked = error(network.decode(latent), truth, train)
    zeros = error(network.decode(network.encode(np.where(valid, noisy, 0.0))), truth, train)
    assert masked < 3.0 * error(network.decode(network.encode(noisy)), truth, train) < zeros


@pytest.fixture(scope="module")
def unsure(model):
    """A variational network that is told the noise that there is: 0.164 a voxel after the transform."""
    train, truth, noisy = model
    noise = float(np.std(LOGARITHM.forward(noisy) - LOGARITHM.forward(truth)))
    settings = AutoencoderSettings(
        kind="variational", n_latent=3, n_component=24, width=48, n_epoch=60, input_noise=noise
    )
    return fit_autoencoder(train, settings, seed=3, transform=LOGARITHM)[0]


def test_the_variational_one_knows_what_it_does_not_know(model, unsure):
    mean, std = unsure.encode_with_std(model[2])
    assert mean.shape == std.shape == (200, 3) and np.all(std > 0) and np.median(std) < 0.5 * mean.std()
    assert np.array_equal(mean, unsure.encode(model[2]))


MASKS = {
    "none": np.ones(576, bool),
    "a quarter": np.arange(576) >= 144,
    "half": np.random.default_rng(0).random(576) > 0.5,
    "three quarters": np.arange(576) >= 432,
    "nine tenths": np.random.default_rng(0).random(576) > 0.9,
}


def test_errors_of_latent_numbers_grow_with_what_is_missing_and_are_right(model, unsure):
    _, truth, noisy = model
    exact, sizes = unsure.encode(truth), []
    for name, valid in MASKS.items():
        mean, std = unsure.encode_with_std(noisy, valid)
        pull = (mean - exact) / std
        # Root mean square over 200 images, one for each latent number; the network alone has 3.8, 2.1 and 2.9 at last.
        assert np.all(np.abs(np.sqrt(np.mean(pull**2, axis=0)) - 1.0) < 0.3), name
        sizes.append(np.median(std, axis=0))
    assert np.all(np.diff(sizes, axis=0) > 0)
    assert np.all(sizes[-1] > 2.0 * sizes[0])


def test_errors_of_masked_images_are_those_of_each_image(model, unsure):
    """A mask for each image gives what one mask for all does; more voxels are never worse."""
    noisy = model[2][:4]
    masks = np.array([MASKS[name] for name in ("none", "a quarter", "half", "nine tenths")])
    mean, std = unsure.encode_with_std(noisy, masks)
    for k, valid in enumerate(masks):
        one = unsure.encode_with_std(noisy[k : k + 1], valid)
        np.testing.assert_allclose(mean[k], one[0][0], atol=1e-5)
        np.testing.assert_allclose(std[k], one[1][0], rtol=1e-5)
    # With a mask, of which no voxel is missing, components are the most probable ones, a little nearer to the mean.
    np.testing.assert_allclose(std[0], unsure.encode_with_std(noisy[:1])[1][0], rtol=0.03)
    less = masks.copy()
    less[:, ::3] = False
    assert np.all(unsure.front.covariance(less[1], noise=0.02).diagonal() > 0)
    assert np.all(unsure.encode_with_std(noisy, less)[1][0] > std[0])


def test_the_covariance_of_components_is_that_of_the_normal_equations(unsure):
    """By the covariance of what is seen: Λ − Λ V (Vᵀ Λ V + σ²)⁻¹ Vᵀ Λ."""
    front, valid, noise = unsure.front, MASKS["half"], 0.03
    part, prior = front.components[:, valid], np.diag(front.variance)
    gain = prior @ part @ np.linalg.inv(part.T @ prior @ part + noise * np.eye(valid.sum()))
    np.testing.assert_allclose(front.covariance(valid, noise=noise), prior - gain @ part.T @ prior, atol=1e-8)


def test_a_variational_network_of_voxels_is_less_sure_of_masked_images(model):
    settings = AutoencoderSettings(kind="variational", n_latent=2, n_component=0, width=24, n_epoch=5)
    network, _ = fit_autoencoder(model[0][:200], settings, seed=3, transform=LOGARITHM)
    half = network.encode_with_std(model[2][:20], MASKS["half"])[1]
    filled = network.encode_with_std(np.where(MASKS["half"], model[2][:20], network.typical_image()))[1]
    assert np.all(half > filled)


def test_augmented_images_teach_to_ignore_artefacts(model):
    train, truth, noisy = model
    pattern = np.zeros(576)
    pattern[::7] = 3.0 * truth.mean()

    def spoil(values, generator):
        return values + pattern * generator.uniform(0, 1, (len(values), 1)), None

    settings = AutoencoderSettings(n_latent=3, n_component=40, width=48, n_epoch=60)
    plain, _ = fit_autoencoder(train, settings, seed=3, transform=LOGARITHM)
    taught, _ = fit_autoencoder(train, settings, seed=3, transform=LOGARITHM, augment=spoil)
    bad = noisy + 0.7 * pattern
    assert error(taught.decode(taught.encode(bad)), truth, train) < 0.3 * error(
        plain.decode(plain.encode(bad)), truth, train
    )


@pytest.mark.parametrize(
    "change, fault",
    [
        ({"n_latent": 600}, ConfigError),
        ({"kind": "convolution"}, ConfigError),
        ({"learning_rate": 0.0}, ConfigError),
    ],
)
def test_bad_settings_are_refused(change, fault, model):
    with pytest.raises(fault):
        fit_autoencoder(model[0], AutoencoderSettings(**change), seed=1)


def test_bad_images_are_refused():
    with pytest.raises(DataError, match="fewer images"):
        fit_pca(np.random.default_rng(0).normal(size=(4, 9)), n_latent=5)
    with pytest.raises(DataError, match="not finite"):
        fit_pca(np.full((9, 4), np.nan), n_latent=2)
    with pytest.raises(DataError, match="the same"):
        fit_pca(np.ones((9, 4)), n_latent=2)
    with pytest.raises(DataError, match="the same"):
        fit_autoencoder(np.ones((50, 4)), AutoencoderSettings(n_latent=1, n_component=0), seed=1)
    with pytest.raises(DataError, match="whole images"):
        fit_pca(ArrayImages(np.eye(9), np.eye(9) == 0), n_latent=2)
    pca = fit_pca(np.random.default_rng(0).normal(size=(9, 4)), n_latent=2)
    with pytest.raises(DataError, match="any measured"):
        pca.encode(np.ones((1, 4)), np.zeros(4, bool))


def test_foreign_files_are_refused(tmp_path):
    (tmp_path / "c.pt").write_bytes(b"no")
    with pytest.raises(TrainingError):
        load_compressor(tmp_path / "c.pt")


@pytest.mark.parametrize("transform", [Transform(), LOGARITHM, Transform("standardised", noise=2.0)])
def test_transforms_have_inverses_and_slopes(transform):
    x = np.array([0.0, 0.5, 3.0])
    seen = transform.forward(x)
    np.testing.assert_allclose(transform.inverse(seen), x, atol=1e-14)
    step = (transform.inverse(seen + 1e-6) - transform.inverse(seen - 1e-6)) / 2e-6
    np.testing.assert_allclose(transform.slope(seen), step, rtol=1e-6)
    with pytest.raises(ConfigError):
        Transform("square root")


def test_a_point_stays_on_its_side_of_the_split():
    names = [f"{k:x}" for k in range(500)]
    train, test = split_points(names, seed=4, held_out=0.25)
    more_train, _ = split_points(names[100:], seed=4, held_out=0.25)
    assert {names[k] for k in train} >= {names[100 + k] for k in more_train} and 80 < len(test) < 170
