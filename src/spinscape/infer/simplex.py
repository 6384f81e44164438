"""The simplex search of Nelder and Mead inside a box; walls may be infinite."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Descent:
    """The end of one descent: where, how low, after how many calls, and whether the simplex had shrunk."""

    parameters: np.ndarray
    value: float
    n_call: int
    converged: bool


def nelder_mead(function, start, *, box, size, tolerance, max_call):
    """Return the end of a simplex descent from ``start``.

    Parameters
    ----------
    function : callable of (n_parameter,) float64 → float, may be +inf
    start : (n_parameter,) float64
        With a finite value.
    box : Box
        The simplex lives in the box's unit cube; points outside are put on its wall.
    size : float
        Edge of the first simplex, in widths of the box.
    tolerance : float
        The search ends when the simplex is smaller than this in every parameter, in widths of the box.
    max_call : int

    Notes
    -----
    The steps of Nelder and Mead, Comput. J. 7, 308 (1965). Only comparisons of values enter, so that an infinite one is
    just a bad point, and a function times a positive constant takes the same way.
    """
    evaluate = _in_cube(function, box)
    points = _first_simplex(box.to_unit(start), size)
    values = np.array([evaluate(point) for point in points])
    n_call = len(points)
    while n_call < max_call:
        order = np.argsort(values, kind="stable")
        points, values = points[order], values[order]
        if np.abs(points[1:] - points[0]).max() <= tolerance:
            break
        n_call += _step(evaluate, points, values)
    best = int(np.argmin(values))
    spread = np.abs(points - points[best]).max()
    return Descent(box.from_unit(points[best]), float(values[best]), n_call, bool(spread <= tolerance))


def _in_cube(function, box):
    return lambda unit: function(box.from_unit(unit))


def _first_simplex(start, size):
    points = np.repeat(np.clip(start, 0.0, 1.0)[None], len(start) + 1, axis=0)
    for k in range(len(start)):
        points[k + 1, k] += size if points[k + 1, k] + size <= 1.0 else -size
    return points


def _step(evaluate, points, values):
    """Replace the worst of sorted ``points`` in place, or shrink all towards the best; return the calls."""
    centre = points[:-1].mean(axis=0)

    def along(factor):
        point = np.clip(centre + factor * (points[-1] - centre), 0.0, 1.0)
        return point, evaluate(point)

    reflected, value = along(-1.0)
    if value < values[0]:
        expanded, further = along(-2.0)
        points[-1], values[-1] = (expanded, further) if further < value else (reflected, value)
        return 2
    if value < values[-2]:
        points[-1], values[-1] = reflected, value
        return 1
    contracted, nearer = along(-0.5 if value < values[-1] else 0.5)
    if nearer < min(value, values[-1]):
        points[-1], values[-1] = contracted, nearer
        return 2
    points[1:] = points[0] + 0.5 * (points[1:] - points[0])
    values[1:] = [evaluate(point) for point in points[1:]]
    return 2 + len(points) - 1
