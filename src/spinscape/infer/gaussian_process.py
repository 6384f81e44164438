"""Gaussian-process rounds: the objective's logarithm predicted from the points that are there, new points by it.

    ln f(θ) ~ Gaussian process (Matérn 5/2, a length for each parameter, noise found with it)

``cutoff``: random points of the box are accepted where the prediction is below a cut-off that falls from round to round
(Samarakoon et al., Nat. Commun. 11, 892 (2020)): the region of acceptable couplings fills, however it is bent.
``expected_improvement``: the points that are expected to lower the best value most (Jones et al., J. Global Optim.
13, 455 (1998)): fewer calls to one minimum, and nothing learnt of what else would do.
"""

from dataclasses import asdict, dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.spatial import cKDTree
from scipy.stats import norm, qmc

from ..errors import FitError
from ..learn.latent_process import LatentProcess, conditioned_process, fitted_process
from ..rng import digest_words, stream
from .search import Counted, Minimum, SearchResult, require_finite

ACQUISITIONS = ("cutoff", "expected_improvement")
N_CANDIDATE = 2048
"""Points that are looked at in each try to find acceptable ones."""
MAX_TRY = 12
N_TUNED = 200
"""Points that the lengths are found from, evenly of all: they are found anew in every round."""
FLOOR = 1e-12
"""Of a value, relative to the largest: its logarithm is taken."""


@dataclass(frozen=True, eq=False)
class ObjectiveProcess:
    """What is known of an objective from its values at some points of the unit box.

    Parameters
    ----------
    unit : (n, n_parameter) float64
    log_values : (n,) float64
    process : LatentProcess
    """

    unit: np.ndarray
    log_values: np.ndarray
    process: LatentProcess

    def predict(self, unit):
        """Return mean and standard deviation of ln f, (m,) each."""
        return self.process.predict(np.atleast_2d(unit))

    def minimum(self, *, n_start=5):
        """Return the point of the unit box, and ln f, where the mean is lowest: descents from the lowest means."""
        mean = self.process.mean_at(self.unit)
        box, ends = [(0.0, 1.0)] * self.unit.shape[1], []
        for k in np.argsort(mean, kind="stable")[:n_start]:
            found = minimize(self._value, self.unit[k], jac=self._slope, bounds=box, method="L-BFGS-B")
            ends.append((float(found.fun), found.x))
        best = min(ends, key=lambda end: end[0])
        return np.clip(best[1], 0.0, 1.0), best[0]

    def believing(self, unit):
        """Return what would be known if points had the values that are expected of them."""
        unit = np.atleast_2d(unit)
        points, values = np.concatenate([self.unit, unit]), np.concatenate([self.log_values, self.predict(unit)[0]])
        return ObjectiveProcess(points, values, conditioned_process(self.process, points, values))

    def _value(self, at):
        return float(self.process.mean_at(at[None])[0])

    def _slope(self, at):
        return self.process.gradient(at[None])[0]


def objective_process(unit, values):
    """Return the :class:`ObjectiveProcess` of values (n,) at points of the unit box (n, n_parameter).

    Infinite values (unstable points) are left out.
    """
    unit, values = np.asarray(unit, dtype=np.float64), np.asarray(values, dtype=np.float64)
    good = np.isfinite(values)
    if good.sum() < 2 * unit.shape[1] + 2 or not np.ptp(values[good]) > 0:
        raise FitError(
            "too few different values for a Gaussian process",
            where="gaussian_process",
            expected=f"at least {2 * unit.shape[1] + 2} finite ones",
            got=int(good.sum()),
            fix="begin with more points",
        )
    logs = np.log(np.maximum(values[good], FLOOR * np.abs(values[good]).max()))
    tuned = np.unique(np.linspace(0, len(logs) - 1, N_TUNED).astype(np.int64))
    return ObjectiveProcess(unit[good], logs, fitted_process(unit[good], logs, tuned=tuned))


def falling_cutoff(log_values, keep):
    """Return the cut-off of ln f: the ``keep``-th lowest value so far. With more values it can only fall.

    >>> falling_cutoff(np.array([3.0, 1.0, 2.0]), 2)
    2.0
    """
    return float(np.partition(log_values, min(keep, len(log_values)) - 1)[min(keep, len(log_values)) - 1])


def points_below(known, cutoff, n, *, seed):
    """Return random points whose expected ln f is below a cut-off, (n, n_parameter) of the unit box.

    Draws over the whole box while enough are accepted; where few are, about the points that were, by ever smaller
    steps. Among those accepted, the ones farthest from all points there are taken: every draw is then worth a
    simulation.
    """
    found = np.zeros((0, known.unit.shape[1]))
    for attempt in range(MAX_TRY):
        generator = stream(seed, "start", "rounds", attempt)
        drawn = generator.random((N_CANDIDATE, known.unit.shape[1]))
        if attempt % 2:
            centres = np.concatenate([found, known.unit[np.argsort(known.log_values)[: 4 * known.unit.shape[1]]]])
            steps = generator.standard_normal(drawn.shape) * 0.2 * 0.7**attempt
            drawn = np.clip(centres[generator.integers(len(centres), size=len(drawn))] + steps, 0.0, 1.0)
        found = np.concatenate([found, drawn[known.process.mean_at(drawn) <= cutoff]])
        if len(found) >= 20 * n:
            break
    if len(found) < n:  # a cut-off below what the process can reach: the lowest that were met
        drawn = np.concatenate([found, drawn])
        found = drawn[np.argsort(known.process.mean_at(drawn), kind="stable")[:n]]
    return _spread(found, known.unit, n)


