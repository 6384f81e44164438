"""Monte Carlo of vector spins with dipole-dipole interactions."""

import numpy as np

from ..errors import ConfigError
from ..hamiltonian.zeeman import zeeman_field
from ..kernels.long_range_spins import cached_rounds
from ..kernels.random_numbers import random_state
from ..kernels.simd import LANES
from ..kernels.single_spin import KINDS
from ..kernels.spin_correlations import plain_correlations
from .local_engine import FIRST_WIDTH, RECOUNT
from .local_tables import check_moves, count_moves, couplings_from_links, link_halves, plain_lattice, run_seed
from .spin_system import SpinSystem
from .vector_table import VectorTable, vector_table


class DipolarEngine:
    """Spins that point anywhere, in planes or along lines, and all interact: an engine of ``simulate.moves``.

    One spin is moved after the other with cached fields; each accepted move adds one row of couplings to them
    (``kernels.long_range_spins``), made by translation from those of one cell: the matrix of all pairs is never there.
    Dipole energies, and the fields of spins that are set, come from Fourier transforms.

    Parameters
    ----------
    system : SpinSystem
    theta : (n_parameter,) float64, meV
    conditions : Conditions
        Its temperature is not used.
    seed : (2,) uint64
        All randomness follows from it, the first spins too.
    table : VectorTable, optional
        Made by :func:`~spinscape.simulate.vector_table.vector_table`, once for all points and replicas of one system.
    """

    supports = frozenset(KINDS)

    def __init__(self, system: SpinSystem, theta, conditions, seed, *, table: VectorTable | None = None):
        seed = run_seed(seed)
        self.table = vector_table(system) if table is None else table
        self.system, self.theta = system, np.array(theta, dtype=np.float64)
        if not np.all(np.isfinite(self.theta)):
            raise ConfigError("couplings are not finite", where="theta", got=self.theta.tolist())
        self.adapting, self.widths = False, {"small_step": FIRST_WIDTH}
        self._strength = float(self.theta @ self.table.strength_unit)
        links = system.table.at(self.theta, field=zeeman_field(system.model, conditions))
        links = links._replace(onsite=links.onsite + self._strength * self.table.own)
        self._links, self._couplings = links, couplings_from_links(links, system)
        self._lattice = plain_lattice(system)
        self._rows = self.table.rows(links, self._strength)
        self._field = np.zeros((3, self._rows[1].shape[1], LANES))
        self._state, self._age = random_state(seed), np.zeros(1, dtype=np.int64)
        self.set_spins(system.random_spins(np.random.default_rng(seed)))

    @property
    def spins(self):
        """A copy of the spins, (n_spin, 3) float64."""
        return self._spins.copy()

    def set_spins(self, spins):
        """Take other spins, (n_spin, 3); raise :class:`ConfigError` where they are not what the sites may hold."""
        self._spins = self.system.check_spins(spins)
        self._refresh()

    def _refresh(self):
        """Compute the fields anew: rounding errors add up over accepted moves."""
        cell, spins = self.system.cell, self._spins
        fields = -self._strength * self.table.fields(spins)
        own = self.table.dipole[np.arange(cell.n_site), np.arange(cell.n_site)]
        by_site = spins.reshape(cell.n_cell, cell.n_site, 3)
        fields = fields.reshape(cell.n_cell, cell.n_site, 3) + self._links.field
        fields += self._strength * np.einsum("iab,cib->cia", own, by_site)
        for link, site in enumerate(np.repeat(np.arange(cell.n_site), np.diff(self._links.start))):
            near = spins[self._lattice.near[site :: cell.n_site, link - self._links.start[site]]]
            fields[:, site] -= near @ self._links.matrix[link].T
        at = self.table.places.of_spin
        self._field[:, at // LANES, at % LANES] = fields.reshape(-1, 3).T
        self._energies, self._n_sweep = None, 0

    def coupling_energies(self):
        """Return E_k of the supercell, (n_parameter,), dimensionless: energy = θ·E + Zeeman energy."""
        if self._energies is None:
            table, halves = self.system.table, link_halves(self.system)
            products = np.zeros((len(table.target), 9, LANES))
            squares = np.zeros((len(table.square_target), LANES))
            starts = (table.start, table.square_start, halves.keep)
            plain_correlations(self._lattice, *starts, table.square_turn, self._spins, products, squares)
            out = halves.unit @ products.sum(axis=-1).ravel() + halves.constant
            cells = self._spins.reshape(self.system.cell.n_cell, -1, 3).transpose(1, 2, 0)
            out += halves.onsite @ (cells @ cells.swapaxes(1, 2)).ravel()
            out += 0.5 * table.square_unit @ squares.sum(axis=-1)
            self._energies = out + self.table.strength_unit * self.table.energy(self._spins)
        return self._energies.copy()

    def zeeman_energy(self):
        """Return the Zeeman energy of the supercell, meV."""
        by_site = self._spins.reshape(self.system.cell.n_cell, -1, 3).sum(axis=0)
        return -float(np.sum(self._links.field * by_site))

    @property
    def energy(self):
        """Energy of the supercell, meV, Zeeman energy included."""
        return float(self.theta @ self.coupling_energies()) + self.zeeman_energy()

    def run(self, moves, beta, n_round):
        """Make rounds of moves at 1/(k_B T) in 1/meV; return attempted and accepted moves by kind."""
        check_moves(moves, self.supports, "DipolarEngine")
        kinds = np.array([KINDS[move.kind] for move in moves], dtype=np.int64)
        counts = np.array([move.n for move in moves], dtype=np.int64)
        adapt = np.array([move.width is None for move in moves]) & (kinds == KINDS["small_step"]) & self.adapting
        own = self.widths["small_step"]
        widths = np.array([own if move.width is None else move.width for move in moves], dtype=np.float64)
        tally = np.zeros(len(moves), dtype=np.int64)
        lattice = (self._lattice, self._couplings, self._rows, self.table.places.of_spin, self._spins, self._field)
        state = (self._state, self._age, tally)
        cached_rounds(kinds, counts, widths, adapt, n_round, float(beta), *lattice, *state)
        if adapt.any():
            self.widths = {"small_step": float(widths[adapt][-1])}
        self._energies = None
        self._n_sweep += n_round * int(counts.sum())
        if self._n_sweep >= RECOUNT:
            self._refresh()
        return count_moves(moves, self.system.n_occupied, n_round, tally)
