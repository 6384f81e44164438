"""Where spins stand in the arrays of the kernels, and that the table of couplings is that of all pairs."""

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.kernels.long_range import add_rows
from spinscape.lattice.supercell import supercell
from spinscape.simulate.places import places

WIDE, BLOCK = 16, 64
CELLS = [((4, 4, 4), 16), ((6, 4, 3), 1), ((2, 2, 2), 3), ((5, 1, 7), 2), ([[2, 1, 0], [0, 3, 1], [1, 0, 2]], 2)]


def symmetric_rows(cell, seed=0):
    """Return whole numbers for each site and spin that agree from either end, (n_site, n_spin)."""
    rows = np.random.default_rng(seed).integers(-1000, 1000, (cell.n_site, cell.n_cell, cell.n_site))
    back = rows[:, cell.cell_index(-cell.cells)].transpose(2, 1, 0)
    return (rows + back).reshape(cell.n_site, cell.n_spin)


def all_pairs(cell, rows):
    """Return the matrix of all pairs, (n_spin, n_spin), by translation."""
    out = np.empty((cell.n_spin, cell.n_spin), dtype=rows.dtype)
    site = np.tile(np.arange(cell.n_site), cell.n_cell)
    where = np.repeat(cell.cells, cell.n_site, axis=0)
    for i in range(cell.n_spin):
        out[i] = rows[site[i], cell.site_index(site, where - where[i])]
    return out


def table_of(cell, rows):
    """Return a table of the kernels that holds 2 J."""
    place = places(cell, wide=WIDE, block=BLOCK)
    out = np.zeros((place.width, len(place.tiles) * place.width), dtype=np.int32)
    out[: len(place.source), place.of_spin] = 2 * rows.ravel()[place.source]
    return place, (out.ravel(), place.tiles, place.width)


def coupling(table, i, j):
    rows, tiles, width = table
    return rows[i % width * (len(rows) // width) + tiles[i // width, j // WIDE] + j % WIDE]


@pytest.mark.parametrize(("matrix", "n_site"), CELLS)
def test_the_table_is_that_of_all_pairs(matrix, n_site):
    cell = supercell(matrix, n_site=n_site)
    rows = symmetric_rows(cell)
    place, table = table_of(cell, rows)
    expected = all_pairs(cell, rows)
    assert len(set(place.of_spin.tolist())) == cell.n_spin
    assert place.n_place % BLOCK == 0
    assert place.of_spin.max() < len(place.tiles) * place.width <= place.n_place
    some = np.random.default_rng(1).integers(0, cell.n_spin, (50, 2))
    at = place.of_spin
    assert [coupling(table, at[i], at[j]) for i, j in some] == [2 * expected[i, j] for i, j in some]

    sigma = np.random.default_rng(2).choice([-1, 0, 1], cell.n_spin)
    there, out = np.flatnonzero(sigma), np.zeros(place.n_place, dtype=np.int32)
    add_rows(table, at[there], sigma[there], len(there), out)
    np.testing.assert_array_equal(out[at], 2 * expected @ sigma)


def test_vectors_are_filled_where_cells_allow():
    # Sixteen sites are one vector; of four sites, four cells stand together; one cell alone fills a quarter.
    assert places(supercell((4, 4, 4), n_site=16), wide=WIDE, block=BLOCK).width == 16
    assert places(supercell((2, 4, 4), n_site=4), wide=WIDE, block=BLOCK).width == 16
    assert places(supercell((1, 1, 1), n_site=4), wide=WIDE, block=BLOCK).width == 16


def test_a_table_beyond_memory_is_refused():
    with pytest.raises(ConfigError, match="too large"):
        places(supercell([[20, 1, 0], [0, 20, 0], [0, 1, 40]], n_site=4), wide=WIDE, block=BLOCK)
