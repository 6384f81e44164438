"""Crystals from CIF files (gemmi reads their syntax)."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, DataError
from .cif_file import CifAtom, CifBlock, atoms, cell_vectors, leading_letters, read_block, space_group_operations
from .crystal import Crystal
from .symmetry import SiteSpec, expand_sites

ISOTROPIC_G = ((2.0, 0.0, 0.0), (0.0, 2.0, 0.0), (0.0, 0.0, 2.0))


@dataclass(frozen=True)
class MagneticIon:
    """What a CIF does not say of a magnetic atom.

    Parameters
    ----------
    ion : str
        ``"Ni2+"``.
    spin : float
        Spin length.
    g : (3, 3) array
        g tensor in the Cartesian frame; the identity times 2 by default.
    """

    ion: str
    spin: float
    g: np.ndarray | tuple = ISOTROPIC_G


def read_cif(
    path,
    magnetic_ions: Mapping[str, MagneticIon],
    *,
    block: str | None = None,
    assume_full_occupancy: bool = False,
    allow_disorder_elsewhere: bool = False,
) -> Crystal:
    """Return the magnetic sites of a CIF as a crystal, with its whole space group.

    Parameters
    ----------
    path : path-like
    magnetic_ions : mapping of str to MagneticIon
        By the atom's label (``"Ni1"``), its type symbol (``"Ni2+"``) or its element (``"Ni"``); the more special name
        wins. All other atoms are left out.
    block : str, optional
        Data block to read, where several have atoms.
    assume_full_occupancy : bool
        Take atoms for which the file gives no occupancy as whole; otherwise they are an error.
    allow_disorder_elsewhere : bool
        Accept partial occupancy and disorder of atoms that are not magnetic.

    Returns
    -------
    Crystal
        Lattice vectors with a along x and b in the xy plane; one orbit for each magnetic atom of the file, with its
        label.

    Raises
    ------
    DataError
        For what cannot be read, and for disorder; SymmetryError for cell, operations and symbol that contradict each
        other.
    """
    content = read_block(path, block=block)
    vectors = cell_vectors(content)
    chosen = magnetic_atoms(
        content,
        magnetic_ions,
        assume_full_occupancy=assume_full_occupancy,
        allow_disorder_elsewhere=allow_disorder_elsewhere,
    )
    operations = space_group_operations(content, vectors)
    sites = [site_of(atom, ion) for atom, ion in chosen]
    return expand_sites(vectors, sites, operations.rotations, operations.translations)


def site_of(atom: CifAtom, ion: MagneticIon) -> SiteSpec:
    """Return the declared site of a magnetic atom."""
    return SiteSpec(atom.label, ion.ion, atom.position, ion.spin, ion.g)


def magnetic_atoms(
    block: CifBlock,
    magnetic_ions: Mapping[str, MagneticIon],
    *,
    assume_full_occupancy: bool,
    allow_disorder_elsewhere: bool,
) -> list[tuple[CifAtom, MagneticIon]]:
    """Return the magnetic atoms of a block with their ions; the parameters are those of :func:`read_cif`."""
    known = atoms(block, assume_full_occupancy=assume_full_occupancy)
    keys = [_key_of(atom, magnetic_ions) for atom in known]
    for key in magnetic_ions:
        if not any(key in _names(atom) for atom in known):
            raise ConfigError(
                f"no atom of the CIF is called {key!r}",
                where=block.where,
                expected=f"some of {', '.join(sorted({n for a in known[:24] for n in _names(a)}))}",
                got=key,
                fix="name atoms by label, type symbol or element",
            )
    for atom, key in zip(known, keys, strict=True):
        if atom.flaw and not (key is None and allow_disorder_elsewhere):
            raise _disorder(block, atom, magnetic=key is not None)
    chosen = [(atom, magnetic_ions[key]) for atom, key in zip(known, keys, strict=True) if key is not None]
    if not chosen:
        raise ConfigError("no magnetic ions are named", where=block.where, expected="at least one, as {'Ni1': ...}")
    return chosen


def _names(atom):
    """Return the names of an atom, the most special first: label, type symbol, element."""
    return (atom.label, atom.element, leading_letters(atom.element))


def _key_of(atom, magnetic_ions):
    return next((name for name in _names(atom) if name in magnetic_ions), None)


def _disorder(block, atom, *, magnetic):
    missing = atom.flaw == "no occupancy"
    fix = "describe an ordered model in a file of its own"
    if missing:
        fix = "add the column _atom_site_occupancy, or say assume_full_occupancy"
    elif not magnetic:
        fix = "say allow_disorder_elsewhere if the disorder of this atom does not matter"
    return DataError(
        f"atom {atom.label} of the CIF has no occupancy" if missing else f"atom {atom.label} of the CIF is disordered",
        where=f"{block.where}: atom {atom.label}",
        expected="occupancy 1 and no disorder group",
        got=atom.flaw,
        fix=fix,
    )
