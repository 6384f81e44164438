"""A model and its magnetic structure on the primitive cell: the same physics with fewer spins in the cell."""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from ..lattice.crystal import Crystal
from ..lattice.primitive import PrimitiveCell, primitive_cell, row_basis
from .model import BondTable, MagneticStructure, Model, OnsiteTable
from .operations import model_operations

_SAME = 1e-6
"""Directions that differ by less are one: structures come from files."""


@dataclass(frozen=True, eq=False)
class PrimitiveModel:
    """A model on the primitive cell.

    Parameters
    ----------
    model : Model
        Its crystal has the operations that all terms keep, one of each rotation.
    structure : MagneticStructure
    cell : PrimitiveCell
    """

    model: Model
    structure: MagneticStructure
    cell: PrimitiveCell

    @property
    def n_copy(self) -> int:
        """Primitive cells in a chemical one: what is summed over a chemical cell is so many times larger."""
        return self.cell.n_copy

    def q(self, q):
        """Return wave vectors (n_q, 3) in r.l.u. of the primitive cell from those of the chemical one."""
        return np.asarray(q, dtype=np.float64) @ self.cell.vectors.T


def in_primitive_cell(model: Model, structure: MagneticStructure) -> PrimitiveModel:
    """Return a model and its structure on the smallest cells that they repeat with.

    Parameters
    ----------
    model : Model
        Centring translations that one of its terms breaks are no translations of it.
    structure : MagneticStructure
        Its cell becomes the smallest one that its directions repeat with.

    Returns
    -------
    PrimitiveModel
    """
    operations = model_operations(model)
    cell = primitive_cell(model.crystal, operations)
    reduced = Model(
        crystal=_crystal(model.crystal, cell, operations),
        parameter_names=model.parameter_names,
        bonds=_bonds(model.bonds, cell),
        onsite=_onsite(model.onsite, cell),
        dipolar=model.dipolar,
        biquadratic=_squares(model.biquadratic, cell),
    )
    return PrimitiveModel(reduced, _structure(structure, cell), cell)


def _crystal(crystal, cell, operations):
    some = cell.representative
    # Columns: x' = W x + t in units of the chemical cell becomes C W C⁻¹ and C t, C the transpose of ``matrix``.
    turned = np.round(cell.matrix.T @ crystal.rotations[operations] @ cell.vectors.T).astype(np.int64)
    _, first = np.unique(turned.reshape(len(turned), 9), axis=0, return_index=True)
    first = np.sort(first)
    return Crystal(
        vectors=cell.vectors @ crystal.vectors,
        positions=crystal.positions[some] @ cell.matrix,
        labels=tuple(crystal.labels[k] for k in some),
        orbit=crystal.orbit[some],
        spins=crystal.spins[some],
        ions=tuple(crystal.ions[k] for k in some),
        g=crystal.g[some],
        rotations=turned[first],
        translations=crystal.translations[operations][first] @ cell.matrix,
        kind=tuple(crystal.kind[k] for k in some),
        axis=crystal.axis[some],
    )


def _folded(table, cell):
    """Return rows (site_i, site_j, offset) of a table on the primitive cell, one end first, and which were turned."""
    i, j = cell.site[table.site_i], cell.site[table.site_j]
    offset = cell.cell[table.site_j] + table.offset @ cell.matrix - cell.cell[table.site_i]
    rows = np.column_stack([i, j, offset]).tolist()
    back = np.column_stack([j, i, -offset]).tolist()
    turned = np.array([b < a for a, b in zip(rows, back, strict=True)], dtype=bool)
    return [tuple(b if t else a) for a, b, t in zip(rows, back, turned, strict=True)], turned


def _bonds(bonds, cell):
    rows, turned = _folded(bonds, cell)
    total: dict = {}
    for row, parameter, matrix, t in zip(rows, bonds.parameter.tolist(), bonds.matrix, turned, strict=True):
        total[(*row, parameter)] = total.get((*row, parameter), 0.0) + (matrix.T if t else matrix) / cell.n_copy
    keys = np.array(list(total), dtype=np.int64).reshape(-1, 6)
    matrices = np.array(list(total.values())).reshape(-1, 3, 3)
    return BondTable(keys[:, 0], keys[:, 1], keys[:, 2:5], keys[:, 5], matrices)


def _squares(table, cell):
    """Return the biquadratic rows; every copy of a row has its factor, so the first one stands for all."""
    rows, turned = _folded(table, cell)
    first: dict = {}
    for k, row in enumerate(rows):
        first.setdefault((*row, int(table.parameter[k]), table.form[k], float(table.factor[k])), k)
    kept = np.array(list(first.values()), dtype=np.int64)
    if len(kept) == 0:
        return table
    ends = np.array([rows[k] for k in kept], dtype=np.int64)
    return replace(
        table,
        site_i=ends[:, 0],
        site_j=ends[:, 1],
        offset=ends[:, 2:5],
        parameter=table.parameter[kept],
        factor=table.factor[kept],
        form=tuple(table.form[k] for k in kept),
        turn=np.array([table.turn[k].T if turned[k] else table.turn[k] for k in kept]),
    )


def _onsite(onsite, cell):
    kept = np.flatnonzero(np.isin(onsite.site, cell.representative))
    return OnsiteTable(cell.site[onsite.site[kept]], onsite.parameter[kept], onsite.matrix[kept])


def _structure(structure, cell):
    """Return the structure on its smallest magnetic cell in units of the primitive one."""
    site = cell.site[structure.site]
    where = cell.cell[structure.site] + structure.cell @ cell.matrix
    lattice = CellLattice(structure.magnetic_cell @ cell.matrix)
    spin = {(int(s), *lattice.key(c)): n for s, c, n in zip(site, where, structure.direction, strict=True)}

    def keeps(shift):
        moved = [spin[(int(s), *lattice.key(c + shift))] for s, c in zip(site, where, strict=True)]
        return np.abs(np.array(moved) - structure.direction).max() <= _SAME

    shifts = [shift for shift in lattice.cells() if keeps(shift)]
    smaller = CellLattice(row_basis([*lattice.rows.tolist(), *(c.tolist() for c in shifts)]))
    first: dict = {}
    for k, (s, c) in enumerate(zip(site, where, strict=True)):
        first.setdefault((int(s), *smaller.key(c)), k)
    kept = list(first.values())
    return MagneticStructure(smaller.rows, site[kept], where[kept], structure.direction[kept])


class CellLattice:
    """Cells modulo an integer lattice, in exact integers."""

    def __init__(self, rows):
        self.rows = np.asarray(rows, dtype=np.int64)
        a, b, c = self.rows
        self._adjugate = np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=1)
        self.volume = abs(int(a @ self._adjugate[:, 0]))

    def key(self, cell):
        """Return what equivalent cells share."""
        return tuple(int(x) for x in (np.asarray(cell) @ self._adjugate) % self.volume)

    def holds(self, cells):
        """Tell which cells (..., 3) are vectors of the lattice, (...) bool."""
        return np.all((np.asarray(cells) @ self._adjugate) % self.volume == 0, axis=-1)

    def cells(self):
        """Return one cell of each class, (volume, 3) int64."""
        steps = np.abs(np.diag(np.array(row_basis(self.rows.tolist()), dtype=np.int64)))
        return np.array(list(product(*(range(n) for n in steps))), dtype=np.int64)
