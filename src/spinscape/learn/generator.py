"""The generator: couplings to latent numbers to an image, with the error of each and the derivative by the couplings.

    z_d(θ) ~ Gaussian process with the Matérn kernel of order 5/2,   S(θ) = decode(z(θ))

One length for each coupling and latent number, found by maximum likelihood (scikit-learn); the noise of the latent
numbers is found with them, so that the mean is smoother than any single simulation.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial.distance import cdist
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from ..errors import DataError, check_shape
from ..kernels.matern import matern_mean
from ..lattice.crystal import read_only
from ..rng import stream

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


@dataclass(frozen=True, eq=False)
class Generator:
    """Images of any couplings. Make it with :func:`fit_generator`.

    Parameters
    ----------
    compressor : Compressor
    parameter_names : tuple of str
    box : (2, n_parameter) float64
        Least and largest couplings that it has learnt from: outside nothing is known.
    processes : tuple of LatentProcess
    error_factor : float
        What the standard deviations of the latent numbers are short of: found at held-out points
        (:func:`~spinscape.learn.generator_error.with_measured_error`).
    """

    compressor: object
    parameter_names: tuple[str, ...]
    box: np.ndarray
    processes: tuple[LatentProcess, ...]
    error_factor: float = 1.0

    def latent(self, theta):
        """Return latent numbers and their standard deviations at couplings (m, n_parameter), both (m, n_latent)."""
        theta = self._checked(theta)
        mean, std = zip(*(process.predict(theta) for process in self.processes), strict=True)
        return np.column_stack(mean), np.column_stack(std)

    def mean_latent(self, theta):
        """Return latent numbers (m, n_latent) without their standard deviations, which are what takes time."""
        theta = self._checked(theta)
        return np.column_stack([process.mean_at(theta) for process in self.processes])

    def predict(self, theta):
        """Return images (m, n_voxel) at couplings (m, n_parameter)."""
        return self.compressor.decode(self.mean_latent(theta))

    def predict_with_std(self, theta):
        """Return images and the standard deviation that the latent numbers' gives each voxel, both (m, n_voxel)."""
        mean, std = self.latent(theta)
        slope, std = self.compressor.decode_slope(mean), self.error_factor * std
        return self.compressor.decode(mean), np.sqrt(np.einsum("mdv,md->mv", slope**2, std**2))

    def error_columns(self, theta):
        """Return what one standard deviation of each latent number changes of an image, (n_latent, n_voxel).

        Errors of the latent numbers are independent, those of the voxels are not: the covariance of an image's error
        is the Gram matrix of these rows, and a fit is misled by all of it at once.

        theta : (n_parameter,) float64
        """
        mean, std = self.latent(theta)
        return self.error_factor * std[0][:, None] * self.compressor.decode_slope(mean)[0]

    def gradient(self, theta):
        """Return d(image)/dθ, (m, n_parameter, n_voxel)."""
        theta = self._checked(theta)
        slope = self.compressor.decode_slope(self.mean_latent(theta))
        by_coupling = np.stack([process.gradient(theta) for process in self.processes], axis=1)
        return np.einsum("mdk,mdv->mkv", by_coupling, slope)

    def _checked(self, theta):
        theta = np.atleast_2d(np.asarray(theta, dtype=np.float64))
        check_shape("theta", theta, ("m", len(self.parameter_names)), hint=", ".join(self.parameter_names))
        room = 1e-9 * np.ptp(self.box, axis=0)
        outside = np.any((theta < self.box[0] - room) | (theta > self.box[1] + room), axis=0)
        if outside.any() or not np.all(np.isfinite(theta)):
            raise DataError(
                "couplings outside of what the generator has learnt from",
                where=", ".join(np.array(self.parameter_names)[outside]),
                expected=f"between {self.box[0].tolist()} and {self.box[1].tolist()}",
                got=theta[:3].tolist(),
                fix="stay inside the grid, or simulate a larger one",
            )
        return theta


