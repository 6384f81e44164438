"""Free energies of phases from their derivatives by the couplings, each but for a constant.

    F_c(θ) = Σ_k a_ck u^(e_k),  u = (θ − centre)/span,      ∂F_c/∂θ_j = ⟨∂E/∂θ_j⟩ = E_j(θ)

Simulations store E_j: so many derivatives a point tell the surface of a phase beyond the boundary where it is left,
which labels do not. Where two phases meet at first order their free energies cross, F_1 + const = F_2.
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from ..errors import check_shape

DEGREES = (3, 2, 1)
"""Degrees of the polynomials, the largest that the points of a phase are enough for."""
EQUATIONS = 3
"""Derivatives that there must be for each coefficient."""
_ROUNDS = 8
_HUBER = 2.0


@dataclass(frozen=True, eq=False)
class FreeEnergies:
    """Polynomials of several phases. Make them with :func:`fit_free_energies`.

    Parameters
    ----------
    centre, span : (n_parameter,) float64
        Couplings that do not vary have the span 1.
    powers : (n_term, n_parameter) int64
    coefficients : (n_class, n_term) float64
        In units of the spread of the derivatives over the range of the couplings.
    """

    centre: np.ndarray
    span: np.ndarray
    powers: np.ndarray
    coefficients: np.ndarray

    def value(self, theta):
        """Return the free energies (m, n_class) at couplings (m, n_parameter)."""
        return monomials((theta - self.centre) / self.span, self.powers) @ self.coefficients.T

    def slope(self, theta):
        """Return their derivatives by the couplings, (m, n_class, n_parameter)."""
        by_term = monomial_slopes((theta - self.centre) / self.span, self.powers) / self.span
        return np.einsum("mtp,ct->mcp", by_term, self.coefficients)


def fit_free_energies(theta, slopes, label):
    """Return the :class:`FreeEnergies` of labelled points.

    Parameters
    ----------
    theta : (n_point, n_parameter) float64
    slopes : (n_point, n_parameter) float64
        ∂F/∂θ in any unit.
    label : (n_point,) int
        Of the phases, from 0; negative for points of none.

    Notes
    -----
    Least squares of the derivatives, repeated with Huber's weights: points that have not come to equilibrium lie
    between phases, and so do their energies.
    """
    theta, slopes = np.asarray(theta, np.float64), np.asarray(slopes, np.float64)
    check_shape("slopes", slopes, theta.shape)
    moving = np.ptp(theta, axis=0) > 0
    span = np.where(moving, np.ptp(theta, axis=0), 1.0)
    centre = 0.5 * (theta.min(axis=0) + theta.max(axis=0))
    powers = _powers(len(moving), np.flatnonzero(moving), DEGREES[0])
    u, scaled = (theta - centre) / span, (slopes * span)[:, moving]
    scaled = scaled / max(float(scaled[label >= 0].std()), 1e-300)
    rows = [_coefficients(u[label == c], scaled[label == c], powers, moving) for c in range(label.max() + 1)]
    return FreeEnergies(centre, span, powers, np.array(rows))


def _coefficients(u, slopes, powers, moving):
    """Return the coefficients of one phase, (n_term,): zero beyond the degree that its points are enough for."""
    degree = powers.sum(axis=1)
    enough = [d for d in DEGREES if slopes.size >= EQUATIONS * np.sum(degree <= d)]
    used = degree <= (enough[0] if enough else 1)
    design = monomial_slopes(u, powers[used])[:, :, moving].transpose(0, 2, 1).reshape(-1, int(used.sum()))
    target, weight, found = slopes.reshape(-1), np.ones(slopes.size), np.zeros(int(used.sum()))
    for _ in range(_ROUNDS):
        found = np.linalg.lstsq(design * weight[:, None], target * weight, rcond=1e-8)[0]
        off = np.abs(target - design @ found)
        size = 1.4826 * np.median(off) + 1e-6 * np.abs(target).max() + 1e-300
        weight = np.sqrt(np.minimum(1.0, _HUBER * size / np.maximum(off, 1e-300)))
    out = np.zeros(len(powers))
    out[used] = found
    return out


def _powers(n, moving, degree):
    """Return the exponents of all monomials of degree 1 to ``degree`` in some of n variables, (n_term, n)."""
    terms = [c for d in range(1, degree + 1) for c in combinations_with_replacement(moving, d)]
    return np.array([[term.count(k) for k in range(n)] for term in terms], dtype=np.int64).reshape(-1, n)


def monomials(u, powers):
    """Return Π_k u_k^e_k, (m, n_term)."""
    return np.prod(u[:, None, :] ** powers, axis=2)


def monomial_slopes(u, powers):
    """Return their derivatives by u, (m, n_term, n_parameter)."""
    out = np.empty((len(u), *powers.shape))
    for k in range(powers.shape[1]):
        less = powers.copy()
        less[:, k] = np.maximum(less[:, k] - 1, 0)
        out[:, :, k] = powers[:, k] * monomials(u, less)
    return out
