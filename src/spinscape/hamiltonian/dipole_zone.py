"""Dipole tensors over the zone and their slopes by q, prepared once for a crystal: for searches of ordering vectors.

    M_ij(q) = Σ_R g_iᵀ (1/r³ - 3 r r/r⁵) g_j exp(2πi q·R),   r = R + r_j - r_i ≠ 0

The phase counts cells, so that M is periodic in the reciprocal lattice. The same sums as in
:mod:`~spinscape.hamiltonian.dipole_sums`, which suits many wave vectors at once; here one wave vector costs little.
"""

from dataclasses import dataclass

import numpy as np

from ..kernels.ewald import screened_tensors
from ..lattice.crystal import Crystal
from .dipole_sums import _REACH, _ZERO, _lattice_points, _lattice_terms, natural_splitting


@dataclass(frozen=True, eq=False)
class DipoleZone:
    """What the sums at any wave vector share; :func:`dipole_zone` makes it.

    Parameters
    ----------
    tail, head : (n_term,) int64
        Sites i ≤ j of the terms in space.
    offset : (n_term, 3) int64
        R.
    tensor : (n_term, 3, 3) float64, 1/Å³
        Their screened tensors with g on both sides; half of them where i is j.
    wave : (n_wave, 3) float64, 1/Å
        Reciprocal lattice vectors G.
    g : (n_site, 3, 3) float64
    positions : (n_site, 3) float64, Å
    reciprocal : (3, 3) float64, 1/Å
    splitting, prefactor, cutoff : float
        α, 4π/V and the largest |G - q|.
    """

    tail: np.ndarray
    head: np.ndarray
    offset: np.ndarray
    tensor: np.ndarray
    wave: np.ndarray
    g: np.ndarray
    positions: np.ndarray
    reciprocal: np.ndarray
    splitting: float
    prefactor: float
    cutoff: float

    @property
    def n_site(self):
        """Number of sites of the chemical cell."""
        return len(self.g)

    def _waves(self, q):
        """Return k = G - q, (k·g_j) exp(ik·r_j) of each site, the weight w of each k, and -dw/dk over k."""
        k = self.wave - (q - np.round(q)) @ self.reciprocal
        square = np.sum(k * k, axis=1)
        tiny = _ZERO * np.linalg.norm(self.reciprocal, axis=1).min()
        counted = (square <= self.cutoff**2) & (square > tiny**2)
        k, square = k[counted], square[counted]
        weight = self.prefactor * np.exp(-0.25 * square / self.splitting**2) / square
        seen = np.einsum("ka,jab->kjb", k, self.g) * np.exp(1j * (k @ self.positions.T))[:, :, None]
        return k, seen, weight, weight * (0.5 / self.splitting**2 + 2.0 / square)

    def at(self, q):
        """Return M(q), (n_q, n_site, n_site, 3, 3) complex128, 1/Å³, for q (n_q, 3) in r.l.u."""
        return np.stack([self._at_one(row) for row in np.asarray(q, dtype=np.float64)])

    def _at_one(self, q):
        n, out = self.n_site, np.zeros((self.n_site, self.n_site, 3, 3), dtype=np.complex128)
        np.add.at(out, (self.tail, self.head), np.exp(2j * np.pi * (self.offset @ q))[:, None, None] * self.tensor)
        out = out + out.conj().transpose(1, 0, 3, 2)
        _, seen, weight, _ = self._waves(q)
        seen = seen.reshape(-1, 3 * n)
        out += ((seen.conj().T * weight) @ seen).reshape(n, 3, n, 3).transpose(0, 2, 1, 3)
        # What the sum over waves counts of a spin with itself.
        own = 4.0 * self.splitting**3 / (3.0 * np.sqrt(np.pi))
        out[np.arange(n), np.arange(n)] -= own * np.swapaxes(self.g, 1, 2) @ self.g
        return out

    def slope(self, q, u):
        """Return the gradient of Σ_ij u_i†·M_ij(q)·u_j by q, (3,) 1/Å³, for one q (3,) in r.l.u. and u (n_site, 3)."""
        terms = np.einsum("ta,tab,tb->t", u[self.tail].conj(), self.tensor, u[self.head])
        terms = terms * np.exp(2j * np.pi * (self.offset @ q))
        k, seen, weight, fall = self._waves(q)
        # |s|² w(k) with s = Σ_j (k·g_j u_j) exp(ik·r_j).
        each = np.einsum("kjb,jb->kj", seen, u)
        turned = np.exp(1j * (k @ self.positions.T)) @ np.einsum("jab,jb->ja", self.g, u)
        along = each.sum(axis=1)
        by_k = 2.0 * weight[:, None] * (along.conj()[:, None] * (turned + 1j * each @ self.positions)).real
        by_k -= (fall * np.abs(along) ** 2)[:, None] * k
        return 4.0 * np.pi * (1j * terms).real @ self.offset - self.reciprocal @ by_k.sum(axis=0)


def dipole_zone(crystal: Crystal) -> DipoleZone:
    """Return the prepared dipole sums of a crystal."""
    vectors, positions = crystal.vectors, crystal.positions @ crystal.vectors
    alpha = natural_splitting(vectors)
    first, second = np.triu_indices(crystal.n_site)
    between = positions[second] - positions[first]
    way, pair = _lattice_terms(vectors, between, alpha)
    tensor = np.empty((len(way), 3, 3))
    screened_tensors(way, alpha, tensor)
    tail, head = first[pair], second[pair]
    tensor = np.swapaxes(crystal.g[tail], 1, 2) @ tensor @ crystal.g[head]
    tensor[tail == head] *= 0.5
    offset = np.round((way - between[pair]) @ np.linalg.inv(vectors)).astype(np.int64)
    cutoff = 2.0 * alpha * _REACH
    half = np.array([[0.5, y, z] for y in (-0.5, 0.5) for z in (-0.5, 0.5)]) @ crystal.reciprocal
    wave = _lattice_points(crystal.reciprocal, cutoff + float(np.linalg.norm(half, axis=1).max()))
    volume = abs(np.linalg.det(vectors))
    prefactor = 4.0 * np.pi / volume
    return DipoleZone(
        tail, head, offset, tensor, wave, crystal.g, positions, crystal.reciprocal, alpha, prefactor, cutoff
    )
