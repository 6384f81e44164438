"""Random numbers for single-precision kernels: 64 streams side by side, and one plain stream.

The 64 are of SFC32 (Doty-Humphrey, PractRand 0.94): 96 bits of state and a counter each. The plain one is SplitMix64
(Steele, Lea and Flood, OOPSLA 2014).
"""

import numpy as np

from .jit import borrowing, compiled, inlined
from .simd32 import WIDE, add_ints, fill_ints, left, load_ints, or_ints, right, store_ints, xor_ints

N_STREAM = 64
"""Streams side by side: as many as there are bits in a word of candidates."""
_WARM_UP = 16
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31, _32, _11 = (np.uint64(n) for n in (30, 27, 31, 32, 11))


@inlined
def next_word(words):
    """Return 64 random bits; ``words`` (1,) uint64 is the state."""
    words[0] += _GOLDEN
    z = words[0]
    z = (z ^ (z >> _30)) * _FIRST
    z = (z ^ (z >> _27)) * _SECOND
    return z ^ (z >> _31)


@inlined
def next_uniform(words):
    """Return a random number in (0, 1) with 53 bits."""
    return (np.float64(next_word(words) >> _11) + 0.5) * 2.0**-53


@inlined
def next_below(words, n):
    """Return a random integer below n; the error of its even distribution is n/2³²."""
    return np.int64(((next_word(words) >> _32) * np.uint64(n)) >> _32)


@compiled
def seed_streams(words, streams):
    """Write the states of the 64 streams from a plain stream.

    Parameters
    ----------
    words : (1,) uint64
    streams : (4 * N_STREAM,) uint32
        a, b, c and the counter of each stream.
    """
    for n in range(4 * N_STREAM):
        streams[n] = np.uint32(next_word(words) >> _32)
    out = np.empty(N_STREAM, dtype=np.int32)
    for _ in range(_WARM_UP):
        draw(streams, out)


@borrowing
def draw(streams, out):
    """Write 31 random bits of each stream to ``out``, (N_STREAM,) int32."""
    one = fill_ints(1)
    for v in range(0, N_STREAM, WIDE):
        a, b = load_ints(streams, v), load_ints(streams, N_STREAM + v)
        c, d = load_ints(streams, 2 * N_STREAM + v), load_ints(streams, 3 * N_STREAM + v)
        t = add_ints(add_ints(a, b), d)
        store_ints(streams, v, xor_ints(b, right(b, 9)))
        store_ints(streams, N_STREAM + v, add_ints(c, left(c, 3)))
        store_ints(streams, 2 * N_STREAM + v, add_ints(or_ints(left(c, 21), right(c, 11)), t))
        store_ints(streams, 3 * N_STREAM + v, add_ints(d, one))
        store_ints(out, v, right(t, 1))
