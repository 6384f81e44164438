"""Random numbers side by side against plain Python integers, and their moments."""

import numpy as np

from spinscape.kernels.ice_random import N_STREAM, draw, next_below, next_uniform, next_word, seed_streams

MASK32, MASK64 = 2**32 - 1, 2**64 - 1


def plain_sfc32(state):
    """Return the next word of one stream (a, b, c, counter), and advance it."""
    a, b, c, d = state
    t = (a + b + d) & MASK32
    rotated = (c << 21 | c >> 11) & MASK32
    state[:] = [b ^ b >> 9, (c + (c << 3)) & MASK32, (rotated + t) & MASK32, (d + 1) & MASK32]
    return t


def streams_of(seed):
    words, streams = np.array([seed], dtype=np.uint64), np.zeros(4 * N_STREAM, dtype=np.uint32)
    seed_streams(words, streams)
    return streams


def test_streams_follow_their_definition():
    streams = streams_of(5)
    plain = [[int(streams[k * N_STREAM + n]) for k in range(4)] for n in range(N_STREAM)]
    out = np.zeros(N_STREAM, dtype=np.int32)
    for _ in range(20):
        draw(streams, out)
        np.testing.assert_array_equal(out, [plain_sfc32(state) >> 1 for state in plain])


def test_the_plain_stream_is_splitmix64():
    words, x = np.array([42], dtype=np.uint64), 42
    for _ in range(5):
        x = (x + 0x9E3779B97F4A7C15) & MASK64
        z = x
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK64
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK64
        assert int(next_word(words)) == z ^ z >> 31


def test_moments_and_independence_of_the_streams():
    streams, n = streams_of(1), 4000
    found = np.zeros((n, N_STREAM), dtype=np.int32)
    for row in found:
        draw(streams, row)
    u = found / 2.0**31 - 0.5
    # Standard errors of mean and variance of 256,000 numbers, and of correlations of 4,000.
    assert abs(u.mean()) < 4 / np.sqrt(12 * u.size)
    assert abs(u.var() - 1 / 12) < 4 * np.sqrt(1 / 180 / u.size)
    correlation = np.corrcoef(u.T)[np.triu_indices(N_STREAM, 1)]
    assert np.abs(correlation).max() < 5 / np.sqrt(n)
    assert abs(np.mean(u[1:] * u[:-1]) * 12) < 4 / np.sqrt(u.size)


def test_single_numbers():
    words = np.array([3], dtype=np.uint64)
    u = np.array([next_uniform(words) for _ in range(20_000)])
    assert 0 < u.min() < u.max() < 1
    assert abs(u.mean() - 0.5) < 4 / np.sqrt(12 * len(u))
    counts = np.bincount([next_below(words, 3) for _ in range(9000)], minlength=3)
    assert len(counts) == 3
    assert np.abs(counts - 3000).max() < 4 * np.sqrt(2000)


def test_seeds_differ():
    a, b = streams_of(1), streams_of(2)
    assert not np.any(a[: 3 * N_STREAM] == b[: 3 * N_STREAM])
