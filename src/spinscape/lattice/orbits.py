"""Bonds and sites under the space group: orbits, little groups, and the matrices that they allow."""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, SymmetryError
from .crystal import Crystal
from .invariants import FORBIDDEN, allowed_form_text, allowed_part, invariant_matrices, matrix_text, snapped
from .symmetry import cartesian_rotations, site_maps


def _maps(crystal):
    return site_maps(crystal.vectors, crystal.positions, crystal.rotations, crystal.translations)


@dataclass(frozen=True, eq=False)
class BondOrbit:
    """A bond and all that symmetry makes of it, each once, in the sense that the operations give it.

    Parameters
    ----------
    site_i, site_j : (n_bond,) int64
    offset : (n_bond, 3) int64
    rotation : (n_bond, 3, 3) float64
        Orthogonal matrices that take the reference bond to each bond, start to start.
    """

    site_i: np.ndarray
    site_j: np.ndarray
    offset: np.ndarray
    rotation: np.ndarray

    @property
    def n_bond(self):
        """Number of bonds of the orbit in the chemical cell."""
        return len(self.site_i)

    def matrices(self, matrix):
        """Return R M R^T on every bond for the reference bond's ``matrix``, (n_bond, 3, 3)."""
        return _turned(self.rotation, matrix)


def _turned(rotations, matrix):
    matrix = np.asarray(matrix, dtype=np.float64)
    return snapped(rotations @ matrix @ rotations.transpose(0, 2, 1), matrix)


def _bond_images(crystal, site_i, site_j, offset):
    """Return start, end and offset of a bond's image under every operation."""
    maps = _maps(crystal)
    moved = maps.cell[:, site_j] + crystal.rotations @ np.asarray(offset, dtype=np.int64) - maps.cell[:, site_i]
    return maps.site[:, site_i], maps.site[:, site_j], moved


def bond_orbit(crystal: Crystal, site_i: int, site_j: int, offset) -> BondOrbit:
    """Return the orbit of a bond under the crystal's space group.

    Parameters
    ----------
    crystal : Crystal
    site_i, site_j : int
    offset : (3,) int
        Cell of site j relative to that of site i.

    Returns
    -------
    BondOrbit
        Sorted by site_i, site_j, offset. The reference bond is in it, as written.
    """
    _check_bond(crystal, site_i, site_j, offset)
    start, end, moved = _bond_images(crystal, site_i, site_j, offset)
    cartesian = cartesian_rotations(crystal.vectors, crystal.rotations)
    found = {(int(site_i), int(site_j), *(int(n) for n in offset)): np.eye(3)}
    for o, R in enumerate(cartesian):
        i, j, n = int(start[o]), int(end[o]), tuple(int(x) for x in moved[o])
        if (i, j, *n) not in found and (j, i, *(-x for x in n)) not in found:
            found[(i, j, *n)] = R
    rows = np.array(sorted(found), dtype=np.int64)
    rotation = np.array([found[tuple(row)] for row in rows.tolist()])
    return BondOrbit(rows[:, 0], rows[:, 1], rows[:, 2:], rotation)


def single_bond(site_i, site_j, offset):
    """Return a bond as an orbit of its own, without symmetry."""
    return BondOrbit(np.array([site_i]), np.array([site_j]), np.array([offset], dtype=np.int64), np.eye(3)[None])


def _check_bond(crystal, site_i, site_j, offset):
    if not (0 <= site_i < crystal.n_site and 0 <= site_j < crystal.n_site):
        raise ConfigError(
            "a bond names a site that is not there",
            expected=f"site indices below {crystal.n_site}",
            got=f"{site_i} -> {site_j}",
        )
    if site_i == site_j and not np.any(offset):
        raise ConfigError(
            "a bond from a site to itself",
            got=f"{site_i} -> {site_j} + {tuple(offset)}",
            fix="give the offset of another cell, or use an on-site term",
        )


def allowed_exchange(crystal: Crystal, site_i: int, site_j: int, offset) -> np.ndarray:
    """Return the exchange matrices that the symmetry of a bond allows.

    A matrix is allowed if R M R^T = M for every operation that keeps the bond, and R M^T R^T = M for every one that
    turns it round.

    Returns
    -------
    (n_allowed, 3, 3) float64
        A basis: symmetric matrices first, then antisymmetric ones (Dzyaloshinskii-Moriya).
    """
    _check_bond(crystal, site_i, site_j, offset)
    rotations, reversed_ = _little_group(crystal, site_i, site_j, offset)
    return invariant_matrices(rotations, reversed_)


