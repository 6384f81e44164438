"""Monte Carlo of Ising spins that all interact: single flips in three ways, loops where an ice rule exists, slabs."""

import numpy as np

from ..errors import ConfigError
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.zeeman import zeeman_field
from ..kernels import ice
from ..kernels.ice_flips import BLOCK
from ..kernels.ice_random import N_STREAM, seed_streams
from ..kernels.long_range import add_rows, pair_products
from .ice_table import IceTable, ice_table
from .moves import Move
from .slabs import NO_SLABS
from .spin_system import SpinSystem

KINDS = {"flip": ice.FLIP, "short_loop": ice.SHORT_LOOP, "long_loop": ice.LONG_LOOP, "slab": ice.SLAB}
LOOPS = ("short_loop", "long_loop")
WAYS = ("crowded", "prescreened", "rejection_free")
"""Ways of flipping, in the order of ``kernels.ice``."""


class IceEngine:
    """The Ising spins of one system: an :class:`~spinscape.simulate.moves.Engine`.

    Parameters
    ----------
    system : SpinSystem
    theta : (n_parameter,) float64, meV
    conditions : Conditions
        Its temperature is not used.
    seed : (2,) uint64
        All randomness follows from it, the first spins too.
    table : IceTable, optional
        Made by :func:`~spinscape.simulate.ice_table.ice_table`, once for all points and replicas of one system.

    Notes
    -----
    Which way of flipping is taken follows from the number of flips in a sweep (``kernels.ice``): of the last sixteen
    sweeps while ``adapting``, afterwards once for each temperature. It is a function of this engine's history alone.
    """

    def __init__(self, system: SpinSystem, theta, conditions: Conditions, seed, *, table: IceTable | None = None):
        self.table = ice_table(system) if table is None else table
        self.system, self.theta = system, np.array(theta, dtype=np.float64)
        self._dipole_energy = self.table.dipole_energy
        along = system.axis * system.lengths[:, None]
        self._along = along[system.site]
        self._field = np.einsum("ia,ia->i", zeeman_field(system.model, conditions), along)
        self.supports = frozenset(kind for kind in KINDS if self._trouble(kind) is None)
        self.adapting = False
        self.widths: dict[str, float] = {}
        self._ways: dict[float, tuple[int, int, int, int]] = {}
        self._last_way = ice.PRESCREENED
        self._prepare(seed)
        self.set_spins(system.random_spins(np.random.default_rng(np.asarray(seed, dtype=np.uint64))))

    def _prepare(self, seed):
        """Make the arrays of the kernels."""
        place, system = self.table.places, self.system
        rows, self._whole_field, self.unit = self.table.quantised(self.theta, self._field)
        self._rows = (rows, place.tiles, place.width)
        n, at = place.n_place, place.of_spin
        present = np.zeros(n, dtype=np.float32)
        present[at] = system.occupied
        bits = np.uint64(1) << np.arange(BLOCK, dtype=np.uint64)
        alive = np.where(present.reshape(-1, BLOCK) > 0, bits, np.uint64(0)).sum(axis=1, dtype=np.uint64)
        self._there = (alive, present, system.n_occupied)
        self._spins, self._local = np.zeros(n, dtype=np.float32), np.zeros(n, dtype=np.int32)
        graph = self.table.graph
        if graph is None:
            self._graph = (np.zeros((0, 1), np.int64), np.zeros((0, 1), np.int64), np.zeros((0, 1), np.float32))
        else:
            self._graph = (at[graph.corner], graph.other.astype(np.int64), graph.outward.astype(np.float32))
        self._slabs = NO_SLABS if self.table.slabs is None else self.table.slabs
        self._work, self._loop_work = ice.work_space(n, len(self._graph[0]))
        words, streams = np.array([mixed_seed(seed)]), np.zeros(4 * N_STREAM, dtype=np.uint32)
        seed_streams(words, streams)
        self._state = (streams, words)

    @property
    def sigma(self):
        """Ising variables, (n_spin,) int8: 1 along the axis, -1 against it, 0 for a vacancy."""
        return self._spins[self.table.places.of_spin].astype(np.int8)

    @property
    def spins(self):
        """A copy of the spins, (n_spin, 3) float64."""
        return self.sigma[:, None] * self._along

    def set_spins(self, spins):
        """Take other spins, (n_spin, 3), along or against the axes of their sites."""
        spins = self.system.check_spins(spins)
        sigma = np.sign(np.sum(spins * self._along, axis=1)).astype(np.int64)
        place = self.table.places.of_spin
        self._spins[place] = sigma
        self._local[:] = 0
        there = np.flatnonzero(sigma)
        add_rows(self._rows, place[there], sigma[there], len(there), self._local)
        # Rows hold 2 J.
        self._local //= 2
        self._local[place] -= np.tile(self._whole_field, self.system.cell.n_cell).astype(np.int32)
        self._energies = None

    def coupling_energies(self):
        """Return E_k of the supercell, (n_parameter,), dimensionless: energy = θ·E + Zeeman energy."""
        if self._energies is None:
            table, sigma = self.table, self._spins[self.table.places.of_spin]
            products = np.empty(table.pair.shape[1])
            pair_products(table.pair, sigma, products)
            self._energies = table.constant + table.pair_unit @ products
            if self._dipole_energy is not None:
                self._energies += table.dipole_unit * self._dipole_energy(sigma)
        return self._energies.copy()

    def zeeman_energy(self):
        """Return the Zeeman energy of the supercell, meV."""
        if not np.any(self._field):
            return 0.0
        return -float(self._field @ self.sigma.reshape(self.system.cell.n_cell, -1).sum(axis=0))

    @property
    def energy(self):
        """Energy of the supercell, meV."""
        return float(self.theta @ self.coupling_energies()) + self.zeeman_energy()

    def way(self, beta):
        """Return which way of flipping was last taken at 1/(k_B T): one of :data:`WAYS`, or None."""
        choice = self._ways.get(float(beta))
        return None if choice is None else WAYS[choice[0]]

    def check_moves(self, moves: tuple[Move, ...]):
        """Raise :class:`ConfigError` where this engine cannot make a move."""
        for move in moves:
            if move.kind in self.supports:
                continue
            raise ConfigError(
                f"a {move.kind} cannot be made here",
                where=f"move {move.kind}",
                expected=f"one of {', '.join(sorted(self.supports))}",
                got=self._trouble(move.kind) or "Ising spins",
                fix=f"leave out the {move.kind} moves" if move.kind in KINDS else "take flips",
            )

    def _trouble(self, kind):
        """Return why a kind of move cannot be made, or None."""
        if kind in LOOPS and np.any(self._field != 0):
            return "a field, along which loops would hardly ever be accepted"
        if kind in LOOPS and self.table.graph is None:
            return self.table.no_graph
        if kind == "slab" and not np.all(self.system.occupied):
            return "vacancies, which have no images"
        if kind == "slab" and self.table.slabs is None:
            return "a table that was made without slabs"
        return None

    def run(self, moves: tuple[Move, ...], beta: float, n_round: int):
        """Make rounds of moves at 1/(k_B T) in 1/meV; return attempted and accepted moves by kind."""
        self.check_moves(moves)
        beta = float(beta)
        if not 0.0 <= beta < np.inf:
            raise ConfigError("1/(k_B T) is a number that is not negative", where="beta", got=beta)
        # What was decided at this temperature holds, unless widths and ways may still change.
        choice = np.array(self._ways.get(beta, (self._last_way, 0, 0, 0)), dtype=np.int64)
        tally = np.zeros((ice.N_KIND, 2), dtype=np.int64)
        ice.run_rounds(
            self._rows,
            self._graph,
            self._slabs,
            self._there,
            beta * self.unit,
            np.array([KINDS[move.kind] for move in moves], dtype=np.int64),
            np.array([move.n for move in moves], dtype=np.int64),
            n_round,
            self.adapting,
            choice,
            self._spins,
            self._local,
            self._work,
            self._loop_work,
            tally,
            self._state,
        )
        self._ways[beta] = tuple(choice.tolist())
        self._last_way = int(choice[0])
        self._energies = None
        return {kind: (int(tally[n, 0]), int(tally[n, 1])) for kind, n in KINDS.items() if tally[n, 0] > 0}


def mixed_seed(seed):
    """Return one 64-bit number from the two of a seed, uint64."""
    words = np.asarray(seed, dtype=np.uint64).reshape(2)
    return np.random.SeedSequence([int(word) for word in words]).generate_state(1, np.uint64)[0]
