"""Spirals of one wave vector: their energy in closed form, and its minimum over k, axis, cone and site phases.

    n_i(R) = sin α_i (cos(2π k·R + φ_i) e1 + sin(2π k·R + φ_i) e2) + cos α_i a,      e1 × e2 = a

Averaged over a common phase, which changes nothing where the couplings are invariant under turns about a, and with
ζ_i = sin α_i exp(iφ_i), z_i = cos α_i, the energy per cell is

    E = Σ_bonds θ S_i S_j [½ (tr M - a·M·a) Re W + D·a Im W + a·M·a z_i z_j],    W = ζ̄_i ζ_j exp(2πi k·offset)
      + Σ_i θ S_i² [½ (tr A - a·A·a) |ζ_i|² + a·A·a z_i²] + μ_B Σ_i S_i z_i B·g_i·a,       D_a = ½ Σ_bc ε_abc M_bc

At given k and a that is a quadratic form of the unit vectors (Re ζ_i, Im ζ_i, z_i): the same minimisation as for
spins finds them.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from ..errors import ConfigError, UnstableError
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.energy import zeeman_field
from ..hamiltonian.model import MagneticStructure, Model
from ..kernels.minimise import minimise_runs
from ..lattice.supercell import supercell
from ..rng import stream
from .luttinger_tisza import zone_mesh
from .modes import checked_couplings

UNIFORM = 1e-9
"""Change of a matrix under a turn about the axis, relative to its size, that counts as none."""
_LEVI = np.array([[[(i - j) * (j - k) * (k - i) / 2.0 for k in range(3)] for j in range(3)] for i in range(3)])
_SWEEPS, _OVER, _GOAL, _MAX_STEP = (30, 300), 0.5, 1e-10, 25
_POLISHED = 12


@dataclass(frozen=True, eq=False)
class Spiral:
    """A structure of one wave vector, R(a, 2π k·R) n_i.

    Parameters
    ----------
    k : (3,) float64, r.l.u.
    axis : (3,) float64, unit vector
        a: spins turn about it, right-handed, along k.
    direction : (n_site, 3) float64, unit vectors
        In the chemical cell at the origin.
    energy : float, meV per spin
    exact : bool
        Whether the couplings are invariant under turns about the axis: the energy is then that of the structure
        with any common phase. Otherwise it is the mean over that phase, and a state of no more energy is there.
    """

    k: np.ndarray
    axis: np.ndarray
    direction: np.ndarray
    energy: float
    exact: bool

    def directions(self, cells) -> np.ndarray:
        """Return the unit vectors in chemical cells (n_cell, 3): (n_cell, n_site, 3)."""
        angle = 2.0 * np.pi * (np.asarray(cells, dtype=np.float64) @ self.k)[:, None, None]
        along = (self.direction @ self.axis)[:, None] * self.axis
        return along + np.cos(angle) * (self.direction - along) + np.sin(angle) * np.cross(self.axis, self.direction)

    def structure(self, magnetic_cell) -> MagneticStructure:
        """Return the spiral in a magnetic cell, (3,) or (3, 3) int.

        Raises
        ------
        ConfigError
            Where the spiral does not repeat with the cell.
        """
        cell = supercell(magnetic_cell, n_site=len(self.direction))
        turns = cell.matrix @ self.k
        circling = bool(np.max(np.linalg.norm(np.cross(self.axis, self.direction), axis=1)) > 1e-6)
        if circling and np.max(np.abs(turns - np.round(turns))) > 1e-6:
            raise ConfigError(
                "the spiral does not fit into this magnetic cell",
                where="magnetic_cell",
                expected="whole turns along each of its vectors",
                got=f"k = {self.k.tolist()}: {turns.round(6).tolist()} turns",
                fix="take another cell, or a spiral of a k that it holds",
            )
        site = np.tile(np.arange(cell.n_site), cell.n_cell)
        cells = np.repeat(cell.cells, cell.n_site, axis=0)
        return MagneticStructure(cell.matrix, site, cells, self.directions(cell.cells).reshape(-1, 3))


@dataclass(frozen=True, eq=False)
class SpiralForm:
    """What the energy of spirals needs of a model at given couplings.

    Parameters
    ----------
    site_i, site_j : (n_bond,) int64, offset : (n_bond, 3) int64
    matrix : (n_bond, 3, 3) float64, meV
        θ S_i S_j M.
    own : (n_site, 3, 3) float64, meV
        Σ θ S² A, symmetric.
    zeeman : (n_site, 3) float64, meV
        μ_B S B·g.
    """

    site_i: np.ndarray
    site_j: np.ndarray
    offset: np.ndarray
    matrix: np.ndarray
    own: np.ndarray
    zeeman: np.ndarray

    @property
    def n_site(self):
        """Number of sites of the chemical cell."""
        return len(self.own)

    @property
    def size(self):
        """Upper estimate of the energies, meV."""
        parts = (np.linalg.norm(self.matrix, axis=(1, 2)), np.linalg.norm(self.own, axis=(1, 2)))
        return float(sum(part.sum() for part in parts) + np.linalg.norm(self.zeeman, axis=1).sum()) or 1.0


def spiral_form(model: Model, theta, conditions: Conditions | None = None) -> SpiralForm:
    """Return the form of a model at couplings (n_parameter,), meV."""
    values, s = checked_couplings(theta, model.parameter_names), model.crystal.spins
    bonds, onsite = model.bonds, model.onsite
    weight = values[bonds.parameter] * s[bonds.site_i] * s[bonds.site_j]
    own = np.zeros((model.crystal.n_site, 3, 3))
    np.add.at(own, onsite.site, (values[onsite.parameter] * s[onsite.site] ** 2)[:, None, None] * onsite.matrix)
    zeeman = -s[:, None] * zeeman_field(model, conditions or Conditions())
    matrix = weight[:, None, None] * bonds.matrix
    return SpiralForm(bonds.site_i, bonds.site_j, bonds.offset, matrix, own, zeeman)


def spiral_energy(form: SpiralForm, k, axis, local) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Return the energy of a spiral per cell and its derivatives.

    Parameters
    ----------
    form : SpiralForm
    k : (3,) float64, r.l.u.
    axis : (3,) float64, unit vector
    local : (n_site, 3) float64
        Components (Re ζ, Im ζ, z) along e1, e2 and the axis.

    Returns
    -------
    energy : float, meV
    by_k : (3,), by_axis : (3,), by_local : (n_site, 3) float64
        Partial derivatives; those by the axis and the local components in all three directions of space.
    """
    zeta, z = local[:, 0] + 1j * local[:, 1], local[:, 2]
    i, j = form.site_i, form.site_j
    turn = np.exp(2j * np.pi * (form.offset @ k))
    w, zz = zeta[i].conj() * zeta[j] * turn, z[i] * z[j]
    both = form.matrix + form.matrix.transpose(0, 2, 1)
    vector = 0.5 * np.einsum("abc,nbc->na", _LEVI, form.matrix)
    along = 0.5 * np.einsum("a,nab,b->n", axis, both, axis)
    across, chiral = 0.5 * (np.trace(form.matrix, axis1=1, axis2=2) - along), vector @ axis
    own_along = np.einsum("a,nab,b->n", axis, form.own, axis)
    own_across = 0.5 * (np.trace(form.own, axis1=1, axis2=2) - own_along)
    circle = np.abs(zeta) ** 2
    energy = np.sum(across * w.real + chiral * w.imag + along * zz)
    energy += np.sum(own_across * circle + own_along * z**2) + np.sum(z * (form.zeeman @ axis))
    by_k = 2.0 * np.pi * (chiral * w.real - across * w.imag) @ form.offset
    by_axis = np.einsum("n,nab,b->a", zz - 0.5 * w.real, both, axis) + w.imag @ vector
    by_axis += 2.0 * np.einsum("n,nab,b->a", z**2 - 0.5 * circle, form.own, axis) + z @ form.zeeman
    # dE = Re(c̄ dζ): W is conj(ζ_i) ζ_j turn.
    pull, c = (across - 1j * chiral) * turn, 2.0 * own_across * zeta
    by_z = 2.0 * own_along * z + form.zeeman @ axis
    np.add.at(c, i, pull * zeta[j])
    np.add.at(c, j, (pull * zeta[i].conj()).conj())
    np.add.at(by_z, i, along * z[j])
    np.add.at(by_z, j, along * z[i])
    return float(energy), by_k, by_axis, np.stack([c.real, c.imag, by_z], axis=1)


