"""A network for S(Q) over a slice as a study declares it: what it learns, its fit, its own error in intervals."""

import copy
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

from spinscape.config import build
from spinscape.config.learning import SirenSection
from spinscape.config.load import study_from_data
from spinscape.errors import ConfigError, DataError
from spinscape.infer.box import Box
from spinscape.infer.gauss_newton import gauss_newton
from spinscape.infer.held_out import held_out_covariance
from spinscape.lattice.momentum import momentum_to_dict
from spinscape.lattice.volumes import QGrid
from spinscape.simulate.gaussian_simulator import GaussianSimulator
from spinscape.stages import collect, fit, forward_siren, learn, measurement, model
from spinscape.stages import rows as rows_module
from spinscape.stages.fit_job import Job
from spinscape.stages.model_file import read_model
from spinscape.stages.rows import in_rows
from spinscape.store.contracts import StoreHeader
from spinscape.store.seal import seal
from spinscape.store.write import WorkStore

TINY = Path(__file__).parents[2] / "config" / "test" / "square_fit.yaml"
TRUTH = {"J2": 0.31, "J3": 0.14}
N_POINT, N_TRAIN = 80, 56
FIT = {
    "measurements": ["plane"], "forward": {"kind": "siren", "model": "net"}, "landscape": 0,
    "objective": {"kind": "gaussian", "background": {"constant": "none", "degree": [0, 0]}},
    "strategy": {"kind": "multistart", "n_sobol": 32, "n_refine": 2},
    "box": {"J2": ["0.1 meV", "0.5 meV"], "J3": ["0 meV", "0.3 meV"]},
    "uncertainty": {"hessian": False, "information": True},
}  # fmt: skip
NETWORK = {"kind": "siren", "arrays": ["signal_hk0"], "n_train": N_TRAIN, "n_step": 400, "batch_size": 256, "width": 32,
           "hidden_layers": 2}  # fmt: skip


