"""The robust fit on the controlled model: artefacts that no model knows do not move the couplings."""

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from spinscape.learn.compressor import fit_pca
from spinscape.learn.generator import fit_generator
from spinscape.learn.images import Transform

from ..unit.learn.controlled import images, structure_factor

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def benchmark():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("robustness", BENCHMARKS / "robustness.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["robustness"] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHMARKS))
    return module


@dataclass(frozen=True)
class Exact:
    """The model itself in the place of a generator."""

    parameter_names: tuple = ("J2", "J3", "beta")

    def predict(self, theta):
        return np.array([structure_factor(*row) for row in np.atleast_2d(theta)])

    def gradient(self, theta):
        row = np.atleast_2d(theta)[0]
        steps = 1e-5 * np.eye(3)
        return np.array([(structure_factor(*(row + s)) - structure_factor(*(row - s))) / 2e-5 for s in steps])[None]


def errors(benchmark, generator, family, level, n, **how):
    out = []
    for k, truth in enumerate(benchmark.truths(n)):
        measurement, _ = benchmark.spoilt(truth, family, level, k, 7)
        found = benchmark.robust_fit(generator, measurement, **how)[1].best.parameters
        out.append(benchmark.error_of(found, truth))
    return np.array(out)


@pytest.mark.parametrize("family", ["own", "step", "dead", "unknown"])
def test_artefacts_do_not_move_the_couplings(benchmark, family):
    assert np.median(errors(benchmark, Exact(), family, 1.0, 5)) < 0.03


def test_one_constant_is_not_enough_for_a_step(benchmark):
    tiled, plain = (errors(benchmark, Exact(), "step", 3.0, 6, tiles=tiles) for tiles in (3, 1))
    assert np.mean(plain) > 2.0 * np.mean(tiled)


def test_raw_pixels_are_misled_by_the_same_artefacts(benchmark):
    theta, _, noisy = images(400, seed=3)
    known = benchmark.Library(theta, noisy, np.arange(400))
    raw = []
    for k, truth in enumerate(benchmark.truths(5)):
        measurement, mask = benchmark.spoilt(truth, "own", 1.0, k, 7)
        x, valid = measurement.signal[:, 0], measurement.valid[:, 0]
        raw.append(benchmark.error_of(theta[benchmark.nearest_raw(known, x, valid, mask)], truth))
    assert np.median(raw) > 0.1


def test_everything_at_once_is_flagged(benchmark):
    truth = benchmark.truths(1)[0]
    shares = []
    for family, level in (("own", 3.0), ("everything", 3.0)):
        measurement, _ = benchmark.spoilt(truth, family, level, 0, 7)
        problem, search = benchmark.robust_fit(Exact(), measurement)
        shares.append(problem.objective.quality(problem.forward.predict(search.best.parameters)))
    assert shares[0]["trusted"] and not shares[1]["trusted"]


def test_a_little_of_everything_is_flagged_and_a_little_of_one_family_is_not(benchmark):
    flagged = {}
    for family, level in (("own", 0.0), ("own", 0.3), ("step", 0.3), ("everything", 0.3)):
        qualities = []
        for k, truth in enumerate(benchmark.truths(8, seed=63)):
            measurement, _ = benchmark.spoilt(truth, family, level, k, 9)
            problem, search = benchmark.robust_fit(Exact(), measurement)
            qualities.append(problem.objective.quality(problem.forward.predict(search.best.parameters)))
        flagged[family, level] = sum(not q["trusted"] for q in qualities)
    assert flagged.pop(("everything", 0.3)) >= 6
    assert not any(flagged.values())


@pytest.mark.slow
def test_intervals_hold_the_truth_with_the_generators_error_and_not_without(benchmark):
    """A generator learnt from few noisy images is off by more than the noise of a measurement with many counts."""
    theta, _, noisy = images(250, seed=4)
    # The generator knows the whole box that fits search.
    corners = np.stack(np.meshgrid(*zip(benchmark.BOX.lower, benchmark.BOX.upper, strict=True)), axis=-1).reshape(-1, 3)
    theta = np.concatenate([theta, corners])
    noisy = np.concatenate([noisy, [structure_factor(*row) for row in corners]])
    network = fit_pca(noisy, n_latent=4, transform=Transform("log1p"))
    generator = fit_generator(theta, network.encode(noisy), network, seed=1, parameter_names=benchmark.NAMES)
    inside = {"noise": [], "both": []}
    for k, truth in enumerate(benchmark.truths(40)):
        image = generator.predict(truth)[0]
        rng = np.random.default_rng([5, k])
        # A truth that the generator itself could be: off along its own errors.
        image = np.maximum(image + rng.standard_normal(4) @ generator.error_columns(truth), 1e-3)
        found = benchmark.artefacts.contaminated(image, counts_per_mean=20_000.0, generator=rng)
        problem, search = benchmark.robust_fit(generator, benchmark.measured(found, 20_000.0 / image.mean()))
        best = search.best.parameters
        noise = benchmark.information_covariance(problem, best, benchmark.BOX).matrix
        both = noise + benchmark.surrogate_covariance(problem, best, benchmark.BOX).matrix
        for name, matrix in (("noise", noise), ("both", both)):
            std = np.sqrt(np.diag(matrix))[:2]
            inside[name] += (np.abs(best - truth)[:2][std > 0] < 1.96 * std[std > 0]).tolist()
    assert np.mean(inside["both"]) > 0.88
    assert np.mean(inside["noise"]) < np.mean(inside["both"]) - 0.1
