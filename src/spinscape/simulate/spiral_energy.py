"""Energy of spirals of one wave vector, in closed form.

    n_i(R) = sin α_i (cos(2π k·R + φ_i) e1 + sin(2π k·R + φ_i) e2) + cos α_i a,      e1 × e2 = a

Averaged over a common phase, which changes nothing where the couplings are invariant under turns about a, and with
ζ_i = sin α_i exp(iφ_i), z_i = cos α_i, the energy per cell is

    E = Σ_bonds θ S_i S_j [½ (tr M - a·M·a) Re W + D·a Im W + a·M·a z_i z_j],    W = ζ̄_i ζ_j exp(2πi k·offset)
      + Σ_i θ S_i² [½ (tr A - a·A·a) |ζ_i|² + a·A·a z_i²] + μ_B Σ_i S_i z_i B·g_i·a,       D_a = ½ Σ_bc ε_abc M_bc

Dipoles are bonds of a wave vector, ½ Re Σ_ij ζ̄_i ζ_j [½ (tr M(k) - a·M(k)·a) - i D(k)·a] + ½ Σ_ij z_i z_j a·M(0)·a. A
biquadratic θ B (S_i·S_j)² is θ B S_i² S_j² (Re W + z_i z_j)² exactly: the product is the same all along a spiral. At
given k and a the energy is a form of the unit vectors (Re ζ_i, Im ζ_i, z_i), quadratic but for those squares: the
minimisation of spins finds the best ones.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from ..hamiltonian.biquadratic import biquadratic_parts
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.model import Model
from ..hamiltonian.zeeman import zeeman_field
from .directed import check_free_vectors
from .exchange import ZoneDipoles, zone_dipoles
from .modes import checked_couplings

_LEVI = np.array([[[(i - j) * (j - k) * (k - i) / 2.0 for k in range(3)] for j in range(3)] for i in range(3)])
UNIFORM = 1e-9
"""Change of a matrix under a turn about the axis, relative to its size, that counts as none."""


@dataclass(frozen=True, eq=False)
class SpiralEnergy:
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
    quartic_i, quartic_j : (n_quartic,) int64, quartic_offset : (n_quartic, 3) int64
    quartic : (n_quartic,) float64, meV
        θ B S_i² S_j².
    constant : float, meV
    dipoles : ZoneDipoles or None
    """

    site_i: np.ndarray
    site_j: np.ndarray
    offset: np.ndarray
    matrix: np.ndarray
    own: np.ndarray
    zeeman: np.ndarray
    quartic_i: np.ndarray
    quartic_j: np.ndarray
    quartic_offset: np.ndarray
    quartic: np.ndarray
    constant: float
    dipoles: ZoneDipoles | None

    @property
    def n_site(self):
        """Number of sites of the chemical cell."""
        return len(self.own)

    @property
    def size(self):
        """Upper estimate of the energies, meV."""
        parts = (np.linalg.norm(self.matrix, axis=(1, 2)), np.linalg.norm(self.own, axis=(1, 2)))
        far = self.n_site * self.dipoles.size if self.dipoles else 0.0
        pull = np.linalg.norm(self.zeeman, axis=1).sum() + 2.0 * np.abs(self.quartic).sum()
        return float(sum(part.sum() for part in parts) + pull + far) or 1.0

    @property
    def links(self):
        """Offsets that say which cells interact, (n, 3) int64: all three axes where there are dipoles."""
        more = np.eye(3, dtype=np.int64) if self.dipoles else np.zeros((0, 3), dtype=np.int64)
        return np.concatenate([self.offset, self.quartic_offset, more])


