import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.dipolar import DipolarTable
from spinscape.hamiltonian.model import BondTable, Model
from spinscape.lattice.symmetry import SiteSpec, crystal_from_space_group
from spinscape.simulate.moves import Move
from spinscape.simulate.schedule import ENGINES, EngineMaker, check_moves, engine_for, engine_name, filled_system
from spinscape.simulate.schedule_checks import check_schedule, possible_moves

FLIP, LOOP, BATH = Move("flip"), Move("short_loop"), Move("heat_bath")
SEED = np.array([1, 2], dtype=np.uint64)


def with_dipoles(model):
    return Model(model.crystal, ("J",), model.bonds, dipolar=DipolarTable(np.array([0]), np.array([1.0])))


def pyrochlore():
    site = SiteSpec("A", "Dy3+", (0.5, 0.5, 0.5), 1.0, kind="ising", axis=(1, 1, 1))
    crystal = crystal_from_space_group(10.0 * np.eye(3), "Fd-3m:2", [site])
    model = Model(crystal, ("J",), BondTable([0], [6], [[0, 0, 0]], [0], np.eye(3)[None]))
    return filled_system(model, (1, 1, 1))


def test_the_engine_follows_from_spins_couplings_and_moves(small):
    ising, vector = small.model("ising"), small.model("heisenberg")
    cases = [
        (ising, (FLIP,), "ising"),
        (vector, (BATH,), "local"),
        (with_dipoles(ising), (FLIP,), "ice"),
        (with_dipoles(vector), (BATH,), "dipolar"),
    ]
    for model, moves, name in cases:
        system = filled_system(model, (3, 3, 3))
        assert engine_name(system, moves) == name
        engine = engine_for(system, moves, np.array([0.1]), Conditions(), SEED)
        assert isinstance(engine, ENGINES[name]) and {move.kind for move in moves} <= engine.supports
    assert engine_name(pyrochlore(), (FLIP, LOOP)) == "ice" and engine_name(pyrochlore(), (FLIP,)) == "ising"


def test_what_is_said_to_be_possible_is_what_engines_support(small):
    for model in (small.model("ising"), small.model("heisenberg"), with_dipoles(small.model("heisenberg"))):
        system = filled_system(model, (3, 3, 3))
        for kind in possible_moves(system, ()):
            if "loop" not in kind:
                move = (Move(kind),)
                check_moves(EngineMaker(system, move)(np.array([0.1]), Conditions(), SEED), move)


def test_a_move_that_cannot_be_made_is_an_error(small):
    ising, vector = (filled_system(small.model(kind), (3, 3, 3)) for kind in ("ising", "heisenberg"))
    with pytest.raises(ConfigError, match="over_relaxation"):
        check_schedule(ising, (Move("over_relaxation"),))
    with pytest.raises(ConfigError, match="flip"):
        check_schedule(vector, (FLIP,))
    with pytest.raises(ConfigError, match="without ice rules"):
        check_schedule(ising, (FLIP, LOOP))
    with pytest.raises(ConfigError, match="field with loop"):
        check_schedule(pyrochlore(), (FLIP, LOOP), field=(0.0, 0.0, 1.0))
    check_schedule(pyrochlore(), (FLIP, LOOP))
    with pytest.raises(ConfigError, match="cannot be made"):
        check_moves(engine_for(ising, (FLIP,), np.array([0.1]), Conditions(), SEED), (LOOP,))


def test_vacancies_are_a_share_of_the_sites_drawn_by_the_generator(small):
    model = small.model("heisenberg")
    first, again = (
        filled_system(model, (4, 4, 4), vacancies=(("A", 0.25),), generator=np.random.default_rng(4)) for _ in range(2)
    )
    assert first.n_occupied == 48 and np.array_equal(first.occupied, again.occupied)
    other = filled_system(model, (4, 4, 4), vacancies=(("A", 0.25),), generator=np.random.default_rng(5))
    assert not np.array_equal(first.occupied, other.occupied)
    assert filled_system(model, (4, 4, 4)).n_occupied == 64
