"""Magnetic structures of a model from magnetic CIF files."""

from collections.abc import Mapping

import numpy as np

from ..errors import ConfigError
from ..lattice.cif import MagneticIon
from ..lattice.crystal import Crystal
from ..lattice.magnetic_cif import OrderedCrystal, read_ordered_crystal
from ..lattice.parent_cell import read_in_parent_cell
from .model import MagneticStructure


def read_mcif(
    path, magnetic_ions: Mapping[str, MagneticIon], *, parent_cell: bool = False, **options
) -> tuple[Crystal, MagneticStructure]:
    """Return crystal and magnetic structure of a magnetic CIF.

    Parameters
    ----------
    path : path-like
    magnetic_ions : mapping of str to MagneticIon
    parent_cell : bool
        Go to the chemical cell of the parent structure; otherwise the crystal's cell is the one of the file.
    **options
        Those of :func:`spinscape.lattice.cif.read_cif`, and ``space_group`` with ``parent_cell``.

    Returns
    -------
    Crystal, MagneticStructure
    """
    reader = read_in_parent_cell if parent_cell else read_ordered_crystal
    ordered = reader(path, magnetic_ions, **options)
    return ordered.crystal, structure_from_moments(ordered)


def structure_from_moments(ordered: OrderedCrystal) -> MagneticStructure:
    """Return the structure of spins that has the moments.

        m = -μ_B g·S (electrons), so that S is along -g⁻¹·m

    Parameters
    ----------
    ordered : OrderedCrystal

    Returns
    -------
    MagneticStructure
    """
    g = ordered.crystal.g[ordered.site]
    if np.any(np.abs(np.linalg.det(g)) < 1e-9):
        raise ConfigError(
            "a g tensor without inverse hides the direction of its spin", where="magnetic ions: g", got=g[0].tolist()
        )
    spins = -np.linalg.solve(g, ordered.moment[..., None])[..., 0]
    direction = spins / np.linalg.norm(spins, axis=1, keepdims=True)
    return MagneticStructure(ordered.magnetic_cell, ordered.site, ordered.cell, direction + 0.0)