def spiral_energy(model: Model, theta, conditions: Conditions | None = None) -> SpiralEnergy:
    """Return the form of a model at couplings (n_parameter,), meV."""
    check_free_vectors(model.crystal, "spirals")
    values, s = checked_couplings(theta, model.parameter_names), model.crystal.spins
    onsite, table = model.onsite, model.biquadratic
    if np.any(np.abs(np.asarray(table.turn) - np.eye(3)) > UNIFORM):
        raise ConfigError(
            "a biquadratic term of turned spins has no energy in closed form on a spiral",
            where="biquadratic.turn",
            expected="(S_i·S_j)²",
            fix="search in a supercell with minimise_energy",
        )
    parts = biquadratic_parts(table, s)
    rows = [
        (t.site_i, t.site_j, t.offset, (values[t.parameter] * s[t.site_i] * s[t.site_j])[:, None, None] * matrix)
        for t, matrix in ((model.bonds, model.bonds.matrix), (table, parts.bilinear[:, None, None] * table.turn))
    ]
    own = np.zeros((model.crystal.n_site, 3, 3))
    np.add.at(own, onsite.site, (values[onsite.parameter] * s[onsite.site] ** 2)[:, None, None] * onsite.matrix)
    site_i, site_j, offset, matrix = (np.concatenate(columns) for columns in zip(*rows, strict=True))
    return SpiralEnergy(
        site_i=site_i,
        site_j=site_j,
        offset=offset,
        matrix=matrix,
        own=own,
        zeeman=-s[:, None] * zeeman_field(model, conditions or Conditions()),
        quartic_i=table.site_i,
        quartic_j=table.site_j,
        quartic_offset=table.offset,
        quartic=values[table.parameter] * parts.quartic * (s[table.site_i] * s[table.site_j]) ** 2,
        constant=float(values[table.parameter] @ parts.constant),
        dipoles=zone_dipoles(model, values),
    )


