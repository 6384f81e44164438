"""Objectives and searches as studies declare them, through the stage that fits: what a YAML says is what is done."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from spinscape.config import build
from spinscape.config.load import study_from_data
from spinscape.errors import FitError
from spinscape.stages import compare, fit, fit_arrays, measurement, model, objective_sum
from spinscape.stages.fit_job import Job

ROOT = Path(__file__).parents[2]
BASE = yaml.safe_load((ROOT / "config" / "test" / "la2nio4.yaml").read_text(encoding="utf-8"))
BASE |= {"learn": {}, "comparisons": {}}
TRUTH = np.array([29.6, 1.8])
PLAIN = {
    "measurements": ["path1"], "forward": {"kind": "spinwave"}, "objective": {"kind": "likelihood"},
    "strategy": {"kind": "grid_start", "n_point": 16, "n_refine": 1}, "landscape": 0,
    "box": {"J": ["28 meV", "31 meV"], "Jp": ["0 meV", "3 meV"]},
    "uncertainty": {"hessian": False, "information": True},
}  # fmt: skip


def study(**fits):
    data = copy.deepcopy(BASE)
    second = copy.deepcopy(data["measurements"]["path1"])
    second |= {"path": "path2", "conditions": {"temperature": "60 K"}}
    second["signal"]["file"] = "la2nio4_test/other.csv"
    data["measurements"] = {
        "path1": data["measurements"]["path1"],
        "warm": second,
        "can": data["measurements"]["path1"],
    }
    data["fits"] = {name: {**PLAIN, **changes} for name, changes in fits.items()}
    return study_from_data(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model and two simulated measurements; the third stands for an empty can."""
    out, plain = tmp_path_factory.mktemp("kinds"), study(a={})
    model.run(build.model_section(plain), out / "model.json")
    for name in plain.measurements:
        section = build.measurement_section(plain, name)
        measurement.run(section, name, out / "model.json", plain.seed, None, out / f"{name}.h5")
    return out


def job_of(one, folder, name):
    files = {key: folder / Path(path).name for key, path in build.fit_files(one, name).items()}
    paths = [folder / f"{m}.h5" for m in one.fits[name].measurements]
    return Job(build.fit_section(one, name), folder / "model.json", paths, files, one.seed)


OBJECTIVES = {
    "likelihood": ({"kind": "likelihood"}, "poisson"),
    "poisson": ({"kind": "poisson", "background": {"constant": "row_segment"}}, "poisson"),
    "poisson, estimated": ({"kind": "poisson", "counts_per_unit": "estimate"}, "poisson"),
    "gaussian": (
        {"kind": "gaussian", "background": {"constant": "none", "degree": [1, 0], "decays": ["35 meV"]}},
        "gaussian",
    ),
    "student": ({"kind": "student", "nu": 3}, "student_t"),
}


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_likelihood_has_its_minimum_at_the_truth(folder, name):
    declared, law = OBJECTIVES[name]
    one = study(a={"objective": declared})
    problem, box = job_of(one, folder, "a").problem(one.fits["a"])
    here = problem(TRUTH)
    for step in ([0.3, 0.0], [0.0, 0.2], [-0.3, 0.0], [0.0, -0.2]):
        assert problem(TRUTH + step) > here + 10
    assert problem.objective.sets[0].law.kind == law and box.names == ("J", "Jp")


def test_a_sum_has_an_objective_for_each_measurement_at_its_own_conditions(folder):
    terms = [
        {"measurements": ["warm"], "objective": {"kind": "student"}, "weight": 0.5},
        {"measurements": ["path1"], "objective": {"kind": "poisson"}},
    ]
    one = study(a={"measurements": ["path1", "warm"], "objective": {"kind": "weighted_sum", "terms": terms}})
    job = job_of(one, folder, "a")
    problem, _ = job.problem(one.fits["a"])
    kinds = {t.measurements: (t.objective.kind, t.weight) for t in problem.objective.terms}
    assert kinds == {(1,): ("student", 0.5), (0,): ("poisson", 1.0)}
    assert [m.conditions.temperature for m in job.measured] == [6.0, 60.0]
    assert "spinscape.stages.objective_likelihood" in build.fit_modules(one, "a")


