"""Symmetrised data: bins that are copies of others hold no counts of their own, and are left out of a fit."""

from dataclasses import replace

import numpy as np

from ..errors import ConfigError
from ..lattice.triplets import operation_from_triplet
from ..lattice.volumes import QGrid
from .rebin import grid_row

MAX_GROUP = 192


def without_copies(measurement, operations):
    """Return a measurement that keeps the first of all bins that operations take to each other.

    Parameters
    ----------
    measurement : Measurement
        On a grid.
    operations : sequence of str
        Operations of the lattice by which the file was symmetrised, as ``y,x,z``; their products count too.

    Returns
    -------
    Measurement
        ``provenance`` tells how many bins were copies.
    """
    grid = measurement.momentum
    if not isinstance(grid, QGrid):
        raise ConfigError("only bins of a grid have copies", where=f"measurement {measurement.name}: symmetrised_by")
    own = np.arange(len(grid.points))
    first = own.copy()
    seen = measurement.valid.any(axis=1)
    for turn in _group([operation_from_triplet(text)[0] for text in operations], measurement.name):
        # An operation takes positions x to R x, and waves q (rows) to q R⁻¹.
        row = grid_row(grid, grid.points @ np.linalg.inv(turn))
        known = (row >= 0) & seen[row]
        first = np.where(known, np.minimum(first, row), first)
    valid = measurement.valid & (first == own)[:, None]
    left_out = int(measurement.valid.sum() - valid.sum())
    note = {"symmetrised_by": list(operations), "copies": left_out}
    return replace(measurement, valid=valid, provenance={**measurement.provenance, **note})


def _group(turns, name):
    """Return all products of operations, (n, 3, 3) each once."""
    found = {np.eye(3).tobytes(): np.eye(3)}
    young = list(found.values())
    while young:
        made = [turn @ old for turn in turns for old in young]
        young = [m for m in {one.tobytes(): one for one in map(_plain, made)}.values() if m.tobytes() not in found]
        found.update({m.tobytes(): m for m in young})
        if len(found) > MAX_GROUP:
            raise ConfigError(
                "operations of no finite group", where=f"measurement {name}: symmetrised_by",
                expected=f"at most {MAX_GROUP} products", fix="correct the operations",
            )  # fmt: skip
    return list(found.values())


def _plain(matrix):
    """Return a matrix of whole numbers without minus zeros: equal ones have equal bytes."""
    return np.round(matrix) + 0.0
