"""The coordinates of a study's grid: what a map of phases is drawn over, and where further points may lie.

They are the axes of a mapped grid (an angle, say), and the free couplings of every other one.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import StoreError
from ..hamiltonian.expression import evaluate_map
from ..units import quantity

_SAME = 1e-9


@dataclass(frozen=True, eq=False)
class GridCoordinates:
    """Coordinates of a grid. Make them with :func:`grid_coordinates`.

    Parameters
    ----------
    section : dict
        ``config.grids.grid_section``.
    names : tuple of str
    box : (2, n_coordinate) float64
        Where points lie: meV for couplings, no unit for a mapped grid. Along a coordinate that comes back to the same
        couplings it is one whole turn.
    period : (n_coordinate,) float64
        After which the couplings come back; infinite where they do not.
    step : (n_coordinate,) float64
        Of the grid; for points without a lattice what an even one of as many points would have, NaN where their number
        is not declared.
    """

    section: dict
    names: tuple[str, ...]
    box: np.ndarray
    period: np.ndarray
    step: np.ndarray

    @property
    def mapped(self):
        """Whether couplings are functions of the coordinates."""
        return self.section["grid"]["kind"] == "map"

    @property
    def units(self):
        """Unit of each coordinate; none where couplings are functions of them."""
        return ["" if self.mapped else "meV"] * len(self.names)

    @property
    def free_columns(self):
        """Columns of θ of the free couplings."""
        names = self.section["parameter_names"]
        return [names.index(name) for name, value in self.section["couplings"].items() if value is None]

    def theta(self, values):
        """Return all couplings (n, n_parameter) in meV at coordinates (n, n_coordinate)."""
        values = np.atleast_2d(np.asarray(values, dtype=np.float64))
        if self.mapped:
            return _mapped_theta(self.section, values)
        out = np.empty((len(values), len(self.section["parameter_names"])))
        for k, name in enumerate(self.section["parameter_names"]):
            fixed = self.section["couplings"][name]
            out[:, k] = values[:, self.names.index(name)] if fixed is None else fixed
        return out

    def wrapped(self, values):
        """Return coordinates (n, n_coordinate), each that comes back brought into the box."""
        finite = np.isfinite(self.period)
        turn = np.where(finite, self.period, 1.0)
        return np.where(finite, self.box[0] + (np.asarray(values) - self.box[0]) % turn, values)

    def of_theta(self, theta, *, further=()):
        """Return the coordinates (n, n_coordinate) of simulated couplings.

        Parameters
        ----------
        theta : (n, n_parameter) float64, meV
        further : sequence of ((m, n_coordinate), (m, n_parameter))
            Coordinates and couplings of points beside the grid: those of rounds.
        """
        theta = np.asarray(theta, dtype=np.float64)
        if not self.mapped:
            return theta[:, self.free_columns]
        known = [(grid_values(self.section), None), *further]
        values = np.concatenate([place for place, _ in known])
        couplings = [self.theta(place) if rows is None else np.asarray(rows) for place, rows in known]
        # A point is known by its couplings, to the bit; of coordinates that give the same ones the first is drawn.
        rows = np.concatenate(couplings) + 0.0
        place = {row.tobytes(): k for k, row in reversed(list(enumerate(rows)))}
        found = [place.get(row.tobytes(), -1) for row in theta + 0.0]
        if min(found, default=-1) < 0:
            raise StoreError(
                "a simulated point lies on no coordinate of the grid",
                where="grid",
                fix="collect again: the grid has changed since the points were simulated",
            )
        return values[found]


def grid_coordinates(section):
    """Return the :class:`GridCoordinates` of a study's grid, from ``config.grids.grid_section``."""
    grid = section["grid"]
    if grid["kind"] == "map":
        names = tuple(grid["axes"])
    else:
        names = tuple(name for name, value in section["couplings"].items() if value is None)
    box, n = _box(grid, names)
    step = (box[1] - box[0]) / np.maximum(n - 1, 1)
    period = np.full(len(names), np.inf)
    if grid["kind"] == "map":
        back = [k for k in range(len(names)) if n[k] > 1 and _comes_back(section, box, step, k)]
        box[1, back] += step[back]
        period[back] = (box[1] - box[0])[back]
    return GridCoordinates(section, names, box, period, step)


def grid_values(section):
    """Return the coordinates (n_point, n_coordinate) of the points of a mapped grid."""
    axes = section["grid"]["axes"].values()
    lines = [np.linspace(axis["first"], axis["last"], axis["n"]) for axis in axes]
    return np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, len(lines))


def _box(grid, names):
    """Return the ends (2, n) of each coordinate, and how many steps an axis has, (n,); NaN where none is declared."""
    if grid["kind"] in ("map", "lattice"):
        axes = [grid["axes"][name] for name in names]
        ends = [(axis["first"], axis["last"]) for axis in axes]
        n = np.array([float(axis["n"]) for axis in axes])
    elif grid["kind"] == "list":
        columns = [[_number(point[name]) for point in grid["points"]] for name in names]
        ends, n = [(min(column), max(column)) for column in columns], np.full(len(names), np.nan)
    else:
        ends = [grid["box"][name] for name in names]
        n = np.full(len(names), max(2.0, float(grid["n_point"]) ** (1.0 / len(names))))
    return np.sort([[_number(low), _number(high)] for low, high in ends], axis=1).T, n


def _number(value):
    return quantity(value, "energy") if isinstance(value, str) else float(value)


def _mapped_theta(section, values):
    grid = section["grid"]
    known = dict(zip(grid["axes"], values.T, strict=True))
    unit = quantity(grid["unit"], "energy")
    # In one go, as the plan does it: the last bit of a cosine may depend on how many are taken at once.
    columns = {n: unit * np.broadcast_to(evaluate_map(t, known), len(values)) for n, t in grid["couplings"].items()}
    out = np.empty((len(values), len(section["parameter_names"])))
    for k, name in enumerate(section["parameter_names"]):
        fixed = section["couplings"][name]
        out[:, k] = columns[name] if fixed is None else fixed
    return out


def _comes_back(section, box, step, axis):
    """Tell whether one step beyond its last value an axis is at its first again, whatever the other coordinates are."""
    others = box[0] + np.array([[0.13], [0.52], [0.91]]) * (box[1] - box[0])
    first, beyond = others.copy(), others.copy()
    first[:, axis], beyond[:, axis] = box[0, axis], box[1, axis] + step[axis]
    ends = _mapped_theta(section, first), _mapped_theta(section, beyond)
    turn = np.linspace(box[0, axis], box[1, axis], 5)[:, None]
    along = np.repeat(others[:1], len(turn), axis=0)
    along[:, axis] = turn[:, 0]
    # An axis that changes nothing does not come back either.
    moves = np.ptp(_mapped_theta(section, along), axis=0).max() > 0
    return bool(moves and np.allclose(*ends, rtol=0, atol=_SAME * np.abs(ends[0]).max()))
