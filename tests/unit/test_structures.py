"""Kinds of structure: to plain data and back, and spirals laid out in a magnetic cell."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinscape.errors import ConfigError
from spinscape.hamiltonian.model import MagneticStructure
from spinscape.hamiltonian.spiral import SpiralStructure
from spinscape.hamiltonian.structures import GroundStateSearch, structure_from_dict, structure_from_spiral

SPIRAL = SpiralStructure([1 / 3, 0.5, 0.0], [0, 0, 1], [[1, 0, 0], [0, 1, 1]])
KINDS = [
    SPIRAL,
    MagneticStructure(np.diag([2, 1, 1]), [0, 0], [[0, 0, 0], [1, 0, 0]], [[0, 0, 1], [0, 0, -1]]),
    GroundStateSearch(max_cell=3, n_start=8),
    GroundStateSearch([[1, 1, 0], [1, -1, 0], [0, 0, 1]]),
]


@pytest.mark.parametrize("structure", KINDS)
def test_every_kind_survives_json(structure):
    again = structure_from_dict(json.loads(json.dumps(structure.to_dict())))
    assert type(again) is type(structure)
    for name, value in vars(structure).items():
        assert np.all(getattr(again, name) == value) or np.allclose(getattr(again, name), value, rtol=1e-15), name


@given(st.integers(1, 5), st.integers(-3, 3), st.integers(0, 2), st.floats(-1, 1))
def test_a_spiral_turns_from_cell_to_cell(n, m, axis, tilt):
    """Each spin of the cell is the first one turned by 2π k·R about the axis (scipy's rotations)."""
    from scipy.spatial.transform import Rotation

    k, about = np.array([m / n, 0.5, 0.0]), np.eye(3)[axis]
    start = np.roll(np.eye(3), 1, axis=0)[axis] + tilt * about
    spiral = SpiralStructure(k, about, start[None])
    found = structure_from_spiral(spiral, [[n, 0, 0], [0, 2, 0], [0, 0, 1]])
    assert found.n_sublattice == 2 * n
    for cell, direction in zip(found.cell, found.direction, strict=True):
        turned = Rotation.from_rotvec(2 * np.pi * (cell @ k) * about).apply(spiral.direction[0].copy())
        np.testing.assert_allclose(direction, turned, atol=1e-12)


def test_skewed_cells_hold_every_site_of_every_cell_once():
    cell = np.array([[3, 0, 0], [1, 2, 0], [0, 0, 1]])
    spiral = SpiralStructure([1 / 3, 1 / 3, 0], [0, 0, 1], [[1, 0, 0], [0, 1, 0]])
    found = structure_from_spiral(spiral, cell)
    assert found.n_sublattice == 12
    inverse = np.linalg.inv(cell)
    places = {(int(s), *np.round((c @ inverse) % 1.0, 6) % 1.0) for s, c in zip(found.site, found.cell, strict=True)}
    assert len(places) == 12


def test_a_wave_vector_that_does_not_fit_its_cell_is_refused():
    with pytest.raises(ConfigError, match="does not fit its magnetic cell") as caught:
        structure_from_spiral(SPIRAL, [[2, 0, 0], [0, 2, 0], [0, 0, 1]])
    assert caught.value.where == "structure.k" and "0.666667 turns" in caught.value.got
    with pytest.raises(ConfigError, match="does not fit"):
        structure_from_spiral(SpiralStructure([0.333, 0, 0], [0, 0, 1], [[1, 0, 0]]), [[3, 0, 0], [0, 1, 0], [0, 0, 1]])


@pytest.mark.parametrize("cells", [{}, {"max_cell": 2, "magnetic_cell": np.eye(3, dtype=int).tolist()}])
def test_a_search_has_one_way_to_choose_cells(cells):
    with pytest.raises(ConfigError, match="magnetic_cell and max_cell"):
        GroundStateSearch(**cells)


def test_a_search_in_a_cell_without_volume_is_refused():
    with pytest.raises(ConfigError, match="not a supercell"):
        GroundStateSearch([[1, 1, 0], [1, 1, 0], [0, 0, 1]])
