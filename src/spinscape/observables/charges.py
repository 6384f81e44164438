"""Magnetic charges of corner-sharing simplices: the monopoles of a spin ice."""

import numpy as np

from ..errors import ConfigError, check_shape
from ..lattice.crystal import Crystal, read_only
from ..lattice.simplices import Simplices
from ..lattice.supercell import Supercell


class Charges:
    """Charges of every simplex of a supercell, planned once.

        Q = ½ Σ_corners s_i,   s_i = +1 where the spin of corner i points out of the simplex, −1 where it points in

    A tetrahedron has 0 with two in and two out (the ice rule), ±1 (monopoles) and ±2; a triangle ±½ and ±3/2. Each
    spin counts +½ in one of its simplices and −½ in the other: the charges of a supercell sum to zero. The charges of
    the *moments* are those of the spins where the study takes moments along spins, and −Q for electrons.

    Parameters
    ----------
    crystal : Crystal
        All sites Ising.
    simplices : Simplices
        From :func:`spinscape.lattice.simplices.simplices`.
    cell : Supercell

    Attributes
    ----------
    corners : (n_simplex, n_corner) int64
        Spins.
    sign : (n_simplex, n_corner) int64
        +1 where the axis of the site points out of the simplex.
    """

    def __init__(self, crystal: Crystal, simplices: Simplices, cell: Supercell):
        if any(kind != "ising" for kind in crystal.kind):
            raise ConfigError(
                "charges are those of Ising spins",
                where="crystal.sites: kind",
                expected="ising",
                got=", ".join(sorted(set(crystal.kind))),
            )
        place = crystal.positions[simplices.site] + simplices.cell
        outward = (place - simplices.centre[:, None]) @ crystal.vectors
        along = np.sum(outward * crystal.axis[simplices.site], axis=2)
        if np.any(np.abs(along) < 1e-3 * np.linalg.norm(outward, axis=2)):
            raise ConfigError(
                "an Ising axis points neither into nor out of its simplex",
                where="crystal.sites: axis",
                got=crystal.axis[simplices.site].round(4).tolist()[0],
                fix="charges have no meaning for axes across the line to the middle",
            )
        self.crystal, self.cell = crystal, cell
        self.corners = read_only(simplices.corners(cell), np.int64)
        self.sign = read_only(np.tile(np.where(along > 0, 1, -1), (cell.n_cell, 1)), np.int64)
        self._centre = simplices.centre

    @property
    def positions(self):
        """Middles of the simplices, (n_simplex, 3) float64, Å."""
        place = self.cell.cells[:, None] + self._centre[None]
        return place.reshape(-1, 3) @ self.crystal.vectors

    def of(self, spins) -> np.ndarray:
        """Return the charges of configurations.

        Parameters
        ----------
        spins : (..., n_spin) int, or (..., n_spin, 3) float
            +1 and −1 along the sites' axes, or spins of any length; zero at a vacancy, which counts nothing.

        Returns
        -------
        (..., n_simplex) float64
        """
        values = np.asarray(spins)
        if values.shape[-1:] == (3,) and values.ndim > 1 and values.shape[-2] == self.cell.n_spin:
            axis = np.tile(self.crystal.axis, (self.cell.n_cell, 1))
            values = np.sum(values * axis, axis=-1)
        check_shape("spins", values[..., :].reshape(-1, values.shape[-1]), ("n_config", self.cell.n_spin))
        return 0.5 * np.sum(np.sign(values)[..., self.corners] * self.sign, axis=-1)

    def density(self, spins) -> np.ndarray:
        """Return the mean absolute charge of a simplex, (...): 0 where the ice rule holds everywhere."""
        return np.abs(self.of(spins)).mean(axis=-1)
