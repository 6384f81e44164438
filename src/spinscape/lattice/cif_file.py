"""What stands in a CIF: its block, cell, atoms and operations, read strictly."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import lcm
from pathlib import Path
from typing import Any

import numpy as np
import spglib

from ..errors import ConfigError, DataError, SymmetryError
from .crystal import lattice_vectors
from .spacegroup import METRIC_TOLERANCE, SpaceGroup, metric_error, settings_of
from .triplets import operation_from_triplet

MAX_BYTE = 50_000_000
MAX_OPERATION = 1536
_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?:\(\d+\))?")
_OPERATIONS = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz")
_NAMES = ("_space_group_name_h-m_alt", "_symmetry_space_group_name_h-m", "_space_group_it_number")
_NUMBERS = ("_space_group_it_number", "_symmetry_int_tables_number")
_CHOICES = {"s": "1", "z": "2", "h": "H", "r": "R"}
"""Settings behind a Hermann-Mauguin symbol, as older files have them."""


@dataclass(frozen=True)
class CifBlock:
    """One data block: every value as text, None where the file has ``?`` or a full stop.

    Parameters
    ----------
    where : str
        File and block, for messages.
    columns : dict of str to tuple
        Tag to values; a single value is a column of one. Tags are in lower case, with an underscore for the full stop
        of newer dictionaries, so that both spellings of a tag are one.
    """

    where: str
    columns: Mapping[str, tuple[str | None, ...]]

    def column(self, *tags: str) -> tuple[str | None, ...]:
        """Return the first column that is there, or an empty one."""
        return next((self.columns[tag] for tag in tags if tag in self.columns), ())

    def value(self, *tags: str) -> str | None:
        """Return the first single value that is there and not null."""
        return next((self.columns[tag][0] for tag in tags if self.columns.get(tag, (None,))[0] is not None), None)


@dataclass(frozen=True)
class CifAtom:
    """An atom of the asymmetric unit.

    Parameters
    ----------
    label, element : str
        ``"Ni1"`` and the type symbol, ``"Ni"`` or ``"Ni2+"``.
    position : tuple of 3 float
        Fractional coordinates.
    flaw : str
        What makes the atom disordered; empty for a whole one.
    """

    label: str
    element: str
    position: tuple[float, float, float]
    flaw: str = ""


def read_block(path, *, block: str | None = None) -> CifBlock:
    """Return the block of a CIF that has atoms.

    Parameters
    ----------
    path : path-like
    block : str, optional
        Its name, where several blocks have atoms.

    Raises
    ------
    DataError
        Where the file cannot be read, or the block is not one.
    """
    import gemmi

    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTE:
            raise DataError("a CIF is too large", where=str(path), expected=f"at most {MAX_BYTE} bytes")
        document = gemmi.cif.read_string(_decoded(path.read_bytes()))
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError("a CIF cannot be read", where=str(path), got=str(error)[:300]) from None
    blocks = {b.name: _columns(b, gemmi.cif) for b in document}
    chosen = [name for name in blocks if "_atom_site_fract_x" in blocks[name]]
    if block is not None:
        chosen = [name for name in chosen if name == block]
    if len(chosen) != 1:
        raise DataError(
            "not one block of the CIF has atoms" if block is None else f"no block {block!r} of the CIF has atoms",
            where=str(path),
            expected="one block with _atom_site_fract_x",
            got=", ".join(list(blocks)[:8]) or "no block",
            fix="name the block to be read" if len(chosen) > 1 else "give a file that lists its atoms",
        )
    return CifBlock(f"{path}: data_{chosen[0]}", blocks[chosen[0]])


def _decoded(raw):
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _columns(block, cif):
    columns = {}
    for item in block:
        if item.pair is not None:
            columns[_canonical(item.pair[0])] = (_value(item.pair[1], cif),)
        elif item.loop is not None:
            width, values = item.loop.width(), item.loop.values
            for k, tag in enumerate(item.loop.tags):
                columns[_canonical(tag)] = tuple(_value(v, cif) for v in values[k::width])
    return columns


def _canonical(tag):
    return tag.lower().replace(".", "_")


def _value(text, cif):
    return None if cif.is_null(text) else cif.as_string(text).strip()


def number(text: str | None, *, where: str, low: float = -1e3, high: float = 1e3) -> float:
    """Return a number of a CIF, between two bounds, its uncertainty in brackets left out.

    >>> number("5.4310(2)", where="cell")
    5.431
    """
    match = _NUMBER.fullmatch(text) if text is not None else None
    if match is None:
        raise DataError("a number of a CIF is missing or cannot be read", where=where, got=(text or "?")[:40])
    value = float(match[1])
    if not low <= value <= high:
        raise DataError(
            "a number of a CIF is out of range", where=where, expected=f"{low:g} to {high:g}", got=(text or "?")[:40]
        )
    return value


def cell_vectors(block: CifBlock) -> np.ndarray:
    """Return the lattice vectors as rows, (3, 3) Å; an angle that is not given is 90°, as the dictionary has it."""
    lengths, angles = {}, {}
    for name in ("a", "b", "c"):
        tag = f"_cell_length_{name}"
        lengths[name] = number(block.value(tag), where=f"{block.where}: {tag}", low=0.5, high=1e4)
    for name in ("alpha", "beta", "gamma"):
        tag = f"_cell_angle_{name}"
        angles[name] = number(block.value(tag) or "90", where=f"{block.where}: {tag}", low=5.0, high=175.0)
    try:
        return lattice_vectors(**lengths, **angles)
    except ConfigError as error:
        raise DataError(error.what, where=f"{block.where}: _cell", got=error.got) from None


def atoms(block: CifBlock, *, assume_full_occupancy: bool) -> list[CifAtom]:
    """Return the atoms of the asymmetric unit, dummy ones left out.

    Parameters
    ----------
    block : CifBlock
    assume_full_occupancy : bool
        An atom whose occupancy is not given counts as whole; otherwise it has a flaw.

    Returns
    -------
    list of CifAtom
    """
    labels = block.column("_atom_site_label")
    out = []
    for k, label in enumerate(labels):
        where = f"{block.where}: atom {label}"
        if label is None or label in labels[:k]:
            raise DataError("atoms need labels of their own", where=where, got=label)
        if _entry(block, "_atom_site_calc_flag", k) == "dum":
            continue
        names = [f"_atom_site_fract_{axis}" for axis in "xyz"]
        x, y, z = (number(_entry(block, name, k), where=f"{where}: {name}") for name in names)
        element = _entry(block, "_atom_site_type_symbol", k) or leading_letters(label)
        out.append(CifAtom(label, element, (x, y, z), _flaw(block, k, where, assume_full_occupancy)))
    if not out:
        raise DataError("a CIF lists no atoms", where=f"{block.where}: _atom_site_label")
    return out


def leading_letters(text: str) -> str:
    """Return the element that a label or a type symbol begins with.

    >>> leading_letters("Ni2+"), leading_letters("O1A")
    ('Ni', 'O')
    """
    return re.sub(r"[^A-Za-z].*", "", text)[:2]


def _entry(block, tag, k):
    column = block.column(tag)
    return column[k] if k < len(column) else None


def _flaw(block, k, where, assume_full_occupancy):
    group = _entry(block, "_atom_site_disorder_group", k)
    if group not in (None, "0"):
        return f"disorder group {group}"
    text = _entry(block, "_atom_site_occupancy", k)
    if text is None:
        return "" if assume_full_occupancy else "no occupancy"
    occupancy = number(text, where=f"{where}: _atom_site_occupancy")
    return "" if abs(occupancy - 1.0) < 1e-6 else f"occupancy {text}"


@dataclass(frozen=True, eq=False)
class Operations:
    """Symmetry operations x' = W x + t, with time reversal where the file has it.

    Parameters
    ----------
    rotations : (n_operation, 3, 3) int64
    translations : (n_operation, 3) float64, in [0, 1)
    time_reversal : (n_operation,) int64, +1 or -1
    """

    rotations: np.ndarray
    translations: np.ndarray
    time_reversal: np.ndarray

    def without_time_reversal(self) -> tuple[np.ndarray, np.ndarray]:
        """Return rotations and translations, each pair once."""
        rows = np.column_stack([self.rotations.reshape(-1, 9), np.round(self.translations * 1e6)])
        first = np.sort(np.unique(rows, axis=0, return_index=True)[1])
        return self.rotations[first], self.translations[first]


def checked_operations(members: list, *, where: str) -> Operations:
    """Return operations that form a group, the identity first.

    Parameters
    ----------
    members : list of (rotation (3, 3) int64, translation 3 Fraction, time reversal ±1)

    Raises
    ------
    SymmetryError
        Where a product of two of them is not in the list: it is cut off, or an operation is misprinted.
    """
    if not 1 <= len(members) <= MAX_OPERATION:
        raise DataError("not a list of operations", where=where, expected=f"1 to {MAX_OPERATION}", got=len(members))
    unit = lcm(*(x.denominator for _, shift, _ in members for x in shift))
    if unit > 10_000:
        raise DataError("the translations of a list of operations have no common fraction", where=where, got=unit)
    rotations = np.array([W for W, _, _ in members])
    shifts = np.array([[int(x * unit) for x in shift] for _, shift, _ in members], dtype=np.int64)
    signs = np.array([sign for _, _, sign in members], dtype=np.int64)
    known = np.sort(_codes(rotations, shifts, signs, unit))
    for W, shift, sign in zip(rotations, shifts, signs, strict=True):
        if not np.all(np.isin(_codes(W @ rotations, shifts @ W.T + shift, sign * signs, unit), known)):
            raise SymmetryError(
                "the operations of a file form no group",
                where=where,
                expected="a list that holds the product of any two of its operations",
                fix="complete the list, or correct the operation that is misprinted",
            )
    first = np.unique(_codes(rotations, shifts, signs, unit), return_index=True)[1]
    order = sorted(first, key=lambda k: (not _is_identity(rotations[k], shifts[k], signs[k]), k))
    return Operations(rotations[order], shifts[order] / unit, signs[order])


def _codes(rotations, shifts, signs, unit):
    """Return one integer for each operation, equal for equal ones: base 3 for the rotation, then the translation."""
    turned = np.asarray(rotations).reshape(len(rotations), 9)
    # A product that is no rotation of the list may have larger elements; -1 stands in no list.
    code = np.where(np.all(np.abs(turned) <= 1, axis=1), (turned + 1) @ 3 ** np.arange(9), -1)
    for column in (shifts % unit).T:
        code = np.where(code < 0, -1, code * unit + column)
    return np.where(code < 0, -1, 2 * code + (np.asarray(signs) > 0))


def _is_identity(rotation, shift, sign):
    return np.array_equal(rotation, np.eye(3)) and not np.any(shift) and sign == 1


def space_group_operations(block: CifBlock, vectors: np.ndarray) -> Operations:
    """Return the operations of a CIF: those that it lists, or those of the setting that its symbol names.

    Raises
    ------
    SymmetryError
        Where list, number, symbol and lattice contradict each other, or the symbol leaves the setting open.
    """
    texts = block.column(*_OPERATIONS)
    if not texts:
        group = _named_group(block, vectors)
        return Operations(group.rotations, group.translations, np.ones(len(group.rotations), dtype=np.int64))
    where = f"{block.where}: symmetry operations"
    operations = checked_operations([(*operation_from_triplet(t or ""), 1) for t in texts], where=where)
    check_lattice(operations, vectors, where=block.where)
    declared = block.value(*_NUMBERS)
    if declared is not None:
        _check_group_number(operations, vectors, number(declared, where=where), where=where)
    return operations


def _check_group_number(operations, vectors, declared, *, where):
    try:
        found: Any = spglib.get_spacegroup_type_from_symmetry(
            operations.rotations, operations.translations, lattice=vectors
        )
    except spglib.SpglibError as error:
        raise SymmetryError("the operations of a CIF are no space group", where=where, got=str(error)) from None
    if declared != found.number:
        raise SymmetryError(
            "the operations of a CIF are not those of its space group",
            where=where,
            expected=f"number {declared:g}",
            got=f"{len(operations.rotations)} operations of number {found.number} ({found.international_short})",
            fix="complete the list of operations, or correct the number",
        )


def check_lattice(operations: Operations, vectors: np.ndarray, *, where: str) -> None:
    """Raise :class:`SymmetryError` unless the lattice has the symmetry of the operations."""
    group = SpaceGroup(0, "", "", 0, operations.rotations, operations.translations)
    if metric_error(group, vectors) > METRIC_TOLERANCE:
        raise SymmetryError(
            "the lattice of a file contradicts its operations",
            where=f"{where}: _cell",
            got=np.round(vectors, 6).tolist(),
            fix="correct the cell, or the operations",
        )


def _named_group(block, vectors):
    text = block.value(*_NAMES)
    if text is None:
        raise DataError("a CIF names no symmetry", where=block.where, expected=f"{_OPERATIONS[0]} or {_NAMES[0]}")
    groups = fitting_settings(text, vectors)
    if len(groups) != 1:
        raise SymmetryError(
            "the symbol of a CIF leaves the setting open" if groups else "no setting of the symbol fits the lattice",
            where=f"{block.where}: space group {text}",
            got=", ".join(group.name for group in groups) or None,
            fix="list the operations in the CIF: without them the origin is a guess" if groups else "correct the cell",
        )
    return groups[0]


def fitting_settings(text: str, vectors: np.ndarray) -> list[SpaceGroup]:
    """Return the settings that a Hermann-Mauguin symbol may mean on a lattice.

    Where settings of that very symbol fit, only those are returned.
    """
    base, _, choice = text.strip().partition(":")
    words = base.split()
    if not choice and len(words) > 2 and words[-1].lower() in _CHOICES:
        base, choice = " ".join(words[:-1]), _CHOICES[words[-1].lower()]
    groups = settings_of(f"{base}:{choice}" if choice else base)
    groups = [group for group in groups if metric_error(group, vectors) <= METRIC_TOLERANCE]
    own = [group for group in groups if group.symbol.replace("_", "") == "".join(base.split()).replace("_", "")]
    return own or groups
