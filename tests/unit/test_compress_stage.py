"""The stage ``compress`` on small stores: with repeated points, without noise, killed and resumed, and its report."""

import json

import numpy as np
import pytest

from spinscape.config.load import study_from_data
from spinscape.errors import ConfigError, DataError, StoreError
from spinscape.learn import compression
from spinscape.learn.compressor_file import load_compressor
from spinscape.learn.generator_file import load_generator
from spinscape.plot.report import ReportContent, render_report
from spinscape.stages import collect, compress
from spinscape.stages.report_compression import compression_section_content
from spinscape.store.contracts import StoreHeader
from spinscape.store.seal import seal
from spinscape.store.write import WorkStore

NETWORK = {"kind": "dense", "dimensions": [2, 3], "n_epoch": 30, "n_component": 10, "width": 24, "batch_size": 16}
MODEL = {
    "kind": "compression",
    "arrays": ["signal"],
    "methods": {"components": {"kind": "pca", "dimensions": [1, 2, 5, 30]}, "net": NETWORK},
    "n_seed": 2,
}
SECTION = {
    "study": "demo",
    "signals": None,
    "name": "small",
    "model": MODEL,
    "replicas": True,
    "reciprocal": np.eye(3).tolist(),
}


def image(theta):
    x = np.linspace(0, 1, 8)
    return 2.0 + 1.8 * np.outer(np.sin(3 * theta[0] + 2 * x), np.cos(2 * theta[1] * x))


def make_index(folder, *, replicas, noise):
    rng = np.random.default_rng(4)
    theta = np.column_stack([rng.uniform(0, 1, (120, 2)), np.full(120, 0.7)])
    number = np.zeros(120, dtype=int)
    if replicas:
        theta = np.concatenate([theta, *[theta[:24]] * 3])
        number = np.concatenate([number, np.repeat([1, 2, 3], 24)])
    header = StoreHeader(
        study="demo",
        parameter_names=("J", "K", "D"),
        point_ids=tuple(f"{k:032x}" for k in rng.permutation(len(theta))),
        theta=theta,
        template={"signal": {"dims": ["h", "k"], "shape": [8, 8], "dtype": "float32", "unit": "", "coords": {}}},
        result_codes={"absent": 0, "done": 1},
        origin={"kind": "toy", "seed": 1, "code": "a"},
        replica=number,
    )
    store = WorkStore.create(folder / "w", header)
    for k, row in enumerate(theta):
        values = image(row) * (rng.gamma(20, 1 / 20, (8, 8)) if noise else 1.0)
        store.write(k, "done", arrays={"signal": values.astype(np.float32)})
    seal(store, folder / "b0000.zarr.zip", provenance={"n_rank": 1, "seconds": {"cpu_of_rank_0": 960.0}})
    collect.run([folder / "b0000.zarr.zip"], folder / "index.json")
    return folder / "index.json"


@pytest.fixture(scope="module")
def compressed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compressed")
    index = make_index(folder, replicas=True, noise=True)
    out = folder / "c.pt", folder / "g.pt", folder / "c.json"
    compress.run(SECTION, 7, index, *out, folder / "work")
    return folder, index, out


def test_errors_of_all_methods_against_other_runs(compressed):
    found = json.loads(compressed[2][2].read_text())
    assert found["n_train"] == 96 and found["n_held_out"] == 24 and len(found["rows"]) == 4 + 2 * 2
    assert found["sufficient"]["components"]["own"] == 30 > found["sufficient"]["components"]["held_out"]
    assert found["chosen"] in found["rows"] and len(found["statements"]) == 2


def test_the_generator_is_nearer_to_the_truth_than_four_runs(compressed):
    found = json.loads(compressed[2][2].read_text())["generator"]
    assert found["error"] < found["four_runs"] == found["one_run"] / 4
    assert found["simulation_seconds"] == 960.0 / 192
    made, about = load_generator(compressed[2][1])
    at = np.array([0.4, 0.6, 0.7])
    assert np.abs(made.predict(at)[0].reshape(8, 8) - image(at)).max() < 0.4
    assert about["study"] == "demo" and about["shapes"] == {"signal": [8, 8]}