def minimise_spiral(
    model: Model,
    theta,
    *,
    conditions: Conditions | None = None,
    n_mesh: int = 12,
    axes=None,
    n_start: int = 4,
    seed: int = 0,
) -> Spiral:
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
    Spiral
        Ferromagnets are spirals of k = 0, antiferromagnets of k with 2k a reciprocal lattice vector. Never below the
        ground state: where turns about the axis change the energy, the mean over them is taken, see :class:`Spiral`.
    """
    form = spiral_form(model, theta, conditions)
    starts = _axes(axes, conditions or Conditions())
    half, _ = zone_mesh(form.offset, n_mesh)
    # k and -k with one axis are two spirals, unless mirrored by the opposite axis: both signs are tried.
    k = np.unique(np.concatenate([half, -half % 1.0]), axis=0)
    content = (np.asarray(theta, dtype=np.float64), starts, n_mesh)
    local = stream(seed, "start", "spiral", *content).standard_normal((n_start, form.n_site, 3))
    local /= np.linalg.norm(local, axis=-1, keepdims=True)
    grid = [(q, a) for a in starts for q in k]
    found, energy = _site_minima(form, grid, local)
    order = np.argsort(np.round(energy.min(axis=1) / form.size, 9), kind="stable")[:_POLISHED]
    best = [_polished(form, *grid[p], found[p, np.argmin(energy[p])]) for p in order]
    # Ties go to the first: rounding must not choose between equal spirals.
    floor = min(e for e, *_ in best)
    e, q, axis, sites = next(row for row in best if row[0] <= floor + 1e-11 * form.size)
    return _spiral(form, e, q, axis, sites)


def _axes(axes, conditions):
    """Return the axes to start from, (n_axis, 3) unit vectors."""
    field = np.asarray(conditions.field, dtype=np.float64)
    default = np.eye(3) if not np.any(field) else np.concatenate([[field], np.eye(3)])
    rows = np.atleast_2d(np.asarray(default if axes is None else axes, dtype=np.float64))
    length = np.linalg.norm(rows, axis=1, keepdims=True) if rows.shape[1:] == (3,) else np.zeros(1)
    if not np.all((length > 0) & np.isfinite(length)):
        raise ConfigError("an axis of a spiral is three numbers, not all zero", where="axes", got=repr(axes)[:200])
    return rows / length


def _frame(axis):
    """Return e1 and e2 with e1 × e2 = axis, (2, 3)."""
    e = np.eye(3)[np.argmin(np.round(np.abs(axis), 9))]
    first = e - axis * (e @ axis)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(axis, first)])


def _site_minima(form, grid, local):
    """Return the sites' local vectors and energies of minima: (n_grid, n_start, n_site, 3) and (n_grid, n_start)."""
    n, n_start = form.n_site, len(local)
    tail, head = (x.ravel() for x in np.indices((n, n)))
    apart = tail != head
    start = np.searchsorted(tail[apart], np.arange(n + 1))
    matrix, linear = _local_matrices(form, grid)
    own = np.ascontiguousarray(matrix[:, np.arange(n), np.arange(n)])
    between = np.ascontiguousarray(matrix[:, tail[apart], head[apart]])
    shift = np.linalg.eigvalsh(own)[:, :, -1].copy()
    scale = np.full(len(grid), form.size)
    runs = np.tile(local, (len(grid), 1, 1))
    point = np.repeat(np.arange(len(grid)), n_start)
    energy, torque, steps = np.empty(len(runs)), np.empty(len(runs)), np.empty(len(runs), dtype=np.int64)
    coefficients = (start, head[apart], between, own, linear, shift, scale)
    minimise_runs(point, runs, *coefficients, np.array(_SWEEPS), _OVER, _GOAL, _MAX_STEP, energy, torque, steps)
    return runs.reshape(len(grid), n_start, n, 3), energy.reshape(len(grid), n_start)


