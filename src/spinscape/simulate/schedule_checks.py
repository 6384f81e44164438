"""What can be said against a schedule of moves before anything runs: no compiled code is needed for it."""

import numpy as np

from ..errors import ConfigError
from .ice_graph import ice_graph
from .spin_system import SpinSystem

LOOPS = ("short_loop", "long_loop")
TOGETHER = (*LOOPS, "slab")
"""Moves of many Ising spins at once."""
ISING_MOVES = ("flip", "heat_bath")
VECTOR_MOVES = ("uniform", "small_step", "reflection", "heat_bath", "over_relaxation")


def possible_moves(system: SpinSystem, moves) -> tuple[str, ...]:
    """Return the kinds of moves that can be made on some spins together with those of a schedule."""
    if set(system.kind) != {"ising"}:
        return VECTOR_MOVES
    dense = system.model.dipolar.n_row > 0 or any(move.kind in TOGETHER for move in moves)
    return ("flip", *TOGETHER) if dense else (*ISING_MOVES, *TOGETHER)


def check_schedule(system: SpinSystem, moves, *, field=(0.0, 0.0, 0.0), vacancies=False):
    """Raise :class:`ConfigError` where a schedule cannot be run.

    Parameters
    ----------
    system : SpinSystem
    moves : sequence of Move
        All that will be made.
    field : (3,) float, T
    vacancies : bool
        Whether sites will be left empty.
    """
    possible = possible_moves(system, moves)
    for move in moves:
        if move.kind not in possible:
            raise ConfigError(
                f"the move {move.kind} cannot be made on these spins", where="simulate.moves",
                expected=f"one of {', '.join(possible)} for {' and '.join(sorted(set(system.kind)))} spins",
                got=move.kind, fix="take another move, or another kind of spins (crystal.sites: kind)",
            )  # fmt: skip
    vacant = vacancies or not np.all(system.occupied)
    if vacant and any(move.kind == "slab" for move in moves):
        raise ConfigError(
            "slab moves among vacancies, which have no images", where="simulate.moves",
            expected="a spin on every site", got="slab", fix="leave out the slab moves, or the vacancies",
        )  # fmt: skip
    if not any(move.kind in LOOPS for move in moves):
        return
    if np.any(np.asarray(field) != 0):
        raise ConfigError(
            "a field with loop moves, which would hardly ever be accepted along it", where="conditions.field",
            expected="no field", got=list(field), fix="leave out the loop moves, or the field",
        )  # fmt: skip
    try:
        ice_graph(system)
    except ConfigError as error:
        raise ConfigError(
            "loop moves on a lattice without ice rules", where="simulate.moves",
            expected="corner-sharing simplices with Ising axes from one to the next", got=str(error),
            fix="leave out the loop moves",
        ) from None  # fmt: skip
