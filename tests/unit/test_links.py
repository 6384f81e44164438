"""Links against the plain table of bonds: energy and field of random models and spins."""

import numpy as np
import pytest

from spinscape.hamiltonian.biquadratic import BiquadraticTable
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.energy import coupling_energies, effective_field, energy
from spinscape.hamiltonian.links import link_table, links_at, neighbour_table
from spinscape.hamiltonian.model import BondTable, Model, OnsiteTable
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.supercell import supercell
from spinscape.lattice.symmetry import SiteSpec, crystal_from_sites

CONDITIONS = Conditions(2.0, (1.0, -3.0, 2.0))


def random_model(rng, *, form="renormalised"):
    crystal = crystal_from_sites(
        lattice_vectors(a=3.0, b=4.0, c=5.0, beta=80.0),
        [SiteSpec("A", "Ni2+", (0, 0, 0), 1.0), SiteSpec("B", "Mn2+", (0.4, 0.3, 0.6), 2.5)],
        find_symmetry=False,
    )
    n = 9
    bonds = BondTable(
        rng.integers(0, 2, n),
        np.ones(n),
        rng.integers(-1, 2, (n, 3)) + np.array([1, 0, 0]),
        rng.integers(0, 3, n),
        rng.normal(size=(n, 3, 3)),
    )
    onsite = OnsiteTable([0, 1, 1], [0, 1, 2], (lambda a: a + a.swapaxes(1, 2))(rng.normal(size=(3, 3, 3))))
    squares = BiquadraticTable([0, 1], [1, 1], [[0, 0, 0], [1, 0, 0]], [2, 0], [0.7, -0.4], form)
    return Model(crystal, ("J", "K", "L"), bonds, onsite, biquadratic=squares)


@pytest.fixture(params=[(3, 2, 2), [[2, 1, 0], [0, 2, 1], [0, 0, 3]]])
def case(request):
    rng = np.random.default_rng(3)
    model = random_model(rng)
    cell = supercell(request.param, n_site=2)
    spins = rng.normal(size=(cell.n_spin, 3))
    spins *= np.tile(model.crystal.spins, cell.n_cell)[:, None] / np.linalg.norm(spins, axis=1)[:, None]
    return model, cell, spins, rng.normal(size=3)


def energy_from_links(links, cell, spins):
    near = neighbour_table(cell, links.start, links.target, links.offset)
    square = neighbour_table(cell, links.square_start, links.square_target, links.square_offset)
    total = cell.n_cell * links.constant
    for i, spin in enumerate(spins):
        s = i % cell.n_site
        for at, link in enumerate(range(links.start[s], links.start[s + 1])):
            total += 0.5 * spin @ links.matrix[link] @ spins[near[i, at]]
        for at, row in enumerate(range(links.square_start[s], links.square_start[s + 1])):
            total += 0.5 * links.square_strength[row] * (spin @ links.square_turn[row] @ spins[square[i, at]]) ** 2
        total += spin @ links.onsite[s] @ spin - links.field[s] @ spin
    return total


def test_energy_of_links_is_that_of_the_bonds(case):
    model, cell, spins, theta = case
    expected = energy(model, spins, theta, cell=cell, conditions=CONDITIONS)
    assert energy_from_links(links_at(model, theta, CONDITIONS), cell, spins) == pytest.approx(expected, rel=1e-12)


def test_unit_strengths_give_each_coupling(case):
    model, cell, spins, _ = case
    table = link_table(model)
    parts = [energy_from_links(table.at(unit), cell, spins) for unit in np.eye(3)]
    np.testing.assert_allclose(parts, coupling_energies(model, spins, cell=cell), rtol=1e-12)


def test_field_of_links_without_squares(case):
    model, cell, spins, theta = case
    model = Model(model.crystal, model.parameter_names, model.bonds, model.onsite)
    links = links_at(model, theta, CONDITIONS)
    near = neighbour_table(cell, links.start, links.target, links.offset)
    for i in range(cell.n_spin):
        s = i % cell.n_site
        rows = range(links.start[s], links.start[s + 1])
        field = links.field[s] - 2.0 * links.onsite[s] @ spins[i]
        field -= sum(links.matrix[link] @ spins[near[i, at]] for at, link in enumerate(rows))
        expected = effective_field(model, spins, theta, cell=cell, conditions=CONDITIONS)[i]
        np.testing.assert_allclose(field, expected, atol=1e-12)


def test_links_of_one_pair_are_merged_and_both_ends_are_there():
    rng = np.random.default_rng(5)
    model = random_model(rng)
    table = link_table(model)
    rows = {
        (s, t, *o): k for k, (s, t, o) in enumerate(zip(table.source, table.target, table.offset.tolist(), strict=True))
    }
    assert len(rows) == len(table.target)
    for (s, t, *o), k in rows.items():
        back = rows[(t, s, *(-np.array(o)).tolist())]
        np.testing.assert_array_equal(table.unit[:, k], table.unit[:, back].swapaxes(1, 2))


def test_neighbours_are_padded():
    rng = np.random.default_rng(6)
    table = link_table(random_model(rng))
    cell = supercell((2, 2, 2), n_site=2)
    near = neighbour_table(cell, table.start, table.target, table.offset)
    count = np.diff(table.start)
    assert near.shape == (cell.n_spin, count.max())
    assert np.all((near >= 0).sum(axis=1) == np.tile(count, cell.n_cell))
