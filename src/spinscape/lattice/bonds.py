"""Bonds by name and by neighbour shell."""

import re
import string
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..errors import ConfigError
from .crystal import Crystal
from .orbits import bond_orbit

SAME_DISTANCE = 1e-3
"""Å. Distances nearer to each other than this are one distance; inequivalent kinds at it have letters."""
MAX_SHELL = 200
MAX_PAIR = 2_000_000
"""Directed pairs that a search for neighbours may list: 200 MB at most."""


class Bond(NamedTuple):
    """A bond from site i in cell 0 to site j in cell ``offset``."""

    site_i: int
    site_j: int
    offset: tuple[int, int, int]

    @property
    def reversed(self):
        """The same bond, met from its other end."""
        return Bond(self.site_j, self.site_i, tuple(-n for n in self.offset))


@dataclass(frozen=True)
class Shell:
    """One symmetry kind of neighbours.

    Parameters
    ----------
    label : str
        Number of the distance, with a letter where inequivalent kinds share it: "1", "3a", "3b".
    distance : float, Å
    bond : Bond
        Representative; symmetry makes the others.
    n_bond : int
        Bonds of the kind in the chemical cell, each once.
    coordination : tuple of int, length n_site
        Neighbours of this kind that each site has.
    """

    label: str
    distance: float
    bond: Bond
    n_bond: int
    coordination: tuple[int, ...]


def bond_vector(crystal: Crystal, bond) -> np.ndarray:
    """Return the vector from site i to site j, (3,) Å."""
    i, j, offset = bond
    return (crystal.positions[j] + np.asarray(offset) - crystal.positions[i]) @ crystal.vectors


def bond_site_indices(crystal: Crystal, from_label, to_label, *, from_index=0, to_index=0) -> tuple[int, int]:
    """Return the site indices of a bond's ends from the labels of their orbits.

    Parameters
    ----------
    from_label, to_label : str
    from_index, to_index : int
        Which site of the orbit; 0 is the declared one.

    Returns
    -------
    int, int
    """
    return site_index(crystal, from_label, from_index), site_index(crystal, to_label, to_index)


def site_index(crystal: Crystal, label: str, index: int = 0) -> int:
    """Return the index in the crystal of the ``index``-th site of the orbit ``label``."""
    members = [k for k, name in enumerate(crystal.labels) if name == label]
    if not members:
        raise ConfigError(
            f"unknown site {label!r}",
            expected=f"one of {', '.join(sorted(set(crystal.labels)))}",
            got=label,
            fix="declare the site or correct the name",
        )
    if not 0 <= index < len(members):
        raise ConfigError(
            f"site {label} has {len(members)} positions", expected=f"an index from 0 to {len(members) - 1}", got=index
        )
    return members[index]


def neighbour_pairs(crystal: Crystal, r_max: float) -> tuple[np.ndarray, np.ndarray]:
    """Return every directed pair of sites within a distance, from cell 0.

    Parameters
    ----------
    r_max : float, Å

    Returns
    -------
    pairs : (n_pair, 5) int64
        Site i, site j and the cell offset of j.
    distance : (n_pair,) float64, Å
    """
    span = np.ptp(crystal.positions, axis=0)
    reach = np.ceil(r_max * np.linalg.norm(crystal.reciprocal, axis=1) / (2 * np.pi) + span).astype(int)
    n_pair = crystal.n_site**2 * np.prod(2.0 * reach + 1)
    if n_pair > MAX_PAIR:
        raise ConfigError(
            "too many pairs of neighbours", expected=f"at most {MAX_PAIR}", got=int(n_pair), fix="ask for nearer ones"
        )
    axes = np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij")
    offsets = np.stack([a.ravel() for a in axes], axis=1)
    steps = crystal.positions[None, :, None] + offsets[None, None] - crystal.positions[:, None, None]
    distance = np.linalg.norm(steps @ crystal.vectors, axis=-1)
    i, j, cell = np.nonzero((distance <= r_max) & (distance > SAME_DISTANCE))
    return np.column_stack([i, j, offsets[cell]]), distance[i, j, cell]


