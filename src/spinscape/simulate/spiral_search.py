"""Spirals of least energy, over wave vector, axis, cone angles and site phases."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from ..errors import ConfigError
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.model import MagneticStructure, Model
from ..hamiltonian.spiral import SpiralStructure
from ..kernels.minimise import minimise_runs
from ..rng import stream
from .classical_form import Squares
from .exchange import zone_mesh
from .spiral_energy import (
    energy_and_slopes,
    local_matrices,
    perpendicular_frame,
    quartic_turns,
    spiral_energy,
    turns_freely,
)

_SWEEPS, _STEPS, _OVER, _GOAL = np.array([30, 300]), np.array([5, 25]), 0.5, 1e-10
_POLISHED = 12
_WHOLE = 1e-6
"""Part of a spin across the axis that counts as none."""


@dataclass(frozen=True, eq=False)
class LowestSpiral:
    """A spiral of least energy.

    Parameters
    ----------
    spiral : SpiralStructure
    energy : float, meV per spin
    exact : bool
        Whether the couplings are invariant under turns about the axis: the energy is then that of the structure
        with any common phase. Otherwise it is the mean over that phase, and a state of no more energy is there.
    """

    spiral: SpiralStructure
    energy: float
    exact: bool

    def directions(self, cells) -> np.ndarray:
        """Return the unit vectors in chemical cells (n_cell, 3): (n_cell, n_site, 3)."""
        return self.spiral.directions(cells)

    def in_cell(self, magnetic_cell) -> MagneticStructure:
        """Return the spiral as a structure of a magnetic cell, as :meth:`SpiralStructure.in_cell`."""
        return self.spiral.in_cell(magnetic_cell)


def minimise_spiral(
    model: Model,
    theta,
    *,
    conditions: Conditions | None = None,
    n_mesh: int = 12,
    axes=None,
    n_start: int = 4,
    seed: int = 0,
) -> LowestSpiral:
    """Return the spiral of lowest energy, over wave vector, axis, cone angles and site phases.

    Every wave vector of a mesh is tried with every axis and some random starts of the sites; the lowest are then
    minimised in all variables together.

    Parameters
    ----------
    model : Model
    theta : (n_parameter,) float64, meV
    conditions : Conditions, optional
    n_mesh : int
        Points along each axis of the zone.
    axes : (n_axis, 3) float64, optional
        Axes to start from; by default the Cartesian ones and that of the field.
    n_start : int
        Random starts of the sites for each wave vector and axis.
    seed : int

    Returns
    -------
    LowestSpiral
        Ferromagnets are spirals of k = 0, antiferromagnets of k with 2k a reciprocal lattice vector. Never below the
        ground state: where turns about the axis change the energy, the mean over them is taken, see ``exact``.
    """
    form = spiral_energy(model, theta, conditions)
    starts = _axes(axes, conditions or Conditions())
    half, _ = zone_mesh(form.links, n_mesh)
    # k and -k with one axis are two spirals, unless mirrored by the opposite axis: both signs are tried.
    k = np.unique(np.concatenate([half, -half % 1.0]), axis=0)
    content = (np.asarray(theta, dtype=np.float64), starts, n_mesh)
    local = stream(seed, "start", "spiral", *content).standard_normal((n_start, form.n_site, 3))
    local /= np.linalg.norm(local, axis=-1, keepdims=True)
    grid_k, grid_axis = np.tile(k, (len(starts), 1)), np.repeat(starts, len(k), axis=0)
    found, energy = _site_minima(form, grid_k, grid_axis, local)
    order = np.argsort(np.round(energy.min(axis=1) / form.size, 9), kind="stable")[:_POLISHED]
    best = [_polished(form, grid_k[p], grid_axis[p], found[p, np.argmin(energy[p])]) for p in order]
    # Ties go to the first: rounding must not choose between equal spirals.
    floor = min(e for e, *_ in best)
    e, q, axis, sites = next(row for row in best if row[0] <= floor + 1e-11 * form.size)
    if np.max(np.linalg.norm(sites[:, :2], axis=1)) < _WHOLE:
        q = np.zeros(3)  # spins along the axis do not turn
    q = q - np.ceil(q - 0.5 - 1e-9) + 0.0  # no negative zeros
    frame = np.concatenate([perpendicular_frame(axis), axis[None]])
    return LowestSpiral(SpiralStructure(q, axis, sites @ frame), e / form.n_site, turns_freely(form, axis, sites, q))


def _axes(axes, conditions):
    """Return the axes to start from, (n_axis, 3) unit vectors."""
    field = np.asarray(conditions.field, dtype=np.float64)
    default = np.eye(3) if not np.any(field) else np.concatenate([[field], np.eye(3)])
    rows = np.atleast_2d(np.asarray(default if axes is None else axes, dtype=np.float64))
    length = np.linalg.norm(rows, axis=1, keepdims=True) if rows.shape[1:] == (3,) else np.zeros(1)
    if not np.all((length > 0) & np.isfinite(length)):
        raise ConfigError("an axis of a spiral is three numbers, not all zero", where="axes", got=repr(axes)[:200])
    return rows / length


def _site_minima(form, k, axis, local):
    """Return the sites' local vectors and energies of minima: (n_grid, n_start, n_site, 3) and (n_grid, n_start)."""
    n, n_start = form.n_site, len(local)
    tail, head = (x.ravel() for x in np.indices((n, n)))
    apart = tail != head
    start = np.searchsorted(tail[apart], np.arange(n + 1))
    matrix, linear = local_matrices(form, k, axis)
    own = np.ascontiguousarray(matrix[:, np.arange(n), np.arange(n)])
    between = np.ascontiguousarray(matrix[:, tail[apart], head[apart]])
    shift = np.linalg.eigvalsh(own)[:, :, -1].copy()
    scale = np.full(len(k), form.size)
    runs = np.tile(local, (len(k), 1, 1))
    point = np.repeat(np.arange(len(k)), n_start)
    energy, torque, steps = np.empty(len(runs)), np.empty(len(runs)), np.empty(len(runs), dtype=np.int64)
    rows = _quartic_rows(form, k)
    strength = np.tile(rows.factor, (len(k), 1))
    shift += rows.bound(rows.factor)
    squares = (rows.start, rows.head, rows.turn, strength)
    coefficients = (start, head[apart], between, own, linear, squares, shift, scale)
    minimise_runs(point, runs, *coefficients, _SWEEPS, _STEPS, _OVER, _GOAL, energy, torque, steps)
    return runs.reshape(len(k), n_start, n, 3), energy.reshape(len(k), n_start)


