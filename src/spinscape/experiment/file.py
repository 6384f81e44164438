"""Measurements as HDF5 files under the contract ``measurement/1``: an exact round trip."""

import json
from pathlib import Path

import h5py
import numpy as np

from ..errors import SpinscapeError, StoreError
from ..hamiltonian.conditions import Conditions
from ..lattice.qspace import EnergyAxis, QPath
from ..store.files import hdf5_bytes, write_whole
from .measurement import Measurement

CONTRACT = "measurement/1"
"""Name and version of the layout: a file of another version is refused, not guessed at."""

_ARRAYS = {
    "signal": (np.float64, ("q", "energy"), "arbitrary units"),
    "valid": (np.bool_, ("q", "energy"), ""),
    "std": (np.float64, ("q", "energy"), "arbitrary units"),
    "energy": (np.float64, ("energy",), "meV"),
    "momentum": (np.float64, ("q", "component"), "r.l.u."),
    "segment": (np.int64, ("q",), ""),
    "distance": (np.float64, ("q",), "1/Å"),
}
_OPTIONAL = ("std",)


def write_measurement(path, measurement):
    """Write a measurement; the file is complete, or not there."""
    write_whole(path, hdf5_bytes(lambda store: _fill(store, measurement)))


def _fill(store, measurement):
    path = measurement.path
    arrays = {
        "signal": measurement.signal,
        "valid": measurement.valid,
        "std": measurement.std,
        "energy": measurement.energy.centres,
        "momentum": path.points,
        "segment": path.segment,
        "distance": path.distance,
    }
    for name, array in arrays.items():
        if array is not None:
            dtype, dims, unit = _ARRAYS[name]
            store.create_dataset(name, data=array, dtype=dtype).attrs.update(dims=json.dumps(dims), unit=unit)
    store.attrs.update(
        contract=CONTRACT,
        name=measurement.name,
        path_name=path.name,
        ticks=json.dumps(path.ticks, ensure_ascii=False),
        simulated=bool(measurement.simulated),
        conditions=json.dumps(measurement.conditions.to_dict()),
        provenance=_json(measurement),
    )


def _json(measurement):
    try:
        return json.dumps(measurement.provenance, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StoreError(
            "the provenance of a measurement is not plain data",
            where=f"measurement {measurement.name}",
            expected="numbers, strings, lists and dictionaries",
            got=str(error),
        ) from error


def read_measurement(path):
    """Return the measurement in a file, bit for bit what was written.

    Raises
    ------
    StoreError
        The file is absent, truncated, of another contract, or its parts do not fit together.
    """
    path = Path(path)
    try:
        with h5py.File(path, "r") as store:
            _check_contract(store, path)
            return _measurement(store, path)
    except StoreError:
        raise
    except SpinscapeError as error:
        raise StoreError(
            "the parts of a measurement file do not fit together",
            where=str(path),
            expected=error.expected,
            got=error.got or error.what,
            fix="write the file again",
        ) from error
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise StoreError(
            "a measurement file is unreadable or truncated",
            where=str(path),
            expected=f"an HDF5 file under the contract {CONTRACT}",
            got=str(error),
            fix="write it again: delete the file and repeat the step that makes it",
        ) from error


def _check_contract(store, path):
    got = store.attrs.get("contract")
    if got != CONTRACT:
        raise StoreError(
            "a file is not a measurement of this version",
            where=f"{path}: attribute contract",
            expected=CONTRACT,
            got=got,
            fix="delete the file and repeat the step that makes it",
        )


def _measurement(store, path):
    attributes = store.attrs
    arrays = {name: _array(store, name, path) for name in _ARRAYS if name in store or name not in _OPTIONAL}
    q_path = QPath.from_dict(
        {
            "name": attributes["path_name"],
            "points": arrays["momentum"],
            "segment": arrays["segment"],
            "distance": arrays["distance"],
            "ticks": json.loads(attributes["ticks"]),
        }
    )
    return Measurement(
        name=attributes["name"],
        path=q_path,
        energy=EnergyAxis(arrays["energy"]),
        signal=arrays["signal"],
        valid=arrays["valid"],
        std=arrays.get("std"),
        conditions=Conditions.from_dict(json.loads(attributes["conditions"])),
        simulated=bool(attributes["simulated"]),
        provenance=json.loads(attributes["provenance"]),
    )


def _array(store, name, path):
    """Return one array; links and storage in other files are refused: a file speaks for itself only."""
    link = store.get(name, getlink=True)
    data = store[name] if isinstance(link, h5py.HardLink) else None
    own = isinstance(data, h5py.Dataset) and not data.external and not data.is_virtual
    if not own or data.dtype != _ARRAYS[name][0]:
        raise StoreError(
            "an array of a measurement file breaks the contract",
            where=f"{path}: {name}",
            expected=f"{np.dtype(_ARRAYS[name][0])} numbers in the file itself",
            got=getattr(data, "dtype", link),
            fix="delete the file and repeat the step that makes it",
        )
    return data[()]
