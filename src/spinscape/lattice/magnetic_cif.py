"""Magnetic structures from magnetic CIF files: moments taken to every atom by the magnetic operations.

A moment is an axial vector that time reversal turns round: the operation (W, t, θ) takes m to θ det(R) R m. Components
of the file are along the unit vectors of a, b, c, in Bohr magnetons.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import DataError, SymmetryError, check_shape
from .cif import MagneticIon, magnetic_atoms, site_of
from .cif_file import CifBlock, Operations, cell_vectors, check_lattice, checked_operations, number, read_block
from .crystal import Crystal, read_only
from .symmetry import cartesian_rotations, expand_sites
from .triplets import operation_from_triplet, triplet_from_operation

MOMENT = 0.03
"""μ_B. Components are printed with two decimals, each wrong by up to 0.005, and on oblique axes an operation adds them:
so far a moment may lie from the mean of its images, which then takes its place."""
_MAGNETIC = "_space_group_symop_magn_operation_xyz"
_CENTERING = "_space_group_symop_magn_centering_xyz"
_MODULATED = ("_cell_modulation_dimension", "_space_group_symop_magn_ssg_operation_algebraic", "_cell_wave_vector_x")


@dataclass(frozen=True, eq=False)
class OrderedCrystal:
    """A crystal and the moments of one magnetic cell.

    Parameters
    ----------
    crystal : Crystal
    magnetic_cell : (3, 3) int64
        Rows: the magnetic lattice vectors in units of those of the crystal.
    site : (n_sublattice,) int64
    cell : (n_sublattice, 3) int64
    moment : (n_sublattice, 3) float64, μ_B
        In the Cartesian frame of the crystal.
    """

    crystal: Crystal
    magnetic_cell: np.ndarray
    site: np.ndarray
    cell: np.ndarray
    moment: np.ndarray

    def __post_init__(self):
        for name, dtype in (("magnetic_cell", np.int64), ("site", np.int64), ("cell", np.int64), ("moment", float)):
            object.__setattr__(self, name, read_only(getattr(self, name), dtype))
        check_shape("magnetic_cell", self.magnetic_cell, (3, 3))
        check_shape("cell", self.cell, (len(self.site), 3))
        check_shape("moment", self.moment, (len(self.site), 3))


def read_ordered_crystal(
    path,
    magnetic_ions: Mapping[str, MagneticIon],
    *,
    block: str | None = None,
    assume_full_occupancy: bool = False,
    allow_disorder_elsewhere: bool = False,
) -> OrderedCrystal:
    """Return the magnetic sites and moments of a magnetic CIF, in the cell of the file.

    Parameters
    ----------
    path, magnetic_ions, block, assume_full_occupancy, allow_disorder_elsewhere
        As in :func:`spinscape.lattice.cif.read_cif`.

    Returns
    -------
    OrderedCrystal
        The crystal's cell is the one of the file, usually the magnetic one; its operations are the magnetic ones
        without their time reversal. :func:`spinscape.lattice.parent_cell.in_parent_cell` takes it to the chemical cell.

    Raises
    ------
    SymmetryError
        Where a moment clashes with the magnetic symmetry of its site; DataError for what is missing.
    """
    content = read_block(path, block=block)
    vectors = cell_vectors(content)
    operations = magnetic_operations(content, vectors)
    chosen = magnetic_atoms(
        content,
        magnetic_ions,
        assume_full_occupancy=assume_full_occupancy,
        allow_disorder_elsewhere=allow_disorder_elsewhere,
    )
    moments = _declared_moments(content, vectors, [atom.label for atom, _ in chosen])
    crystal = expand_sites(vectors, [site_of(*pair) for pair in chosen], *operations.without_time_reversal())
    spread = np.zeros((crystal.n_site, 3))
    for k, (atom, _) in enumerate(chosen):
        members = np.flatnonzero(crystal.orbit == k)
        spread[members] = _propagated(crystal, members, moments[atom.label], operations, where=content.where)
    return OrderedCrystal(
        crystal, np.eye(3), np.arange(crystal.n_site), np.zeros((crystal.n_site, 3)), _nonzero(crystal, spread)
    )


def magnetic_operations(block: CifBlock, vectors: np.ndarray) -> Operations:
    """Return all magnetic operations of a block, centring translations included."""
    modulated = next((tag for tag in _MODULATED if block.value(tag) not in (None, "0")), None)
    if modulated is not None:
        raise DataError(
            "modulated magnetic structures are not read",
            where=f"{block.where}: {modulated}",
            fix="declare a single-Q structure by its wave vector instead",
        )
    texts = block.column(_MAGNETIC)
    if not texts:
        raise DataError(
            "a file has no magnetic operations",
            where=block.where,
            expected="_space_group_symop_magn_operation.xyz",
            fix="give a magnetic CIF, or take read_cif for the crystal alone",
        )
    where = f"{block.where}: magnetic operations"
    operations = [_magnetic_operation(text, where) for text in texts]
    centerings = [_magnetic_operation(text, where) for text in block.column(_CENTERING)] or [
        _magnetic_operation("x,y,z,+1", where)
    ]
    members = [
        (V @ W, [sum(int(v) * x for v, x in zip(row, t, strict=True)) + s for row, s in zip(V, u, strict=True)], b * a)
        for V, u, b in centerings
        for W, t, a in operations
    ]
    found = checked_operations(members, where=where)
    check_lattice(found, vectors, where=block.where)
    return found


def _magnetic_operation(text, where):
    """Return rotation, translation and time reversal of ``x,y,z,-1``."""
    triplet, _, sign = (text or "").rpartition(",")
    if sign.strip() not in ("+1", "-1", "1"):
        raise DataError("an operation has no time reversal", where=where, expected="such as -x,y+1/2,z,-1", got=text)
    return (*operation_from_triplet(triplet), int(sign))


def _declared_moments(block, vectors, labels):
    """Return the moment (3,) of each label, μ_B, Cartesian."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    named = block.column("_atom_site_moment_label")
    columns = [block.column(f"_atom_site_moment_crystalaxis_{axis}") for axis in "xyz"]
    if not named or not all(columns):
        raise DataError(
            "a file has no moments along the crystal axes",
            where=block.where,
            expected="_atom_site_moment.label and _atom_site_moment.crystalaxis_x, _y, _z",
        )
    moments = {}
    for label, *texts in zip(named, *columns, strict=True):
        where = f"{block.where}: moment of {label}"
        if label in moments:
            raise DataError("an atom has two moments", where=where)
        moments[label] = np.array([number(text, where=where) for text in texts]) @ unit
    for label, moment in moments.items():
        if label not in labels and np.any(moment):
            raise DataError(
                f"atom {label} has a moment but is not declared magnetic",
                where=f"{block.where}: moment of {label}",
                fix="name it among the magnetic ions",
            )
    for label in labels:
        if label not in moments:
            raise DataError(
                f"the magnetic atom {label} has no moment",
                where=f"{block.where}: _atom_site_moment",
                fix="give its moment, or leave it out of the magnetic ions",
            )
    return moments