def _local_matrices(form, grid):
    """Return the quadratic form of the local vectors, (n_grid, n_site, n_site, 3, 3), and the linear part."""
    n = form.n_site
    out = np.zeros((len(grid), n, n, 3, 3))
    linear = np.zeros((len(grid), n, 3))
    turn = np.exp(2j * np.pi * (np.array([q for q, _ in grid]) @ form.offset.T))
    axis = np.array([a for _, a in grid])
    along = np.einsum("pa,nab,pb->pn", axis, form.matrix, axis)
    across = 0.5 * (np.trace(form.matrix, axis1=1, axis2=2) - along)
    pull = (across - 1j * axis @ (0.5 * np.einsum("abc,nbc->na", _LEVI, form.matrix)).T) * turn
    block = np.zeros((*pull.shape, 3, 3))
    # Re(conj(ζ_i) p ζ_j) as a matrix on (x, y).
    block[..., 0, 0] = block[..., 1, 1] = pull.real
    block[..., 0, 1], block[..., 1, 0] = -pull.imag, pull.imag
    block[..., 2, 2] = along
    for b, (i, j) in enumerate(zip(form.site_i, form.site_j, strict=True)):
        out[:, i, j] += block[:, b]
        out[:, j, i] += block[:, b].transpose(0, 2, 1)
    own_along = np.einsum("pa,nab,pb->pn", axis, form.own, axis)
    own_across = 0.5 * (np.trace(form.own, axis1=1, axis2=2) - own_along)
    site = np.arange(n)
    out[:, site, site, 0, 0] += 2.0 * own_across
    out[:, site, site, 1, 1] += 2.0 * own_across
    out[:, site, site, 2, 2] += 2.0 * own_along
    linear[:, :, 2] = axis @ form.zeeman.T
    return out, linear


