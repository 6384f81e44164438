"""Errors of compressors by both measures, the smallest sufficient D, randomised components, generators as files."""

import numpy as np
import pytest

from spinscape.errors import ConfigError, DataError, TrainingError
from spinscape.learn.compression import (
    HeldOut,
    Method,
    Row,
    Trainer,
    best_row,
    generator_error,
    held_out_error,
    noise_of_runs,
    planned,
    statement,
    sufficient,
)
from spinscape.learn.compressor import fit_pca, truncated
from spinscape.learn.generator import fit_generator
from spinscape.learn.generator_file import load_generator, save_generator
from spinscape.learn.images import Transform

NOISE = 0.3


def plane(n, seed, n_voxel=60):
    """Images of a plane in voxel space, whose two coordinates are the couplings."""
    rng = np.random.default_rng(seed)
    theta = rng.uniform(-1, 1, (n, 2))
    directions = np.linalg.qr(np.random.default_rng(99).normal(size=(n_voxel, 2)))[0].T * [[9.0], [6.0]]
    return theta, 3.0 + theta @ directions, rng


@pytest.fixture(scope="module")
def data():
    theta, truth, rng = plane(400, 1)
    others, exact, _ = plane(50, 2)
    runs = exact.repeat(5, axis=0) + NOISE * rng.normal(size=(250, 60))
    return theta, truth + NOISE * rng.normal(size=truth.shape), others, exact, runs


def rows_of(values, method="pca", seeds=(0,)):
    return [Row(method, d, s, own, out, 0.0, 0.0) for d, (own, out) in values.items() for s in seeds]


def test_other_runs_of_a_point_tell_the_error_against_the_truth(data):
    _, train, _, exact, runs = data
    mean = train.mean(axis=0)
    for d in (1, 2, 20):
        pca = fit_pca(train, n_latent=d)
        known = held_out_error(lambda x, p=pca: p.decode(p.encode(x)), HeldOut(runs, truth=exact.repeat(5, 0)), mean)
        found = held_out_error(
            lambda x, p=pca: p.decode(p.encode(x)), HeldOut(runs, groups=np.repeat(np.arange(50), 5)), mean
        )
        # Two estimates of one number from the same images: they differ by what the truth's noise leaves.
        assert abs(found[0] - known[0]) < 4 * NOISE**2 * np.sqrt(2 * 60 / 50) / 39.0 + 1e-3


def test_voxels_are_standardised_by_the_noise_between_runs():
    _, exact, rng = plane(80, 3)
    sigma = np.linspace(0.1, 2.0, 60)
    runs = exact.repeat(4, axis=0) + sigma * rng.normal(size=(320, 60))
    found = noise_of_runs(HeldOut(runs, groups=np.repeat(np.arange(80), 4)))
    # 240 degrees of freedom a voxel: a standard deviation to 1 in sqrt(480), four of these and a bit for 60 voxels.
    assert np.abs(found / sigma - 1.0).max() < 4.5 / np.sqrt(480)
    transform = Transform("standardised", noise=found)
    seen = transform.forward(runs)
    np.testing.assert_allclose(transform.inverse(seen), runs)
    np.testing.assert_allclose((transform.slope(seen))[3], found)
    assert Transform(**transform.to_dict()) == transform and len({transform, Transform(**transform.to_dict())}) == 1
    pca = fit_pca(runs, n_latent=2, transform=transform)
    # Where noise is equal in all directions components are those of the signal.
    assert np.linalg.norm(pca.decode(pca.encode(runs)) - exact.repeat(4, axis=0)) < 0.6 * np.linalg.norm(
        runs - exact.repeat(4, axis=0)
    )
    with pytest.raises(DataError, match="no noise"):
        noise_of_runs(HeldOut(exact.repeat(4, axis=0), groups=np.repeat(np.arange(80), 4)))


def test_noise_is_fitted_by_dimensions_that_only_the_held_out_error_sees(data):
    _, train, _, exact, runs = data
    trainer, held_out = Trainer(train), HeldOut(runs, truth=exact.repeat(5, 0))
    method = Method("pca", "pca", (1, 2, 20, 50))
    rows = [trainer.row(m, d, s, held_out) for m, d, s in planned([method], [3])]
    own, out = zip(*((row.own, row.held_out) for row in rows), strict=True)
    assert own[0] > own[1] > own[2] > own[3] and out[1] < out[2] < out[3] and out[1] < out[0]
    assert sufficient(rows, "pca", "held_out")[0] == 2 and sufficient(rows, "pca", "own")[0] == 50
    # D directions of the noise come through: D NOISE² an image.
    assert out[3] / out[1] == pytest.approx(25.0, rel=0.25)


