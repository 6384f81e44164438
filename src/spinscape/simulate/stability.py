"""Whether a magnetic structure is a ground state as far as small deviations go: at rest, and stable at every Q."""

from dataclasses import dataclass

import numpy as np

from ..errors import UnstableError
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.model import MagneticStructure, Model
from ..hamiltonian.spiral import SpiralStructure
from .exchange import local_minima, zone_mesh
from .modes import STATIONARITY, checked_couplings
from .quadratic import quadratic_form, sublattice_finder
from .spiral import rotating_form
from .streaming import MEMORY, bytes_for_q

_MESHES = np.array([4, 6, 8, 12])
"""Points of the mesh along a reciprocal vector: the last for a chemical cell with one site. High-symmetry points lie on
these meshes."""
_CANDIDATES, _FEW, _HALVINGS = 12, 3, 12
"""Minima of the mesh that are looked at more closely, how many of them to the end, and how often the mesh is halved."""
_DIGITS = 9


@dataclass(frozen=True)
class Stability:
    """How far a structure is from being unstable.

    Parameters
    ----------
    torque : float
        Largest torque on a spin, relative to ``scale``.
    eigenvalue : float, meV
        Lowest eigenvalue of the quadratic form over the zone; that of a zero mode is zero but for rounding.
    q : tuple of 3 float, r.l.u. of the chemical cell
        Where it is. For a spiral, in the frame that turns with it.
    scale : float, meV
        Upper estimate of the size of the quadratic form.
    """

    torque: float
    eigenvalue: float
    q: tuple[float, float, float]
    scale: float


def check_structure(
    model: Model,
    structure: MagneticStructure | SpiralStructure,
    theta,
    conditions: Conditions | None = None,
    *,
    tolerance: float = STATIONARITY,
) -> Stability:
    """Raise unless a structure is at rest and stable, at these couplings, over the whole zone.

    The quadratic form of its spin waves is looked at on a mesh of the magnetic zone, and around the lowest of its
    minima on ever finer ones.

    Parameters
    ----------
    model : Model
    structure : MagneticStructure or SpiralStructure
    theta : (n_parameter,) float64, meV
    conditions : Conditions, optional
    tolerance : float
        Relative to the scale of the quadratic form: of torques, and of negative eigenvalues.

    Returns
    -------
    Stability

    Raises
    ------
    UnstableError
        Names the spin that is not along its field, or Q and the eigenvalue.
    """
    values = checked_couplings(theta, model.parameter_names)
    zone = _Zone(model, structure, values, conditions)
    torque = _checked_torque(model, structure, zone, tolerance)
    q, eigenvalue = zone.lowest()
    if eigenvalue < -tolerance * zone.scale:
        raise UnstableError(
            "the structure is not stable at these couplings: spin waves of a negative energy lower it",
            where=f"Q = ({', '.join(f'{x:.6g}' for x in q)}) r.l.u., {_named(model, values)}",
            expected=f"no eigenvalue below {-tolerance * zone.scale:.3g} meV",
            got=f"lowest eigenvalue {eigenvalue:.6g} meV",
            fix="declare the ground state of these couplings, or leave this region out",
        )
    return Stability(torque, eigenvalue, tuple(q.tolist()), zone.scale)


