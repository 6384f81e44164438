"""The primitive cell of a centred lattice, and the waves that fit into a periodic supercell of any shape."""

from dataclasses import dataclass

import numpy as np

from ..errors import SymmetryError
from .crystal import Crystal, read_only
from .supercell import Supercell
from .symmetry import site_maps

_INTEGER = 1e-6


@dataclass(frozen=True, eq=False)
class PrimitiveCell:
    """The smallest cell that repeats, and where the sites of the chemical cell lie in its lattice.

    Parameters
    ----------
    vectors : (3, 3) float64
        Rows: primitive vectors in units of the chemical ones.
    matrix : (3, 3) int64
        Inverse of ``vectors``; rows: chemical vectors in units of the primitive ones.
    representative : (n_primitive,) int64
        Chemical site that each site of the primitive cell is.
    site : (n_site,) int64
        Site of the primitive cell that each chemical site is a copy of.
    cell : (n_site, 3) int64
        Primitive cell that it lies in.
    """

    vectors: np.ndarray
    matrix: np.ndarray
    representative: np.ndarray
    site: np.ndarray
    cell: np.ndarray

    def __post_init__(self):
        for name in self.__dataclass_fields__:
            object.__setattr__(
                self, name, read_only(getattr(self, name), np.float64 if name == "vectors" else np.int64)
            )

    @property
    def n_site(self):
        """Sites in the primitive cell."""
        return len(self.representative)

    @property
    def n_copy(self):
        """Primitive cells in a chemical one."""
        return len(self.site) // self.n_site


def primitive_cell(crystal: Crystal, operations=None) -> PrimitiveCell:
    """Return the primitive cell that the pure translations of a crystal span.

    Parameters
    ----------
    crystal : Crystal
    operations : (n,) int, optional
        Which of the crystal's operations to use; all by default.

    Returns
    -------
    PrimitiveCell
    """
    chosen = np.arange(len(crystal.rotations)) if operations is None else np.asarray(operations, dtype=np.int64)
    pure = chosen[np.all(crystal.rotations[chosen] == np.eye(3, dtype=np.int64), axis=(1, 2))]
    shifts = np.vstack([np.zeros((1, 3)), crystal.translations[pure]])
    shifts = np.unique(np.round(shifts - np.floor(shifts + _INTEGER), 6), axis=0)
    n = len(shifts)  # a group of n translations: n times each is a lattice vector
    whole = np.round(shifts * n)
    if np.abs(whole - shifts * n).max() > 1e-4:
        raise SymmetryError("the translations of the crystal form no lattice", where="crystal", got=shifts.tolist())
    shifts = whole / n
    basis = row_basis([*(n * np.eye(3, dtype=np.int64)).tolist(), *whole.astype(np.int64).tolist()])
    vectors = np.array(basis, dtype=np.float64) / n
    identity = np.tile(np.eye(3, dtype=np.int64), (n, 1, 1))
    maps = site_maps(crystal.vectors, crystal.positions, identity, shifts)
    first = maps.site.min(axis=0)
    representative, site = np.unique(first, return_inverse=True)
    by = np.argmax(maps.site[:, first] == np.arange(crystal.n_site)[None], axis=0)
    to_primitive = np.linalg.inv(vectors)
    cell = np.round((shifts[by] - maps.cell[by, first]) @ to_primitive)
    return PrimitiveCell(vectors, np.round(to_primitive), representative, site.reshape(-1), cell)


def row_basis(rows):
    """Return three rows that span the same lattice as some integer rows, triangular, in exact integers."""
    work = [list(row) for row in rows]
    for column in range(3):
        while True:
            below = [k for k in range(column, len(work)) if work[k][column]]
            pivot = min(below, key=lambda k: abs(work[k][column]))
            work[column], work[pivot] = work[pivot], work[column]
            if len(below) == 1:
                break
            for k in range(column + 1, len(work)):
                turns = work[k][column] // work[column][column]
                work[k] = [x - turns * y for x, y in zip(work[k], work[column], strict=True)]
    return work[:3]


