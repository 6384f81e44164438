"""Spins of LANES distant cells side by side, and the local energy of one such group: arrays in, arrays out.

The spins of a group meet each other in no interaction, so that all are moved at once. What a spin S feels, its
neighbours given, is E(S) = −h·S + S·Q·S with a field h and a symmetric matrix Q.
"""

from typing import NamedTuple

import numpy as np

from .jit import borrowing, inlined
from .simd import LANES, fill, load, minus_product, plus_product, store, times
from .simd_math import item, plus

BLOCK = 32
"""Groups at most whose random numbers and fields are made at a time: they stay in the nearest cache."""


class LaneLattice(NamedTuple):
    """Which spins stand side by side, and who their neighbours are.

    Parameters
    ----------
    site : (n_group,) int64
        Chemical site of the spins of each group.
    length : (n_group, LANES) float64
        Spin lengths; zero where there is no spin.
    slot : (n_group, max_link) int64
        Row of the spin array that holds the neighbours, lane by lane: a group, or a copy of one with its lanes turned.
    square_slot : (n_group, max_square) int64
    batch_start : (n_batch + 1,) int64
        Groups from one of these to the next, BLOCK at most, are no neighbours of each other.
    copy_start : (n_group + 1,) int64
        Copies of each group: rows of the next three.
    copy_origin, copy_slot, copy_turn : (n_copy,) int64
    turn : (LANES, LANES) int64
        ``copy[lane] = group[turn[k, lane]]`` of turn k.
    """

    site: np.ndarray
    length: np.ndarray
    slot: np.ndarray
    square_slot: np.ndarray
    batch_start: np.ndarray
    copy_start: np.ndarray
    copy_origin: np.ndarray
    copy_slot: np.ndarray
    copy_turn: np.ndarray
    turn: np.ndarray


class Couplings(NamedTuple):
    """Interactions of the chemical sites at given couplings; links and squares of site s from start[s] on.

    Parameters
    ----------
    start : (n_site + 1,) int64
    strength : (n_link,) float64
        Multiple of the unit matrix that each link is; read where ``scalar``.
    matrix : (n_link, 3, 3) float64
    scalar : bool
    onsite : (n_site, 3, 3) float64, symmetric
    field : (n_site, 3) float64
    square_start : (n_site + 1,) int64
    square_turn : (n_square, 3, 3) float64
    square_strength : (n_square,) float64
    curved : (n_site,) bool
        Whether Q is there at all.
    any_curved : bool
    planar : (n_site,) bool
        Whether the spin stays in a plane.
    line : (n_site,) bool
        Whether the spin stays on a line.
    frame : (n_site, 3, 3) float64
        Rows: two directions in the plane, and its normal; the last is also the direction of the line.
    """

    start: np.ndarray
    strength: np.ndarray
    matrix: np.ndarray
    scalar: bool
    onsite: np.ndarray
    field: np.ndarray
    square_start: np.ndarray
    square_turn: np.ndarray
    square_strength: np.ndarray
    curved: np.ndarray
    any_curved: bool
    planar: np.ndarray
    line: np.ndarray
    frame: np.ndarray


@inlined
def _scalar_field(group, first, last, lattice, couplings, spins, x, y, z):
    """Return the field (x, y, z) less that of links that are multiples of the unit matrix."""
    for link in range(first, last):
        strength, slot = fill(item(couplings.strength, link)), item(lattice.slot, (group, link - first))
        x = minus_product(x, strength, load(spins, (slot, 0)))
        y = minus_product(y, strength, load(spins, (slot, 1)))
        z = minus_product(z, strength, load(spins, (slot, 2)))
    return x, y, z


@inlined
def _matrix_field(group, first, last, lattice, couplings, spins, x, y, z):
    """Return the field (x, y, z) less that of links."""
    m = couplings.matrix
    for link in range(first, last):
        slot = item(lattice.slot, (group, link - first))
        a, b, c = load(spins, (slot, 0)), load(spins, (slot, 1)), load(spins, (slot, 2))
        x = minus_product(minus_product(x, fill(item(m, (link, 0, 0))), a), fill(item(m, (link, 0, 1))), b)
        y = minus_product(minus_product(y, fill(item(m, (link, 1, 0))), a), fill(item(m, (link, 1, 1))), b)
        z = minus_product(minus_product(z, fill(item(m, (link, 2, 0))), a), fill(item(m, (link, 2, 1))), b)
        x = minus_product(x, fill(item(m, (link, 0, 2))), c)
        y = minus_product(y, fill(item(m, (link, 1, 2))), c)
        z = minus_product(z, fill(item(m, (link, 2, 2))), c)
    return x, y, z


