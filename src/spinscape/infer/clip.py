"""Regions that the model does not describe are left out, and the fit repeated."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter

from .gauss_newton import gauss_newton
from .problem import Problem

WINDOW = 5
THRESHOLD = 3.5
N_REFIT = 3


@dataclass(frozen=True, eq=False)
class Clipped:
    """A fit without the regions that stand out.

    Parameters
    ----------
    problem : Problem
        With the left-out pixels at weight zero.
    parameters : (n_parameter,) float64
    kept : tuple of (n_q, n_energy) bool
        Which pixels count; masked ones are True, they never counted.
    share : float
        Left-out part of the valid pixels.
    """

    problem: Problem
    parameters: np.ndarray
    kept: tuple[np.ndarray, ...]
    share: float


def box_residuals(residuals, counted, *, window=WINDOW):
    """Return the sum of the residuals in a box about each pixel over the root of their number.

    Parameters
    ----------
    residuals : (n_q, n_energy) float64
        Standardised; zero where nothing counts.
    counted : (n_q, n_energy) bool
    window : int

    Returns
    -------
    (n_q, n_energy) float64
        Standard normal where the model is right; zero where no pixel of the box counts.
    """
    area = float(window * window)
    n = np.round(area * uniform_filter(counted.astype(np.float64), window, mode="constant"))
    total = area * uniform_filter(np.where(counted, residuals, 0.0), window, mode="constant")
    return np.where(n > 0, total / np.sqrt(np.maximum(n, 1.0)), 0.0)


def clipped_fit(problem, best, box, *, threshold=THRESHOLD, window=WINDOW, n_refit=N_REFIT):
    """Refit without the pixels whose surroundings are off by more than ``threshold`` standard deviations.

    Parameters
    ----------
    problem : Problem
        Whose objective has ``residuals_by`` and ``reweighted``: a likelihood, or a sum of which some terms are.
    best : (n_parameter,) float64
        The fit of all pixels.
    box : Box

    Returns
    -------
    Clipped

    Notes
    -----
    Each round starts from all pixels with the residuals of the fit before: what was left out by mistake comes back.
    """
    here, reduced = np.asarray(best, dtype=np.float64), problem
    valid = tuple(p.spread(np.ones(p.n_pixel)) > 0 for p in problem.objective.pixels)
    kept = tuple(np.ones(v.shape, bool) for v in valid)
    for _ in range(n_refit):
        residuals = problem.objective.residuals_by(reduced.objective, problem.forward.predict(here))
        after = tuple(
            np.abs(box_residuals(r, v, window=window)) <= threshold for r, v in zip(residuals, valid, strict=True)
        )
        if all(np.array_equal(a, b) for a, b in zip(after, kept, strict=True)):
            break
        kept = after
        reduced = problem.reweighted(tuple(k.astype(np.float64) for k in kept))
        here = gauss_newton(reduced, here, box=box).parameters
    n_valid = sum(int(v.sum()) for v in valid)
    n_left = sum(int((v & ~k).sum()) for v, k in zip(valid, kept, strict=True))
    return Clipped(reduced, here, kept, n_left / n_valid)
