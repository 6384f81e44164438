"""The Gaussian process of one number over the couplings.

    y(θ) ~ Gaussian process with the Matérn kernel of order 5/2, one length for each coupling

Lengths and variances are found by maximum likelihood (scikit-learn); the noise of the numbers is found with them, so
that the mean is smoother than any single simulation.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.spatial.distance import cdist
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from ..kernels.matern import matern_mean

SHORTEST = 0.02
"""Least length of a process, in units of the range of a coupling."""
MAX_TUNED = 600
"""Points that the lengths are found from."""
MAX_KEPT = 4000
"""Points that the prediction rests on: the solution takes n² numbers and n³ operations."""


@dataclass(frozen=True, eq=False)
class LatentProcess:
    """The Gaussian process of one latent number.

    Parameters
    ----------
    points : (n, n_parameter) float64
        In units of ``length``.
    length : (n_parameter,) float64
        Lengths of the kernel, in the unit of the couplings.
    mean, scale : float
        Of the latent number.
    amplitude, noise : float
        Variances of signal and noise, in units of ``scale²``.
    weights : (n,) float64
    root : (n, n) float64
        Cholesky factor of the covariance.
    """

    points: np.ndarray
    length: np.ndarray
    mean: float
    scale: float
    amplitude: float
    noise: float
    weights: np.ndarray
    root: np.ndarray

    def predict(self, theta):
        """Return mean and standard deviation of the latent number without its noise, both (m,)."""
        cross = self._cross(theta)
        variance = self.amplitude - np.sum(cross * cho_solve((self.root, True), cross.T).T, axis=1)
        return self.mean + self.scale * (cross @ self.weights), self.scale * np.sqrt(np.maximum(variance, 0.0))

    def mean_at(self, theta):
        """Return the mean of the latent number alone, (m,)."""
        return self.mean + self.scale * self._mean_and_slope(theta)[0]

    def leave_one_out(self):
        """Return mean and standard deviation of each of its own numbers, the noise with it, from all others, both (n,).

        Closed form: y_i − α_i/C_i and 1/√C_i, C the diagonal of the inverse covariance, α the weights
        (Rasmussen and Williams, Gaussian processes for machine learning, eq. 5.12).
        """
        n = len(self.points)
        inverse = solve_triangular(self.root, np.eye(n), lower=True)
        diagonal = np.sum(inverse**2, axis=0)
        covariance = matern_covariance(self.points, self.points, self.amplitude)
        covariance[np.diag_indices(n)] += self.noise
        known = covariance @ self.weights
        return self.mean + self.scale * (known - self.weights / diagonal), self.scale / np.sqrt(diagonal)

    def gradient(self, theta):
        """Return the derivative of the mean by the couplings, (m, n_parameter)."""
        return self.scale * self._mean_and_slope(theta)[1] / self.length

    def _mean_and_slope(self, theta):
        at = np.ascontiguousarray(theta / self.length)
        mean, slope = np.empty(len(at)), np.empty(at.shape)
        matern_mean(at, self.points, self.weights, self.amplitude, mean, slope)
        return mean, slope

    def _cross(self, theta):
        """Return the kernel between θ and the points, (m, n)."""
        step = theta[:, None] / self.length - self.points[None]
        distance = np.sqrt(5.0) * np.linalg.norm(step, axis=-1)
        return self.amplitude * np.exp(-distance) * (1.0 + distance + distance**2 / 3.0)


def fitted_process(theta, column, *, kept=None, tuned=None, shortest=SHORTEST):
    """Return the :class:`LatentProcess` of numbers (n,) at points (n, n_parameter), its lengths by maximum likelihood.

    Parameters
    ----------
    theta : (n, n_parameter) float64
    column : (n,) float64
    kept, tuned : (m,) int, optional
        Points that the prediction rests on, and that the lengths are found from; the first :data:`MAX_KEPT` and
        :data:`MAX_TUNED` by default.
    shortest : float
        Least length, in units of the range of each coupling.
    """
    kept = np.arange(min(len(theta), MAX_KEPT)) if kept is None else kept
    tuned = np.arange(min(len(theta), MAX_TUNED)) if tuned is None else tuned
    mean, scale = float(column.mean()), float(column.std()) or 1.0
    span = np.ptp(theta, axis=0)
    moving = span > 0
    kernel = ConstantKernel(1.0, (1e-3, 1e3)) * Matern(np.full(max(moving.sum(), 1), 0.5), (shortest, 50.0), nu=2.5)
    search = GaussianProcessRegressor(kernel + WhiteKernel(1e-2, (1e-8, 1.0)), alpha=1e-10)
    with warnings.catch_warnings():
        # A coupling that does nothing drives its length to the bound, and a noiseless process its noise: both are fine.
        warnings.simplefilter("ignore", ConvergenceWarning)
        places = theta[tuned][:, moving] / span[moving] if moving.any() else np.zeros((len(tuned), 1))
        search.fit(places, (column[tuned] - mean) / scale)
    found = search.kernel_
    amplitude, noise = float(found.k1.k1.constant_value), float(found.k2.noise_level)
    length = np.ones(len(span))
    length[moving] = np.atleast_1d(found.k1.k2.length_scale)[: moving.sum()] * span[moving]
    return _conditioned(theta[kept], column[kept], length, mean, scale, amplitude, noise)


def conditioned_process(process, theta, column):
    """Return a process with the lengths, variances and units of another one, of other numbers (n,) at other points."""
    p = process
    return _conditioned(theta, column, p.length, p.mean, p.scale, p.amplitude, p.noise)


def _conditioned(theta, column, length, mean, scale, amplitude, noise):
    points = theta / length
    covariance = matern_covariance(points, points, amplitude)
    covariance[np.diag_indices_from(covariance)] += noise + 1e-10
    root = cho_factor(covariance, lower=True)[0]
    weights = cho_solve((root, True), (column - mean) / scale)
    return LatentProcess(points, length, mean, scale, amplitude, noise, weights, root)


def matern_covariance(first, second, amplitude):
    """Return the Matérn kernel of order 5/2 between points in units of its lengths, (n_first, n_second)."""
    distance = np.sqrt(5.0) * cdist(first, second)
    return amplitude * np.exp(-distance) * (1.0 + distance + distance**2 / 3.0)
