"""Scale and background of a spectrum at their best: the inner minimum of a likelihood, and what it leaves of a column.

    μ = exposure · (a · model + c[group] + Σ_k d_k column_k),   a ≥ 0

Of counts the background c + Σ d column is nowhere negative where groups have constants; without groups μ is not.

The normal equations have an arrow's shape: each c is coupled to a and d only. They are solved by the Schur complement
of the c, so that thousands of backgrounds cost no more than a sum over pixels.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..errors import FitError
from ..kernels.likelihood import best_constants, profile_counts
from .inner import dot, gram, rows_dot

MAX_STEP = 300
TOLERANCE = 1e-9
"""Decrease of the deviance that a further step promises, at which the inner search ends."""


class Groups(NamedTuple):
    """Pixels that share a constant, sorted by group.

    Parameters
    ----------
    start : (n_group,) int64
        First pixel of each group.
    of_pixel : (n_pixel,) int64
    """

    start: np.ndarray
    of_pixel: np.ndarray

    @classmethod
    def of_labels(cls, labels):
        """Return the groups of sorted labels (n_pixel,)."""
        _, start, of_pixel = np.unique(labels, return_index=True, return_inverse=True)
        return cls(start, of_pixel.reshape(-1))

    def total(self, values):
        """Return sums over each group of values (..., n_pixel): (..., n_group)."""
        return np.add.reduceat(values, self.start, axis=-1)


@dataclass(frozen=True, eq=False)
class Profiled:
    """The inner minimum.

    Parameters
    ----------
    scale : float
    constants : (n_group,) float64
    coefficients : (n_column,) float64
    mu : (n_pixel,) float64
        Expectations.
    deviance : float
    bounded : (n_group,) bool
        The background is as low as it may be: zero somewhere in the group.
    """

    scale: float
    constants: np.ndarray
    coefficients: np.ndarray
    mu: np.ndarray
    deviance: float
    bounded: np.ndarray


def profiled(pixels, model):
    """Return scale and background that minimise the deviance of a model's values (n_pixel,) at the pixels.

    Parameters
    ----------
    pixels : LikelihoodPixels
    model : (n_pixel,) float64

    Returns
    -------
    Profiled

    Notes
    -----
    Newton's steps with the curvature at the data, halved where they do not lower the deviance. Constants of counts are
    at their best for every scale and every coefficient (:mod:`spinscape.kernels.likelihood`): they cannot be negative.
    """
    columns = np.concatenate([(pixels.exposure * model)[None], pixels.columns])
    if pixels.law.positive and pixels.groups is not None and not len(pixels.columns) and pixels.scale is None:
        return _of_counts(pixels, columns)
    return _newton(pixels, columns, _start(pixels, columns))


def _of_counts(pixels, columns):
    """Return the inner minimum of counts over scale and constants alone: a search in one kernel."""
    seen, constants = np.ascontiguousarray(columns[0]), np.zeros(len(pixels.groups.start))
    scale = profile_counts(
        pixels.data, seen, pixels.exposure, pixels.multiplicity, pixels.groups.start, constants,
        _tolerance(len(pixels.data)),
    )  # fmt: skip
    return _state(pixels, columns, np.array([scale]), constants, known=True)


def _tolerance(deviance):
    return TOLERANCE * max(1.0, 1e-3 * abs(deviance))


def _newton(pixels, columns, state):
    for _ in range(MAX_STEP):
        following, promised = _stepped(pixels, columns, state)
        if promised <= _tolerance(state.deviance) or following is None:
            return state if following is None else following
        if pixels.law.kind == "gaussian" and following.scale > 0.0:
            return following  # a parabola: the first whole step ends at its minimum
        state = following
    raise FitError(
        "scale and background of a spectrum cannot be found",
        where=f"measurement {pixels.name}",
        expected=f"a minimum within {MAX_STEP} steps",
        got=f"a step that still promises {promised:.3g}",
        fix="give the background less freedom, or check the data",
    )


def projected(pixels, found, vectors, model):
    """Return √W (vectors - what scale and background can make of them), (p, n_pixel), W the expected weights.

    Parameters
    ----------
    pixels : LikelihoodPixels
    found : Profiled
    vectors : (p, n_pixel) float64
        Changes of μ.
    model : (n_pixel,) float64
    """
    weight = pixels.multiplicity * pixels.law.weight(pixels.data, found.mu, pixels.variance)
    root = np.sqrt(weight)
    out = _off_groups(pixels, found, root * vectors, root)
    others = [] if found.scale <= 0.0 or pixels.scale is not None else [pixels.exposure * model]
    others += list(pixels.columns)
    if not others:
        return out
    basis = _orthonormal(_off_groups(pixels, found, root * np.array(others), root))
    return out - (out @ basis.T) @ basis if len(basis) else out


def _off_groups(pixels, found, vectors, root):
    """Take the constants of the groups off; a group at its bound (zero background) has none."""
    if pixels.groups is None:
        return vectors
    unit = root * pixels.exposure
    total = pixels.groups.total(unit * unit)
    free = (total > 0) & ~found.bounded
    share = np.where(free, pixels.groups.total(unit * vectors) / np.where(free, total, 1.0), 0.0)
    return vectors - unit * share[:, pixels.groups.of_pixel]


def _orthonormal(vectors):
    """Return an orthonormal basis of the rows, what is zero but for rounding left out."""
    norm = np.sqrt(np.einsum("pi,pi->p", vectors, vectors))
    kept = vectors[norm > 0] / norm[norm > 0][:, None]
    values, turn = np.linalg.eigh(gram(kept)) if len(kept) else (np.zeros(0), np.zeros((0, 0)))
    good = values > 1e-10
    return (turn[:, good].T @ kept) / np.sqrt(values[good])[:, None]


def _start(pixels, columns):
    """Return a start with every expectation positive: half of the data's mean from the model, half from below."""
    n = 0 if pixels.groups is None else len(pixels.groups.start)
    total, seen = dot(pixels.multiplicity, pixels.data), dot(pixels.multiplicity, columns[0])
    scale = max(0.5 * total / seen, 0.0) if seen > 0 else 0.0
    scale = scale if pixels.scale is None else float(pixels.scale)
    constants, coefficients = np.zeros(n), np.zeros(len(pixels.columns))
    if n:
        weight = pixels.multiplicity * pixels.exposure
        share = pixels.groups.total(pixels.multiplicity * pixels.data)
        constants = np.maximum(0.5 * share / np.maximum(pixels.groups.total(weight), 1e-300), 0.0)
    elif len(pixels.columns):
        # Only columns that are nowhere negative: every expectation starts positive.
        fits = (pixels.columns.min(axis=1) >= 0) & (pixels.columns.max(axis=1) > 0)
        sums = np.where(fits, pixels.columns.sum(axis=1), 1.0)
        coefficients = np.where(fits, 0.5 * max(total, 0.0) / sums / max(int(fits.sum()), 1), 0.0)
    return _state(pixels, columns, np.array([scale, *coefficients]), constants)


