"""The kinds of magnetic structure that a study can declare, and their way to and from plain data."""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from ..lattice.supercell import supercell
from .model import MagneticStructure
from .spiral import SpiralStructure

_COMMENSURATE = 1e-6


@dataclass(frozen=True)
class GroundStateSearch:
    """In place of a structure: that of lowest energy at each set of couplings.

    Parameters
    ----------
    magnetic_cell : tuple of 3 tuples of int, or None
        The cell to search in, rows in units of the chemical vectors.
    max_cell : int or None
        In its place: every magnetic cell of at most so many chemical cells.
    n_start : int
        Random starts in each cell.
    """

    magnetic_cell: tuple[tuple[int, int, int], ...] | None = None
    max_cell: int | None = None
    n_start: int = 32

    def __post_init__(self):
        if (self.magnetic_cell is None) == (self.max_cell is None):
            raise ConfigError(
                "a search for a ground state needs a magnetic cell, or the largest one",
                where="ground_state",
                expected="one of magnetic_cell and max_cell",
                got="both" if self.max_cell is not None else "neither",
            )
        if self.magnetic_cell is not None:
            supercell(self.magnetic_cell, n_site=1)
            rows = tuple(tuple(int(x) for x in row) for row in np.array(self.magnetic_cell).tolist())
            object.__setattr__(self, "magnetic_cell", rows)

    def to_dict(self):
        """Return plain values, for JSON."""
        return {"search": {name: getattr(self, name) for name in self.__dataclass_fields__}}

    @classmethod
    def from_dict(cls, data):
        """Rebuild a search from :meth:`to_dict`."""
        return cls(**data["search"])


Structure = MagneticStructure | SpiralStructure | GroundStateSearch


def structure_from_dict(data: dict) -> Structure:
    """Rebuild a structure of any kind from its ``to_dict``."""
    if "search" in data:
        return GroundStateSearch.from_dict(data)
    return (SpiralStructure if "k" in data else MagneticStructure).from_dict(data)


def structure_from_spiral(spiral: SpiralStructure, magnetic_cell) -> MagneticStructure:
    """Return a spiral laid out in a magnetic cell.

    Parameters
    ----------
    spiral : SpiralStructure
    magnetic_cell : (3, 3) int
        Rows in units of the chemical vectors. k must turn the spins by whole turns along each of them.

    Returns
    -------
    MagneticStructure

    Raises
    ------
    ConfigError
        Where k does not fit the cell.
    """
    n_site = len(spiral.direction)
    cell = supercell(magnetic_cell, n_site=n_site)
    turns = cell.matrix @ spiral.k
    away = np.abs(turns - np.round(turns))
    if np.any(away > _COMMENSURATE):
        worst = int(np.argmax(away))
        raise ConfigError(
            "the wave vector of the structure does not fit its magnetic cell",
            where="structure.k",
            expected="a whole number of turns along each vector of magnetic_cell",
            got=f"{turns[worst]:.6g} turns along {cell.matrix[worst].tolist()}, k = {spiral.k.tolist()}",
            fix="take a magnetic cell that k fits, write k as fractions such as 1/3, or leave magnetic_cell out",
        )
    angle = 2.0 * np.pi * (cell.cells @ spiral.k)
    along = spiral.direction @ spiral.axis
    across = spiral.direction - np.outer(along, spiral.axis)
    cosine, sine = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    direction = np.outer(along, spiral.axis) + cosine * across + sine * np.cross(spiral.axis, across)
    site = np.tile(np.arange(n_site), cell.n_cell)
    return MagneticStructure(cell.matrix, site, np.repeat(cell.cells, n_site, axis=0), direction.reshape(-1, 3))
