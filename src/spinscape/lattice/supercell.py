"""Integer supercells: the index of every site, and which site lies where across the periodic boundary."""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, check_shape
from .crystal import read_only

MAX_CELL = 10_000_000


@dataclass(frozen=True, eq=False)
class Supercell:
    """A periodic block of chemical cells.

    Spins of a supercell are arrays (n_spin, 3) with the index cell * n_site + site.

    Parameters
    ----------
    matrix : (3, 3) int64
        Rows: the supercell's vectors in units of the chemical ones. Any matrix with a volume, diagonal or not.
    n_site : int
        Sites of the chemical cell.
    hermite : (3, 3) int64
        Upper triangular matrix whose rows span the same lattice; :func:`supercell` makes it.
    """

    matrix: np.ndarray
    n_site: int
    hermite: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, "matrix", read_only(self.matrix, np.int64))
        object.__setattr__(self, "hermite", read_only(self.hermite, np.int64))

    @property
    def shape(self):
        """Number of cells along each chemical axis of the box that holds each cell once: (3,) int."""
        return tuple(int(n) for n in np.diag(self.hermite))

    @property
    def n_cell(self):
        """Number of chemical cells."""
        return int(np.prod(self.shape))

    @property
    def n_spin(self):
        """Number of sites."""
        return self.n_cell * self.n_site

    @property
    def cells(self):
        """Chemical cells, (n_cell, 3) int64, in the order of their indices."""
        return np.stack([axis.ravel() for axis in np.indices(self.shape)], axis=1)

    def cell_index(self, cells):
        """Return the index of chemical cells anywhere in the lattice, wrapped into the supercell.

        Parameters
        ----------
        cells : (..., 3) int

        Returns
        -------
        (...) int64
        """
        cells = np.array(cells, dtype=np.int64)
        for axis in range(3):
            turns = cells[..., axis] // self.hermite[axis, axis]
            cells -= turns[..., None] * self.hermite[axis]
        return np.ravel_multi_index(tuple(np.moveaxis(cells, -1, 0)), self.shape).astype(np.int64)

    def site_index(self, site, cells):
        """Return the index of a site (...) in chemical cells (..., 3), wrapped into the supercell."""
        return self.cell_index(cells) * self.n_site + np.asarray(site)

    def bond_ends(self, site_i, site_j, offset):
        """Return the two sites of every copy of some bonds.

        Parameters
        ----------
        site_i, site_j : (n_bond,) int
        offset : (n_bond, 3) int

        Returns
        -------
        first, second : (n_bond, n_cell) int64
        """
        cells = self.cells[None, :]
        first = self.site_index(np.asarray(site_i)[:, None], cells)
        second = self.site_index(np.asarray(site_j)[:, None], cells + np.asarray(offset)[:, None])
        return first, second


def supercell(matrix, *, n_site: int) -> Supercell:
    """Return a supercell of an integer matrix, or of three numbers of cells.

    >>> supercell((2, 3, 1), n_site=4).n_spin, supercell([[1, 1, 0], [1, -1, 0], [0, 0, 1]], n_site=1).n_cell
    (24, 2)
    """
    rows = np.array(matrix)
    rows = np.diag(rows) if rows.ndim == 1 else rows
    check_shape("supercell", rows, (3, 3), hint="three numbers, or a 3×3 matrix with the new vectors as rows")
    hermite, volume = np.zeros((3, 3)), 0
    if np.all(np.abs(rows) <= MAX_CELL) and np.array_equal(rows, np.round(rows)):
        # Exact integers: a determinant in floating point could miss zero.
        hermite = _hermite([[int(x) for x in row] for row in rows.tolist()])
        volume = hermite[0][0] * hermite[1][1] * hermite[2][2]
    if not 1 <= volume <= MAX_CELL:
        raise ConfigError(
            "not a supercell",
            where="supercell",
            expected=f"integer vectors that span 1 to {MAX_CELL} cells",
            got=rows.tolist(),
        )
    return Supercell(rows, int(n_site), hermite)


def _hermite(rows):
    """Return the upper triangular basis of a row lattice with a non-negative diagonal, in exact integers."""
    work = [list(row) for row in rows]
    for column in range(3):
        while True:
            below = [k for k in range(column, 3) if work[k][column] != 0]
            if not below:
                break
            pivot = min(below, key=lambda k: abs(work[k][column]))
            work[column], work[pivot] = work[pivot], work[column]
            if work[column][column] < 0:
                work[column] = [-x for x in work[column]]
            for k in range(column + 1, 3):
                turns = work[k][column] // work[column][column]
                work[k] = [x - turns * y for x, y in zip(work[k], work[column], strict=True)]
            if all(work[k][column] == 0 for k in range(column + 1, 3)):
                break
    return work
