"""Energy of spirals of one wave vector, in closed form.

    n_i(R) = sin α_i (cos(2π k·R + φ_i) e1 + sin(2π k·R + φ_i) e2) + cos α_i a,      e1 × e2 = a

Averaged over a common phase, which changes nothing where the couplings are invariant under turns about a, and with
ζ_i = sin α_i exp(iφ_i), z_i = cos α_i, the energy per cell is

    E = Σ_bonds θ S_i S_j [½ (tr M - a·M·a) Re W + D·a Im W + a·M·a z_i z_j],    W = ζ̄_i ζ_j exp(2πi k·offset)
      + Σ_i θ S_i² [½ (tr A - a·A·a) |ζ_i|² + a·A·a z_i²] + μ_B Σ_i S_i z_i B·g_i·a,       D_a = ½ Σ_bc ε_abc M_bc

At given k and a that is a quadratic form of the unit vectors (Re ζ_i, Im ζ_i, z_i): the minimisation of spins finds
the best ones.
"""

from dataclasses import dataclass

import numpy as np

from ..hamiltonian.conditions import Conditions
from ..hamiltonian.model import Model
from ..hamiltonian.zeeman import zeeman_field
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


def spiral_energy(model: Model, theta, conditions: Conditions | None = None) -> SpiralEnergy:
    """Return the form of a model at couplings (n_parameter,), meV."""
    model.check_bilinear("the energy of spirals")
    values, s = checked_couplings(theta, model.parameter_names), model.crystal.spins
    bonds, onsite = model.bonds, model.onsite
    weight = values[bonds.parameter] * s[bonds.site_i] * s[bonds.site_j]
    own = np.zeros((model.crystal.n_site, 3, 3))
    np.add.at(own, onsite.site, (values[onsite.parameter] * s[onsite.site] ** 2)[:, None, None] * onsite.matrix)
    zeeman = -s[:, None] * zeeman_field(model, conditions or Conditions())
    matrix = weight[:, None, None] * bonds.matrix
    return SpiralEnergy(bonds.site_i, bonds.site_j, bonds.offset, matrix, own, zeeman)


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


def local_matrices(form: SpiralEnergy, k, axis) -> tuple[np.ndarray, np.ndarray]:
    """Return the energy as a quadratic form of the local vectors, ½ v·A v + c·v.

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


def turns_freely(form: SpiralEnergy, axis, local) -> bool:
    """Return whether the energy does not change where all spins of a spiral turn about its axis."""
    cross = np.einsum("abc,b->ac", -_LEVI, axis)
    if np.max(np.linalg.norm(local[:, :2], axis=1)) < 1e-6:
        return True
    matrices = np.concatenate([form.matrix, form.own])
    changed = cross @ matrices - matrices @ cross
    across = form.zeeman - np.outer(form.zeeman @ axis, axis)
    size = max(np.max(np.abs(changed), initial=0.0), np.max(np.abs(across), initial=0.0))
    return bool(size <= UNIFORM * form.size)