def fit_generator(theta, latent, compressor, *, seed, parameter_names):
    """Return the :class:`Generator` of simulated couplings.

    Parameters
    ----------
    theta : (n_point, n_parameter) float64
    latent : (n_point, n_latent) float64
        What the compressor encodes of each point's image.
    compressor : Compressor
    seed : int
        Of the choice of points where there are more than are kept.
    parameter_names : sequence of str

    Returns
    -------
    Generator
    """
    theta, latent = np.asarray(theta, dtype=np.float64), np.asarray(latent, dtype=np.float64)
    check_shape("latent", latent, (len(theta), "n_latent"))
    if len(theta) < 4 * theta.shape[1] or not np.any(np.ptp(theta, axis=0) > 0):
        raise DataError("too few different points for a generator", where="theta", got=theta.shape)
    order = stream(seed, "dataset", "generator", len(theta)).permutation(len(theta))
    kept, tuned = np.sort(order[:MAX_KEPT]), np.sort(order[:MAX_TUNED])
    processes = tuple(fitted_process(theta, column, kept=kept, tuned=tuned) for column in latent.T)
    box = read_only(np.stack([theta.min(axis=0), theta.max(axis=0)]))
    return Generator(compressor, tuple(parameter_names), box, processes)


def fitted_process(theta, column, *, kept=None, tuned=None):
    """Return the :class:`LatentProcess` of numbers (n,) at points (n, n_parameter), its lengths by maximum likelihood.

    Parameters
    ----------
    theta : (n, n_parameter) float64
    column : (n,) float64
    kept, tuned : (m,) int, optional
        Points that the prediction rests on, and that the lengths are found from; the first :data:`MAX_KEPT` and
        :data:`MAX_TUNED` by default.
    """
    kept = np.arange(min(len(theta), MAX_KEPT)) if kept is None else kept
    tuned = np.arange(min(len(theta), MAX_TUNED)) if tuned is None else tuned
    mean, scale = float(column.mean()), float(column.std()) or 1.0
    span = np.where(np.ptp(theta, axis=0) > 0, np.ptp(theta, axis=0), 1.0)
    kernel = ConstantKernel(1.0, (1e-3, 1e3)) * Matern(np.full(len(span), 0.5), (0.02, 50.0), nu=2.5)
    search = GaussianProcessRegressor(kernel + WhiteKernel(1e-2, (1e-8, 1.0)), alpha=1e-10)
    with warnings.catch_warnings():
        # A coupling that does nothing drives its length to the bound, and a noiseless process its noise: both are fine.
        warnings.simplefilter("ignore", ConvergenceWarning)
        search.fit(theta[tuned] / span, (column[tuned] - mean) / scale)
    found = search.kernel_
    amplitude, noise = float(found.k1.k1.constant_value), float(found.k2.noise_level)
    length = np.atleast_1d(found.k1.k2.length_scale) * span
    return _conditioned(theta[kept], column[kept], length, mean, scale, amplitude, noise)


def conditioned_process(process, theta, column):
    """Return a process with the lengths, variances and units of another one, of other numbers (n,) at other points."""
    p = process
    return _conditioned(theta, column, p.length, p.mean, p.scale, p.amplitude, p.noise)


def _conditioned(theta, column, length, mean, scale, amplitude, noise):
    points = theta / length
    covariance = _matern(points, points, amplitude)
    covariance[np.diag_indices_from(covariance)] += noise + 1e-10
    root = cho_factor(covariance, lower=True)[0]
    weights = cho_solve((root, True), (column - mean) / scale)
    return LatentProcess(points, length, mean, scale, amplitude, noise, weights, root)


def _matern(first, second, amplitude):
    """Return the kernel between points in units of its lengths, (n_first, n_second)."""
    distance = np.sqrt(5.0) * cdist(first, second)
    return amplitude * np.exp(-distance) * (1.0 + distance + distance**2 / 3.0)
