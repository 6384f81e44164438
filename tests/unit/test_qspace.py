"""Paths and energy axes."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinscape.errors import ConfigError, ShapeError
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.qspace import EnergyAxis, QPath, path_through

ROUNDING = 1e-9
RECIPROCAL = 2 * np.pi * np.linalg.inv(lattice_vectors(a=3.0, b=4.0, c=5.0, gamma=110.0)).T


def path(**changes):
    values = {"n_point": [3, 5], "reciprocal": RECIPROCAL, "name": "p", "labels": ["A", "B", "C"]}
    return path_through([[0, 0, 0], [0.5, 0, 0], [0.5, 0.5, 1]], **{**values, **changes})


def test_points_run_through_the_vertices_with_corners_twice():
    p = path()
    assert p.shape == (8,)
    assert p.points[[0, 2, 3, 7]].tolist() == [[0, 0, 0], [0.5, 0, 0], [0.5, 0, 0], [0.5, 0.5, 1]]
    assert p.segment.tolist() == [0, 0, 0, 1, 1, 1, 1, 1]
    assert p.ticks == ((0, "A"), (2, "B"), (7, "C"))


def test_distance_is_the_length_travelled_in_reciprocal_angstrom():
    p = path()
    steps = np.linalg.norm(np.diff(p.points @ RECIPROCAL, axis=0), axis=1)
    assert p.distance == pytest.approx(np.concatenate([[0], np.cumsum(steps)]), abs=ROUNDING)
    assert p.distance[2] == p.distance[3]


def test_a_shift_moves_points_and_leaves_distances():
    p, q = path(), path(shift=(-0.07, 0.03, 0.5))
    assert q.points - p.points == pytest.approx(np.broadcast_to([-0.07, 0.03, 0.5], (8, 3)), abs=ROUNDING)
    assert q.distance == pytest.approx(p.distance, abs=ROUNDING)


def test_a_path_comes_back_from_json_bit_for_bit():
    p = path(shift=(0.1, 0.2, 0.3))
    again = QPath.from_dict(json.loads(json.dumps(p.to_dict())))
    assert (again.name, again.ticks) == (p.name, p.ticks)
    for name in ("points", "segment", "distance"):
        assert getattr(again, name).tobytes() == getattr(p, name).tobytes()


@pytest.mark.parametrize("n_point", [[3], [3, 1], [3, 4, 5]])
def test_every_segment_needs_its_number_of_points(n_point):
    with pytest.raises(ConfigError, match="number of points") as caught:
        path(n_point=n_point)
    assert caught.value.where == "paths.p.points"


def test_a_path_of_other_shapes_is_refused():
    with pytest.raises(ShapeError):
        QPath("p", np.zeros((4, 2)), np.zeros(4), np.zeros(4))
    with pytest.raises(ShapeError, match="distance"):
        QPath("p", np.zeros((4, 3)), np.zeros(4), np.zeros(3))
    with pytest.raises(ConfigError):
        path_through([[0, 0, 0]], n_point=[], reciprocal=RECIPROCAL)


@given(
    first=st.floats(-50, 50),
    step=st.floats(0.01, 10),
    n=st.integers(1, 300),
)
def test_edges_lie_half_a_step_around_the_centres(first, step, n):
    axis = EnergyAxis.from_range(first=first, last=first + n * step, step=step)
    assert len(axis.centres) == n + 1 and len(axis.edges) == n + 2
    assert axis.step == pytest.approx(step, rel=1e-6)
    assert 0.5 * (axis.edges[1:] + axis.edges[:-1]) == pytest.approx(axis.centres, abs=1e-6)
    assert np.all(np.diff(axis.edges) > 0)


def test_an_axis_comes_back_from_json_bit_for_bit():
    axis = EnergyAxis.from_range(first=0.1, last=20.1, step=0.1)
    again = EnergyAxis.from_dict(json.loads(json.dumps(axis.to_dict())))
    assert again.centres.tobytes() == axis.centres.tobytes()


@pytest.mark.parametrize("centres", [[1.0], [1.0, 1.0], [2.0, 1.0], [0.0, 1.0, 2.5], [0.0, np.nan, 2.0], []])
def test_an_axis_must_rise_in_equal_steps(centres):
    with pytest.raises(ConfigError, match="equal steps"):
        EnergyAxis(np.array(centres))


@pytest.mark.parametrize("values", [(0, 10, 3), (0, 10, 0), (0, 10, -1), (10, 0, 1), (0, 0, 1)])
def test_first_last_and_step_must_fit(values):
    first, last, step = values
    with pytest.raises(ConfigError, match="do not fit"):
        EnergyAxis.from_range(first=first, last=last, step=step)


def test_an_axis_that_would_fill_the_memory_is_refused():
    with pytest.raises(ConfigError, match="no reasonable length"):
        EnergyAxis.from_range(first=0.0, last=200.0, step=1e-10)
