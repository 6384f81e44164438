"""The likelihood ratio of few counts, calibrated by simulated experiments: what stands in for χ² where it fails."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import chi2 as chi2_law
from scipy.stats import f as fisher

from ..errors import FitError, SpinscapeError
from ..rng import stream
from .gauss_newton import gauss_newton
from .held import held_problem
from .inner import gram

TOLERANCE = 0.03
"""How near to their minima simulated experiments are fitted, in standard deviations: 1e-3 of the ratio."""


@dataclass(frozen=True)
class RatioLaw:
    """The law of 2 ln(likelihood ratio) of one coupling: ``factor`` · F(1, ``dof``), which is χ²₁ for (1, ∞).

    Parameters
    ----------
    factor : float
        Mean of the ratio where the coupling is held at its true value (Bartlett's factor).
    error : float
        Of the factor: it is from a few experiments, and the law allows for that.
    n_experiment : int
    """

    factor: float = 1.0
    error: float = 0.0
    n_experiment: int = 0

    @property
    def dof(self):
        """Degrees of freedom of a χ² whose mean is known as well as the factor is."""
        return 2.0 * (self.factor / self.error) ** 2 if self.error > 0 else np.inf

    def limit(self, level):
        """Return what the ratio stays below in a share ``level`` of experiments.

        >>> round(RatioLaw().limit(0.95), 3), round(RatioLaw(1.2).limit(0.95), 3)
        (3.841, 4.61)
        """
        return float(self.factor * _quantile(level, self.dof))

    def as_chi2(self, ratio):
        """Return the value of χ²₁ that is as rare as a ratio (...,) is by this law."""
        ratio = np.asarray(ratio, dtype=np.float64)
        if not np.isfinite(self.dof):
            return ratio / self.factor
        return chi2_law.isf(fisher.sf(ratio / self.factor, 1, self.dof), 1)

    def to_dict(self):
        """Return plain values, for JSON."""
        return {"factor": self.factor, "error": self.error, "n_experiment": self.n_experiment}


def _quantile(level, dof):
    return fisher.ppf(level, 1, dof) if np.isfinite(dof) else chi2_law.ppf(level, 1)


def ratio_law(problem, best, box, *, n_experiment, seed):
    """Return the :class:`RatioLaw` of the couplings from experiments simulated at the best fit.

    Parameters
    ----------
    problem : Problem
        Of a likelihood whose noise is known, of counts at least in part.
    best : (n_parameter,) float64
    box : Box
    n_experiment : int
    seed : int
        Experiment k draws from the stream (seed, "counting", "likelihood ratio", k) and from nothing else.
    """
    return law_of(ratio_excess(problem, best, box, n_experiment=n_experiment, seed=seed))


def law_of(excess):
    """Return the law of the ratios that :func:`ratio_excess` has simulated, (n,)."""
    excess = np.asarray(excess, dtype=np.float64)
    if len(excess) < 2:
        return RatioLaw()
    error = float(excess.std(ddof=1) / np.sqrt(len(excess)))
    # Few experiments may by chance say less than any could be: half of χ².
    return RatioLaw(max(1.0 + float(excess.mean()), 0.5), error, len(excess))


def ratio_excess(problem, best, box, *, n_experiment, seed, first=0):
    """Return by how much likelihood ratios of simulated experiments exceed their limit of many counts, (n,).

    Each experiment draws data at the best fit, is fitted from there with everything free and with each coupling held
    at its value, and says 2 ln(ratio) - score²/information, the mean over the couplings. The score statistic has the
    mean 1 whatever the counts, and is nearly the ratio itself: what is left has little noise.

    Parameters
    ----------
    problem, best, box, n_experiment, seed
        As in :func:`ratio_law`.
    first : int
        Number of the first experiment.

    Raises
    ------
    FitError
        Where fewer than half of the experiments can be fitted.
    """
    best = np.asarray(best, dtype=np.float64)
    linear = problem.linearise(best, box)
    expected = [found.mu for _, found in problem.objective.inner(linear[0])]
    held = [k for k, name in enumerate(problem.forward.coupling_names) if name not in box.at_bound(best)]
    directions, out = _score_directions(problem.objective, linear, held), []
    for k in range(first, first + n_experiment):
        generator = stream(seed, "counting", "likelihood ratio", replica=k)
        pairs = zip(problem.objective.sets, expected, strict=True)
        drawn = tuple(replace(one, data=one.law.drawn(mu, one.variance, generator)) for one, mu in pairs)
        try:
            ratios = _ratios(problem, drawn, best, box, held, linear)
        except SpinscapeError:
            continue
        out.append(float(np.mean(ratios - _score_statistics(directions, drawn, expected))))
    if len(out) < 0.5 * n_experiment or not held:
        raise FitError("experiments simulated at the best fit cannot be fitted", where="uncertainty.simulated",
                       got=f"{n_experiment - len(out)} of {n_experiment} fail")  # fmt: skip
    return np.array(out)


def _ratios(problem, sets, best, box, held, linear):
    """Return the rise of the deviance of drawn data where each of some parameters is held at its true value."""
    drawn = replace(problem, objective=replace(problem.objective, sets=sets))
    how = {"max_step": 60, "tolerance": TOLERANCE}
    lowest = gauss_newton(drawn, best, box=box, first=linear, **how).value
    rises = []
    for k in held:
        small, box_of_rest = held_problem(drawn, box, k, best[k])
        rises.append(gauss_newton(small, np.delete(best, k), box=box_of_rest, **how).value - lowest)
    return np.array(rises)


def _score_directions(objective, linear, held):
    """Return for each parameter of ``held`` unit vectors over the pixels of each measurement: its efficient score."""
    columns = [one for one, _ in objective.scores(*linear)]
    everything = np.concatenate(columns, axis=1)
    inverse = np.linalg.pinv(gram(everything), rcond=1e-12, hermitian=True)
    cuts = np.cumsum([c.shape[1] for c in columns])[:-1]
    out = []
    for k in held:
        along = inverse[k] @ everything / np.sqrt(inverse[k, k])
        out.append(np.split(along, cuts))
    return out


def _score_statistics(directions, sets, expected):
    """Return the squares of the efficient scores of drawn data, (n,): each of the mean 1."""
    standard = []
    for one, mu in zip(sets, expected, strict=True):
        slope, weight = (f(one.data, mu, one.variance) for f in (one.law.slope, one.law.weight))
        standard.append(
            np.where(mu > 0, -slope / np.sqrt(weight), 0.0) if one.law.positive else -slope / np.sqrt(weight)
        )
    return np.array([sum(d @ r for d, r in zip(one, standard, strict=True)) ** 2 for one in directions])
