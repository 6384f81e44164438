"""Walks of loop moves: they close, keep the charge of every simplex, cost what couplings say, and leave no trace."""

import numpy as np
import pytest

from spinscape.kernels.ice_flips import accepts
from spinscape.kernels.loops import long_walk, loop_tries, short_walk, turn_all, turn_energy
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.simplices import simplices
from spinscape.lattice.supercell import supercell
from spinscape.lattice.symmetry import SiteSpec, crystal_from_space_group

CRYSTALS = {
    "pyrochlore": ("Fd-3m", (0.5, 0.5, 0.5), {"a": 10.0, "b": 10.0, "c": 10.0}, (2, 2, 2)),
    "kagome": ("P6/mmm", (0.5, 0.0, 0.0), {"a": 6.0, "b": 6.0, "c": 9.0, "gamma": 120.0}, (5, 6, 1)),
}


class Arrows:
    """Spins as arrows from one kind of simplices to the other, nearly all towards one side, and work space."""

    def __init__(self, name, seed=0, vacancies=()):
        group, position, cell, shape = CRYSTALS[name]
        crystal = crystal_from_space_group(lattice_vectors(**cell), group, [SiteSpec("A", "Ni2+", position, 1.0)])
        found, cells = simplices(crystal), supercell(shape, n_site=crystal.n_site)
        self.corner, of_spin = found.corners(cells), found.of_spins(cells)
        self.other = of_spin[self.corner].sum(axis=2) - np.arange(len(self.corner))[:, None]
        kind = np.tile(found.sign, cells.n_cell)[:, None]
        self.outward = np.tile(kind, self.corner.shape[1]).astype(np.float32)
        self.n = -(-cells.n_spin // 64) * 64
        rng = np.random.default_rng(seed)
        self.spins = np.zeros(self.n, dtype=np.float32)
        up = found.sign == 1
        way = (crystal.positions[found.site[up]] + found.cell[up] - found.centre[up][:, None]) @ crystal.vectors
        along = np.zeros(crystal.n_site)
        along[found.site[up]] = np.sign(way @ [0.1, 0.3, 1.0])
        self.spins[: cells.n_spin] = np.tile(along, cells.n_cell) * np.where(rng.random(cells.n_spin) < 0.1, -1, 1)
        self.spins[list(vacancies)] = 0
        upper = np.triu(rng.integers(-500, 500, (self.n, self.n)), 1)
        self.matrix = upper + upper.T
        self.table = (
            (2 * self.matrix).astype(np.int32).ravel(),
            np.arange(0, self.n, 16, dtype=np.int32)[None],
            self.n,
        )
        self.field = np.zeros(self.n)
        self.local = (self.matrix @ self.spins).astype(np.int32)
        self.words = np.array([seed + 5], dtype=np.uint64)
        n_simplex = len(self.corner)
        self.seen, self.turned = np.full(n_simplex, -1), np.zeros(self.n, dtype=np.uint8)
        self.path, self.long_path = np.full(2 * n_simplex, -1), np.zeros(8 * n_simplex, dtype=np.int64)
        self.sign = np.zeros(8 * n_simplex, dtype=np.int64)

    @property
    def graph(self):
        return self.corner, self.other, self.outward

    def charges(self, spins):
        return np.sum(self.outward * spins[self.corner], axis=1)

    def walk(self, kind):
        if kind == "short":
            begin, end = short_walk(*self.graph, self.spins, self.seen, self.path, self.words)
            return self.path[begin:end].copy()
        return self.long_path[: long_walk(*self.graph, self.spins, self.turned, self.long_path, self.words)].copy()

    def energy(self):
        return 0.5 * self.spins @ self.matrix @ self.spins


@pytest.mark.parametrize("kind", ["short", "long"])
@pytest.mark.parametrize("name", CRYSTALS)
def test_loops_keep_charges_and_leave_no_trace(name, kind):
    arrows = Arrows(name, vacancies=(3, 10))
    before, lengths = arrows.spins.copy(), []
    for _ in range(300):
        loop = arrows.walk(kind)
        np.testing.assert_array_equal(arrows.spins, before)
        turned = before.copy()
        turned[loop] *= -1
        np.testing.assert_array_equal(arrows.charges(turned), arrows.charges(before))
        assert len(set(loop.tolist())) == len(loop)
        assert np.all(before[loop] != 0)
        lengths.append(len(loop))
        before = turned
        arrows.spins[:] = turned
    assert np.all(arrows.seen == -1)
    assert not np.any(arrows.turned)
    # Neither all given up nor all alike.
    assert len(set(lengths)) > 5


@pytest.mark.parametrize("kind", ["short", "long"])
def test_energies_and_fields_of_turned_loops(kind):
    arrows, done = Arrows("pyrochlore", 1), 0
    while done < 20:
        loop = arrows.walk(kind)
        if len(loop) == 0:
            continue
        before = arrows.energy()
        cost = turn_energy(arrows.table, arrows.spins, arrows.local, loop, 0, len(loop))
        turn_all(arrows.table, arrows.spins, arrows.local, loop, 0, len(loop), arrows.sign)
        assert cost == arrows.energy() - before
        np.testing.assert_array_equal(arrows.local, arrows.matrix @ arrows.spins)
        done += 1


@pytest.mark.parametrize("long", [False, True])
def test_tries_accept_as_the_energy_says(long):
    """The same walks with the same random numbers, decided in Python."""
    fast, plain, beta = Arrows("pyrochlore", 2), Arrows("pyrochlore", 2), 1e-4
    path = fast.long_path if long else fast.path
    work = (fast.seen, fast.turned, path, fast.sign, fast.words)
    accepted = loop_tries(fast.table, fast.graph, beta, 500, long, fast.spins, fast.local, *work)
    expected = 0
    for _ in range(500):
        loop = plain.walk("long" if long else "short")
        if len(loop) == 0:
            continue
        before = plain.energy()
        plain.spins[loop] *= -1
        word = (int(plain.words[0]) + 0x9E3779B97F4A7C15) & (2**64 - 1)
        plain.words[0] = word
        if accepts(mixed(word) >> 33, -beta * (plain.energy() - before), plain.words):
            expected += 1
        else:
            plain.spins[loop] *= -1
    assert accepted == expected
    assert 10 < accepted < 490
    np.testing.assert_array_equal(fast.spins, plain.spins)


def mixed(z):
    mask = 2**64 - 1
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
    return z ^ z >> 31


def test_a_walk_that_cannot_leave_is_given_up():
    arrows = Arrows("kagome")
    # Arrows of one kind of simplices all point out: whoever comes to the other kind stays there.
    arrows.spins[arrows.spins != 0] = 1
    assert all(len(arrows.walk(kind)) == 0 for kind in ("short", "long") for _ in range(20))
    assert np.all(arrows.seen == -1)


def test_a_long_walk_beyond_its_limit_is_given_up():
    arrows = Arrows("pyrochlore", 3)
    arrows.long_path = np.zeros(3, dtype=np.int64)
    before = arrows.spins.copy()
    assert all(len(arrows.walk("long")) == 0 for _ in range(50))
    np.testing.assert_array_equal(arrows.spins, before)
