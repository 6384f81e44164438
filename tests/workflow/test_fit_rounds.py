"""Gaussian-process rounds with new simulations, a generator of them, and fits through it, end to end."""

import json

import numpy as np
import pytest

STUDY = "config/test/square_fit.yaml"
RESULTS = "results/square_fit_test"
TRUTH = {"J2": 0.31, "J3": 0.14}
"""Of the simulated measurement, meV."""


def test_jobs_are_counted_before_any_point_is_chosen(project):
    jobs = project.jobs(study=STUDY)
    assert {"choose": 2, "plan_round": 2, "collect_round": 2, "compress": 1, "fit": 3}.items() <= jobs.items()
    assert "phases_round" not in jobs


@pytest.mark.slow
def test_rounds_close_in_and_the_fit_through_the_generator_finds_the_couplings(workflow):
    workflow.snakemake("--cores", "2", study=STUDY)
    folder = workflow.folder / RESULTS
    away = []
    for number in (1, 2):
        points = json.loads((folder / f"rounds/{number}/points.json").read_text())
        away.append(np.median(np.linalg.norm(np.array(points["coordinates"]) - list(TRUTH.values()), axis=1)))
    # Even points of the box are 0.6 meV away in the median.
    assert away[1] < away[0] < 0.6
    found = json.loads((folder / "fits/robust.json").read_text())
    for name, truth in TRUTH.items():
        estimate = found["parameters"][name]
        methods = estimate["std_by_method"]
        assert abs(estimate["value"] - truth) < 4.0 * estimate["std"] < 0.15
        assert methods["surrogate"] > 0
        assert estimate["std"] == pytest.approx(np.hypot(methods[estimate["method"]], methods["surrogate"]))
    assert found["quality"]["trusted"]


@pytest.mark.slow
def test_spin_ice_at_three_temperatures_and_its_heat_capacity(workflow):
    """A Sobol grid does not fill the box of the fit; the lattice is tiny: errors are large, and told."""
    workflow.snakemake("--cores", "2", study="config/test/dy2ti2o7_fit.yaml")
    folder = workflow.folder / "results/dy2ti2o7_fit_test"
    assert (folder / "report.html").stat().st_size > 100_000
    kelvin, std = 0.08617333262, {}
    for fit in ("scattering", "joint"):
        found = json.loads((folder / f"fits/{fit}.json").read_text())
        for name, truth in {"J2": 0.03, "J3": -0.02, "J3p": 0.08}.items():
            estimate = found["parameters"][name]
            assert estimate["unit"] == "meV" and estimate["std_by_method"]["surrogate"] > 0
            std[fit, name] = estimate["std"] / kelvin
            assert abs(estimate["value"] / kelvin - truth) < 4.0 * std[fit, name]
    # J3' is what the scattering of ice knows; of J2 and J3 it knows J2 + 3 J3, the heat capacity more.
    assert std["scattering", "J3p"] < 0.01 < std["scattering", "J2"]
    assert std["joint", "J2"] < std["scattering", "J2"] and std["joint", "J3"] < std["scattering", "J3"]
