"""Every bond of a magnetic cell, once in each direction."""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from ..hamiltonian.biquadratic import biquadratic_parts


@dataclass(frozen=True, eq=False)
class DirectedBonds:
    """Every bond of the magnetic cell, once in each direction.

    Parameters
    ----------
    tail, head : (n_directed,) int64
        Sublattices i and j of i → j.
    parameter : (n_directed,) int64
    matrix : (n_directed, 3, 3) float64
        M as seen from the tail.
    way : (n_directed, 3) float64
        From i to j, in units of the chemical lattice vectors.
    share : (n_directed,) float64
        Part of S_i·M·S_j that counts as classical energy: 1/2 for what is quadratic in the spins, 1/4 for what is
        quartic, 0 for a row that acts across the spins only.
    """

    tail: np.ndarray
    head: np.ndarray
    parameter: np.ndarray
    matrix: np.ndarray
    way: np.ndarray
    share: np.ndarray


def _adjugate(cell):
    """Return the integer adjugate of an integer 3×3 matrix: cell @ adjugate = det · 1."""
    a, b, c = (np.asarray(row, dtype=np.int64) for row in cell)
    return np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=1)


def sublattice_finder(structure, n_site):
    """Return a function (site, cell) -> sublattice that folds any chemical cell into the magnetic one.

    Raises
    ------
    ConfigError
        Where the structure does not list each site of the magnetic cell once.
    """
    adjugate = _adjugate(structure.magnetic_cell)
    volume = abs(int(structure.magnetic_cell[0] @ adjugate[:, 0]))

    def key(site, cell):
        # Cells are equivalent where (c - c')·adjugate is a multiple of the determinant: integers, no rounding.
        return (int(site), *(int(x) for x in (np.asarray(cell) @ adjugate) % max(volume, 1)))

    table = {key(s, c): k for k, (s, c) in enumerate(zip(structure.site, structure.cell, strict=True))}
    if volume == 0 or len(table) != volume * n_site or structure.n_sublattice != len(table):
        raise ConfigError(
            "the moments do not fill the magnetic cell",
            where="structure",
            expected=f"each of {volume * n_site} sites once ({volume} chemical cells of {n_site} sites)",
            got=f"{structure.n_sublattice} moments on {len(table)} different sites",
            fix="list each site of each chemical cell of the magnetic cell once",
        )
    return lambda site, cell: table[key(site, cell)]


def check_free_vectors(crystal, what):
    """Raise :class:`ConfigError` where a spin may not point anywhere: ``what`` takes all spins for free vectors."""
    bound = [k for k, kind in enumerate(crystal.kind) if kind != "heisenberg"]
    if bound:
        raise ConfigError(
            f"{what} of {crystal.kind[bound[0]]} spins: they are not free vectors",
            where=f"site {crystal.labels[bound[0]]} (index {bound[0]})",
            expected="Heisenberg spins",
            got=f"kind {crystal.kind[bound[0]]!r}",
            fix="leave the kind out and give the site an anisotropy, or use Monte Carlo",
        )


def directed_bonds(model, structure):
    """Return the terms of the magnetic cell, each bond once from either end, biquadratic ones about the structure.

    Parameters
    ----------
    model : Model
    structure : MagneticStructure

    Returns
    -------
    DirectedBonds
    """
    crystal, bonds, onsite = model.crystal, model.bonds, model.onsite
    check_free_vectors(crystal, "spin waves")
    find = sublattice_finder(structure, crystal.n_site)
    members = [np.flatnonzero(structure.site == s) for s in range(crystal.n_site)]

    def pairs(table, b):
        """Yield tail, head and the way between them, for each cell of the magnetic one."""
        i, j, offset = table.site_i[b], table.site_j[b], table.offset[b]
        way = crystal.positions[j] + offset - crystal.positions[i]
        return [(tail, find(j, structure.cell[tail] + offset), way) for tail in members[i]]

    rows = []
    for b in range(bonds.n_bond):
        k, m = bonds.parameter[b], bonds.matrix[b]
        for tail, head, way in pairs(bonds, b):
            rows += [(tail, head, k, m, way, 0.5), (head, tail, k, m.T, -way, 0.5)]
    for b in range(onsite.n_onsite):
        a = onsite.matrix[b]
        rows += [(s, s, onsite.parameter[b], a + a.T, np.zeros(3), 0.5) for s in members[onsite.site[b]]]
    table, parts = model.biquadratic, biquadratic_parts(model.biquadratic, crystal.spins)
    spins = crystal.spins[structure.site][:, None] * structure.direction
    for b in range(table.n_bond):
        for tail, head, way in pairs(table, b):
            quartic = _quartic_rows(parts.quartic[b], table.turn[b], spins[tail], spins[head])
            linear = parts.bilinear[b] * table.turn[b]
            ends, ways = (tail, head), ((np.zeros(3), way), (-way, np.zeros(3)))
            for near, far, m, share in (*quartic, (0, 1, linear, 0.5), (1, 0, linear.T, 0.5)):
                rows.append((ends[near], ends[far], table.parameter[b], m, ways[near][far], share))
    tail, head, parameter, matrix, way, share = zip(*rows, strict=True) if rows else ((),) * 6
    return DirectedBonds(
        np.array(tail, dtype=np.int64),
        np.array(head, dtype=np.int64),
        np.array(parameter, dtype=np.int64),
        np.array(matrix, dtype=np.float64).reshape(-1, 3, 3),
        np.array(way, dtype=np.float64).reshape(-1, 3),
        np.array(share, dtype=np.float64),
    )


def _quartic_rows(factor, turn, first, second):
    """Return end, end, matrix and share of the rows that factor (S_1·R·S_2)² is about two spins.

    The second-order part is 2 factor c (S_1·R·S_2)₂ + factor l², c = S_1·R·S_2 and l = (R S_2)·t_1 + (Rᵀ S_1)·t_2 with
    t the part of a spin across its axis.
    """
    exchange = 2.0 * factor * (first @ turn @ second) * turn
    ahead, behind = turn @ second, first @ turn
    mixed = 2.0 * factor * np.outer(ahead, behind)
    return [
        (0, 1, exchange, 0.25),
        (1, 0, exchange.T, 0.25),
        (0, 1, mixed, 0.0),
        (1, 0, mixed.T, 0.0),
        (0, 0, 2.0 * factor * np.outer(ahead, ahead), 0.0),
        (1, 1, 2.0 * factor * np.outer(behind, behind), 0.0),
    ]
