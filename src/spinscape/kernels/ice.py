"""Rounds of moves of Ising spins that all interact, in one call; which way of flipping is faster is decided here.

Source of the limits: ``benchmarks/ice.py``. All costs grow with the number of spins alike, so that the number of flips
in one sweep decides, whatever the size: below :data:`FEW` the rejection-free way is the fastest, above :data:`MANY`
the one that puts flips into the fields together.
"""

import numpy as np

from .ice_flips import BLOCK, crowded_sweeps, prescreened_sweeps
from .jit import borrowing
from .loops import loop_tries
from .rejection_free import N_LANE, rejection_free_tries
from .slabs import slab_tries

CROWDED, PRESCREENED, REJECTION_FREE = 0, 1, 2
FLIP, SHORT_LOOP, LONG_LOOP, SLAB = 0, 1, 2, 3
N_KIND = 4
FEW, MANY = 0.7, 70.0
"""Flips in a sweep."""
WINDOW = 16
"""Sweeps that a decision is based on."""
_MANY_BLOCKS = 8


def work_space(n, n_simplex):
    """Return arrays for :func:`run_rounds`: of n places, and of loops on so many simplices."""
    flips = (
        np.zeros(n, dtype=np.int32),
        np.zeros(BLOCK, dtype=np.int32),
        np.zeros(BLOCK, dtype=np.int32),
        np.zeros(BLOCK, dtype=np.int64),
        np.zeros(BLOCK, dtype=np.int64),
        np.zeros(n, dtype=np.float32),
        np.zeros(N_LANE, dtype=np.float32),
    )
    # A long walk may pass each simplex many times; what is longer is given up.
    longest = max(8 * n_simplex, n + 1)
    loops = (
        np.full(n_simplex, -1, dtype=np.int64),
        np.zeros(n, dtype=np.uint8),
        np.full(2 * n_simplex, -1, dtype=np.int64),
        np.zeros(longest, dtype=np.int64),
        np.zeros(longest, dtype=np.int64),
    )
    return flips, loops


@borrowing
def flip_sweeps(table, there, beta, n_sweep, mode, spins, local, work, streams, words):
    """Make sweeps of single flips in one of the three ways; return the number of flips."""
    alive, present, n_spin = there
    bound, raw, near, index, sign, weight, lanes = work
    if mode == REJECTION_FREE:
        n_try = n_sweep * n_spin
        return rejection_free_tries(table, n_spin, beta, n_try, present, spins, local, weight, lanes, words)
    thin = len(alive) < _MANY_BLOCKS
    n_visit = n_sweep * len(alive) * (2 if thin else 1)
    if mode == PRESCREENED:
        return prescreened_sweeps(table, alive, beta, n_visit, thin, spins, local, bound, raw, streams, words)
    return crowded_sweeps(table, alive, beta, n_visit, thin, spins, local, raw, near, index, sign, streams, words)


@borrowing
def _flip_move(table, there, beta, n_sweep, adapting, choice, spins, local, work, streams, words):
    """Make sweeps and decide on the way meanwhile, as :func:`run_rounds` says; return the number of flips."""
    accepted, left_over = 0, n_sweep
    while left_over > 0:
        deciding = adapting or choice[1] == 0
        part = min(left_over, WINDOW - choice[2]) if deciding else left_over
        found = flip_sweeps(table, there, beta, part, choice[0], spins, local, work, streams, words)
        accepted += found
        left_over -= part
        if deciding:
            choice[2] += part
            choice[3] += found
            if choice[2] >= WINDOW:
                per_sweep = choice[3] / choice[2]
                choice[0] = REJECTION_FREE if per_sweep < FEW else CROWDED if per_sweep > MANY else PRESCREENED
                choice[1], choice[2], choice[3] = 1, 0, 0
    return accepted


@borrowing
def run_rounds(
    table,
    graph,
    slabs,
    there,
    beta,
    kinds,
    counts,
    n_round,
    adapting,
    choice,
    spins,
    local,
    work,
    loop_work,
    tally,
    state,
):
    """Make rounds of moves.

    Parameters
    ----------
    table : tuple, as in ``kernels.long_range``
    graph : tuple of corner, other and outward, as in ``kernels.loops``; empty arrays without loops
    slabs : tuple, as in ``kernels.slabs``; empty arrays without slab moves
    there : tuple of (n_block,) uint64, (n,) float32 and int
        Which places hold a spin, as bits of blocks and as 1 or 0, and how many there are.
    beta : float
        1/(k_B T), for the unit of the table.
    kinds, counts : (n_move,) int64
        FLIP (sweeps), SHORT_LOOP, LONG_LOOP and SLAB (tries).
    n_round : int
    adapting : bool
        Decide anew, after every WINDOW sweeps, which way of flipping to take. Else it is decided once: a way that
        followed the state would not leave the Boltzmann distribution as it is.
    choice : (4,) int64
        Way of flipping; whether it has been decided; sweeps and flips since.
    spins, local : (n,) float32 and int32
    work, loop_work : tuples of :func:`work_space`
    tally : (N_KIND, 2) int64
        Attempted and accepted moves of each kind are added.
    state : tuple of streams and words, the states of the random numbers
    """
    streams, words = state
    seen, turned, path, long_path, sign = loop_work
    for _ in range(n_round):
        for m in range(len(kinds)):
            kind, count = kinds[m], counts[m]
            if kind == FLIP:
                tally[kind, 0] += count * there[2]
                found = _flip_move(table, there, beta, count, adapting, choice, spins, local, work, streams, words)
            elif kind == SLAB:
                tally[kind, 0] += count
                found = slab_tries(table, slabs, beta, count, spins, local, long_path, sign, words)
            else:
                tally[kind, 0] += count
                long = kind == LONG_LOOP
                way = long_path if long else path
                found = loop_tries(table, graph, beta, count, long, spins, local, seen, turned, way, sign, words)
            tally[kind, 1] += found