def points_of_improvement(known, n, *, seed):
    """Return points of largest expected improvement of ln f, each chosen as if those before had been as expected.

    (n, n_parameter) of the unit box.
    """
    out = []
    for k in range(n):
        generator = stream(seed, "start", "improvement", k)
        wide = generator.random((N_CANDIDATE, known.unit.shape[1]))
        best = known.unit[int(np.argmin(known.log_values))]
        near = np.clip(best + 0.05 * generator.standard_normal((N_CANDIDATE // 2, len(best))), 0.0, 1.0)
        candidates = np.concatenate([wide, near])
        mean, std = known.predict(candidates)
        out.append(candidates[int(np.argmax(expected_improvement(mean, std, known.log_values.min())))])
        known = known.believing(out[-1])
    return np.array(out)


def expected_improvement(mean, std, best):
    """Return E[max(best − y, 0)] of y ~ N(mean, std²), (m,).

    >>> round(float(expected_improvement(np.zeros(1), np.ones(1), 0.0)[0]), 6)
    0.398942
    """
    safe = np.where(std > 0, std, 1.0)
    z = (best - mean) / safe
    return np.where(std > 0, (best - mean) * norm.cdf(z) + safe * norm.pdf(z), np.maximum(best - mean, 0.0))


def _spread(found, there, n):
    """Return ``n`` of some points, each the farthest from all that are there or chosen before."""
    distance = cKDTree(there).query(found)[0]
    chosen = []
    for _ in range(min(n, len(found))):
        k = int(np.argmax(distance))
        chosen.append(found[k])
        distance = np.minimum(distance, np.linalg.norm(found - found[k], axis=1))
    return np.array(chosen)


@dataclass(frozen=True)
class GaussianProcessRounds:
    """Rounds of points chosen by a Gaussian process of the objective.

    Parameters
    ----------
    n_first : int
        Sobol points of the first round.
    n_round, n_new : int
        Rounds after it, and points of each.
    acquisition : str
        One of :data:`ACQUISITIONS`.
    keep : int
        The cut-off of a round is the value of the point of this rank, the lowest first.
    """

    n_first: int = 64
    n_round: int = 8
    n_new: int = 16
    acquisition: str = "cutoff"
    keep: int = 16
    kind: str = "gaussian_process"

    def __post_init__(self):
        if self.acquisition not in ACQUISITIONS or min(self.n_first, self.n_round, self.n_new, self.keep) < 1:
            raise FitError(
                "settings of Gaussian-process rounds are out of range",
                where="strategy.kind: gaussian_process",
                expected=f"acquisition one of {', '.join(ACQUISITIONS)}, positive numbers",
                got=asdict(self),
            )

    def first(self, n_parameter, *, seed, content=()):
        """Return the points of the first round, (n_first, n_parameter) of the unit box."""
        exponent = int(np.ceil(np.log2(max(self.n_first, 2))))
        sobol = qmc.Sobol(n_parameter, scramble=True, rng=stream(seed, "start", "sobol", *content))
        return sobol.random_base2(exponent)[: self.n_first]

    def next(self, known, *, seed):
        """Return the points of the next round, (n_new, n_parameter) of the unit box."""
        if self.acquisition == "expected_improvement":
            return points_of_improvement(known, self.n_new, seed=seed)
        return points_below(known, falling_cutoff(known.log_values, self.keep), self.n_new, seed=seed)

    def minimise(self, function, box, seed):
        """Return the minimum of the process over ``box`` after all rounds; its objective is the function's there."""
        counted, cutoffs = Counted(function), []
        unit = self.first(len(box.names), seed=seed, content=box.names)
        values = np.array([counted(box.from_unit(u)) for u in unit])
        require_finite(values, where="strategy gaussian_process: box")
        for k in range(self.n_round):
            known = objective_process(unit, values)
            cutoffs.append(falling_cutoff(known.log_values, self.keep))
            new = self.next(known, seed=digest_words(seed, "round", k)[0])
            unit = np.concatenate([unit, new])
            values = np.concatenate([values, [counted(box.from_unit(u)) for u in new]])
        best = objective_process(unit, values).minimum()[0]
        at = box.from_unit(best)
        minimum = Minimum(at, float(counted(at)), len(unit), box.at_bound(at))
        about = {**asdict(self), "cutoffs": [float(np.exp(c)) for c in cutoffs]}
        return SearchResult((minimum,), counted.n_call, counted.n_infinite, about, box.from_unit(unit), values)
