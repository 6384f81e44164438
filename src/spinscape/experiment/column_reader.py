"""Text files of bins: a matrix of a slice without energies, and one row for each bin with its place in columns."""

import numpy as np

from ..errors import DataError
from ..hamiltonian.conditions import Conditions
from ..lattice.momentum import n_momentum
from ..lattice.powder_axis import PowderAxis
from ..lattice.volumes import QGrid
from .csv_reader import MOMENTUM_TOLERANCE, declared_std, read_table, valid_pixels
from .measurement import Measurement
from .rebin import grid_row

COLUMNS = ("h", "k", "l", "q", "energy", "signal", "std", "skip")


def read_diffuse_table(
    path, *, momentum, name, layout="axes_rows", missing="nan", skip=0, delimiter=None, errors=(0.0, 0.0),
    conditions=None, provenance=None,
):  # fmt: skip
    """Return the diffuse scattering S(Q) of a text file, on an axis that is declared.

    Parameters
    ----------
    path : Path
        A matrix for a slice; one row or one column for a path, a powder or a cut.
    momentum : QPath, PowderAxis or QGrid
    name : str
    layout : "axes_rows" or "axes_columns"
        Whether the rows of a slice's file are the first or the second of its axes that are not integrated over.
    missing : as of :func:`~spinscape.experiment.csv_reader.read_csv_spectrum`
    skip : int
        Lines at the beginning that are headers.
    delimiter : str, optional
    errors : (float, float)
        Standard deviation, and relative one, added in squares.
    conditions, provenance : optional

    Returns
    -------
    Measurement
        Of one column.
    """
    table = read_table(path, delimiter=delimiter, skip=skip)
    values = _in_order(table, momentum, layout).reshape(-1, 1)
    valid = valid_pixels(values, missing=missing, where=str(table.path))
    if not np.all(np.isfinite(values[valid])):
        raise DataError("a bin that counts as measured is not finite", where=str(table.path), fix="set missing: nan")
    return Measurement(
        name=name, momentum=momentum, energy=None, signal=np.where(valid, values, 0.0), valid=valid,
        std=declared_std(values, valid, errors), conditions=conditions or Conditions(),
        provenance={"reader": "diffuse", "layout": layout, **(provenance or {})},
    )  # fmt: skip


def _in_order(table, momentum, layout):
    """Return the values in the order of the axis's points, (n_q,)."""
    shape = tuple(momentum.shape) or (1,)
    wanted = {(*shape, 1), (1, *shape)} if len(shape) == 1 else {shape if layout == "axes_rows" else shape[::-1]}
    if table.values.shape not in wanted:
        raise DataError(
            "the file has another shape than the declared axis", where=str(table.path),
            expected=" or ".join(str(one) for one in sorted(wanted)), got=table.values.shape,
            fix="correct the axis, or the layout; a volume of three axes is read by columns",
        )  # fmt: skip
    turned = len(shape) > 1 and layout == "axes_columns"
    return (table.values.T if turned else table.values).ravel()


