"""Grids: exact lattices, keyed draws that more points do not change, maps, refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinscape.errors import ConfigError, ExpressionError
from spinscape.hamiltonian.grids import lattice_points, list_points, mapped_points, random_points, sobol_points

BOX = [(20.0, 75.0), (-30.0, 10.0)]
SIGMA = 4.5


def test_a_lattice_is_the_product_of_its_axes():
    points = lattice_points([np.linspace(0, 1, 3), [5.0], [1.0, 2.0]])
    assert points.shape == (6, 3)
    assert points.tolist() == [[a, 5.0, c] for a in (0.0, 0.5, 1.0) for c in (1.0, 2.0)]


def test_a_list_is_kept():
    assert list_points([[1.0, 2.0], [3.0, 4.0]]).tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize("draw", [random_points, sobol_points])
@given(n=st.integers(1, 40), more=st.integers(0, 40), seed=st.integers(0, 2**62))
@settings(max_examples=15)
def test_more_points_keep_the_first_ones_bit_for_bit(draw, n, more, seed):
    first = draw(BOX, n_point=n, seed=seed)
    assert first.shape == (n, 2)
    assert draw(BOX, n_point=n + more, seed=seed)[:n].tobytes() == first.tobytes()
    assert np.all((first >= [20.0, -30.0]) & (first <= [75.0, 10.0]))


def test_another_coupling_leaves_the_random_values_of_the_first_ones():
    both = random_points(BOX, n_point=9, seed=3)
    assert np.array_equal(random_points(BOX[:1], n_point=9, seed=3), both[:, :1])


@pytest.mark.parametrize("draw", [random_points, sobol_points])
def test_seeds_give_other_points_and_no_point_twice(draw):
    one, two = draw(BOX, n_point=64, seed=1), draw(BOX, n_point=64, seed=2)
    assert len(np.unique(np.concatenate([one, two]).round(9), axis=0)) == 128


def test_random_points_fill_the_box_evenly():
    n = 20_000
    unit = (random_points(BOX, n_point=n, seed=11) - [20.0, -30.0]) / [55.0, 40.0]
    error = SIGMA / np.sqrt(12 * n)
    assert np.all(np.abs(unit.mean(axis=0) - 0.5) < error)
    assert abs(np.mean((unit[:, 0] - 0.5) * (unit[:, 1] - 0.5))) < SIGMA / (12 * np.sqrt(n))
    counts = np.histogram(unit[:, 0], bins=10, range=(0, 1))[0]
    assert np.sum((counts - n / 10) ** 2) / (n / 10) < 33.7  # chi squared of 9 degrees, 1e-4


def test_sobol_points_are_a_net():
    unit = (sobol_points(BOX, n_point=64, seed=5) - [20.0, -30.0]) / [55.0, 40.0]
    # A (0, 6, 2)-net: each elementary interval of area 1/64 holds one point.
    for k in range(7):
        cells = np.floor(unit * [2**k, 2 ** (6 - k)]).astype(int)
        assert len(np.unique(cells, axis=0)) == 64


def test_maps_are_functions_of_their_coordinates():
    phi = np.linspace(0, 2 * np.pi, 5)
    points = mapped_points({"phi": phi, "r": [1.0, 2.0]}, ["r*cos(phi)", "r*sin(phi)", "3"])
    assert points.shape == (10, 3)
    assert np.hypot(points[:, 0], points[:, 1]) == pytest.approx(np.tile([1.0, 2.0], 5))
    assert points[:, 2].tolist() == [3.0] * 10
    assert points[2] == pytest.approx([0.0, 1.0, 3.0], abs=1e-12)


def test_a_constraint_is_a_map():
    points = mapped_points({"J": [1.0, 2.0]}, ["J", "2*J"])
    assert points.tolist() == [[1.0, 2.0], [2.0, 4.0]]


@pytest.mark.parametrize("box", [[(1.0, 1.0)], [(2.0, 1.0)], [(0.0, np.inf)], [(np.nan, 1.0)]])
@pytest.mark.parametrize("draw", [random_points, sobol_points])
def test_empty_boxes_are_refused(draw, box):
    with pytest.raises(ConfigError, match="lower and a higher bound"):
        draw(box, n_point=3, seed=1)


def test_grids_of_no_reasonable_size_are_refused():
    with pytest.raises(ConfigError, match="no reasonable size"):
        lattice_points([np.zeros(4000)] * 3)
    with pytest.raises(ConfigError, match="no reasonable size"):
        random_points(BOX, n_point=10**9, seed=1)
    with pytest.raises(ConfigError, match="no reasonable size"):
        random_points(BOX, n_point=0, seed=1)
    with pytest.raises(ConfigError, match="no reasonable size"):
        mapped_points({"x": np.zeros(4000), "y": np.zeros(4000)}, ["x"])
    with pytest.raises(ConfigError, match="one row of couplings"):
        list_points([])


def test_points_are_finite():
    with pytest.raises(ConfigError, match="not finite"):
        list_points([[1.0, np.nan]])
    with pytest.raises(ConfigError, match="not finite"):
        lattice_points([[np.inf]])
    with pytest.raises(ExpressionError, match="no finite value"):
        mapped_points({"x": [0.0, 1.0]}, ["1/x"])
