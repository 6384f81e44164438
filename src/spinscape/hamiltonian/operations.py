"""Which operations of the crystal a Hamiltonian has: terms may break some, and so may a field."""

import numpy as np

from ..lattice.symmetry import cartesian_rotations, site_maps
from .links import link_table
from .model import Model

_SAME = 1e-9
"""Relative to the largest element of the unit matrices."""


def axial_rotations(crystal) -> np.ndarray:
    """Return what each operation of the crystal does to spins, det(R) R, (n_operation, 3, 3) float64."""
    rotations = cartesian_rotations(crystal.vectors, crystal.rotations)
    return rotations * np.round(np.linalg.det(rotations))[:, None, None]


def model_operations(model: Model, *, field=(0.0, 0.0, 0.0)) -> np.ndarray:
    """Return the operations of the crystal that every term of a model has.

    Parameters
    ----------
    model : Model
    field : (3,) float, T
        An applied field keeps the operations that leave its line as it is: S(Q) is the same when all spins and the
        field are reversed.

    Returns
    -------
    (n,) int64
        Indices into ``crystal.rotations``; a group, with the identity.
    """
    crystal = model.crystal
    maps = site_maps(crystal.vectors, crystal.positions, crystal.rotations, crystal.translations)
    axial = axial_rotations(crystal)
    table = link_table(model)
    links = _Rows(table.source, table.target, table.offset, table.unit)
    squares = _Rows(table.square_source, table.square_target, table.square_offset, _square_matrices(table))
    kept = [
        o
        for o in range(len(crystal.rotations))
        if _keeps_line(axial[o], np.asarray(field, dtype=np.float64))
        and links.same_under(crystal.rotations[o], axial[o], maps.site[o], maps.cell[o])
        and squares.same_under(crystal.rotations[o], axial[o], maps.site[o], maps.cell[o])
        and _same_onsite(table.onsite_unit, axial[o], maps.site[o])
    ]
    return np.array(kept, dtype=np.int64)


def _square_matrices(table):
    """Return strength times turn of every square: two squares on one bond differ in one or the other."""
    return table.square_unit[:, :, None, None] * table.square_turn[None]


def _keeps_line(axial, field):
    """Tell whether a rotation maps a field to itself or to its opposite."""
    turned = axial @ field
    size = max(float(np.abs(field).max()), 1e-300)
    return bool(min(np.abs(turned - field).max(), np.abs(turned + field).max()) <= _SAME * size)


def _same_onsite(unit, axial, site):
    turned = axial @ unit @ axial.T
    return bool(
        np.abs(turned - unit[:, site]).max(initial=0.0) <= _SAME * max(float(np.abs(unit).max(initial=0.0)), 1.0)
    )


class _Rows:
    """Matrices on directed bonds, to be looked up by the bond."""

    def __init__(self, source, target, offset, unit):
        rows = np.column_stack([source, target, offset]).astype(np.int64)
        self.rows, where = np.unique(rows, axis=0, return_inverse=True)
        self.unit = np.zeros((len(unit), len(self.rows), 3, 3))
        np.add.at(self.unit, (slice(None), where.reshape(-1)), unit)
        self.tolerance = _SAME * max(float(np.abs(unit).max(initial=0.0)), 1e-300)

    def same_under(self, rotation, axial, site, cell):
        """Tell whether an operation maps the bonds and their matrices to themselves."""
        source, target, offset = self.rows[:, 0], self.rows[:, 1], self.rows[:, 2:]
        moved = offset @ rotation.T + cell[target] - cell[source]
        images = np.column_stack([site[source], site[target], moved])
        order = np.lexsort(images.T[::-1])
        turned = axial @ self.unit[:, order] @ axial.T
        return np.array_equal(images[order], self.rows) and bool(
            np.abs(turned - self.unit).max(initial=0.0) <= self.tolerance
        )