def _state(pixels, columns, linear, constants, *, known=False):
    """Return the state at linear coefficients; constants that cannot be negative are at their best, unless known."""
    mu, infeasible = linear @ columns, False
    bounded = np.zeros(len(constants), bool)
    if pixels.groups is not None and pixels.law.positive:
        lowest = _lowest(pixels, linear)
        if not known:
            constants = np.maximum(constants - lowest, 0.0)
            base = np.maximum(mu + pixels.exposure * lowest[pixels.groups.of_pixel], 0.0)
            best_constants(pixels.data, base, pixels.exposure, pixels.multiplicity, pixels.groups.start, constants)
            constants = constants + lowest
        bounded = constants <= lowest
    elif pixels.law.positive:
        infeasible = mu.min() < 0
    if pixels.groups is not None:
        mu = mu + pixels.exposure * constants[pixels.groups.of_pixel]
    mu = np.maximum(mu, 0.0) if pixels.law.positive else mu
    terms = pixels.law.deviance(pixels.data, mu, pixels.variance)
    counted = dot(pixels.multiplicity, np.where(pixels.multiplicity > 0, terms, 0.0))
    return Profiled(float(linear[0]), constants, linear[1:], mu, np.inf if infeasible else counted, bounded)


def _lowest(pixels, linear):
    """Return the constants (n_group,) at which the background just touches zero somewhere in the group."""
    if len(linear) == 1:
        return np.zeros(len(pixels.groups.start))
    under = -(linear[1:] @ pixels.columns) / pixels.exposure
    return np.maximum.reduceat(under, pixels.groups.start)