def test_a_generator_may_rest_on_more_components_than_the_compressor(compressed, tmp_path):
    _, index, _ = compressed
    out = tmp_path / "c.pt", tmp_path / "g.pt", tmp_path / "c.json"
    methods = {"components": {"kind": "pca", "dimensions": [1, 2]}}
    section = {**SECTION, "model": {**MODEL, "methods": methods, "generator": {"components": 7}}}
    compress.run(section, 7, index, *out, tmp_path / "work")
    found = json.loads(out[2].read_text())
    assert load_compressor(out[0])[0].n_latent == found["chosen"]["n_latent"] == 2
    assert load_generator(out[1])[0].compressor.n_latent == found["generator"]["n_latent"] == 7
    before = json.loads(compressed[2][2].read_text())["generator"]
    # Processes leave the noise of more components out: it errs by no more, where a compressor would.
    assert found["generator"]["error"] < found["generator"]["four_runs"] and found["generator"]["n_settled"] == 24
    assert found["generator"]["settled_four_runs"] == pytest.approx(before["settled_four_runs"], rel=0.05)
    facts = compression_section_content(out[2]).facts
    assert facts["principal components that the generator rests on"] == "7"
    section["model"]["generator"] = {"components": 96}
    with pytest.raises(ConfigError, match="out of range") as caught:
        compress.run(section, 7, index, *out, tmp_path / "work")
    assert "generator.components" in caught.value.where


def test_the_compressor_is_that_of_its_row(compressed):
    made, about = load_compressor(compressed[2][0])
    chosen = json.loads(compressed[2][2].read_text())["chosen"]
    assert made.n_latent == chosen["n_latent"] and about["held_out_error"] == chosen["held_out"]


def test_a_stage_that_was_killed_goes_on_and_ends_alike(compressed, tmp_path, monkeypatch):
    _, index, out = compressed
    trained, row = [], compression.Trainer.row

    def killed(self, method, d, seed, held_out, **options):
        if len(trained) == 5:
            raise KeyboardInterrupt
        trained.append((method.name, d, seed))
        return row(self, method, d, seed, held_out, **options)

    again = tmp_path / "c.pt", tmp_path / "g.pt", tmp_path / "c.json"
    monkeypatch.setattr(compression.Trainer, "row", killed)
    with pytest.raises(KeyboardInterrupt):
        compress.run(SECTION, 7, index, *again, tmp_path / "work")
    (book,) = (tmp_path / "work").glob("*/rows.jsonl")
    book.write_text(book.read_text() + '{"method": "ne')
    trained.clear()
    compress.run(SECTION, 7, index, *again, tmp_path / "work")
    assert len(trained) == 3 and not book.parent.exists()
    expected, found = (json.loads(path.read_text()) for path in (out[2], again[2]))
    drop = ("seconds", "simulation_seconds")
    for one in (expected, found):
        one["rows"] = [{k: v for k, v in row.items() if k not in drop} for row in one["rows"]]
        for name in ("chosen", "generator"):
            one[name] = {k: v for k, v in one[name].items() if k not in drop}
    assert found == expected


def test_its_part_of_the_report(compressed):
    content = compression_section_content(compressed[2][2])
    page = render_report(ReportContent("demo", sections=(content,)))
    assert page.count("data:image/png") == 2 and "components: by the error on its training images" in page
    assert "of the mean of four simulations" in page and "times as much" in page and not content.warnings


def test_without_noise_the_simulation_is_its_own_truth(tmp_path):
    index = make_index(tmp_path, replicas=False, noise=False)
    methods = {"components": {"kind": "pca", "dimensions": [1, 6, 12]}}
    section = {**SECTION, "name": "exact", "model": {**MODEL, "methods": methods}, "replicas": False}
    compress.run(section, 7, index, tmp_path / "c.pt", tmp_path / "g.pt", tmp_path / "c.json", tmp_path / "work")
    found = json.loads((tmp_path / "c.json").read_text())
    assert 10 < found["n_held_out"] < 40 and found["rows"][-1]["held_out"] < 1e-3 < found["rows"][0]["held_out"]
    assert found["generator"]["one_run"] == 0.0 and compression_section_content(tmp_path / "c.json").facts


