"""Conditions, paths and energies: what a study says of them, and the objects that they become."""

from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from ..hamiltonian.conditions import Conditions
from ..lattice.crystal import lattice_vectors
from ..lattice.powder_axis import PowderAxis
from ..lattice.qspace import EnergyAxis, path_through
from ..lattice.volumes import QGrid, edges_from_range
from .crystal_file import read_crystal_file
from .quantities import Energy, Fractional, MagneticField, Name, Temperature, Vector, Wavevector
from .strict import Strict


class ConditionsSection(Strict):
    """Temperature and field."""

    temperature: Annotated[Temperature, Field(ge=0)] | None = None
    field: tuple[MagneticField, MagneticField, MagneticField] | None = None


class PathSection(Strict):
    """A path through reciprocal space, or a shifted copy of another one."""

    vertices: tuple[Vector, ...] | None = None
    points: tuple[Annotated[int, Field(ge=2, le=100_000)], ...] | None = None
    labels: tuple[str, ...] | None = None
    like: Name | None = None
    shift: Vector = (0.0, 0.0, 0.0)

    @model_validator(mode="after")
    def _one_way(self):
        if (self.like is None) == (self.vertices is None) or (self.vertices is None) != (self.points is None):
            raise ValueError("a path has either vertices and points, or like and shift")
        return self


class AxisSection(Strict):
    """Equal bins of one coordinate of a volume; one bin is integrated over."""

    first: Fractional = Field(description="outer edge of the first bin")
    last: Fractional = Field(description="outer edge of the last bin")
    n: int = Field(1, ge=1, le=100_000)


class VolumeSection(Strict):
    """A slice or a volume of reciprocal space: Q = origin + u·basis[0] + v·basis[1] + w·basis[2]."""

    origin: Vector = (0.0, 0.0, 0.0)
    basis: tuple[Vector, Vector, Vector] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    axes: tuple[AxisSection, AxisSection, AxisSection]


class PowderSection(Strict):
    """The |Q| of a powder: equally spaced bin centres."""

    first: Wavevector = Field(ge=0)
    last: Wavevector
    n: int = Field(ge=2, le=100_000)

    @model_validator(mode="after")
    def _rising(self):
        if not self.first < self.last:
            raise ValueError("first < last")
        return self


class EnergySection(Strict):
    """Bin centres of the energy axis."""

    first: Energy
    last: Energy
    step: Energy


def vectors(study):
    """Return the lattice vectors as rows, (3, 3), Å."""
    if hasattr(study.crystal, "file"):
        return read_crystal_file(study.crystal)[0].vectors
    lattice = study.crystal.lattice
    # Not model_dump, which gives text with units.
    return lattice_vectors(**dict(lattice))


def conditions(study):
    """Return the conditions of a study's simulations, or those that a measurement has of its own."""
    return Conditions(study.conditions.temperature, study.conditions.field or (0.0, 0.0, 0.0))


def path(study, name):
    """Return a declared path."""
    reciprocal = 2.0 * np.pi * np.linalg.inv(vectors(study)).T
    declared = study.paths[name]
    base = declared if declared.like is None else study.paths[declared.like]
    return path_through(
        base.vertices,
        n_point=base.points,
        reciprocal=reciprocal,
        name=name,
        labels=declared.labels or base.labels,
        shift=declared.shift,
    )


def volume(study, name):
    """Return a declared volume."""
    declared = study.volumes[name]
    edges = tuple(edges_from_range(first=axis.first, last=axis.last, n_bin=axis.n) for axis in declared.axes)
    return QGrid(name, np.array(declared.origin), np.array(declared.basis), edges)


def powder(study, name):
    """Return a declared axis of |Q|."""
    declared = study.powders[name]
    return PowderAxis.from_range(first=declared.first, last=declared.last, n=declared.n, name=name)


def energy_axis(declared):
    """Return the axis of an energy section."""
    return EnergyAxis.from_range(first=declared.first, last=declared.last, step=declared.step)
