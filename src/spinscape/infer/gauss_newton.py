"""Damped Gauss-Newton steps inside a box, from a start that is already near the minimum."""

from dataclasses import dataclass

import numpy as np

from ..errors import FitError

FIRST_DAMPING = 1e-4
MAX_DAMPING = 1e6


@dataclass(frozen=True, eq=False)
class Refined:
    """The end of a Gauss-Newton descent."""

    parameters: np.ndarray
    value: float
    n_step: int
    converged: bool


def gauss_newton(problem, start, *, box, max_step=30, tolerance=1e-3, first=None, central=True):
    """Return the minimum of ``problem`` near ``start``.

    Parameters
    ----------
    problem : Problem
    start : (n_parameter,) float64
        With stable spectra.
    box : Box
        A parameter at a bound whose gradient points outwards stays there for the step.
    max_step : int
        Linearisations at most.
    tolerance : float
        The search ends when a step promises to lower the value by less than ``tolerance`` squared times the mean value
        of a pixel: then every parameter is within about ``tolerance`` standard deviations of the minimum.
    first : (predictions, jacobians), optional
        The linearisation at ``start``, where it is known already: replicas that differ only in weights share it.

    central : bool
        Central differences where the forward model has no derivatives of its own; one-sided ones cost half.

    Notes
    -----
    Levenberg's damping, relative to the diagonal; a step that does not lower the value is shortened, so that the value
    never rises. Source: Nocedal and Wright, Numerical Optimization, ch. 10.
    """
    here = box.clip(np.asarray(start, dtype=np.float64))
    predictions, jacobians = problem.linearise(here, box, central=central) if first is None else first
    value = problem.objective.value(predictions)
    unit_of_value = value / max(_n_pixel(problem), 1)
    damping = FIRST_DAMPING
    for n_step in range(1, max_step + 1):
        gradient, matrix = problem.objective.normal_equations(predictions, jacobians)
        move = _step(gradient, matrix, damping, here, box)
        if -gradient @ move <= tolerance**2 * unit_of_value:
            return Refined(here, value, n_step, True)
        accepted, damping = _accept(problem, here, value, gradient, matrix, damping, box)
        if accepted is None:
            # No step lowers the value, by the last digits of the spectra: this is the minimum as far as they tell.
            return Refined(here, value, n_step, True)
        here, value, predictions = accepted
        if n_step < max_step:
            predictions, jacobians = problem.linearise(here, box, central=central, predictions=predictions)
    return Refined(here, value, max_step, False)


def _accept(problem, here, value, gradient, matrix, damping, box):
    """Return ((parameters, value, spectra), damping) of the first step that lowers the value, or (None, damping)."""
    while damping <= MAX_DAMPING:
        trial = box.clip(here + _step(gradient, matrix, damping, here, box))
        lower, predictions = problem.evaluate(trial)
        if lower < value:
            return (trial, lower, predictions), max(0.1 * damping, 1e-12)
        damping *= 10.0
    return None, damping


def _step(gradient, matrix, damping, here, box):
    free = ~(((here <= box.lower) & (gradient > 0)) | ((here >= box.upper) & (gradient < 0)))
    diagonal = np.diag(matrix)
    free &= diagonal > 0
    move = np.zeros_like(here)
    if free.any():
        part = matrix[np.ix_(free, free)] + damping * np.diag(diagonal[free])
        try:
            move[free] = np.linalg.solve(part, -gradient[free])
        except np.linalg.LinAlgError as error:
            raise FitError(
                "the parameters cannot be told apart: the normal equations are singular",
                where=f"fit, parameters {', '.join(box.names)}",
                fix="fix one of them, or fit more data",
            ) from error
    return move


def _n_pixel(problem):
    return sum(pixels.n_pixel for pixels in problem.objective.pixels)
