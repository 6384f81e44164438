"""Rounds of further points, on a tiny study: a static graph of jobs, and nothing that is simulated twice."""

import json
import re

import pytest

from spinscape.store.read import StudyStore

STUDY = "config/test/square_phases.yaml"
RESULTS = "results/square_phases_test"
N_GRID, N_POINT, N_ROUND = 36, 16, 2
ALL = {"model": 1, "simulate": 4, "collect": 1, "collect_round": 2, "phases": 1, "phases_round": 2, "choose": 2}
ALL |= {"plan_round": 2, "report": 1}


@pytest.fixture(scope="module")
def run(workflow):
    """Return the project after the study has run."""
    workflow.snakemake("--cores", "2", study=STUDY)
    return workflow


def rounds(project):
    return [json.loads((project.folder / RESULTS / f"rounds/{k}/points.json").read_text()) for k in (1, 2)]


def test_jobs_are_counted_before_any_point_is_chosen(project):
    assert project.jobs(study=STUDY) == ALL
    # Larger rounds are dealt into more batches.
    project.edit(STUDY, "points: 16", "points: 50")
    assert project.jobs(study=STUDY) == {**ALL, "simulate": 8, "plan_round": 6}


@pytest.mark.slow
def test_size_and_number_of_rounds_are_those_of_the_study(run):
    assert [len(one["theta"]) for one in rounds(run)] == [N_POINT, N_POINT]
    with StudyStore(run.folder / RESULTS / "collect" / "index.json") as store:
        assert store.n_point == N_GRID + N_ROUND * N_POINT
        there = {tuple(row) for row in store.theta.tolist()}
    assert {tuple(row) for one in rounds(run) for row in one["theta"]} < there
    assert run.jobs(study=STUDY) == {}


@pytest.mark.slow
def test_the_report_shows_the_rounds(run):
    page = (run.folder / RESULTS / "report.html").read_text()
    assert "Rounds of further points" in page and "2 rounds of 16 points each" in page
    assert re.search(rf"after round 2.*{N_GRID + N_ROUND * N_POINT} points", page, re.DOTALL)


@pytest.mark.slow
def test_points_that_are_chosen_again_are_not_simulated_again(run, tmp_path):
    again = run.copy(tmp_path / "project")
    before = rounds(again)
    batches = sorted((again.folder / RESULTS / "simulate").glob("r*.zarr.zip"))
    bits = [path.read_bytes() for path in batches]
    again.snakemake("--cores", "2", "--forcerun", "choose", study=STUDY)
    assert rounds(again) == before and [path.read_bytes() for path in batches] == bits
    logs = [(again.folder / RESULTS / f"logs/simulate/r{k}-0.log").read_text() for k in (1, 2)]
    assert all(f"all {N_POINT} points are there" in log for log in logs)


@pytest.mark.slow
def test_more_rounds_leave_the_first_ones_alone(run, tmp_path):
    longer = run.copy(tmp_path / "project")
    longer.edit(STUDY, "rounds: 2", "rounds: 3")
    new = ("collect_round", "phases_round", "choose", "plan_round", "simulate")
    assert longer.jobs(study=STUDY) == {**dict.fromkeys(new, 1), "collect": 1, "phases": 1, "report": 1}
