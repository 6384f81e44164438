"""Stores that compressors, networks and maps of phases cannot learn from: each ends with one error that says why."""

import io
import json
import pickle
from functools import partial

import numpy as np
import pytest
import torch

from spinscape.cli import main
from spinscape.config.load import read_yaml, study_from_data
from spinscape.errors import ConfigError, DataError, StoreError, TrainingError
from spinscape.lattice.momentum import momentum_to_dict
from spinscape.lattice.qspace import path_through
from spinscape.learn.compressor import fit_pca
from spinscape.learn.compressor_file import save_compressor
from spinscape.learn.train_compressor import fit_autoencoder
from spinscape.stages import collect, compress, learn, phases
from spinscape.stages.simulated_arrays import arrays_text, check_arrays_read, simulated_arrays
from spinscape.store.contracts import StoreHeader
from spinscape.store.seal import seal
from spinscape.store.write import WorkStore

SIDE = 4
COORDS = {
    "hkl": {"dims": ["q", "hkl"], "values": (np.eye(4, 3) / 3).tolist(), "unit": "r.l.u."},
    "energy": {"dims": ["energy"], "values": [1.0, 2.0, 3.0, 4.0], "unit": "meV"},
}
GRID = {"kind": "lattice", "axes": {n: {"first": "0 meV", "last": "1 meV", "n": 6} for n in ("J", "K")}}
PCA = {"p": {"kind": "pca", "dimensions": [1, 2]}}
NET = {"kind": "dense", "dimensions": [2], "n_epoch": 3, "n_component": 4, "width": 8, "batch_size": 8}
METHODS = ("ward", "average", "complete", "graph_degree", "hdbscan")


def places(n):
    """The first n points of a lattice of six by six."""
    line = np.linspace(0, 1, 6)
    return np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)[:n]


def two_orders(theta):
    noise = 0.02 * np.random.default_rng(1).normal(size=(len(theta), SIDE, SIDE))
    return np.where(theta[:, 0] > 0.5, 5.0, 1.0)[:, None, None] * np.eye(SIDE) + noise + 1.0


def smooth(theta):
    x = np.linspace(0, 1, SIDE)
    return np.array([1 + np.outer(np.sin(1 + 2 * a * x), np.cos(b * x)) for a, b in theta])


def make_index(folder, theta, images, *, failed=(), study="demo"):
    folder.mkdir(exist_ok=True)
    template = {"dims": ["q", "energy"], "shape": [SIDE, SIDE], "dtype": "float32", "unit": "", "coords": COORDS}
    header = StoreHeader(
        study, ("J", "K"), tuple(f"{k:032x}" for k in range(len(theta))), theta, {"signal": template},
        {"absent": 0, "done": 1, "failed": 2}, {"kind": "toy", "seed": 1, "code": "a"},
    )  # fmt: skip
    store = WorkStore.create(folder / "w", header)
    for k, image in enumerate(images):
        if k in failed:
            store.write(k, "failed", message="did not converge")
        else:
            store.write(k, "done", arrays={"signal": image.astype(np.float32)})
    seal(store, folder / "b0.zarr.zip", provenance={})
    collect.run([folder / "b0.zarr.zip"], folder / "index.json")
    return folder / "index.json"


def run_phases(index, *, compressor=None, study="demo", **declared):
    section = {
        "study": study, "name": "map", "phases": {"arrays": ["signal"], "count": {"n_bootstrap": 20}, **declared},
        "grid": GRID, "parameter_names": ["J", "K"], "couplings": {"J": None, "K": None}, "signals": None,
    }  # fmt: skip
    out = index.parent / "map.json"
    phases.run(section, 3, index, out, out.with_suffix(".h5"), compressor=compressor)
    return json.loads(out.read_text())


def run_compress(index, *, study="demo", methods=PCA):
    model = {"kind": "compression", "arrays": ["signal"], "n_seed": 1, "methods": methods}
    section = {
        "study": study, "name": "small", "model": model, "replicas": False, "reciprocal": np.eye(3).tolist(),
        "signals": None,
    }  # fmt: skip
    out = index.parent
    compress.run(section, 3, index, out / "c.pt", out / "g.pt", out / "c.json", out / "work")


def run_learn(index, *, study="demo", n_train=20):
    model = {"kind": "siren", "n_train": n_train, "n_step": 5, "width": 8, "hidden_layers": 1, "batch_size": 64}
    path = path_through([[0, 0, 0], [0.5, 0, 0]], n_point=[SIDE], reciprocal=np.eye(3))
    axes = {"signal": momentum_to_dict(path)}
    section = {"study": study, "name": "net", "model": model, "box": None, "axes": axes, "signals": None}
    learn.run(section, 3, index, index.parent / "s.pt", index.parent / "s.json", index.parent / "work")


