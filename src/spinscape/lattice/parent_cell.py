"""From the cell of a magnetic CIF to the chemical cell of its parent structure."""

from collections.abc import Mapping

import numpy as np

from ..errors import DataError, SymmetryError
from .cif import MagneticIon
from .cif_file import CifBlock, atoms, cell_vectors, fitting_settings, read_block
from .crystal import Crystal, lattice_vectors
from .invariants import snapped
from .magnetic_cif import OrderedCrystal, magnetic_operations, read_ordered_crystal
from .spacegroup import SpaceGroup
from .symmetry import SiteSpec, expand_sites
from .triplets import affine_from_triplet

DISTORTION = 0.1
"""Å. An atom may lie this far from where the parent structure has it."""
_TRANSFORM = "_parent_space_group_child_transform_pp_abc"
_NAMES = ("_parent_space_group_name_h-m_alt", "_parent_space_group_it_number")


def read_in_parent_cell(
    path,
    magnetic_ions: Mapping[str, MagneticIon],
    *,
    space_group: str | None = None,
    block: str | None = None,
    assume_full_occupancy: bool = False,
    allow_disorder_elsewhere: bool = False,
) -> OrderedCrystal:
    """Return the magnetic sites and moments of a magnetic CIF in the chemical cell of its parent.

    Parameters
    ----------
    path, magnetic_ions, block, assume_full_occupancy, allow_disorder_elsewhere
        As in :func:`spinscape.lattice.cif.read_cif`. g tensors are in the frame of the file's cell, as if it were kept.
    space_group : str, optional
        Space group of the parent, in place of the one of the file.

    Returns
    -------
    OrderedCrystal
        The crystal has the parent's cell and space group, so that wave vectors are in its reciprocal lattice units.

    Raises
    ------
    DataError
        Where the file does not say how the cells are related; SymmetryError where the atoms do not fit the parent.
    """
    child = read_ordered_crystal(
        path,
        magnetic_ions,
        block=block,
        assume_full_occupancy=assume_full_occupancy,
        allow_disorder_elsewhere=allow_disorder_elsewhere,
    )
    content = read_block(path, block=block)
    matrix, origin = _transform(content)
    raw = np.linalg.solve(matrix, child.crystal.vectors)
    groups = _parent_groups(content, space_group, raw)
    everything, kinds = _all_atoms(content)
    fitting = [g for g in groups if _maps_atoms(g, everything @ matrix + origin, kinds, raw)]
    if not fitting:
        raise SymmetryError(
            "the atoms of a magnetic CIF do not have the symmetry of the parent",
            where=f"{content.where}: parent space group",
            got=", ".join(g.name for g in groups) or space_group,
            fix="name the parent's space group and setting, or work in the cell of the file",
        )
    vectors = _standard_vectors(raw, fitting[0])
    # Rows turn from the frame of the file to that of the parent, whose a lies along x.
    u, _, vt = np.linalg.svd(np.linalg.solve(raw, vectors))
    turn = u @ vt
    crystal = _parent_crystal(child, child.crystal.positions @ matrix + origin, turn, vectors, fitting[0])
    return _placed(child, crystal, matrix, origin, turn, where=content.where)


def _transform(block: CifBlock):
    """Return P as rows (3, 3) int64 and the origin (3,): x_parent = x_file @ P + origin."""
    where = f"{block.where}: {_TRANSFORM}"
    text = block.value(_TRANSFORM)
    if text is None:
        raise DataError(
            "a magnetic CIF does not say how its cell follows from the parent's",
            where=where,
            fix="work in the cell of the file",
        )
    axes, _, shift = text.partition(";")
    rows, rest = affine_from_triplet(axes, letters="abc")
    slopes, origin = affine_from_triplet(shift or "0,0,0", letters="abc")
    matrix = np.array(rows, dtype=np.float64)
    whole = all(x.denominator == 1 for row in rows for x in row)
    if not whole or np.linalg.det(matrix) < 0.5 or any(rest) or any(x for row in slopes for x in row):
        raise DataError(
            "the cell of a magnetic CIF is no supercell of the parent's",
            where=where,
            expected="whole, right-handed combinations such as a+b,-a+b,2c;0,0,0",
            got=text[:80],
            fix="work in the cell of the file",
        )
    return matrix, np.array(origin, dtype=np.float64)


