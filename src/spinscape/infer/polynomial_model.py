"""Simulated images as polynomials of the couplings: the surrogate where nothing jumps and few points are simulated.

    √S_v(θ) = Σ_k c_vk φ_k(u) + noise,   φ all products of u up to a degree, u = (θ − centre)/width

The root makes the noise of counts and of simulations alike in all voxels v. Every voxel has its own coefficients, found
by least squares: nothing is lost in a compression, directions in which S hardly changes among them, and a polynomial
cannot follow the noise of single simulations as a process of short length does. The degree is that of least error at
points left out, in closed form: r_i/(1 − h_i), h the diagonal of the projection on φ. Source: Hastie et al., The
Elements of Statistical Learning, 2nd ed., ch. 7.10.
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from ..errors import DataError, FitError, check_shape
from ..rng import stream
from .corrected_forward import basis

DEGREES = (1, 2, 3, 4, 5, 6)
"""Degrees that are tried."""
POINTS_PER_TERM = 2
"""Simulated points that each coefficient needs."""
DRAWS = 3
"""Times that noise is drawn from the residuals."""
ABOVE = 1.1
"""Of the largest of these singular values: the noise of the points may have a larger one."""
MAX_NUMBERS = 2**28
"""Numbers of all images together: a voxel by voxel fit holds them."""


@dataclass(frozen=True, eq=False)
class PolynomialModel:
    """Images of any couplings. Make it with :func:`polynomial_model`.

    Parameters
    ----------
    parameter_names : tuple of str
    box : (2, n_parameter) float64
        Least and largest couplings of the simulated points.
    terms : tuple of tuple of int
        Couplings whose u are multiplied in each φ.
    coefficients : (n_term, n_voxel) float64
        Of the root of the image.
    spread : (n_term, n_term) float64
        (ΦᵀΦ)⁻¹: what the noise of points makes of the coefficients.
    residuals : (n_error, n_voxel) float32
        Rows whose Gram matrix is the covariance of the root of one simulated image about its polynomial, voxels that
        err together included.
    left_out : tuple of (int, float)
        Degrees that were tried, and the mean square of the root's error at points left out.
    error_factor : float
        What the stated error is short of.
    """

    parameter_names: tuple[str, ...]
    box: np.ndarray
    terms: tuple[tuple[int, ...], ...]
    coefficients: np.ndarray
    spread: np.ndarray
    residuals: np.ndarray
    left_out: tuple[tuple[int, float], ...]
    error_factor: float = 1.0

    @property
    def degree(self):
        """Degree of the polynomial."""
        return max(map(len, self.terms))

    def predict(self, theta):
        """Return images (m, n_voxel) at couplings (m, n_parameter)."""
        return self._root(theta) ** 2

    def gradient(self, theta):
        """Return the derivatives of the images by the couplings, (m, n_parameter, n_voxel)."""
        u, root = self._unit(theta), self._root(theta)
        slopes = np.stack([basis_slope(u, self.terms, k) for k in range(u.shape[1])], axis=1)
        by_unit = 2.0 * root[:, None] * (slopes @ self.coefficients)
        width = self._width
        return by_unit * np.where(width > 0, 1.0 / np.where(width > 0, width, 1.0), 0.0)[:, None]

    def error_columns(self, theta):
        """Return independent errors of an image, one standard deviation each, (n_error, n_voxel).

        theta : (n_parameter,) float64
        """
        share = self.error_factor * np.sqrt(self.leverage(theta))
        return share * self.residuals * (2.0 * self._root(theta)[0])

    def leverage(self, theta):
        """Return the variance of the polynomials at couplings (n_parameter,) over that of one simulated image."""
        phi = basis(self._unit(theta), self.terms)[0]
        return float(phi @ self.spread @ phi)

    @property
    def _width(self):
        return np.ptp(self.box, axis=0) / 2.0

    def _root(self, theta):
        # A root below zero is that of an image of zero: its square would rise again.
        return np.maximum(basis(self._unit(theta), self.terms) @ self.coefficients, 0.0)

    def _unit(self, theta):
        theta = np.atleast_2d(np.asarray(theta, dtype=np.float64))
        check_shape("theta", theta, ("m", len(self.parameter_names)), hint=", ".join(self.parameter_names))
        room = 1e-9 * np.ptp(self.box, axis=0)
        outside = np.any((theta < self.box[0] - room) | (theta > self.box[1] + room), axis=0)
        if outside.any():
            raise DataError(
                "couplings outside of the simulated points",
                where=", ".join(np.array(self.parameter_names)[outside]),
                expected=f"between {self.box[0].tolist()} and {self.box[1].tolist()}",
                got=theta[:3].tolist(),
                fix="stay inside the grid, or simulate a larger one",
            )
        return unit_couplings(theta, self.box)


def unit_couplings(theta, box):
    """Return u (m, n_parameter), −1 to 1 over a box (2, n_parameter); zero along couplings that do not vary."""
    centre, width = box.mean(axis=0), np.ptp(box, axis=0) / 2.0
    return (theta - centre) / np.where(width > 0, width, np.inf)


def basis_slope(u, terms, k):
    """Return the derivatives of the products φ of u (m, n_parameter) by u_k, (m, n_term)."""
    columns = []
    for term in terms:
        rest = list(term)
        if k in rest:
            rest.remove(k)
        columns.append(term.count(k) * np.prod(u[:, rest], axis=1))
    return np.stack(columns, axis=1)


def polynomial_terms(varied, degree):
    """Return the products of couplings (their indices) up to a degree.

    >>> polynomial_terms([0, 2], 2)
    ((), (0,), (2,), (0, 0), (0, 2), (2, 2))
    """
    return tuple(t for d in range(degree + 1) for t in combinations_with_replacement(varied, d))


def polynomial_model(theta, images, *, parameter_names, degree=None):
    """Return the :class:`PolynomialModel` of simulated images.

    Parameters
    ----------
    theta : (n_point, n_parameter) float64
    images : (n_point, n_voxel)
        Nowhere negative but for noise.
    parameter_names : sequence of str
    degree : int, optional
        That of least error at points left out by default.
    """
    theta = np.asarray(theta, dtype=np.float64)
    check_shape("images", images, (len(theta), "n_voxel"))
    if images.size > MAX_NUMBERS:
        raise FitError("too many voxels for a polynomial of each", where="forward.kind: polynomial",
                       expected=f"at most {MAX_NUMBERS} numbers", got=images.shape,
                       fix="use the forward model generator")  # fmt: skip
    box, root = np.stack([theta.min(axis=0), theta.max(axis=0)]), np.sqrt(np.maximum(images, 0.0))
    u, varied = unit_couplings(theta, box), np.nonzero(np.ptp(theta, axis=0) > 0)[0].tolist()
    tried = {d: polynomial_terms(varied, d) for d in (DEGREES if degree is None else (degree,))}
    tried = {d: terms for d, terms in tried.items() if len(theta) >= POINTS_PER_TERM * len(terms)}
    if not tried:
        needed = POINTS_PER_TERM * len(polynomial_terms(varied, degree or DEGREES[0]))
        raise FitError("too few simulated points for a polynomial", where="forward.degree",
                       expected=f"at least {needed} points", got=len(theta),
                       fix="simulate more points, or lower the degree")  # fmt: skip
    errors = tuple((d, _left_out(basis(u, terms), root)) for d, terms in tried.items())
    terms = tried[min(errors, key=lambda pair: pair[1])[0]]
    phi = basis(u, terms)
    coefficients, residuals = _told_from_noise(phi, root)
    residuals = (residuals / np.sqrt(len(theta) - len(terms))).astype(np.float32)
    spread = np.linalg.pinv(phi.T @ phi)
    return PolynomialModel(tuple(parameter_names), box, terms, coefficients, spread, residuals, errors)


def _told_from_noise(phi, root):
    """Return coefficients (n_term, n_voxel) of patterns that stand out of noise, and residuals of least squares.

    Least squares make noise of each voxel's slope, and of all voxels together a pattern by which data seem to know what
    they do not. With φ = QR the numbers Qᵀ√S, the mean left out, are a sum of few patterns and of noise; the residuals,
    turned at random, are as many rows of the same noise, voxels that err together included. Patterns stay whose
    singular value is above the largest of these (parallel analysis; Horn, Psychometrika 30, 179, 1965).
    """
    q, r = np.linalg.qr(phi)
    rows = q.T @ root
    rest = root - q @ rows
    if phi.shape[1] < 2:
        return np.linalg.solve(r, rows), rest
    left, size, patterns = np.linalg.svd(rows[1:], full_matrices=False)
    edge = max(_largest_of_noise(q, rest, stream(k, "dataset", "polynomial", phi.shape)) for k in range(DRAWS))
    kept = size > ABOVE * edge
    rows[1:] = (left[:, kept] * size[kept]) @ patterns[kept]
    return np.linalg.solve(r, rows), rest


def _largest_of_noise(q, rest, generator):
    """Return the largest singular value of the residuals along random directions across the columns of q."""
    turned = generator.standard_normal((len(q), q.shape[1] - 1))
    turned = np.linalg.qr(turned - q @ (q.T @ turned))[0]
    return float(np.linalg.norm(turned.T @ rest, 2))


def _left_out(phi, root):
    """Return the mean square of what each point differs from the polynomial of all others."""
    q = np.linalg.qr(phi)[0]
    leverage = np.minimum(np.sum(q**2, axis=1), 1.0 - 1e-9)
    rest = root - q @ (q.T @ root)
    return float(np.mean(np.sum(rest**2, axis=1) / (1.0 - leverage) ** 2) / root.shape[1])
