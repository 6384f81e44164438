"""Artefacts to learn from: where they fall, what they leave alone, and an encoder that learns to see through them."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from spinscape.errors import ConfigError, ShapeError
from spinscape.lattice.qspace import QPath
from spinscape.lattice.volumes import QGrid
from spinscape.learn.augment import Artefacts, AugmentSettings, Momenta, momenta_from_store
from spinscape.learn.compression import Method, Trainer
from spinscape.learn.compressor_file import load_compressor, save_compressor
from spinscape.learn.images import Transform
from spinscape.observables.diffuse_template import signal_layout
from spinscape.rng import stream

from .controlled import N_Q, error, images

NONE = {"rings": 0.0, "bragg": 0.0, "background": 0.0, "hot": 0.0, "missing": 0.0}
X, Y = np.meshgrid(*[2.0 * np.arange(N_Q) / N_Q] * 2, indexing="ij")
HKL = np.column_stack([X.ravel(), Y.ravel(), np.zeros(N_Q**2)])
WHERE = Momenta(HKL, np.linalg.norm(HKL, axis=1))


def draw(**settings):
    made = Artefacts(WHERE, AugmentSettings(**{**NONE, "n_pattern": 32, **settings}), seed=3)
    return made(np.ones((200, N_Q**2)), stream(4, "artefact"))


def test_without_any_level_nothing_happens():
    values, valid = draw()
    assert valid is None and values.dtype == np.float32 and np.array_equal(values, np.ones((200, N_Q**2)))


@pytest.mark.parametrize("kind", ["rings", "bragg", "background", "hot"])
def test_each_kind_adds_and_spares_a_share(kind):
    values, valid = draw(**{kind: 2.0, "share": 0.7})
    touched = np.any(values != 1.0, axis=1)
    assert valid is None and values.min() >= 1.0
    # Of 200 images 70 %, four standard deviations; a pattern of hot voxels may be empty.
    assert touched.sum() <= 140 + 4 * np.sqrt(42) and touched.sum() >= 0.8 * (140 - 4 * np.sqrt(42))


def test_bragg_peaks_fall_on_lattice_points_and_rings_on_circles():
    values, _ = draw(bragg=2.0, share=1.0)
    near = np.all(np.abs(HKL - np.round(HKL)) < 0.3, axis=1)
    assert np.all(values[:, ~near] < 1.01) and values[:, near].max() > 5.0
    values, _ = draw(rings=2.0, share=1.0)
    for radius in np.unique(WHERE.modulus.round(9)):
        here = np.abs(WHERE.modulus - radius) < 1e-9
        assert np.ptp(values[:, here], axis=1).max() < 1e-5


def test_rings_lie_where_those_of_a_sample_holder_are_known_to():
    """Of one radius and one width all rings have one shape, whatever else is drawn."""
    values, _ = draw(rings=2.0, share=1.0, ring_radius=(1.2, 1.2), ring_width=(0.2, 0.2))
    shape = np.exp(-0.5 * ((WHERE.modulus - 1.2) / 0.2) ** 2)
    added = values - 1.0
    size = added @ shape / (shape @ shape)
    assert np.abs(added - size[:, None] * shape).max() < 1e-4 * size.max() and np.ptp(size) > 1.0
    values, _ = draw(rings=2.0, share=1.0, ring_radius=(1.0, 1.4), ring_width=(0.01, 0.05))
    # Five of the largest deviations away there is nothing, between the radii there is.
    far = (WHERE.modulus < 1.0 - 0.25) | (WHERE.modulus > 1.4 + 0.25)
    assert np.all(values[:, far] < 1.0 + 1e-3) and values[:, ~far].max() > 2.0


def test_missing_voxels_are_masked_and_hold_nothing():
    values, valid = draw(missing=1.0)
    assert valid.shape == values.shape and not values[~valid].any() and np.all(values[valid] == 1.0)
    lost = 1.0 - valid.mean(axis=1)
    assert np.all(lost < 0.9) and 0.03 < np.median(lost) < 0.5 and draw(missing=0.0)[1] is None


def test_scales_are_even_on_a_logarithm():
    values, _ = draw(scale=2.0)
    factor = np.log2(values[:, 0])
    assert np.ptp(values, axis=1).max() == 0.0 and abs(factor.mean()) < 4 * np.sqrt(1 / 3 / 200)
    assert -1 <= factor.min() < -0.9 and 0.9 < factor.max() <= 1


def test_equal_seeds_give_equal_artefacts_and_keys():
    first, second = (Artefacts(WHERE, AugmentSettings(n_pattern=8), seed=s) for s in (3, 3))
    other = Artefacts(WHERE, AugmentSettings(n_pattern=8), seed=4)
    one, two, three = (made(np.ones((9, N_Q**2)), stream(1, "artefact"))[0] for made in (first, second, other))
    assert np.array_equal(one, two) and not np.array_equal(one, three)
    assert first.key == second.key != other.key


def template(where, extra=()):
    dims, shape, coords = signal_layout(where)
    plain = {name: {"dims": list(d), "values": np.asarray(v).tolist(), "unit": u} for name, (d, v, u) in coords.items()}
    return {"dims": [*extra, *dims], "shape": [*[2] * len(extra), *shape], "coords": plain}


def test_where_the_voxels_of_a_store_lie():
    grid = QGrid("hhl", np.array([0.0, 0, 1]), np.array([[1.0, 1, 0], [0, 0, 1], [1, -1, 0]]),
                 (np.linspace(-1, 1, 4), np.linspace(0, 2, 6), np.array([-0.1, 0.1])))  # fmt: skip
    path = QPath("line", np.array([[0.0, 0, 0], [0.5, 0, 0]]), np.zeros(2), np.array([0.0, 1.0]))
    store = SimpleNamespace(template={"a": template(grid, ["temperature"]), "b": template(path), "c": {"coords": {}}})
    found = momenta_from_store(store, ["a", "b"], 2 * np.eye(3))
    np.testing.assert_allclose(found.hkl, np.concatenate([grid.points, grid.points, path.points]), atol=1e-12)
    np.testing.assert_allclose(found.modulus, 2 * np.linalg.norm(found.hkl, axis=1))
    assert momenta_from_store(store, ["a", "c"], np.eye(3)) is None
    plane = momenta_from_store(store, ["a"], np.eye(3))
    assert (
        plane.spanned.shape[1] == 2
        and found.spanned.shape[1] == 3
        and Momenta(path.points, [0.0, 1.0]).spanned.shape[1] == 1
    )


@pytest.fixture(scope="module")
def model():
    box = ((-0.6, 0.9), (-0.5, 0.7), (1 / 3, 0.6))
    return images(500, seed=1, box=box)[2], *images(150, seed=2, box=box)[1:]


@pytest.fixture(scope="module")
def trainer(model):
    return Trainer(model[0], where=WHERE)


QUICK = {"n_component": 32, "width": 48, "n_epoch": 50, "input_noise": 0.1}
TAUGHT = Method("taught", "dense", (4,), Transform("log1p"), QUICK, AugmentSettings(n_pattern=128))
PLAIN = Method("plain", "dense", (4,), Transform("log1p"), QUICK)


@pytest.fixture(scope="module")
def taught(trainer):
    return trainer.trained(TAUGHT, 4, 5)


def test_an_encoder_learns_to_see_through_artefacts(model, trainer, taught):
    train, truth, noisy = model
    plain = trainer.trained(PLAIN, 4, 5)
    # Patterns that it has not learnt from.
    settings = AugmentSettings(rings=1.0, bragg=1.0, background=1.0, hot=1.0, missing=1.0, share=1.0)
    values, valid = Artefacts(WHERE, settings, seed=77)(noisy, stream(5, "artefact"))
    found, before = (error(m.decode(m.encode(values, valid)), truth, train) for m in (taught, plain))
    clean = error(taught.decode(taught.encode(noisy)), truth, train)
    assert found < 0.2 * before and found < 6.0 * clean and clean < 0.1


def test_what_stands_in_a_missing_voxel_is_never_looked_at(model, taught):
    noisy = model[2][:20]
    valid = np.ones(noisy.shape, bool)
    valid[:, 100:200] = False
    latent = taught.encode(np.where(valid, noisy, np.nan), valid)
    assert np.array_equal(latent, taught.encode(np.where(valid, noisy, 1e9), valid))
    assert not np.array_equal(latent, taught.encode(np.where(valid, noisy, 0.0)))


def test_one_hot_voxel_moves_it_no_further_than_what_it_has_seen(taught, model):
    noisy = model[2][:20].copy()
    noisy[:, 7] = 1e3
    far = noisy.copy()
    far[:, 7] = 1e12
    assert np.array_equal(taught.encode(noisy), taught.encode(far))


def test_voxels_are_seen_as_far_beyond_training_images_as_is_said(model, trainer, tmp_path):
    method = Method("far", "dense", (4,), Transform("log1p"), {**QUICK, "n_epoch": 2, "beyond": 3.0}, TAUGHT.augment)
    made = trainer.trained(method, 4, 5)
    save_compressor(tmp_path / "c.pt", made)
    far = load_compressor(tmp_path / "c.pt")[0]
    near = replace(far, settings=replace(far.settings, beyond=1.0))
    image = model[2][:1].astype(float)
    np.testing.assert_array_equal(far.inputs(image)[:, 576:], 0.0)
    image[0, 7] = 1e12
    assert far.inputs(image)[0, 7] == pytest.approx(3.0 * near.inputs(image)[0, 7], rel=1e-6)
    others = np.abs(near.inputs(model[2])) < near.inputs(image)[0, 7] / 10
    np.testing.assert_array_equal(far.inputs(model[2])[others], near.inputs(model[2])[others])
    with pytest.raises(ConfigError, match="out of range"):
        replace(far.settings, beyond=0.5)


def test_it_is_kept_and_trained_again_to_the_same_bits(trainer, taught, model, tmp_path):
    save_compressor(tmp_path / "c.pt", taught)
    again = trainer.trained(TAUGHT, 4, 5)
    expected = taught.encode(model[2])
    assert np.array_equal(load_compressor(tmp_path / "c.pt")[0].encode(model[2]), expected)
    assert np.array_equal(again.encode(model[2]), expected)


def test_settings_that_make_no_sense_are_refused(model):
    for bad in (
        {"ring_radius": (2.0, 1.0)},
        {"ring_width": (0.0, 1.0)},
        {"ring_radius": (-1.0, 1.0)},
        {"share": 1.5},
        {"rings": -1.0},
        {"scale": 0.5},
        {"n_pattern": 0},
        {"bragg": np.nan},
    ):
        with pytest.raises(ConfigError, match="artefacts"):
            AugmentSettings(**bad)
    with pytest.raises(ConfigError, match="where voxels lie"):
        Trainer(model[0]).trained(TAUGHT, 4, 5)
    with pytest.raises(ShapeError):
        Artefacts(WHERE, AugmentSettings(n_pattern=1), seed=0)(np.ones((2, 5)), stream(0, "artefact"))
