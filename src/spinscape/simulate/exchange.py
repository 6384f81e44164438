"""The exchange matrix over the zone, A(q)_ij = Σ θ S_i S_j M exp(2πi q·offset), and meshes of wave vectors.

With n_i(R) = Re u_i exp(2πi q·R), unit vectors n, the energy per cell is ¼ u†A(q)u. Dipoles are part of A; what is
quartic in the spins is not, see :mod:`~spinscape.simulate.tangents`.
"""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import ConfigError
from ..hamiltonian.biquadratic import biquadratic_parts
from ..hamiltonian.dipole_zone import DipoleZone, dipole_zone
from ..hamiltonian.model import Model
from .modes import checked_couplings


@dataclass(frozen=True, eq=False)
class ZoneDipoles:
    """The dipole-dipole interaction of a model at given couplings, unit vectors in place of spins.

    Parameters
    ----------
    zone : DipoleZone
    strength : float, meV Å³
    lengths : (n_site,) float64
        S.
    """

    zone: DipoleZone
    strength: float
    lengths: np.ndarray

    def at(self, q):
        """Return the interaction at q (n_q, 3), r.l.u.: (n_q, n_site, n_site, 3, 3) complex128, meV."""
        return self.strength * np.outer(self.lengths, self.lengths)[:, :, None, None] * self.zone.at(q)

    def slope(self, q, u):
        """Return the gradient of Σ_ij u_i†·M_ij(q)·u_j by q, (3,) meV, for one q (3,) and u (n_site, 3)."""
        return self.strength * self.zone.slope(q, self.lengths[:, None] * u)

    @property
    def size(self):
        """Upper estimate of what one spin feels of it, meV."""
        volume = 8.0 * np.pi**3 / abs(np.linalg.det(self.zone.reciprocal))
        moment = self.lengths * np.linalg.norm(self.zone.g, ord=2, axis=(1, 2))
        # Largest at q = 0 but for the term that 4π/V bounds.
        far = 4.0 * np.pi / volume * abs(self.strength) * moment.max() * moment.sum()
        return float(np.linalg.norm(self.at(np.zeros((1, 3)))[0], axis=(2, 3)).sum(axis=1).max() + far)


def zone_dipoles(model: Model, theta) -> ZoneDipoles | None:
    """Return the dipoles of a model at couplings (n_parameter,), or None where it has none."""
    table = model.dipolar
    strength = float(np.sum(theta[table.parameter] * table.factor))
    return ZoneDipoles(dipole_zone(model.crystal), strength, model.crystal.spins) if strength else None


@dataclass(frozen=True, eq=False)
class Exchange:
    """A(q) at given couplings, made of bonds i → j, met from one end.

    Parameters
    ----------
    site_i, site_j : (n_bond,) int64
    offset : (n_bond, 3) int64
    matrix : (n_bond, 3, 3) float64, meV
    constant : (n_site, 3, 3) float64, meV
        On the diagonal at every q.
    dipoles : ZoneDipoles or None
    """

    site_i: np.ndarray
    site_j: np.ndarray
    offset: np.ndarray
    matrix: np.ndarray
    constant: np.ndarray
    dipoles: ZoneDipoles | None = None

    @property
    def n_site(self):
        """Number of sites of the chemical cell."""
        return len(self.constant)

    @property
    def size(self):
        """Upper estimate of |A(q)|, meV."""
        norm = np.linalg.norm(self.matrix, axis=(1, 2))
        row = np.bincount(self.site_i, weights=norm, minlength=self.n_site)
        row += np.bincount(self.site_j, weights=norm, minlength=self.n_site)
        bound = float(np.max(row + np.linalg.norm(self.constant, axis=(1, 2))))
        return (bound + (self.dipoles.size if self.dipoles else 0.0)) or 1.0

    @property
    def links(self):
        """Offsets that say which cells interact, (n, 3) int64: all three axes where there are dipoles."""
        return np.concatenate([self.offset, np.eye(3, dtype=np.int64)]) if self.dipoles else self.offset

    def with_bonds(self, site_i, site_j, offset, matrix):
        """Return the exchange with more bonds, their matrices in meV."""
        more = (site_i, site_j, offset, matrix)
        names = ("site_i", "site_j", "offset", "matrix")
        columns = {n: np.concatenate([getattr(self, n), x]) for n, x in zip(names, more, strict=True)}
        return replace(self, **columns)

    def at(self, q, multipliers=None):
        """Return A(q), (n_q, 3 n_site, 3 n_site) complex128, meV, for q (n_q, 3) in r.l.u."""
        n = self.n_site
        out = np.zeros((len(q), n, 3, n, 3), dtype=np.complex128)
        phase = np.exp(2j * np.pi * (q @ self.offset.T))
        for b, (i, j) in enumerate(zip(self.site_i, self.site_j, strict=True)):
            out[:, i, :, j] += phase[:, b, None, None] * self.matrix[b]
            out[:, j, :, i] += phase[:, b, None, None].conj() * self.matrix[b].T
        if self.dipoles:
            out += self.dipoles.at(q).transpose(0, 1, 3, 2, 4)
        site = np.arange(n)
        out[:, site, :, site] += self.constant[:, None]
        if multipliers is not None:
            out[:, site, :, site] += (multipliers[:, None, None] * np.eye(3))[:, None]
        return out.reshape(len(q), 3 * n, 3 * n)

    def slope(self, q, u):
        """Return the gradient of u†A(q)u by q, (3,), for one q (3,) and u (3 n_site,)."""
        v = u.reshape(-1, 3)
        phase = np.exp(2j * np.pi * (self.offset @ q))
        parts = np.einsum("ba,bac,bc->b", v[self.site_i].conj(), self.matrix, v[self.site_j]) * phase
        out = 2.0 * (2j * np.pi * parts).real @ self.offset
        return out + self.dipoles.slope(q, v) if self.dipoles else out


