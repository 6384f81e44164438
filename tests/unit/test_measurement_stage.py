"""The stage ``measurement``: every kind of file, from the study's YAML to the file that fits read."""

import copy
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from spinscape.config import build
from spinscape.config.load import study_from_data
from spinscape.errors import DataError
from spinscape.experiment.file import read_measurement
from spinscape.experiment.mantid_write import histogram_from_grid, write_histogram
from spinscape.lattice.qspace import EnergyAxis
from spinscape.lattice.volumes import QGrid
from spinscape.stages import measurement, model

from .test_nxspe import write as write_nxspe

ROOT = Path(__file__).parents[2]
BASE = yaml.safe_load((ROOT / "config" / "test" / "la2nio4.yaml").read_text())
BASE |= {"learn": {}, "fits": {}, "comparisons": {}}
AXES = {
    "paths": BASE["paths"],
    "powders": {"shell": {"first": "1 1/Å", "last": "6 1/Å", "n": 6}},
    "volumes": {"plane": {"axes": [{"first": 0, "last": 2, "n": 4}, {"first": 0, "last": 2, "n": 4},
                                   {"first": -9, "last": 9}]}},
}  # fmt: skip
BINS = {"first": "10 meV", "last": "30 meV", "n": 3}
ENERGY = EnergyAxis(np.array([10.0, 20.0, 30.0]))
GRID = QGrid("g", np.zeros(3), np.eye(3), (np.linspace(0, 1, 3), np.linspace(0, 1, 4), np.array([-1.0, 1.0])))
LATTICE = {"a": "3.89 Å", "b": "3.89 Å", "c": "12.55 Å"}


def histogram():
    rng = np.random.default_rng(1)
    events = rng.poisson(3.0, (6, 3)).astype(float)
    valid = rng.uniform(size=(6, 3)) > 0.2
    return histogram_from_grid(GRID, ENERGY, events / 2, events / 4, valid=valid, events=events)


def make(folder):
    """Write a file of each kind; return the sections that read them."""
    rng = np.random.default_rng(2)
    write_histogram(folder / "m.nxs", histogram())
    signal = rng.uniform(1, 2, (30, 25))
    for name, psi in (("p", np.nan), ("c0", 0.0), ("c1", 20.0)):
        how = {"polar": np.linspace(3, 100, 30), "azimuthal": np.full(30, 180.0), "incident": 60.0, "psi": psi}
        write_nxspe(folder / f"{name}.nxspe", signal=signal, **how)
    np.savetxt(folder / "d.txt", rng.uniform(1, 2, (4, 4)))
    points = [(h, k, 0.0, e, 1.0, 0.1) for h in (0.25, 0.75) for k in (0.25, 1.25) for e in ENERGY.centres]
    np.savetxt(folder / "c.txt", points)
    np.savetxt(folder / "t.txt", [[5.0, 0.2, 0.01], [10.0, 0.3, 0.01]])
    own = {"temperature": "50 K", "field": ["0 T", "0 T", "1 T"]}
    return {
        "mantid": {"kind": "mantid", "histogram": {"file": "m.nxs"}, "lattice": "study", "conditions": own},
        "mantid_lattice": {"kind": "mantid", "histogram": {"file": "m.nxs"}, "lattice": LATTICE},
        "powder": {"kind": "nxspe", "runs": [{"file": "p.nxspe"}], "powder": "shell"},
        "crystal": {
            "kind": "nxspe", "runs": [{"file": "c0.nxspe"}, {"file": "c1.nxspe", "psi": "20.5 deg"}],
            "volume": "plane", "u": [1, 0, 0], "v": [0, 1, 0], "energy": BINS,
        },
        "diffuse": {"kind": "table", "volume": "plane", "layout": "axes_rows", "missing": "none",
                    "signal": {"file": "d.txt"}, "errors": {"relative": 0.1}, "symmetrised_by": ["y,x,z"]},
        "columns": {"kind": "columns", "volume": "plane", "energy": BINS, "signal": {"file": "c.txt"},
                    "columns": ["h", "k", "l", "energy", "signal", "std"]},
        "heat": {"kind": "heat_capacity", "unit": "J/(mol K)", "table": {"file": "t.txt"},
                 "columns": ["temperature", "value", "error"]},
        "chi": {"kind": "susceptibility", "unit": "emu/mol", "table": {"file": "t.txt"}, "direction": [0, 0, 1],
                "columns": ["temperature", "value", "error"], "conditions": own},
    }  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def sections(folder):
    return make(folder)


def read(sections, name, folder, tmp_path):
    study = study_from_data(copy.deepcopy(BASE) | AXES | {"measurements": {name: sections[name]}})
    section = build.measurement_section(study, name)
    measurement.run(section, name, tmp_path / "no.json", 1, folder, tmp_path / "m.h5")
    return read_measurement(tmp_path / "m.h5")


