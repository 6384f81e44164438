"""The engine of vector spins: its books, its limits, and that it forgets nothing between calls."""

from dataclasses import replace

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.hamiltonian.dipolar import DipolarTable
from spinscape.hamiltonian.energy import coupling_energies, energy
from spinscape.simulate.local_engine import LocalEngine
from spinscape.simulate.moves import Move
from spinscape.simulate.spin_system import spin_system

from .conftest import FIELD, SEED, THETA

ALL = tuple(Move(kind) for kind in ("uniform", "small_step", "reflection", "heat_bath", "over_relaxation"))
BETA = 0.8
VARIANTS = [
    ((4, 4, 4), {"matrices": False}, False),
    ((4, 4, 4), {"curved": True, "vacant": True}, False),
    ((5, 5, 5), {"curved": True}, False),
    ((4, 4, 4), {"curved": True, "kinds": ("xy", "xy")}, False),
    ([[4, 1, 0], [0, 4, 2], [1, 0, 6]], {"kinds": ("heisenberg", "xy"), "vacant": True}, False),
    ((5, 4, 3), {"curved": True, "kinds": ("xy", "heisenberg")}, False),
    ((4, 4, 4), {"curved": True, "kinds": ("xy", "ising"), "vacant": True}, False),
    ((4, 4, 4), {"curved": True, "vacant": True}, True),
]


@pytest.fixture(params=VARIANTS, ids=str)
def engine(request, make_system):
    numbers, options, plain = request.param
    return LocalEngine(make_system(numbers, **options), THETA, FIELD, SEED, plain=plain)


def exact(engine):
    return energy(engine.system.model, engine.spins, THETA, cell=engine.system.cell, conditions=FIELD)


def test_energies_are_those_of_the_model(engine):
    system = engine.system
    assert engine.energy == pytest.approx(exact(engine), rel=1e-12)
    engine.run(ALL, BETA, 3)
    expected = coupling_energies(system.model, engine.spins, cell=system.cell)
    np.testing.assert_allclose(engine.coupling_energies(), expected, rtol=1e-11, atol=1e-11)
    parts = float(THETA @ engine.coupling_energies()) + engine.zeeman_energy()
    assert parts == pytest.approx(exact(engine), rel=1e-12)


@pytest.mark.parametrize("move", ALL, ids=lambda move: move.kind)
def test_energy_follows_every_move(engine, move):
    before = engine.energy
    counts = engine.run((move,), BETA, 5)
    tried, accepted = counts[move.kind]
    assert tried == 5 * engine.system.n_occupied and 0 < accepted <= tried
    assert engine.energy == pytest.approx(exact(engine), abs=1e-9 * (abs(before) + 1))


def test_spins_stay_what_they_are(engine):
    engine.run(tuple(replace(move, n=20) for move in ALL), BETA, 50)
    spins, system = engine.spins, engine.system
    np.testing.assert_array_equal(system.check_spins(spins), spins)
    length = np.where(system.occupied, system.lengths[system.site], 0.0)
    assert np.abs(np.linalg.norm(spins, axis=1) - length).max() < 1e-12
    assert not spins[~system.occupied].any()


def test_rounds_are_the_same_in_one_call_or_many(make_system):
    engines = [LocalEngine(make_system(), THETA, FIELD, SEED) for _ in range(3)]
    engines[0].run(ALL, BETA, 6)
    for _ in range(6):
        engines[1].run(ALL, BETA, 1)
    np.testing.assert_array_equal(engines[0].spins, engines[1].spins)
    engines[2].run(ALL, BETA, 5)
    assert np.abs(engines[0].spins - engines[2].spins).max() > 0.1


def test_seeds_differ_and_spins_can_be_set(make_system):
    system = make_system()
    first, second = (LocalEngine(system, THETA, FIELD, SEED + np.uint64(k)) for k in range(2))
    assert np.abs(first.spins - second.spins).max() > 0.1
    second.set_spins(first.spins)
    np.testing.assert_array_equal(first.spins, second.spins)
    assert second.energy == pytest.approx(first.energy, rel=1e-13)
    first.run(ALL, BETA, 1)
    assert np.abs(first.spins - second.spins).max() > 0.1


def test_the_energy_is_summed_anew_after_many_sweeps(make_system):
    engine = LocalEngine(make_system(), THETA, FIELD, SEED)
    engine.run((Move("uniform", 1500),), BETA, 1)
    assert engine.energy == pytest.approx(exact(engine), rel=1e-13)


def test_widths_adapt_while_they_may(make_system):
    engine = LocalEngine(make_system(), THETA, FIELD, SEED)
    step, beta = (Move("small_step"),), 40.0
    engine.run(step, beta, 50)
    first = engine.widths["small_step"]
    engine.adapting = True
    engine.run(step, beta, 300)
    engine.adapting = False
    width = engine.widths["small_step"]
    tried, accepted = engine.run(step, beta, 100)["small_step"]
    assert first != width == engine.widths["small_step"] and 0.4 < accepted / tried < 0.6
    fixed = (Move("small_step", width=0.01),)
    engine.adapting = True
    tried, accepted = engine.run(fixed, beta, 100)["small_step"]
    assert accepted / tried > 0.9 and engine.widths["small_step"] == width


@pytest.mark.parametrize("kinds", [("heisenberg", "heisenberg"), ("xy", "heisenberg")])
def test_fast_and_plain_have_one_distribution(make_system, kinds):
    """Everything at once: anisotropy, biquadratic terms, vacancies, a field, a skew supercell."""
    system = make_system([[4, 1, 0], [0, 4, 2], [1, 0, 6]], kinds=kinds, curved=True, vacant=True)
    results = []
    for plain in (False, True):
        engine, rows = LocalEngine(system, THETA, FIELD, SEED, plain=plain), []
        engine.run(ALL, BETA, 100)
        for _ in range(800):
            engine.run(ALL, BETA, 2)
            rows.append([*engine.coupling_energies(), engine.energy, engine.energy**2, *engine.spins.mean(axis=0)])
        means = np.array(rows).reshape(40, 20, -1).mean(axis=1)
        results.append((means.mean(axis=0), means.var(axis=0, ddof=1) / 40))
    (fast, fast_square), (plain, plain_square) = results
    assert np.all(np.abs(fast - plain) < 4 * np.sqrt(fast_square + plain_square))


def test_no_temperature_accepts_everything(make_system):
    engine = LocalEngine(make_system(curved=True), THETA, FIELD, SEED)
    counts = engine.run(ALL, 0.0, 2)
    assert all(accepted == tried for tried, accepted in counts.values())


def test_what_it_cannot_do_is_refused(make_system):
    system = make_system()
    with pytest.raises(ConfigError, match="flip"):
        LocalEngine(system, THETA, FIELD, SEED).run((Move("flip"),), BETA, 1)
    with pytest.raises(ConfigError, match="seed"):
        LocalEngine(system, THETA, FIELD, [0.5, 1.0])
    dipolar = DipolarTable([0], [0.1])
    with pytest.raises(ConfigError, match="dipoles"):
        LocalEngine(spin_system(replace(system.model, dipolar=dipolar), system.cell), THETA, FIELD, SEED)
