"""Momentum axes: |Q| of a powder, lines of neighbours, and the way to plain data and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinscape.errors import ConfigError
from spinscape.lattice.momentum import momentum_from_dict, momentum_kind, momentum_to_dict, n_momentum, segments
from spinscape.lattice.powder_axis import PowderAxis
from spinscape.lattice.qspace import path_through
from spinscape.lattice.volumes import QGrid
from spinscape.plot import momentum as drawn

PATH = path_through([[0, 0, 0], [1, 0, 0], [1, 1, 0]], n_point=[4, 3], reciprocal=np.eye(3), labels="ABC")
SLICE = QGrid("s", [0, 0, 0.5], np.eye(3), ([0, 1, 2], [0, 1, 2, 3], [-0.1, 0.1]))
CUT = QGrid("c", [0, 0, 0], np.eye(3), ([-0.1, 0.1], [0, 1, 2, 4], [-0.1, 0.1]))
POWDER = PowderAxis("p", [0.1, 0.2, 0.4])


@pytest.mark.parametrize(
    ("axis", "kind", "lines"),
    [
        (PATH, "path", [0, 0, 0, 0, 1, 1, 1]),
        (POWDER, "powder", [0, 0, 0]),
        (SLICE, "grid", [0, 0, 0, 1, 1, 1]),
        (CUT, "grid", [0, 0, 0]),
    ],
    ids=["path", "powder", "slice", "cut"],
)
def test_every_kind_has_rows_lines_a_picture_and_a_way_back(axis, kind, lines):
    assert momentum_kind(axis) == kind and n_momentum(axis) == len(lines)
    assert segments(axis).tolist() == lines
    back = momentum_from_dict(momentum_to_dict(axis))
    assert type(back) is type(axis) and back.to_dict() == axis.to_dict()
    edges = drawn.momentum_edges(axis)
    assert len(edges) == len(lines) + 1 and np.all(np.diff(edges) > 0)
    assert len(drawn.momentum_positions(axis)) == len(lines)
    assert len(drawn.cut_points(axis)) == 3


def test_what_stands_beside_the_axis():
    assert drawn.momentum_label(POWDER) == "|Q| (1/Å)" and drawn.momentum_ticks(POWDER) == ([], [])
    assert drawn.momentum_label(CUT) == "along (0 1 0) (r.l.u.)" and drawn.momentum_label(SLICE) == "bin of the grid"
    assert drawn.cut_points(POWDER)[1] == (1, "0.2 /Å")


@given(st.lists(st.floats(0.01, 5.0), min_size=2, max_size=20, unique=True).map(sorted))
def test_bins_of_a_powder_hold_their_centres_and_meet(centres):
    edges = PowderAxis("p", centres).edges
    assert edges[0] >= 0 and np.all(edges[:-1] <= centres) and np.all(centres <= edges[1:])


@pytest.mark.parametrize("centres", [[1.0], [1.0, 1.0], [2.0, 1.0], [-0.1, 1.0], [0.1, np.nan]])
def test_axes_that_are_none_are_refused(centres):
    with pytest.raises(ConfigError, match="must rise"):
        PowderAxis("p", centres)


def test_unknown_kinds_are_refused():
    with pytest.raises(ConfigError, match="path, powder, grid"):
        momentum_from_dict({"kind": "helix"})
    with pytest.raises(ConfigError, match="no momentum axis"):
        momentum_kind("powder")
