"""Flips of Ising spins with interactions of short range, LANES at once or one by one: arrays in, arrays out.

E(σ) = ½ Σ_i Σ_links J σ_i σ_j − Σ_i b_i σ_i; a spin feels h = b − Σ J σ_j, and ΔE = 2 σ h.

A flip that costs nothing is made with the probability one half: it keeps detailed balance, and without it sweeps in a
fixed order would turn all free spins over each time, and never change how they stand to each other.
"""

from typing import NamedTuple

import numpy as np

from .jit import borrowing, inlined
from .lane_field import BLOCK
from .random_numbers import logistic, minus_logarithm, next_exponential, next_uniform
from .simd import LANES, fill, load, minus_product, plus_product, store, times
from .simd_math import item, load_words, plus, size, store_words, where_less, word_sum, words_after

FLIP, BATH = 0, 1
ISING_KINDS = {"flip": FLIP, "heat_bath": BATH}
"""Number of each kind of move."""
FREE = 1e-12
"""|β ΔE| that counts as none."""
_LN2 = 0.6931471805599453


class IsingCouplings(NamedTuple):
    """Interactions of the Ising spins of the chemical sites at given couplings.

    Parameters
    ----------
    start : (n_site + 1,) int64
    strength : (n_link,) float64
        J of each link, spin lengths and axes included.
    bias : (n_site,) float64
        b.
    """

    start: np.ndarray
    strength: np.ndarray
    bias: np.ndarray


@borrowing
def _refresh_copies(begin, end, lattice, spins):
    """Renew the copies of the groups from begin to end, which others read."""
    for copy in range(item(lattice.copy_start, begin), item(lattice.copy_start, end)):
        group, slot = item(lattice.copy_origin, copy), item(lattice.copy_slot, copy)
        turn = item(lattice.copy_turn, copy)
        for lane in range(LANES):
            spins[slot, lane] = item(spins, (group, item(lattice.turn, (turn, lane))))


@borrowing
def _draw(kind, first, last, state, draws):
    """Draw what β ΔE must not exceed."""
    s, t = load_words(state, 0), load_words(state, 1)
    for at in range(last - first):
        word = word_sum(s, t)
        s, t = words_after(s, t)
        store(draws, at, minus_logarithm(word) if kind == FLIP else logistic(word))
    store_words(state, 0, s)
    store_words(state, 1, t)


@borrowing
def flip_sweep(kind, beta, lattice, couplings, spins, state, draws, tally):
    """Try to flip every spin once.

    Parameters
    ----------
    kind : int
        FLIP (Metropolis) or BATH (its heat bath: 1/(1 + exp(β ΔE))).
    beta : float
    lattice : LaneLattice
    couplings : IsingCouplings
    spins : (n_row, LANES) float64
        ±1; zero where there is no spin.
    state : (2, N_STREAM) uint64
    draws : (BLOCK, LANES) float64
        Work space.
    tally : (2, LANES) float64
        Accepted moves and energy gained are added.
    """
    twice, accepted, gained = fill(2.0 * beta), load(tally, 0), load(tally, 1)
    zero, one, free = fill(0.0), fill(1.0), fill(_LN2 if kind == FLIP else 0.0)
    for batch in range(len(lattice.batch_start) - 1):
        first, last = lattice.batch_start[batch], lattice.batch_start[batch + 1]
        _draw(kind, first, last, state, draws)
        for group in range(first, last):
            site, spin = item(lattice.site, group), load(spins, group)
            field, start = fill(item(couplings.bias, site)), item(couplings.start, site)
            for link in range(start, item(couplings.start, site + 1)):
                neighbours = load(spins, item(lattice.slot, (group, link - start)))
                field = minus_product(field, fill(item(couplings.strength, link)), neighbours)
            cost = times(spin, field)
            scaled = times(twice, cost)
            scaled = where_less(size(scaled), fill(FREE), free, scaled)
            taken = where_less(load(draws, group - first), scaled, zero, times(spin, spin))
            accepted = plus(accepted, taken)
            gained = plus_product(gained, taken, cost)
            store(spins, group, times(spin, minus_product(one, fill(2.0), taken)))
        _refresh_copies(first, last, lattice, spins)
    store(tally, 0, accepted)
    store(tally, 1, gained)


@borrowing
def flip_rounds(kinds, counts, n_round, beta, lattice, couplings, spins, state, work, tally):
    """Make rounds of moves.

    Parameters
    ----------
    kinds, counts : (n_move,) int64
        Kind of each move of a round, and its sweeps.
    n_round : int
    beta, lattice, couplings, spins, state : as of :func:`flip_sweep`
    work : (BLOCK + 2, LANES) float64
        Work space.
    tally : (n_move, 2) float64
        Accepted moves and energy gained are added.
    """
    draws, lanes = work[:BLOCK], work[BLOCK:]
    for _ in range(n_round):
        for move in range(len(kinds)):
            store(lanes, 0, fill(0.0))
            store(lanes, 1, fill(0.0))
            for _ in range(counts[move]):
                flip_sweep(kinds[move], beta, lattice, couplings, spins, state, draws, lanes)
            for lane in range(LANES):
                tally[move, 0] += lanes[0, lane]
                tally[move, 1] += 2.0 * lanes[1, lane]


@inlined
def wants_flip(kind, scaled, state):
    """Return whether to flip a spin whose flip costs β ΔE = ``scaled``."""
    if kind == BATH:
        return next_uniform(state) * (1.0 + np.exp(scaled)) < 1.0
    scaled = _LN2 if abs(scaled) < FREE else scaled
    return scaled <= 0.0 or scaled <= next_exponential(state)


@borrowing
def plain_flip_rounds(kinds, counts, n_round, beta, lattice, couplings, spins, state, work, tally):
    """Make rounds of moves: as :func:`flip_rounds`, on spins (n_spin,) and a plain lattice."""
    for turn in range(n_round * len(kinds)):
        move = turn % len(kinds)
        for _ in range(counts[move]):
            for i in lattice.order:
                site = lattice.site[i]
                field, start = couplings.bias[site], couplings.start[site]
                for link in range(start, couplings.start[site + 1]):
                    field -= couplings.strength[link] * spins[lattice.near[i, link - start]]
                cost = 2.0 * spins[i] * field
                if wants_flip(kinds[move], beta * cost, state):
                    spins[i] = -spins[i]
                    tally[move, 0] += 1.0
                    tally[move, 1] += cost


@borrowing
def flip_correlations(lattice, start, keep, spins, out):
    """Write Σ σ_i σ_j of each link that is kept, (n_link,), over lanes; ``spins`` as of :func:`flip_sweep`."""
    for group in range(len(lattice.site)):
        site, spin = lattice.site[group], load(spins, group)
        for link in range(start[site], start[site + 1]):
            if keep[link]:
                far = load(spins, lattice.slot[group, link - start[site]])
                store(out, link, plus_product(load(out, link), spin, far))


@borrowing
def plain_flip_correlations(lattice, start, keep, spins, out):
    """Add Σ σ_i σ_j of each link that is kept to ``out`` (n_link, LANES), whose first column takes it."""
    for i in lattice.order:
        site = lattice.site[i]
        for link in range(start[site], start[site + 1]):
            if keep[link]:
                out[link, 0] += spins[i] * spins[lattice.near[i, link - start[site]]]
