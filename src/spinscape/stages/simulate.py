"""Stage ``simulate``: one batch of points, alone or as an MPI job.

    mpiexec -n R python -m mpi4py -m spinscape.stages.simulate \
        --model model.json --plan plan/b.json --work DIR --output b.zarr.zip

Every rank writes its own points into a work store; when all are there, rank 0 seals them into the output. A job that
is killed goes on where it stopped.
"""

import argparse
import importlib
import sys
import time
import traceback
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from ..errors import ConfigError, SpinscapeError, StoreError, UnstableError
from ..simulate.protocol import RESULT_CODE, WITH_ARRAYS, PointResult, StreamKey
from ..store.contracts import StoreHeader, digest
from ..store.kept import keep_sealed, take_points, take_whole
from ..store.lock import locked
from ..store.provenance import provenance
from ..store.read import open_batch
from ..store.resume import prepare_work_store, work_path
from ..store.seal import seal
from ..store.write import WorkStore, remove_work_store
from .model_file import read_model
from .plan import read_plan
from .ranks import SingleRank, on_root, together

SIMULATORS = {
    "spinwave": "spinscape.simulate.spinwave:SpinwaveSimulator",
    "montecarlo": "spinscape.simulate.montecarlo:MonteCarloSimulator",
    "gaussian": "spinscape.simulate.gaussian_simulator:GaussianSimulator",
    "dynamics": "spinscape.simulate.dynamics_simulator:DynamicsSimulator",
}
"""Class of each kind of simulator. By name, so that a study's code fingerprint holds its own simulator only."""

LOCK_PATIENCE = 10.0
"""Seconds to wait for the ranks of a killed job to be gone."""


def run(
    model,
    plan,
    work,
    output,
    *,
    communicator=None,
    code=None,
    keep=None,
    simulators=SIMULATORS,
    progress=50,
    log=None,
):
    """Simulate the points of a plan that are not there yet, and seal the batch.

    Parameters
    ----------
    model, plan : str or Path
        Files of the stages ``model`` and ``plan``.
    work : str or Path
        Folder for work under way; it may serve several batches.
    output : str or Path
        Sealed file, ``….zarr.zip``.
    communicator : mpi4py communicator, optional
        Without one, this process does it all.
    code : str, optional
        Fingerprint of the code; results of other code are not mixed in.
    keep : str or Path, optional
        Folder where sealed batches are kept under the hash of their content, and looked for first.
    simulators : dict of str to str
        ``"module:Class"`` of each kind.
    progress : int
        Points of rank 0 between two lines of the log.
    log : callable, optional
        Takes one line of text; standard error by default.

    Returns
    -------
    dict
        Number of points of each result code.

    Raises
    ------
    StoreError
        Where an input breaks its contract, the disk fills, or more points fail than the plan allows. What is done
        stays in ``work``.
    """
    everyone = communicator or SingleRank()
    log = (log or _log) if everyone.rank == 0 else _silent
    clock = time.perf_counter(), time.process_time()
    job = together(everyone, lambda: _Job(model, plan, code, simulators, everyone))
    path = work_path(work, job.header)
    with _alone(everyone, path):
        if keep is not None and on_root(everyone, lambda: take_whole(keep, job.header, output)):
            log(f"{Path(plan).stem}: all {job.header.n_point} points are there")
            return on_root(everyone, lambda: _counts_of(output))
        on_root(everyone, lambda: _prepare(work, job.header, keep))
        store = together(everyone, lambda: WorkStore.open(path))
        absent = on_root(everyone, lambda: np.flatnonzero(store.states() == 0).tolist())
        log(f"{Path(plan).stem}: {len(absent)} of {job.header.n_point} points to do on {everyone.size} ranks")
        together(everyone, lambda: job.simulate(store, absent, progress, log))
        return on_root(everyone, lambda: job.finish(store, output, clock, log, keep))


def _prepare(work, header, keep):
    """Make the work store, with the points that are there already."""
    store = prepare_work_store(work, header)
    if keep is not None:
        take_points(store, keep)


