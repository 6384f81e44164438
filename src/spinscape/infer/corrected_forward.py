"""Forward model ``montecarlo``: the Gaussian approximation times what Monte Carlo says that it lacks.

Every simulated point gives a ratio of sampled to approximated values, row by row. It changes slowly with the couplings,
so that a polynomial of low degree through noisy ratios at few points holds it; what changes fast is in closed form.
"""

from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from ..errors import FitError
from .gaussian_forward import GaussianForward


@dataclass(frozen=True, eq=False)
class Correction:
    """C(θ) = Σ_k c_k φ_k(u), u = (θ − centre)/width, on the rows of a measurement. Make it with :func:`fit_correction`.

    Parameters
    ----------
    centre, width : (n_parameter,) float64, meV
        Width is zero for couplings that no simulated point differs in.
    terms : tuple of tuple of int
        Couplings whose u are multiplied in each φ; () is the constant.
    coefficients : (n_term, n_row) float64
    std : (n_row,) float64
        Of C at the centre, as the simulations' errors have it.
    chi2_per_dof : float
        Of the ratios about the polynomial: above one where its degree is too low.
    """

    centre: np.ndarray
    width: np.ndarray
    terms: tuple[tuple[int, ...], ...]
    coefficients: np.ndarray
    std: np.ndarray
    chi2_per_dof: float

    def values(self, theta):
        """Return C, (n_row,)."""
        return basis(self._unit(theta)[None], self.terms)[0] @ self.coefficients

    def gradient(self, theta):
        """Return the derivatives of C by all couplings, (n_parameter, n_row), per meV."""
        u, rows = self._unit(theta), []
        for k, width in enumerate(self.width):
            # ∂φ/∂u_k: each factor u_k once in place of 1.
            slope = np.array([
                sum(np.prod(u[list(term[:i] + term[i + 1 :])]) for i, j in enumerate(term) if j == k)
                for term in self.terms
            ])  # fmt: skip
            rows.append(slope @ self.coefficients / width if width > 0 else np.zeros(self.coefficients.shape[1]))
        return np.array(rows)

    def mixed(self, weights):
        """Return the correction on other rows, which are weighted means (n_other, n_row) of these."""
        std = np.sqrt(weights**2 @ self.std**2)
        return Correction(self.centre, self.width, self.terms, self.coefficients @ weights.T, std, self.chi2_per_dof)

    def spread(self, rows, n_row):
        """Return the correction on all rows of a measurement, of which these are ``rows``; zero at the others."""
        coefficients, std = np.zeros((len(self.terms), n_row)), np.zeros(n_row)
        coefficients[:, rows], std[rows] = self.coefficients, self.std
        return Correction(self.centre, self.width, self.terms, coefficients, std, self.chi2_per_dof)

    def _unit(self, theta):
        return (np.asarray(theta) - self.centre) / np.where(self.width > 0, self.width, 1.0)


def basis(u, terms):
    """Return the products φ of u (n_point, n_parameter): (n_point, n_term)."""
    return np.stack([np.prod(u[:, list(term)], axis=1) for term in terms], axis=1)


def fit_correction(theta, ratio, error, *, degree=1):
    """Return the :class:`Correction` through ratios of simulated points.

    Parameters
    ----------
    theta : (n_point, n_parameter) float64, meV
    ratio, error : (n_point, n_row) float64
        Sampled over approximated values, and one standard deviation.
    degree : int
    """
    theta = np.asarray(theta, dtype=np.float64)
    centre, width = theta.mean(axis=0), np.ptp(theta, axis=0) / 2.0
    varied = np.nonzero(width > 0)[0].tolist()
    terms = tuple(t for d in range(degree + 1) for t in combinations_with_replacement(varied, d))
    if len(theta) < 2 * len(terms):
        raise FitError(
            "too few simulated points for the correction", where="forward.degree",
            expected=f"at least {2 * len(terms)} points for degree {degree}", got=len(theta),
            fix="simulate more points, or lower the degree",
        )  # fmt: skip
    phi = basis((theta - centre) / np.where(width > 0, width, 1.0), terms)
    weight = 1.0 / np.maximum(error, 1e-3 * np.abs(ratio).mean()) ** 2
    matrix = np.einsum("pi,pr,pj->rij", phi, weight, phi)
    right = np.einsum("pi,pr->ri", phi, weight * ratio)
    coefficients = np.linalg.solve(matrix, right[..., None])[..., 0].T
    rest = weight * (ratio - phi @ coefficients) ** 2
    dof = (len(theta) - len(terms)) * ratio.shape[1]
    at_centre = basis(np.zeros((1, theta.shape[1])), terms)[0]
    std = np.sqrt(np.einsum("i,rij,j->r", at_centre, np.linalg.inv(matrix), at_centre))
    return Correction(centre, width, terms, coefficients, std, float(rest.sum() / dof))


@dataclass(frozen=True, eq=False)
class CorrectedPart:
    """An image or a column of the approximation, times a correction.

    Parameters
    ----------
    part : DiffuseImage or ThermalColumn
    correction : Correction
        On the rows of the measurement.
    """

    part: object
    correction: Correction

    def predict(self, theta):
        """Return the values, (n_row, 1), at all couplings (n_parameter,)."""
        return self.part.predict(theta) * self.correction.values(theta)[:, None]

    def gradient(self, theta):
        """Return the derivatives by all couplings, (n_parameter, n_row, 1)."""
        plain = self.part.gradient(theta) * self.correction.values(theta)[:, None]
        return plain + self.part.predict(theta)[None] * self.correction.gradient(theta)[..., None]


@dataclass(frozen=True, eq=False)
class CorrectedForward(GaussianForward):
    """The approximation, corrected by simulations: :class:`CorrectedPart` of each measurement.

    Parameters
    ----------
    lower, upper : (n_parameter,) float64, meV
        What the simulated points span.
    """

    kind: str = "montecarlo"
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None

    def outside(self, parameters):
        """Return ("theta",) where couplings lie beyond the simulated points, else ()."""
        theta = self.theta(parameters)
        return ("theta",) if np.any((theta < self.lower) | (theta > self.upper)) else ()
