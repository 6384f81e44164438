"""Single flips of Ising spins that all interact, with cached local fields.

    L_i = Σ_j J_ij σ_j − h_i,   ΔE of a flip = −2 σ_i L_i

Spins stand in blocks of 64. A sweep visits as many blocks as there are, drawn with replacement, and tries the spins of
a block in their order: every spin is tried once a sweep on average, at times that no two spins share for long (spins
tried in one fixed order may go round in a circle where all flips are accepted). Each try is accepted with probability
min(1, exp(−βΔE)), so that each keeps the Boltzmann distribution, and so does their sequence.

Two ways to the same end. ``crowded_sweeps``, where many flips are accepted: the flips of a block are put into the
fields of the others together. ``prescreened_sweeps``, where few are: the tries of a block are compared all at
once with a bound. For x = 2³¹u the bits of x as a float are at most 2²³(127 + log2 x) (Mitchell's logarithm), so
u < exp(−βΔE) implies bits < 2²³(158 − βΔE log2 e); the few below that are decided exactly.
"""

import math

import numpy as np

from .ice_random import N_STREAM, draw, next_below, next_uniform, next_word
from .jit import borrowing, inlined
from .long_range import add_rows, row_start, signed_sum
from .simd32 import (
    WIDE,
    and_ints,
    below,
    bits,
    fill_floats,
    fill_ints,
    larger,
    load_floats,
    load_ints,
    lowest_bit,
    plus_floats,
    smaller,
    store_ints,
    times_floats,
    to_floats,
    to_ints,
)

BLOCK = N_STREAM
_SCALE = 2.0**23
# Rounding of the bound in single precision is below 128, and of x to a float below 1.
_BOUND = 158.0 * _SCALE + 256.0
_HIGHEST = 2147483520.0
"""The largest float32 that is an int32."""
_ONE, _ALL = np.uint64(1), np.uint64(0xFFFFFFFFFFFFFFFF)
_RANGE = 2.0**31


@inlined
def accepts(raw, exponent, words):
    """Say whether a uniform number whose first 31 bits are ``raw`` is below exp(exponent), exactly."""
    if exponent >= 0.0:
        return True
    share = math.exp(exponent) * _RANGE
    whole = math.floor(share)
    return raw < whole or (raw == whole and next_uniform(words) < share - whole)


@borrowing
def shift_and_bound(table, site, sign, beta, spins, local, bound):
    """Add sign times a row to the local fields (nothing for 0), and write the bounds of all spins."""
    c, zero, top = fill_floats(_BOUND), fill_floats(0.0), fill_floats(_HIGHEST)
    k = fill_floats(2.0 * beta * _SCALE / math.log(2.0))
    mask, keep = fill_ints((sign - 1) // 2), fill_ints(0 if sign == 0 else -1)
    rows, tiles, _ = table
    cell, start = row_start(table, site)
    for t in range(tiles.shape[1]):
        j = t * WIDE
        field = signed_sum(load_ints(local, j), and_ints(load_ints(rows, start + tiles[cell, t]), keep), mask)
        store_ints(local, j, field)
        edge = plus_floats(c, times_floats(k, load_floats(spins, j)), to_floats(field))
        store_ints(bound, j, to_ints(smaller(larger(edge, zero), top)))


@borrowing
def _candidates(raw, bound, base):
    """Return a word whose bits are the spins of a block below their bounds."""
    word = np.uint64(0)
    for v in range(0, BLOCK, WIDE):
        found = below(bits(to_floats(load_ints(raw, v))), load_ints(bound, base + v))
        word |= found << np.uint64(v)
    return word


@borrowing
def prescreened_sweeps(table, alive, beta, n_visit, thin, spins, local, bound, raw, streams, words):
    """Visit blocks; return the number of flips.

    Parameters
    ----------
    table : tuple, as in ``kernels.long_range``
        Of couplings without those of a spin with itself.
    alive : (n / BLOCK,) uint64
        Bits of the spins that are there.
    beta : float
        1/(k_B T), for the unit of the table.
    n_visit : int
    thin : bool
        Try each spin of a visited block with probability 1/2: for few blocks, whose order would not be random enough.
    spins : (n,) float32
        σ.
    local : (n,) int32
        L.
    bound : (n,) int32
        Work space.
    raw : (BLOCK,) int32
        Work space.
    streams : (4 * N_STREAM,) uint32
    words : (1,) uint64
        States of the random numbers.
    """
    accepted = 0
    shift_and_bound(table, 0, 0, beta, spins, local, bound)
    for _ in range(n_visit):
        block = next_below(words, len(alive))
        base = block * BLOCK
        draw(streams, raw)
        word = _candidates(raw, bound, base)
        if word == 0:
            continue
        tried = alive[block] & (next_word(words) if thin else _ALL)
        word &= tried
        while word != 0:
            bit = lowest_bit(word)
            site = base + bit
            if accepts(raw[bit], 2.0 * beta * spins[site] * local[site], words):
                spins[site] = -spins[site]
                accepted += 1
                shift_and_bound(table, site, np.int64(spins[site]), beta, spins, local, bound)
                word = _candidates(raw, bound, base) & tried
            # Those after this one; two shifts, because a shift by 64 is none.
            word &= (_ALL << np.uint64(bit)) << _ONE
    return accepted


@borrowing
def crowded_sweeps(table, alive, beta, n_visit, thin, spins, local, raw, near, index, sign, streams, words):
    """Visit blocks where many flips are accepted; as :func:`prescreened_sweeps`, work space aside.

    Parameters
    ----------
    near : (BLOCK,) int32
        Work space: the local fields within the block.
    index, sign : (BLOCK,) int64
        Work space: flips, and the new spins.
    """
    rows, tiles, _ = table
    accepted = 0
    for _ in range(n_visit):
        block = next_below(words, len(alive))
        base = block * BLOCK
        draw(streams, raw)
        word = alive[block] & (next_word(words) if thin else _ALL)
        for v in range(0, BLOCK, WIDE):
            store_ints(near, v, load_ints(local, base + v))
        count = 0
        while word != 0:
            bit = lowest_bit(word)
            word &= word - _ONE
            site = base + bit
            if accepts(raw[bit], 2.0 * beta * spins[site] * near[bit], words):
                spins[site] = -spins[site]
                index[count], sign[count] = site, np.int64(spins[site])
                mask = fill_ints((sign[count] - 1) // 2)
                cell, start = row_start(table, site)
                for v in range(0, BLOCK, WIDE):
                    row = load_ints(rows, start + tiles[cell, (base + v) // WIDE])
                    store_ints(near, v, signed_sum(load_ints(near, v), row, mask))
                count += 1
        add_rows(table, index, sign, count, local)
        accepted += count
    return accepted
