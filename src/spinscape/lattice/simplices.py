"""Corner-sharing simplices found from the geometry: triangles of a kagome lattice, tetrahedra of a pyrochlore."""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from .bonds import SAME_DISTANCE, neighbour_pairs
from .crystal import Crystal, read_only
from .supercell import Supercell

_SMALLEST = 3
"""Corners. A chain's bonds are simplices of two corners, and have no ice rule."""
_FIX = "name the distance that holds a simplex's edges, or take a lattice of corner-sharing triangles or tetrahedra"


@dataclass(frozen=True, eq=False)
class Simplices:
    """The simplices of one chemical cell; every site is a corner of exactly two.

    Parameters
    ----------
    site : (n_simplex, n_corner) int64
        Site of each corner.
    cell : (n_simplex, n_corner, 3) int64
        Chemical cell of each corner; that of the first is 0.
    centre : (n_simplex, 3) float64
        Fractional coordinates of the middle.
    sign : (n_simplex,) int64
        +1 and -1 for the two kinds where neighbours are always of different kinds ("up" and "down"; the first simplex
        is +1); 0 where there is no such division of the cell.
    """

    site: np.ndarray
    cell: np.ndarray
    centre: np.ndarray
    sign: np.ndarray

    def __post_init__(self):
        for name, dtype in (("site", np.int64), ("cell", np.int64), ("centre", np.float64), ("sign", np.int64)):
            object.__setattr__(self, name, read_only(getattr(self, name), dtype))

    @property
    def n_simplex(self):
        """Simplices in the chemical cell."""
        return len(self.site)

    @property
    def n_corner(self):
        """Corners of each: 3 of a triangle, 4 of a tetrahedron."""
        return self.site.shape[1]

    def corners(self, cell: Supercell) -> np.ndarray:
        """Return the spins at the corners of every simplex of a supercell.

        Returns
        -------
        (n_cell * n_simplex, n_corner) int64
            The index of a simplex is cell * n_simplex + simplex, as for sites.
        """
        where = cell.cells[:, None, None] + self.cell[None]
        return cell.site_index(self.site[None], where).reshape(-1, self.n_corner)

    def of_spins(self, cell: Supercell) -> np.ndarray:
        """Return the two simplices of every spin of a supercell, (n_spin, 2) int64, the one of lower index first."""
        corners = self.corners(cell)
        order = np.argsort(corners.ravel(), kind="stable")
        return (order // self.n_corner).reshape(cell.n_spin, 2)


def simplices(crystal: Crystal, *, r_max: float | None = None) -> Simplices:
    """Return the corner-sharing complete subgraphs of the nearest-neighbour graph of a crystal.

    Parameters
    ----------
    crystal : Crystal
    r_max : float, optional, Å
        Sites up to this distance are neighbours; the shortest distance by default. Breathing lattices, whose simplices
        are of two sizes, need it.

    Returns
    -------
    Simplices

    Raises
    ------
    ConfigError
        Unless the neighbours of every site fall into exactly two complete groups, all of one size.
    """
    radius = _shortest(crystal) if r_max is None else r_max
    pairs, _ = neighbour_pairs(crystal, radius + SAME_DISTANCE)
    bonds = {tuple(pair) for pair in pairs.tolist()}
    found = sorted({_canonical(group) for s in range(crystal.n_site) for group in _groups(crystal, s, bonds)})
    sizes = sorted({len(group) for group in found})
    if len(sizes) != 1 or sizes[0] < _SMALLEST:
        raise ConfigError(
            "the lattice has no corner-sharing simplices of one size",
            where="crystal",
            expected=f"simplices of the same number of corners, at least {_SMALLEST}",
            got=f"sizes {sizes} at neighbours up to {radius:.4g} Å",
            fix=_FIX,
        )
    corners = np.array(found, dtype=np.int64)
    site, cell = corners[..., 0], corners[..., 1:]
    return Simplices(site, cell, (crystal.positions[site] + cell).mean(axis=1), _signs(site, crystal.n_site))


def _shortest(crystal):
    """Return the shortest distance between two sites, Å."""
    radius = np.cbrt(abs(np.linalg.det(crystal.vectors)) / crystal.n_site)
    while True:
        distance = neighbour_pairs(crystal, radius)[1]
        if len(distance):
            return float(distance.min())
        radius *= 1.3


def _groups(crystal, site, bonds):
    """Return the two simplices of a site as lists of corners (site, a, b, c), the site itself in cell 0."""
    left = sorted((j, *offset) for i, j, *offset in bonds if i == site)
    groups = []
    while left:
        near = [left[0], *(other for other in left[1:] if _bond(left[0], other) in bonds)]
        groups.append([(site, 0, 0, 0), *near])
        left = [other for other in left if other not in near]
    complete = all(_bond(a, b) in bonds for group in groups for a in group for b in group if a != b)
    n_bond = sum(len(group) * (len(group) - 1) for group in groups)
    every = sorted({corner for group in groups for corner in group})
    apart = n_bond == sum(_bond(a, b) in bonds for a in every for b in every if a != b)
    if len(groups) != 2 or not complete or not apart:
        raise ConfigError(
            "the lattice is not one of corner-sharing simplices",
            where=f"crystal: site {site} ({crystal.labels[site]})",
            expected="neighbours in exactly two groups, within which all are neighbours and across which none",
            got=f"{len(every) - 1} neighbours in {len(groups)} groups",
            fix=_FIX,
        )
    return groups


def _bond(a, b):
    """Return the bond (i, j, offset) between two corners."""
    return (a[0], b[0], b[1] - a[1], b[2] - a[2], b[3] - a[3])


def _canonical(group):
    """Return a simplex as sorted corners, moved by lattice vectors so that the first lies in cell 0."""
    moved = [sorted((s, a - x, b - y, c - z) for s, a, b, c in group) for _, x, y, z in group]
    return min(tuple(corners) for corners in moved if corners[0][1:] == (0, 0, 0))


def _signs(site, n_site):
    """Return +1 and -1 for the two kinds of simplices, 0 where neighbours cannot always be of different kinds."""
    touching = [[] for _ in range(n_site)]
    for t, corners in enumerate(site.tolist()):
        for s in corners:
            touching[s].append(t)
    sign = np.zeros(len(site), dtype=np.int64)
    for start in range(len(site)):
        if sign[start]:
            continue
        sign[start], queue = 1, [start]
        while queue:
            t = queue.pop()
            fresh = [u for s in site[t] for u in touching[s] if u != t and not sign[u]]
            sign[fresh] = -sign[t]
            queue += fresh
    alternate = all(len(pair) == 2 and sign[pair[0]] == -sign[pair[1]] for pair in touching)
    return sign if alternate else np.zeros(len(site), dtype=np.int64)
