"""Measurement files: exact round trips; truncated, foreign and hostile files."""

import json
import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinscape.errors import StoreError
from spinscape.experiment.file import CONTRACT, read_measurement, write_measurement
from spinscape.experiment.measurement import Measurement
from spinscape.hamiltonian.conditions import Conditions
from spinscape.lattice.powder_axis import PowderAxis
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.lattice.volumes import QGrid


def make(values=None):
    path = path_through(
        [[0.1, 0, 0], [0.5, 1 / 3, 0], [0, 0, 1]], n_point=[4, 3], reciprocal=2 * np.eye(3), name="p", labels="PMΓ"
    )
    values = np.random.default_rng(1).normal(size=35) if values is None else np.array(values)
    signal = values.reshape(7, 5)
    return Measurement(
        name="messung ü",
        momentum=path,
        energy=EnergyAxis.from_range(first=0.1, last=0.9, step=0.2),
        signal=signal,
        valid=np.isfinite(signal),
        std=None,
        conditions=Conditions(6.0, (0.0, 0.0, 0.1)),
        simulated=True,
        provenance={"sha256": "ab", "seed": 1, "counts": 0.1, "missing": [[1, 2]], "none": None},
    )


def assert_equal(a, b):
    for name in ("signal", "valid", "std"):
        x, y = getattr(a, name), getattr(b, name)
        assert (x is None and y is None) or (x.tobytes() == y.tobytes() and x.dtype == y.dtype)
    assert a.energy.centres.tobytes() == b.energy.centres.tobytes()
    assert json.dumps(a.momentum.to_dict()) == json.dumps(b.momentum.to_dict())
    for name in ("name", "conditions", "simulated", "provenance"):
        assert getattr(a, name) == getattr(b, name)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(), min_size=35, max_size=35))
def test_round_trip_keeps_every_bit(tmp_path_factory, values):
    m = make([0.5, *values[1:]])
    file = tmp_path_factory.mktemp("m") / "m.h5"
    write_measurement(file, m)
    assert_equal(read_measurement(file), m)


def test_round_trip_with_standard_deviations_in_a_new_folder(tmp_path):
    m = replace(make(), std=np.full((7, 5), 0.1), simulated=False, conditions=Conditions())
    write_measurement(tmp_path / "new" / "m.h5", m)
    assert_equal(read_measurement(tmp_path / "new" / "m.h5"), m)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["m.h5"]


@pytest.mark.parametrize(
    "axis",
    [
        PowderAxis("p", [0.1, 0.3, 1 / 3, 0.9, 1.0, 1.5, 2.0]),
        QGrid("g", [0, 0, 1 / 3], np.diag([1.0, 0.1, 2.0]), ([0, 1, 2, 3, 4, 5, 6, 7], [-0.1, 0.1], [0, 0.5])),
    ],
    ids=["powder", "grid"],
)
def test_every_kind_of_momentum_axis_comes_back(tmp_path, axis):
    m = replace(make(), momentum=axis)
    write_measurement(tmp_path / "m.h5", m)
    back = read_measurement(tmp_path / "m.h5")
    assert type(back.momentum) is type(axis)
    assert_equal(back, m)


def test_equal_measurements_make_equal_files(tmp_path):
    write_measurement(tmp_path / "a.h5", make())
    write_measurement(tmp_path / "b.h5", make())
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_units_and_dimensions_stand_in_the_file(tmp_path):
    write_measurement(tmp_path / "m.h5", make())
    with h5py.File(tmp_path / "m.h5") as store:
        assert store.attrs["contract"] == CONTRACT
        assert store["energy"].attrs["unit"] == "meV" and store["momentum/points"].attrs["unit"] == "r.l.u."
        assert json.loads(store["signal"].attrs["dims"]) == ["q", "energy"]


