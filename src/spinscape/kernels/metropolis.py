"""Metropolis moves of vector spins, LANES at once: arrays in, arrays out.

Fields, proposals and random numbers are made for a batch of groups that do not meet; what is left is a choice for each.
"""

from .jit import borrowing, inlined
from .lane_field import curvature_change, local_fields, put, refresh_copies
from .random_numbers import circle, exp_minus, sphere
from .simd import divided, fill, load, plus_product, store, times
from .simd_math import (
    item,
    larger,
    load_words,
    minus,
    one_to_two,
    plus,
    root,
    store_words,
    where_less,
    word_sum,
    words_after,
)

UNIFORM, SMALL_STEP, REFLECTION, HEAT_BATH, OVER_RELAXATION = range(5)
TINY = 1e-200
BELOW_ONE = 1.0 - 2.0**-53
"""Taken off numbers in [1, 2), so that they are in the middles of their steps: a probability of 1e-20 is none."""


@borrowing
def draw_directions(first, last, lattice, couplings, state, draws):
    """Draw directions (sphere, or circle of the plane) into draws[:, :3], and numbers in (0, 1) into draws[:, 3]."""
    s, t = load_words(state, 0), load_words(state, 1)
    for group in range(first, last):
        at, site = group - first, item(lattice.site, group)
        word = word_sum(s, t)
        s, t = words_after(s, t)
        store(draws, (at, 3), minus(one_to_two(word), fill(BELOW_ONE)))
        word = word_sum(s, t)
        s, t = words_after(s, t)
        if item(couplings.planar, site):
            x, y = circle(word)
            for k in range(3):
                a, b = fill(item(couplings.frame, (site, 0, k))), fill(item(couplings.frame, (site, 1, k)))
                store(draws, (at, k), plus_product(times(a, x), b, y))
        else:
            x, y, z = sphere(word)
            store(draws, (at, 0), x)
            store(draws, (at, 1), y)
            store(draws, (at, 2), z)
    store_words(state, 0, s)
    store_words(state, 1, t)


@borrowing
def draw_numbers(first, last, state, draws):
    """Draw numbers in (0, 1) into draws[:, 3]."""
    s, t = load_words(state, 0), load_words(state, 1)
    for at in range(last - first):
        word = word_sum(s, t)
        s, t = words_after(s, t)
        store(draws, (at, 3), minus(one_to_two(word), fill(BELOW_ONE)))
    store_words(state, 0, s)
    store_words(state, 1, t)


@inlined
def accepted_of(beta, change, number, length):
    """Return one where a move is accepted that changes the energy, and zero elsewhere; nothing where there is no spin.

    The number u is in (0, 1): u < exp(−β ΔE) has the probability min(1, exp(−β ΔE)).
    """
    zero, one = fill(0.0), fill(1.0)
    taken = where_less(number, exp_minus(times(beta, change)), one, zero)
    return where_less(zero, length, taken, zero)


@inlined
def _proposal(kind, width, length, draws, at, x, y, z):
    """Return the proposed spins of a group whose spins are (x, y, z)."""
    if kind == REFLECTION:
        zero = fill(0.0)
        return minus(zero, x), minus(zero, y), minus(zero, z)
    a, b, c = load(draws, (at, 0)), load(draws, (at, 1)), load(draws, (at, 2))
    if kind == SMALL_STEP:
        reach = times(fill(width), length)
        a, b, c = plus_product(x, reach, a), plus_product(y, reach, b), plus_product(z, reach, c)
        square = plus_product(plus_product(times(a, a), b, b), c, c)
        length = divided(length, root(larger(square, fill(TINY))))
    return times(length, a), times(length, b), times(length, c)


@borrowing
def metropolis_sweep(kind, width, beta, lattice, couplings, spins, state, draws, fields, tally):
    """Try to move every spin once.

    Parameters
    ----------
    kind : int
        UNIFORM, SMALL_STEP or REFLECTION.
    width : float
        Of small steps: length of the random vector added before the spin gets its length back, in units of it.
    beta : float
    lattice : LaneLattice
    couplings : Couplings
    spins : (n_row, 3, LANES) float64
    state : (2, N_STREAM) uint64
    draws, fields : (BLOCK, 4, LANES) and (BLOCK, 3, LANES) float64
        Work space.
    tally : (2, LANES) float64
        Accepted moves and energy gained are added.
    """
    inverse, accepted, gained = fill(beta), load(tally, 0), load(tally, 1)
    zero = fill(0.0)
    for batch in range(len(lattice.batch_start) - 1):
        first, last = lattice.batch_start[batch], lattice.batch_start[batch + 1]
        local_fields(first, last, lattice, couplings, spins, fields)
        if kind == REFLECTION:
            draw_numbers(first, last, state, draws)
        else:
            draw_directions(first, last, lattice, couplings, state, draws)
        for group in range(first, last):
            at, length = group - first, load(lattice.length, group)
            x, y, z = load(spins, (group, 0)), load(spins, (group, 1)), load(spins, (group, 2))
            u, v, w = _proposal(kind, width, length, draws, at, x, y, z)
            a, b, c = load(fields, (at, 0)), load(fields, (at, 1)), load(fields, (at, 2))
            change = times(minus(x, u), a)
            change = plus_product(plus_product(change, minus(y, v), b), minus(z, w), c)
            if item(couplings.curved, item(lattice.site, group)):
                change = plus(change, curvature_change(group, lattice, couplings, spins, u, v, w))
            taken = accepted_of(inverse, change, load(draws, (at, 3)), length)
            accepted, gained = plus(accepted, taken), plus_product(gained, taken, change)
            x, y = where_less(zero, taken, u, x), where_less(zero, taken, v, y)
            put(group, spins, x, y, where_less(zero, taken, w, z))
        refresh_copies(first, last, lattice, spins)
    store(tally, 0, accepted)
    store(tally, 1, gained)