@pytest.mark.parametrize("name", ["mantid", "mantid_lattice", "powder", "crystal", "diffuse", "columns", "heat", "chi"])
def test_a_kind_is_read_and_kept(name, sections, folder, tmp_path):
    found = read(sections, name, folder, tmp_path)
    study = study_from_data(copy.deepcopy(BASE) | AXES | {"measurements": {name: sections[name]}})
    assert found.name == name and not found.simulated and found.valid.any()
    assert found.quantity == study.measurements[name].quantity
    assert found.provenance["files"] and found.std is not None
    own = "conditions" in sections[name]
    assert found.conditions.field == ((0, 0, 1.0) if own else tuple(study.conditions.field or (0, 0, 0)))


def test_a_histogram_keeps_its_counts(sections, folder, tmp_path):
    found, made = read(sections, "mantid", folder, tmp_path), histogram()
    np.testing.assert_array_equal(found.valid, made.valid.reshape(6, 3))
    np.testing.assert_allclose((found.signal * found.exposure)[found.valid], made.events.reshape(6, 3)[found.valid])
    assert found.conditions.temperature == 50.0


def test_a_run_is_turned_as_the_study_says(sections, folder, tmp_path):
    """psi of the study, where it is given, in place of that of the file."""
    first = read(sections, "crystal", folder, tmp_path)
    other = copy.deepcopy(sections["crystal"])
    other["runs"][1]["psi"] = "80 deg"
    second = read({"crystal": other}, "crystal", folder, tmp_path)
    assert not np.array_equal(first.valid, second.valid)


def bad(folder, name):
    """Spoil a file of the folder; return its section and what the error says."""
    sections = make(folder)
    if name == "zero":
        np.savetxt(folder / "d.txt", np.zeros((4, 4)))
        return sections["diffuse"], "nothing was counted"
    if name == "no lattice":
        return {**sections["mantid"], "lattice": None}, "holds no lattice"
    if name == "other lattice":
        return {**sections["mantid"], "lattice": {**LATTICE, "a": "3.95 Å"}}, "not that of the study"
    if name == "truncated":
        whole = (folder / "m.nxs").read_bytes()
        (folder / "m.nxs").write_bytes(whole[:2000])
        return sections["mantid"], "HDF5"
    if name == "no HDF5":
        (folder / "p.nxspe").write_text("no")
        return sections["powder"], "HDF5"
    if name == "negative errors":
        with h5py.File(folder / "m.nxs", "r+") as file:
            file["MDHistoWorkspace/data/errors_squared"][0] = -1.0
        return sections["mantid"], "negative"
    if name == "link to another file":
        with h5py.File(folder / "m.nxs", "r+") as file:
            del file["MDHistoWorkspace/data/signal"]
            file["MDHistoWorkspace/data/signal"] = h5py.ExternalLink("/etc/passwd", "x")
        return sections["mantid"], "link"
    if name == "axes beyond the data":
        far = {**AXES["volumes"]["plane"], "origin": [90, 0, 0]}
        return {**sections["crystal"], "far": far}, "declared axes"
    raise AssertionError(name)


@pytest.mark.parametrize(
    "name",
    [
        "zero", "no lattice", "other lattice", "truncated", "no HDF5", "negative errors", "link to another file",
        "axes beyond the data",
    ],
)  # fmt: skip
def test_a_bad_file_ends_with_one_clear_error(name, tmp_path):
    section, message = bad(tmp_path, name)
    axes = AXES if "far" not in section else {**AXES, "volumes": {"plane": section.pop("far")}}
    study = study_from_data(copy.deepcopy(BASE) | axes | {"measurements": {"x": section}})
    with pytest.raises(DataError, match=message) as caught:
        measurement.run(build.measurement_section(study, "x"), "x", "no.json", 1, tmp_path, tmp_path / "x.h5")
    told = str(caught.value)
    assert "where:" in told and ("expected:" in told or "got:" in told) and not (tmp_path / "x.h5").exists()


def gaussian_study():
    data = copy.deepcopy(BASE) | AXES
    data["simulate"] = {"kind": "gaussian", "volumes": ["plane"], "n_mesh": 6}
    data["conditions"] = {"temperature": "900 K"}
    couplings = {"J": "29 meV", "Jp": "1.7 meV"}
    none = {"file": "none.txt"}
    data["measurements"] = {
        "diffuse": {"kind": "table", "volume": "plane", "layout": "axes_rows", "missing": "nan", "signal": none,
                    "simulated": {"couplings": couplings, "counts": 1e6}},
        "chi": {"kind": "susceptibility", "unit": "emu/mol", "table": none,
                "simulated": {"couplings": couplings, "temperatures": ["900 K", "1000 K"], "relative": 0.01}},
    }  # fmt: skip
    return study_from_data(data)


@pytest.mark.parametrize("name", ["diffuse", "chi"])
def test_what_stands_in_for_files_of_diffuse_scattering(name, tmp_path, capsys):
    study = gaussian_study()
    model.run(build.model_section(study), tmp_path / "model.json")
    measurement.run(
        build.measurement_section(study, name), name, tmp_path / "model.json", 1, tmp_path, tmp_path / "m.h5"
    )
    found = read_measurement(tmp_path / "m.h5")
    assert found.simulated and "SIMULATED" in capsys.readouterr().err
    assert found.quantity == study.measurements[name].quantity and found.std is not None
    relative = found.std[found.valid] / found.signal[found.valid]
    assert relative.max() < (0.02 if name == "chi" else 0.1)
