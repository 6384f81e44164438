"""Coordinates of grids: where points lie, what comes back, and couplings to the bit."""

import numpy as np
import pytest

from spinscape.errors import StoreError
from spinscape.stages.coordinates import grid_coordinates, grid_values

CIRCLE = {
    "grid": {
        "kind": "map",
        "axes": {"phi": {"first": 0.1, "last": 0.1 + 2 * np.pi * 23 / 24, "n": 24}},
        "unit": "2.0 meV",
        "couplings": {"J": "cos(phi)", "K": "sin(phi)"},
    },
    "parameter_names": ["J", "D", "K"],
    "couplings": {"J": None, "D": 0.5, "K": None},
}


def with_grid(grid, names=("J", "K")):
    return {**CIRCLE, "grid": grid, "couplings": {n: None if n in names else 0.5 for n in ("J", "D", "K")}}


def test_a_circle_comes_back():
    grid = grid_coordinates(CIRCLE)
    assert grid.names == ("phi",) and grid.mapped
    np.testing.assert_allclose(grid.period, 2 * np.pi, rtol=1e-14)
    np.testing.assert_allclose(grid.box[:, 0], [0.1, 0.1 + 2 * np.pi], rtol=1e-14)
    np.testing.assert_allclose(grid.step, 2 * np.pi / 24, rtol=1e-14)
    np.testing.assert_allclose(grid.theta([[np.pi / 3]]), [[1.0, 0.5, np.sqrt(3.0)]], rtol=1e-14)
    np.testing.assert_allclose(grid.wrapped([[0.05], [7.0]]), [[0.05 + 2 * np.pi], [7.0 - 2 * np.pi]], rtol=1e-14)


def test_half_a_circle_does_not_come_back_nor_does_an_axis_without_effect():
    half = {**CIRCLE["grid"], "axes": {"phi": {"first": 0.0, "last": 3.0, "n": 24}}}
    assert np.isinf(grid_coordinates(with_grid(half)).period).all()
    idle = {**CIRCLE["grid"], "axes": {**CIRCLE["grid"]["axes"], "idle": {"first": 0.0, "last": 1.0, "n": 3}}}
    period = grid_coordinates(with_grid(idle)).period
    np.testing.assert_allclose(period, [2 * np.pi, np.inf], rtol=1e-14)


@pytest.mark.parametrize(
    ("grid", "box", "step"),
    [
        ({"kind": "lattice", "axes": {n: {"first": "-1.0 meV", "last": "3.0 meV", "n": 5} for n in "JK"}}, (-1, 3), 1),
        ({"kind": "random", "n_point": 16, "box": dict.fromkeys("JK", ("-1.0 meV", "2.0 meV"))}, (-1, 2), 1),
        (
            {"kind": "list", "points": [{"J": "-1.0 meV", "K": "-1.0 meV"}, {"J": "2.0 meV", "K": "2.0 meV"}]},
            (-1, 2),
            None,
        ),
    ],
    ids=["lattice", "random", "list"],
)
def test_other_grids_have_their_free_couplings(grid, box, step):
    found = grid_coordinates(with_grid(grid))
    assert found.names == ("J", "K") and np.isinf(found.period).all() and found.free_columns == [0, 2]
    np.testing.assert_allclose(found.box, np.transpose([box, box]))
    np.testing.assert_allclose(found.step, np.nan if step is None else step)
    np.testing.assert_array_equal(found.theta([[0.25, -0.5]]), [[0.25, 0.5, -0.5]])
    np.testing.assert_array_equal(found.of_theta([[0.25, 0.5, -0.5]]), [[0.25, -0.5]])


def test_points_of_rounds_have_coordinates_too():
    grid = grid_coordinates(CIRCLE)
    values = np.array([[1.234], [5.678]])
    theta = grid.theta(values)
    on_grid = grid.theta(grid_values(CIRCLE))
    with pytest.raises(StoreError, match="no coordinate"):
        grid.of_theta(np.concatenate([on_grid[3:5], theta]))
    found = grid.of_theta(np.concatenate([on_grid[3:5], theta]), further=[(values, theta)])
    np.testing.assert_array_equal(found, np.concatenate([grid_values(CIRCLE)[3:5], values]))