def told(run, kind):
    """Return the error that a stage ends with: of one kind, in a place of the study, with expectation and fix."""
    with pytest.raises(kind) as caught:
        run()
    error = caught.value
    assert error.where.startswith(("phases.map: ", "learn.small: ", "learn.net: ")), error
    assert error.expected is not None and error.got is not None and error.fix, error
    return error


STAGES = {"phases": run_phases, "compress": run_compress, "learn": run_learn}


@pytest.mark.parametrize("stage", STAGES)
def test_stores_of_another_study_and_of_another_contract(stage, tmp_path):
    index = make_index(tmp_path, places(36), smooth(places(36)))
    error = told(partial(STAGES[stage], index, study="other"), StoreError)
    assert "another study" in error.what and error.expected == "other" and error.got == "demo"
    # The index may say one study and a file of it another.
    own = json.loads(index.read_text())
    index.write_text(json.dumps({**own, "study": "other"}))
    assert "another study" in told(partial(STAGES[stage], index, study="other"), StoreError).what
    index.write_text(json.dumps({**own, "contract": "collection/0"}))
    error = told(partial(STAGES[stage], index), StoreError)
    assert "another contract" in error.what and error.expected == "collection/1" and error.got == "collection/0"


@pytest.mark.parametrize("stage", STAGES)
def test_images_without_spread(stage, tmp_path):
    index = make_index(tmp_path, places(36), np.ones((36, SIDE, SIDE)))
    error = told(partial(STAGES[stage], index), (DataError, TrainingError))
    assert "same" in error.what or "constant" in error.what


@pytest.mark.parametrize("kind", ["pca", "dense", "variational", "logistic"])
@pytest.mark.parametrize("n_component", [0, 4])
def test_no_compressor_learns_from_constant_images(kind, n_component, tmp_path):
    index = make_index(tmp_path, places(36), np.ones((36, SIDE, SIDE)))
    method = PCA["p"] if kind == "pca" else {**NET, "kind": kind, "n_component": n_component}
    assert "are the same" in told(partial(run_compress, index, methods={"one": method}), DataError).what


@pytest.mark.parametrize("stage", STAGES)
def test_a_number_that_is_none(stage, tmp_path):
    images = smooth(places(36))
    images[5, 1, 2] = np.nan
    index = make_index(tmp_path, places(36), images)
    error = told(partial(STAGES[stage], index), (DataError, TrainingError))
    assert "signal, point 5" in error.where


@pytest.mark.parametrize("stage", STAGES)
def test_points_of_which_all_have_failed_or_too_many(stage, tmp_path):
    for k, n_left in enumerate((0, 1, 3)):
        index = make_index(tmp_path / str(k), places(36), smooth(places(36)), failed=range(36 - n_left))
        error = told(partial(STAGES[stage], index), (DataError, TrainingError))
        assert "fail" in error.fix or "simulate more points" in error.fix


@pytest.mark.parametrize("method", METHODS)
def test_clusters_of_one_or_two_points_are_refused(method, tmp_path):
    for n in (1, 2, 5):
        index = make_index(tmp_path / str(n), places(n), two_orders(places(n)))
        error = told(partial(run_phases, index, method=method), DataError)
        assert "too few points" in error.what and error.got == n and "at least 6" in error.expected
    # Where a phase may have one point, two points are at most one phase of one cluster.
    found = run_phases(index.parents[1] / "2" / "index.json", method=method, count={"min_points": 1, "n_bootstrap": 5})
    assert found["n_phase"] <= 1 and found["n_point"] == 2


@pytest.mark.parametrize("method", METHODS)
def test_few_points_can_be_clustered_and_resampled(method, tmp_path):
    """Resampled points are fewer than those of the grid: fewer, here, than the neighbours of the graph, K = 20."""
    index = make_index(tmp_path, places(24), two_orders(places(24)))
    found = run_phases(index, method=method)
    assert found["n_cluster"] == 2 and np.median(found["stability"]) == 1.0
    few = make_index(tmp_path / "few", places(36)[::6], two_orders(places(36)[::6]))
    assert run_phases(few, method=method)["n_point"] == 6


@pytest.mark.parametrize("method", METHODS)
def test_a_cluster_of_one_member_is_a_crossover(method, tmp_path):
    images = two_orders(places(36))
    images[8] = 60.0
    found = run_phases(make_index(tmp_path, places(36), images), method=method, count={"max_cluster": 3})
    assert all(8 not in c["points"] or c["n_point"] <= 2 for c in found["crossovers"])
    assert 8 in [p for c in found["crossovers"] for p in c["points"]] or "not known" in found["reason"]


