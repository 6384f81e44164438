"""The tiny study from end to end on a real Slurm of one node, as the README says it; started by tests/slurm/run.sh."""

import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from spinscape.stages import simulate
from spinscape.store.read import StudyStore, open_batch

RESULTS = "results/la2nio4_test"
ROUNDS, ROUNDS_RESULTS = "config/test/square_phases.yaml", "results/square_phases_test"
# The plugin's defaults suit a real cluster; here nothing remembers a job but squeue, and jobs take seconds.
TEST_CLUSTER = (
    "--slurm-status-command=squeue",
    "--slurm-init-seconds-before-status-checks=5",
    "--latency-wait=10",
    "--slurm-keep-successful-logs",
)

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif("SLURM_CONF" not in os.environ, reason="no Slurm: run `make test-slurm`"),
]


@pytest.fixture(scope="module")
def run(workflow, tmp_path_factory):
    """Return the project after `snakemake --profile slurm`, and what that said."""
    home = tmp_path_factory.mktemp("home")
    workflow.environment.update(HOME=str(home), PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    workflow.environment.pop("XDG_CONFIG_HOME", None)
    # The README's one line.
    workflow.command(
        ["sh", "-c", 'mkdir -p ~/.config/snakemake && ln -s "$PWD/profiles/slurm" ~/.config/snakemake/slurm']
    )
    done = workflow.snakemake("--profile", "slurm", "--printshellcmds", *TEST_CLUSTER, timeout=900)
    return workflow.folder, done.stdout


def test_the_report_is_made(run):
    folder, _ = run
    page = (folder / RESULTS / "report.html").read_text()
    assert "</html>" in page and "la2nio4_test" in page


def test_every_point_is_done_by_two_ranks(run):
    folder, text = run
    store = StudyStore(folder / RESULTS / "collect" / "index.json")
    assert (store.n_point, set(np.asarray(store.state).tolist())) == (24, {1})
    logs = [path.read_text() for path in (folder / RESULTS / "logs" / "simulate").glob("*.log")]
    assert len(logs) == 2 and all("12 of 12 points to do on 2 ranks" in log for log in logs)
    assert text.count("srun --mpi=pmi2 -K -n 2 python -m mpi4py -m spinscape.stages.simulate") == 2


def test_slurm_ran_the_batches(run):
    _, text = run
    submitted = set(re.findall(r"SLURM jobid (\S+)", text)) | set(re.findall(r"jobid '(\d+)'", text))
    assert len(submitted) >= 2, text


def test_values_are_those_of_one_process(run, tmp_path):
    folder, _ = run
    batch = next((folder / RESULTS / "simulate").glob("*.zarr.zip"))
    plan = folder / RESULTS / "plan" / f"{batch.name.removesuffix('.zarr.zip')}.json"
    alone = tmp_path / "alone.zarr.zip"
    simulate.run(folder / RESULTS / "model.json", plan, tmp_path / "work", alone)
    with open_batch(batch) as one, open_batch(alone) as other:
        assert one.header.point_ids == other.header.point_ids
        for name in one.header.template:
            for point in range(one.header.n_point):
                assert np.array_equal(one.read(name, point), other.read(name, point))


@pytest.fixture(scope="module")
def rounds(run, workflow):
    """Return the folder of a study with two rounds of further points, and what `snakemake --profile slurm` said."""
    done = workflow.snakemake("--profile", "slurm", "--printshellcmds", *TEST_CLUSTER, study=ROUNDS, timeout=900)
    return workflow.folder / ROUNDS_RESULTS, done.stdout


def test_points_of_rounds_are_chosen_and_simulated_by_slurm(rounds):
    folder, text = rounds
    chosen = [json.loads((folder / f"rounds/{k}/points.json").read_text())["theta"] for k in (1, 2)]
    with StudyStore(folder / "collect" / "index.json") as store:
        assert (store.n_point, set(np.asarray(store.state).tolist())) == (36 + 2 * 16, {1})
        there = {tuple(row) for row in store.theta.tolist()}
    assert all(len(one) == 16 and {tuple(row) for row in one} < there for one in chosen)
    # Two batches of the grid and one of each round, on two ranks each.
    assert text.count("srun --mpi=pmi2 -K -n 2 python -m mpi4py -m spinscape.stages.simulate") == 4
    assert len(set(re.findall(r"SLURM jobid (\S+)", text)) | set(re.findall(r"jobid '(\d+)'", text))) >= 4


def test_a_second_call_finds_nothing_to_do(rounds, workflow):
    assert workflow.jobs(study=ROUNDS) == {}
