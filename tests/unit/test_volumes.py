"""Slices and volumes of reciprocal space."""

import json

import numpy as np
import pytest

from spinscape.errors import ConfigError, ShapeError
from spinscape.lattice.volumes import QGrid, edges_from_range

ROUNDING = 1e-12


def slice_hhl(**changes):
    values = {
        "name": "hhl",
        "origin": [0.0, 0.0, 0.5],
        "basis": [[1, 1, 0], [0, 0, 1], [1, -1, 0]],
        "edges": (edges_from_range(first=-1, last=1, n_bin=4), [0.0, 1.0, 3.0], [-0.1, 0.1]),
    }
    return QGrid(**{**values, **changes})


def test_a_slice_has_two_axes_and_integrates_the_third():
    grid = slice_hhl()
    assert grid.shape == (4, 2)
    assert grid.integrated == (False, False, True)
    assert grid.points.shape == (8, 3)
    assert [c.tolist() for c in grid.centres] == [[-0.75, -0.25, 0.25, 0.75], [0.5, 2.0], [0.0]]


def test_points_are_bin_centres_in_reciprocal_lattice_units():
    points = slice_hhl().points.reshape(4, 2, 3)
    assert points[0, 0] == pytest.approx([-0.75, -0.75, 1.0], abs=ROUNDING)
    assert points[3, 1] == pytest.approx([0.75, 0.75, 2.5], abs=ROUNDING)


def test_a_volume_has_three_axes():
    edges = tuple(edges_from_range(first=0, last=1, n_bin=n) for n in (2, 3, 4))
    grid = slice_hhl(edges=edges)
    assert grid.shape == (2, 3, 4)
    again = grid.points.reshape(2, 3, 4, 3)
    u, v, w = grid.centres
    assert again[1, 2, 3] == pytest.approx(
        grid.origin + u[1] * grid.basis[0] + v[2] * grid.basis[1] + w[3] * grid.basis[2], abs=ROUNDING
    )


def test_integration_points_sample_the_integrated_axis():
    grid = slice_hhl()
    inside = grid.integration_points(5)
    assert inside.shape == (8, 5, 3)
    assert inside.mean(axis=1) == pytest.approx(grid.points, abs=ROUNDING)
    along = (inside - grid.points[:, None]) @ np.array([0.5, -0.5, 0.0])
    assert along[0] == pytest.approx([-0.08, -0.04, 0.0, 0.04, 0.08], abs=ROUNDING)
    # The midpoint rule integrates a linear function exactly, and a quadratic one to second order.
    assert (along**2).mean(axis=1) == pytest.approx(np.full(8, 0.1**2 / 3 * (1 - 1 / 25)), abs=ROUNDING)
    assert np.array_equal(grid.integration_points(1)[:, 0], grid.points)


def test_a_grid_comes_back_from_json_bit_for_bit():
    grid = slice_hhl(edges=([0.1, 0.3], [1 / 3, 2 / 3, 0.9], [-0.1, 0.1]))
    again = QGrid.from_dict(json.loads(json.dumps(grid.to_dict())))
    assert again.name == grid.name
    assert again.points.tobytes() == grid.points.tobytes()
    assert [a.tobytes() for a in again.edges] == [a.tobytes() for a in grid.edges]


def test_arrays_are_read_only():
    grid = slice_hhl()
    assert not any(a.flags.writeable for a in (grid.origin, grid.basis, *grid.edges))


@pytest.mark.parametrize(
    "bad",
    [
        {"edges": ([0.0, 1.0], [1.0, 0.0], [0.0, 1.0])},
        {"edges": ([0.0, 1.0], [0.0, np.nan], [0.0, 1.0])},
        {"edges": ([0.0, 1.0], [0.0], [0.0, 1.0])},
        {"edges": ([0.0, 1.0], [0.0, 1.0])},
        {"basis": [[1, 1, 0], [2, 2, 0], [0, 0, 1]]},
        {"basis": np.full((3, 3), np.nan)},
        {"edges": tuple(np.arange(1000.0) for _ in range(3))},
    ],
)
def test_bins_that_are_none_are_refused(bad):
    with pytest.raises(ConfigError):
        slice_hhl(**bad)


def test_wrong_shapes_are_refused():
    with pytest.raises(ShapeError):
        slice_hhl(origin=[0.0, 0.0])
    with pytest.raises(ConfigError):
        edges_from_range(first=1, last=0, n_bin=3)
    with pytest.raises(ConfigError):
        edges_from_range(first=0, last=1, n_bin=0)