def study(*, network=None, **changes):
    data = yaml.safe_load(TINY.read_text(encoding="utf-8"))
    data.pop("refine")
    box = {"J2": ["0.1 meV", "0.5 meV"], "J3": ["0 meV", "0.3 meV"]}
    data["grid"] = {"kind": "sobol", "n_point": N_POINT, "box": box}
    data["learn"] = {"net": {**NETWORK, **(network or {})}}
    data["fits"] = {"net": {**copy.deepcopy(FIT), **changes}}
    return study_from_data(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The study's model, measurement, simulations and network."""
    out, one = tmp_path_factory.mktemp("network"), study()
    model.run(build.model_section(one), out / "model.json")
    measurement.run(build.measurement_section(one, "plane"), "plane", out / "model.json", one.seed, None, out / "p.h5")
    simulator = GaussianSimulator.from_settings(read_model(out / "model.json")[0], build.plan_header(one)["settings"])
    unit = np.random.default_rng(8).random((N_POINT, 2))
    theta = np.column_stack([np.ones(N_POINT), 0.1 + 0.4 * unit[:, 0], 0.3 * unit[:, 1]])
    header = StoreHeader(
        study=one.study, parameter_names=("J1", "J2", "J3"), point_ids=tuple(f"{k:032x}" for k in range(N_POINT)),
        theta=theta, template={name: spec.to_dict() for name, spec in simulator.template().items()},
        result_codes={"absent": 0, "done": 1}, origin={"kind": "gaussian", "seed": 1, "code": "a"},
    )  # fmt: skip
    work = WorkStore.create(out / "w", header)
    for k, row in enumerate(theta):
        work.write(k, "done", arrays=simulator.run(row, None).arrays)
    seal(work, out / "b.zarr.zip", provenance={})
    collect.run([out / "b.zarr.zip"], out / "index.json")
    files = out / "net.pt", out / "net.json"
    learn.run(build.learn_section(one, "net"), one.seed, out / "index.json", *files, out / "work")
    return out


def job_of(folder, **changes):
    one = study(**changes)
    assert build.fit_files(one, "net") == {"siren": "learn/net.pt", "index": "collect/index.json"}
    files = {"siren": folder / "net.pt", "index": folder / "index.json"}
    return Job(build.fit_section(one, "net"), folder / "model.json", [folder / "p.h5"], files, one.seed)


def fitted(folder, tmp_path, **changes):
    job, one = job_of(folder, **changes), study(**changes)
    paths = tmp_path / "fit.json", tmp_path / "fit.h5"
    section = build.fit_section(one, "net")
    fit.run(section, "net", folder / "model.json", [folder / "p.h5"], job.files, one.seed, *paths)
    return json.loads(paths[0].read_text())


def test_the_networks_own_error_is_part_of_the_interval(folder, tmp_path):
    found = fitted(folder, tmp_path)
    for name, truth in TRUTH.items():
        one = found["parameters"][name]
        own = one["std_by_method"]
        assert one["std"] == pytest.approx(np.hypot(own["information"], own["surrogate"]), rel=1e-6)
        assert 0 < own["surrogate"] < 0.1 and abs(one["value"] - truth) < 3 * one["std"]
    assert not any("not in the intervals" in w for w in found["warnings"])


def test_it_is_what_fits_of_measurements_without_noise_are_off_by(folder):
    """The second way: each simulation stands in for the measurement, and is fitted as the study says."""
    job = job_of(folder)
    problem, box = job.problem(study().fits["net"])
    best = gauss_newton(problem, np.array([0.31, 0.14]), box=box).parameters
    own, held_out = held_out_covariance(problem, best, box), problem.forward.held_out
    assert len(held_out.theta) == N_POINT - N_TRAIN
    places, shifts = held_out.near(problem.forward.theta(best)), []
    (one,), wide = job.measured, Box(box.names, [-0.3, -0.3], [0.9, 0.6])
    per_unit = np.sum(one.signal[one.valid]) / np.sum(problem.forward.predict(best)[0][one.valid])
    for theta, image in zip(held_out.theta[places], held_out.images(places)[0], strict=True):
        clean = job.with_measured([replace(one, signal=per_unit * image)])
        other, _ = clean.problem(study().fits["net"])
        other = replace(other, forward=replace(other.forward, fixed=theta))
        shifts.append(gauss_newton(other, theta[1:], box=wide, tolerance=1e-4).parameters - theta[1:])
    matrix = np.transpose(shifts) @ shifts / len(shifts)
    assert own.std == pytest.approx(np.sqrt(np.diag(matrix)), rel=0.1)


def test_what_is_held_is_held_at_the_couplings_of_each_simulation(folder):
    """A parameter at a bound has no error of its own."""
    problem, box = job_of(folder, fixed={"J3": "0.14 meV"}, box={"J2": ["0.1 meV", "0.5 meV"]}).problem(
        study(fixed={"J3": "0.14 meV"}, box={"J2": ["0.1 meV", "0.5 meV"]}).fits["net"]
    )
    assert problem.forward.parameter_names == ("J2",)
    one = held_out_covariance(problem, np.array([0.31]), box)
    both, wide = job_of(folder).problem(study().fits["net"])
    all_free = held_out_covariance(both, np.array([0.31, 0.14]), wide)
    at_bound = held_out_covariance(both, np.array([0.31, 0.3]), wide)
    assert 0 < one.std[0] < 1.2 * all_free.std[0] and at_bound.std[1] == 0 and at_bound.fixed == ("J3",)


@pytest.mark.parametrize(
    ("changes", "kept"),
    [({"objective": {"kind": "correlation"}, "uncertainty": {"hessian": True}}, True), ({"window": {}}, False)],
)
def test_where_it_is_not_known_the_result_says_so(changes, kept, folder, tmp_path, monkeypatch):
    """Of an objective that is no likelihood; of simulations on other axes."""
    if not kept:
        monkeypatch.setattr(forward_siren, "_same_axes", lambda *_: False)
    found = fitted(folder, tmp_path, **changes)
    assert any("siren itself is off by is not in the intervals" in w for w in found["warnings"])
    assert not any("surrogate" in one["std_by_method"] for one in found["parameters"].values())


def test_axes_must_be_those_of_the_simulations(folder):
    """Half a bin aside is another axis: an offset lattice."""
    (one,) = job_of(folder).measured
    moved = replace(one, momentum=replace(one.momentum, origin=one.momentum.origin + np.array([0.5 / 12, 0, 0])))
    shape = [one.shape[0]]
    rows = SimpleNamespace(template={"s": {"shape": shape, "coords": {"hkl": {"values": one.momentum.points}}}})
    assert forward_siren._same_axes(rows, "s", one) and not forward_siren._same_axes(rows, "s", moved)
    assert not forward_siren._same_axes(rows, "t", one)


def test_arrays_as_rows_of_momenta_at_one_temperature():
    grid = QGrid("v", np.zeros(3), np.eye(3), (np.linspace(0, 1, 4), np.linspace(0, 1, 3), np.array([-0.1, 0.1])))
    values = np.arange(5 * 2 * 6, dtype=np.float32).reshape(5, 2, 3, 2)
    coords = {"temperature": {"dims": ["temperature"], "values": [1.0, 4.0], "unit": "K"}}
    spec = {"dims": ["temperature", "u_v", "v_v"], "shape": [2, 3, 2], "coords": coords}
    store = SimpleNamespace(
        template={"signal_v": spec}, theta=np.zeros((5, 1)), parameter_names=("J",),
        read_many=lambda name, points: values[np.asarray(points)],
    )  # fmt: skip
    axes = {"signal_v": momentum_to_dict(grid), "signal_other": momentum_to_dict(grid)}
    rows = in_rows(store, store, axes=axes, temperature=4.0)
    assert list(rows.template) == ["signal_v"] and rows.template["signal_v"]["shape"] == [6]
    np.testing.assert_array_equal(rows.read_many("signal_v", [3]), values[3:4, 1].reshape(1, 6))
    np.testing.assert_array_equal(rows.template["signal_v"]["coords"]["hkl"]["values"], grid.points)
    for temperature in (None, 2.0):
        with pytest.raises(DataError, match="one temperature"):
            in_rows(store, store, axes=axes, temperature=temperature)
    spec["shape"] = [2, 4, 2]
    with pytest.raises(DataError, match="other axes than the study"):
        in_rows(store, store, axes=axes, temperature=4.0)


def test_a_network_without_names_learns_what_is_on_paths_or_else_all():
    section, declared = build.learn_section(study(), "net"), SirenSection(kind="siren", n_train=1, n_step=1)
    path = {"kind": "path"}
    store = SimpleNamespace(template={"signal_a": {"dims": ["q_a"]}, "signal_hk0": {"dims": ["u", "v"]}})
    assert list(section["axes"]) == ["signal_hk0"]
    assert list(rows_module._wanted({**section["axes"], "signal_a": path}, declared, store)) == ["signal_a"]
    assert list(rows_module._wanted(section["axes"], declared, store)) == ["signal_hk0"]


def test_an_array_that_is_not_declared_is_refused():
    with pytest.raises(ConfigError, match=r"did you mean 'signal_hk0'") as caught:
        study(network={"arrays": ["signal_hk"]})
    assert "learn.net.arrays" in str(caught.value)