def _counts_of(output):
    with open_batch(output) as batch:
        return batch.code_counts()


class _Job:
    """What each rank holds of a batch."""

    def __init__(self, model, plan, code, simulators, everyone):
        self.plan = read_plan(plan)
        self.name = str(plan)
        spin_model, structure = read_model(model)
        if tuple(self.plan["parameter_names"]) != spin_model.parameter_names:
            raise StoreError(
                "the plan and the model have different couplings",
                where=str(plan),
                expected=list(spin_model.parameter_names),
                got=self.plan["parameter_names"],
                fix="plan again from the study that the model was made from",
            )
        settings = dict(self.plan["settings"])
        if structure is not None:
            settings["structure"] = structure.to_dict()
        self._share(everyone)
        self.simulator = self._simulator(simulators, spin_model, settings)
        template = {name: array.to_dict() for name, array in self.simulator.template().items()}
        self.header = StoreHeader(
            study=self.plan["study"],
            parameter_names=self.plan["parameter_names"],
            point_ids=[point["id"] for point in self.plan["points"]],
            theta=[point["theta"] for point in self.plan["points"]],
            template=template,
            result_codes=RESULT_CODE,
            origin={
                "kind": self.plan["kind"],
                "seed": self.plan["seed"],
                "settings": digest(settings),
                "model": digest(spin_model.to_dict()),
                "code": code,
            },
            settings=settings,
            replica=[point.get("replica", 0) for point in self.plan["points"]],
        )

    def _share(self, everyone):
        """Form the groups of ranks that do one point together."""
        per_point = self.plan["ranks_per_point"]
        if not isinstance(per_point, int) or per_point < 1 or everyone.size % per_point:
            raise ConfigError(
                "the ranks cannot be divided among the points",
                where=f"{self.name}: ranks_per_point",
                expected=f"a divisor of the {everyone.size} ranks that were started",
                got=per_point,
                fix="start a multiple of ranks_per_point",
            )
        self.n_group, self.group = everyone.size // per_point, everyone.rank // per_point
        self.ranks = everyone.Split(self.group, everyone.rank)

    def _simulator(self, simulators, spin_model, settings):
        kind = self.plan["kind"]
        if kind not in simulators:
            raise ConfigError(
                "no simulator of this kind", where=f"{self.name}: kind", expected=sorted(simulators), got=kind
            )
        module, _, name = simulators[kind].partition(":")
        make = getattr(importlib.import_module(module), name)
        if self.ranks.size == 1:
            return make.from_settings(spin_model, settings)
        if not getattr(make, "parallel", False):
            raise ConfigError(
                f"a point of kind {kind!r} runs on one rank",
                where=f"{self.name}: ranks_per_point",
                expected=1,
                got=self.ranks.size,
                fix="leave ranks_per_point at 1: the ranks then share the points",
            )
        return make.from_settings(spin_model, settings, communicator=self.ranks)

    def simulate(self, store, absent, progress, log):
        """Do this rank's share of the absent points."""
        start, before = time.perf_counter(), store.n_recorded()
        for count, index in enumerate(absent[self.group :: self.n_group], start=1):
            result = self._point(index)
            if self.ranks.rank == 0:
                store.write(
                    index,
                    result.code,
                    arrays=result.arrays,
                    message=result.error or "",
                    diagnostics=result.diagnostics,
                )
            if count % progress == 0:
                there = store.n_recorded()
                rate = (there - before) / max(time.perf_counter() - start, 1e-9)
                log(f"{Path(self.name).stem}: {there} of {self.header.n_point} points, {rate:.1f} per second")

    def _point(self, index):
        key = StreamKey(self.plan["seed"], self.header.point_ids[index])
        try:
            return checked(self.simulator.run(self.header.theta[index], key), self.header.template)
        except UnstableError as error:
            return PointResult("unstable", error=str(error))
        except Exception as error:
            return PointResult("failed", error=one_line(error))

    def finish(self, store, output, clock, log, keep=None):
        """Seal the batch unless too much of it failed; the count of each code."""
        states = store.states()
        counts = {name: int(np.sum(states == number)) for name, number in RESULT_CODE.items()}
        _check_failures(store, states, self.plan["failed_fraction"], self.name)
        log(f"{Path(self.name).stem}: " + ", ".join(f"{n} {name}" for name, n in counts.items() if n))
        seconds = {"wall": time.perf_counter() - clock[0], "cpu_of_rank_0": time.process_time() - clock[1]}
        record = provenance(code=self.header.origin["code"], n_rank=self.n_group * self.ranks.size, seconds=seconds)
        seal(store, output, provenance=record)
        if keep is not None:
            keep_sealed(output, keep, self.header)
        remove_work_store(store)
        return counts


