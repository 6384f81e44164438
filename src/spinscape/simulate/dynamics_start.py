"""Thermal states that trajectories start from: by Monte Carlo, or in a Langevin bath."""

from dataclasses import asdict, dataclass

import numpy as np

from ..errors import ConfigError
from ..hamiltonian.model import MagneticStructure
from ..units import HBAR, K_B
from .integrators_field import Interactions, largest_field
from .integrators_langevin import langevin
from .moves import Move
from .spin_system import SpinSystem

METHODS = ("monte_carlo", "langevin")
_BATH_ANGLE = 0.05
"""Of the Langevin step: largest field times dt over ħ. Averages err by about half of it in their thermal part."""
_MOVES = (Move("small_step", 2), Move("over_relaxation", 4))


@dataclass(frozen=True)
class StartSettings:
    """How initial states are made: chains, from each of which states are taken at equal distances.

    Parameters
    ----------
    method : str
        One of :data:`METHODS`.
    n_configuration : int
    n_equilibrate, n_between : int
        Rounds of moves, or steps in the bath, before the first state (at each temperature on the way down) and from one
        to the next.
    hottest : float or None, K
        Cool from here, geometrically; None to begin at the temperature itself.
    n_temperature : int
        Temperatures on the way down.
    moves : tuple of Move
        Of ``monte_carlo``.
    damping : float
        Of ``langevin``.
    n_chain : int
        Chains, each with a beginning of its own: more than one where a chain stays near one of many ground states.
    """

    method: str = "monte_carlo"
    n_configuration: int = 10
    n_equilibrate: int = 1000
    n_between: int = 100
    hottest: float | None = None
    n_temperature: int = 20
    moves: tuple[Move, ...] = _MOVES
    damping: float = 0.3
    n_chain: int = 1

    def __post_init__(self):
        moves = tuple(move if isinstance(move, Move) else Move(**move) for move in self.moves)
        object.__setattr__(self, "moves", moves)
        if self.method not in METHODS:
            raise ConfigError(
                "no such way to initial states",
                where="dynamics.start.method",
                expected=f"one of {', '.join(METHODS)}",
                got=self.method,
            )
        for name in ("n_configuration", "n_between", "n_temperature", "n_chain"):
            if getattr(self, name) < 1:
                raise ConfigError("a number must be positive", where=f"dynamics.start.{name}", got=getattr(self, name))
        if self.n_equilibrate < 0 or not self.damping > 0:
            raise ConfigError("initial states out of range", where="dynamics.start", got=asdict(self))

    def to_dict(self):
        """Return plain values, for JSON; ``StartSettings(**data)`` reads them."""
        return asdict(self)

    def ladder(self, temperature):
        """Return the temperatures on the way down, the last one among them, K."""
        if self.hottest is None or self.hottest <= temperature:
            return np.array([temperature])
        return np.geomspace(self.hottest, temperature, self.n_temperature + 1)


def thermal_states(of: Interactions, theta, conditions, settings: StartSettings, *, generator, spins=None):
    """Yield states in equilibrium, as many as the settings say.

    Parameters
    ----------
    of : Interactions
        Those of ``theta`` and ``conditions``.
    theta : (n_parameter,) float64, meV
    conditions : Conditions
    settings : StartSettings
    generator : numpy.random.Generator
        All randomness follows from it.
    spins : (n_spin, 3) float64, optional
        Where the chains begin; random states where left out.

    Yields
    ------
    (n_spin, 3) float64
    """
    temperature = conditions.temperature
    if temperature is None or not temperature > 0:
        raise ConfigError(
            "thermal states need a temperature", where="conditions.temperature", expected="> 0 K", got=temperature
        )
    kind = _Markov if settings.method == "monte_carlo" else _Bath
    for part in range(settings.n_chain):
        first = of.system.random_spins(generator) if spins is None else spins
        chain = kind(of, theta, conditions, settings, generator, first)
        for step in settings.ladder(temperature):
            chain.equilibrate(step)
        for _ in range(part, settings.n_configuration, settings.n_chain):
            chain.advance(temperature, settings.n_between)
            yield chain.spins


class _Bath:
    """A chain of states in a Langevin bath."""

    def __init__(self, of, theta, conditions, settings, generator, spins):
        self._of, self._settings, self._generator, self.spins = of, settings, generator, spins
        self._dt = _BATH_ANGLE * HBAR / largest_field(of)

    def equilibrate(self, temperature):
        self.advance(temperature, self._settings.n_equilibrate)

    def advance(self, temperature, n_step):
        self.spins = langevin(
            self._of,
            self.spins,
            temperature=temperature,
            n_step=n_step,
            dt=self._dt,
            generator=self._generator,
            damping=self._settings.damping,
        )


class _Markov:
    """A chain of states by Monte Carlo moves."""

    def __init__(self, of, theta, conditions, settings, generator, spins):
        # Here, so that who takes the bath, or given states, needs no engine.
        from .schedule import check_moves, engine_for

        seed = generator.integers(0, 2**64, size=2, dtype=np.uint64)
        self._engine = engine_for(of.system, settings.moves, theta, conditions, seed)
        check_moves(self._engine, settings.moves)
        self._engine.set_spins(spins)
        self._settings = settings

    @property
    def spins(self):
        return self._engine.spins

    def equilibrate(self, temperature):
        self._engine.adapting = True
        self.advance(temperature, self._settings.n_equilibrate)
        self._engine.adapting = False

    def advance(self, temperature, n_round):
        if n_round:
            self._engine.run(self._settings.moves, 1.0 / (K_B * temperature), n_round)


def structure_spins(system: SpinSystem, structure: MagneticStructure) -> np.ndarray:
    """Return the spins of a commensurate structure in a supercell that holds whole magnetic cells.

    Parameters
    ----------
    system : SpinSystem
    structure : MagneticStructure

    Returns
    -------
    (n_spin, 3) float64
    """
    back = np.linalg.inv(structure.magnetic_cell.astype(np.float64))
    turns = system.cell.matrix @ back
    if np.max(np.abs(turns - np.round(turns))) > 1e-9:
        raise ConfigError(
            "the supercell does not hold whole magnetic cells",
            where="dynamics.supercell",
            expected=f"vectors made of {structure.magnetic_cell.tolist()}",
            got=system.cell.matrix.tolist(),
        )
    spins = np.zeros((system.n_spin, 3))
    cells = system.cell.cells
    for site, cell, direction in zip(structure.site, structure.cell, structure.direction, strict=True):
        way = (cells - cell) @ back
        here = np.flatnonzero(np.max(np.abs(way - np.round(way)), axis=1) < 1e-9)
        spins[here * system.cell.n_site + site] = direction * system.lengths[site]
    return spins * system.occupied[:, None]