def test_which_dimension_suffices():
    rows = rows_of({1: (0.9, 0.5), 2: (0.5, 0.102), 3: (0.3, 0.1), 4: (0.2, 0.3)})
    assert sufficient(rows, "pca", "held_out") == (2, 0.102)
    assert "not converged at D = 4" in statement(rows, "pca") and "D = 2 suffices" in statement(rows, "pca")
    nothing = rows_of({1: (0.9, 1e-4), 2: (0.9, 1e-9)})
    assert sufficient(nothing, "pca", "held_out")[0] == 1
    better = rows_of({4: (0.2, 0.01), 6: (0.1, 0.02)}, "dense", seeds=(1, 2))
    better[1] = Row("dense", 4, 2, 0.2, 0.009, 0.0, 0.0)
    chosen = best_row(rows + better)
    assert (chosen.method, chosen.n_latent, chosen.seed) == ("dense", 4, 2)


def test_a_method_that_is_none_and_truth_that_is_none():
    with pytest.raises(ConfigError, match="no such compressor"):
        Method("x", "fourier", (1,))
    with pytest.raises(ConfigError, match="truth"):
        HeldOut(np.ones((3, 2)))
    with pytest.raises(DataError, match="too few runs"):
        HeldOut(np.ones((3, 2)), groups=np.array([0, 0, 1]))
    with pytest.raises(DataError, match="like the mean"):
        held_out_error(lambda x: x, HeldOut(np.ones((3, 2)), truth=np.ones((3, 2))), np.ones(2))


def test_components_that_are_known_save_their_search(data):
    train = data[1]
    trainer = Trainer(train)
    settings = {"n_component": 6, "n_epoch": 2, "width": 8}
    method = Method("dense", "dense", (2,), network=settings)
    first = trainer.trained(method, 2, 5)
    assert list(trainer._known) == [Transform()] and trainer.trained(method, 2, 5).scale == first.scale
    assert np.abs(first.front.components - fit_pca(train, n_latent=6).components).max() < 1e-12


@pytest.mark.parametrize("transform", [Transform(), Transform("log1p", 2.0)])
def test_randomised_components_are_those_of_the_singular_value_decomposition(transform):
    rng = np.random.default_rng(5)
    x = np.abs(rng.normal(size=(300, 8)) * np.geomspace(8, 0.5, 8) @ rng.normal(size=(8, 500)) + 100.0)
    found = fit_pca(x, n_latent=8, transform=transform, method="randomised")
    seen = transform.forward(x)
    _, s, vt = np.linalg.svd(seen - seen.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(found.mean, seen.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.variance[:6], s[:6] ** 2 / 299, rtol=1e-3)
    assert np.linalg.svd(found.components[:4] @ vt[:4].T)[1].min() > 0.9999
    np.testing.assert_allclose(found.components @ found.components.T, np.eye(8), atol=1e-5)
    again = fit_pca(x, n_latent=8, transform=transform, method="randomised")
    assert again.components.tobytes() == found.components.tobytes()


def test_the_first_components_of_many(data):
    # So few images that all are taken at once, and the components are exact.
    many, few = fit_pca(data[1][:200], n_latent=20), fit_pca(data[1][:200], n_latent=3)
    part = truncated(many, 3)
    np.testing.assert_allclose(part.decode(part.encode(data[4])), few.decode(few.encode(data[4])), atol=1e-9)
    assert part.noise == pytest.approx(few.noise, rel=0.05)
    with pytest.raises(ConfigError, match="no such component"):
        truncated(few, 4)
    with pytest.raises(ConfigError, match="no such method"):
        fit_pca(data[1], n_latent=2, method="exact")


def test_a_generator_is_judged_and_kept(data, tmp_path):
    theta, train, others, _, runs = data
    pca = fit_pca(train, n_latent=2)
    made = fit_generator(theta, pca.encode(train), pca, seed=1, parameter_names=("a", "b"))
    held_out = HeldOut(runs, groups=np.repeat(np.arange(50), 5))
    found = generator_error(made, others, held_out, train.mean(axis=0))
    # The mean of four runs has a quarter of the noise of one, the generator that of hundreds.
    assert found["four_runs"] == pytest.approx(found["one_run"] / 4)
    assert found["error"] < 0.5 * found["four_runs"] and found["n_point"] > 45
    save_generator(tmp_path / "g.pt", made, metadata={"study": "demo"})
    again, about = load_generator(tmp_path / "g.pt")
    at = others[:3] * 0.9
    assert again.predict(at).tobytes() == made.predict(at).tobytes() and about == {"study": "demo"}
    assert again.gradient(at).tobytes() == made.gradient(at).tobytes() and again.parameter_names == ("a", "b")


def test_a_file_that_is_no_generator_is_refused(tmp_path):
    (tmp_path / "g.pt").write_bytes(b"PK\x03\x04 none")
    with pytest.raises(TrainingError, match="cannot be read"):
        load_generator(tmp_path / "g.pt")
