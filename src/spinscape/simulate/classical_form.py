"""The classical energy of a block of cells as a form of unit vectors, ready for many couplings.

    E(n; θ) = ½ Σ_ij n_i·A_ij(θ) n_j + Σ_i c_i·n_i + ½ Σ_ij b_ij(θ) (n_i·R_ij n_j)² + constant(θ)

    A_ij = Σ_k θ_k S_i S_j M_ij^k,   c_i = μ_B S_i B·g_i,   b_ij = Σ_k θ_k B_k (S_i S_j)²

A_ji = A_ijᵀ; A_ii holds S²(A + Aᵀ) of the on-site terms, and what a spin has with its own images. Dipoles stand in A,
between all pairs; biquadratic terms are the squares, and in the renormalised form an exchange and a constant besides.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, check_shape
from ..hamiltonian.biquadratic import biquadratic_parts
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.dipole_sums import dipole_couplings
from ..hamiltonian.energy import PairList, bond_pairs
from ..hamiltonian.model import Model
from ..hamiltonian.zeeman import zeeman_field
from ..lattice.supercell import Supercell
from .directed import check_free_vectors

MAX_DIPOLAR = 1024
"""Spins of a block with dipoles: the matrices of all pairs are 76 MB then, and stand in memory ten times."""
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
class Squares:
    """Rows b (n_i·R n_j)², each from either end: ½ of the sum over rows counts. A spin may meet its own image.

    Parameters
    ----------
    start : (n_spin + 1,) int64, head : (n_square,) int64
        The rows of spin i are start[i] to start[i + 1]; j is the head.
    turn : (n_square, 3, 3) float64
        R as seen from i.
    parameter : (n_square,) int64
    factor : (n_square,) float64
        b for each unit of the coupling.
    """

    start: np.ndarray
    head: np.ndarray
    turn: np.ndarray
    parameter: np.ndarray
    factor: np.ndarray

    @property
    def tail(self):
        """Spin i of each row, (n_square,) int64."""
        return np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))

    def strengths(self, theta):
        """Return b at many sets of couplings: (n_point, n_parameter) -> (n_point, n_square), meV."""
        return np.ascontiguousarray(theta[:, self.parameter] * self.factor)

    def bound(self, strength):
        """Return an upper bound of the curvature by one spin, at b (n_square,): (n_spin,) float64."""
        # 2b v vᵀ with v = R n_j of a neighbour; (n·Rn)² bends by 12 at most, half of it in either row.
        most = np.where(self.head == self.tail, 6.0 * np.abs(strength), 2.0 * np.maximum(strength, 0.0))
        return np.bincount(self.tail, weights=most, minlength=len(self.start) - 1)

    def rows(self, direction):
        """Return n_i, v = R n_j and n_i·v of every row."""
        near, ahead = direction[self.tail], np.einsum("rab,rb->ra", self.turn, direction[self.head])
        return near, ahead, np.sum(near * ahead, axis=1)

    def pulls(self, direction):
        """Return 2 (n_i·v) v of every row, (n_square, 3): the field on i for b = 1."""
        _, ahead, product = self.rows(direction)
        return 2.0 * product[:, None] * ahead

    def bends(self, direction):
        """Return what every row adds to ∂f_i/∂n_i and ∂f_i/∂n_j for b = 1: two times (n_square, 3, 3)."""
        near, ahead, product = self.rows(direction)
        across = ahead[:, :, None] * np.einsum("ra,rab->rb", near, self.turn)[:, None, :]
        return 2.0 * ahead[:, :, None] * ahead[:, None, :], 2.0 * (across + product[:, None, None] * self.turn)


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
    squares : Squares
    constant : (n_parameter,) float64
        What stands for each unit of a coupling whatever the spins do.
    """

    parameter_names: tuple[str, ...]
    lengths: np.ndarray
    start: np.ndarray
    head: np.ndarray
    between: Table
    own: Table
    linear: np.ndarray
    squares: Squares
    constant: np.ndarray

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
        strength = self.squares.strengths(theta)
        for p, values in enumerate(strength):
            size[p] += 2.0 * np.bincount(self.squares.tail, weights=np.abs(values), minlength=self.n_spin)
            shift[p] += self.squares.bound(values)
        scale = np.maximum(size.max(axis=1), _MIN_SCALE)
        return FormAt(between, own, linear, shift, scale, strength, theta @ self.constant)

    def kernel_arguments(self, at):
        """Return the arguments of the kernel from ``start`` to ``scale``, for a :class:`FormAt` of this form."""
        squares = (self.squares.start, self.squares.head, self.squares.turn[None], at.strength)
        return self.start, self.head, at.between, at.own, at.linear, squares, at.shift, at.scale

    def fields(self, at, point, direction):
        """Return f_i = ∂E/∂n_i of directions (n_spin, 3) at a point of ``at``, (n_spin, 3) meV."""
        field = at.linear[point] + np.einsum("iab,ib->ia", at.own[point], direction)
        np.add.at(field, self.tail, np.einsum("eab,eb->ea", at.between[point], direction[self.head]))
        np.add.at(field, self.squares.tail, at.strength[point][:, None] * self.squares.pulls(direction))
        return field

    def hessian(self, at, point, direction):
        """Return ∂f_i/∂n_j in space, not along the spheres, at a point of ``at``: (n_spin, n_spin, 3, 3) meV."""
        blocks = np.zeros((self.n_spin, self.n_spin, 3, 3))
        blocks[self.tail, self.head] = at.between[point]
        blocks[np.arange(self.n_spin), np.arange(self.n_spin)] = at.own[point]
        near, far = self.squares.bends(direction)
        tail, strength = self.squares.tail, at.strength[point][:, None, None]
        np.add.at(blocks, (tail, tail), strength * near)
        np.add.at(blocks, (tail, self.squares.head), strength * far)
        return blocks

    def pulls(self, direction):
        """Return ∂²E/∂n∂θ, the field of each coupling at unit strength: (n_parameter, n_spin, 3) float64."""
        out = np.zeros((len(self.parameter_names), self.n_spin, 3))
        for table, tail, head in (
            (self.between, self.tail, self.head),
            (self.own, np.arange(self.n_spin), np.arange(self.n_spin)),
        ):
            rows = np.einsum("rab,rb->ra", table.matrix, direction[head[table.entry]])
            np.add.at(out, (table.parameter, tail[table.entry]), rows)
        rows = self.squares.factor[:, None] * self.squares.pulls(direction)
        np.add.at(out, (self.squares.parameter, self.squares.tail), rows)
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
        Upper bound of the curvature by one spin: the largest eigenvalue of ``own``, and what squares may add.
    scale : (n_point,) float64, meV
        Upper estimate of the field on any spin: what torques are small against.
    strength : (n_point, n_square) float64, meV
        b.
    constant : (n_point,) float64, meV
    """

    between: np.ndarray
    own: np.ndarray
    linear: np.ndarray
    shift: np.ndarray
    scale: np.ndarray
    strength: np.ndarray
    constant: np.ndarray


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
    check_free_vectors(model.crystal, "minima of the energy")
    lengths = np.tile(model.crystal.spins, cell.n_cell)
    squares, more, constant = _squares(model, cell)
    pairs = _joined(bond_pairs(model, cell), more, *_dipole_pairs(model, cell))
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
    linear = lengths[:, None] * field
    return ClassicalForm(model.parameter_names, lengths, start, head, between, own, linear, squares, constant)


def _joined(*parts):
    """Return several lists of pairs as one."""
    return PairList(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _dipole_pairs(model, cell):
    """Yield the dipole-dipole interaction of each of its rows as pairs of spins, those with images among them."""
    if not model.dipolar.n_row:
        return
    if cell.n_spin > MAX_DIPOLAR:
        raise ConfigError(
            "too many spins for the dipole matrix of all pairs",
            where="supercell",
            expected=f"at most {MAX_DIPOLAR} spins",
            got=cell.n_spin,
            fix="search in a smaller cell",
        )
    g = model.crystal.g
    tensors = np.einsum("iax,irjab,jby->irjxy", g, dipole_couplings(model.crystal, cell), g, optimize=True)
    step = cell.cell_index(cell.cells[None, :] - cell.cells[:, None])
    # [cell, site, cell, site]: whole matrices, of which the upper triangle and half of the diagonal count.
    full = tensors[:, step].transpose(1, 0, 2, 3, 4, 5).reshape(cell.n_spin, cell.n_spin, 3, 3)
    first, second = np.triu_indices(cell.n_spin)
    matrix = full[first, second] * np.where(first == second, 0.5, 1.0)[:, None, None]
    for parameter, factor in zip(model.dipolar.parameter, model.dipolar.factor, strict=True):
        yield PairList(first, second, np.full(len(first), parameter), factor * matrix)


def _squares(model, cell):
    """Return the squares of biquadratic terms, their exchange as pairs of spins, and their constants."""
    table, spins = model.biquadratic, model.crystal.spins
    parts = biquadratic_parts(table, spins)
    first, second = (x.ravel() for x in cell.bond_ends(table.site_i, table.site_j, table.offset))
    parameter, turn = (np.repeat(x, cell.n_cell, axis=0) for x in (table.parameter, table.turn))
    factor = np.repeat(parts.quartic * (spins[table.site_i] * spins[table.site_j]) ** 2, cell.n_cell)
    exchange = np.repeat(parts.bilinear, cell.n_cell)[:, None, None] * turn
    pairs = PairList(*(x[exchange.any(axis=(1, 2))] for x in (first, second, parameter, exchange)))
    tail = np.concatenate([first, second])
    order = np.argsort(tail, kind="stable")
    columns = (np.concatenate(x)[order] for x in ((second, first), (turn, turn.transpose(0, 2, 1)), (parameter,) * 2))
    start = np.searchsorted(tail[order], np.arange(cell.n_spin + 1))
    constant = np.bincount(table.parameter, weights=cell.n_cell * parts.constant, minlength=model.n_parameter)
    return Squares(start, *columns, np.tile(factor, 2)[order]), pairs, constant


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
