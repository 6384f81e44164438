"""A single-Q spiral: spins that turn about one axis from cell to cell."""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, check_shape
from ..lattice.crystal import read_only


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
                raise ConfigError(f"the {name} of a spiral has no direction", where=f"structure.{name}")
            object.__setattr__(self, name, read_only(array / length))

    def to_dict(self):
        """Return plain lists, for JSON."""
        return {name: getattr(self, name).tolist() for name in self.__dataclass_fields__}

    @classmethod
    def from_dict(cls, data):
        """Rebuild a spiral from :meth:`to_dict`."""
        return cls(**data)
