"""The gate of a generator: with which probability couplings lie in each phase.

    p_c(θ) = exp f_c / Σ exp f,   f_c(θ) = g_c(θ) + b_c − s F_c(θ)

g_c is a Gaussian process with the Matérn kernel of order 5/2, conditioned on labels (multinomial logistic regression,
the maximum of the posterior; Rasmussen and Williams, Gaussian processes for machine learning, section 3.5). F_c are the
free energies of the phases where simulations have told their derivatives (:mod:`.free_energy`). Lengths, amplitude, and
whether energies are used: by the likelihood of labels that were left out.
"""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from ..kernels.matern import matern_mean
from ..rng import stream
from .free_energy import FreeEnergies, fit_free_energies
from .latent_process import matern_covariance

FOLDS = 5
MAX_POINTS = 1000
"""Labelled points that the gate is learnt from at most."""
_TIMES = (0.5, 1.0, 2.0)
_AMPLITUDES = (3.0, 30.0, 300.0)
_WITH_ENERGIES = (0.03, 0.3, 3.0, 30.0)
_WIDTH_OF_OFFSETS = 30.0
_WIDTH_OF_STRENGTH = 300.0
_MISLABELLED = 0.01
"""Share of labels that nothing foretells: what a single one may cost is bounded."""


@dataclass(frozen=True, eq=False)
class Gate:
    """Probabilities of phases. Make it with :func:`fit_gate`.

    Parameters
    ----------
    points : (n, n_parameter) float64
        In units of ``length``.
    length : (n_parameter,) float64
    amplitude : float
    weights : (n_class, n) float64
    offset : (n_class,) float64
    strength : float
        Of the free energies; 0 where there are none.
    energies : FreeEnergies, optional
    """

    points: np.ndarray
    length: np.ndarray
    amplitude: float
    weights: np.ndarray
    offset: np.ndarray
    strength: float = 0.0
    energies: FreeEnergies | None = None

    @property
    def n_class(self):
        """Number of phases."""
        return len(self.offset)

    def probability(self, theta):
        """Return the probabilities of the phases (m, n_class) at couplings (m, n_parameter)."""
        return self.probability_and_slope(theta)[0]

    def probability_and_slope(self, theta):
        """Return the probabilities (m, n_class) and their derivatives by the couplings (m, n_class, n_parameter)."""
        at = np.ascontiguousarray(theta / self.length)
        f, slope = np.empty((len(at), self.n_class)), np.empty((len(at), self.n_class, at.shape[1]))
        for c, weights in enumerate(self.weights):
            mean, by_unit = np.empty(len(at)), np.empty(at.shape)
            matern_mean(at, self.points, weights, self.amplitude, mean, by_unit)
            f[:, c], slope[:, c] = mean + self.offset[c], by_unit / self.length
        if self.energies is not None:
            f -= self.strength * self.energies.value(theta)
            slope -= self.strength * self.energies.slope(theta)
        p = softmax(f, axis=1)
        return p, p[:, :, None] * (slope - np.einsum("mc,mcp->mp", p, slope)[:, None])


def fit_gate(theta, label, *, length, seed, slopes=None):
    """Return the :class:`Gate` of labelled couplings, and what it says of each point where that is left out.

    Parameters
    ----------
    theta : (n_point, n_parameter) float64
    label : (n_point,) int
        From 0; negative for points of no phase, which are not learnt from.
    length : (n_parameter,) float64
        Lengths over which phases change, to begin with.
    seed : int
        Of the points left out together.
    slopes : (n_point, n_parameter) float64, optional
        ∂F/∂θ of each point.

    Returns
    -------
    Gate
    (n_point, n_class) float64
    """
    fold = stream(seed, "dataset", "gate", len(theta)).permutation(len(theta)) % FOLDS
    tried = [(False, t, a) for t, a in product(_TIMES, _AMPLITUDES)]
    tried += [] if slopes is None else [(True, t, a) for t, a in product(_TIMES, _WITH_ENERGIES)]

    def fitted(rows, choice):
        energies = fit_free_energies(theta[rows], slopes[rows], label[rows]) if choice[0] else None
        return _fitted(theta[rows], label[rows], choice[1] * length, choice[2], int(label.max()) + 1, energies)

    known = np.flatnonzero(label >= 0)
    known = np.sort(stream(seed, "dataset", "gate", "kept").permutation(known)[:MAX_POINTS])
    best, score, told = tried[0], -np.inf, np.zeros(0)
    for choice in tried:
        p = np.empty((len(theta), int(label.max()) + 1))
        for k in range(FOLDS):
            p[fold == k] = fitted(known[fold[known] != k], choice).probability(theta[fold == k])
        mine = p[known, label[known]]
        found = float(np.sum(np.log((1.0 - _MISLABELLED) * mine + _MISLABELLED / p.shape[1])))
        if found > score:
            best, score, told = choice, found, p
    return fitted(known, best), told


def _fitted(theta, label, length, amplitude, n_class, energies):
    """Return the gate of the greatest posterior probability with these settings."""
    points, n = theta / length, len(theta)
    covariance = matern_covariance(points, points, amplitude)
    covariance[np.diag_indices(n)] += 1e-8 * amplitude
    root = cholesky(covariance, lower=True)
    free = np.zeros((n, n_class)) if energies is None else energies.value(theta)
    one = np.eye(n_class)[label]

    def loss(x):
        v, offset, strength = x[: n * n_class].reshape(n, n_class), x[n * n_class : -1], x[-1]
        log_p = log_softmax(root @ v + offset - strength * free, axis=1)
        off = np.exp(log_p) - one
        value = -np.sum(log_p[one > 0]) + 0.5 * np.sum(v**2) + 0.5 * np.sum((offset / _WIDTH_OF_OFFSETS) ** 2)
        slope = [
            (root.T @ off + v).ravel(),
            off.sum(axis=0) + offset / _WIDTH_OF_OFFSETS**2,
            [-np.sum(off * free) + strength / _WIDTH_OF_STRENGTH**2],
        ]
        return value + 0.5 * (strength / _WIDTH_OF_STRENGTH) ** 2, np.concatenate(slope)

    start = np.zeros(n * n_class + n_class + 1)
    bounds = [(None, None)] * (len(start) - 1) + [(0.0, None if energies is not None else 0.0)]
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 500}).x
    v = found[: n * n_class].reshape(n, n_class)
    weights = solve_triangular(root, v, lower=True, trans=1).T
    made = Gate(points, np.asarray(length), amplitude, np.ascontiguousarray(weights), found[n * n_class : -1])
    return made if energies is None else replace(made, strength=float(found[-1]), energies=energies)
