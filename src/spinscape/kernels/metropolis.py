"""Metropolis moves of vector spins, LANES at once: arrays in, arrays out.

Proposals and −ln u are drawn for a block of groups ahead; what is left for each group is its field and a choice.
A step is accepted where β ΔE ≤ −ln u, which has the probability min(1, exp(−β ΔE)), whatever ΔE is.
"""

from .jit import borrowing, inlined
from .lane_field import curvature_change, local_field, put
from .random_numbers import circle, minus_logarithm
from .simd import divided, fill, load, plus_product, store, times
from .simd_math import (
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
BLOCK = 32
"""Groups whose random numbers are drawn at a time: their buffer stays in the nearest cache."""
TINY = 1e-200


@borrowing
def draw_directions(first, last, lattice, couplings, state, draws):
    """Draw directions (sphere, or circle of the plane) into draws[:, :3], and −ln u into draws[:, 3]."""
    s, t = load_words(state, 0), load_words(state, 1)
    for group in range(first, last):
        at, site = group - first, lattice.site[group]
        word = word_sum(s, t)
        s, t = words_after(s, t)
        store(draws, (at, 3), minus_logarithm(word))
        word = word_sum(s, t)
        s, t = words_after(s, t)
        x, y = circle(word)
        if couplings.planar[site]:
            for k in range(3):
                a, b = fill(couplings.frame[site, 0, k]), fill(couplings.frame[site, 1, k])
                store(draws, (at, k), plus_product(times(a, x), b, y))
        else:
            word = word_sum(s, t)
            s, t = words_after(s, t)
            # One word in 2⁵² gives z = −1; none gives |z| > 1.
            z = plus_product(fill(-3.0), fill(2.0), one_to_two(word))
            across = root(times(minus(fill(1.0), z), plus(fill(1.0), z)))
            store(draws, (at, 0), times(across, x))
            store(draws, (at, 1), times(across, y))
            store(draws, (at, 2), z)
    store_words(state, 0, s)
    store_words(state, 1, t)


@borrowing
def draw_thresholds(first, last, state, draws):
    """Draw −ln u into draws[:, 3]."""
    s, t = load_words(state, 0), load_words(state, 1)
    for at in range(last - first):
        word = word_sum(s, t)
        s, t = words_after(s, t)
        store(draws, (at, 3), minus_logarithm(word))
    store_words(state, 0, s)
    store_words(state, 1, t)


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
def metropolis_sweep(kind, width, beta, lattice, couplings, spins, state, draws, tally):
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
    draws : (BLOCK + 1, 4, LANES) float64
        Work space.
    tally : (2, LANES) float64
        Accepted moves and energy gained are added.
    """
    inverse, accepted, gained = fill(beta), load(tally, 0), load(tally, 1)
    zero, one = fill(0.0), fill(1.0)
    for first in range(0, len(lattice.site), BLOCK):
        last = min(first + BLOCK, len(lattice.site))
        if kind == REFLECTION:
            draw_thresholds(first, last, state, draws)
        else:
            draw_directions(first, last, lattice, couplings, state, draws)
        for group in range(first, last):
            at, length = group - first, load(lattice.length, group)
            x, y, z = load(spins, (group, 0)), load(spins, (group, 1)), load(spins, (group, 2))
            u, v, w = _proposal(kind, width, length, draws, at, x, y, z)
            a, b, c = local_field(group, lattice, couplings, spins)
            change = times(minus(x, u), a)
            change = plus_product(plus_product(change, minus(y, v), b), minus(z, w), c)
            if couplings.curved[lattice.site[group]]:
                change = plus(change, curvature_change(group, lattice, couplings, spins, u, v, w))
            # Where there is no spin, nothing is ever accepted.
            threshold = where_less(zero, length, load(draws, (at, 3)), fill(-1.0))
            scaled = times(inverse, change)
            accepted = plus(accepted, where_less(threshold, scaled, zero, one))
            gained = plus(gained, where_less(threshold, scaled, zero, change))
            x, y, z = (
                where_less(threshold, scaled, x, u),
                where_less(threshold, scaled, y, v),
                where_less(threshold, scaled, z, w),
            )
            put(group, lattice, spins, x, y, z)
    store(tally, 0, accepted)
    store(tally, 1, gained)
