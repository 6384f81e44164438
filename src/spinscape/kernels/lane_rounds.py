"""A schedule of moves of vector spins, LANES at once: arrays in, arrays out."""

import numpy as np

from .heat_bath import heat_bath_sweep
from .jit import borrowing
from .metropolis import HEAT_BATH, OVER_RELAXATION, SMALL_STEP, metropolis_sweep
from .over_relaxation import over_relaxation_sweep, restore_lengths
from .simd import LANES, fill, store

RESTORE = 64
"""Over-relaxation sweeps between which lengths are restored: they drift by about 1e-16 in each."""
WIDTHS = (1e-3, 4.0)
"""Bounds of adapted widths."""


@borrowing
def adapted_width(width, rate):
    """Return a width moved towards acceptance of one half."""
    return min(max(width * np.exp(rate - 0.5), WIDTHS[0]), WIDTHS[1])


@borrowing
def count_spins(lattice):
    """Return the number of spins that are there."""
    count = 0
    for group in range(len(lattice.site)):
        for lane in range(LANES):
            count += lattice.length[group, lane] != 0.0
    return count


@borrowing
def lane_rounds(
    kinds, counts, widths, adapt, n_round, beta, lattice, couplings, spins, state, age, draws, fields, lanes, tally
):
    """Make rounds of moves.

    Parameters
    ----------
    kinds, counts : (n_move,) int64
        Kind of each move of a round, and its sweeps.
    widths : (n_move,) float64
        Of small steps; changed where ``adapt``.
    adapt : (n_move,) bool
    n_round : int
    beta : float, inverse of the energy unit of the couplings
    lattice : LaneLattice
    couplings : Couplings
    spins : (n_row, 3, LANES) float64
    state : (2, N_STREAM) uint64
    age : (1,) int64
        Over-relaxation sweeps since lengths were restored.
    draws, fields, lanes : (BLOCK, 4, LANES), (BLOCK, 3, LANES) and (6, LANES) float64
        Work space.
    tally : (n_move, 2) float64
        Accepted moves and energy gained are added.
    """
    n_spin, work = count_spins(lattice), lanes[2:]
    for _ in range(n_round):
        for move in range(len(kinds)):
            kind = kinds[move]
            store(lanes, 0, fill(0.0))
            store(lanes, 1, fill(0.0))
            for _ in range(counts[move]):
                if kind == HEAT_BATH:
                    heat_bath_sweep(beta, lattice, couplings, spins, state, draws, fields, work, lanes)
                elif kind == OVER_RELAXATION:
                    over_relaxation_sweep(beta, lattice, couplings, spins, state, draws, fields, lanes)
                    age[0] += 1
                    if age[0] >= RESTORE:
                        restore_lengths(lattice, spins)
                        age[0] = 0
                else:
                    metropolis_sweep(kind, widths[move], beta, lattice, couplings, spins, state, draws, fields, lanes)
            accepted = 0.0
            for lane in range(LANES):
                accepted += lanes[0, lane]
                tally[move, 1] += lanes[1, lane]
            tally[move, 0] += accepted
            if adapt[move] and kind == SMALL_STEP:
                widths[move] = adapted_width(widths[move], accepted / max(n_spin * counts[move], 1))
