"""Intervals that cover: information, profile, sandwich, clipping, freer backgrounds, and groups of pixels."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2 as chi2_law
from scipy.stats import norm
from scipy.stats import t as student

from ..errors import FitError
from .clip import Clipped, clipped_fit
from .gauss_newton import gauss_newton
from .held import held_problem
from .inner import gram
from .problem import Problem
from .uncertainty import Covariance, block_labels, group_jackknife
from .weighted_sum import as_likelihood, terms_of

FAR = 1.3
"""A width that differs from the declared one by more than this factor is warned of."""
FEW_COUNTS = 2e4
"""Below so many counts a likelihood is no parabola yet: its profile is asked."""
MAX_CROSSING = 60
"""Steps to the end of an interval, at most."""
MOVED = 2.0
"""Shifts beyond this many standard deviations are warned of."""


def information_covariance(problem, best, box):
    """Return the covariance from the expected information, scale and backgrounds eliminated.

    Parameters
    ----------
    problem : Problem
    best : (n_parameter,) float64
        Parameters at a bound of the box are held there.
    box : Box

    Raises
    ------
    FitError
        Where the likelihood is flat along a direction; :func:`~spinscape.infer.identify.identifiability` says which.
    """
    predictions, jacobians = problem.linearise(best, box)
    _, matrix = problem.objective.normal_equations(predictions, jacobians)
    fixed = box.at_bound(best)
    free = np.array([name not in fixed for name in box.names])
    part = matrix[np.ix_(free, free)]
    root = np.sqrt(np.abs(np.diag(part)))
    if not free.any() or root.min() == 0 or np.linalg.eigvalsh(part / np.outer(root, root))[0] < 1e-10:
        raise FitError(
            "the likelihood is flat along a combination of parameters",
            where=f"fit, parameters {', '.join(n for n, f in zip(box.names, free, strict=True) if f)}",
            fix="fix one of them, or fit more data",
        )
    out = np.zeros((len(free), len(free)))
    kept = tuple(jacobian[free] for jacobian in jacobians)
    out[np.ix_(free, free)] = problem.objective.covariance(predictions, kept, part)
    return Covariance(box.names, out, fixed, "hessian")


def sandwich_covariance(problem, best, box, *, measurements, block=(12, 18)):
    """Return the covariance H⁻¹ G H⁻¹, where G is the scatter of what blocks of pixels say of the parameters.

    Independent of the size of the noise; right as far as residuals of different blocks are independent and there are
    many: G is scaled by n/(n − p) for the p parameters that n blocks were fitted with, backgrounds not counted.
    """
    predictions, jacobians = problem.linearise(best, box)
    p, n_all = len(box.names), 0
    bread, filling = np.zeros((p, p)), np.zeros((p, p))
    scores = problem.objective.scores(predictions, jacobians)
    for (columns, residuals), one, m in zip(scores, problem.objective.pixels, measurements, strict=True):
        bread += gram(columns)
        labels, n_block = block_labels(m.shape, m.segments, block)
        where = one.gather(labels)
        sums = np.array([np.bincount(where, weights=column * residuals, minlength=n_block) for column in columns])
        filling += gram(sums)
        n_all += len(np.unique(where))
    inverse = np.linalg.inv(bread)
    matrix = n_all / max(n_all - p, 1) * inverse @ filling @ inverse
    return Covariance(box.names, matrix, (), "sandwich")


def few_counts(objective):
    """Return whether an objective is a likelihood of fewer than :data:`FEW_COUNTS` counts, in all that it counts.

    Beside counts there may be values with standard deviations. Of a sum with weights, or of other terms, it is asked
    whether a likelihood in it is one.
    """
    likelihood = as_likelihood(objective)
    parts = [likelihood] if hasattr(likelihood, "sets") else [t.objective for t in terms_of(objective)]
    sets = [one for part in parts for one in getattr(part, "sets", ())]
    counted = [float(one.data.sum()) for one in sets if getattr(getattr(one, "law", None), "positive", False)]
    return bool(counted) and sum(counted) < FEW_COUNTS


def profile_interval(problem, best, box, name, *, level=0.95, tolerance=0.01, law=None):
    """Return the interval of one parameter in which the best objective of all others stays below its threshold.

        { x : min over the others of D(x, ...) ≤ D_min + χ²₁(level) · noise scale }

    Parameters
    ----------
    problem : Problem
        Whose objective is a deviance or a χ².
    best : (n_parameter,) float64
    box : Box
    name : str
    level : float
    tolerance : float
        Of the bounds, in standard deviations.
    law : RatioLaw, optional
        In place of χ²₁, where there are few counts (:func:`~spinscape.infer.simulated_ratio.ratio_law`).

    Returns
    -------
    (lower, upper) : float
        A bound of the box where the objective stays below inside it.
    """
    k, here = box.names.index(name), problem.evaluate(np.asarray(best))[0]
    std = information_covariance(problem, best, box).std[k]
    scale = problem.objective.noise_scale(here, n_parameter=len(box.names))
    limit = (float(chi2_law.ppf(level, 1)) if law is None else law.limit(level)) * scale
    valley = _Valley(problem, np.asarray(best, dtype=np.float64), box, k, tolerance)

    def excess(x):
        """Return √(rise of the objective) less its limit: nearly linear in x."""
        return np.sqrt(max(valley(x) - here, 0.0)) - np.sqrt(limit)

    ends = []
    for sign, bound in ((-1.0, box.lower[k]), (1.0, box.upper[k])):
        step, outside = sign * norm.ppf(0.5 + 0.5 * level) * std, -1.0
        for factor in (1.3, 2.0, 4.0, 8.0, np.inf):
            reach = float(np.clip(best[k] + factor * step, box.lower[k], box.upper[k]))
            outside = excess(reach)
            if outside > 0 or reach == bound:
                break
        known = (float(best[k]), -np.sqrt(limit)), (reach, outside)
        ends.append(reach if outside <= 0 else _crossing(excess, *known, width=tolerance * std))
    return tuple(ends)


def _crossing(function, below, above, *, width):
    """Return where a function that is nearly linear crosses zero, between two points (x, value) on either side.

    False position with Illinois' halving: one or two calls where a secant would do, and always inside.
    """
    (a, low), (b, high) = below, above
    moved = 0
    for _ in range(MAX_CROSSING):
        slope = (high - low) / (b - a)
        x = a - low / slope
        value = function(x)
        # What is left to go, by the secant's slope.
        if abs(value) <= width * abs(slope):
            break
        side = -1 if value <= 0 else 1
        if side < 0:
            a, low, high = x, value, high * (0.5 if moved == side else 1.0)
        else:
            b, high, low = x, value, low * (0.5 if moved == side else 1.0)
        moved = side
    return float(x - value / slope)


class _Valley:
    """The least of an objective with one parameter held, each time from where the time before ended."""

    def __init__(self, problem, best, box, index, tolerance):
        self.problem, self.box, self.index, self.tolerance = problem, box, index, tolerance
        self.centre, self.best = float(best[index]), np.delete(best, index)
        self.last = self.centre, self.best

    def __call__(self, x):
        """Return the least value with the parameter at x."""
        if not len(self.best):
            return self.problem(np.array([x]))
        held, small = held_problem(self.problem, self.box, self.index, x)
        found = gauss_newton(held, self._start(x), box=small, tolerance=self.tolerance)
        self.last = x, found.parameters
        return found.value

    def _start(self, x):
        """Return the point on the line to the last end; beyond that, and on the other side, what is known."""
        at, others = self.last
        share = (x - self.centre) / (at - self.centre) if at != self.centre else -1.0
        if share < 0.0:
            return self.best
        return self.best + min(share, 1.0) * (others - self.best)


@dataclass(frozen=True, eq=False)
class Robust:
    """A fit whose intervals survive regions that the model does not describe.

    Parameters
    ----------
    parameters : (n_parameter,) float64
        Of the clipped fit.
    clipped : Clipped
    covariance : Covariance
        Information of the kept pixels, and the square of what a freer background moves.
    shift : (n_parameter,) float64
        What a freer background moves.
    warnings : tuple of str
    """

    parameters: np.ndarray
    clipped: Clipped
    covariance: Covariance
    shift: np.ndarray
    warnings: tuple[str, ...]


def robust_fit(problem, best, box, *, freer=None):
    """Clip, refit, and ask how far a background with more freedom moves the answer.

        covariance = H⁻¹ (kept pixels) + δ δᵀ,   δ = fit with the freer background - fit

    Parameters
    ----------
    problem : Problem
    best : (n_parameter,) float64
    box : Box
    freer : Objective, optional
        The same data with a background of more freedom (``BackgroundForm("row_segment")``); without it δ = 0.

    Returns
    -------
    Robust
    """
    clipped = clipped_fit(problem, best, box)
    plain = information_covariance(clipped.problem, clipped.parameters, box)
    shift = np.zeros(len(box.names))
    if freer is not None:
        weights = tuple(k.astype(np.float64) for k in clipped.kept)
        shift = freer_shift(problem, clipped.parameters, box, freer=freer.reweighted(weights))
        shift = np.where(plain.std > 0, shift, 0.0)
    moved = clipped.parameters - np.asarray(best)
    warnings = moved_warnings(box, moved, plain.std, "leaving out what stands out")
    warnings += moved_warnings(box, shift, plain.std, "a background with more freedom")
    warnings += list(instrument_warnings(box, clipped.parameters))
    covariance = widened(plain, shift, method="robust")
    return Robust(clipped.parameters, clipped, covariance, shift, tuple(warnings))


def freer_shift(problem, best, box, *, freer):
    """Return how far a background with more freedom moves the answer, (n_parameter,).

    Parameters
    ----------
    problem : Problem
    best : (n_parameter,) float64
    box : Box
    freer : Objective
        The same pixels with the freer background.
    """
    other = Problem(problem.forward, freer, problem.calls)
    return gauss_newton(other, np.asarray(best), box=box).parameters - np.asarray(best)


def widened(covariance, *shifts, method=None):
    """Return a covariance with the squares of what choices move added: Σ + Σ_k δ_k δ_kᵀ.

    Parameters
    ----------
    covariance : Covariance
    *shifts : (n_parameter,) float64
        Of a freer background, or of tails (:class:`~spinscape.infer.line_shape_test.LineShapeTest`); zero is taken for
        parameters at a bound.
    method : str, optional
    """
    free = covariance.std > 0
    matrix = covariance.matrix + sum(np.outer(np.where(free, d, 0.0), np.where(free, d, 0.0)) for d in shifts)
    return Covariance(covariance.names, matrix, covariance.fixed, method or covariance.method)


def instrument_warnings(box, parameters):
    """Say which parameters sit at a bound, and which widths are far from the declared ones.

    Parameters
    ----------
    box : Box
        Widths are the parameters ``fwhm_factor`` and ``ln_fwhm_factor``.
    parameters : (n_parameter,) float64

    Returns
    -------
    tuple of str
    """
    out = [f"{name} sits at a bound of its interval" for name in box.at_bound(parameters)]
    for name, value in zip(box.names, parameters, strict=True):
        factor = {"fwhm_factor": value, "ln_fwhm_factor": np.exp(value)}.get(name, 1.0)
        if not 1.0 / FAR < factor < FAR:
            out.append(f"the fitted resolution is {factor:.2f} times the declared one: doubt the line shape")
    return tuple(out)


def moved_warnings(box, shift, std, what):
    """Say which parameters a choice moves by more than :data:`MOVED` standard deviations: a list of str."""
    far = [(n, d, s) for n, d, s in zip(box.names, shift, std, strict=True) if s > 0 and abs(d) > MOVED * s]
    return [f"{what} moves {name} by {d:+.2g}, {abs(d) / s:.1f} standard deviations" for name, d, s in far]


def quoted_std(gradient, covariances):
    """Return the largest standard deviation of a quantity by several methods, and the method.

    Parameters
    ----------
    gradient : (n_parameter,) float64
        Of the quantity by the parameters.
    covariances : dict of str to Covariance
        For real data the information and the group jackknife: a wrong line shape shows in the second only.

    Returns
    -------
    std : float
    method : str
    """
    stds = {name: covariance.along(gradient) for name, covariance in covariances.items()}
    method = max(stds, key=lambda name: stds[name])
    return stds[method], method


def jackknife_covariance(problem, best, box, *, measurements, n_band=3):
    """Return the covariance of :func:`~spinscape.infer.uncertainty.group_jackknife` and the number of its groups."""
    replicas = group_jackknife(problem, best, box, measurements=measurements, n_band=n_band)
    return replicas.covariance(), len(replicas.parameters)


def interval_width(level, *, n_group=None):
    """Return the half-width of a central interval in standard deviations.

    Student's law with ``n_group`` - 1 degrees of freedom where the standard deviation is that of a few groups.

    >>> round(interval_width(0.95), 3), round(interval_width(0.95, n_group=15), 3)
    (1.96, 2.145)
    """
    tail = 0.5 + 0.5 * level
    return float(norm.ppf(tail) if n_group is None else student.ppf(tail, n_group - 1))