@pytest.mark.parametrize("replicas", [True, False])
def test_images_that_do_not_fit_in_memory_are_streamed(replicas, tmp_path, monkeypatch):
    """A batch at a time, here 16, and what comes of it is the same to the bit."""
    index = make_index(tmp_path, replicas=replicas, noise=replicas)
    net = {**NETWORK, "dimensions": [2], "n_epoch": 3, "n_component": 3}
    model = {**MODEL, "n_seed": 1, "methods": {"components": {"kind": "pca", "dimensions": [1, 2]}, "net": net}}
    monkeypatch.setattr("spinscape.learn.compressor._BATCH", 16)
    monkeypatch.setitem(compress.batches_of.__kwdefaults__, "size", 16)
    monkeypatch.setattr(compress, "BATCH", 16)
    read, sizes, found = compress.StudyStore.read_many, [], []

    def counted(store, name, indices):
        sizes.append(len(indices))
        return read(store, name, indices)

    monkeypatch.setattr(compress.StudyStore, "read_many", counted)
    for k, room in enumerate((2**30, 0)):
        monkeypatch.setattr(compress, "IN_MEMORY", room)
        out = [tmp_path / f"{k}.{end}" for end in ("pt", "g.pt", "json")]
        sizes.clear()
        compress.run({**SECTION, "model": model, "replicas": replicas}, 7, index, *out, tmp_path / "work")
        # What a generator leaves is read in batches of 256, which are all images here.
        assert sum(n > 20 for n in sizes) <= 2
        document = json.loads(out[2].read_text())
        rows = [{k: v for k, v in row.items() if k != "seconds"} for row in document["rows"]]
        found.append((rows, document["spaces"]["latents"], document["sufficient"]))
    assert found[0] == found[1] and len(sizes) > 30


def test_a_variational_network_states_the_errors_of_its_numbers(compressed, tmp_path):
    out = tmp_path / "c.pt", tmp_path / "g.pt", tmp_path / "c.json"
    methods = {"unsure": {**NETWORK, "kind": "variational", "dimensions": [2]}}
    compress.run({**SECTION, "model": {**MODEL, "methods": methods, "n_seed": 1}}, 7, compressed[1], *out, tmp_path)
    errors = json.loads(out[2].read_text())["spaces"]["errors"]
    assert all(0 < a < b for a, b in zip(errors["whole"], errors["half"], strict=True))
    assert (
        "half is missing" in compression_section_content(out[2]).facts["errors of the latent numbers over their spread"]
    )
    assert json.loads(compressed[2][2].read_text())["spaces"]["errors"] is None


def test_what_cannot_be_compared_is_refused(compressed, tmp_path):
    out = tmp_path / "c.pt", tmp_path / "g.pt", tmp_path / "c.json", tmp_path / "work"
    with pytest.raises(DataError, match="no array"):
        compress.run({**SECTION, "model": {**MODEL, "arrays": ["signals"]}}, 7, compressed[1], *out)
    few = {"wide": {"kind": "pca", "dimensions": [60, 100]}}
    with pytest.raises((DataError, ConfigError), match="latent dimensions"):
        compress.run({**SECTION, "model": {**MODEL, "methods": few}}, 7, compressed[1], *out)
    index = make_index(tmp_path, replicas=False, noise=True)
    with pytest.raises(DataError, match="held out"):
        compress.run(SECTION, 7, index, *out)
    (tmp_path / "c.json").write_text('{"contract": "compression/9"}')
    with pytest.raises(StoreError, match="another contract"):
        compression_section_content(tmp_path / "c.json")


def test_stores_of_other_studies_and_versions_are_refused(compressed, tmp_path):
    folder, index, _ = compressed
    out = tmp_path / "c.pt", tmp_path / "g.pt", tmp_path / "c.json", tmp_path / "work"
    with pytest.raises(StoreError, match="study"):
        compress.run({**SECTION, "study": "other"}, 7, index, *out)
    document = json.loads(index.read_text())
    old = folder / "old.json"
    old.write_text(json.dumps({**document, "contract": "collection/0"}))
    with pytest.raises(StoreError, match="contract"):
        compress.run(SECTION, 7, old, *out)