def _propagated(crystal, members, moment, operations, *, where):
    """Return the moments (n_member, 3) of an orbit whose first site has ``moment``."""
    images = operations.rotations @ crystal.positions[members[0]] + operations.translations
    step = images[:, None] - crystal.positions[members][None]
    target = np.linalg.norm((step - np.round(step)) @ crystal.vectors, axis=-1).argmin(axis=1)
    turns = cartesian_rotations(crystal.vectors, operations.rotations)
    signs = operations.time_reversal * np.round(np.linalg.det(turns))
    turned = signs[:, None] * (turns @ moment)
    means = np.array([turned[target == k].mean(axis=0) for k in range(len(members))])
    excess = np.linalg.norm(turned - means[target], axis=1)
    if excess.max() > MOMENT:
        worst = int(excess.argmax())
        operation = triplet_from_operation(operations.rotations[worst], operations.translations[worst])
        raise SymmetryError(
            f"the moment of {crystal.labels[members[0]]} clashes with the magnetic symmetry of its site",
            where=where,
            expected=f"a moment such as {_text(means[0])} μ_B (Cartesian)" if np.any(means[0].round(2)) else "none",
            got=f"{_text(moment)} μ_B, whose image under {operation},{operations.time_reversal[worst]:+d} differs",
            fix="correct the moment or the operations",
        )
    return means


def _text(vector):
    return "(" + ", ".join(f"{x + 0.0:.4g}" for x in np.round(vector, 6)) + ")"


def _nonzero(crystal, moments):
    length = np.linalg.norm(moments, axis=1)
    if length.min() <= MOMENT:
        label = crystal.labels[int(length.argmin())]
        raise SymmetryError(
            f"the moment of {label} is zero",
            expected="an ordered moment on every magnetic ion",
            fix=f"leave {label} out of the magnetic ions",
        )
    return moments
