"""Colours of supercells."""

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.hamiltonian.links import links_at, neighbour_table
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.supercell import supercell
from spinscape.simulate.integrators_layout import colouring, row_layout

HEXAGONAL = lattice_vectors(a=3.0, b=3.0, c=12.0, gamma=120.0)


def colours_of(model, numbers):
    cell, links = supercell(numbers, n_site=model.crystal.n_site), links_at(model, [1.0] * model.n_parameter)
    neighbour = neighbour_table(cell, links.start, links.target, links.offset)
    return colouring(cell, links, neighbour), neighbour, cell, links


def triangular(models):
    return models.isotropic([(1, 0, 0), (0, 1, 0), (1, 1, 0)], vectors=HEXAGONAL)


@pytest.mark.parametrize(
    ("name", "numbers", "n_colour"),
    [
        ("cubic", (4, 6, 4), 2),
        ("cubic", (6, 3, 4), 3),
        ("cubic", (5, 5, 5), None),
        ("triangular", (6, 6, 1), 3),
        ("triangular", (4, 4, 1), 4),
        ("dimers", (1, 1, 5), 2),
        ("general", [[4, 1, 0], [0, 5, 0], [0, 1, 4]], None),
    ],
)
def test_neighbours_differ_and_colours_are_few(models, name, numbers, n_colour):
    model = triangular(models) if name == "triangular" else getattr(models, name)()
    found, neighbour, _, _ = colours_of(model, numbers)
    alike = found.colour[:, None] == found.colour[neighbour]
    assert not np.any(alike & (neighbour >= 0))
    assert set(found.colour) == set(range(found.n_colour))
    assert found.n_colour == n_colour if n_colour else found.n_colour <= 5
    order, start = found.chosen
    for c in range(found.n_colour):
        assert set(found.colour[order[start[c] : start[c + 1]]]) == {c}


def test_a_spin_that_meets_itself_has_no_colour(models):
    with pytest.raises(ConfigError, match="midpoint"):
        colours_of(models.cubic(), (1, 4, 4))


@pytest.mark.parametrize("numbers", [(4, 4, 10), (4, 12, 6), (18, 4, 4)], ids=str)
def test_links_of_rows_lead_to_the_neighbours(models, numbers):
    model = models.general(squares=False)
    found, neighbour, cell, links = colours_of(model, numbers)
    layout = row_layout(cell, links, found)
    assert cell.shape[layout.axis] == max(numbers)
    data = np.full(layout.size, -1.0)
    data[layout.place] = np.arange(cell.n_spin)
    blocks = data.reshape(-1, 3, layout.width)[:, 0]
    blocks[:, : layout.halo] = blocks[:, layout.n : layout.n + layout.halo]
    blocks[:, layout.n + layout.halo : layout.n + 2 * layout.halo] = blocks[:, layout.halo : 2 * layout.halo]
    row, k = layout.place // (3 * layout.width), layout.place % layout.width - layout.halo
    for column in range(layout.begin.shape[1]):
        there = data[layout.begin[row, column] + k]
        have = neighbour[:, column] >= 0
        assert np.array_equal(there[have], neighbour[have, column])
