"""A test of residual structure: whether lines have the shape that the model says.

χ² does not tell a wrong line shape: few pixels are off by little. What a wrong shape adds has a known form, though:
weight that moves from the flanks of every line into tails, or from one flank to the other. The test projects the
residuals on such forms, all parameters, scale and background projected off (a score test): under the right shape the
result is χ².
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from .inner import rows_dot

LEVEL = 0.03
"""Chance of a false alarm."""
TAILS = 5.0 / 6.0
"""Part of it that is spent on tails; they are sought on the side of more weight in them only."""
REACH = 0.5
"""Half-widths of the Lorentzian tails, in units of the line's own FWHM, that lines are tried with."""


@dataclass(frozen=True, eq=False)
class LineShapeTest:
    """Result of a line-shape test.

    Parameters
    ----------
    p_value : float
        Chance of such residuals under the right shape, at most: tails are one-sided, a lean has two sides, and they
        share the chance as :data:`TAILS` says.
    amplitudes : dict of str to float
        Of each form, in units of its own standard deviation: standard normal where the shape is right.
    shift : (n_parameter,) float64
        What tails as one more free parameter would move the others by, to first order.
    """

    p_value: float
    amplitudes: dict[str, float]
    shift: np.ndarray

    def fires(self, level=LEVEL):
        """Tell whether the line shape does not fit, with this chance of a false alarm."""
        return self.p_value < level


def shape_changes(image, energies, *, fwhm):
    """Return what a spectrum gains where its lines have tails, and where they lean to one side.

    Parameters
    ----------
    image : (n_q, n_energy) float64
    energies : (n_energy,) float64, meV, uniform
    fwhm : float, meV
        Of a typical line.

    Returns
    -------
    dict of str to (n_q, n_energy)
        ``tails``: the image convolved with a Lorentzian of half-width ``fwhm``/2, less the image; ``lean``: the third
        derivative by the energy, times fwhm³.
    """
    step = float(energies[1] - energies[0])
    offset = step * np.arange(-(len(energies) - 1), len(energies))
    half = REACH * fwhm
    kernel = half / np.pi / (offset**2 + half**2) * step
    smeared = _convolved(image, kernel)
    lean = image
    for _ in range(3):
        lean = np.gradient(lean, step, axis=1)
    return {"tails": smeared - image, "lean": fwhm**3 * lean}


def _convolved(image, kernel):
    """Return the convolution of every row with an odd kernel of 2 n_energy - 1 values, zero outside."""
    n = image.shape[1]
    index = np.arange(n)
    return image @ kernel[index[None, :] - index[:, None] + n - 1]


def line_shape_test(problem, best, box, *, measurements, fwhm):
    """Test whether the residuals of a fit hold what another line shape would leave in them.

    Parameters
    ----------
    problem : Problem
        Whose objective is a likelihood (:mod:`spinscape.infer.poisson`).
    best : (n_parameter,) float64
        Its minimum.
    box : Box
    measurements : sequence of Measurement
    fwhm : float, meV
        Of a typical line: the resolution in the middle of the bands.

    Returns
    -------
    LineShapeTest
    """
    predictions, jacobians = problem.linearise(best, box)
    images = [shape_changes(i, m.energy.centres, fwhm=fwhm) for i, m in zip(predictions, measurements, strict=True)]
    names = tuple(images[0])
    trials = tuple(np.array([one[name] for name in names]) for one in images)
    stacked = tuple(np.concatenate([j, t]) for j, t in zip(jacobians, trials, strict=True))
    return _score_test(problem.objective.scores(predictions, stacked), len(box.names), names)


def _score_test(scores, n_parameter, names):
    """Return the test of the last columns, the first ``n_parameter`` of them being free."""
    n = n_parameter + len(names)
    information, gradient = np.zeros((n, n)), np.zeros(n)
    for columns, residuals in scores:
        information += np.einsum("pi,qi->pq", columns, columns)
        gradient += rows_dot(columns, residuals)
    a, b = slice(0, n_parameter), slice(n_parameter, n)
    mix = np.linalg.solve(information[a, a], information[a, b])
    matrix = information[b, b] - information[b, a] @ mix
    rest = gradient[b] - mix.T @ gradient[a]
    sizes = dict(zip(names, (rest / np.sqrt(np.diag(matrix))).tolist(), strict=True))
    tails = names.index("tails")
    shift = -mix[:, tails] * rest[tails] / matrix[tails, tails]
    return LineShapeTest(chance_of(sizes), sizes, shift)


def chance_of(amplitudes):
    """Return the p value of amplitudes: the smaller of both forms', each divided by its share of the chance.

    >>> chance_of({"tails": 1.96, "lean": 0.0}) < 0.0301 < chance_of({"tails": -5.0, "lean": 1.0})
    True
    """
    tails = norm.sf(amplitudes["tails"]) / TAILS
    lean = 2.0 * norm.sf(abs(amplitudes["lean"])) / (1.0 - TAILS)
    return float(min(1.0, tails, lean))
