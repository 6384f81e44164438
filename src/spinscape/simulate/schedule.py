"""Which engine makes the moves of a study, and how a supercell is filled."""

import numpy as np

from ..errors import ConfigError
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.model import Model
from .dipolar_engine import DipolarEngine
from .ice_engine import IceEngine
from .ice_table import ice_table
from .ising_engine import IsingEngine
from .local_engine import LocalEngine
from .moves import Engine
from .schedule_checks import TOGETHER
from .spin_system import SpinSystem, block, spin_system
from .vector_table import vector_table

ENGINES: dict[str, type] = {"ice": IceEngine, "ising": IsingEngine, "dipolar": DipolarEngine, "local": LocalEngine}
"""Engines by name."""


def engine_name(system: SpinSystem, moves) -> str:
    """Return the name of the engine that is made for these spins, couplings and moves: a key of :data:`ENGINES`."""
    ising = set(system.kind) == {"ising"}
    dipoles = system.model.dipolar.n_row > 0
    if ising and (dipoles or any(move.kind in TOGETHER for move in moves)):
        return "ice"
    if ising:
        return "ising"
    return "dipolar" if dipoles else "local"


class EngineMaker:
    """Makes engines of one system, and holds what they share: tables that do not depend on the couplings.

    Parameters
    ----------
    system : SpinSystem
    moves : tuple of Move
        All kinds that will be made.
    demagnetisation : (3, 3) float64, optional
        Of the dipoles.
    """

    def __init__(self, system: SpinSystem, moves, *, demagnetisation=None):
        self.system, self.name = system, engine_name(system, moves)
        self._shared: dict[str, object] = {}
        if self.name == "ice":
            slab_moves = any(move.kind == "slab" for move in moves)
            self._shared = {"table": ice_table(system, demagnetisation=demagnetisation, slab_moves=slab_moves)}
        elif self.name == "dipolar":
            self._shared = {"table": vector_table(system, demagnetisation=demagnetisation)}

    def __call__(self, theta, conditions: Conditions, seed) -> Engine:
        """Return an engine at couplings (n_parameter,) meV and a field, all of whose randomness follows from a seed."""
        return ENGINES[self.name](self.system, theta, conditions, seed, **self._shared)


def engine_for(system: SpinSystem, moves, theta, conditions: Conditions, seed) -> Engine:
    """Return an engine for one use (:class:`EngineMaker` for many): arguments as of :class:`EngineMaker`."""
    return EngineMaker(system, moves)(theta, conditions, seed)


def check_moves(engine: Engine, moves):
    """Raise :class:`ConfigError` where an engine cannot make one of some moves."""
    for move in moves:
        if move.kind not in engine.supports:
            raise ConfigError(
                f"the move {move.kind} cannot be made on these spins",
                where=f"moves: {move.kind}",
                expected=f"one of {', '.join(sorted(engine.supports))}",
                got=f"{type(engine).__name__}",
            )


def filled_system(model: Model, numbers, *, vacancies=(), generator=None) -> SpinSystem:
    """Return the spins of a supercell, some sites left empty.

    Parameters
    ----------
    model : Model
    numbers : as of :func:`spinscape.simulate.spin_system.block`
    vacancies : tuple of (str, float)
        Label of an orbit and the part of its sites that are empty, rounded to a whole number of them.
    generator : numpy Generator
        Draws which; needed where there are vacancies.
    """
    cell = block(model, numbers)
    if not vacancies:
        return spin_system(model, cell)
    labels = np.array(model.crystal.labels)[np.tile(np.arange(cell.n_site), cell.n_cell)]
    occupied = np.ones(cell.n_spin, dtype=bool)
    for label, part in vacancies:
        sites = np.flatnonzero(labels == label)
        empty = round(part * len(sites))
        occupied[generator.permutation(sites)[:empty]] = False
    return spin_system(model, cell, occupied=occupied)