def _parent_groups(block, space_group, vectors):
    name = space_group if space_group is not None else block.value(*_NAMES)
    if name is None:
        raise DataError("a magnetic CIF does not name the parent's space group", where=block.where, expected=_NAMES[0])
    return fitting_settings(str(name), vectors)


def _all_atoms(block):
    """Return positions and kinds of every atom of the file's cell, magnetic or not."""
    rotations, translations = magnetic_operations(block, cell_vectors(block)).without_time_reversal()
    known = atoms(block, assume_full_occupancy=True)
    positions = [rotations @ np.array(atom.position) + translations for atom in known]
    return np.concatenate(positions), np.repeat([atom.element for atom in known], len(rotations))


def _maps_atoms(group: SpaceGroup, positions, kinds, vectors):
    """Return whether every operation, lattice translations included, takes each atom near one of its kind."""
    for kind in sorted(set(kinds)):
        points = positions[kinds == kind]
        points = np.unique(np.round(points - np.floor(points + 1e-6), 6), axis=0)
        for rotation, translation in zip(group.rotations, group.translations, strict=True):
            if _nearest(points @ rotation.T + translation, points, vectors)[1].max() > DISTORTION:
                return False
    return True


def _nearest(images, points, vectors):
    """Return the nearest point to each image in the crystal, and its distance, Å."""
    step = images[:, None] - points[None]
    distance = np.linalg.norm((step - np.round(step)) @ vectors, axis=-1)
    return distance.argmin(axis=1), distance.min(axis=1)


def _standard_vectors(raw, group):
    """Return lattice vectors with a along x, of the metric that has the group's symmetry exactly."""
    metric = np.einsum("oji,jk,okl->oil", group.rotations, raw @ raw.T, group.rotations).mean(axis=0)
    a, b, c = np.sqrt(np.diag(metric))
    cosines = np.array([metric[1, 2] / (b * c), metric[0, 2] / (a * c), metric[0, 1] / (a * b)])
    alpha, beta, gamma = np.round(np.degrees(np.arccos(cosines)), 10)
    return lattice_vectors(a=a, b=b, c=c, alpha=alpha, beta=beta, gamma=gamma)


def _parent_crystal(child: OrderedCrystal, positions, turn, vectors, group):
    """Return the crystal in the parent's cell, one orbit for the first of the file's atoms that falls on it."""
    sites: list[SiteSpec] = []
    crystal: Crystal | None = None
    for k, position in enumerate(positions):
        if crystal is None or _nearest(position[None], crystal.positions, vectors)[1][0] > DISTORTION:
            known = child.crystal
            label, ion, spin = known.labels[k], known.ions[k], float(known.spins[k])
            sites.append(SiteSpec(label, ion, tuple(position), spin, snapped(turn.T @ known.g[k] @ turn, known.g[k])))
            crystal = expand_sites(vectors, sites, group.rotations, group.translations)
    return crystal


def _placed(child: OrderedCrystal, crystal, matrix, origin, turn, *, where):
    """Return the file's sublattices as sites and cells of the parent."""
    positions = child.crystal.positions @ matrix + origin
    site, _ = _nearest(positions, crystal.positions, crystal.vectors)
    cell = np.round(positions - crystal.positions[site]).astype(np.int64)
    n_expected = crystal.n_site * round(np.linalg.det(matrix))
    same = [crystal.ions[s] == child.crystal.ions[k] for k, s in enumerate(site)]
    if len(site) != n_expected or not all(same) or not np.array_equal(crystal.spins[site], child.crystal.spins):
        raise SymmetryError(
            "the magnetic ions of a file do not fill the sites of the parent",
            where=where,
            expected=f"{n_expected} ions, equal on equivalent sites of the parent",
            got=f"{len(site)} ions: {', '.join(sorted(set(child.crystal.labels)))}",
            fix="declare all equivalent ions alike, or work in the cell of the file",
        )
    return OrderedCrystal(crystal, matrix, site, cell, child.moment @ turn)
