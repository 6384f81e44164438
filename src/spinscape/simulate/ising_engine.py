"""Monte Carlo of Ising spins with interactions of short range."""

import numpy as np

from ..errors import ConfigError
from ..hamiltonian.energy import zeeman_field
from ..kernels.ising import (
    ISING_KINDS,
    IsingCouplings,
    flip_correlations,
    flip_rounds,
    plain_flip_correlations,
    plain_flip_rounds,
)
from ..kernels.lane_field import BLOCK
from ..kernels.random_numbers import random_state
from ..kernels.simd import LANES
from .lane_lattice import lane_layout
from .local_engine import RECOUNT
from .local_tables import check_moves, check_short_ranged, count_moves, ising_units, plain_lattice, run_seed
from .spin_system import SpinSystem


class IsingEngine:
    """Spins along the axes of their sites: an :class:`~spinscape.simulate.moves.Engine`.

    Moves are flips (Metropolis) and their heat bath, which mixes faster at high temperature.

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
        Where a spin is no Ising spin, or the model has dipoles.
    """

    supports = frozenset(ISING_KINDS)

    def __init__(self, system: SpinSystem, theta, conditions, seed, *, plain=False):
        check_short_ranged(system, "IsingEngine")
        if set(system.kind) != {"ising"}:
            raise ConfigError(
                "not all spins are Ising spins",
                where="IsingEngine",
                expected="kind: ising at each site",
                got=list(system.kind),
                fix="take the engine of vector spins",
            )
        seed = run_seed(seed)
        self.system, self.theta = system, np.array(theta, dtype=np.float64)
        self.adapting = False
        self.widths: dict[str, float] = {}
        self._units, self._constant = ising_units(system)
        table = system.table
        self._bias = np.sum(zeeman_field(system.model, conditions) * system.axis, axis=1) * system.lengths
        self._couplings = IsingCouplings(table.start, self.theta @ self._units, self._bias)
        self._state, self._work = random_state(seed), np.zeros((BLOCK + 2, LANES))
        self._layout = None if plain else lane_layout(system)
        self._lattice = plain_lattice(system) if self._layout is None else self._layout.lattice
        self._keep = np.ones(len(table.target), dtype=bool)
        self._signs = np.zeros(system.n_spin if self._layout is None else (self._layout.n_row, LANES))
        self.set_spins(system.random_spins(np.random.default_rng(seed)))

    @property
    def signs(self):
        """A copy of the spins as ±1 along their axes, (n_spin,) float64; vacancies are zero."""
        if self._layout is None:
            return self._signs.copy()
        member, out = self._layout.member, np.zeros(self.system.n_spin)
        out[member[member >= 0]] = self._signs[: len(member)][member >= 0]
        return out

    @property
    def spins(self):
        """A copy of the spins, (n_spin, 3) float64."""
        system = self.system
        return (self.signs * system.lengths[system.site])[:, None] * system.axis[system.site]

    def set_spins(self, spins):
        """Take other spins, (n_spin, 3); raise :class:`ConfigError` where they are not what the sites may hold."""
        spins = self.system.check_spins(spins)
        signs = np.sign(np.sum(spins * self.system.axis[self.system.site], axis=1))
        if self._layout is None:
            self._signs = signs
        else:
            self._signs = _dealt(self._layout, signs)
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
        start = self.system.table.start
        products = np.zeros((len(self._keep), LANES))
        sums = plain_flip_correlations if self._layout is None else flip_correlations
        sums(self._lattice, start, self._keep, self._signs, products)
        return 0.5 * self._units @ products.sum(axis=-1) + self._constant

    def zeeman_energy(self):
        """Return the Zeeman energy of the supercell, meV."""
        return -float(self.signs.reshape(self.system.cell.n_cell, -1).sum(axis=0) @ self._bias)

    def run(self, moves, beta, n_round):
        """Make rounds of moves at 1/(k_B T) in 1/meV; return attempted and accepted moves by kind."""
        check_moves(moves, self.supports, "IsingEngine")
        kinds = np.array([ISING_KINDS[move.kind] for move in moves], dtype=np.int64)
        counts, tally = np.array([move.n for move in moves], dtype=np.int64), np.zeros((len(moves), 2))
        rounds = plain_flip_rounds if self._layout is None else flip_rounds
        own = (self._lattice, self._couplings, self._signs, self._state, self._work)
        rounds(kinds, counts, n_round, float(beta), *own, tally)
        self._energy += tally[:, 1].sum()
        self._n_sweep += n_round * int(counts.sum())
        if self._n_sweep >= RECOUNT:
            self._recount()
        return count_moves(moves, self.system.n_occupied, n_round, tally[:, 0])


def _dealt(layout, signs):
    """Return signs in lanes, with the copies that neighbours read, (n_row, LANES)."""
    lattice = layout.lattice
    rows = np.where(layout.member >= 0, signs[layout.member], 0.0)
    copies = np.take_along_axis(rows[lattice.copy_origin], lattice.turn[lattice.copy_turn], axis=1)
    return np.concatenate([rows, copies])
