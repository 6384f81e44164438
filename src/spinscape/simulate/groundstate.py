"""Ground states: the classical energy minimised from many random starts, at many couplings at once."""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, ShapeError, SpinscapeError, UnstableError, check_shape
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.model import MagneticStructure, Model
from ..kernels.minimise import minimise_runs
from ..lattice.supercell import Supercell, supercell
from ..rng import stream
from .classical_form import ClassicalForm, checked_grid, classical_form

TORQUE = 1e-10
"""Largest torque on a spin, relative to the scale of the local fields, of a state that counts as stationary."""
_GOAL = 1e-12
ROUNDS = ((30, 4), (60, 4), (120, 4), (240, 4), (500, 8), (1000, 25), (3000, 100))
"""Sweeps, and Newton steps at most, of each round. Few steps are enough near a simple minimum; far from it, and along
bent families of degenerate states, sweeps are faster; long waves in large cells need the steps of the last rounds."""
_OVER = 0.5
SAME_ENERGY, SAME_SITE_ENERGY = 1e-9, 1e-5
"""Differences, relative to the same scale, within which two minima are one. Torques decide the energy to second
order, energies of sites to first; at soft minima (E ~ x⁴) a torque of 1e-12 leaves 1e-8 of those."""
_CHUNK = 4_000_000
"""Numbers (spins and matrices) that are treated at once: 100 MB at most."""


@dataclass(frozen=True)
class Minimum:
    """One minimum of the energy, up to its symmetry.

    Parameters
    ----------
    energy : float, meV per spin
    count : int
        Starts that ended in it.
    start : int
        The first of them.
    """

    energy: float
    count: int
    start: int


@dataclass(frozen=True, eq=False)
class GroundStates:
    """The lowest minima found, and how.

    Parameters
    ----------
    model : Model
    cell : Supercell
    theta : (n_point, n_parameter) float64, meV
    spins : (n_point, n_spin, 3) float64
        Lowest state of each point; vectors of length S in the order of ``cell``.
    energies : (n_point, n_start) float64, meV per spin
        What each start ended with.
    torques : (n_point, n_start) float64
        Largest torque of the state, relative to the scale of the local fields.
    steps : (n_point, n_start) int64
        Newton steps that were taken.
    minima : tuple of tuple of Minimum
        For each point the distinct minima, lowest first: states of one energy whose sorted energies of the sites
        agree too. Symmetry-related states are one minimum, and so is a connected family of degenerate ones.
        Starts that did not become stationary are left out.
    """

    model: Model
    cell: Supercell
    theta: np.ndarray
    spins: np.ndarray
    energies: np.ndarray
    torques: np.ndarray
    steps: np.ndarray
    minima: tuple[tuple[Minimum, ...], ...]

    @property
    def n_point(self):
        """Number of sets of couplings."""
        return len(self.theta)

    @property
    def energy(self):
        """Energy of the lowest state of each point, (n_point,) float64, meV per spin."""
        return self.energies.min(axis=1)

    @property
    def converged(self):
        """Whether each start became stationary, (n_point, n_start) bool."""
        return self.torques <= TORQUE

    @property
    def found(self):
        """Whether the lowest energy of each point is that of a stationary state, (n_point,) bool."""
        lowest = np.array([rows[0].energy if rows else np.inf for rows in self.minima])
        return lowest <= self.energy + SAME_ENERGY * np.abs(self.energy)

    def structure(self, point: int = 0) -> MagneticStructure:
        """Return the lowest state of a point as a structure.

        Raises
        ------
        UnstableError
            Where no start came to rest in the lowest state.
        """
        if not self.found[point]:
            raise UnstableError(
                "no ground state was found at these couplings: the lowest of the states did not come to rest",
                where=f"theta = {self.theta[point].tolist()} meV",
                expected=f"a relative torque below {TORQUE:g}",
                got=f"{self.torques[point].min():.3g} at best",
                fix="ask for more starts, or longer rounds",
            )
        return structure_of_spins(self.spins[point], self.cell)


