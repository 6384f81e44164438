"""Batches, ranks, kills and full disks: the same points have the same bits, and nothing that is done is done again."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model
from spinscape.lattice.crystal import Crystal
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.simulate.protocol import RESULT_CODE
from spinscape.simulate.spinwave import SpinwaveSettings, SpinwaveSimulator
from spinscape.stages import collect, simulate
from spinscape.stages.plan import read_plan, write_plan
from spinscape.store.read import StudyStore
from spinscape.store.write import WorkStore

TOY = Path(__file__).parent / "toy_batch.py"
MPIEXEC = Path(sys.executable).parent / "mpiexec"
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


def square_lattice():
    """Néel order on a square lattice with two couplings: stable for J > 0 and Jp < J / 2."""
    vectors = np.diag([4.0, 4.0, 12.0])
    crystal = Crystal(
        vectors, [[0, 0, 0]], ("Ni",), [0], [1.0], ("Ni2+",), [2 * np.eye(3)], [np.eye(3)], np.zeros((1, 3))
    )
    offsets = [[1, 0, 0], [0, 1, 0], [1, 1, 0], [1, -1, 0]]
    bonds = BondTable([0] * 4, [0] * 4, offsets, [0, 0, 1, 1], [np.eye(3)] * 4)
    structure = MagneticStructure(
        [[1, 1, 0], [1, -1, 0], [0, 0, 1]], [0, 0], [[0, 0, 0], [1, 0, 0]], [[0, 0, 1], [0, 0, -1]]
    )
    return Model(crystal, ("J", "Jp"), bonds), structure


def spinwave_settings():
    model, _ = square_lattice()
    path = path_through(
        [[0.5, 0.5, 0], [0.5, 0, 0], [1, 0, 0]], n_point=[5, 5], reciprocal=model.crystal.reciprocal, name="path1"
    )
    return {
        "kind": "spinwave",
        "paths": [path.to_dict()],
        "energy": EnergyAxis.from_range(first=0.0, last=60.0, step=4.0).to_dict(),
        "conditions": Conditions(6.0).to_dict(),
        "spinwave": SpinwaveSettings(energy_factor=1.1, cap=20.0, fwhm=(6.0,)).to_dict(),
    }


def grid(n):
    """Couplings of n points in the box of the study; a longer grid begins with the shorter one. One is unstable."""
    theta = np.random.default_rng(5852).uniform([20.0, -30.0], [75.0, 10.0], size=(n, 2))
    theta[4] = [20.0, 50.0]
    return theta


class Study:
    """A results folder and the jobs that fill it."""

    def __init__(self, folder, kind, **header):
        self.folder, self.kind = folder, kind
        folder.mkdir(parents=True)
        model, structure = square_lattice()
        document = {"contract": "model/1", **model.to_dict(), "structure": structure.to_dict()}
        (folder / "model.json").write_text(json.dumps(document))
        self.header = {
            "study": "demo",
            "seed": 1,
            "kind": kind,
            "settings": spinwave_settings() if kind == "spinwave" else {"conditions": {}},
            "parameter_names": ["J", "Jp"],
            "ranks_per_point": 1,
            "failed_fraction": 0.05,
            **header,
        }
        self.batches = []

    def plan(self, theta, batch_size):
        self.batches = write_plan(self.folder / "plan", self.header, theta, batch_size)
        return self

    def path(self, name):
        return self.folder / "simulate" / f"{name}.zarr.zip"

    def arguments(self, name):
        files = {
            "model": self.folder / "model.json",
            "plan": self.folder / "plan" / f"{name}.json",
            "work": self.folder / "work",
            "output": self.path(name),
        }
        return [word for key, path in files.items() for word in (f"--{key}", str(path))]

    def job(self, name, ranks, **environment):
        """Run one batch as the workflow does and return the finished process."""
        program = ["-m", "spinscape.stages.simulate"] if self.kind == "spinwave" else [str(TOY)]
        command = [str(MPIEXEC), "-n", str(ranks), sys.executable, "-m", "mpi4py", *program, *self.arguments(name)]
        return subprocess.run(
            command,
            env={**os.environ, **ONE_THREAD, **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def simulate_here(self):
        """Run every batch that is not there in this process."""
        for name in self.batches:
            if not self.path(name).exists():
                arguments = dict(zip(("model", "plan", "work", "output"), self.arguments(name)[1::2], strict=True))
                simulate.run(**arguments, simulators=simulators(), log=lambda line: None)
        return self

    def values(self):
        """Return the bits of every array of every point, and what became of it, by point id."""
        collect.run([self.path(name) for name in self.batches], self.folder / "collect" / "index.json")
        with StudyStore(self.folder / "collect" / "index.json", include_all=True) as store:
            done = np.flatnonzero(store.state == RESULT_CODE["done"])
            arrays = {name: store.read_many(name, done) for name in store.template}
            bits = {store.ids[k]: tuple(a[row].tobytes() for a in arrays.values()) for row, k in enumerate(done)}
            return {point: (int(state), bits.get(point)) for point, state in zip(store.ids, store.state, strict=True)}

    def work_stores(self):
        return [WorkStore.open(path) for path in sorted((self.folder / "work").glob("*.zarr"))]


def simulators():
    sys.path.insert(0, str(TOY.parent))
    try:
        import toy_batch
    finally:
        sys.path.pop(0)
    return {**simulate.SIMULATORS, **toy_batch.SIMULATORS}


@pytest.fixture(scope="module", params=["spinwave", "waves"])
def reference(request, tmp_path_factory):
    """A study of 20 points in one batch, done by one rank in one go."""
    study = Study(tmp_path_factory.mktemp("reference") / "study", request.param).plan(grid(20), 64).simulate_here()
    values = study.values()
    codes = Counter(code for code, _ in values.values())
    assert codes == ({1: 19, 2: 1} if request.param == "spinwave" else {1: 20})
    assert len({bits for _, bits in values.values()}) == 20
    return request.param, values


def test_batch_size_changes_no_bit(reference, tmp_path):
    kind, values = reference
    study = Study(tmp_path / "study", kind).plan(grid(20), 7).simulate_here()
    assert len(study.batches) == 3
    assert study.values() == values


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_the_number_of_ranks_changes_no_bit(reference, tmp_path, ranks):
    kind, values = reference
    study = Study(tmp_path / "study", kind).plan(grid(20), 64)
    job = study.job(study.batches[0], ranks)
    assert job.returncode == 0, job.stderr
    assert f"on {ranks} ranks" in job.stderr
    assert study.values() == values


def test_ten_more_points_change_no_bit_and_no_batch(reference, tmp_path):
    kind, values = reference
    study = Study(tmp_path / "study", kind).plan(grid(20), 8).simulate_here()
    old = study.batches
    times = [study.path(name).stat().st_mtime_ns for name in old]
    study.plan(grid(30), 8).simulate_here()
    assert study.batches[:3] == old and len(study.batches) == 5
    assert [study.path(name).stat().st_mtime_ns for name in old] == times
    longer = study.values()
    assert len(longer) == 30
    assert {point: longer[point] for point in values} == values


def test_a_killed_job_goes_on_where_it_stopped(tmp_path):
    """kill -9 of one of two ranks in the middle of its point; then a job of another size finishes."""
    values = Study(tmp_path / "whole", "waves").plan(grid(20), 64).simulate_here().values()
    study = Study(tmp_path / "study", "waves").plan(grid(20), 64)
    diary = tmp_path / "diary"
    killed = study.job(study.batches[0], 2, TOY_DIARY=str(diary), TOY_KILLED_AT="9")
    assert killed.returncode != 0
    assert not study.path(study.batches[0]).exists()
    (work,) = study.work_stores()
    done = {point for point, state in zip(work.header.point_ids, work.states(), strict=True) if state}
    assert 6 <= len(done) <= 18
    diary.unlink()
    job = study.job(study.batches[0], 1, TOY_DIARY=str(diary))
    assert job.returncode == 0, job.stderr
    assert sorted(diary.read_text().split()) == sorted(set(values) - done)
    assert study.values() == values
    assert list((study.folder / "work").iterdir()) == []


def test_a_job_killed_from_outside_goes_on_where_it_stopped(tmp_path):
    """kill -9 of the process while spin waves are under way, at whatever moment that is."""
    study = Study(tmp_path / "study", "spinwave").plan(grid(80), 80)
    command = [sys.executable, "-m", "spinscape.stages.simulate", *study.arguments(study.batches[0])]
    with subprocess.Popen(command, env={**os.environ, **ONE_THREAD}, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 100
        while len(list((study.folder / "work").glob("*.zarr/state/c/*"))) < 10 and time.monotonic() < until:
            time.sleep(0.002)
        process.kill()
    (work,) = study.work_stores()
    kept = work.n_recorded()
    assert 10 <= kept < 80
    before = {k: work.chunk_path("signal_path1", k).stat().st_mtime_ns for k in np.flatnonzero(work.states() == 1)}
    job = study.job(study.batches[0], 1)
    assert job.returncode == 0, job.stderr
    assert f"{80 - kept} of 80 points to do" in job.stderr
    assert len(before) >= 9
    whole = Study(tmp_path / "whole", "spinwave").plan(grid(80), 80).simulate_here()
    assert study.values() == whole.values()


def test_a_changed_plan_takes_over_what_a_killed_job_left(tmp_path):
    study = Study(tmp_path / "study", "waves").plan(grid(20), 64)
    diary = tmp_path / "diary"
    assert study.job(study.batches[0], 1, TOY_DIARY=str(diary), TOY_KILLED_AT="9").returncode != 0
    first = diary.read_text().split()
    study.plan(grid(12), 5)
    diary.unlink()
    for name in study.batches:
        assert study.job(name, 1, TOY_DIARY=str(diary)).returncode == 0
    wanted = {p["id"] for name in study.batches for p in read_plan(study.folder / "plan" / f"{name}.json")["points"]}
    assert sorted(diary.read_text().split()) == sorted(wanted - set(first[:8]))
    whole = Study(tmp_path / "whole", "waves").plan(grid(12), 64).simulate_here()
    assert study.values() == whole.values()


def test_failed_points_above_the_fraction_fail_the_batch(tmp_path):
    study = Study(tmp_path / "study", "waves").plan(grid(20), 64)
    job = study.job(study.batches[0], 2, TOY_FAILS_ABOVE="60")
    assert job.returncode != 0
    assert "points failed" in job.stderr and "ValueError: no solution" in job.stderr and "Traceback" not in job.stderr
    assert job.stderr.count("error:") == 1
    (work,) = study.work_stores()
    assert np.sum(work.states() == RESULT_CODE["done"]) == np.sum(grid(20)[:, 0] <= 60)
    assert study.job(study.batches[0], 2).returncode == 0


def test_a_disk_that_fills_in_one_rank_ends_the_job_with_one_error(tmp_path):
    study = Study(tmp_path / "study", "waves").plan(grid(20), 64)
    diary = tmp_path / "diary"
    job = study.job(study.batches[0], 2, TOY_DIARY=str(diary), TOY_DISK_FULL_AT="7")
    assert job.returncode != 0
    assert job.stderr.count("error:") == 1 and "the disk is full" in job.stderr and "fix: make room" in job.stderr
    (work,) = study.work_stores()
    ids = np.array(work.header.point_ids)
    done = set(ids[work.states() == RESULT_CODE["done"]])
    # Which rank meets the full disk, and how far it is by then, is a race; the other one does its share whole.
    assert any(done.issuperset(ids[rank::2]) for rank in (0, 1))
    assert len(done) < 20
    diary.unlink()
    assert study.job(study.batches[0], 2, TOY_DIARY=str(diary)).returncode == 0
    assert done.isdisjoint(diary.read_text().split())
    assert len(study.values()) == 20


def test_a_disk_that_is_full_when_sealing_leaves_no_output_and_keeps_all_points(tmp_path):
    study = Study(tmp_path / "study", "waves").plan(grid(20), 64)
    job = study.job(study.batches[0], 1, TOY_FILE_LIMIT="8000")
    assert job.returncode != 0 and "the disk is full" in job.stderr
    assert not list((study.folder / "simulate").glob("*"))
    (work,) = study.work_stores()
    assert np.all(work.states() == RESULT_CODE["done"])
    job = study.job(study.batches[0], 1)
    assert job.returncode == 0 and "0 of 20 points to do" in job.stderr


def test_ranks_can_share_points(tmp_path):
    """Four ranks, two for each point: the same bits as one rank alone."""
    study = Study(tmp_path / "study", "shared", ranks_per_point=2).plan(grid(10), 64)
    job = study.job(study.batches[0], 4)
    assert job.returncode == 0, job.stderr
    alone = Study(tmp_path / "alone", "shared").plan(grid(10), 64).simulate_here()
    assert study.values() == alone.values()


@pytest.mark.parametrize(("kind", "ranks", "what"), [("shared", 3, "cannot be divided"), ("waves", 2, "on one rank")])
def test_ranks_that_cannot_share_are_an_error(tmp_path, kind, ranks, what):
    study = Study(tmp_path / "study", kind, ranks_per_point=2).plan(grid(6), 64)
    job = study.job(study.batches[0], ranks)
    assert job.returncode != 0
    assert what in job.stderr and job.stderr.count("error:") == 1


def test_a_study_store_gives_what_the_simulator_gives(tmp_path):
    study = Study(tmp_path / "study", "spinwave").plan(grid(6), 4).simulate_here()
    study.values()
    model, structure = square_lattice()
    simulator = SpinwaveSimulator.from_settings(model, {**spinwave_settings(), "structure": structure.to_dict()})
    with StudyStore(study.folder / "collect" / "index.json") as store:
        assert store.n_point == 5 and store.mask.sum() == 5 and len(store.mask) == 6
        for k, theta in enumerate(store.theta):
            expected = simulator.run(theta, None).arrays["signal_path1"]
            assert store.read("signal_path1", k).tobytes() == expected.tobytes()
        path = simulator.spectra["path1"].path
        assert np.array(store.coordinates["hkl_path1"]["values"]).tobytes() == path.points.tobytes()
