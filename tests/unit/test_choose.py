"""Rounds of further points: the choice, its file, the plans of its batches, and what is refused."""

import json
import sys
import types

import h5py
import numpy as np
import pytest

from spinscape.config import build
from spinscape.config.load import read_yaml, study_from_data
from spinscape.config.summary import summary
from spinscape.errors import ConfigError, StoreError
from spinscape.stages import choose, plan_round
from spinscape.stages.phases import PHASES
from spinscape.stages.plan import read_plan

N = 24
CIRCLE = {
    "grid": {
        "kind": "map",
        "axes": {"phi": {"first": 0.0, "last": 2 * np.pi * (N - 1) / N, "n": N}},
        "unit": "1.0 meV",
        "couplings": {"J": "cos(phi)", "K": "sin(phi)"},
    },
    "parameter_names": ["J", "K"],
    "couplings": {"J": None, "K": None},
    "module": "spinscape.stages.choose_by_phases",
}
REFINE = {"kind": "phases", "map": "map", "by": "phases", "rounds": 2, "points": 10, "spread": 0.0}
HEADER = {
    "study": "demo",
    "seed": 1,
    "kind": "toy",
    "settings": {"conditions": {"temperature": 6.0}},
    "parameter_names": ["J", "K"],
    "ranks_per_point": 1,
    "failed_fraction": 0.05,
}
TINY = "config/test/square_phases.yaml"


def write_map(path, *, contract=PHASES):
    """A map of a circle whose phases meet at 1.0 and across its end, at 6.2."""
    phi = np.linspace(0, 2 * np.pi * (N - 1) / N, N)
    with h5py.File(path, "w") as file:
        file.attrs["contract"] = contract
        file["coordinates"], file["phase"] = phi[:, None], ((phi > 1.0) & (phi < 6.2)).astype(int)
        file["label"] = (phi > 3.0).astype(int)
    return path


def run(tmp_path, number=1, refine=REFINE, **changes):
    section = {**CIRCLE, "refine": refine, **changes}
    out = tmp_path / f"points{number}.json"
    choose.run(section, 7, number, {"map": write_map(tmp_path / "map.h5")}, out)
    return out


def test_points_lie_at_the_boundaries_also_across_the_end_of_a_circle(tmp_path):
    found = choose.read_points(run(tmp_path))
    assert found.round == 1 and found.names == ("phi",) and found.coordinates.shape == (10, 1)
    np.testing.assert_array_equal(found.theta, np.column_stack([np.cos(found.coordinates), np.sin(found.coordinates)]))
    phi, step = found.coordinates[:, 0], 2 * np.pi / N
    assert np.all((phi >= 0) & (phi < 2 * np.pi))
    near = [np.abs((phi - edge + np.pi) % (2 * np.pi) - np.pi) < step for edge in (1.0, 6.2)]
    assert near[0].sum() >= 3 and near[1].sum() >= 3
    # By clusters another boundary counts.
    other = choose.read_points(run(tmp_path, refine={**REFINE, "by": "clusters"}))
    assert np.sum(np.abs(other.coordinates - 3.1) < step) >= 3


def test_a_round_is_a_function_of_its_map_and_number(tmp_path):
    first = run(tmp_path).read_bytes()
    assert run(tmp_path).read_bytes() == first
    assert json.loads(run(tmp_path, 2).read_text())["coordinates"] != json.loads(first)["coordinates"]


def test_batches_of_a_round_are_plans_like_any_other(tmp_path):
    points = run(tmp_path)
    plans = []
    for part in range(3):
        plan_round.run(HEADER, points, part, 4, tmp_path / f"r1-{part}.json")
        plans.append(read_plan(tmp_path / f"r1-{part}.json"))
    theta = np.concatenate([[point["theta"] for point in plan["points"]] for plan in plans])
    np.testing.assert_array_equal(theta, choose.read_points(points).theta)
    assert [len(plan["points"]) for plan in plans] == [4, 4, 2]
    with pytest.raises(ConfigError, match="do not make this batch"):
        plan_round.run(HEADER, points, 3, 4, tmp_path / "r1-3.json")


def test_a_chooser_must_keep_its_word(tmp_path):
    def with_chooser(found):
        module = types.ModuleType("a_chooser")
        module.choose = lambda section, seed, inputs: found
        sys.modules["a_chooser"] = module
        return run(tmp_path, module="a_chooser")

    try:
        for found in (np.zeros((9, 1)), np.full((10, 1), np.nan), np.zeros((10, 2))):
            with pytest.raises(StoreError, match="other points than"):
                with_chooser(found)
        with pytest.raises(StoreError, match="outside the grid's box"):
            with_chooser(np.full((10, 1), 7.0))
        assert len(choose.read_points(with_chooser(np.linspace(0, 6, 10)[:, None])).theta) == 10
    finally:
        sys.modules.pop("a_chooser", None)


def test_files_of_another_contract_are_refused(tmp_path):
    section = {**CIRCLE, "refine": REFINE}
    old = write_map(tmp_path / "old.h5", contract="phases/0")
    with pytest.raises(StoreError, match="another contract"):
        choose.run(section, 7, 1, {"map": old}, tmp_path / "x.json")
    with pytest.raises(StoreError, match="cannot be read"):
        choose.run(section, 7, 1, {"map": tmp_path / "none.h5"}, tmp_path / "x.json")
    (tmp_path / "bad.json").write_text('{"contract": "points/0"}')
    with pytest.raises(StoreError, match="another contract"):
        choose.read_points(tmp_path / "bad.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(StoreError, match="cannot be read"):
        choose.read_points(tmp_path / "bad.json")


def test_the_section_is_checked():
    data = read_yaml(TINY)
    study = study_from_data(data)
    assert build.refine_section(study)["module"] == "spinscape.stages.choose_by_phases"
    assert f"{study.refine.rounds} rounds of {study.refine.points} points" in summary(study)
    with pytest.raises(ConfigError, match="unknown map of phases 'mop'"):
        study_from_data({**data, "refine": {**data["refine"], "map": "mop"}})
    small = {"kind": "compression", "arrays": ["signal_hk0"], "methods": {"c": {"kind": "pca", "dimensions": [2]}}}
    latent = {"map": {**data["phases"]["map"], "latent": "small", "correlations": []}}
    with pytest.raises(ConfigError, match="cannot be chosen by latent numbers"):
        study_from_data({**data, "learn": {"small": small}, "phases": latent})
    flat = {"kind": "list", "points": [{"J2": "0 meV", "J3": "0 meV"}, {"J2": "1 meV", "J3": "0 meV"}]}
    with pytest.raises(ConfigError, match="no extent along J3"):
        study_from_data({**data, "grid": flat})
    with pytest.raises(ConfigError):
        study_from_data({**data, "refine": {**data["refine"], "points": 0}})
