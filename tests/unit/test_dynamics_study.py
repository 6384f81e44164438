"""Studies of dynamics: what the section becomes, what is refused and how, and the report that comes of a tiny one."""

import copy
from pathlib import Path

import numpy as np
import pytest
import yaml

from spinscape.cli import main
from spinscape.config import build
from spinscape.config.load import load_study, study_from_data
from spinscape.errors import ConfigError
from spinscape.stages import collect, model, movie, report, simulate
from spinscape.stages.plan import write_plan

CONFIG = Path(__file__).parents[2] / "config"
STUDY = CONFIG / "test" / "rb2mnf4.yaml"
GOOD = yaml.safe_load(STUDY.read_text())
NAMES = ("rb2mnf4", "kitaev_heisenberg", "gamma_honeycomb")


def edited(changes):
    data = copy.deepcopy(GOOD)
    for place, value in changes.items():
        *parents, last = place.split("/")
        node = data
        for key in parents:
            node = node[key]
        if value is None:
            del node[last]
        else:
            node[last] = value
    return data


OFF = {"paths/zone/points": [4, 3, 3, 5]}
EASY = {"simulate/integrator": "suzuki_trotter_2", "grid/points": [{"J": "0.6544 meV", "D": "-40 meV"}]}
FALLING = {"kind": "interpolated", "low": "9 K", "high": "2 K"}
BAD = {
    "time step too large": ({"simulate/dt": "0.5 ps", "simulate/frequency_error": None}, "simulate.dt", "at most"),
    "dt and error": ({"simulate/dt": "0.01 ps"}, "simulate", "either dt or frequency_error"),
    "window beyond the sampling": ({"simulate/stride": 400}, "simulate.stride", "samples at most"),
    "too few samples": ({"simulate/samples": 8}, "simulate.samples", "too short"),
    "path off the grid": ({**OFF, "simulate/between": None}, "simulate.between", "between: linear"),
    "a temperature to show that is not there": ({"simulate/shown": ["5 K"]}, "simulate.shown", "one of 21.3 K"),
    "no temperature": (
        {"simulate/temperatures": None, "simulate/shown": None}, "simulate.temperatures", "thermal states need",
    ),
    "nothing asked": ({"simulate/paths": [], "simulate/volumes": None}, "simulate", "paths or volumes"),
    "too small a supercell": ({"simulate/supercell": [1, 1, 1]}, "simulate", "supercell"),
    "structure does not fit": ({"simulate/supercell": [9, 9, 1]}, "simulate.supercell", "whole magnetic cells"),
    "blocks": ({"simulate/block": 2}, "simulate.block", "two blocks"),
    "lengths": ({"simulate/length": FALLING}, "simulate.length", "low < high"),
    "move": ({"simulate/start/moves": [{"kind": "flip"}]}, "simulate.moves", "flip"),
    "integrator on a GPU": ({"simulate/integrator": "midpoint", "simulate/gpu": True}, "simulate.integrator", "GPU"),
    "unknown weighting": ({"simulate/weighting": "bose"}, "simulate.weighting", "detailed_balance"),
    "easy axis too strong for the step": (
        {**EASY, "simulate/dt": "0.02 ps", "simulate/frequency_error": None}, "simulate.dt", "fields reach",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_mistakes_are_named_with_their_place(case):
    changes, where, text = BAD[case]
    with pytest.raises(ConfigError) as found:
        study_from_data(edited(changes), source="study.yaml")
    assert where in str(found.value)
    assert text in str(found.value)


def test_nearest_wave_vectors_are_named():
    with pytest.raises(ConfigError, match=r"\(0\.5 0\.3333 0\) → \(0\.5 0\.375 0\)"):
        study_from_data(edited({**OFF, "simulate/between": None}), source="study.yaml")
    study_from_data(edited(OFF), source="study.yaml")


def test_dipoles_and_the_integrator_that_cannot_take_them():
    changes = {"hamiltonian": [*GOOD["hamiltonian"], {"kind": "dipolar", "value": "D"}]}
    with pytest.raises(ConfigError) as found:
        study_from_data(edited(changes), source="study.yaml")
    assert "simulate.integrator: suzuki_trotter_2" in str(found.value)
    assert "midpoint" in str(found.value)


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_plain_and_read_back(name):
    study = load_study(CONFIG / "test" / f"{name}.yaml")
    header = build.plan_header(study)
    assert header["kind"] == "dynamics"
    assert study.simulate.module == "spinscape.simulate.dynamics_simulator"
    again = type(study.simulate).model_validate(study.section("simulate"))
    assert again == study.simulate
    assert f"{study.simulate.start.states} trajectories" in study.simulate.summary(study)


def test_full_studies_are_valid():
    for name in (*NAMES, "kitaev_dimers", "kitaev_points"):
        load_study(CONFIG / "studies" / f"{name}.yaml")


@pytest.mark.parametrize("name", NAMES)
def test_a_tiny_study_from_end_to_end(name, tmp_path):
    study = load_study(CONFIG / "test" / f"{name}.yaml")
    model.run(build.model_section(study), tmp_path / "model.json")
    batches = write_plan(
        tmp_path / "plan", build.plan_header(study), build.grid_points(study), study.simulate.batch_size
    )
    files = [tmp_path / f"{batch}.zarr.zip" for batch in batches]
    for batch, file in zip(batches, files, strict=True):
        counts = simulate.run(tmp_path / "model.json", tmp_path / "plan" / f"{batch}.json", tmp_path / "work", file)
        assert counts["done"] == sum(counts.values())
    collect.run(files, tmp_path / "index.json")
    section = build.report_section(study)
    report.run(section, tmp_path / "index.json", tmp_path / "model.json", [], [], [], tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    for text in (
        "S(Q, ω)",
        "Sum over the zone",
        "largest drift of the energy",
        "width over energy",
        "detailed balance",
    ):
        assert text in page or text.replace(" ", "_") in page
    assert page.count("<figure>") >= 4


def test_a_movie(tmp_path, capsys, monkeypatch):
    output = tmp_path / "movie.gif"
    arguments = ["movie", str(CONFIG / "test" / "rb2mnf4.yaml"), "--bands", "0", "3", "7", "--frames", "4"]
    assert main([*arguments, "--duration", "1", "--output", str(output)]) == 0
    assert output.read_bytes()[:6] in (b"GIF89a", b"GIF87a")
    assert "3 to 7 meV: power" in capsys.readouterr().out
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert main([*arguments, "--output", str(tmp_path / "movie.mp4")]) == 2
    assert "ffmpeg" in capsys.readouterr().err
    assert main(["movie", str(CONFIG / "test" / "gamma_honeycomb.yaml"), "--bands", "0", "1"]) == 2
    assert "declare the state" in capsys.readouterr().err


def test_a_disturbed_state_keeps_lengths_and_turns_one_spin():
    study = load_study(STUDY)
    system, spins, _ = movie.prepared(study)
    out = movie.disturbed(system, spins, spin=5, turn=60.0, tilt=1e-3, generator=np.random.default_rng(1))
    np.testing.assert_allclose(np.linalg.norm(out, axis=1), 2.5)
    cosine = np.sum(out * spins, axis=1) / 6.25
    assert cosine[5] == pytest.approx(0.5, abs=1e-9)
    assert np.delete(cosine, 5).min() > 1.0 - 1e-4
    assert np.delete(cosine, 5).max() < 1.0
    with pytest.raises(ConfigError, match="no such spin"):
        movie.disturbed(system, spins, spin=10**6, turn=60.0, tilt=0.0, generator=np.random.default_rng(1))