def damaged_index(folder, spoil):
    """A store some of whose images are spoilt."""
    index = make_index(folder, replicas=True, noise=True)
    with compress.StudyStore(index, replicas=True) as store:
        values = store.read_many("signal", np.arange(store.n_point))
        ids, theta, replica = store.ids, store.theta, store.replica
    header = StoreHeader("demo", ("J", "K", "D"), ids, theta, store.template, {"absent": 0, "done": 1},
                         {"kind": "toy", "seed": 1, "code": "a"}, replica=replica)  # fmt: skip
    work = WorkStore.create(folder / "w2", header)
    for k, image in enumerate(values):
        work.write(k, "done", arrays={"signal": spoil(k, image)})
    seal(work, folder / "b0000.zarr.zip", provenance={"n_rank": 1, "seconds": {"cpu_of_rank_0": 960.0}})
    collect.run([folder / "b0000.zarr.zip"], folder / "index.json")
    return index


def test_images_that_teach_nothing_are_refused(tmp_path):
    out = tmp_path / "c.pt", tmp_path / "g.pt", tmp_path / "c.json", tmp_path / "work"
    index = damaged_index(tmp_path, lambda k, image: np.where(np.eye(8) * (k == 5), np.nan, image).astype(np.float32))
    with pytest.raises(DataError, match="not finite") as caught:
        compress.run(SECTION, 7, index, *out)
    assert "signal, point 5" in caught.value.where and "8 of 64" in caught.value.got
    flat = tmp_path / "flat"
    flat.mkdir()
    index = damaged_index(flat, lambda k, image: np.ones((8, 8), np.float32))
    for kind in ({"kind": "pca", "dimensions": [2]}, NETWORK, {**NETWORK, "n_component": 0}):
        with pytest.raises(DataError, match="are the same"):
            compress.run({**SECTION, "model": {**MODEL, "methods": {"one": kind}}}, 7, index, *out)
    methods = {"one": {"kind": "pca", "dimensions": [2], "transform": {"kind": "standardised", "noise": "replicas"}}}
    with pytest.raises(DataError, match="no noise"):
        compress.run({**SECTION, "model": {**MODEL, "methods": methods}}, 7, index, *out)


def test_a_noisy_study_without_repeated_points_is_refused():
    from spinscape.config.load import read_yaml

    data = read_yaml("config/test/kitaev_phases.yaml")
    del data["replicas"]
    methods = {"components": {"kind": "pca", "dimensions": [1, 2]}, "net": NETWORK}
    data["learn"] = {"small": {**MODEL, "methods": methods, "arrays": ["signal_hk0"]}}
    with pytest.raises(ConfigError, match="noise") as caught:
        study_from_data(data)
    assert "learn.small" in caught.value.where and "replicas" in caught.value.fix
    data["replicas"] = {"share": 0.5}
    assert study_from_data(data).learn["small"].methods["net"].width == 24
    data["learn"]["small"]["methods"]["net"] = {**NETWORK, "transform": {"kind": "standardised", "noise": "replicas"}}
    assert study_from_data(data).learn["small"].methods["net"].transform.noise == "replicas"
    kept = data.pop("replicas")
    with pytest.raises(ConfigError, match="several times"):
        study_from_data(data)
    data["replicas"], data["phases"] = kept, {"map": {"arrays": ["signal_hk0"], "transform": {"noise": "replicas"}}}
    with pytest.raises(ConfigError, match="one run"):
        study_from_data(data)
    del data["phases"]
    data["learn"]["small"]["keep"] = "nets"
    with pytest.raises(ConfigError, match="no such method"):
        study_from_data(data)
    del data["learn"]["small"]["keep"]
    data["learn"]["small"]["arrays"] = ["signal_hk1"]
    with pytest.raises(ConfigError, match="hk1"):
        study_from_data(data)
