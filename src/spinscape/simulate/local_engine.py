"""Monte Carlo of vector spins with interactions of short range."""

import numpy as np

from ..hamiltonian.energy import zeeman_field
from ..kernels.lane_field import BLOCK, from_lanes, to_lanes
from ..kernels.lane_rounds import lane_rounds
from ..kernels.random_numbers import random_state
from ..kernels.simd import LANES
from ..kernels.single_spin import KINDS, plain_rounds
from ..kernels.spin_correlations import lane_correlations, plain_correlations
from .lane_lattice import lane_layout
from .local_tables import (
    check_moves,
    check_short_ranged,
    count_moves,
    couplings_from_links,
    link_halves,
    plain_lattice,
    run_seed,
)
from .spin_system import SpinSystem

FIRST_WIDTH = 0.5
"""Width of small steps before it is adapted."""
RECOUNT = 1000
"""Sweeps after which the energy is summed anew: what it gained in each move adds up with rounding errors."""


class LocalEngine:
    """Spins that point anywhere, or in planes, or along lines among such: :class:`~spinscape.simulate.moves.Engine`.

    Where the supercell allows it, LANES spins move at once (:mod:`~spinscape.simulate.lane_lattice`); elsewhere, and
    where some spins are Ising spins, one after the other. Which of the two it is, is a matter of the system alone.

    Parameters
    ----------
    system : SpinSystem
    theta : (n_parameter,) float64, meV
    conditions : Conditions
    seed : (2,) uint64
        All randomness follows from it, the first spins too.
    plain : bool, keyword
        Never more than one spin at once.

    Raises
    ------
    ConfigError
        Where the model has dipoles.
    """

    supports = frozenset(KINDS)

    def __init__(self, system: SpinSystem, theta, conditions, seed, *, plain=False):
        check_short_ranged(system, "LocalEngine")
        seed = run_seed(seed)
        self.system, self.theta = system, np.array(theta, dtype=np.float64)
        self.adapting, self.widths = False, {"small_step": FIRST_WIDTH}
        self._links = system.table.at(self.theta, field=zeeman_field(system.model, conditions))
        self._couplings = couplings_from_links(self._links, system)
        self._state, self._age = random_state(seed), np.zeros(1, dtype=np.int64)
        self._work = tuple(np.zeros(shape) for shape in ((BLOCK, 4, LANES), (BLOCK, 3, LANES), (6, LANES)))
        mixed = bool(self._couplings.line.any())
        self._layout = None if plain or mixed else lane_layout(system)
        self._lattice = plain_lattice(system) if self._layout is None else self._layout.lattice
        self._rows = np.zeros((system.n_spin, 3) if self._layout is None else (self._layout.n_row, 3, LANES))
        self.set_spins(system.random_spins(np.random.default_rng(seed)))

    @property
    def spins(self):
        """A copy of the spins, (n_spin, 3) float64."""
        if self._layout is None:
            return self._rows.copy()
        out = np.zeros((self.system.n_spin, 3))
        from_lanes(self._rows, self._layout.member, out)
        return out

    def set_spins(self, spins):
        """Take other spins, (n_spin, 3); raise :class:`ConfigError` where they are not what the sites may hold."""
        spins = self.system.check_spins(spins)
        if self._layout is None:
            self._rows = spins
        else:
            to_lanes(spins, self._layout.member, self._layout.lattice, self._rows)
        self._recount()

    @property
    def energy(self):
        """Energy of the supercell, meV, Zeeman energy included."""
        return self._energy

    def _recount(self):
        self._energy = float(self.theta @ self.coupling_energies()) + self.zeeman_energy()
        self._n_sweep = 0

    def coupling_energies(self):
        """Return E_k of the supercell, (n_parameter,), dimensionless: energy = θ·E + Zeeman energy."""
        table, halves = self.system.table, link_halves(self.system)
        products = np.zeros((len(table.target), 9, LANES))
        squares = np.zeros((len(table.square_target), LANES))
        sums = plain_correlations if self._layout is None else lane_correlations
        starts = (table.start, table.square_start, halves.keep)
        sums(self._lattice, *starts, table.square_turn, self._rows, products, squares)
        out = halves.unit @ products.sum(axis=-1).ravel() + halves.constant
        if np.any(table.onsite_unit):
            cells = self.spins.reshape(self.system.cell.n_cell, -1, 3).transpose(1, 2, 0)
            out += halves.onsite @ (cells @ cells.swapaxes(1, 2)).ravel()
        return out + 0.5 * table.square_unit @ squares.sum(axis=-1)

    def zeeman_energy(self):
        """Return the Zeeman energy of the supercell, meV."""
        if not np.any(self._links.field):
            return 0.0
        by_site = self.spins.reshape(self.system.cell.n_cell, -1, 3).sum(axis=0)
        return -float(np.sum(self._links.field * by_site))

    def run(self, moves, beta, n_round):
        """Make rounds of moves at 1/(k_B T) in 1/meV; return attempted and accepted moves by kind."""
        check_moves(moves, self.supports, "LocalEngine")
        kinds, counts, widths, adapt = self._schedule(moves)
        tally = np.zeros((len(moves), 2))
        rounds = plain_rounds if self._layout is None else lane_rounds
        own = (self._lattice, self._couplings, self._rows, self._state, self._age, *self._work)
        rounds(kinds, counts, widths, adapt, n_round, float(beta), *own, tally)
        if adapt.any():
            self.widths = {"small_step": float(widths[adapt][-1])}
        self._energy += tally[:, 1].sum()
        self._n_sweep += n_round * int(counts.sum())
        if self._n_sweep >= RECOUNT:
            self._recount()
        return count_moves(moves, self.system.n_occupied, n_round, tally[:, 0])

    def _schedule(self, moves):
        """Return kinds, counts and widths of moves, and which widths are to be adapted."""
        kinds = np.array([KINDS[move.kind] for move in moves], dtype=np.int64)
        counts = np.array([move.n for move in moves], dtype=np.int64)
        own = np.array([move.width is None for move in moves], dtype=bool)
        widths = np.array([self.widths["small_step"] if move.width is None else move.width for move in moves])
        small = kinds == KINDS["small_step"]
        return kinds, counts, widths.astype(np.float64), own & small & self.adapting