@borrowing
def local_fields(begin, end, lattice, couplings, spins, fields):
    """Write the fields h on the groups from begin to end into ``fields`` (BLOCK, 3, LANES)."""
    for group in range(begin, end):
        site, at = item(lattice.site, group), group - begin
        first, last = item(couplings.start, site), item(couplings.start, site + 1)
        x, y, z = (
            fill(item(couplings.field, (site, 0))),
            fill(item(couplings.field, (site, 1))),
            fill(item(couplings.field, (site, 2))),
        )
        if couplings.scalar:
            x, y, z = _scalar_field(group, first, last, lattice, couplings, spins, x, y, z)
        else:
            x, y, z = _matrix_field(group, first, last, lattice, couplings, spins, x, y, z)
        store(fields, (at, 0), x)
        store(fields, (at, 1), y)
        store(fields, (at, 2), z)


@inlined
def square_sum(matrix, x, y, z):
    """Return S·A·S of lanes, A symmetric (3, 3)."""
    out = times(times(fill(matrix[0, 0]), x), x)
    out = plus_product(out, times(fill(matrix[1, 1]), y), y)
    out = plus_product(out, times(fill(matrix[2, 2]), z), z)
    cross = times(fill(matrix[0, 1]), y)
    cross = plus_product(cross, fill(matrix[0, 2]), z)
    out = plus_product(out, times(fill(2.0), cross), x)
    return plus_product(out, times(fill(2.0 * matrix[1, 2]), y), z)


@borrowing
def curvature_change(group, lattice, couplings, spins, x, y, z):
    """Return S'·Q·S' − S·Q·S of a group for new spins (x, y, z)."""
    site = lattice.site[group]
    u, v, w = load(spins, (group, 0)), load(spins, (group, 1)), load(spins, (group, 2))
    new, old = square_sum(couplings.onsite[site], x, y, z), square_sum(couplings.onsite[site], u, v, w)
    change = minus_product(new, fill(1.0), old)
    first = couplings.square_start[site]
    for row in range(first, couplings.square_start[site + 1]):
        slot, turn = lattice.square_slot[group, row - first], couplings.square_turn[row]
        a, b, c = load(spins, (slot, 0)), load(spins, (slot, 1)), load(spins, (slot, 2))
        after, before = fill(0.0), fill(0.0)
        for k, (p, q) in enumerate(((x, u), (y, v), (z, w))):
            image = times(fill(turn[k, 0]), a)
            image = plus_product(plus_product(image, fill(turn[k, 1]), b), fill(turn[k, 2]), c)
            after, before = plus_product(after, p, image), plus_product(before, q, image)
        # after² − before²
        both = times(plus(after, before), minus_product(after, fill(1.0), before))
        change = plus_product(change, fill(couplings.square_strength[row]), both)
    return change


@inlined
def put(group, spins, x, y, z):
    """Write the spins of a group."""
    store(spins, (group, 0), x)
    store(spins, (group, 1), y)
    store(spins, (group, 2), z)


@borrowing
def refresh_copies(begin, end, lattice, spins):
    """Renew the copies of the groups from begin to end, which others read."""
    for copy in range(item(lattice.copy_start, begin), item(lattice.copy_start, end)):
        group, slot = item(lattice.copy_origin, copy), item(lattice.copy_slot, copy)
        turn = item(lattice.copy_turn, copy)
        for lane in range(LANES):
            origin = item(lattice.turn, (turn, lane))
            spins[slot, 0, lane] = item(spins, (group, 0, origin))
            spins[slot, 1, lane] = item(spins, (group, 1, origin))
            spins[slot, 2, lane] = item(spins, (group, 2, origin))


@borrowing
def to_lanes(plain, member, lattice, spins):
    """Write plain spins (n_spin, 3) into lanes; ``member`` (n_group, LANES) is −1 where a lane is idle."""
    for group in range(len(member)):
        for lane in range(LANES):
            for k in range(3):
                spins[group, k, lane] = plain[member[group, lane], k] if member[group, lane] >= 0 else 0.0
    refresh_copies(0, len(member), lattice, spins)


@borrowing
def from_lanes(spins, member, plain):
    """Write lanes back into plain spins (n_spin, 3)."""
    for group in range(len(member)):
        for lane in range(LANES):
            if member[group, lane] >= 0:
                for k in range(3):
                    plain[member[group, lane], k] = spins[group, k, lane]