def neighbour_shells(crystal: Crystal, *, r_max: float | None = None, n_shell: int | None = None) -> tuple[Shell, ...]:
    """Return the kinds of neighbours in the order of their distance.

    Parameters
    ----------
    crystal : Crystal
    r_max : float, optional, Å
        Look up to this distance.
    n_shell : int, optional
        Or look for this number of distances.

    Returns
    -------
    tuple of Shell
        Kinds at one distance that symmetry does not connect stand apart, as in the pyrochlore's third neighbours.
    """
    if (r_max is None) == (n_shell is None):
        raise ConfigError("neighbour shells need either a distance or a number of shells")
    if r_max is None:
        r_max = _radius_of_shells(crystal, n_shell)
    pairs, distance = neighbour_pairs(crystal, r_max)
    shells = []
    for number, members in enumerate(_clusters(distance), start=1):
        if n_shell is not None and number > n_shell:
            break
        kinds = _kinds(crystal, pairs[members])
        for k, (bond, orbit) in enumerate(kinds):
            label = f"{number}{_letters(k) if len(kinds) > 1 else ''}"
            ends = np.concatenate([orbit.site_i, orbit.site_j])
            coordination = np.bincount(ends, minlength=crystal.n_site)
            length = float(np.linalg.norm(bond_vector(crystal, bond)))
            shells.append(Shell(label, length, bond, orbit.n_bond, tuple(coordination.tolist())))
    return tuple(shells)


def _radius_of_shells(crystal, n_shell):
    """Return a radius that holds the wanted number of distances, whole."""
    if not 1 <= n_shell <= MAX_SHELL:
        raise ConfigError("no such neighbour shell", expected=f"a number from 1 to {MAX_SHELL}", got=n_shell)
    radius = 1.2 * np.cbrt(abs(np.linalg.det(crystal.vectors)) / crystal.n_site)
    while len(_clusters(neighbour_pairs(crystal, radius)[1])) <= n_shell:
        radius *= 1.15
    return radius


def _clusters(distance):
    """Return index arrays of equal distances, in rising order."""
    order = np.argsort(distance, kind="stable")
    breaks = np.flatnonzero(np.diff(distance[order]) > SAME_DISTANCE) + 1
    return np.split(order, breaks) if len(order) else []


def _kinds(crystal, pairs):
    """Return (representative, orbit) of each symmetry kind among directed pairs."""
    left = {Bond(int(i), int(j), (int(a), int(b), int(c))) for i, j, a, b, c in pairs}
    kinds = []
    for bond in sorted(left, key=_readable):
        if bond in left:
            orbit = bond_orbit(crystal, *bond)
            kinds.append((bond, orbit))
            for i, j, n in zip(orbit.site_i.tolist(), orbit.site_j.tolist(), orbit.offset.tolist(), strict=True):
                member = Bond(i, j, tuple(n))
                left -= {member, member.reversed}
    return kinds


def _readable(bond):
    """Sort key: low sites, short offsets, few minus signs, along a before b before c."""
    n = bond.offset
    return (bond.site_i, bond.site_j, sum(abs(x) for x in n), sum(x < 0 for x in n), tuple(-x for x in n))


def _letters(k):
    """Return a, b, ..., z, aa, ab, ...

    >>> _letters(0), _letters(25), _letters(26)
    ('a', 'z', 'aa')
    """
    text = chr(ord("a") + k % 26)
    return text if k < 26 else _letters(k // 26 - 1) + text


def shell_bond(crystal: Crystal, shell: int | str) -> Bond:
    """Return the representative bond of a neighbour shell.

    Parameters
    ----------
    crystal : Crystal
    shell : int or str
        Number of the distance, with its letter where inequivalent kinds share it: 1, "3a".

    Returns
    -------
    Bond
    """
    match = re.fullmatch(r"([1-9][0-9]{0,3})([a-z]*)", str(shell).strip())
    if match is None:
        raise ConfigError("not a neighbour shell", expected="a number, with a letter where needed: 1 or 3a", got=shell)
    shells = neighbour_shells(crystal, n_shell=int(match[1]))
    kinds = [s for s in shells if s.label.rstrip(string.ascii_lowercase) == match[1]]
    chosen = [s for s in kinds if s.label == match[0]]
    if not chosen:
        listed = "; ".join(f"{s.label} ({s.distance:.4g} Å, {_bond_text(s.bond)})" for s in kinds[:12])
        raise ConfigError(
            f"there is no single neighbour shell {shell!r}",
            expected=f"one of {listed}",
            got=shell,
            fix="name one of the symmetry-inequivalent kinds at this distance",
        )
    return chosen[0].bond


def _bond_text(bond):
    return f"{bond.site_i} -> {bond.site_j} + ({' '.join(str(n) for n in bond.offset)})"