def _quartic_rows(form, k):
    """Return the quartic terms from either end, their turns with the axis (n_grid,) in front."""
    turn = quartic_turns(form, k)
    tail = np.concatenate([form.quartic_i, form.quartic_j])
    order = np.argsort(tail, kind="stable")
    start = np.searchsorted(tail[order], np.arange(form.n_site + 1))
    head = np.concatenate([form.quartic_j, form.quartic_i])[order]
    both = np.ascontiguousarray(np.concatenate([turn, turn.swapaxes(2, 3)], axis=1)[:, order])
    return Squares(start, head, both, np.zeros(len(tail), dtype=np.int64), np.tile(form.quartic, 2)[order])


def _polished(form, k, axis, local):
    """Return energy, k, axis and local vectors after minimisation in all variables together."""

    def parts(x):
        a, sites = x[3:6], x[6:].reshape(-1, 3)
        lengths = np.linalg.norm(sites, axis=1, keepdims=True)
        return x[:3], a / np.linalg.norm(a), sites / lengths, np.linalg.norm(a), lengths

    def value(x):
        q, a, sites, a_length, lengths = parts(x)
        e, by_k, by_axis, by_local = energy_and_slopes(form, q, a, sites)
        by_axis = (by_axis - a * (a @ by_axis)) / a_length
        by_local = (by_local - sites * np.sum(sites * by_local, axis=1, keepdims=True)) / lengths
        return e / form.size, np.concatenate([by_k, by_axis, by_local.ravel()]) / form.size

    begin = np.concatenate([k, axis, local.ravel()])
    x = minimize(value, begin, jac=True, method="BFGS", options={"gtol": 1e-11, "maxiter": 2000}).x
    q, a, sites, _, _ = parts(x)
    return energy_and_slopes(form, q, a, sites)[0], q, a, sites