def _stepped(pixels, columns, state):
    """Return the state after a step that lowers the deviance (None where none does), and what the step promised."""
    law, linear = pixels.law, np.array([state.scale, *state.coefficients])
    if not np.isfinite(state.deviance):
        raise FitError(
            "no scale and background make the counts possible",
            where=f"measurement {pixels.name}",
            got="counts where model and background are zero",
            fix="let the background have a constant",
        )
    slope = pixels.multiplicity * law.slope(pixels.data, state.mu, pixels.variance)
    curvature = pixels.multiplicity * law.curvature(pixels.data, state.mu, pixels.variance)
    gradient, matrix, group = _normal(pixels, columns, slope, curvature, linear)
    if group is not None and law.positive:
        # These constants are at their best already: zero ones stay, the others follow.
        group = group._replace(gradient=np.zeros_like(group.gradient))
        group = group._replace(diagonal=np.where(state.bounded, 0.0, group.diagonal))
    step, group_step = _solved(gradient, matrix, group)
    promised, length = None, 1.0
    while length > 1e-6:
        moved = linear + length * step
        moved[0] = max(moved[0], 0.0)
        constants = state.constants if group is None else state.constants + length * group_step
        if promised is None:
            # Of the step as it is taken: where it is cut short it promises less.
            promised = -2.0 * float(gradient @ (moved - linear))
            promised -= 0.0 if group is None else 2.0 * float(group.gradient @ (constants - state.constants))
        trial = _state(pixels, columns, moved, constants)
        if trial.deviance <= state.deviance:
            return trial, promised
        length *= 0.5
    return None, promised


class _GroupEquations(NamedTuple):
    gradient: np.ndarray
    diagonal: np.ndarray
    mixed: np.ndarray


def _normal(pixels, columns, slope, curvature, linear):
    """Return half the gradient and curvature of the deviance by the linear coefficients, and those of the groups."""
    gradient = rows_dot(columns, slope)
    weighted = curvature * columns
    matrix = np.einsum("pi,qi->pq", weighted, columns)
    group = None
    if pixels.groups is not None:
        total = pixels.groups.total
        group = _GroupEquations(
            total(pixels.exposure * slope), total(pixels.exposure**2 * curvature), total(pixels.exposure * weighted)
        )
    if pixels.scale is not None or (linear[0] <= 0.0 and gradient[0] >= 0.0):
        gradient, matrix = gradient.copy(), matrix.copy()
        gradient[0], matrix[0], matrix[:, 0] = 0.0, 0.0, 0.0
        if group is not None:
            group.mixed[0] = 0.0
    return gradient, matrix, group


def _solved(gradient, matrix, group):
    """Solve the arrow-shaped equations: the groups by their Schur complement, those without curvature held."""
    if group is None:
        return -_pseudo_solve(matrix, gradient), None
    safe = group.diagonal > 0
    inverse = np.where(safe, 1.0 / np.where(safe, group.diagonal, 1.0), 0.0)
    schur = matrix - (group.mixed * inverse) @ group.mixed.T
    step = -_pseudo_solve(schur, gradient - group.mixed @ (inverse * group.gradient))
    return step, -inverse * (group.gradient + step @ group.mixed)


def _pseudo_solve(matrix, right):
    """Solve symmetric equations; directions without curvature, relative to the diagonal, stay where they are."""
    root = np.sqrt(np.maximum(np.diag(matrix), 0.0))
    root = np.where(root > 0, root, np.inf)
    scaled = matrix / np.outer(root, root)
    values, turn = np.linalg.eigh(scaled)
    good = values > 1e-12
    return ((turn[:, good] / values[good]) @ (turn[:, good].T @ (right / root))) / root