def _polished(form, k, axis, local):
    """Return energy, k, axis and local vectors after minimisation in all variables together."""

    def parts(x):
        a, sites = x[3:6], x[6:].reshape(-1, 3)
        lengths = np.linalg.norm(sites, axis=1, keepdims=True)
        return x[:3], a / np.linalg.norm(a), sites / lengths, np.linalg.norm(a), lengths

    def value(x):
        q, a, sites, a_length, lengths = parts(x)
        e, by_k, by_axis, by_local = spiral_energy(form, q, a, sites)
        by_axis = (by_axis - a * (a @ by_axis)) / a_length
        by_local = (by_local - sites * np.sum(sites * by_local, axis=1, keepdims=True)) / lengths
        return e / form.size, np.concatenate([by_k, by_axis, by_local.ravel()]) / form.size

    begin = np.concatenate([k, axis, local.ravel()])
    x = minimize(value, begin, jac=True, method="BFGS", options={"gtol": 1e-11, "maxiter": 2000}).x
    q, a, sites, _, _ = parts(x)
    return spiral_energy(form, q, a, sites)[0], q, a, sites


def _spiral(form, energy, k, axis, local):
    """Return a :class:`Spiral` of local vectors."""
    if not np.isfinite(energy):
        raise UnstableError("no spiral was found: an energy is not finite", got=energy)
    frame = np.concatenate([_frame(axis), axis[None]])
    k = k - np.ceil(k - 0.5 - 1e-9) + 0.0  # no negative zeros
    return Spiral(k, axis, local @ frame, energy / form.n_site, _uniform(form, axis, local))


def _uniform(form, axis, local):
    """Return whether the energy does not change where all spins of a spiral turn about its axis."""
    cross = np.einsum("abc,b->ac", -_LEVI, axis)
    if np.max(np.linalg.norm(local[:, :2], axis=1)) < 1e-6:
        return True
    matrices = np.concatenate([form.matrix, form.own])
    changed = cross @ matrices - matrices @ cross
    across = form.zeeman - np.outer(form.zeeman @ axis, axis)
    size = max(np.max(np.abs(changed), initial=0.0), np.max(np.abs(across), initial=0.0))
    return bool(size <= UNIFORM * form.size)