def checked(result, template):
    """Return a result whose arrays have the declared shapes and types, or a failed one that says what is wrong.

    Parameters
    ----------
    result : PointResult
    template : dict
        ``shape`` and ``dtype`` of each array.
    """
    if result.code not in RESULT_CODE or result.code == "absent":
        return PointResult("failed", error=f"the simulator returned the unknown code {result.code!r}")
    if result.code not in WITH_ARRAYS:
        return PointResult(result.code, error=result.error or "no reason given", diagnostics=result.diagnostics)
    if set(result.arrays or {}) != set(template):
        return PointResult("failed", error=f"arrays {sorted(result.arrays or {})}, declared {sorted(template)}")
    arrays = {}
    for name, spec in template.items():
        with np.errstate(over="ignore"):
            arrays[name] = np.asarray(result.arrays[name]).astype(spec["dtype"])
        if arrays[name].shape != tuple(spec["shape"]):
            return PointResult("failed", error=f"{name}: shape {arrays[name].shape}, declared {spec['shape']}")
        if not np.all(np.isfinite(arrays[name])):
            return PointResult("failed", error=f"{name}: {np.sum(~np.isfinite(arrays[name]))} values are not finite")
    return PointResult(result.code, arrays, error=result.error, diagnostics=result.diagnostics)


def one_line(error):
    """Return an exception and the place that it came from in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    text = " ".join(str(error).split())
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno} in {frames[-1].name})" if frames else ""
    return f"{type(error).__name__}: {text}{place}"


def _check_failures(store, states, allowed, name):
    failed = np.flatnonzero(states == RESULT_CODE["failed"])
    if len(failed) > allowed * len(states):
        raise StoreError(
            f"{len(failed)} of {len(states)} points failed",
            where=name,
            expected=f"at most {allowed:.0%}",
            got="; ".join(f"point {k}: {store.text('message', k)}" for k in failed[:3]),
            fix="correct the cause and start again: the points that are done are kept",
        )


@contextmanager
def _alone(everyone, path):
    """Let one job at a time work on a batch: rank 0 holds the lock for all."""
    with ExitStack() as stack:
        on_root(everyone, lambda: stack.enter_context(locked(path, patience=LOCK_PATIENCE)))
        yield


def _log(line):
    print(line, file=sys.stderr, flush=True)


def _silent(line):
    pass


def main(arguments=None, *, simulators=SIMULATORS):
    """Run the stage from the command line; the exit status is 0 only where the output was written."""
    parser = argparse.ArgumentParser(prog="spinscape.stages.simulate", description=__doc__.split("\n", 1)[0])
    for name in ("model", "plan", "work", "output"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--code", help="fingerprint of the code")
    parser.add_argument("--keep", help="folder where the points of sealed batches are kept, and looked for")
    parser.add_argument("--progress", type=int, default=50, help="points between two lines of the log")
    options = vars(parser.parse_args(arguments))

    from mpi4py import MPI

    # Ranks share the cores among themselves: no threads below them.
    _single_threaded()
    try:
        run(**options, communicator=MPI.COMM_WORLD, simulators=simulators)
    except SpinscapeError as error:
        if MPI.COMM_WORLD.rank == 0:
            print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


def _single_threaded():
    import numcodecs.blosc
    import zarr

    numcodecs.blosc.use_threads = False
    zarr.config.set({"threading.max_workers": 1, "async.concurrency": 1})


if __name__ == "__main__":
    sys.exit(main())
