"""Text tables of heat capacity and susceptibility, in the units of laboratories, per mole of spins or of formulas."""

import numpy as np

from ..errors import DataError
from ..hamiltonian.conditions import Conditions
from ..observables.thermodynamics import EMU_PER_MOL, GAS_CONSTANT
from .csv_reader import read_table
from .measurement import ThermalMeasurement

UNITS = {
    "heat_capacity": {"J/(mol K)": GAS_CONSTANT, "mJ/(mol K)": 1e3 * GAS_CONSTANT, "k_B": 1.0},
    "susceptibility": {
        "emu/mol": EMU_PER_MOL,
        "cm3/mol": EMU_PER_MOL,
        "m3/mol": 4e-6 * np.pi * EMU_PER_MOL,
        "μ_B/T": 1.0,
    },
}
"""Unit of a table → its value at 1 k_B, or at 1 μ_B/T, of a mole of spins (of a spin for the last ones).

emu/mol stands for emu/(mol Oe), alias cm³/mol in Gaussian units; m³/mol is the SI's, 4π·10⁻⁶ of it.
"""
COLUMNS = ("temperature", "value", "error", "skip")


def read_thermal_table(
    path,
    *,
    quantity,
    unit,
    name,
    columns=("temperature", "value"),
    spins=1.0,
    skip=0,
    delimiter=None,
    errors=(0.0, 0.0),
    between=None,
    direction=None,
    conditions=None,
    provenance=None,
):
    """Return the heat capacity or the susceptibility of a text file.

    Parameters
    ----------
    path : Path
    quantity : "heat_capacity" or "susceptibility"
    unit : str
        A key of :data:`UNITS`.
    name : str
    columns : sequence of str
        What the columns are, of :data:`COLUMNS`.
    spins : float
        Spins of what a mole of is meant: 1 for values per mole of spins, more for values per mole of formulas.
    skip : int
        Lines at the beginning that are headers.
    delimiter : str, optional
        As of :func:`~spinscape.experiment.csv_reader.read_csv_spectrum`.
    errors : (float, float)
        Standard deviation in ``unit``, and relative one, added in squares to that of the file.
    between : (float, float), optional
        Temperatures, K; rows outside are not measured.
    direction : (3,) float, optional
        Of the field, Cartesian; None for a powder.
    conditions : Conditions, optional
        The field.
    provenance : dict, optional

    Returns
    -------
    ThermalMeasurement
        With standard deviations where the file or ``errors`` give any.
    """
    _check_columns(columns, name)
    table = read_table(path, delimiter=delimiter, skip=skip)
    if table.values.shape[1] != len(columns):
        raise DataError(
            "the columns of a table are not those declared", where=table.place(0),
            expected=f"{len(columns)}: {', '.join(columns)}", got=f"{table.values.shape[1]} numbers",
        )  # fmt: skip
    order = np.argsort(table.values[:, columns.index("temperature")], kind="stable")
    column = {key: table.values[order, k] for k, key in enumerate(columns) if key != "skip"}
    temperatures, values, std = column["temperature"], column["value"], _std(column, errors)
    _check_rows(table, order, temperatures, column.get("error"))
    scale = UNITS[quantity][unit] * spins
    kept = np.isfinite(values) & (True if between is None else _between(temperatures, between))
    if std is not None:
        kept = kept & np.isfinite(std) & (std > 0)
    if not kept.any():
        raise DataError("no row of a table counts as measured", where=str(table.path), got=f"rows between {between} K")
    return ThermalMeasurement(
        name=name,
        quantity=quantity,
        temperatures=temperatures,
        signal=np.where(kept, values, 0.0)[:, None] / scale,
        valid=kept[:, None],
        std=None if std is None else np.where(kept, std, 1.0)[:, None] / scale,
        direction=direction,
        conditions=conditions or Conditions(),
        provenance={"reader": quantity, "unit": unit, "spins": float(spins), **(provenance or {})},
    )


def _between(temperatures, pair):
    return (temperatures >= pair[0]) & (temperatures <= pair[1])


def _std(column, errors):
    absolute, relative = errors
    square = absolute**2 + (relative * column["value"]) ** 2 + column.get("error", 0.0) ** 2
    return np.sqrt(square) if "error" in column or absolute > 0 or relative > 0 else None


def _check_columns(columns, name):
    named = [c for c in columns if c != "skip"]
    if not set(columns) <= set(COLUMNS) or len(set(named)) < len(named) or not {"temperature", "value"} <= set(named):
        raise DataError(
            "the columns of a table over the temperature", where=f"measurement {name}: columns",
            expected="temperature and value once each, error at most once, skip for others", got=list(columns),
        )  # fmt: skip


def _check_rows(table, order, temperatures, error):
    bad = ~(np.isfinite(temperatures) & (temperatures > 0))
    bad[1:] |= np.diff(temperatures) == 0
    if bad.any():
        raise DataError(
            "temperatures must be positive, and each stands once", where=table.place(int(order[np.argmax(bad)])),
            got=float(temperatures[np.argmax(bad)]), fix="leave the row out, or average equal temperatures",
        )  # fmt: skip
    if error is not None and np.any(error < 0):
        at = int(np.argmax(error < 0))
        raise DataError("an error is negative", where=table.place(int(order[at])), got=float(error[at]))
