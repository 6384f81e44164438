"""Integer supercells: every cell once, wrapped exactly."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spinscape.errors import ConfigError, ShapeError
from spinscape.lattice.supercell import supercell

matrices = st.lists(st.integers(-4, 4), min_size=9, max_size=9).map(lambda x: np.array(x).reshape(3, 3))
cells = st.lists(st.integers(-50, 50), min_size=3, max_size=3)


@given(matrices)
def test_a_supercell_holds_as_many_cells_as_its_determinant(matrix):
    volume = abs(round(float(np.linalg.det(matrix))))
    assume(volume > 0)
    cell = supercell(matrix, n_site=2)
    assert cell.n_cell == volume and cell.n_spin == 2 * volume
    assert np.array_equal(cell.cell_index(cell.cells), np.arange(volume))


@given(matrices, cells, cells)
def test_cells_are_one_if_a_vector_of_the_supercell_connects_them(matrix, cell, other):
    assume(abs(np.linalg.det(matrix)) > 0.5)
    block = supercell(matrix, n_site=1)
    assert block.cell_index(cell) == block.cell_index(np.array(cell) + np.array([2, -1, 3]) @ matrix)
    difference = np.linalg.solve(matrix.T.astype(float), np.array(cell) - np.array(other))
    same = np.allclose(difference, np.round(difference), atol=1e-6)
    assert (block.cell_index(cell) == block.cell_index(other)) == same


def test_three_numbers_are_a_diagonal_matrix():
    block = supercell((2, 3, 4), n_site=5)
    assert block.shape == (2, 3, 4)
    assert block.cells[:5].tolist() == [[0, 0, 0], [0, 0, 1], [0, 0, 2], [0, 0, 3], [0, 1, 0]]
    assert block.site_index(3, [1, 2, 3]) == 5 * (12 + 8 + 3) + 3
    assert block.site_index(3, [-1, -1, -1]) == block.site_index(3, [1, 2, 3])


def test_bonds_wrap_around():
    first, second = supercell((3, 1, 1), n_site=1).bond_ends([0], [0], [[1, 0, 0]])
    assert first.tolist() == [[0, 1, 2]] and second.tolist() == [[1, 2, 0]]
    first, second = supercell((2, 2, 1), n_site=2).bond_ends([0, 1], [1, 1], [[0, -1, 0], [1, 1, 5]])
    assert first.tolist() == [[0, 2, 4, 6], [1, 3, 5, 7]]
    assert second.tolist() == [[3, 1, 7, 5], [7, 5, 3, 1]]


def test_each_copy_of_a_bond_is_there_once():
    block = supercell([[1, 1, 0], [1, -1, 0], [0, 0, 1]], n_site=1)
    first, second = block.bond_ends([0, 0], [0, 0], [[1, 0, 0], [0, 1, 0]])
    # The Néel cell: every nearest neighbour is on the other sublattice.
    assert np.all(first != second)
    assert np.bincount(np.concatenate([first, second]).ravel()).tolist() == [4, 4]


@pytest.mark.parametrize(
    "matrix", [(0, 1, 1), np.ones((3, 3)), (2.5, 1, 1), (np.nan, 1, 1), (1e5, 1e5, 1e5), (np.inf, 1, 1)]
)
def test_what_is_no_supercell_is_refused(matrix):
    with pytest.raises(ConfigError, match="not a supercell"):
        supercell(matrix, n_site=1)


def test_wrong_shapes_are_refused():
    with pytest.raises(ShapeError):
        supercell((2, 2), n_site=1)


def test_negative_vectors_are_fine():
    assert supercell((-2, 3, 1), n_site=1).n_cell == 6
    assert not supercell((2, 2, 2), n_site=1).matrix.flags.writeable
