"""The region of acceptable couplings: where an objective, other parameters at their best, is near its minimum."""

from dataclasses import dataclass

import numpy as np

from ..errors import FitError
from .gauss_newton import gauss_newton
from .held import held_problem

LEVEL = {"68": 2.295748928898636, "95": 5.991464547107979}
"""Δχ² of two parameters that hold 68.27 % and 95 % of the probability."""
REACH = 3.5
"""Half-width of the map, in standard deviations along each principal axis."""
MAX_STEP = 4
"""Linearisations for the other parameters at one point: they start where the covariance expects them."""


@dataclass(frozen=True, eq=False)
class Region:
    """A map of Δ = (D − D_min)/noise scale over two parameters.

    Parameters
    ----------
    names : (str, str)
    x, y : (n, n) float64
        Values of the two parameters, on a mesh along the principal axes of their covariance.
    excess : (n, n) float64
        +inf where the model is unstable, and outside the box. 68 and 95 % of the probability lie below :data:`LEVEL`.
    """

    names: tuple[str, str]
    x: np.ndarray
    y: np.ndarray
    excess: np.ndarray


def acceptable_region(problem, best, box, covariance, *, n_point):
    """Return the :class:`Region` of the first two parameters about a minimum.

    Parameters
    ----------
    problem : Problem
        Whose objective is a deviance or χ² (it has a ``noise_scale``).
    best : (n_parameter,) float64
    box : Box
    covariance : Covariance
        Says how far to look, and where the other parameters are expected.
    n_point : int
        Along each of the two.
    """
    if np.any(covariance.std[:2] <= 0):
        raise FitError("a coupling at its bound has no region", where="fit, region", got=covariance.fixed)
    best = np.asarray(best, dtype=np.float64)
    lowest = problem(best)
    scale = problem.objective.noise_scale(lowest, n_parameter=len(box.names))
    follow = covariance.matrix[2:, :2] @ np.linalg.pinv(covariance.matrix[:2, :2])
    points = best[:2] + _mesh(covariance.matrix[:2, :2], n_point)
    values = [[_at(problem, box, best, follow, pair) for pair in row] for row in points]
    return Region(tuple(box.names[:2]), points[..., 0], points[..., 1], (np.array(values) - lowest) / scale)


def _mesh(covariance, n_point):
    """Return offsets (n, n, 2) on a mesh along the principal axes: correlated couplings make narrow valleys."""
    spread, axes = np.linalg.eigh(covariance)
    steps = np.linspace(-REACH, REACH, n_point)
    unit = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1)
    return (unit * np.sqrt(spread)) @ axes.T


def _at(problem, box, best, follow, pair):
    """Return the objective with two parameters held and the others at their best."""
    if np.any(pair < box.lower[:2]) or np.any(pair > box.upper[:2]):
        return np.inf
    others = np.clip(best[2:] + follow @ (pair - best[:2]), box.lower[2:], box.upper[2:])
    if problem.predict(np.concatenate([pair, others])) is None:
        return np.inf
    if not len(others):
        return problem(pair)
    held, small = held_problem(problem, box, 0, pair[0])
    held, small = held_problem(held, small, 0, pair[1])
    return gauss_newton(held, others, box=small, max_step=MAX_STEP, tolerance=0.05).value
