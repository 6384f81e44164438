"""The stage ``simulate`` in one process, with a simulator of this file; tests/workflow/test_batches.py has the rest."""

import errno
import json
import subprocess
import sys

import numpy as np
import pytest
from zarr.storage import LocalStore

from spinscape.errors import ConfigError, ShapeError, StoreError, UnstableError
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model
from spinscape.lattice.crystal import Crystal
from spinscape.simulate.protocol import RESULT_CODE, ArrayTemplate, Coordinate, PointResult, StreamKey
from spinscape.stages import simulate
from spinscape.stages.model_file import read_model
from spinscape.stages.plan import write_plan
from spinscape.stages.ranks import SingleRank, on_root, together
from spinscape.store.read import open_batch

KINDS = {"line": f"{__name__}:Line"}
RUNS = []


class Line:
    """θ₀ x + noise of the point's own stream; whatever θ₀ = 7, 8, 9, 10, −1 asks for goes wrong."""

    @classmethod
    def from_settings(cls, model, settings):
        return cls()

    def template(self):
        axis = Coordinate(("x",), np.arange(3.0), "Å")
        return {"line": ArrayTemplate(("x",), (3,), "float32", "meV", {"x": axis})}

    def run(self, theta, stream_key):
        RUNS.append(theta[0])
        if theta[0] == -1:
            raise UnstableError("not a minimum", where="Q = (0, 0, 0)")
        if theta[0] == 7:
            raise ValueError("no\nsolution")
        if theta[0] == 8:
            return PointResult("done", {"line": np.array([1.0, 1e300, np.nan])})
        if theta[0] == 9:
            return PointResult("done", {"line": np.zeros(4)})
        if theta[0] == 10:
            return PointResult("fine")
        return PointResult("done", {"line": theta[0] * np.arange(3.0) + stream_key.stream("bath").normal(size=3)})


def a_model(names=("J", "D")):
    crystal = Crystal(
        4.0 * np.eye(3), [[0, 0, 0]], ("A",), [0], [1.0], ("Ni2+",), [2 * np.eye(3)], [np.eye(3)], [[0, 0, 0]]
    )
    return Model(crystal, names, BondTable([0], [0], [[1, 0, 0]], [0], [np.eye(3)]))


@pytest.fixture
def study(tmp_path):
    """A function that writes the inputs of a batch of these θ₀ and returns the arguments of ``run``."""
    structure = MagneticStructure(np.eye(3), [0], [[0, 0, 0]], [[0, 0, 1]]).to_dict()
    document = {"contract": "model/1", **a_model().to_dict(), "structure": structure}
    (tmp_path / "model.json").write_text(json.dumps(document))

    def inputs(values, **header):
        head = {
            "study": "demo",
            "seed": 1,
            "kind": "line",
            "settings": {"conditions": {"temperature": 1.0}},
            "parameter_names": ["J", "D"],
            "ranks_per_point": 1,
            "failed_fraction": 0.3,
        }
        (name,) = write_plan(tmp_path / "plan", {**head, **header}, [[v, 0.5] for v in values], 64)
        RUNS.clear()
        return {
            "model": tmp_path / "model.json",
            "plan": tmp_path / "plan" / f"{name}.json",
            "work": tmp_path / "work",
            "output": tmp_path / "simulate" / f"{name}.zarr.zip",
            "simulators": KINDS,
        }

    return inputs


def test_a_batch_ends_as_one_file(study):
    lines = []
    inputs = study([1, 2, -1, 3])
    counts = simulate.run(**inputs, log=lines.append, progress=2, code="abc")
    assert counts == {"absent": 0, "done": 3, "unstable": 1, "failed": 0, "not_equilibrated": 0}
    with open_batch(inputs["output"], study="demo") as batch:
        assert batch.header.theta[:, 0].tolist() == [1, 2, -1, 3]
        expected = 2.0 * np.arange(3.0) + StreamKey(1, batch.header.point_ids[1]).stream("bath").normal(size=3)
        assert batch.read("line", 1).tobytes() == expected.astype(np.float32).tobytes()
        assert "not a minimum" in batch.message(2) and "Q = (0, 0, 0)" in batch.message(2)
        assert batch.header.origin["code"] == batch.provenance["code"] == "abc"
        assert batch.provenance["n_rank"] == 1
        assert batch.header.settings["structure"]["direction"] == [[0, 0, 1]]
    assert list(inputs["work"].iterdir()) == []
    assert [line for line in lines if "of 4 points" in line] and "3 done, 1 unstable" in lines[-1]


def test_what_goes_wrong_in_a_point_stays_in_the_point(study):
    inputs = study([1, 7, 8, 9, 10], failed_fraction=0.8)
    assert simulate.run(**inputs)["failed"] == 4
    with open_batch(inputs["output"]) as batch:
        messages = [batch.message(k) for k in range(5)]
    assert messages[0] == ""
    assert messages[1].startswith("ValueError: no solution (test_simulate_stage.py:")
    assert messages[2] == "line: 2 values are not finite"
    assert messages[3] == "line: shape (4,), declared [3]"
    assert messages[4] == "the simulator returned the unknown code 'fine'"


def test_too_many_failures_are_an_error_and_cost_nothing_that_is_done(study, monkeypatch):
    inputs = study([1, 7, 2, 7.5, 7.25], failed_fraction=0.1)
    with pytest.raises(StoreError, match="1 of 5 points failed") as caught:
        simulate.run(**inputs)
    assert "ValueError: no solution" in caught.value.got
    assert not inputs["output"].exists()
    RUNS.clear()
    monkeypatch.setattr(Line, "run", repaired(Line.run))
    assert simulate.run(**inputs)["done"] == 5
    assert RUNS == [7.0]


