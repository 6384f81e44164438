"""Text tables of a spectrum: signal, momenta and energies in three files, each checked against what is declared."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..hamiltonian.conditions import Conditions
from ..lattice.momentum import n_momentum
from ..lattice.qspace import EnergyAxis
from ..units import unit_scale
from .measurement import Measurement

MOMENTUM_TOLERANCE = 1e-6
"""Largest difference of a momentum from the declared path, r.l.u.: rounding in files of seven digits."""
ENERGY_TOLERANCE = 1e-6
"""Largest difference of an energy step from the first one, relative to it."""
LAYOUTS = ("energy_rows", "momentum_rows")


@dataclass(frozen=True, eq=False)
class Table:
    """Numbers of a text file and the lines that they stood in.

    Parameters
    ----------
    path : Path
    values : (n_row, n_column) float64
    lines : tuple of int
        Line number of each row, from 1.
    """

    path: Path
    values: np.ndarray
    lines: tuple[int, ...]

    def place(self, row, column=None):
        """Return "file, line, column" of a cell, counted from 1, for error messages."""
        cell = "" if column is None else f", column {column + 1}"
        return f"{self.path}, line {self.lines[row]}{cell}"


def read_csv_spectrum(
    signal,
    *,
    momentum,
    energy,
    path,
    layout,
    missing="none",
    energy_unit="meV",
    delimiter=None,
    name=None,
    conditions=None,
    provenance=None,
):
    """Return the measurement that three text files hold.

    Parameters
    ----------
    signal, momentum, energy : Path
        The intensities; h, k, l of each point as three rows or three columns, r.l.u.; the energies (bin centres).
    path : QPath
        The declared path. The momenta must equal its points to 1e-6 r.l.u.
    layout : "energy_rows" or "momentum_rows"
        What a row of the signal is.
    missing : "none", "nan", "zero", {"value": float} or {"momentum": (first, last)}
        What was not measured: nothing; NaN cells; cells that are exactly zero, or exactly a value; momenta from one
        index to another, both included and counted from 0 (or several such pairs).
    energy_unit : str
    delimiter : str, optional
        One character, or "whitespace"; without it a comma where the first line has one, else white space.
    name : str, optional
        The path's, if not given.
    conditions : Conditions, optional
    provenance : dict, optional

    Returns
    -------
    Measurement
        Without standard deviations: such files have none.

    Raises
    ------
    DataError
        With file, line and column, what was expected and what was found.
    """
    axis = energy_axis_from_table(read_table(energy, delimiter=delimiter), unit=energy_unit)
    check_momenta(read_table(momentum, delimiter=delimiter), path=path)
    table = read_table(signal, delimiter=delimiter)
    where = {"momentum": path, "energy": axis, "layout": layout, "missing": missing}
    return _from_table(table, **where, name=name, conditions=conditions, provenance=provenance)


def read_csv_table(
    signal, *, momentum, energy, layout, missing="none", delimiter=None, skip=0, errors=(0.0, 0.0), name=None,
    conditions=None, provenance=None,
):  # fmt: skip
    """Return the measurement of one text file of intensities, on axes that are declared and not in a file.

    Parameters
    ----------
    signal : Path
    momentum : QPath, PowderAxis or QGrid
    energy : EnergyAxis
    skip : int
        Lines at the beginning that are headers.
    errors : (float, float)
        Standard deviation, and relative one, added in squares; without either the measurement has none.
    layout, missing, delimiter, name, conditions, provenance
        As of :func:`read_csv_spectrum`.

    Returns
    -------
    Measurement

    Raises
    ------
    DataError
        With file, line and column, what was expected and what was found.
    """
    table = read_table(signal, delimiter=delimiter, skip=skip)
    where = {"momentum": momentum, "energy": energy, "layout": layout, "missing": missing, "errors": errors}
    return _from_table(table, **where, name=name, conditions=conditions, provenance=provenance)


def declared_std(values, valid, errors):
    """Return standard deviations from an absolute and a relative one, or None where neither is given."""
    absolute, relative = errors
    if not (absolute > 0 or relative > 0):
        return None
    return np.where(valid, np.hypot(absolute, relative * values), 1.0)


def _from_table(table, *, momentum, energy, layout, missing, name, conditions, provenance, errors=(0.0, 0.0)):
    """Return the measurement that a table holds on its axes."""
    _check_signal_shape(table, layout=layout, n_q=n_momentum(momentum), n_energy=len(energy.centres))
    by_energy = layout == "energy_rows"
    values = table.values.T if by_energy else table.values
    valid = valid_pixels(values, missing=missing, where=str(table.path))
    _check_finite(table, valid.T if by_energy else valid)
    return Measurement(
        name=name or momentum.name,
        momentum=momentum,
        energy=energy,
        signal=values,
        valid=valid,
        std=declared_std(values, valid, errors),
        conditions=conditions or Conditions(),
        provenance={"reader": "csv", "layout": layout, "missing": _plain(missing), **(provenance or {})},
    )


def read_table(path, *, delimiter=None, skip=0):
    """Return the numbers of a text file; blank lines, the first ``skip`` and those that begin with # are passed over.

    Raises :class:`DataError` for a file that is absent, empty or not text, for rows of unequal length, and for cells
    that are no numbers.
    """
    path = Path(path)
    rows, lines = [], []
    for number, text in enumerate(_text(path).splitlines(), start=1):
        stripped = text.strip()
        if number <= skip or not stripped or stripped.startswith("#"):
            continue
        if delimiter is None:
            delimiter = "," if "," in stripped else "whitespace"
        rows.append(_row(stripped, delimiter, f"{path}, line {number}"))
        lines.append(number)
        if len(rows[-1]) != len(rows[0]):
            raise DataError(
                "the rows of a table differ in length",
                where=f"{path}, line {number}",
                expected=f"{len(rows[0])} numbers, as in line {lines[0]}",
                got=f"{len(rows[-1])} numbers",
                fix="complete the row; a missing value is written nan",
            )
    if not rows:
        raise DataError("a data file is empty", where=str(path), expected="rows of numbers", fix="get the file again")
    return Table(path, np.array(rows, dtype=np.float64), tuple(lines))


def _text(path):
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError(
            "a data file cannot be read", where=str(path), got=error.strerror, fix="correct the path, or allow it"
        ) from error
    except UnicodeDecodeError as error:
        raise DataError(
            "a data file is not text", where=str(path), expected="UTF-8 text", got=str(error), fix="check its kind"
        ) from error


def _row(text, delimiter, where):
    cells = text.split(None if delimiter == "whitespace" else delimiter)
    try:
        if "_" in text:  # float("1_0") is 10: a slip in the file, not a number.
            raise ValueError
        return [float(cell) for cell in cells]
    except ValueError:
        column, cell = next((k, cell) for k, cell in enumerate(cells) if not _is_number(cell))
        raise DataError(
            "a cell is not a number",
            where=f"{where}, column {column + 1}",
            expected="a number",
            got=repr(cell.strip()[:40]),
            fix="skip headers (skip: lines, or begin them with #), and check the delimiter",
        ) from None


def _is_number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


def energy_axis_from_table(table, *, unit="meV"):
    """Return the energy axis of a table with one row or one column of bin centres in ``unit``."""
    if 1 not in table.values.shape or table.values.size < 2:
        raise DataError(
            "an energy file has one row or one column of at least two energies",
            where=str(table.path),
            expected="(n_energy, 1) or (1, n_energy)",
            got=table.values.shape,
            fix="check which file is declared as energy",
        )
    energies = table.values.ravel()
    steps = np.diff(energies)
    wrong = ~(np.abs(steps - steps[0]) <= ENERGY_TOLERANCE * steps[0])
    if not np.isfinite(steps[0]) or steps[0] <= 0 or np.any(wrong):
        at = 1 + int(np.argmax(wrong))
        row, column = (at, 0) if table.values.shape[1] == 1 else (0, at)
        raise DataError(
            "the energies do not rise in equal steps",
            where=table.place(row, column),
            expected=f"{energies[0]:g}, {energies[1]:g}, … in steps of {steps[0]:g} {unit}",
            got=f"{energies[at - 1]:g}, {energies[at]:g}",
            fix="rebin the data on a uniform axis",
        )
    # One multiplication, so that a file in meV keeps its bits.
    return EnergyAxis(energies * unit_scale(unit, "energy"))


def check_momenta(table, *, path):
    """Raise :class:`DataError` unless a table of h, k, l (three rows or three columns) is the declared path."""
    n_q = len(path.points)
    values = table.values
    by_row = values.shape == (3, n_q)
    if not by_row and values.shape != (n_q, 3):
        raise DataError(
            f"a momentum file does not fit the declared path {path.name!r}",
            where=str(table.path),
            expected=f"3 rows or 3 columns (h, k, l) of {n_q} numbers",
            got=f"{values.shape[0]} rows of {values.shape[1]} numbers",
            fix=f"correct paths.{path.name}.points, or declare the right file",
        )
    if n_q == 3 and np.abs(values - path.points).max() <= MOMENTUM_TOLERANCE:
        return
    momenta = values.T if by_row else values
    difference = momenta - path.points
    wrong = ~(np.abs(difference).max(axis=1) <= MOMENTUM_TOLERANCE)
    if np.any(wrong):
        at = int(np.argmax(wrong))
        raise DataError(
            f"the momenta of the file are not those of the declared path {path.name!r}",
            where=f"{table.path}, point {at} (from 0), {int(wrong.sum())} of {n_q} differ",
            expected=path.points[at].tolist(),
            got=momenta[at].tolist(),
            fix=_momentum_fix(difference, path),
        )


def _momentum_fix(difference, path):
    if np.ptp(difference, axis=0).max() <= MOMENTUM_TOLERANCE:
        shift = [round(float(x), 6) for x in difference.mean(axis=0)]
        return f"all points differ by {shift}: declare paths.{path.name}.shift, or the right file"
    return f"correct paths.{path.name}, or declare the right file"


def _check_signal_shape(table, *, layout, n_q, n_energy):
    if layout not in LAYOUTS:
        raise DataError("unknown layout", where="layout", expected=f"one of {', '.join(LAYOUTS)}", got=layout)
    expected = (n_energy, n_q) if layout == "energy_rows" else (n_q, n_energy)
    shape = table.values.shape
    if shape == expected:
        return
    other = LAYOUTS[1 - LAYOUTS.index(layout)]
    raise DataError(
        "the signal does not fit the axes",
        where=str(table.path),
        expected=f"{expected[0]} rows of {expected[1]} numbers ({n_energy} energies, {n_q} momenta, layout {layout})",
        got=f"{shape[0]} rows of {shape[1]} numbers",
        fix=f"set layout: {other}" if shape == expected[::-1] else "check that signal and axes belong together",
    )


def valid_pixels(signal, *, missing, where="signal"):
    """Return which pixels of a signal (n_q, n_energy) were measured, by a rule as in :func:`read_csv_spectrum`."""
    if missing == "none":
        valid = np.ones(signal.shape, dtype=bool)
    elif missing == "nan":
        valid = ~np.isnan(signal)
    elif missing == "zero":
        valid = signal != 0.0
    elif isinstance(missing, dict) and set(missing) == {"value"}:
        valid = signal != float(missing["value"])
    elif isinstance(missing, dict) and set(missing) == {"momentum"}:
        valid = _outside_momenta(signal.shape, missing["momentum"], where)
    else:
        raise DataError(
            "unknown rule for missing values",
            where=f"{where}: missing",
            expected="none, nan, zero, {value: x} or {momentum: [first, last]}",
            got=missing,
        )
    if not valid.any():
        raise DataError(
            "the rule for missing values leaves no pixel",
            where=where,
            expected="at least one measured pixel",
            got=f"missing: {_plain(missing)}",
            fix="correct the rule",
        )
    return valid


def _outside_momenta(shape, ranges, where):
    valid = np.ones(shape, dtype=bool)
    for first, last in np.atleast_2d(np.asarray(ranges, dtype=np.int64)):
        if not 0 <= first <= last < shape[0]:
            raise DataError(
                "a range of missing momenta lies outside the path",
                where=f"{where}: missing.momentum",
                expected=f"0 ≤ first ≤ last ≤ {shape[0] - 1}",
                got=[int(first), int(last)],
                fix="give indices of path points, from 0, both included",
            )
        valid[first : last + 1] = False
    return valid


def _check_finite(table, valid):
    wrong = valid & ~np.isfinite(table.values)
    if np.any(wrong):
        row, column = (int(x) for x in np.argwhere(wrong)[0])
        raise DataError(
            "a pixel that counts as measured is not finite",
            where=table.place(row, column),
            expected="a finite number",
            got=f"{table.values[row, column]} ({int(wrong.sum())} such cells)",
            fix="declare what stands for missing values (missing: nan, …), or repair the file",
        )


def _plain(missing):
    """Return a rule as plain data, for the provenance."""
    if isinstance(missing, str):
        return missing
    return {key: np.asarray(value).tolist() for key, value in missing.items()}
