"""Loop moves of Ising spins on corner-sharing simplices.

A spin is an arrow between the two simplices that share it. A walk begins at a simplex drawn at random and leaves
each simplex by one of the arrows that point out of it, all equally likely; the arrows along a loop of it are turned.

*Short loop* (Melko, den Hertog and Gingras, PRL 87, 067203 (2001)): the walk ends where it meets a simplex of its own
trace; what is turned is the loop that this closes, without the way to it.
*Long loop* (Barkema and Newman, PRE 57, 1155 (1998)): arrows turn as the walk passes, and it ends where it comes back
to its beginning; it may cross itself, and an arrow passed twice is as it was.

Detailed balance. A loop that passes a simplex turns one arrow that points in and one that points out: the number of
arrows out stays, in ice as on defects. (i) Short: in the new state the same way leads to the loop, with
the same factors 1/n_out; at the simplex that closes it the walk may leave by the arrow by which it came, which points
out now, with the same 1/n_out, and runs through the others in reverse, each with the 1/n_out of before. (ii) Long: the
states of the reversed walk are those of the walk in reverse order; the arrow just turned points out again and is not
chosen, so that each simplex has as many choices as it had. So loop and reversed loop are proposed equally often,
and min(1, exp(−βΔE)) with the energy of all interactions keeps the Boltzmann distribution. A walk into a simplex
that it cannot leave, or longer than allowed, is given up; so is its reverse.
"""

import numpy as np

from .ice_flips import accepts
from .ice_random import next_below, next_word
from .jit import borrowing
from .long_range import add_rows, row_start
from .simd32 import WIDE, lowest_bit

_33 = np.uint64(33)


@borrowing
def _way_out(corner, outward, simplex, came_by, spins, words):
    """Return a random corner whose arrow points out of a simplex, not ``came_by``, or -1.

    Without branches: which arrow points where cannot be foreseen by the processor.
    """
    open_ways, n_out = 0, 0
    for c in range(corner.shape[1]):
        site = corner[simplex, c]
        out = np.int64(outward[simplex, c] * spins[site] > 0.0) & np.int64(site != came_by)
        open_ways |= out << c
        n_out += out
    if n_out == 0:
        return -1
    skip = next_below(words, n_out)
    for c in range(corner.shape[1] - 1):
        open_ways &= open_ways - 1 if skip > c else -1
    return lowest_bit(np.uint64(open_ways))


@borrowing
def short_walk(corner, other, outward, spins, seen, path, words):
    """Walk until the trace is met; return where in ``path`` the loop begins and ends, (0, 0) where it is given up.

    Parameters
    ----------
    corner : (n_simplex, n_corner) int32
        Spin at each corner.
    other : (n_simplex, n_corner) int32
        Simplex on the other side of it.
    outward : (n_simplex, n_corner) float32
        +1 where σ = 1 points out of the simplex, -1 where it points in.
    spins : (n,) float32
        σ; zero for a vacancy, which points nowhere.
    seen : (n_simplex,) int64
        All -1, and again after the call.
    path : (2 * n_simplex,) int64
        The spins of the walk, then its simplices.
    words : (1,) uint64
    """
    n_simplex = len(corner)
    simplex = next_below(words, n_simplex)
    length, begin, came_by = 0, 0, -1
    while seen[simplex] < 0:
        seen[simplex] = length
        path[n_simplex + length] = simplex
        way = _way_out(corner, outward, simplex, came_by, spins, words)
        if way < 0:
            begin = length
            break
        came_by = corner[simplex, way]
        path[length] = came_by
        length += 1
        simplex = other[simplex, way]
        begin = seen[simplex]
    for k in range(min(length + 1, n_simplex)):
        if path[n_simplex + k] >= 0:
            seen[path[n_simplex + k]] = -1
            path[n_simplex + k] = -1
    return begin, length


@borrowing
def long_walk(corner, other, outward, spins, turned, path, words):
    """Walk back to the beginning, turning arrows; return the number of turned ones, 0 where it is given up.

    Parameters
    ----------
    corner, other, outward, words : as in :func:`short_walk`
    spins : (n,) float32
        As before after the call.
    turned : (n,) uint8
        All 0, and again after the call.
    path : (...,) int64
        The spins to turn. A walk as long as this is given up.
    """
    start = next_below(words, len(corner))
    simplex, came_by, length, closed = start, -1, 0, False
    while length < len(path) and not closed:
        way = _way_out(corner, outward, simplex, came_by, spins, words)
        if way < 0:
            break
        came_by = corner[simplex, way]
        spins[came_by] = -spins[came_by]
        turned[came_by] ^= 1
        path[length] = came_by
        length += 1
        simplex = other[simplex, way]
        closed = simplex == start
    count = 0
    for k in range(length):
        site = path[k]
        if turned[site]:
            turned[site] = 0
            spins[site] = -spins[site]
            path[count] = site
            count += 1
    return count if closed else 0


@borrowing
def turn_energy(table, spins, local, path, begin, end):
    """Return the energy that turning the spins path[begin:end] costs; each spin stands there once."""
    rows, tiles, _ = table
    single, pairs = 0, 0
    for a in range(begin, end):
        i = path[a]
        cell, start = row_start(table, i)
        part, up = 0, np.int64(spins[i])
        for b in range(begin, a):
            j = path[b]
            part += rows[start + tiles[cell, j // WIDE] + j % WIDE] * np.int64(spins[j])
        single += up * local[i]
        pairs += up * part
    return 2 * (pairs - single)


@borrowing
def turn_all(table, spins, local, path, begin, end, sign):
    """Turn the spins path[begin:end] and update the local fields; ``sign`` (...,) int64 is work space."""
    for a in range(begin, end):
        spins[path[a]] = -spins[path[a]]
        sign[a - begin] = np.int64(spins[path[a]])
    add_rows(table, path[begin:end], sign, end - begin, local)


@borrowing
def loop_tries(table, graph, beta, n_try, long, spins, local, seen, turned, path, sign, words):
    """Try loops; return how many were turned.

    Parameters
    ----------
    table, beta, spins, local, words : as in ``ice_flips.prescreened_sweeps``
    graph : tuple of corner, other and outward, as in :func:`short_walk`
    n_try : int
    long : bool
    seen, turned, path : as in :func:`short_walk` and :func:`long_walk`
    sign : (...,) int64
        Work space, as long as ``path``.
    """
    corner, other, outward = graph
    accepted = 0
    for _ in range(n_try):
        begin = 0
        if long:
            end = long_walk(corner, other, outward, spins, turned, path, words)
        else:
            begin, end = short_walk(corner, other, outward, spins, seen, path, words)
        if begin == end:
            continue
        cost = turn_energy(table, spins, local, path, begin, end)
        if accepts(np.int64(next_word(words) >> _33), -beta * cost, words):
            turn_all(table, spins, local, path, begin, end, sign)
            accepted += 1
    return accepted
