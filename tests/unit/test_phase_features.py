"""What a map of phases compares: latent numbers in units of the image, further observables by weight; its labels."""

import json
from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from spinscape.config.load import read_yaml, study_from_data
from spinscape.errors import ConfigError, DataError, StoreError
from spinscape.learn.autoencoder import AutoencoderSettings
from spinscape.learn.compressor import fit_pca
from spinscape.learn.compressor_file import save_compressor
from spinscape.learn.images import Transform
from spinscape.learn.train_compressor import fit_autoencoder
from spinscape.plot.report import ReportContent, render_report
from spinscape.stages import phases
from spinscape.stages.phase_features import group_labels, groups_of, latent_features, with_companions
from spinscape.stages.report_phases import phase_section_content

N, N_VOXEL = 60, 20
SMALL = {"n_latent": 1, "n_component": 4, "width": 16, "n_epoch": 120, "batch_size": 8}


@pytest.fixture
def store():
    """Two orders over a line of couplings, told apart by an image, a heat capacity and two order parameters."""
    rng = np.random.default_rng(2)
    kind = (np.arange(N) >= 25).astype(int)
    image = 2.0 + 3.0 * np.eye(2)[kind].repeat(N_VOXEL // 2, axis=1) + 0.05 * rng.normal(size=(N, N_VOXEL))
    moment = np.zeros((2, N, 2, 4))
    moment[0, kind == 0, 1, 0], moment[1, kind == 1, 1, 0] = 0.9, 0.7
    arrays = {
        "signal": image.astype(np.float32),
        "heat_capacity": np.column_stack([kind + 0.1 * rng.normal(size=N), np.ones(N)]),
        "order_neel": moment[0],
        "order_stripe": moment[1],
        "order_neel_error": 0.0 * moment[0],
        "flat": np.ones((N, 1)),
    }
    temperature = {"temperature": {"dims": ["temperature"], "values": [2.0, 0.5], "unit": "K"}}
    template = {
        n: {"shape": list(a.shape[1:]), "coords": temperature if "order" in n else {}} for n, a in arrays.items()
    }
    return SimpleNamespace(
        template=template, n_point=N, study="demo", arrays=arrays, kind=kind,
        read_many=lambda name, index: arrays[name][np.asarray(index)],
    )  # fmt: skip


def test_distances_of_latent_numbers_are_those_of_images(store, tmp_path):
    pca = fit_pca(store.arrays["signal"], n_latent=3)
    save_compressor(tmp_path / "c.pt", pca, metadata={"study": "demo", "arrays": ["signal"]})
    declared = SimpleNamespace(arrays=("signal",), latent="small")
    found = latent_features(store, store, declared, tmp_path / "c.pt")
    np.testing.assert_allclose(found, pca.encode(store.arrays["signal"]), rtol=1e-6)
    # A network's numbers have sizes of their own: those of the features are of the images that it sees.
    logarithm, settings = Transform("log1p"), AutoencoderSettings(**SMALL)
    made, _ = fit_autoencoder(store.arrays["signal"], settings, seed=1, transform=logarithm)
    save_compressor(tmp_path / "c.pt", made, metadata={"study": "demo", "arrays": ["signal"]})
    line = latent_features(store, store, declared, tmp_path / "c.pt")[:, 0]
    seen = logarithm.forward(store.arrays["signal"].astype(float))
    between = np.linalg.norm(seen[store.kind == 0].mean(axis=0) - seen[store.kind == 1].mean(axis=0))
    apart = abs(line[store.kind == 0].mean() - line[store.kind == 1].mean())
    assert 0.5 * between < apart < 2.0 * between


def test_a_compressor_of_something_else_is_refused(store, tmp_path):
    pca = fit_pca(store.arrays["signal"], n_latent=3)
    declared = SimpleNamespace(arrays=("signal",), latent="small")
    for about in ({"study": "other", "arrays": ["signal"]}, {"study": "demo", "arrays": ["pairs"]}):
        save_compressor(tmp_path / "c.pt", pca, metadata=about)
        with pytest.raises(StoreError, match="something else"):
            latent_features(store, store, declared, tmp_path / "c.pt")
    with pytest.raises(DataError, match="needs a compressor"):
        latent_features(store, store, declared, None)


def test_each_observable_has_its_weight(store):
    image = store.arrays["signal"]
    found = with_companions(image, store, {"heat_capacity": 0.25, "order_neel": 4.0})
    parts = np.split(found, [N_VOXEL, N_VOXEL + 2], axis=1)
    np.testing.assert_allclose([part.var(axis=0).sum() for part in parts], [1.0, 0.25, 4.0], rtol=1e-6)
    assert with_companions(image, store, {}) is image
    with pytest.raises(DataError, match="same at all points"):
        with_companions(image, store, {"flat": 1.0})
    with pytest.raises(DataError, match="no array 'entropy'"):
        with_companions(image, store, {"entropy": 1.0})
    store.arrays["heat_capacity"][3] = np.nan
    with pytest.raises(DataError, match="not finite"):
        with_companions(image, store, {"heat_capacity": 1.0})


def test_groups_bear_the_names_of_their_order(store):
    assert group_labels(store, store.kind, 2) == [["neel"], ["stripe"]]
    # A crossover in neither, and a group of both halves, of which neither is more than half ordered.
    mixed = np.where(np.arange(N) % 2, 0, -1)
    assert group_labels(store, np.zeros(N, int), 1)[0] == ["stripe"] and group_labels(store, mixed, 1) == [["stripe"]]


def test_clusters_are_drawn_where_no_jump_makes_phases():
    one = SimpleNamespace(n_phase=1, phase=np.zeros(4, int), label=np.array([0, 0, 1, 1]))
    two = SimpleNamespace(n_phase=2, phase=np.array([0, 0, 1, -1]), label=np.array([0, 0, 1, 1]))
    assert groups_of(one)[1:] == (2, "clusters") and groups_of(two)[1:] == (2, "phases")
    assert groups_of(one)[0].tolist() == [0, 0, 1, 1] and groups_of(two)[0].tolist() == [0, 0, 1, -1]


def test_a_map_of_latent_numbers_says_so(tmp_path):
    from .test_phases_stage import SECTION, index

    path = index.__wrapped__(tmp_path)
    with phases.StudyStore(path) as known:
        signal = known.read_many("signal", np.arange(known.n_point)).reshape(known.n_point, -1)
    pca = fit_pca(signal, n_latent=2, transform=Transform("log1p"))
    save_compressor(tmp_path / "c.pt", pca, metadata={"study": "demo", "arrays": ["signal"]})
    declared = {"arrays": ["signal"], "latent": "small", "beside": {"energy": 0.05}}
    out = tmp_path / "m.json", tmp_path / "m.h5"
    phases.run({**SECTION, "phases": declared}, 3, path, *out, compressor=tmp_path / "c.pt")
    found = json.loads(out[0].read_text())
    assert found["n_phase"] == 2 and found["labels"] == [[], []]
    with h5py.File(out[1]) as file:
        assert file["latent"].shape[1] == 2
    page = render_report(ReportContent("demo", sections=(phase_section_content(*out),)))
    assert "latent numbers of signal by the compressor small, with energy" in page


def test_a_map_of_a_compressor_that_is_not_declared_is_refused():
    data = read_yaml("config/test/kitaev_phases.yaml")
    data["phases"]["map"]["latent"] = "small"
    assert study_from_data(data).phases["map"].latent == "small"
    data["phases"]["map"]["latent"] = "big"
    with pytest.raises(ConfigError, match="no such compressor") as caught:
        study_from_data(data)
    assert "phases.map.latent" in caught.value.where and "small" in caught.value.expected