@pytest.fixture
def file(tmp_path):
    write_measurement(tmp_path / "m.h5", make())
    return tmp_path / "m.h5"


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.9])
def test_truncated(file, fraction):
    data = file.read_bytes()
    file.write_bytes(data[: int(fraction * len(data))])
    with pytest.raises(StoreError, match="unreadable or truncated") as caught:
        read_measurement(file)
    assert str(file) in str(caught.value) and "fix:" in str(caught.value)


def test_absent_and_no_hdf5(file):
    with pytest.raises(StoreError, match="unreadable"):
        read_measurement(file.parent / "none.h5")
    file.write_text("energy,signal\n")
    with pytest.raises(StoreError, match="unreadable"):
        read_measurement(file)


def _drop(name):
    return lambda store: store.__delitem__(name)


def _replace(name, make_new):
    def change(store):
        old = store[name][()]
        del store[name]
        store[name] = make_new(old)

    return change


HOSTILE = {
    "no contract": (lambda s: s.attrs.__delitem__("contract"), ["contract", CONTRACT]),
    "other version": (lambda s: s.attrs.__setitem__("contract", "measurement/1"), [CONTRACT, "measurement/1"]),
    "no signal": (_drop("signal"), ["signal"]),
    "no conditions": (lambda s: s.attrs.__delitem__("conditions"), ["conditions"]),
    "bad JSON": (lambda s: s.attrs.__setitem__("provenance", "{"), ["m.h5"]),
    "other type": (_replace("signal", lambda a: a.astype("f4")), ["signal", "float64", "float32"]),
    "other shape": (_replace("signal", lambda a: a[:3]), ["do not fit", "(3, 5)", "(7, 5)"]),
    "uneven energies": (_replace("energy", lambda a: a**2), ["do not fit"]),
    "masked pixel counted": (_replace("signal", lambda a: a * np.nan), ["do not fit", "not finite"]),
    "other axis": (lambda s: s["momentum"].attrs.__setitem__("kind", "powder"), ["centres"]),
    "unknown axis": (lambda s: s["momentum"].attrs.__setitem__("kind", "helix"), ["path, powder, grid", "helix"]),
    "axis elsewhere": (
        lambda s: (_drop("momentum")(s), s.__setitem__("momentum", h5py.ExternalLink("x.h5", "/a"))),
        ["momentum", "no known kind"],
    ),
    "a group": (lambda s: (_drop("valid")(s), s.create_group("valid")), ["valid"]),
    "external link": (
        lambda s: (_drop("std")(s) if "std" in s else None, s.__setitem__("std", h5py.ExternalLink("x.h5", "/a"))),
        ["std", "in the file itself"],
    ),
    "external storage": (
        lambda s: (_drop("signal")(s), s.create_dataset("signal", (7, 5), "f8", external=[("x", 0, 280)])),
        ["signal", "in the file itself"],
    ),
}


@pytest.mark.parametrize(("change", "told"), HOSTILE.values(), ids=HOSTILE)
def test_foreign_and_hostile_files(file, change, told):
    with h5py.File(file, "r+") as store:
        change(store)
    with pytest.raises(StoreError) as caught:
        read_measurement(file)
    assert all(text in str(caught.value) for text in told), str(caught.value)


def test_provenance_must_be_plain(tmp_path):
    for value in ({1, 2}, float("nan")):
        with pytest.raises(StoreError, match="plain data"):
            write_measurement(tmp_path / "m.h5", replace(make(), provenance={"x": value}))
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_leaves_what_was_there(tmp_path):
    """A file-size limit stands for the full disk: the old file stays, nothing half-written, a typed error."""
    file = tmp_path / "m.h5"
    write_measurement(file, make())
    before = file.read_bytes()
    script = (
        "import signal, sys, resource; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from spinscape.errors import StoreError\n"
        "from spinscape.experiment.file import read_measurement, write_measurement\n"
        "m = read_measurement(sys.argv[1]); resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: write_measurement(sys.argv[1], m)\n"
        "except StoreError as error: sys.exit(str(error))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(file)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "cannot be written" in done.stderr and str(file) in done.stderr, done.stderr
    assert file.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["m.h5"]