def read_columns(
    path, *, columns, momentum, name, energy=None, skip=0, delimiter=None, errors=(0.0, 0.0), conditions=None,
    provenance=None,
):  # fmt: skip
    """Return the measurement of a text file with one row for each bin: its place, its signal and its error.

    Parameters
    ----------
    path : Path
    columns : sequence of str
        What the columns are, of :data:`COLUMNS`: h, k and l in r.l.u. or q in 1/Å; energy in meV; signal; std.
    momentum : QPath, PowderAxis or QGrid
        Every row lies on its points, or within its bins.
    name : str
    energy : EnergyAxis, optional
        None for diffuse scattering.
    skip, delimiter, errors, conditions, provenance : as of :func:`read_diffuse_table`

    Returns
    -------
    Measurement
        Bins without a row, and those whose signal is NaN, are not measured.
    """
    _check_columns(columns, momentum, energy, name)
    table = read_table(path, delimiter=delimiter, skip=skip)
    if table.values.shape[1] != len(columns):
        raise DataError(
            "the columns of a file are not those declared", where=table.place(0),
            expected=f"{len(columns)}: {', '.join(columns)}", got=f"{table.values.shape[1]} numbers",
        )  # fmt: skip
    found = {key: table.values[:, k] for k, key in enumerate(columns) if key != "skip"}
    n_energy = 1 if energy is None else len(energy.centres)
    place = _rows(momentum, found) * n_energy
    column = np.zeros(len(place), dtype=np.int64) if energy is None else _bins(energy.edges, found["energy"])
    _check_places(table, place, column)
    index = place + column
    _check_once(table, index)
    shape = (n_momentum(momentum), n_energy)
    signal, std = np.full(shape, np.nan), np.zeros(shape)
    signal.flat[index] = found["signal"]
    std.flat[index] = found.get("std", 0.0)
    if np.any(std < 0):
        at = int(np.argmax(found["std"] < 0))
        raise DataError("an error is negative", where=table.place(at), got=float(found["std"][at]))
    std = np.sqrt(std**2 + errors[0] ** 2 + (errors[1] * np.nan_to_num(signal)) ** 2)
    known = "std" in found or max(errors) > 0
    valid = np.isfinite(signal) & ((np.isfinite(std) & (std > 0)) if known else True)
    if not valid.any():
        raise DataError("no bin was measured", where=str(table.path), expected="finite signals, positive errors")
    return Measurement(
        name=name, momentum=momentum, energy=energy, signal=np.where(valid, signal, 0.0), valid=valid,
        std=np.where(valid, std, 1.0) if known else None, conditions=conditions or Conditions(),
        provenance={"reader": "columns", **(provenance or {})},
    )  # fmt: skip


def _check_columns(columns, momentum, energy, name):
    needed = {"q"} if isinstance(momentum, PowderAxis) else {"h", "k", "l"}
    needed |= {"signal"} | ({"energy"} if energy is not None else set())
    named = [c for c in columns if c != "skip"]
    if len(set(named)) < len(named) or not needed <= set(named) <= needed | {"std"}:
        raise DataError(
            "the columns do not place a bin on the declared axes", where=f"measurement {name}: columns",
            expected=f"{', '.join(c for c in COLUMNS if c in needed)} once each; std and skip as they are",
            got=list(columns),
        )  # fmt: skip


def _rows(momentum, found):
    """Return the row of the axis that each line of the file belongs to, -1 for none."""
    if isinstance(momentum, PowderAxis):
        return _bins(momentum.edges, found["q"])
    q = np.stack([found["h"], found["k"], found["l"]], axis=1)
    if isinstance(momentum, QGrid):
        return grid_row(momentum, q)
    # A corner of a path stands in two segments: the first of them is meant.
    near = np.abs(q[:, None] - momentum.points[None]).max(axis=2) <= MOMENTUM_TOLERANCE
    return np.where(near.any(axis=1), near.argmax(axis=1), -1)


def _bins(edges, values):
    index = np.searchsorted(edges, values, side="right") - 1
    return np.where((values >= edges[0]) & (values < edges[-1]), index, -1)


def _check_places(table, row, column):
    outside = (row < 0) | (column < 0)
    if outside.any():
        at = int(np.argmax(outside))
        raise DataError(
            "a row of a file lies outside the declared axes", where=table.place(at),
            expected="momenta and energies within the declared bins", got=table.values[at].tolist(),
            fix=f"correct the axes ({int(outside.sum())} of {len(row)} rows lie outside)",
        )  # fmt: skip


def _check_once(table, index):
    order = np.argsort(index, kind="stable")
    twice = np.nonzero(np.diff(index[order]) == 0)[0]
    if len(twice):
        first, second = int(order[twice[0]]), int(order[twice[0] + 1])
        raise DataError(
            "two rows of a file fall into one bin", where=table.place(second),
            expected=f"another bin than that of line {table.lines[first]}", got=table.values[second].tolist(),
            fix="make the declared bins those of the file",
        )  # fmt: skip