def test_a_sum_of_likelihoods_has_a_freer_one_and_is_clipped(folder):
    terms = [
        {"measurements": ["warm"], "objective": {"kind": "gaussian"}, "weight": 0.5},
        {"measurements": ["path1"], "objective": {"kind": "poisson", "background": {"least_counts": 0}}},
    ]
    more = {"clip": {}, "uncertainty": {"information": True, "freer_background": "row_segment"}, "landscape": 0}
    one = study(a={"measurements": ["path1", "warm"], "objective": {"kind": "weighted_sum", "terms": terms}, **more})
    job = job_of(one, folder, "a")
    plain = job.problem(one.fits["a"])[0].objective
    freer = objective_sum.freer(one.fits["a"].objective, job, job.measured, "row_segment")
    for a, b in zip(plain.terms, freer.terms, strict=True):
        assert a.weight == b.weight and len(b.objective.sets[0].groups.start) > 2 * len(
            a.objective.sets[0].groups.start
        )
    options = fit._uncertainty(one.fits["a"], job, job.measured)
    assert options.freer.kind == "weighted_sum"


def test_a_measured_background_is_read_and_must_cover_the_measurement(folder):
    background = {"constant": "none", "degree": [0, 0], "empty": ["can"]}
    one = study(a={"objective": {"kind": "gaussian", "background": background}})
    assert build.fit_files(one, "a") == {"empty:can": "measurements/can.h5"}
    problem, _ = job_of(one, folder, "a").problem(one.fits["a"])
    # The constant, and the can.
    assert len(problem.objective.sets[0].columns) == 2
    other = study(a={"measurements": ["warm"], "objective": {"kind": "gaussian", "background": background}})
    job = job_of(other, folder, "a")
    warm = job.measured[0]
    object.__setattr__(warm, "valid", np.ones(warm.shape, bool))
    with pytest.raises(FitError, match="does not cover"):
        job.problem(other.fits["a"])


@pytest.mark.slow
def test_a_whole_fit_and_a_comparison_are_written(folder):
    changes = {
        "uncertainty": {"information": True, "jackknife": 2, "freer_background": "row_segment",
                        "line_shape": {"fwhm": "10 meV"}, "profile": True},
        "clip": {}, "region": 5, "modes": {"X": [0.5, 0, 0]},
        "variants": [{"label": "robust", "change": {"objective": {"kind": "student"}}}],
    }  # fmt: skip
    smaller = {"box": {"J": ["25 meV", "31 meV"]}, "fixed": {"Jp": "0 meV"}}
    one = study(a=changes, b=smaller)
    for name in ("a", "b"):
        files = folder / f"{name}.json", folder / f"{name}.arrays.h5"
        fit.run(build.fit_section(one, name), name, folder / "model.json", [folder / "path1.h5"], {}, one.seed, *files)
    found = json.loads((folder / "a.json").read_text())
    for name, truth in zip(("J", "Jp"), TRUTH, strict=True):
        estimate = found["parameters"][name]
        assert abs(estimate["value"] - truth) < 4 * estimate["std"]
        assert set(estimate["std_by_method"]) == {"hessian", "information", "jackknife", "robust", "shaped"}
        assert estimate["intervals"]["profile"]["68"][0] < estimate["value"] < estimate["intervals"]["profile"]["68"][1]
    assert found["objective"]["shown"]["path1"]["quantity"] == "signal" and found["variants"][0]["error"] is None
    names, x, _, excess = fit_arrays.read_region(folder / "a.arrays.h5")
    assert names == ("J", "Jp") and x.shape == excess.shape == (5, 5) and excess.min() == pytest.approx(0, abs=0.05)
    section = {"comparison": {"fits": ["a", "b"], "block": [6, 8], "n_fold": 4}}
    section["fits"] = {name: build.fit_section(one, name) for name in ("a", "b")}
    fits = [folder / "a.json", folder / "b.json"]
    output = folder / "comparison.json"
    compare.run(section, "c", folder / "model.json", [folder / "path1.h5"], fits, [{}, {}], one.seed, output)
    assert json.loads(output.read_text())["preferred"] == "a"


def test_peaks_of_a_path_give_the_couplings_roughly(folder):
    one = study(a={"objective": {"kind": "peaks", "fwhm": "10 meV", "n_row": 1}, "uncertainty": {}})
    files = folder / "peaks.json", folder / "peaks.h5"
    fit.run(build.fit_section(one, "a"), "a", folder / "model.json", [folder / "path1.h5"], {}, one.seed, *files)
    found = json.loads((folder / "peaks.json").read_text())
    # Wide lines lean where a band bends: positions are off by more than their errors.
    assert abs(found["parameters"]["J"]["value"] - 29.6) < 1.0 and found["quality"]["n_peak"] > 10