def exchange(model: Model, theta) -> Exchange:
    """Return the exchange matrix of a model at couplings (n_parameter,), meV; what is quartic is left out."""
    values, s = checked_couplings(theta, model.parameter_names), model.crystal.spins
    bonds, onsite = model.bonds, model.onsite
    scale = values[bonds.parameter] * s[bonds.site_i] * s[bonds.site_j]
    constant = np.zeros((model.crystal.n_site, 3, 3))
    weight = values[onsite.parameter] * s[onsite.site] ** 2
    single = weight[:, None, None] * (onsite.matrix + onsite.matrix.transpose(0, 2, 1))
    np.add.at(constant, onsite.site, single)
    matrix = scale[:, None, None] * bonds.matrix
    out = Exchange(bonds.site_i, bonds.site_j, bonds.offset, matrix, constant, zone_dipoles(model, values))
    table, parts = model.biquadratic, biquadratic_parts(model.biquadratic, s)
    weight = values[table.parameter] * parts.bilinear * s[table.site_i] * s[table.site_j]
    return out.with_bonds(table.site_i, table.site_j, table.offset, weight[:, None, None] * table.turn)


def zone_mesh(offset, n_mesh) -> tuple[np.ndarray, np.ndarray]:
    """Return a mesh of wave vectors over the zone.

    Parameters
    ----------
    offset : (n_bond, 3) int64
        Of the bonds; an axis that none goes along has one point.
    n_mesh : int or (3,) int
        Points along each other axis.

    Returns
    -------
    half : (n_half, 3) float64, r.l.u.
        One of each pair q and -q, whose matrices are conjugate.
    where : (n_a, n_b, n_c) int64
        Index in ``half`` of each point of the mesh.
    """
    most = np.broadcast_to(np.asarray(n_mesh, dtype=np.int64), 3)
    for n in most:
        check_mesh(n)
    shape = tuple(int(n) if used else 1 for n, used in zip(most, np.any(np.asarray(offset) != 0, axis=0), strict=True))
    index = np.stack([axis.ravel() for axis in np.indices(shape)], axis=1)
    mirror = np.ravel_multi_index(tuple((-index % shape).T), shape)
    _, first, where = np.unique(np.minimum(np.arange(len(index)), mirror), return_index=True, return_inverse=True)
    return index[first] / shape, where.reshape(shape)


def local_minima(values) -> np.ndarray:
    """Return which points of a periodic mesh (n_a, n_b, n_c) lie no higher than their neighbours, as bool."""
    lowest = values
    for axis in range(3):
        lowest = np.minimum(lowest, np.minimum(np.roll(lowest, 1, axis), np.roll(lowest, -1, axis)))
    return values <= lowest


def check_mesh(n_mesh):
    """Raise unless a mesh has a reasonable number of points along each axis."""
    if not 2 <= n_mesh <= 200:
        raise ConfigError("not a mesh over the zone", where="n_mesh", expected="2 to 200 points an axis", got=n_mesh)
