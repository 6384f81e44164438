"""Whether latent numbers jump where phases meet, and which points then lie in which phase.

Clusters of latent numbers are candidates; each is judged by what it says of every point from the others:

    score = Σ_i ln [(1 − ε) Σ_c p_c(θ_i) N(z_i; μ_c(θ_i), σ_c²(θ_i)) + ε N(z_i; all points)]                  (1)

μ_c, σ_c of one Gaussian process for each latent number and phase with its own points left out one by one, p_c of a gate
with its own left out in fifths. One process for all, the null hypothesis, is dropped where (1) rises by more than its
scatter.
"""

import numpy as np
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from sklearn.cluster import HDBSCAN

from ..rng import stream
from .gate import fit_gate
from .latent_process import SHORTEST, conditioned_process, fitted_process

MAX_JUDGED = 1000
"""Points that the candidates are judged with."""
_TUNED = 200
"""Points that the lengths of a candidate's processes are found from."""
_NEAR = (0.02, 0.05, 0.1)
"""Distances, in units of the spread of all points, below which points are not told apart."""
_LEAST_SHARE = 0.03
_LEAST_POINTS = 12
_ROUNDS = 3
_SMOOTH = 0.3
"""Least length, in units of the range of a coupling, of processes that tell stray points: these pass none of them."""
_STRAY = 0.02
"""ε of (1): points that belong to no phase."""
_FLOOR = 3e-3
"""Least standard deviation of a process, in units of the spread of its number: a phase may have no noise."""
_LENGTHS = 0.05, 1.0
"""Within which parts of the range of a coupling a gate may change: flat processes tell no length."""
_MEDIAN = 0.6745
"""Of the modulus of a normal variable."""
_DEVIATIONS = 2.0
"""By how much the score must rise, in standard deviations of the sum of the points' differences."""


def phases_of_points(theta, latent, *, metric, seed, slopes=None):
    """Return the phase of each point, and its gate; zeros and None where nothing jumps.

    Parameters
    ----------
    theta : (n_point, n_parameter) float64
    latent : (n_point, n_latent) float64
    metric : (n_latent, n_latent) float64
        Latent numbers times this have distances that are those of their images.
    seed : int
    slopes : (n_point, n_parameter) float64, optional
        Derivatives of the free energy by the couplings.

    Returns
    -------
    (n_point,) int64
        From 0; −1 for points of no phase.
    Gate or None
    """
    some = np.sort(stream(seed, "dataset", "jumps", len(theta)).permutation(len(theta))[:MAX_JUDGED])
    candidates = _candidates(latent[some] @ metric)
    everything = np.zeros(len(theta), dtype=np.int64)
    if not candidates:
        return everything, None
    judge = _Judge(theta[some], latent[some], seed, None if slopes is None else slopes[some])
    null, _, _ = judge.score(np.zeros(len(some), dtype=np.int64))
    best = None
    for label in candidates:
        cleaned = judge.cleaned(label)
        if cleaned.max() < 1:
            continue
        points, experts, gate = judge.score(cleaned)
        rise = points - null
        if rise.sum() > _DEVIATIONS * np.sqrt(len(rise)) * rise.std() and (best is None or points.sum() > best[0]):
            best = points.sum(), cleaned, experts, gate
    if best is None:
        return everything, None
    everything[some] = best[1]
    rest = np.setdiff1d(np.arange(len(theta)), some)
    everything[rest] = judge.nearest(best[2], theta[rest], latent[rest])
    return everything, best[3]


def _candidates(features):
    """Return clusterings (n_point,) of several resolutions that have more than one cluster."""
    least = max(_LEAST_POINTS, int(_LEAST_SHARE * len(features)))
    if len(features) < 2 * least:
        return []
    distance, spread, out = cdist(features, features), float(np.sqrt(features.var(axis=0).sum())), {}
    for near in _NEAR:
        apart = np.maximum(distance, near * spread)
        np.fill_diagonal(apart, 0.0)
        label = HDBSCAN(min_cluster_size=least, min_samples=5, metric="precomputed", copy=True).fit_predict(apart)
        if label.max() >= 1:
            out[label.tobytes()] = label
    return list(out.values())


