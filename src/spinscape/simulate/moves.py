"""Moves of a Monte Carlo schedule, and what an engine that makes them looks like."""

from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np

from ..errors import ConfigError

MOVES = {
    "uniform": "a new direction, drawn evenly; accepted by Metropolis",
    "small_step": "a step of adapted width about the present direction; accepted by Metropolis",
    "reflection": "S to −S; accepted by Metropolis",
    "flip": "an Ising spin turned over; accepted by Metropolis, or chosen by its rate",
    "heat_bath": "a direction drawn from its distribution in the local field",
    "over_relaxation": "S turned by half a turn about its local field: the energy stays",
    "short_loop": "a loop of alternating ice spins that closes at its own trace; accepted by Metropolis",
    "long_loop": "a loop of alternating ice spins that closes at its start; accepted by Metropolis",
    "slab": "some layers of Ising spins to their image under an operation that keeps each layer; by Metropolis",
}
"""Kinds of moves and what each does."""


@dataclass(frozen=True)
class Move:
    """One part of a round.

    Parameters
    ----------
    kind : str
        A key of :data:`MOVES`.
    n : int
        Sweeps (one attempt for each spin) of single-spin moves, tries of loops and slabs.
    width : float or None
        Of ``small_step``: fixed width, in units of the spin's length; None for an adapted one.
    """

    kind: str
    n: int = 1
    width: float | None = None

    def __post_init__(self):
        if self.kind not in MOVES:
            raise ConfigError("no such move", where="move", expected=f"one of {', '.join(MOVES)}", got=self.kind)
        if self.n < 1 or (self.width is not None and not 0 < self.width < np.inf):
            raise ConfigError(
                "a move is made at least once, with a positive width", where=f"move {self.kind}", got=asdict(self)
            )
        if self.width is not None and self.kind != "small_step":
            raise ConfigError("only small steps have a width", where=f"move {self.kind}", got=self.width)

    def to_dict(self):
        """Return plain values, for JSON; ``Move(**data)`` is the inverse."""
        return asdict(self)


class Engine(Protocol):
    """The spins of one system at one set of couplings and conditions, and the moves that change them.

    Made as ``Engine(system, theta, conditions, seed)``: a :class:`~spinscape.simulate.spin_system.SpinSystem`,
    couplings (n_parameter,) in meV, :class:`~spinscape.hamiltonian.conditions.Conditions` (of which the temperature is
    not used), and two 64-bit numbers that all randomness follows from.

    Attributes
    ----------
    supports : frozenset of str
        Kinds of moves that this engine can make on this system.
    adapting : bool
        Whether widths may change now: during equilibration only, or detailed balance is lost.
    widths : dict of str to float
        Adapted widths.
    """

    supports: frozenset[str]
    adapting: bool
    widths: dict[str, float]

    @property
    def spins(self) -> np.ndarray:
        """A copy of the spins, (n_spin, 3) float64."""
        ...

    @property
    def energy(self) -> float:
        """Energy of the supercell, meV, Zeeman energy included."""
        ...

    def set_spins(self, spins: np.ndarray) -> None:
        """Take other spins, (n_spin, 3)."""
        ...

    def coupling_energies(self) -> np.ndarray:
        """Return E_k of the supercell, (n_parameter,), dimensionless: energy = θ·E + Zeeman energy."""
        ...

    def zeeman_energy(self) -> float:
        """Return the Zeeman energy of the supercell, meV."""
        ...

    def run(self, moves: tuple[Move, ...], beta: float, n_round: int) -> dict[str, tuple[int, int]]:
        """Make rounds of moves at 1/(k_B T) in 1/meV; return attempted and accepted moves by kind."""
        ...