class _Zone:
    """The lowest eigenvalue of the quadratic form over the magnetic zone."""

    def __init__(self, model, structure, theta, conditions):
        self.spiral = isinstance(structure, SpiralStructure)
        self.problem, self.theta = (model, structure), theta
        self.conditions = conditions or Conditions()
        self.block = max(1, MEMORY // bytes_for_q(model, structure))
        cell = np.eye(3) if self.spiral else structure.magnetic_cell.astype(np.float64)
        self.reciprocal = np.linalg.inv(cell).T
        self.offset = model.bonds.offset if self.spiral else magnetic_offsets(model, structure)
        self.offset = np.concatenate([self.offset, model.biquadratic.offset]) if self.spiral else self.offset
        if model.dipolar.n_row:
            self.offset = np.concatenate([self.offset, np.eye(3, dtype=np.int64)])
        # Of two magnets alike the one with more sites in its chemical cell has the smaller zone.
        length = np.linalg.norm(cell, axis=1) * model.crystal.n_site ** (1.0 / 3.0)
        self.n_mesh = _MESHES[np.searchsorted(_MESHES, np.minimum(_MESHES[-1] / length, _MESHES[-1]))]
        at_zero = self.form(np.zeros((1, 3)))
        self.torques, self.scale = at_zero.torques(theta), at_zero.scale(theta)

    def form(self, q):
        """Return the quadratic form at q, r.l.u. of the chemical cell."""
        make = rotating_form if self.spiral else quadratic_form
        return make(*self.problem, q, self.conditions)

    def values(self, q):
        """Return the lowest eigenvalues at q, r.l.u. of the magnetic cell: (n_q,) float64, meV."""
        points = q @ self.reciprocal
        starts = range(0, len(points), self.block)
        forms = (self.form(points[k : k + self.block]) for k in starts)
        return np.concatenate([np.linalg.eigvalsh(form.assembled(self.theta))[:, 0] for form in forms])

    def lowest(self):
        """Return Q, r.l.u. of the chemical cell, and the lowest eigenvalue."""
        half, where = zone_mesh(self.offset, self.n_mesh)
        found = np.round(self.values(half) / self.scale, _DIGITS)
        bottom = np.unique(where[local_minima(found[where])])
        chosen = bottom[np.argsort(found[bottom], kind="stable")][:_CANDIDATES]
        q, step = half[chosen], 1.0 / np.array(where.shape)
        reach = [(-1, 0, 1) if n > 1 else (0,) for n in where.shape]
        around = np.stack(np.meshgrid(*reach, indexing="ij"), axis=-1).reshape(-1, 3)
        around = around[np.argsort(np.abs(around).sum(axis=1), kind="stable")]  # of equals the first is taken: stay
        for k in range(2 * _HALVINGS):
            q, value = self._best_of_neighbours(q, 0.5 ** (1 + k // 2) * step * around)
            some = np.argsort(np.round(value / self.scale, _DIGITS), kind="stable")[: max(_FEW, _CANDIDATES >> k // 2)]
            q, value = q[some], value[some]
        best = int(np.argmin(np.round(value / self.scale, _DIGITS)))
        folded = q[best] - np.ceil(q[best] - 0.5 - 1e-9)
        return folded @ self.reciprocal + 0.0, float(value[best])

    def _best_of_neighbours(self, q, around):
        """Return the lowest of each q and its neighbours, and their values."""
        points = q[:, None] + around
        value = self.values(points.reshape(-1, 3)).reshape(len(q), -1)
        best = np.argmin(np.round(value / self.scale, 13), axis=1)
        row = np.arange(len(q))
        return points[row, best], value[row, best]


def magnetic_offsets(model: Model, structure: MagneticStructure) -> np.ndarray:
    """Return the magnetic cell of the far end of each bond of a magnetic cell, (n, 3) int64."""
    find, inverse = sublattice_finder(structure, model.crystal.n_site), np.linalg.inv(structure.magnetic_cell)
    rows = []
    for table in (model.bonds, model.biquadratic):
        for i, j, offset in zip(table.site_i, table.site_j, table.offset, strict=True):
            for tail in np.flatnonzero(structure.site == i):
                cell = structure.cell[tail] + offset
                rows.append((cell - structure.cell[find(j, cell)]) @ inverse)
    return np.round(np.array(rows).reshape(-1, 3)).astype(np.int64)


def _checked_torque(model, structure, zone, tolerance):
    """Return the largest torque relative to the scale, or raise and name the spin."""
    torque = np.linalg.norm(zone.torques, axis=1)
    worst = int(np.argmax(torque))
    if torque[worst] > tolerance * zone.scale:
        site = worst if zone.spiral else int(structure.site[worst])
        cell = (0, 0, 0) if zone.spiral else tuple(structure.cell[worst].tolist())
        raise UnstableError(
            "the structure is not stationary at these couplings: a spin does not lie along its local field",
            where=f"site {model.crystal.labels[site]} (index {site}) in cell {cell}, {_named(model, zone.theta)}",
            expected=f"a torque below {tolerance:g} of the scale {zone.scale:.6g} meV",
            got=f"{torque[worst]:.6g} meV",
            fix="relax the structure at these couplings, give directions with more digits, or leave this region out",
        )
    return float(torque[worst] / zone.scale)


def _named(model, theta):
    return ", ".join(f"{name} = {value:.6g} meV" for name, value in zip(model.parameter_names, theta, strict=True))