class _Judge:
    """Points, and what they say of a division into phases."""

    def __init__(self, theta, latent, seed, slopes):
        self.theta, self.latent, self.seed, self.slopes = theta, latent, seed, slopes
        self.spread = np.where(latent.std(axis=0) > 0, latent.std(axis=0), 1.0)
        self.centre = latent.mean(axis=0)

    def score(self, label):
        """Return the terms of (1) (n_point,), the processes of the phases and their gate."""
        experts = self._experts(label)
        within = self._densities(experts, label)
        gate, p = None, np.ones((len(label), 1))
        if len(experts) > 1:
            gate, p = fit_gate(self.theta, label, length=self._length(experts), seed=self.seed, slopes=self.slopes)
        mixture = logsumexp(within + np.log(np.maximum(p, 1e-300)), axis=1)
        return np.logaddexp(np.log1p(-_STRAY) + mixture, np.log(_STRAY) + self._stray()), experts, gate

    def cleaned(self, label):
        """Return a clustering with each point in the phase that foretells it best, or in none."""
        experts = self._experts(label, _SMOOTH)
        for _ in range(_ROUNDS):
            found = self._assigned(self._densities(experts, label, robust=True), self._stray())
            if np.array_equal(found, label) or self._too_small(found, len(experts)):
                break
            label = found
            experts = [self._conditioned(expert, label == c) for c, expert in enumerate(experts)]
        return label

    def nearest(self, experts, theta, latent):
        """Return the phase of further points, (n,)."""
        if not len(theta):
            return np.zeros(0, dtype=np.int64)
        within = np.stack([self._density(expert, theta, latent) for expert in experts], axis=1)
        return self._assigned(within, _normal(latent, self.centre, self.spread))

    def _assigned(self, within, stray):
        own = within.argmax(axis=1)
        return np.where(np.log1p(-_STRAY) + within.max(axis=1) > np.log(_STRAY) + stray, own, -1)

    def _too_small(self, label, n_class):
        return np.min(np.bincount(label[label >= 0], minlength=n_class)) < _LEAST_POINTS

    def _stray(self):
        return _normal(self.latent, self.centre, self.spread)

    def _experts(self, label, shortest=SHORTEST):
        return [self._fitted(label == c, shortest) for c in range(label.max() + 1)]

    def _fitted(self, mine, shortest):
        order = stream(self.seed, "dataset", "expert", int(mine.sum())).permutation(int(mine.sum()))[:_TUNED]
        options = {"tuned": np.sort(order), "shortest": shortest}
        return [fitted_process(self.theta[mine], column, **options) for column in self.latent[mine].T]

    def _conditioned(self, expert, mine):
        pairs = zip(expert, self.latent[mine].T, strict=True)
        return [conditioned_process(process, self.theta[mine], column) for process, column in pairs]

    def _length(self, experts):
        """Return lengths over which latent numbers change: geometric means over all processes, (n_parameter,)."""
        span = np.where(np.ptp(self.theta, axis=0) > 0, np.ptp(self.theta, axis=0), 1.0)
        shares = [np.clip(process.length / span, *_LENGTHS) for expert in experts for process in expert]
        return span * np.exp(np.mean(np.log(shares), axis=0))

    def _densities(self, experts, label, *, robust=False):
        """Return ln N of every point in every phase, of a phase's own from its others, (n_point, n_class)."""
        out = np.empty((len(label), len(experts)))
        for c, expert in enumerate(experts):
            mine = label == c
            mean, std = (np.column_stack(x) for x in zip(*(p.leave_one_out() for p in expert), strict=True))
            # What a few stray points add to the errors is taken off by the median, where it is to be told who is one.
            pull = np.median(np.abs(self.latent[mine] - mean) / std, axis=0) / _MEDIAN
            size = np.minimum(pull, 1.0) if robust else 1.0
            out[mine, c] = self._normal(self.latent[mine], mean, size * std)
            out[~mine, c] = self._density(expert, self.theta[~mine], self.latent[~mine], size)
        return out

    def _density(self, expert, theta, latent, size=1.0):
        if not len(theta):
            return np.zeros(0)
        mean, std = (np.column_stack(numbers) for numbers in zip(*(p.predict(theta) for p in expert), strict=True))
        noise = np.array([p.scale * np.sqrt(p.noise) for p in expert])
        return self._normal(latent, mean, size * np.hypot(std, noise))

    def _normal(self, latent, mean, std):
        return _normal(latent, mean, np.maximum(std, _FLOOR * self.spread))


def _normal(values, mean, std):
    """Return ln Π N of rows, (n,)."""
    return -0.5 * np.sum(((values - mean) / std) ** 2 + np.log(2.0 * np.pi * std**2), axis=1)
