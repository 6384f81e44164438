"""Lower bounds of biquadratic terms that are bilinear, for bounds of the energy over the zone.

With p = n_i·R n_j of unit vectors, b p² lies above each of its tangents where b > 0, b p² ≥ 2 b x p - b x², and above
-|b| where b < 0. Any x gives a bound of the energy; bonds of one coupling share theirs, and the best x is where the
lowest eigenvalue of the exchange with the tangents, less b x², is highest: a concave function of all x.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from ..hamiltonian.biquadratic import biquadratic_parts
from ..hamiltonian.model import Model
from .exchange import Exchange

_ROUNDS = 3
_PHASES = 8


@dataclass(frozen=True, eq=False)
class Quartic:
    """What is quartic in the spins, at given couplings.

    Parameters
    ----------
    site_i, site_j : (n_bond,) int64
    offset : (n_bond, 3) int64
    turn : (n_bond, 3, 3) float64
        R.
    weight : (n_bond,) float64, meV
        b of unit vectors.
    family : (n_bond,) int64
        Bonds that share a tangent.
    constant : float, meV per cell
        What stands beside the squares whatever the spins do.
    """

    site_i: np.ndarray
    site_j: np.ndarray
    offset: np.ndarray
    turn: np.ndarray
    weight: np.ndarray
    family: np.ndarray
    constant: float

    @property
    def n_family(self):
        """Number of tangents to choose."""
        return int(self.family.max(initial=-1)) + 1

    @property
    def size(self):
        """Upper estimate of the energy, meV per cell."""
        return float(np.abs(self.weight).sum())

    def tangents(self, base: Exchange, x) -> Exchange:
        """Return an exchange with the tangents at x (n_family,) added."""
        slope = 2.0 * np.maximum(self.weight, 0.0) * x[self.family]
        return base.with_bonds(self.site_i, self.site_j, self.offset, slope[:, None, None] * self.turn)

    def floor(self, x):
        """Return what the bound adds to the energy of the exchange with tangents at x, meV per cell."""
        return self.constant - float(
            np.sum(np.where(self.weight > 0.0, self.weight * x[self.family] ** 2, -self.weight))
        )

    def energy(self, q, u, *, real):
        """Return the energy of Re u_i exp(2πi q·R), meV per cell, the mean over a common phase.

        Parameters
        ----------
        q : (3,) float64, r.l.u.
        u : (n_site, 3) complex128
        real : bool
            Whether 2q is a reciprocal lattice vector: there is no phase then.
        """
        phase = np.zeros(1) if real else np.arange(_PHASES) * (2.0 * np.pi / _PHASES)
        near = (np.exp(1j * phase)[:, None, None] * u[self.site_i]).real
        ahead = np.exp(1j * (phase[:, None] + 2.0 * np.pi * self.offset @ q))
        far = (ahead[:, :, None] * u[self.site_j]).real
        product = np.einsum("pba,bac,pbc->pb", near, self.turn, far)
        return self.constant + float(np.mean(product**2, axis=0) @ self.weight)


def quartic(model: Model, theta) -> Quartic:
    """Return the quartic part of a model at couplings (n_parameter,), meV."""
    table, s = model.biquadratic, model.crystal.spins
    parts, values = biquadratic_parts(table, s), np.asarray(theta, dtype=np.float64)[table.parameter]
    weight = values * parts.quartic * (s[table.site_i] * s[table.site_j]) ** 2
    kinds = np.column_stack([table.parameter, np.round(weight, 12)]).reshape(-1, 2)
    family = np.unique(kinds, axis=0, return_inverse=True)[1].reshape(-1)
    constant = float(values @ parts.constant)
    return Quartic(table.site_i, table.site_j, table.offset, np.asarray(table.turn), weight, family, constant)


def best_tangents(base: Exchange, terms: Quartic, mesh) -> np.ndarray:
    """Return the tangents (n_family,) that give the best bound on a mesh of wave vectors, one after the other."""
    x = np.zeros(terms.n_family)
    free = [k for k in range(len(x)) if np.any(terms.weight[terms.family == k] > 0.0)]
    if not free:
        return x
    start = base.at(mesh)
    slopes = {k: terms.tangents(base, np.eye(len(x))[k]).at(mesh) - start for k in free}
    for _ in range(_ROUNDS if len(free) > 1 else 1):
        for k in free:
            rest = start + sum((x[m] * slopes[m] for m in free if m != k), np.zeros_like(start))

            def lost(value, k=k, rest=rest):
                at = np.where(np.arange(len(x)) == k, value, x)
                lowest = np.linalg.eigvalsh(rest + value * slopes[k])[:, 0].min()
                return -(0.5 * base.n_site * lowest + terms.floor(at))

            x[k] = minimize_scalar(lost, bounds=(-1.0, 1.0), method="bounded", options={"xatol": 1e-9}).x
    return x