def test_fewer_points_than_dimensions_are_told_before_anything_is_trained(tmp_path):
    index = make_index(tmp_path, places(20), smooth(places(20)))
    methods = {"fine": NET, "wide": {"kind": "pca", "dimensions": [1, 15]}}
    error = told(partial(run_compress, index, methods=methods), DataError)
    assert error.where == "learn.small: methods.wide: dimensions" and "more than 15" in error.expected
    assert not (tmp_path / "work").exists()
    error = told(partial(run_compress, index, methods={"wide": {**NET, "dimensions": [17]}}), ConfigError)
    assert "16 voxels" in error.expected
    error = told(partial(run_learn, index, n_train=20), TrainingError)
    assert "at least 21" in error.expected and "20" in error.got


def test_artefacts_on_what_has_no_momenta_are_refused_before_anything_is_trained(tmp_path, monkeypatch):
    monkeypatch.delitem(COORDS, "hkl")
    index = make_index(tmp_path, places(36), smooth(places(36)))
    error = told(partial(run_compress, index, methods={"fine": NET, "taught": {**NET, "augment": {}}}), ConfigError)
    assert "where voxels lie" in error.what and "methods.taught" in error.where and not (tmp_path / "work").exists()


def test_a_logarithm_of_what_is_no_intensity_is_refused(tmp_path):
    """Energies and correlations have both signs: below zero all would count as zero."""
    index = make_index(tmp_path, places(36), two_orders(places(36)) - 3.0)
    for run in (run_phases, partial(run_compress, methods={"net": {**NET, "transform": {"kind": "log1p"}}})):
        error = told(partial(run, index), DataError)
        assert "kind: none" in error.fix and "below zero" in error.got and not (tmp_path / "work").exists()
    assert run_phases(index, transform={"kind": "none"})["n_phase"] == 2
    # Noise about zero is no reason.
    noisy = make_index(tmp_path / "noise", places(36), two_orders(places(36)) - 1.0)
    assert run_phases(noisy)["n_phase"] == 2


def test_a_compressor_of_other_arrays_or_other_pixels(tmp_path):
    index = make_index(tmp_path, places(36), smooth(places(36)))
    images = smooth(places(36)).reshape(36, -1)
    right = {"study": "demo", "arrays": ["signal"]}
    for pixels, about in (
        (16, {**right, "study": "other"}),
        (16, {**right, "arrays": ["pairs"]}),
        (9, right),
        (16, {}),
    ):
        save_compressor(tmp_path / "c.pt", fit_pca(images[:, :pixels], n_latent=2), metadata=about)
        error = told(partial(run_phases, index, latent="small", compressor=tmp_path / "c.pt"), StoreError)
        assert "something else" in error.what and str(tmp_path / "c.pt") in error.where
        assert "16 voxels" in error.expected and f"{pixels} voxels" in error.got


class Harm:
    """What is unpickled runs; a test that loads it fails."""

    def __reduce__(self):
        return pytest.fail, ("a file was executed",)


def harmful(path, contract):
    """Write a file of the right contract with code in it, as a zip archive or as a bare pickle."""
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    torch.save({"contract": contract, "key": Harm()}, buffer)
    path.write_bytes(buffer.getvalue())
    yield
    path.write_bytes(pickle.dumps({"contract": contract, "key": Harm()}, protocol=2))
    yield


def test_a_checkpoint_with_code_in_it_is_refused_by_every_stage_that_reads_it(tmp_path, monkeypatch):
    index = make_index(tmp_path, places(36), smooth(places(36)))
    for _ in harmful(tmp_path / "c.pt", "compressor/1"):
        error = told(partial(run_phases, index, latent="small", compressor=tmp_path / "c.pt"), TrainingError)
        assert "cannot be read" in error.what and "delete the file" in error.fix
    for _ in harmful(tmp_path / "work" / "net.checkpoint.pt", "siren-training/1"):
        assert "cannot be read" in told(partial(run_learn, index), TrainingError).what
    # A training of a compressor that was stopped, its state replaced.
    found = []

    def spoilt(*arguments, checkpoint, **keywords):
        for _ in harmful(checkpoint, "compressor-training/1"):
            with pytest.raises(TrainingError, match="cannot be read") as caught:
                fit_autoencoder(*arguments, checkpoint=checkpoint, **keywords)
            found.append(str(caught.value.where))
        raise caught.value

    monkeypatch.setattr("spinscape.learn.compression.fit_autoencoder", spoilt)
    told(partial(run_compress, index, methods={"net": NET}), TrainingError)
    assert len(found) == 2 and all("net-2-" in where for where in found)


