"""A generator of images that jump: two phases whose free energies cross, against one whose images are smooth."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spinscape.errors import DataError, TrainingError
from spinscape.learn.compressor import fit_pca
from spinscape.learn.free_energy import fit_free_energies
from spinscape.learn.gate import fit_gate
from spinscape.learn.generator import fit_generator
from spinscape.learn.generator_error import with_measured_error
from spinscape.learn.generator_file import load_generator, save_generator
from spinscape.learn.latent_process import conditioned_process, fitted_process
from spinscape.learn.strays import NEAREST, fit_strays

X = np.linspace(0.0, 1.0, 40)
NAMES = ("a", "b")
N = 160


def difference(theta):
    """F_1 − F_0 of two phases: they meet where it is zero, on a curve."""
    a, b = theta.T
    return a + 0.4 * b - 0.8 * b**2 - 0.35


def slopes(theta, phase):
    """dF/dθ: zero in phase 0 but for a common part."""
    common = np.column_stack([theta[:, 0], np.full(len(theta), 0.5)])
    own = np.column_stack([np.ones(len(theta)), 0.4 - 1.6 * theta[:, 1]])
    return common + phase[:, None] * own


def images(theta, phase):
    a, b = theta.T[:, :, None]
    first = 3.0 + np.sin(3.0 * X + a) + b * X
    second = 5.0 + 4.0 * np.cos(6.0 * X) * (1.0 + 0.3 * a) + b
    return np.where(phase[:, None] > 0, second, first)


def drawn(seed):
    """Return couplings, phases and noisy images: N to learn from, then 200 others."""
    rng = np.random.default_rng(seed)
    theta = rng.uniform(size=(N + 200, 2))
    phase = (difference(theta) < 0).astype(int)
    volumes = images(theta, phase) + 0.02 * rng.standard_normal((len(theta), len(X)))
    # Two runs that have ended half in the one phase and half in the other.
    near = np.argsort(np.abs(difference(theta[:N])))[:2]
    volumes[near] = 0.5 * (images(theta[near], np.zeros(2)) + images(theta[near], np.ones(2)))
    return theta, phase, volumes


def learnt(data, n_latent, **more):
    theta, _, volumes = data
    pca = fit_pca(volumes[:N], n_latent=n_latent)
    about = {"seed": 1, "parameter_names": NAMES, "images": volumes[:N]}
    return fit_generator(theta[:N], pca.encode(volumes[:N]), pca, **about, **more)


def learnt_with_energies(data, n_latent):
    return learnt(data, n_latent, slopes=slopes(data[0][:N], data[1][:N]))


@pytest.fixture(scope="module")
def data():
    return drawn(5)


@pytest.fixture(scope="module")
def generators(data):
    one, labels = learnt(data, 5, experts="one"), learnt(data, 5)
    return {"one": one, "labels": labels, "energies": learnt_with_energies(data, 5)}


def squares(generator, data):
    theta, phase, _ = data
    return np.mean((generator.predict(theta[N:]) - images(theta[N:], phase[N:])) ** 2, axis=1)


def test_phases_are_found_and_foretell_more_than_one_process(data, generators):
    assert [generators[name].n_phase for name in ("one", "labels", "energies")] == [1, 2, 2]
    one, labels, energies = (squares(generators[name], data) for name in ("one", "labels", "energies"))
    assert max(np.median(labels), np.median(energies)) < 0.1 * np.median(one)
    assert energies.mean() < 0.8 * labels.mean() < 0.8 * one.mean()


def test_away_from_the_boundary_only_noise_is_left(data, generators):
    theta = data[0][N:]
    away = np.abs(difference(theta)) > 0.03
    assert away.mean() > 0.9
    # 0.02² of a voxel, of which 80 points leave a part; at the corners of the box few points lie around.
    found, one = (squares(generators[name], data)[away] for name in ("energies", "one"))
    assert np.quantile(found, 0.95) < 0.02**2 and found.max() < 0.05**2
    assert np.quantile(one, 0.95) > 100 * 0.02**2
    assert np.mean(generators["energies"].probability(theta[away]).max(axis=1) > 0.95) > 0.95


def test_energies_tell_the_boundary_better_than_labels(data, generators):
    b = np.linspace(0.1, 0.9, 17)
    line = np.linspace(0.05, 0.95, 2001)
    off = {}
    for name in ("labels", "energies"):
        p = [generators[name].probability(np.column_stack([line, np.full(2001, y)]))[:, 0] for y in b]
        off[name] = line[np.argmin(np.abs(np.array(p) - 0.5), axis=1)] - (0.35 - 0.4 * b + 0.8 * b**2)
    # Energies know its shape; where it lies they learn from labels, to within the gap between points of both phases.
    assert np.std(off["energies"]) < 0.1 * np.std(off["labels"])
    known = np.sort(np.abs(difference(data[0][:N])))
    assert np.abs(np.mean(off["energies"])) < known[6]


def test_derivatives_through_the_gate(generators):
    made = generators["energies"]
    line = np.column_stack([np.linspace(0.05, 0.95, 20_001), np.full(20_001, 0.5)])
    theta = line[[np.argmin(np.abs(made.probability(line)[:, 0] - p)) for p in (0.3, 0.5, 0.9)]]
    slope = made.gradient(theta)
    for k in range(2):
        step = 1e-5 * np.eye(2)[k]
        expected = (made.predict(theta + step) - made.predict(theta - step)) / 2e-5
        assert np.abs(slope[:, k] - expected).max() < 1e-5 * np.abs(slope).max()


def test_the_error_between_phases_is_their_distance(generators):
    made = generators["energies"]
    line = np.column_stack([np.linspace(0.05, 0.95, 20_001), np.full(20_001, 0.5)])
    theta = line[np.argmin(np.abs(made.probability(line)[:, 0] - 0.5))][None]
    image, std = replace(made, strays=None).predict_with_std(theta)
    apart = np.abs(images(theta, np.ones(1)) - images(theta, np.zeros(1)))
    np.testing.assert_allclose(std, 0.5 * apart, atol=0.05)
    np.testing.assert_allclose(made.predict(theta), image, rtol=1e-9)


def test_rows_of_errors_have_the_variance_that_is_stated(generators):
    made = generators["energies"]
    for theta in np.array([[0.5, 0.5], [0.3, 0.2], [0.36, 0.12]]):
        columns = made.error_columns(theta)
        np.testing.assert_allclose(np.sqrt(np.sum(columns**2, axis=0)), made.predict_with_std(theta)[1][0], rtol=1e-5)


def judged(generator, data):
    """Return which share of voxels lies within two stated errors, and the mean square of pulls where it is sure."""
    theta, phase, _ = data
    inside = np.flatnonzero(np.all((theta >= generator.box[0]) & (theta <= generator.box[1]), axis=1))
    at = inside[inside >= N]
    image, std = generator.predict_with_std(theta[at])
    error = (image - images(theta[at], phase[at])) ** 2
    sure = generator.probability(theta[at]).max(axis=1) > 0.95
    assert sure.mean() > 0.9
    return np.mean(error <= 4.0 * std**2), np.mean((error.sum(axis=1) / np.sum(std**2, axis=1))[sure])


def test_the_stated_error_holds_the_truth_and_is_no_larger_than_need_be():
    # Five components leave nothing but noise, three leave structure as well.
    draws = [(drawn(seed), n_latent) for seed, n_latent in ((5, 5), (9, 5), (8, 3))]
    made = [learnt_with_energies(data, n_latent) for data, n_latent in draws]

    def told(**changes):
        within, pull = zip(
            *(judged(replace(g, **changes), d[0]) for g, d in zip(made, draws, strict=True)), strict=True
        )
        return np.array(within), np.mean(pull)

    within, pull = told()
    assert within.min() >= 0.9 and 0.5 < pull < 2.0
    # Errors of half or twice the size would be told, and those of the latent numbers alone do not do.
    assert told(error_factor=0.5)[1] > 2.0 and told(error_factor=2.0)[1] < 0.5
    assert told(remainder=None, strays=None)[0].max() < 0.8


def test_a_measured_factor_has_less_to_mend(data, generators):
    theta, phase, _ = data
    made, truth = generators["energies"], images(theta[N:], phase[N:])[:, None]
    with_all = with_measured_error(made, theta[N:], truth).error_factor
    latent_alone = with_measured_error(replace(made, remainder=None, strays=None), theta[N:], truth).error_factor
    assert 1.0 <= with_all < 1.6 < 3.0 < latent_alone


def test_runs_between_phases_make_it_unsure_near_them(data, generators):
    theta, _, _ = data
    made = generators["energies"]
    near = np.argsort(np.abs(difference(theta[:N])))[:2]
    assert set(near) <= set(made.strays.which)
    grid = np.stack(np.meshgrid(*[np.linspace(0.05, 0.95, 46)] * 2), axis=-1).reshape(-1, 2)
    chance = made.strays.chances(grid).sum(axis=1)
    assert 0 < np.mean(chance > 0) < 0.15 and np.min(chance[chance > 0]) == 1 / NEAREST
    sure = made.probability(grid).max(axis=1) > 0.999
    ratio = made.predict_with_std(grid)[1].sum(axis=1) / replace(made, strays=None).predict_with_std(grid)[1].sum(
        axis=1
    )
    assert np.all(ratio[chance == 0] == 1.0) and np.all(ratio[sure & (chance > 0)] > 1.5)
    assert np.count_nonzero(sure & (chance > 0)) > 5


def test_points_that_are_known_not_to_have_settled_are_no_strays(data, generators):
    theta, phase, _ = data
    settled = np.ones(N, dtype=bool)
    settled[generators["energies"].strays.which[0]] = False
    made = learnt(data, 5, slopes=slopes(theta[:N], phase[:N]), settled=settled)
    assert len(made.strays.which) == len(generators["energies"].strays.which) - 1
    assert len(made.strays.points) == N - 1
    assert fit_strays(theta[:N], np.zeros((N, 1)), np.zeros(N, int)) is None


def test_the_stated_error_is_large_where_the_gate_is_wrong(data, generators):
    theta, _, _ = data
    _, std = generators["energies"].predict_with_std(theta[N:])
    wrong = squares(generators["energies"], data) > 0.1
    assert np.mean(std[wrong] ** 2) > 0.1 * np.mean(squares(generators["energies"], data)[wrong])


def test_one_phase_where_nothing_jumps():
    rng = np.random.default_rng(2)
    theta = np.concatenate([rng.normal(0.25, 0.05, (60, 2)), rng.normal(0.75, 0.05, (60, 2))])
    volumes = images(theta, np.zeros(len(theta))) + 0.02 * rng.standard_normal((len(theta), len(X)))
    pca = fit_pca(volumes, n_latent=3)
    # Couplings in two heaps make two heaps of images, but the one is foretold from the other.
    assert fit_generator(theta, pca.encode(volumes), pca, seed=1, parameter_names=NAMES).n_phase == 1


def test_a_generator_of_several_phases_as_a_file(generators, tmp_path):
    theta = np.random.default_rng(3).uniform(0.1, 0.9, (30, 2))
    for name in ("labels", "energies"):
        save_generator(tmp_path / "g.pt", generators[name])
        again, _ = load_generator(tmp_path / "g.pt")
        np.testing.assert_array_equal(again.predict(theta), generators[name].predict(theta))
        np.testing.assert_array_equal(again.gradient(theta[:2]), generators[name].gradient(theta[:2]))
        for mine, other in zip(generators[name].predict_with_std(theta), again.predict_with_std(theta), strict=True):
            np.testing.assert_array_equal(other, mine)
        np.testing.assert_array_equal(again.error_columns(theta[0]), generators[name].error_columns(theta[0]))


def test_a_file_of_before_is_refused(generators, tmp_path):
    save_generator(tmp_path / "g.pt", generators["labels"])
    payload = torch.load(tmp_path / "g.pt", weights_only=True)
    torch.save({**payload, "contract": "generator/2"}, tmp_path / "old.pt")
    with pytest.raises(TrainingError, match="another contract") as told:
        load_generator(tmp_path / "old.pt")
    assert "generator/3" in str(told.value) and "train again" in str(told.value)
    damaged = {**payload, "content": {**payload["content"], "strays": {}}}
    torch.save(damaged, tmp_path / "damaged.pt")
    with pytest.raises(TrainingError, match="contradicts itself"):
        load_generator(tmp_path / "damaged.pt")


def test_left_out_in_closed_form_and_by_hand():
    rng = np.random.default_rng(4)
    theta = rng.uniform(size=(30, 2))
    values = np.sin(4 * theta[:, 0]) + 0.1 * rng.standard_normal(30)
    process = fitted_process(theta, values)
    mean, std = process.leave_one_out()
    for k in (0, 7, 29):
        others = np.arange(30) != k
        left = conditioned_process(process, theta[others], values[others])
        expected, spread = left.predict(theta[k : k + 1])
        assert mean[k] == pytest.approx(expected[0], rel=1e-6)
        assert std[k] == pytest.approx(np.hypot(spread[0], process.scale * np.sqrt(process.noise)), rel=1e-6)


def test_free_energies_of_exact_derivatives_and_points_that_went_astray():
    rng = np.random.default_rng(6)
    theta = rng.uniform(size=(80, 2))
    phase = (difference(theta) < 0).astype(int)
    exact = slopes(theta, phase)
    size = exact.std() if np.ptp(theta, axis=0).max() > 0 else 1.0
    bad = exact.copy()
    bad[:4] += 3.0 * size
    found = fit_free_energies(theta, bad, phase)
    at = rng.uniform(size=(20, 2))
    delta = np.diff(found.value(at), axis=1)[:, 0]
    line = np.polyfit(delta, difference(at), 1)
    # Two phases' difference but for the unit and a constant, for all couplings.
    np.testing.assert_allclose(np.polyval(line, delta), difference(at), atol=2e-3)
    step = 1e-6
    for k in range(2):
        move = step * np.eye(2)[k]
        expected = (found.value(at + move) - found.value(at - move)) / (2 * step)
        np.testing.assert_allclose(found.slope(at)[:, :, k], expected, atol=1e-6)


def test_labels_that_are_chance_make_no_gate_sure():
    rng = np.random.default_rng(7)
    theta, label = rng.uniform(size=(120, 2)), rng.integers(0, 2, 120)
    gate, told = fit_gate(theta, label, length=np.full(2, 0.3), seed=1)
    assert np.mean(np.log(told[np.arange(120), label])) > np.log(0.5) - 0.15
    assert np.mean(gate.probability(rng.uniform(size=(200, 2))).max(axis=1) > 0.95) < 0.05


def test_an_unknown_choice_of_experts_is_refused():
    with pytest.raises(DataError, match="choice of experts"):
        fit_generator(
            np.random.default_rng(0).uniform(size=(20, 2)), np.zeros((20, 1)), None, seed=1, parameter_names=NAMES,
            experts="two",
        )  # fmt: skip
