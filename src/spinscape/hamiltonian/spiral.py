"""A single-Q spiral: spins that turn about one axis from cell to cell."""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, check_shape
from ..lattice.crystal import read_only
from ..lattice.supercell import supercell
from .model import MagneticStructure

_WHOLE = 1e-6
"""Part of a turn by which a spiral may miss a magnetic cell, and part across the axis that counts as none."""


@dataclass(frozen=True, eq=False)
class SpiralStructure:
    """S_i(R) = R(axis, 2π k·R) S_i(0), commensurate or not.

    Parameters
    ----------
    k : (3,) float64, r.l.u. of the chemical cell
    axis : (3,) float64
        Rotation axis in the Cartesian frame of the crystal; a unit vector after construction.
    direction : (n_site, 3) float64
        Directions of the spins in the cell R = 0; they need not lie across the axis (cones).
    """

    k: np.ndarray
    axis: np.ndarray
    direction: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, "k", read_only(self.k))
        check_shape("k", self.k, (3,))
        for name, shape in (("axis", (3,)), ("direction", ("n_site", 3))):
            array = np.array(getattr(self, name), dtype=np.float64)
            check_shape(name, array, shape)
            length = np.linalg.norm(array, axis=-1, keepdims=True)
            if not np.all(length > 0):
                raise ConfigError(
                    f"the {name} of a spiral has no direction",
                    where=f"structure.{name}",
                    expected="a vector that is not zero",
                    got=array.tolist(),
                )
            object.__setattr__(self, name, read_only(array / length))

    def directions(self, cells) -> np.ndarray:
        """Return the unit vectors in chemical cells (n_cell, 3): (n_cell, n_site, 3)."""
        n, axis = self.direction, self.axis
        angle = 2.0 * np.pi * (np.asarray(cells, dtype=np.float64) @ self.k)[:, None, None]
        along = (n @ axis)[:, None] * axis
        return along + np.cos(angle) * (n - along) + np.sin(angle) * np.cross(axis, n)

    def in_cell(self, magnetic_cell) -> MagneticStructure:
        """Return the spiral as a structure of a magnetic cell, (3,) or (3, 3) int.

        Raises
        ------
        ConfigError
            Where the spiral does not repeat with the cell.
        """
        n = len(self.direction)
        cell = supercell(magnetic_cell, n_site=n)
        turns = cell.matrix @ self.k
        circling = bool(np.max(np.linalg.norm(np.cross(self.axis, self.direction), axis=1)) > _WHOLE)
        if circling and np.max(np.abs(turns - np.round(turns))) > _WHOLE:
            raise ConfigError(
                "the spiral does not fit into this magnetic cell",
                where="magnetic_cell",
                expected="whole turns along each of its vectors",
                got=f"k = {self.k.tolist()}: {turns.round(6).tolist()} turns",
                fix="take another cell, or a spiral of a k that it holds",
            )
        site, cells = np.tile(np.arange(n), cell.n_cell), np.repeat(cell.cells, n, axis=0)
        return MagneticStructure(cell.matrix, site, cells, self.directions(cell.cells).reshape(-1, 3))

    def to_dict(self):
        """Return plain lists, for JSON."""
        return {name: getattr(self, name).tolist() for name in self.__dataclass_fields__}

    @classmethod
    def from_dict(cls, data):
        """Rebuild a spiral from :meth:`to_dict`."""
        return cls(**data)
