"""The ``structure:`` section: how a study says what magnetic structure there is."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from ..errors import ConfigError
from .quantities import IntVector, Name, Vector
from .strict import Strict

IntMatrix = tuple[IntVector, IntVector, IntVector]


class Moment(Strict):
    """The direction of one spin of the magnetic cell, Cartesian."""

    site: Name
    index: int = Field(0, ge=0, description="which site of the orbit")
    cell: IntVector = (0, 0, 0)
    direction: Vector


class SupercellSection(Strict):
    """A commensurate magnetic structure."""

    kind: Literal["supercell"]
    magnetic_cell: IntMatrix = Field(
        ((1, 0, 0), (0, 1, 0), (0, 0, 1)), description="rows in chemical cells; left out: the chemical cell itself"
    )
    moments: tuple[Moment, ...] = Field(min_length=1)

    @property
    def sites(self):
        """Labels of the sites that the section names."""
        return tuple(moment.site for moment in self.moments)

    def build(self, crystal, found=None):
        """Return the ``MagneticStructure`` on a crystal."""
        from ..hamiltonian.model import MagneticStructure

        structure = MagneticStructure(
            np.array(self.magnetic_cell),
            np.array(_sites(self.moments, crystal)),
            np.array([m.cell for m in self.moments]),
            np.array([m.direction for m in self.moments]),
        )
        volume = abs(round(float(np.linalg.det(structure.magnetic_cell))))
        if volume == 0 or len(self.moments) != volume * crystal.n_site:
            raise ConfigError(
                "the moments do not fill the magnetic cell",
                where="structure.moments",
                expected=f"{volume * crystal.n_site} moments ({volume} chemical cells of {crystal.n_site} sites)",
                got=f"{len(self.moments)} moments",
                fix="list each site of each chemical cell of the magnetic cell once",
            )
        _check_directions(structure.direction)
        return structure


class SpiralMoment(Strict):
    """The direction of one spin of the chemical cell at the origin, Cartesian."""

    site: Name
    index: int = Field(0, ge=0, description="which site of the orbit")
    direction: Vector


class SpiralSection(Strict):
    """Spins that turn about one axis from cell to cell by 2π k·R, commensurate or not."""

    kind: Literal["spiral"]
    k: Vector = Field(description="r.l.u. of the chemical cell; 1/3 may be written so")
    axis: Vector = Field(description="rotation axis, Cartesian")
    moments: tuple[SpiralMoment, ...] = Field(min_length=1)
    magnetic_cell: IntMatrix | None = Field(
        None, description="lay the spiral out in this cell, so that terms need not be invariant about the axis"
    )

    @property
    def sites(self):
        """Labels of the sites that the section names."""
        return tuple(moment.site for moment in self.moments)

    def build(self, crystal, found=None):
        """Return the ``SpiralStructure`` on a crystal, or the ``MagneticStructure`` that it is in a magnetic cell."""
        from ..hamiltonian.spiral import SpiralStructure
        from ..hamiltonian.structures import structure_from_spiral

        place = _sites(self.moments, crystal)
        if sorted(place) != list(range(crystal.n_site)):
            raise ConfigError(
                "a spiral needs the direction of every site of the chemical cell once",
                where="structure.moments",
                expected=f"{crystal.n_site} moments",
                got=f"{len(place)} moments on {len(set(place))} sites",
                fix="list each site once",
            )
        direction = np.empty((crystal.n_site, 3))
        direction[place] = [m.direction for m in self.moments]
        _check_directions(direction)
        spiral = SpiralStructure(np.array(self.k), np.array(self.axis), direction)
        return spiral if self.magnetic_cell is None else structure_from_spiral(spiral, self.magnetic_cell)


class FileStructureSection(Strict):
    """The moments of the magnetic CIF that the crystal is read from."""

    kind: Literal["file"]

    @property
    def sites(self):
        """The file says which."""
        return ()

    def build(self, crystal, found=None):
        """Return the structure ``found`` in the crystal's file."""
        if found is None:
            raise ConfigError(
                "the crystal's file has no magnetic structure",
                where="structure.kind",
                expected="crystal: {file: ....mcif, ...}",
                got="a crystal that is not read from a magnetic CIF",
                fix="read the crystal from the magnetic CIF, or declare the moments",
            )
        return found


class GroundStateSection(Strict):
    """In place of a structure: the state of lowest energy at each point's couplings."""

    kind: Literal["ground_state"]
    magnetic_cell: IntMatrix | None = None
    max_cell: int | None = Field(None, ge=1, le=16, description="search all cells of at most so many chemical cells")
    starts: int = Field(32, ge=1, le=10_000)

    @property
    def sites(self):
        """None is named."""
        return ()

    @model_validator(mode="after")
    def _one_cell(self):
        if (self.magnetic_cell is None) == (self.max_cell is None):
            raise ValueError("give either magnetic_cell or max_cell")
        return self

    def build(self, crystal=None, found=None):
        """Return the ``GroundStateSearch``."""
        from ..hamiltonian.structures import GroundStateSearch

        return GroundStateSearch(self.magnetic_cell, self.max_cell, self.starts)


StructureSection = Annotated[
    SupercellSection | SpiralSection | FileStructureSection | GroundStateSection, Field(discriminator="kind")
]


def _sites(moments, crystal):
    """Return the site of the crystal that each moment is on."""
    return [site_index(crystal, m.site, m.index, where=f"structure.moments.{k}") for k, m in enumerate(moments)]


def site_index(crystal, label, index, *, where):
    """Return the index in the crystal of the ``index``-th site of the orbit ``label``."""
    members = [k for k, name in enumerate(crystal.labels) if name == label]
    if index >= len(members):
        raise ConfigError(
            f"site {label} has only {len(members)} positions",
            where=where,
            expected=f"index below {len(members)}",
            got=index,
        )
    return members[index]


def _check_directions(direction):
    if np.any(np.linalg.norm(direction, axis=1) < 1e-9):
        raise ConfigError("a moment has no direction", where="structure.moments", expected="a vector that is not zero")