@pytest.mark.parametrize("contract", ["compressor/0", "generator/2"])
def test_a_file_of_another_contract_is_no_compressor(contract, tmp_path):
    index = make_index(tmp_path, places(36), smooth(places(36)))
    torch.save({"contract": contract, "header": "{}", "content": {}}, tmp_path / "c.pt")
    error = told(partial(run_phases, index, latent="small", compressor=tmp_path / "c.pt"), TrainingError)
    assert "another contract" in error.what and (error.expected, error.got) == ("compressor/1", contract)


STUDY = "config/test/kitaev_phases.yaml"


def changed(**places_and_values):
    data = read_yaml(STUDY)
    for place, value in places_and_values.items():
        *parents, last = place.split("__")
        node = data
        for key in parents:
            node = node[key]
        node[last] = value
    return data


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"grid__axes__phi__n": 9, "learn__small__methods__components__dimensions": [8]}, "methods.components"),
        ({"learn__small__methods__network__dimensions": [2, 23]}, "learn.small.methods.network.dimensions"),
        ({"phases__map__count": {"min_points": 13}}, "phases.map.count.min_points"),
        ({"learn__net": {"kind": "siren", "n_train": 24, "n_step": 9}}, "learn.net.n_train"),
    ],
)
def test_too_few_points_are_told_before_they_are_simulated(change, where):
    with pytest.raises(ConfigError, match="too few points") as caught:
        study_from_data(changed(**change))
    error = caught.value
    assert where in error.where and "at least" in error.expected and "by the grid" in error.got and error.fix


def test_ranges_of_rings_have_units_and_rise():
    place = "learn__small__methods__robust__augment"
    known = study_from_data(changed(**{place: {"ring_radius": ["0.1 1/nm", "2 1/Å"]}}))
    assert known.learn["small"].methods["robust"].augment.ring_radius == pytest.approx((0.01, 2.0))
    for bad, word in ((["2 1/Å", "1 1/Å"], "empty range"), ([1, 2], "unit")):
        with pytest.raises(ConfigError, match=word) as caught:
            study_from_data(changed(**{place: {"ring_width": bad}}))
        assert "methods.robust" in caught.value.where and "ring_width" in caught.value.where


def test_how_far_an_encoder_sees_comes_from_the_study(tmp_path, monkeypatch):
    seen = []

    def spied(source, settings, **keywords):
        seen.append((settings.sees, settings.beyond, keywords["augment"] is not None))
        return fit_autoencoder(source, settings, **keywords)

    monkeypatch.setattr("spinscape.learn.compression.fit_autoencoder", spied)
    index = make_index(tmp_path, places(36), smooth(places(36)))
    run_compress(index, methods={"far": {**NET, "n_epoch": 1, "augment": {"beyond": 3, "missing": 0.2}}})
    assert set(seen) == {("voxels", 3.0, True)}


def test_points_of_rounds_count():
    change = {"learn__small__methods__network__dimensions": [2, 23]}
    rounds = {"refine": {"kind": "phases", "map": "map", "rounds": 2, "points": 4}}
    assert study_from_data(changed(**change, **rounds)).refine.points == 4


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"learn__small__arrays": ["heat_capacty"]}, "learn.small.arrays"),
        ({"phases__map__arrays": ["pairs"]}, "phases.map.arrays"),
        ({"phases__latent__beside": {"entropy": 1.0}}, "phases.latent.beside"),
    ],
)
def test_check_names_the_arrays_that_there_are(change, where):
    study = study_from_data(changed(**change))
    arrays = simulated_arrays(study)
    with pytest.raises(ConfigError, match="no array") as caught:
        check_arrays_read(study, arrays)
    assert caught.value.where == where and "heat_capacity, " in caught.value.expected


def test_check_prints_what_can_be_learnt_from(capsys):
    assert main(["check", STUDY]) == 0
    text = capsys.readouterr().out
    assert "signal_hk0\u00a01×25×25" in text and "coupling_energy\u00a01×2" in text and "_error" not in text
    assert "network (dense, D = 2, 3)" in text and "ward on latent numbers of small, heat_capacity" in text
    # Arrays over volumes that are not stored are made from correlations.
    pairs = simulated_arrays(study_from_data(changed(simulate__volumes=[], simulate__correlations={"pairs": True})))
    assert pairs["signal_hk0"] == (1, 25, 25) and pairs["pairs"][0] == 1 and "pairs" in arrays_text(pairs)