def structure_of_spins(spins, cell: Supercell) -> MagneticStructure:
    """Return spins (n_spin, 3) of a supercell as a :class:`MagneticStructure`."""
    site = np.tile(np.arange(cell.n_site), cell.n_cell)
    return MagneticStructure(cell.matrix, site, np.repeat(cell.cells, cell.n_site, axis=0), spins)


def minimise_energy(
    model: Model,
    cell,
    theta,
    *,
    conditions: Conditions | None = None,
    n_start: int = 32,
    seed: int = 0,
    first=None,
    rounds=ROUNDS,
) -> GroundStates:
    """Return the lowest classical states of a supercell at many couplings.

    Each start is drawn at random, laid along its local fields in over-relaxed sweeps, then relaxed by Riemannian
    trusted Newton steps; where these do not come to rest, in further rounds of longer sweeps. The starts of a point
    depend on the seed, couplings, field and cell alone: more starts never change the earlier ones, and points may be
    asked for in any order.

    Parameters
    ----------
    model : Model
    cell : (3,) or (3, 3) int
        Numbers of cells, or vectors of the supercell as rows. The state repeats with it: ask for a cell that holds
        the order, see :func:`~spinscape.simulate.luttinger_tisza.luttinger_tisza`.
    theta : (n_point, n_parameter) or (n_parameter,) float64, meV
    conditions : Conditions, optional
    n_start : int
        Random starts of each point.
    seed : int
    first : (n_first, n_spin, 3) float64, optional
        Directions that every point is also started from, before the random ones.
    rounds : sequence of (int, int)
        Sweeps of each round, and Newton steps at most after them, which end the work where they come to rest.

    Returns
    -------
    GroundStates

    Notes
    -----
    Spins keep their lengths. A start that has not come to rest after the last round keeps its energy and torque, and
    counts in no minimum. Memory: 24 n_start n_spin bytes and 100 MB; with dipoles 700 n_spin² bytes, for 1024 spins at
    most.
    """
    block = supercell(cell, n_site=model.crystal.n_site)
    conditions = conditions or Conditions()
    values = checked_grid(theta, model.parameter_names)
    form = classical_form(model, cell=block, conditions=conditions)
    given = _checked_first(first, block)
    if n_start + len(given) < 1:
        raise ConfigError("nothing to start from", where="n_start", expected="at least one start", got=n_start)
    size = (n_start + len(given)) * form.n_spin * 3 + (len(form.head) + form.n_spin) * 9
    step = max(1, _CHUNK // size)
    parts = []
    for begin in range(0, len(values), step):
        some = values[begin : begin + step]
        drawn = [random_starts(seed, row, conditions, block, n_start) for row in some]
        starts = np.stack([np.concatenate([given, row]) for row in drawn])
        parts.append(_minimised(form, some, starts, rounds))
    *arrays, minima = zip(*parts, strict=True)
    spins, energies, torques, steps = (np.concatenate(array) for array in arrays)
    return GroundStates(
        model, block, values, spins, energies, torques, steps, tuple(row for rows in minima for row in rows)
    )


def relax(form: ClassicalForm, theta, starts, *, rounds=ROUNDS):
    """Return the states that directions relax to.

    Parameters
    ----------
    form : ClassicalForm
    theta : (n_point, n_parameter) float64, meV
    starts : (n_point, n_start, n_spin, 3) float64, unit vectors
    rounds : sequence of (int, int)
        Sweeps and Newton steps of each round.

    Returns
    -------
    direction : (n_point, n_start, n_spin, 3) float64, unit vectors
    energy : (n_point, n_start) float64, meV
        Of the whole block.
    torque : (n_point, n_start) float64
        Largest torque, relative to the scale of the local fields.
    steps : (n_point, n_start) int64
    """
    schedule = np.array(rounds, dtype=np.int64)
    if schedule.ndim != 2 or schedule.shape[1] != 2 or len(schedule) < 1 or schedule.min() < 0:
        raise ConfigError(
            "no round of minimisation", where="rounds", expected="pairs (sweeps, steps)", got=repr(rounds)
        )
    at, shape = form.at(theta), starts.shape[:2]
    n = np.array(starts, dtype=np.float64, order="C").reshape(-1, form.n_spin, 3)
    point = np.repeat(np.arange(shape[0]), shape[1])
    energy, torque, steps = np.empty(len(n)), np.empty(len(n)), np.empty(len(n), dtype=np.int64)
    sweeps, most = schedule.T.copy()
    minimise_runs(point, n, *form.kernel_arguments(at), sweeps, most, _OVER, _GOAL, energy, torque, steps)
    energy += at.constant[point]
    if not np.all(np.isfinite(energy)):
        raise SpinscapeError("an energy overflows", where="theta", got=f"largest scale {at.scale.max():.3g} meV")
    relative = (torque / at.scale[point]).reshape(shape)
    return n.reshape(*shape, -1, 3), energy.reshape(shape), relative, steps.reshape(shape)


def _minimised(form, theta, starts, rounds):
    """Return spins of the lowest states, and energies, torques, steps and minima of all."""
    n, energy, torque, steps = relax(form, theta, starts, rounds=rounds)
    at = form.at(theta)
    spins, minima = [], []
    for p in range(len(theta)):
        scale = at.scale[p]
        sites = np.sort([site_energies(form, at, p, row) for row in n[p]], axis=1)
        rows = _distinct(energy[p] / form.n_spin, sites, torque[p] <= TORQUE, scale)
        minima.append(rows)
        spins.append(form.lengths[:, None] * n[p, rows[0].start if rows else np.argmin(energy[p])])
    return np.stack(spins), energy / form.n_spin, torque, steps, minima


def site_energies(form: ClassicalForm, at, point: int, direction) -> np.ndarray:
    """Return n_i·f_i of every spin, (n_spin,) meV: minus the length of its field where a state is stationary."""
    return np.sum(direction * form.fields(at, point, direction), axis=1)


def _distinct(energies, sites, stationary, scale):
    """Return the minima among runs: those of one energy and the same sorted energies of the sites."""
    found: list[list[int]] = []
    for run in np.argsort(np.where(stationary, energies, np.inf), kind="stable")[: np.count_nonzero(stationary)]:
        for members in found:
            near = abs(energies[run] - energies[members[0]]) <= SAME_ENERGY * scale
            if near and np.max(np.abs(sites[run] - sites[members[0]])) <= SAME_SITE_ENERGY * scale:
                members.append(int(run))
                break
        else:
            found.append([int(run)])
    return tuple(Minimum(float(energies[members].min()), len(members), min(members)) for members in found)


def random_starts(seed, theta, conditions, cell, n_start):
    """Return random directions, (n_start, n_spin, 3)."""
    content = (theta, conditions.field, cell.matrix.astype(np.float64), cell.n_site)
    drawn = stream(seed, "start", *content).standard_normal((n_start, cell.n_spin, 3))
    return drawn / np.linalg.norm(drawn, axis=-1, keepdims=True)


def _checked_first(first, cell):
    """Return given starts as unit vectors, (n_first, n_spin, 3)."""
    if first is None:
        return np.zeros((0, cell.n_spin, 3))
    given = np.asarray(first, dtype=np.float64)
    check_shape("first", given, ("n_first", cell.n_spin, 3), hint="One set of directions for each start.")
    length = np.linalg.norm(given, axis=-1, keepdims=True)
    if not np.all((length > 0) & np.isfinite(length)):
        raise ShapeError("a spin of a start has no direction", where="first", fix="give finite vectors, not zero")
    return given / length
