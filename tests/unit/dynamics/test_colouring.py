"""Colours of graphs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinscape.kernels.colouring import MAX_COLOUR, colour_graph


def table(n, pairs):
    """Return neighbours of each vertex, padded with −1."""
    lists = [sorted({b for a, b in pairs if a == k} | {a for a, b in pairs if b == k}) for k in range(n)]
    width = max(1, *map(len, lists))
    return np.array([row + [-1] * (width - len(row)) for row in lists], dtype=np.int64)


def colours(n, pairs):
    out = np.empty(n, dtype=np.int64)
    return out, colour_graph(table(n, pairs), out)


@pytest.mark.parametrize(
    ("n", "pairs", "expected"),
    [
        (4, [], 1),
        (6, [(k, (k + 1) % 6) for k in range(6)], 2),
        (7, [(k, (k + 1) % 7) for k in range(7)], 3),
        (5, [(a, b) for a in range(5) for b in range(a)], 5),
        (12, [(a, b) for a in range(6) for b in range(6, 12)], 2),
    ],
    ids=["nothing", "even ring", "odd ring", "complete", "bipartite"],
)
def test_known_graphs_have_their_number_of_colours(n, pairs, expected):
    assert colours(n, pairs)[1] == expected


@given(data=st.data(), n=st.integers(2, 25))
@settings(max_examples=50, deadline=None)
def test_no_two_neighbours_are_alike(data, n):
    pairs = data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=60))
    pairs = [(a, b) for a, b in pairs if a != b]
    found, n_colour = colours(n, pairs)
    degree = max(np.count_nonzero(row >= 0) for row in table(n, pairs))
    assert set(found) == set(range(n_colour))
    assert n_colour <= degree + 1
    assert all(found[a] != found[b] for a, b in pairs)


def test_a_vertex_that_meets_itself_has_no_colour():
    assert colours(3, [(0, 1), (2, 2)])[1] == 0


def test_too_many_colours_are_said():
    n = MAX_COLOUR + 2
    assert colours(n, [(a, b) for a in range(n) for b in range(a)])[1] == 0