def repaired(run):
    def with_solution(self, theta, stream_key):
        RUNS.append(theta[0])
        return run(self, theta + 0.001, stream_key) if theta[0] != 7 else PointResult("done", {"line": np.ones(3)})

    return with_solution


def test_unstable_points_are_results_and_not_failures(study):
    assert simulate.run(**study([-1], failed_fraction=0.0))["unstable"] == 1


def test_a_disk_that_fills_costs_no_point_that_is_done(study, monkeypatch):
    inputs = study([1, 2, 3, 4, 5])
    real = LocalStore.set

    async def refuse(self, key, value):
        if key.startswith("line/c/3"):
            raise OSError(errno.ENOSPC, "No space left on device")
        await real(self, key, value)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStore, "set", refuse)
        with pytest.raises(StoreError, match="disk is full") as caught:
            simulate.run(**inputs)
    assert str(inputs["work"]) in caught.value.where and "make room" in caught.value.fix
    assert RUNS == [1, 2, 3, 4]
    RUNS.clear()
    simulate.run(**inputs)
    assert RUNS == [4, 5]


def test_other_code_does_not_take_over_results(study):
    inputs = study([1, 7, 2], failed_fraction=0.0)
    for code, runs in (("one", 3), ("one", 1), ("two", 3)):
        RUNS.clear()
        with pytest.raises(StoreError, match="failed"):
            simulate.run(**inputs, code=code)
        assert len(RUNS) == runs


def test_the_plan_must_fit_the_model(study):
    with pytest.raises(StoreError, match="different couplings") as caught:
        simulate.run(**study([1], parameter_names=["D", "J"]))
    assert caught.value.expected == ["J", "D"] and caught.value.got == ["D", "J"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"kind": "magic"}, "no simulator of this kind"),
        ({"ranks_per_point": 2}, "cannot be divided"),
        ({"ranks_per_point": 0}, "cannot be divided"),
        ({"ranks_per_point": "many"}, "cannot be divided"),
    ],
)
def test_a_plan_that_cannot_be_followed_names_its_key(study, change, what):
    with pytest.raises(ConfigError, match=what) as caught:
        simulate.run(**study([1], **change))
    assert next(iter(change)) in caught.value.where


@pytest.mark.parametrize(
    ("text", "what"),
    [("{", "cannot be read"), ("[]", "cannot be read"), ('{"contract": "model/2"}', "of this version")],
)
def test_a_foreign_model_file_is_refused(tmp_path, text, what):
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(StoreError, match=what):
        read_model(tmp_path / "m.json")


@pytest.mark.parametrize("without", ["crystal", "bonds", "structure"])
def test_an_incomplete_model_file_is_refused(study, without):
    path = study([1])["model"]
    document = json.loads(path.read_text())
    del document[without]
    path.write_text(json.dumps(document))
    with pytest.raises(StoreError, match="contract demands"):
        read_model(path)


def test_a_model_file_reads_back_exactly(study):
    model, structure = read_model(study([1])["model"])
    assert model.to_dict() == a_model().to_dict()
    assert structure.direction.tolist() == [[0.0, 0.0, 1.0]]


class Ranks(SingleRank):
    """A communicator of which another rank reports an error."""

    size = 2

    def __init__(self, other):
        self.other = other

    def allgather(self, value):
        return [value, self.other]


def test_an_error_of_one_rank_is_everyones():
    with pytest.raises(StoreError, match="far away"):
        together(Ranks(StoreError("far away")), lambda: 1)
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        together(Ranks(None), lambda: 1 // 0)
    assert together(Ranks(None), lambda: 1) == 1
    assert on_root(SingleRank(), lambda: 2) == 2


def test_templates_are_checked():
    axis = Coordinate(("x",), np.arange(3.0), "Å")
    with pytest.raises(ShapeError, match="x"):
        ArrayTemplate(("x",), (4,), coords={"x": axis})
    assert list(RESULT_CODE) == ["absent", "done", "unstable", "failed", "not_equilibrated"]
    assert list(RESULT_CODE.values()) == [0, 1, 2, 3, 4]


def test_arrays_of_what_did_not_equilibrate_are_kept_and_checked():
    template = {"signal": {"shape": [2], "dtype": "float32"}}
    result = PointResult("not_equilibrated", {"signal": [1.0, 2.0]}, "R-hat 1.4", {"r_hat": 1.4})
    kept = simulate.checked(result, template)
    assert kept.code == "not_equilibrated" and kept.error == "R-hat 1.4" and kept.diagnostics == {"r_hat": 1.4}
    assert kept.arrays["signal"].tolist() == [1.0, 2.0]
    assert simulate.checked(PointResult("not_equilibrated", {"signal": [np.nan, 1.0]}), template).code == "failed"


def test_the_stage_imports_no_simulator_and_no_config():
    """A study's results depend on its own kind of simulator only, and on no other section's code."""
    code = "import sys, spinscape.stages.simulate; print(*sorted(m for m in sys.modules if m.startswith('spinscape.')))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not [m for m in loaded if m.startswith(("spinscape.config", "spinscape.kernels", "spinscape.simulate.spin"))]
    assert "spinscape.store.write" in loaded
