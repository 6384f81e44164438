"""Measurements as HDF5 files under the contract ``measurement/3``: an exact round trip."""

import json
from pathlib import Path

import h5py
import numpy as np

from ..errors import SpinscapeError, StoreError
from ..hamiltonian.conditions import Conditions
from ..lattice.momentum import MOMENTUM_KIND, momentum_kind
from ..lattice.qspace import EnergyAxis
from ..store.files import hdf5_bytes, write_whole
from .measurement import QUANTITIES, Measurement, ThermalMeasurement

CONTRACT = "measurement/3"
"""Name and version of the layout: a file of another version is refused, not guessed at."""

_ARRAYS = {
    "signal": (np.float64, ("q", "energy"), "arbitrary units"),
    "valid": (np.bool_, ("q", "energy"), ""),
    "std": (np.float64, ("q", "energy"), "arbitrary units"),
    "exposure": (np.float64, ("q", "energy"), "counts"),
    "energy": (np.float64, ("energy",), "meV"),
}
_TABLE = {
    "signal": (np.float64, ("temperature", "column"), ""),
    "valid": (np.bool_, ("temperature", "column"), ""),
    "std": (np.float64, ("temperature", "column"), ""),
    "temperatures": (np.float64, ("temperature",), "K"),
}
"""Arrays of a table over the temperature; its unit is that of its quantity."""
_MOMENTUM = {
    "path": {
        "points": (np.float64, ("q", "component"), "r.l.u."),
        "segment": (np.int64, ("q",), ""),
        "distance": (np.float64, ("q",), "1/Å"),
    },
    "powder": {"centres": (np.float64, ("q",), "1/Å")},
    "grid": {
        "origin": (np.float64, ("component",), "r.l.u."),
        "basis": (np.float64, ("axis", "component"), "r.l.u."),
        **{f"edges_{k}": (np.float64, (f"edge_{k}",), "") for k in range(3)},
    },
}
"""Arrays of the group ``momentum``, by kind of axis."""
_OPTIONAL = ("std", "exposure", "energy")


def write_measurement(path, measurement):
    """Write a measurement; the file is complete, or not there."""
    write_whole(path, hdf5_bytes(lambda store: _fill(store, measurement)))


def _fill(store, measurement):
    if isinstance(measurement, ThermalMeasurement):
        _write_arrays(store, {name: getattr(measurement, name) for name in _TABLE}, _TABLE)
        store.attrs["direction"] = json.dumps(measurement.direction)
    else:
        energy = None if measurement.energy is None else measurement.energy.centres
        images = {name: getattr(measurement, name) for name in ("signal", "valid", "std", "exposure")}
        _write_arrays(store, {**images, "energy": energy}, _ARRAYS)
        _fill_momentum(store, measurement.momentum)
    store.attrs.update(
        contract=CONTRACT,
        quantity=measurement.quantity,
        name=measurement.name,
        simulated=bool(measurement.simulated),
        conditions=json.dumps(measurement.conditions.to_dict()),
        provenance=_json(measurement),
    )


def _fill_momentum(store, axis):
    kind = momentum_kind(axis)
    group = store.create_group("momentum")
    parts = {f"edges_{k}": edges for k, edges in enumerate(axis.edges)} if kind == "grid" else {}
    _write_arrays(group, {n: parts.get(n, getattr(axis, n, None)) for n in _MOMENTUM[kind]}, _MOMENTUM[kind])
    group.attrs.update(kind=kind, name=axis.name)
    if kind == "path":
        group.attrs["ticks"] = json.dumps(axis.ticks, ensure_ascii=False)


def _write_arrays(group, arrays, declared):
    for name, array in arrays.items():
        if array is not None:
            dtype, dims, unit = declared[name]
            group.create_dataset(name, data=array, dtype=dtype).attrs.update(dims=json.dumps(dims), unit=unit)


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
    thermal = attributes["quantity"] in QUANTITIES
    declared = _TABLE if thermal else _ARRAYS
    asked = [name for name in declared if name in store or name not in _OPTIONAL]
    arrays = {name: _array(store, name, declared[name][0], path) for name in asked}
    common = {
        "name": attributes["name"],
        "conditions": Conditions.from_dict(json.loads(attributes["conditions"])),
        "simulated": bool(attributes["simulated"]),
        "provenance": json.loads(attributes["provenance"]),
    }
    if thermal:
        direction = json.loads(attributes["direction"])
        direction = None if direction is None else tuple(direction)
        return ThermalMeasurement(quantity=attributes["quantity"], direction=direction, **arrays, **common)
    energy = EnergyAxis(arrays.pop("energy")) if "energy" in arrays else None
    return Measurement(momentum=_momentum(store, path), energy=energy, **arrays, **common)


def _momentum(store, path):
    """Return the momentum axis of a file, of the kind that it names."""
    group = store["momentum"] if isinstance(store.get("momentum", getlink=True), h5py.HardLink) else None
    kind = group.attrs.get("kind") if isinstance(group, h5py.Group) else None
    if kind not in _MOMENTUM:
        raise StoreError(
            "the momentum axis of a measurement file is of no known kind",
            where=f"{path}: momentum",
            expected=", ".join(_MOMENTUM),
            got=kind,
            fix="delete the file and repeat the step that makes it",
        )
    parts = {name: _array(group, name, declared[0], path) for name, declared in _MOMENTUM[kind].items()}
    if kind == "path":
        parts["ticks"] = json.loads(group.attrs["ticks"])
    if kind == "grid":
        parts["edges"] = tuple(parts.pop(f"edges_{k}") for k in range(3))
    return MOMENTUM_KIND[kind].from_dict({"name": group.attrs["name"], **parts})


def _array(store, name, dtype, path):
    """Return one array; links and storage in other files are refused: a file speaks for itself only."""
    link = store.get(name, getlink=True)
    data = store[name] if isinstance(link, h5py.HardLink) else None
    own = isinstance(data, h5py.Dataset) and not data.external and not data.is_virtual
    if not own or data.dtype != dtype:
        raise StoreError(
            "an array of a measurement file breaks the contract",
            where=f"{path}: {name}",
            expected=f"{np.dtype(dtype)} numbers in the file itself",
            got=getattr(data, "dtype", link),
            fix="delete the file and repeat the step that makes it",
        )
    return data[()]