def energy_and_slopes(form: SpiralEnergy, k, axis, local) -> tuple[float, np.ndarray, np.ndarray, np.ndarray]:
    """Return the energy of a spiral per cell and its derivatives.

    Parameters
    ----------
    form : SpiralEnergy
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
    parts = [_bond_part(form, k, axis, local), _own_part(form, axis, local), _quartic_part(form, k, local)]
    if form.dipoles:
        parts.append(_dipole_part(form.dipoles, k, axis, local))
    energy, by_k, by_axis, by_local = (sum(column) for column in zip(*parts, strict=True))
    return float(energy) + form.constant, by_k, by_axis, by_local


def _bond_part(form, k, axis, local):
    """Return what bonds give to :func:`energy_and_slopes`."""
    w, zz, turn = _products(form.site_i, form.site_j, form.offset, k, local)
    both = form.matrix + form.matrix.transpose(0, 2, 1)
    vector = _vectors(form.matrix)
    along = 0.5 * np.einsum("a,nab,b->n", axis, both, axis)
    across, chiral = 0.5 * (np.trace(form.matrix, axis1=1, axis2=2) - along), vector @ axis
    energy = np.sum(across * w.real + chiral * w.imag + along * zz)
    by_k = 2.0 * np.pi * (chiral * w.real - across * w.imag) @ form.offset
    by_axis = np.einsum("n,nab,b->a", zz - 0.5 * w.real, both, axis) + w.imag @ vector
    return energy, by_k, by_axis, _by_local(form.site_i, form.site_j, (across - 1j * chiral) * turn, along, local)


def _quartic_part(form, k, local):
    """Return what biquadratic terms give to :func:`energy_and_slopes`."""
    i, j, offset = form.quartic_i, form.quartic_j, form.quartic_offset
    w, zz, turn = _products(i, j, offset, k, local)
    slope = 2.0 * form.quartic * (w.real + zz)
    energy = np.sum(form.quartic * (w.real + zz) ** 2)
    by_k = -2.0 * np.pi * (slope * w.imag) @ offset
    return energy, by_k, np.zeros(3), _by_local(i, j, slope * turn, slope, local)


def _own_part(form, axis, local):
    """Return what on-site terms and the field give to :func:`energy_and_slopes`."""
    z, circle = local[:, 2], local[:, 0] ** 2 + local[:, 1] ** 2
    along = np.einsum("a,nab,b->n", axis, form.own, axis)
    across = 0.5 * (np.trace(form.own, axis1=1, axis2=2) - along)
    energy = np.sum(across * circle + along * z**2) + np.sum(z * (form.zeeman @ axis))
    by_axis = 2.0 * np.einsum("n,nab,b->a", z**2 - 0.5 * circle, form.own, axis) + z @ form.zeeman
    by_z = 2.0 * along * z + form.zeeman @ axis
    by_local = np.column_stack([2.0 * across * local[:, 0], 2.0 * across * local[:, 1], by_z])
    return energy, np.zeros(3), by_axis, by_local


def _dipole_part(dipoles, k, axis, local):
    """Return what dipoles give to :func:`energy_and_slopes`."""
    zeta, z = local[:, 0] + 1j * local[:, 1], local[:, 2]
    at_k, at_zero = dipoles.at(np.stack([k, np.zeros(3)]))
    pull, along = _dipole_matrices(at_k[None], at_zero.real, axis[None])
    w, zz = zeta[:, None].conj() * zeta, np.outer(z, z)
    energy = 0.5 * np.sum((w * pull[0]).real) + 0.5 * np.sum(zz * along[0])
    first, second = perpendicular_frame(axis)
    by_k = 0.25 * dipoles.slope(k, zeta[:, None] * (first - 1j * second))
    both = (at_k + at_k.swapaxes(2, 3)) @ axis
    by_axis = 0.5 * np.einsum("ij,ija->a", w, -0.5 * both - 1j * _vectors(at_k)).real
    by_axis += 0.5 * np.einsum("ij,ija->a", zz, (at_zero.real + at_zero.real.swapaxes(2, 3)) @ axis)
    c = pull[0] @ zeta
    return energy, by_k, by_axis, np.stack([c.real, c.imag, along[0] @ z], axis=1)


def _dipole_matrices(at_k, at_zero, axis):
    """Return ½ (tr M - a·M·a) - i D·a at k and a·M·a at 0: two times (n_grid, n_site, n_site)."""
    along = np.einsum("pa,pijab,pb->pij", axis, at_k, axis)
    chiral = np.einsum("pija,pa->pij", _vectors(at_k), axis)
    pull = 0.5 * (np.trace(at_k, axis1=-2, axis2=-1) - along) - 1j * chiral
    return pull, np.einsum("pa,ijab,pb->pij", axis, at_zero, axis)


def _vectors(matrix):
    """Return D_a = ½ Σ_bc ε_abc M_bc of matrices (..., 3, 3)."""
    return 0.5 * np.einsum("abc,...bc->...a", _LEVI, matrix)


def perpendicular_frame(axis):
    """Return e1 and e2 with e1 × e2 = axis, (2, 3)."""
    e = np.eye(3)[np.argmin(np.round(np.abs(axis), 9))]
    first = e - axis * (e @ axis)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(axis, first)])


def _products(i, j, offset, k, local):
    """Return W, z_i z_j and the turn between the cells of bonds."""
    zeta, z = local[:, 0] + 1j * local[:, 1], local[:, 2]
    turn = np.exp(2j * np.pi * (offset @ k))
    return zeta[i].conj() * zeta[j] * turn, z[i] * z[j], turn


def _by_local(i, j, pull, along, local):
    """Return the slopes of Σ Re(ζ̄_i pull ζ_j) + along z_i z_j by the local components."""
    # dE = Re(c̄ dζ): W is conj(ζ_i) ζ_j turn.
    zeta, z = local[:, 0] + 1j * local[:, 1], local[:, 2]
    c, by_z = np.zeros(len(z), dtype=np.complex128), np.zeros(len(z))
    np.add.at(c, i, pull * zeta[j])
    np.add.at(c, j, (pull * zeta[i].conj()).conj())
    np.add.at(by_z, i, along * z[j])
    np.add.at(by_z, j, along * z[i])
    return np.stack([c.real, c.imag, by_z], axis=1)


def local_matrices(form: SpiralEnergy, k, axis) -> tuple[np.ndarray, np.ndarray]:
    """Return the energy as a quadratic form of the local vectors, ½ v·A v + c·v; what is quartic is left out.

    Parameters
    ----------
    form : SpiralEnergy
    k : (n_grid, 3) float64, r.l.u.
    axis : (n_grid, 3) float64, unit vectors

    Returns
    -------
    quadratic : (n_grid, n_site, n_site, 3, 3) float64, meV
    linear : (n_grid, n_site, 3) float64, meV
    """
    n = form.n_site
    out = np.zeros((len(k), n, n, 3, 3))
    linear = np.zeros((len(k), n, 3))
    turn = np.exp(2j * np.pi * (k @ form.offset.T))
    along = np.einsum("pa,nab,pb->pn", axis, form.matrix, axis)
    across = 0.5 * (np.trace(form.matrix, axis1=1, axis2=2) - along)
    block = _local_blocks((across - 1j * axis @ _vectors(form.matrix).T) * turn, along)
    for b, (i, j) in enumerate(zip(form.site_i, form.site_j, strict=True)):
        out[:, i, j] += block[:, b]
        out[:, j, i] += block[:, b].transpose(0, 2, 1)
    if form.dipoles:
        vectors, where = np.unique(k, axis=0, return_inverse=True)
        at_zero = form.dipoles.at(np.zeros((1, 3)))[0].real
        out += _local_blocks(*_dipole_matrices(form.dipoles.at(vectors)[where.reshape(-1)], at_zero, axis))
    own_along = np.einsum("pa,nab,pb->pn", axis, form.own, axis)
    own_across = 0.5 * (np.trace(form.own, axis1=1, axis2=2) - own_along)
    site = np.arange(n)
    out[:, site, site, 0, 0] += 2.0 * own_across
    out[:, site, site, 1, 1] += 2.0 * own_across
    out[:, site, site, 2, 2] += 2.0 * own_along
    linear[:, :, 2] = axis @ form.zeeman.T
    return out, linear


def quartic_turns(form: SpiralEnergy, k) -> np.ndarray:
    """Return the matrices R with Re W + z_i z_j = v_i·R v_j of the quartic terms: (n_grid, n_quartic, 3, 3)."""
    turn = np.exp(2j * np.pi * (k @ form.quartic_offset.T))
    return _local_blocks(turn, np.ones(turn.shape))


def _local_blocks(pull, along):
    """Return Re(ζ̄_i pull ζ_j) + along z_i z_j as matrices (..., 3, 3) between local vectors."""
    block = np.zeros((*pull.shape, 3, 3))
    block[..., 0, 0] = block[..., 1, 1] = pull.real
    block[..., 0, 1], block[..., 1, 0] = -pull.imag, pull.imag
    block[..., 2, 2] = along
    return block


def turns_freely(form: SpiralEnergy, axis, local, k=(0.0, 0.0, 0.0)) -> bool:
    """Return whether the energy does not change where all spins of a spiral of k turn about its axis."""
    cross = np.einsum("abc,b->ac", -_LEVI, axis)
    if np.max(np.linalg.norm(local[:, :2], axis=1)) < 1e-6:
        return True
    matrices = np.concatenate([form.matrix, form.own])
    if form.dipoles:
        at = form.dipoles.at(np.stack([np.asarray(k, dtype=np.float64), np.zeros(3)]))
        matrices = np.concatenate([matrices, at.reshape(-1, 3, 3)])
    changed = cross @ matrices - matrices @ cross
    across = form.zeeman - np.outer(form.zeeman @ axis, axis)
    size = max(np.max(np.abs(changed), initial=0.0), np.max(np.abs(across), initial=0.0))
    return bool(size <= UNIFORM * form.size)
