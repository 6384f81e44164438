"""Ice rules: spins as arrows between the simplices that share them."""

from typing import NamedTuple

import numpy as np

from ..errors import ConfigError
from ..lattice.simplices import simplices
from .spin_system import SpinSystem

_PARALLEL = 1e-6
_STEEPEST = 0.1
"""An axis whose cosine with the way between two simplices is below points to neither."""


class IceGraph(NamedTuple):
    """Arrows of a supercell; arrays as in ``kernels.loops``, corners as indices of spins.

    Parameters
    ----------
    corner : (n_simplex, n_corner) int64
    other : (n_simplex, n_corner) int64
        Simplex on the other side of each corner.
    outward : (n_simplex, n_corner) float64
        +1 where a spin along its axis points out of the simplex, -1 where it points in.
    """

    corner: np.ndarray
    other: np.ndarray
    outward: np.ndarray


def ice_graph(system: SpinSystem) -> IceGraph:
    """Return the arrows of a system of Ising spins on corner-sharing simplices.

    Where all axes are parallel, up is the direction from simplices of one kind to those of the other (the rule is then:
    as many up as down on each). Else an arrow points where its axis does.

    Raises
    ------
    ConfigError
        Where there are no corner-sharing simplices, or the axes do not point from one to another.
    """
    found = simplices(system.model.crystal)
    corner, of_spin = found.corners(system.cell), found.of_spins(system.cell)
    here = np.arange(len(corner))[:, None]
    pair = of_spin[corner]
    other = np.where(pair[..., 0] == here, pair[..., 1], pair[..., 0])
    if np.any(pair[..., 0] == pair[..., 1]):
        raise ConfigError(
            "a simplex shares a corner with itself",
            where="supercell",
            expected="neighbouring simplices that differ",
            got=system.cell.matrix.tolist(),
            fix="take a larger supercell",
        )
    outward = _outward(system.model.crystal, found)
    return IceGraph(corner, other, np.tile(outward, (system.cell.n_cell, 1)))


def _outward(crystal, found):
    """Return whether each corner's axis points out of the simplex, (n_simplex, n_corner) of +1 and -1."""
    axis = crystal.axis[found.site]
    line = crystal.axis[0]
    cosine = axis @ line
    if np.all(np.abs(np.abs(cosine) - 1.0) < _PARALLEL) and np.all(found.sign != 0):
        return np.sign(cosine) * found.sign[:, None]
    way = (crystal.positions[found.site] + found.cell - found.centre[:, None]) @ crystal.vectors
    along = np.sum(axis * way, axis=2) / np.linalg.norm(way, axis=2)
    # Out of one of a spin's simplices is into the other.
    balance = np.bincount(found.site.ravel(), weights=np.sign(along).ravel(), minlength=crystal.n_site)
    if np.any(np.abs(along) < _STEEPEST) or np.any(balance != 0):
        raise ConfigError(
            "no ice rule: Ising axes do not point from one simplex to another",
            where="crystal.sites: axis",
            expected="axes along the lines between the simplices that share a site, or all parallel",
            got=crystal.axis.round(4).tolist(),
            fix="leave out loop moves, or correct the axes",
        )
    return np.sign(along)
