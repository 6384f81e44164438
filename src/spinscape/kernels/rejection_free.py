"""Single flips without rejections (Bortz, Kalos and Lebowitz, J. Comput. Phys. 17, 10 (1975)).

Tries of spins drawn at random are accepted with w_i = min(1, exp(−βΔE_i)). How many tries pass until one is accepted
is geometric with p = Σ w_i/N, and the spin is i with probability w_i/Σw: both are drawn at once. A call stands for a
given number of tries, not of flips, so that a sample taken after it has the weight of its time; the wait that
reaches beyond the end is dropped, which a geometric distribution does not notice.
"""

import math

import numpy as np

from .ice_random import next_uniform
from .jit import borrowing, inlined
from .long_range import row_start, signed_sum
from .simd32 import (
    WIDE,
    add_floats,
    add_ints,
    and_ints,
    bits,
    fill_floats,
    fill_ints,
    from_bits,
    larger,
    left,
    load_floats,
    load_ints,
    plus_floats,
    smaller,
    store_floats,
    store_ints,
    times_floats,
    to_floats,
    to_ints,
)

N_LANE = 64
# Chebyshev interpolation of 2^x on [-1/2, 1/2]; its error is 2e-7.
_POLYNOMIAL = (1.00000007545, 0.693147188026, 0.240221074853, 0.0555035711422, 0.00967603191826, 0.00133908633635)


@inlined
def power_of_two(x):
    """Return 2^x of floats in [-126, 0], to 2e-7 of each."""
    # Cutting goes towards zero: the rest lies in [-1/2, 1/2].
    whole = to_ints(add_floats(x, fill_floats(-0.5)))
    rest = plus_floats(x, fill_floats(-1.0), to_floats(whole))
    y = fill_floats(_POLYNOMIAL[5])
    y = plus_floats(fill_floats(_POLYNOMIAL[4]), y, rest)
    y = plus_floats(fill_floats(_POLYNOMIAL[3]), y, rest)
    y = plus_floats(fill_floats(_POLYNOMIAL[2]), y, rest)
    y = plus_floats(fill_floats(_POLYNOMIAL[1]), y, rest)
    y = plus_floats(fill_floats(_POLYNOMIAL[0]), y, rest)
    # Into the exponent's place: y lies between 0.7 and 1.5.
    return from_bits(add_ints(bits(y), left(whole, 23)))


@borrowing
def shift_and_weigh(table, site, sign, beta, alive, spins, local, weight, lanes):
    """Add sign times a row to the local fields (nothing for 0); write w of all spins and their sums over every 64th."""
    zero, least = fill_floats(0.0), fill_floats(-126.0)
    mask, keep = fill_ints((sign - 1) // 2), fill_ints(0 if sign == 0 else -1)
    k = fill_floats(2.0 * beta / math.log(2.0))
    rows, tiles, _ = table
    cell, start = row_start(table, site)
    for first in range(0, N_LANE // WIDE):
        total = zero
        for t in range(first, tiles.shape[1], N_LANE // WIDE):
            j = t * WIDE
            field = signed_sum(load_ints(local, j), and_ints(load_ints(rows, start + tiles[cell, t]), keep), mask)
            store_ints(local, j, field)
            exponent = times_floats(times_floats(k, load_floats(spins, j)), to_floats(field))
            w = times_floats(power_of_two(larger(smaller(exponent, zero), least)), load_floats(alive, j))
            store_floats(weight, j, w)
            total = add_floats(total, w)
        store_floats(lanes, first * WIDE, total)


@borrowing
def _lane_sum(lanes):
    """Return the sum of the lanes."""
    a = b = c = d = 0.0
    for v in range(0, N_LANE, 4):
        a += lanes[v]
        b += lanes[v + 1]
        c += lanes[v + 2]
        d += lanes[v + 3]
    return (a + b) + (c + d)


@borrowing
def choose(weight, lanes, threshold):
    """Return the spin at which the sum of weights, by lanes, passes a threshold; the last with a weight at worst."""
    lane, last = -1, -1
    left_over = threshold
    for v in range(N_LANE):
        if lanes[v] > 0.0:
            lane = v
            if left_over < lanes[v]:
                break
            left_over -= lanes[v]
    for j in range(lane, len(weight), N_LANE):
        if weight[j] > 0.0:
            last = j
            if left_over < weight[j]:
                break
            left_over -= weight[j]
    return last


@borrowing
def rejection_free_tries(table, n_spin, beta, n_try, alive, spins, local, weight, lanes, words):
    """Make as many tries of single spins as asked for; return the number of flips.

    Parameters
    ----------
    table, beta, spins, local, words : as in ``ice_flips.prescreened_sweeps``
    n_spin : int
        Spins that are there.
    n_try : int
    alive : (n,) float32
        1 for the spins that are there, else 0.
    weight, lanes : (n,) and (N_LANE,) float32
        Work space.
    """
    accepted = 0
    left_over = np.float64(n_try)
    shift_and_weigh(table, 0, 0, beta, alive, spins, local, weight, lanes)
    while True:
        total = _lane_sum(lanes)
        share = min(total / n_spin, 1.0)
        if share <= 0.0:
            return accepted
        if share < 1.0:
            left_over -= math.floor(math.log(next_uniform(words)) / math.log1p(-share)) + 1.0
        else:
            left_over -= 1.0
        if left_over < 0.0:
            return accepted
        site = choose(weight, lanes, next_uniform(words) * total)
        spins[site] = -spins[site]
        accepted += 1
        shift_and_weigh(table, site, np.int64(spins[site]), beta, alive, spins, local, weight, lanes)
