"""Keyed randomness: the same key gives the same numbers, any other key gives independent ones."""

import hashlib
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinscape.rng import PURPOSE, digest_words, stream

SIGMA = 4.5
"""Standard errors that a mean of fixed streams may be off: never by chance in these few tests."""


def test_purposes_are_distinct_and_pinned():
    # Append only: these numbers are part of every stored result.
    assert len(set(PURPOSE.values())) == len(PURPOSE)
    assert (PURPOSE["start"], PURPOSE["grid"], PURPOSE["dataset"]) == (0, 4, 10)


def test_digest_words_are_sha256_of_tagged_parts():
    # The same bytes put together by hand: a change here changes the key of every stored point.
    number = b"()" + struct.pack("<d", 1.0)
    data = b"f" + len(number).to_bytes(8, "little") + number + b"s" + (1).to_bytes(8, "little") + b"a"
    assert digest_words(1.0, "a") == struct.unpack("<4I", hashlib.sha256(data).digest()[:16])


def test_a_stream_is_pinned():
    # Made by this code with numpy 2.4.6: a change here changes every grid.
    assert stream(1, "grid", 3.0).integers(1 << 32) == 1330358786


def test_a_key_gives_its_stream_again():
    a = stream(5, "grid", [1.0, 2.0], "x", replica=3).random(4)
    assert np.array_equal(a, stream(5, "grid", [1.0, 2.0], "x", replica=3).random(4))


@pytest.mark.parametrize(
    "other",
    [
        stream(6, "grid", 1.0, "x"),
        stream(5, "batch", 1.0, "x"),
        stream(5, "grid", 1.0000000000000002, "x"),
        stream(5, "grid", 1.0, "y"),
        stream(5, "grid", 1.0, "x", replica=1),
        stream(5, "grid", "x", 1.0),
        stream(5, "grid", [1.0], "x"),
    ],
)
def test_any_other_key_gives_another_stream(other):
    assert stream(5, "grid", 1.0, "x").random() != other.random()


def test_parts_do_not_run_into_each_other():
    assert digest_words("ab", "c") != digest_words("a", "bc")
    assert digest_words([1.0, 2.0], [3.0]) != digest_words([1.0], [2.0, 3.0])
    assert digest_words("1") != digest_words(1) != digest_words(1.0)
    assert digest_words(b"a") != digest_words("a")


def test_the_two_zeros_are_one_coupling():
    assert digest_words(0.0) == digest_words(-0.0)


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_equal_floats_have_equal_words_and_others_not(a, b):
    assert (digest_words(a) == digest_words(b)) == (a == b)


def test_words_do_not_depend_on_the_kind_of_container():
    theta = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert digest_words(theta[:, 0]) == digest_words([1.0, 3.0]) == digest_words(np.array([1.0, 3.0], dtype=">f8"))


def test_streams_of_neighbouring_keys_are_uncorrelated():
    n = 2000
    draws = np.array([stream(1, "split", k).standard_normal(2) for k in range(n)])
    assert abs(draws.mean()) < SIGMA / np.sqrt(2 * n)
    assert abs(np.mean(draws[1:, 0] * draws[:-1, 0])) < SIGMA / np.sqrt(n)
    assert abs(np.mean(draws[:, 0] * draws[:, 1])) < SIGMA / np.sqrt(n)
