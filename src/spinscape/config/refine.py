"""The ``refine:`` section: rounds of further points, whose number and size are fixed; a chooser says which.

A chooser is a function of what the points so far have given: a map of phases, say. Each is a kind of this section and
a module of ``stages`` of its own; docs/decisions/0007-refinement.md.
"""

from typing import Literal

from pydantic import Field

from ..errors import ConfigError
from .couplings import parameter_names
from .quantities import Name
from .strict import Strict


class Rounds(Strict):
    """How many rounds there are, and how large each is."""

    rounds: int = Field(ge=1, le=100)
    points: int = Field(ge=1, le=4000, description="of each round")


class PhaseRounds(Rounds):
    """Points where a map of phases is uncertain: its boundaries."""

    kind: Literal["phases"]
    map: Name = Field(description="a member of the section phases")
    by: Literal["phases", "clusters"] = Field(
        "phases", description="what is told apart: phases, or the clusters before borders without a jump are dropped"
    )

    @property
    def module(self):
        """Module of the chooser; by name, so that a study's code fingerprint holds its own chooser only."""
        return "spinscape.stages.choose_by_phases"

    def check(self, study):
        """Raise :class:`ConfigError` where the map is not declared."""
        if self.map not in study.phases:
            raise ConfigError(
                f"unknown map of phases {self.map!r}",
                where="refine.map",
                expected=f"one of {', '.join(study.phases)}" if study.phases else "a section phases",
                got=self.map,
                fix="declare it under phases, or correct the name",
            )

    def summary(self):
        """Return what chooses, in words."""
        return f"where the map {self.map} is uncertain"


def grid_section(study):
    """Return what places points in the study's grid, as plain data."""
    return {
        "grid": study.section("grid"),
        "parameter_names": list(parameter_names(study)),
        "couplings": {n: c.value for n, c in study.couplings.items()},
    }


def refine_section(study):
    """Return what the stage ``choose`` needs of a study, as plain data."""
    # Without their number: more rounds leave the first ones alone.
    refine = {key: value for key, value in study.section("refine").items() if key != "rounds"}
    return {"refine": refine, "module": study.refine.module, **grid_section(study)}


def n_part(study):
    """Return into how many batches each round is dealt."""
    return -(-study.refine.points // study.simulate.batch_size)


def check_refine(study):
    """Raise :class:`ConfigError` where rounds cannot be chosen from what the study declares."""
    if study.refine is None:
        return
    if all(coupling.value is not None for coupling in study.couplings.values()):
        raise ConfigError("no coupling is free", where="refine", fix="leave out the value of a coupling")
    flat = [name for name, (low, high) in _ranges(study.grid).items() if not high > low]
    if flat:
        raise ConfigError(
            f"the grid has no extent along {', '.join(flat)}, where further points could lie",
            where="refine",
            expected="first < last on every axis",
            fix="give the grid an extent, or give the coupling a value of its own",
        )
    study.refine.check(study)


def _ranges(grid):
    """Return the lowest and highest value of each axis by name."""
    if grid.kind in ("lattice", "map"):
        return {name: sorted((axis.first, axis.last)) for name, axis in grid.axes.items()}
    if grid.kind == "list":
        columns = {name: [point[name] for point in grid.points] for name in grid.points[0]}
        return {name: (min(values), max(values)) for name, values in columns.items()}
    return dict(grid.box)
