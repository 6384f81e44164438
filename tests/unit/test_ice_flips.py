"""Sweeps of Ising spins with cached fields: the fast ways make the very flips of a plain loop with the same numbers."""

import math

import numpy as np
import pytest

from spinscape.kernels.ice_flips import (
    BLOCK,
    accepts,
    crowded_sweeps,
    prescreened_sweeps,
    shift_and_bound,
)
from spinscape.kernels.ice_random import N_STREAM, draw, next_below, next_word, seed_streams

WIDE = 16
N = 192


class Glass:
    """Random couplings of N spins as one dense table, with three places that hold no spin."""

    def __init__(self, seed=0, size=1000):
        rng = np.random.default_rng(seed)
        upper = np.triu(rng.integers(-size, size, (N, N)), 1)
        self.matrix = upper + upper.T
        self.spins = rng.choice([-1, 1], N).astype(np.float32)
        self.spins[[5, 70, 191]] = 0
        gone = self.spins == 0
        self.matrix[gone], self.matrix[:, gone] = 0, 0
        tiles = np.arange(0, N, WIDE, dtype=np.int32)[None]
        self.table = ((2 * self.matrix).astype(np.int32).ravel(), tiles, N)
        self.field = rng.integers(-size, size, N)
        self.local = (self.matrix @ self.spins - self.field).astype(np.int32)
        bits = 1 << np.arange(BLOCK, dtype=np.uint64)
        self.alive = np.where(gone.reshape(-1, BLOCK), 0, bits).sum(axis=1).astype(np.uint64)
        self.words, self.streams = np.array([seed + 9], np.uint64), np.zeros(4 * N_STREAM, np.uint32)
        seed_streams(self.words, self.streams)
        self.raw = np.zeros(BLOCK, dtype=np.int32)


def plain_sweeps(glass, beta, n_visit, thin):
    """Return the number of flips of the same tries with the same random numbers, spin by spin."""
    accepted = 0
    for _ in range(n_visit):
        block = next_below(glass.words, N // BLOCK)
        draw(glass.streams, glass.raw)
        # Random numbers are drawn for thinning only where something may be accepted; see the kernel.
        tried = int(glass.alive[block]) & (int(next_word(glass.words)) if thin else 2**BLOCK - 1)
        for bit in range(BLOCK):
            i = block * BLOCK + bit
            field = glass.matrix[i] @ glass.spins - glass.field[i]
            if tried >> bit & 1 and accepts(glass.raw[bit], 2 * beta * glass.spins[i] * field, glass.words):
                glass.spins[i] *= -1
                accepted += 1
    return accepted


def crowded(glass, beta, n_visit, thin):
    work = (np.zeros(BLOCK, np.int32), np.zeros(BLOCK, np.int64), np.zeros(BLOCK, np.int64))
    state = (glass.streams, glass.words)
    return crowded_sweeps(
        glass.table, glass.alive, beta, n_visit, thin, glass.spins, glass.local, glass.raw, *work, *state
    )


def prescreened(glass, beta, n_visit, thin):
    state = (np.zeros(N, np.int32), glass.raw, glass.streams, glass.words)
    return prescreened_sweeps(glass.table, glass.alive, beta, n_visit, thin, glass.spins, glass.local, *state)


@pytest.mark.parametrize(("sweeps", "thin"), [(crowded, False), (crowded, True), (prescreened, False)])
@pytest.mark.parametrize("beta", [0.0, 3e-5, 3e-4, 2e-3])
def test_fast_ways_make_the_flips_of_the_plain_loop(sweeps, thin, beta):
    fast, plain = Glass(), Glass()
    assert sweeps(fast, beta, 60, thin) == plain_sweeps(plain, beta, 60, thin) > 0
    np.testing.assert_array_equal(fast.spins, plain.spins)
    assert fast.words[0] == plain.words[0]
    # And the fields are those of the spins, to the last digit.
    np.testing.assert_array_equal(fast.local, fast.matrix @ fast.spins - fast.field)
    assert np.all(fast.spins[[5, 70, 191]] == 0)


def test_thinned_prescreening_keeps_fields_and_tries_half():
    fast = Glass(3)
    flips = prescreened(fast, 0.0, 300, True)
    # Everything is accepted that is tried: half of 63 spins on average in each visit.
    assert abs(flips - 150 * 63) < 4 * math.sqrt(300 * 63) / 2
    np.testing.assert_array_equal(fast.local, fast.matrix @ fast.spins - fast.field)


def test_bounds_let_every_acceptance_through_and_little_else():
    """For random 31-bit numbers just at the edge of acceptance, over the whole range of exponents."""
    rng = np.random.default_rng(4)
    exponent = np.concatenate([rng.uniform(-30, 3, N - 2), [-2000.0, 2000.0]])
    unit = 1e-5
    local = np.round(exponent / (2 * unit)).astype(np.int32)
    spins, bound = np.ones(N, dtype=np.float32), np.zeros(N, dtype=np.int32)
    table = (np.zeros(N * N, dtype=np.int32), np.arange(0, N, WIDE, dtype=np.int32)[None], N)
    shift_and_bound(table, 0, 0, unit, spins, local, bound)
    share = np.exp(np.minimum(2 * unit * local, 0.0)) * 2.0**31
    for factor, passes in ((0.999999, True), (1.08, False)):
        raw = np.floor(share * factor).astype(np.int64)
        inside = (raw < 2**31) & (raw > 1000)
        below = raw.astype(np.int32).astype(np.float32).view(np.int32) < bound
        assert np.all(below[inside] == passes)
    assert bound[-2] == 0
    assert bound[-1] > np.float32(2**31).view(np.int32)


def test_acceptance_is_exact_beyond_the_first_bits():
    words = np.array([1], dtype=np.uint64)
    assert accepts(2**31 - 1, 0.0, words)
    assert not accepts(2**31 - 1, -1e-6, words)
    # A probability of a tenth of the first number's step: only 0 may pass, and one time in ten.
    tiny = math.log(0.1 * 2.0**-31)
    passed = sum(accepts(0, tiny, words) for _ in range(5000))
    assert abs(passed - 500) < 4 * math.sqrt(450)
    assert not accepts(1, tiny, words)