def diagonal_form(matrix):
    """Return unimodular U, V and positive d with U·M·V = diag(d), in exact integers.

    Parameters
    ----------
    matrix : (3, 3) int, not singular

    Returns
    -------
    left, diagonal, right : (3, 3), (3,), (3, 3) int64
    """
    work = [[int(x) for x in row] for row in np.asarray(matrix).tolist()]
    left, right = np.eye(3, dtype=object), np.eye(3, dtype=object)
    work = np.array(work, dtype=object)
    for k in range(3):
        while True:
            places = [(abs(work[i, j]), i, j) for i in range(k, 3) for j in range(k, 3) if work[i, j]]
            _, i, j = min(places)
            work[[k, i]], left[[k, i]] = work[[i, k]], left[[i, k]]
            work[:, [k, j]], right[:, [k, j]] = work[:, [j, k]], right[:, [j, k]]
            for m in range(k + 1, 3):
                turns = work[m, k] // work[k, k]
                work[m], left[m] = work[m] - turns * work[k], left[m] - turns * left[k]
                turns = work[k, m] // work[k, k]
                work[:, m], right[:, m] = work[:, m] - turns * work[:, k], right[:, m] - turns * right[:, k]
            if not any(work[k, k + 1 :]) and not any(work[k + 1 :, k]):
                break
        if work[k, k] < 0:
            work[k], left[k] = -work[k], -left[k]
    return left.astype(np.int64), np.diag(work).astype(np.int64), right.astype(np.int64)


@dataclass(frozen=True, eq=False)
class WaveGrid:
    """The wave vectors that a periodic supercell holds, and the order of cells that a Fourier transform wants.

    The primitive cells of a supercell form a group Z_d1 × Z_d2 × Z_d3, whatever its shape. Wave k has the phase
    exp(2πi Σ k_j c_j/d_j) in the cell with the coordinates c.

    Parameters
    ----------
    primitive : PrimitiveCell
    shape : tuple of 3 int
        d.
    order : (n_primitive, d1·d2·d3) int64
        Spin of the supercell at each site of the primitive cell and each coordinate, the last running fastest.
    supercell_matrix : (3, 3) int64
        Rows: vectors of the supercell in units of the chemical ones. Allowed wave vectors are Q with integer
        ``supercell_matrix @ Q``.
    to_wave : (3, 3) int64
        k = to_wave @ (supercell_matrix @ Q) modulo d.
    """

    primitive: PrimitiveCell
    shape: tuple[int, int, int]
    order: np.ndarray
    supercell_matrix: np.ndarray
    to_wave: np.ndarray

    @property
    def half_shape(self):
        """Shape of the waves that a real transform keeps, one of each pair k, −k (and some of both)."""
        return (self.shape[0], self.shape[1], self.shape[2] // 2 + 1)

    @property
    def n_half(self):
        """Number of waves that a real transform keeps."""
        return int(np.prod(self.half_shape))

    @property
    def numbers(self):
        """Integers N = supercell_matrix @ Q of one wave vector for each wave kept, (n_half, 3) int64."""
        k = np.stack([axis.ravel() for axis in np.indices(self.half_shape)], axis=1)
        return k @ np.round(np.linalg.inv(self.to_wave)).astype(np.int64).T

    @property
    def q(self):
        """Wave vectors of the waves kept, (n_half, 3) float64, r.l.u. of the chemical cell."""
        return self.numbers @ np.linalg.inv(self.supercell_matrix).T

    def index(self, numbers):
        """Return which wave kept belongs to integers N, and whether it is the wave of −N.

        Parameters
        ----------
        numbers : (..., 3) int64
            supercell_matrix @ Q.

        Returns
        -------
        index : (...) int64
        mirrored : (...) bool
        """
        k = (np.asarray(numbers) @ self.to_wave.T) % self.shape
        mirrored = k[..., 2] > self.shape[2] // 2
        k = np.where(mirrored[..., None], -k % self.shape, k)
        return np.ravel_multi_index(tuple(np.moveaxis(k, -1, 0)), self.half_shape), mirrored


def wave_grid(crystal: Crystal, cell: Supercell, operations=None) -> WaveGrid:
    """Return the :class:`WaveGrid` of a supercell; ``operations`` as of :func:`primitive_cell`."""
    primitive = primitive_cell(crystal, operations)
    left, diagonal, right = diagonal_form(cell.matrix @ primitive.matrix)
    # The longest axis last: it is the one that a real transform halves.
    turn = np.argsort(diagonal, kind="stable")
    left, diagonal, right = left[turn], diagonal[turn], right[:, turn]
    shape = (int(diagonal[0]), int(diagonal[1]), int(diagonal[2]))
    where = cell.cells[:, None] @ primitive.matrix + primitive.cell[None]
    place = np.ravel_multi_index(tuple(np.moveaxis((where @ right) % shape, -1, 0)), shape)
    order = np.empty((primitive.n_site, int(np.prod(shape))), dtype=np.int64)
    order[np.tile(primitive.site, cell.n_cell), place.ravel()] = np.arange(cell.n_spin)
    return WaveGrid(primitive, shape, read_only(order, np.int64), cell.matrix, read_only(left, np.int64))
