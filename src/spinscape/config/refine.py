"""The ``refine:`` section: rounds of further points, whose number and size are fixed; a chooser says which.

A chooser is a function of what the points so far have given: a map of phases, say. Each is a kind of this section and
a module of ``stages`` of its own; docs/decisions/0007-refinement.md.
"""

from typing import Annotated, Literal

from pydantic import Field

from ..errors import ConfigError
from .checks import known
from .fits import fit_section
from .grids import grid_section
from .quantities import Name
from .simulated_places import simulated_places
from .strict import Strict


class Rounds(Strict):
    """How many rounds there are, and how large each is."""

    rounds: int = Field(ge=1, le=100)
    points: int = Field(ge=1, le=4000, description="of each round")

    def modules(self, study):
        """Return the modules of ``spinscape.stages`` that choose; a study's fingerprint holds those of its chooser."""
        return (self.module,)

    def settings(self, study):
        """Return what the chooser reads of other sections of the study: plain data."""
        return {}


class PhaseRounds(Rounds):
    """Points where a map of phases is uncertain: its boundaries."""

    kind: Literal["phases"]
    map: Name = Field(description="a member of the section phases")
    by: Literal["phases", "clusters"] = Field(
        "phases", description="what is told apart: phases, or the clusters before borders without a jump are dropped"
    )
    spread: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of each round that goes to the emptiest places of the box, where small phases may hide",
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
        if study.phases[self.map].latent is not None:
            raise ConfigError(
                "rounds cannot be chosen by latent numbers: the compressor learns from the points of all rounds",
                where="refine.map",
                expected="a map of arrays",
                got=self.map,
                fix="declare a second map, of arrays, under phases",
            )

    def summary(self):
        """Return what chooses, in words."""
        return f"where the map {self.map} is uncertain"


class FitRounds(Rounds):
    """Points where a fit's objective is expected to be low, by a Gaussian process of its values so far."""

    kind: Literal["gaussian_process"]
    fit: Name = Field(description="a member of the section fits: its measurements and its objective")
    acquisition: Literal["cutoff", "expected_improvement"] = Field(
        "cutoff", description="cutoff: random points that are expected below a cut-off that falls from round to round"
    )
    keep: int = Field(16, ge=1, description="the cut-off is the objective of the point of this rank, the best first")

    @property
    def module(self):
        """Module of the chooser."""
        return "spinscape.stages.choose_by_fit"

    def modules(self, study):
        """Return the chooser's module and those of the fit's objective."""
        return (self.module, *study.fits[self.fit].objective.modules())

    def settings(self, study):
        """Return the fit, and which array of the simulations each measurement is of."""
        return {"fit": fit_section(study, self.fit), **simulated_places(study)}

    def check(self, study):
        """Raise :class:`ConfigError` where the fit is not declared, or points cannot be compared with it."""
        known(self.fit, list(study.fits), what="fit", where="refine.fit")
        fit, arrays = study.fits[self.fit], simulated_places(study)["arrays"]
        if study.grid.kind == "map" or fit.objective.files():
            raise ConfigError(
                "rounds are chosen by an objective of simulated images alone, over the couplings themselves",
                where="refine.fit",
                expected="no mapped grid, no objective that reads a trained model",
                got=f"grid {study.grid.kind}, objective {fit.objective.kind}",
            )
        for name in fit.measurements:
            known(name, list(arrays), what="measurement on a simulated axis", where=f"fits.{self.fit}.measurements")

    def summary(self):
        """Return what chooses, in words."""
        return f"where the fit {self.fit} expects low values ({self.acquisition})"


Refine = Annotated[PhaseRounds | FitRounds, Field(discriminator="kind")]


def refine_section(study):
    """Return what the stage ``choose`` needs of a study, as plain data."""
    # Without their number: more rounds leave the first ones alone.
    refine = {key: value for key, value in study.section("refine").items() if key != "rounds"}
    return {"refine": refine, "module": study.refine.module, **grid_section(study), **study.refine.settings(study)}


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
