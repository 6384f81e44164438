"""Ising spins: books, layout, kernel against numpy."""

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.hamiltonian.energy import coupling_energies, energy
from spinscape.simulate.ising_engine import IsingEngine
from spinscape.simulate.moves import Move

from .conftest import FIELD, SEED, THETA

MOVES = (Move("flip"), Move("heat_bath", 2))
KINDS = {"kinds": ("ising", "ising")}
VARIANTS = [
    ((4, 4, 4), {"curved": True}, False),
    ((4, 4, 4), {"curved": True, "vacant": True}, False),
    ((5, 5, 5), {}, False),
    ([[4, 1, 0], [0, 4, 2], [1, 0, 6]], {"vacant": True}, False),
    ((5, 4, 3), {"curved": True, "vacant": True}, False),
    ((4, 4, 4), {"curved": True}, True),
]


@pytest.fixture(params=VARIANTS, ids=str)
def engine(request, make_system):
    numbers, options, plain = request.param
    return IsingEngine(make_system(numbers, **options, **KINDS), THETA, FIELD, SEED, plain=plain)


def exact(engine):
    return energy(engine.system.model, engine.spins, THETA, cell=engine.system.cell, conditions=FIELD)


@pytest.mark.parametrize("move", MOVES, ids=lambda move: move.kind)
def test_energy_follows_every_move(engine, move):
    tried, accepted = engine.run((move,), 0.3, 7)[move.kind]
    assert tried == 7 * move.n * engine.system.n_occupied and 0 < accepted < tried
    assert engine.energy == pytest.approx(exact(engine), abs=1e-9)


def test_energies_are_those_of_the_model(engine):
    engine.run(MOVES, 0.3, 4)
    system = engine.system
    expected = coupling_energies(system.model, engine.spins, cell=system.cell)
    np.testing.assert_allclose(engine.coupling_energies(), expected, rtol=1e-12, atol=1e-11)


def test_spins_point_along_their_axes(engine):
    engine.run(MOVES, 0.3, 4)
    np.testing.assert_allclose(engine.system.check_spins(engine.spins), engine.spins)
    np.testing.assert_array_equal(np.abs(engine.signs), engine.system.occupied)
    other = IsingEngine(engine.system, THETA, FIELD, SEED + np.uint64(1))
    other.set_spins(engine.spins)
    np.testing.assert_array_equal(other.signs, engine.signs)


@pytest.mark.parametrize("plain", [False, True])
def test_cold_spins_go_down_only(make_system, plain):
    """At no temperature a flip is made if and only if it pays: ten lines of numpy give the same spins."""
    engine = IsingEngine(make_system(**KINDS), THETA, FIELD, SEED, plain=plain)
    system, spins = engine.system, engine.spins
    order = range(system.n_spin) if plain else engine._layout.order
    for i in order:
        flipped = spins.copy()
        flipped[i] = -spins[i]
        costs = [energy(system.model, s, THETA, cell=system.cell, conditions=FIELD) for s in (spins, flipped)]
        spins = flipped if costs[1] < costs[0] else spins
    engine.run((Move("flip"),), 1e9, 1)
    np.testing.assert_allclose(engine.spins, spins, atol=1e-15)


@pytest.mark.parametrize("plain", [False, True])
def test_free_spins_lose_their_memory_of_each_other(make_system, plain):
    """All accepted at each sweep, they would turn together for ever."""
    engine = IsingEngine(make_system(**KINDS), 0.0 * THETA, type(FIELD)(), SEED, plain=plain)
    start = engine.signs
    engine.run((Move("flip"),), 1.0, 9)
    # Alone, a flip of all would leave an overlap of −1.
    overlap = np.mean(start * engine.signs)
    assert abs(overlap) < 4 / np.sqrt(engine.system.n_spin)


def test_rounds_are_the_same_in_one_call_or_many(make_system):
    engines = [IsingEngine(make_system(**KINDS), THETA, FIELD, SEED) for _ in range(2)]
    engines[0].run(MOVES, 0.3, 6)
    for _ in range(6):
        engines[1].run(MOVES, 0.3, 1)
    np.testing.assert_array_equal(engines[0].signs, engines[1].signs)


def test_other_spins_and_moves_are_refused(make_system):
    with pytest.raises(ConfigError, match="Ising"):
        IsingEngine(make_system(kinds=("ising", "xy")), THETA, FIELD, SEED)
    with pytest.raises(ConfigError, match="uniform"):
        IsingEngine(make_system(**KINDS), THETA, FIELD, SEED).run((Move("uniform"),), 0.3, 1)
