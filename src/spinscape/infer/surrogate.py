"""A parabola in place of an objective, with the error of its fit: for likelihoods whose every call is a simulation."""

from dataclasses import dataclass

import numpy as np

from ..errors import FitError
from .inner import dot


@dataclass(frozen=True, eq=False)
class QuadraticSurrogate:
    """D(x) ≈ c + g·u + ½ u·H·u with u = (x − centre)/width. Make it with :func:`quadratic_surrogate`.

    Parameters
    ----------
    centre, width : (n,) float64
    constant : float
    gradient : (n,) float64
    hessian : (n, n) float64, positive definite
    rms : float
        Root mean square of what the parabola leaves of the points that it was fitted to.
    """

    centre: np.ndarray
    width: np.ndarray
    constant: float
    gradient: np.ndarray
    hessian: np.ndarray
    rms: float

    def __call__(self, parameters):
        """Return the parabola's value."""
        u = (np.asarray(parameters) - self.centre) / self.width
        return float(self.constant + self.gradient @ u + 0.5 * u @ self.hessian @ u)

    @property
    def minimum(self):
        """Where the parabola is lowest, (n,)."""
        return self.centre - self.width * np.linalg.solve(self.hessian, self.gradient)


def quadratic_surrogate(points, values, *, weights=None):
    """Fit a parabola to values of an objective.

    Parameters
    ----------
    points : (n_point, n) float64
        At least as many as a parabola has coefficients, (n + 1)(n + 2)/2.
    values : (n_point,) float64
        Finite.
    weights : (n_point,) float64, optional
        Large where the parabola must be right: near the minimum.

    Raises
    ------
    FitError
        Where the points do not determine a parabola, or one without a minimum.
    """
    points, values = np.asarray(points, dtype=np.float64), np.asarray(values, dtype=np.float64)
    n_point, n = points.shape
    centre, width = points.mean(axis=0), np.maximum(np.ptp(points, axis=0), 1e-300) / 2.0
    u = (points - centre) / width
    pairs = [(i, j) for i in range(n) for j in range(i + 1)]
    columns = np.column_stack([np.ones(n_point), u, *[u[:, i] * u[:, j] for i, j in pairs]])
    root = np.ones(n_point) if weights is None else np.sqrt(np.asarray(weights, dtype=np.float64))
    solution, _, rank, _ = np.linalg.lstsq(root[:, None] * columns, root * values, rcond=1e-10)
    if rank < columns.shape[1] or not np.isfinite(values).all():
        raise FitError(
            "the points do not determine a parabola",
            where="surrogate",
            expected=f"{columns.shape[1]} coefficients from finite values in general position",
            got=f"{n_point} points, rank {rank}",
            fix="add points",
        )
    hessian = np.zeros((n, n))
    for (i, j), c in zip(pairs, solution[n + 1 :], strict=True):
        hessian[i, j] += c
        hessian[j, i] += c
    if np.linalg.eigvalsh(hessian)[0] <= 0:
        raise FitError("the parabola has no minimum", where="surrogate", fix="take points nearer to the minimum")
    rest = values - columns @ solution
    rms = float(np.sqrt(dot(rest, rest) / n_point))
    return QuadraticSurrogate(centre, width, float(solution[0]), solution[1 : n + 1], hessian, rms)
