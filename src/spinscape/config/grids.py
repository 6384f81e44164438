"""The ``grid:`` section, and the points it stands for."""

import math
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from ..errors import ConfigError
from .couplings import parameter_names
from .quantities import Energy, EnergyRange, Name
from .strict import Expression, Strict


class RandomGrid(Strict):
    """Points drawn evenly from a box; more points keep the first ones."""

    kind: Literal["random", "sobol"]
    n_point: int = Field(ge=1, le=1_000_000)
    box: dict[Name, EnergyRange]


class LatticeAxis(Strict):
    """Equally spaced values of one coupling, both ends included."""

    first: Energy
    last: Energy
    n: int = Field(ge=1, le=100_000)


class LatticeGrid(Strict):
    """Every combination of the axes' values."""

    kind: Literal["lattice"]
    axes: dict[Name, LatticeAxis]


class ListGrid(Strict):
    """Points written out."""

    kind: Literal["list"]
    points: tuple[dict[Name, Energy], ...] = Field(min_length=1)


class MapAxis(Strict):
    """Equally spaced values of a coordinate without a unit (an angle in radians, say)."""

    first: float
    last: float
    n: int = Field(ge=1, le=100_000)


class MapGrid(Strict):
    """Images of another set of coordinates: couplings as functions of them, in a declared unit."""

    kind: Literal["map"]
    axes: dict[Name, MapAxis]
    unit: Energy
    couplings: dict[Name, Expression]


class ReplicaSection(Strict):
    """Points that are simulated several times with other random numbers: the truth that models are held against."""

    share: float = Field(gt=0, le=1, description="of the points, chosen by their content")
    n: int = Field(4, ge=3, le=1000, description="runs of each of them")


Grid = Annotated[RandomGrid | LatticeGrid | ListGrid | MapGrid, Field(discriminator="kind")]


def grid_section(study):
    """Return what places points in the study's grid, as plain data."""
    return {
        "grid": study.section("grid"),
        "parameter_names": list(parameter_names(study)),
        "couplings": {n: c.value for n, c in study.couplings.items()},
    }


def n_point(study):
    """Return how many points a study asks for, those of its rounds among them."""
    grid = study.grid
    if grid.kind in ("random", "sobol"):
        n = grid.n_point
    else:
        n = len(grid.points) if grid.kind == "list" else math.prod(axis.n for axis in grid.axes.values())
    return n + (0 if study.refine is None else study.refine.rounds * study.refine.points)


def check_enough(study, least, *, where, fix):
    """Raise :class:`ConfigError` where a study has fewer points than something needs, before any is simulated."""
    if n_point(study) < least:
        raise ConfigError(
            "too few points",
            where=where,
            expected=f"at least {least} points",
            got=f"{n_point(study)} by the grid" + (" and its rounds" if study.refine is not None else ""),
            fix=fix,
        )


def grid_points(study):
    """Return the couplings of every point, (n_point, n_parameter) float64, in internal units."""
    from ..hamiltonian import grids

    grid = study.grid
    free = [name for name, coupling in study.couplings.items() if coupling.value is None]
    if grid.kind in ("random", "sobol"):
        make = grids.random_points if grid.kind == "random" else grids.sobol_points
        columns = make([grid.box[name] for name in free], n_point=grid.n_point, seed=study.seed)
    elif grid.kind == "lattice":
        columns = grids.lattice_points([np.linspace(a.first, a.last, a.n) for a in (grid.axes[name] for name in free)])
    elif grid.kind == "list":
        columns = grids.list_points([[point[name] for name in free] for point in grid.points])
    else:
        axes = {name: np.linspace(axis.first, axis.last, axis.n) for name, axis in grid.axes.items()}
        columns = grid.unit * grids.mapped_points(axes, [grid.couplings[name] for name in free])
    out = np.empty((len(columns), len(study.couplings)))
    for k, (name, coupling) in enumerate(study.couplings.items()):
        out[:, k] = columns[:, free.index(name)] if coupling.value is None else coupling.value
    return out