def _little_group(crystal, site_i, site_j, offset):
    start, end, moved = _bond_images(crystal, site_i, site_j, offset)
    offset = np.asarray(offset, dtype=np.int64)
    kept = (start == site_i) & (end == site_j) & np.all(moved == offset, axis=1)
    turned = (start == site_j) & (end == site_i) & np.all(moved == -offset, axis=1)
    either = kept | turned
    return cartesian_rotations(crystal.vectors, crystal.rotations[either]), turned[either]


def allowed_onsite(crystal: Crystal, site: int) -> np.ndarray:
    """Return the symmetric on-site matrices (n_allowed, 3, 3) that the point group of a site allows."""
    rotations, _ = _site_group(crystal, site)
    basis = invariant_matrices(rotations, np.zeros(len(rotations), dtype=bool))
    return basis[[np.allclose(m, m.T) for m in basis]]


def _site_group(crystal, site):
    maps = _maps(crystal)
    kept = maps.site[:, site] == site
    rotations = cartesian_rotations(crystal.vectors, crystal.rotations[kept])
    return rotations, np.zeros(len(rotations), dtype=bool)


@dataclass(frozen=True, eq=False)
class SiteOrbit:
    """A site and all that symmetry makes of it.

    Parameters
    ----------
    site : (n_site,) int64
    rotation : (n_site, 3, 3) float64
        Orthogonal matrices that take the reference site to each site.
    """

    site: np.ndarray
    rotation: np.ndarray

    def matrices(self, matrix):
        """Return R A R^T on every site for the reference site's ``matrix``, (n_site, 3, 3)."""
        return _turned(self.rotation, matrix)


def site_orbit(crystal: Crystal, site: int) -> SiteOrbit:
    """Return the orbit of a site under the crystal's space group, sorted; the reference site is taken as it is."""
    maps = _maps(crystal)
    cartesian = cartesian_rotations(crystal.vectors, crystal.rotations)
    found = {int(site): np.eye(3)}
    for image, R in zip(maps.site[:, site].tolist(), cartesian, strict=True):
        found.setdefault(image, R)
    sites = sorted(found)
    return SiteOrbit(np.array(sites, dtype=np.int64), np.array([found[s] for s in sites]))


def single_site(site):
    """Return a site as an orbit of its own, without symmetry."""
    return SiteOrbit(np.array([site], dtype=np.int64), np.eye(3)[None])


def checked_exchange(crystal: Crystal, site_i: int, site_j: int, offset, matrix, *, name: str) -> np.ndarray:
    """Return an exchange matrix if the symmetry of its bond allows it, with its last digits made to fit.

    Parameters
    ----------
    matrix : (3, 3) float64
    name : str
        What the error calls the matrix: the coupling's name.

    Raises
    ------
    SymmetryError
        That prints the allowed form and the nearest allowed matrix.
    """
    rotations, turned = _little_group(crystal, site_i, site_j, offset)
    bond = f"bond {site_i} -> {site_j} + ({' '.join(str(int(n)) for n in offset)})"
    return _checked(matrix, rotations, turned, what=f"the symmetry of the {bond} forbids the matrix of {name}")


def checked_onsite(crystal: Crystal, site: int, matrix, *, name: str) -> np.ndarray:
    """Return an on-site matrix if the point group of its site allows it; see :func:`checked_exchange`."""
    rotations, turned = _site_group(crystal, site)
    return _checked(matrix, rotations, turned, what=f"the symmetry of site {site} forbids the matrix of {name}")


def _checked(matrix, rotations, turned, *, what):
    matrix = np.asarray(matrix, dtype=np.float64)
    nearest = allowed_part(matrix, rotations, turned)
    excess, size = np.abs(matrix - nearest), np.abs(matrix).max()
    if excess.max() <= 1e-12 * size:
        return matrix
    if excess.max() <= FORBIDDEN * size:
        return nearest
    allowed = f"the nearest allowed matrix is {matrix_text(nearest)}" if np.any(nearest) else "no part of it is allowed"
    raise SymmetryError(
        what,
        expected=f"the form {allowed_form_text(invariant_matrices(rotations, turned))}",
        got=matrix_text(matrix),
        fix=f"{allowed}; symmetry: false takes single bonds as they stand",
    )
