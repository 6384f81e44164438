"""The network of the default study: what it must reach, and its fit of the measured map beside the direct one."""

import importlib.util
import json
import os
from pathlib import Path

import numpy as np
import pytest

from spinscape.config import build
from spinscape.config.load import load_study
from spinscape.learn.checkpoint import save_siren
from spinscape.learn.siren import SirenSettings
from spinscape.learn.train_siren import TrainSettings, train_siren
from spinscape.stages import fit, measurement, model

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("SPINSCAPE_DATA", ROOT.parent / "shared" / "data"))
# A third of the steps of the study: enough for 0.99; the benchmark measures the rest by CPU time.
N_STEP = 12_000

pytestmark = pytest.mark.slow


def benchmark():
    """Return the benchmark's module: spectra, fresh couplings and refits are made in one place."""
    spec = importlib.util.spec_from_file_location("benchmark_siren", ROOT / "benchmarks" / "siren.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def study():
    return load_study(ROOT / "config" / "studies" / "la2nio4.yaml")


@pytest.fixture(scope="module")
def trained(study):
    store = benchmark().SimulatedSpectra(study)
    section, box = study.learn["siren"], {name: tuple(pair) for name, pair in study.grid.box.items()}
    result = train_siren(
        store,
        settings=SirenSettings(width=section.width, hidden_layers=section.hidden_layers),
        train=TrainSettings(n_train=section.n_train, n_step=N_STEP, batch_size=section.batch_size),
        seed=study.seed,
        box=box,
        progress=False,
        device="cpu",
    )
    return store, box, result


def test_held_out_spectra_are_explained_by_few_numbers(trained):
    _, _, result = trained
    assert result.net.n_weight <= 20_000
    assert len(result.metrics["theta"]) == 200
    assert result.metrics["r2"] >= 0.99


def test_couplings_come_back_through_the_network(trained, study):
    store, box, result = trained
    tools = benchmark()
    truths = tools.fresh_couplings(store, box, seed=study.seed)[:12]
    found, _ = tools.refit(result.net, store, box, truths)
    errors = np.abs(found[:, 0] - truths[:, 0])
    # Energy labels are bin centres: a half-bin mistake would move every J by 0.15 meV.
    assert np.median(errors) <= 0.08
    assert errors.max() <= 0.3


def test_the_networks_fit_of_the_measured_map_is_the_direct_one(trained, study, tmp_path):
    if not (DATA / "la2nio4" / "Sqw_path1.csv").is_file():
        pytest.skip("the measured La2NiO4 data are not at hand (SPINSCAPE_DATA)")
    save_siren(tmp_path / "siren.pt", trained[2].net)
    model.run(build.model_section(study), tmp_path / "model.json")
    section = build.measurement_section(study, "path1")
    measurement.run(section, "path1", tmp_path / "model.json", study.seed, DATA, tmp_path / "path1.h5")
    found = {}
    for name in ("siren", "siren_check"):
        paths = [tmp_path / f"{name}.json", tmp_path / f"{name}.h5"]
        fit.run(
            build.fit_section(study, name), name, tmp_path / "model.json", [tmp_path / "path1.h5"],
            {"siren": tmp_path / "siren.pt"}, study.seed, *paths,
        )  # fmt: skip
        result = json.loads(paths[0].read_text())
        found[name] = {coupling: entry["value"] for coupling, entry in result["parameters"].items()}
    assert abs(found["siren"]["J"] - found["siren_check"]["J"]) <= 0.15
    assert abs(found["siren"]["Jp"] - found["siren_check"]["Jp"]) <= 0.10
