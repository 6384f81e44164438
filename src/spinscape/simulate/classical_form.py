"""The classical energy of a block of cells as a quadratic form of unit vectors, ready for many couplings.

    E(n; θ) = ½ Σ_ij n_i·A_ij(θ) n_j + Σ_i c_i·n_i,   A_ij = Σ_k θ_k S_i S_j M_ij^k,   c_i = μ_B S_i B·g_i

A_ji = A_ijᵀ; A_ii holds S²(A + Aᵀ) of the on-site terms, and the bonds of a spin to its own image.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, check_shape
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.energy import pair_list, zeeman_field
from ..hamiltonian.model import Model
from ..lattice.supercell import Supercell

_MIN_SCALE = 1e-300


@dataclass(frozen=True, eq=False)
class Table:
    """Rows θ_k M that add up to matrices.

    Parameters
    ----------
    entry : (n_row,) int64
        Matrix that the row belongs to.
    parameter : (n_row,) int64
    matrix : (n_row, 3, 3) float64
    n_entry : int
    """

    entry: np.ndarray
    parameter: np.ndarray
    matrix: np.ndarray
    n_entry: int

    def matrices(self, theta):
        """Return the matrices at many sets of couplings: (n_point, n_parameter) -> (n_point, n_entry, 3, 3), meV."""
        out = np.zeros((len(theta), self.n_entry, 3, 3))
        for p, values in enumerate(theta):
            np.add.at(out[p], self.entry, values[self.parameter, None, None] * self.matrix)
        return out


@dataclass(frozen=True, eq=False)
class ClassicalForm:
    """E(n; θ) of a block of spins.

    Parameters
    ----------
    parameter_names : tuple of str
    lengths : (n_spin,) float64
        S of each spin.
    start : (n_spin + 1,) int64, head : (n_entry,) int64
        The neighbours of spin i are head[start[i]:start[i + 1]].
    between : Table
        A_ij, j ≠ i.
    own : Table
        A_ii.
    linear : (n_spin, 3) float64, meV
        c.
    """

    parameter_names: tuple[str, ...]
    lengths: np.ndarray
    start: np.ndarray
    head: np.ndarray
    between: Table
    own: Table
    linear: np.ndarray

    @property
    def n_spin(self):
        """Number of spins."""
        return len(self.lengths)

    @property
    def tail(self):
        """First spin of each entry of ``head``, (n_entry,) int64."""
        return np.repeat(np.arange(self.n_spin), np.diff(self.start))

    def at(self, theta):
        """Return :class:`FormAt` at many sets of couplings, (n_point, n_parameter)."""
        between, own = self.between.matrices(theta), self.own.matrices(theta)
        linear = np.tile(self.linear, (len(theta), 1, 1))
        size = np.linalg.norm(own, axis=(2, 3)) + np.linalg.norm(linear, axis=2)
        for p, matrices in enumerate(between):
            size[p] += np.bincount(self.tail, weights=np.linalg.norm(matrices, axis=(1, 2)), minlength=self.n_spin)
        # Contiguous arrays of one kind: every other layout would compile the kernel anew.
        shift = np.linalg.eigvalsh(own)[:, :, -1].copy()
        return FormAt(between, own, linear, shift, np.maximum(size.max(axis=1), _MIN_SCALE))

    def pulls(self, direction):
        """Return ∂²E/∂n∂θ, the field of each coupling at unit strength: (n_parameter, n_spin, 3) float64."""
        out = np.zeros((len(self.parameter_names), self.n_spin, 3))
        for table, tail, head in (
            (self.between, self.tail, self.head),
            (self.own, np.arange(self.n_spin), np.arange(self.n_spin)),
        ):
            rows = np.einsum("rab,rb->ra", table.matrix, direction[head[table.entry]])
            np.add.at(out, (table.parameter, tail[table.entry]), rows)
        return out


@dataclass(frozen=True, eq=False)
class FormAt:
    """A :class:`ClassicalForm` at n_point sets of couplings.

    Parameters
    ----------
    between : (n_point, n_entry, 3, 3) float64, meV
    own : (n_point, n_spin, 3, 3) float64, meV
    linear : (n_point, n_spin, 3) float64, meV
    shift : (n_point, n_spin) float64, meV
        Largest eigenvalue of each matrix of ``own``.
    scale : (n_point,) float64, meV
        Upper estimate of the field on any spin: what torques are small against.
    """

    between: np.ndarray
    own: np.ndarray
    linear: np.ndarray
    shift: np.ndarray
    scale: np.ndarray


def classical_form(model: Model, *, cell: Supercell, conditions: Conditions | None = None) -> ClassicalForm:
    """Return the classical energy of a supercell as a form that takes many couplings.

    Parameters
    ----------
    model : Model
    cell : Supercell
        Of ``model.crystal``; it orders the spins.
    conditions : Conditions, optional
        The field enters as + μ_B Σ B·g·S.

    Returns
    -------
    ClassicalForm
    """
    lengths = np.tile(model.crystal.spins, cell.n_cell)
    pairs = pair_list(model, cell)
    matrix = pairs.matrix * (lengths[pairs.first] * lengths[pairs.second])[:, None, None]
    apart = pairs.first != pairs.second
    first, second = pairs.first[apart], pairs.second[apart]
    start, head, between = _directed(
        np.concatenate([first, second]),
        np.concatenate([second, first]),
        np.tile(pairs.parameter[apart], 2),
        np.concatenate([matrix[apart], matrix[apart].transpose(0, 2, 1)]),
        cell.n_spin,
    )
    field = -np.tile(zeeman_field(model, conditions or Conditions()), (cell.n_cell, 1))
    own = _own_table(model, cell, pairs.first[~apart], pairs.parameter[~apart], matrix[~apart])
    return ClassicalForm(model.parameter_names, lengths, start, head, between, own, lengths[:, None] * field)


def _own_table(model, cell, spin, parameter, matrix):
    """Return A_ii: bonds from a spin to its own image, and on-site terms."""
    onsite = model.onsite
    where = (np.arange(cell.n_cell)[None, :] * cell.n_site + onsite.site[:, None]).ravel()
    single = onsite.matrix * model.crystal.spins[onsite.site, None, None] ** 2
    half = np.concatenate([matrix, np.repeat(single, cell.n_cell, axis=0)])
    return Table(
        np.concatenate([spin, where]),
        np.concatenate([parameter, np.repeat(onsite.parameter, cell.n_cell)]),
        half + half.transpose(0, 2, 1),
        cell.n_spin,
    )


def _directed(tail, head, parameter, matrix, n_spin):
    """Return start, head and table of directed rows, those of one pair of spins in one entry."""
    keys, entry = np.unique(tail * n_spin + head, return_inverse=True)
    start = np.searchsorted(keys, np.arange(n_spin + 1) * n_spin)
    return start, keys % n_spin, Table(entry, parameter, matrix, len(keys))


def checked_grid(theta, names):
    """Return couplings as a float64 array (n_point, n_parameter), or raise where misshapen or not finite."""
    values = np.atleast_2d(np.asarray(theta, dtype=np.float64))
    check_shape("theta", values, ("n_point", len(names)), hint=f"One column for each of {', '.join(names)}.")
    if not np.all(np.isfinite(values)):
        bad = int(np.flatnonzero(~np.all(np.isfinite(values), axis=1))[0])
        row = dict(zip(names, values[bad].tolist(), strict=True))
        raise ConfigError("a coupling is not finite", where=f"theta, point {bad}", got=row)
    return values
