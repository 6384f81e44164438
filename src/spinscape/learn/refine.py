"""Which points to simulate next, so that boundaries between phases are known better.

    u(θ) = H[v(θ)] + 0.1 H[p(θ)]

H is the entropy of shares, in bits. v are the votes of maps that are made of resampled points: how far they disagree. p
are the shares of the phases among the nearest points, weighted by the inverse distance. A point is worth u times its
distance from all points that are there or have been chosen before it, so that a boundary is halved first where it is
known worst. A map is a support vector machine on couplings brought to the unit box: boundaries are smooth, and pass
midway between the points on their two sides.
"""

import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import qmc
from sklearn.svm import SVC

from ..errors import DataError, check_shape
from ..rng import stream
from .regions import neighbour_pairs

N_MAP = 16
"""Maps of resampled points, by whose votes points are chosen."""
N_BAND = 40
"""Maps of resampled points, by whose votes a band is drawn."""
_WIDTH = 5.0
"""exp(−5 d²): what lies further away than half the box has little say in a boundary."""
_WIDTHS = (2.0, 40.0)
"""Least and largest width of the maps of a band."""
_PENALTY = 1e4
"""Of a point on the wrong side: boundaries bend rather than leave one there."""
_SHARE = 0.1
_BEYOND = 0.25
"""How far beyond the box points of a coordinate that comes back are drawn again, in units of the box."""
_N_SOBOL = 12
"""Logarithm to base 2 of the number of candidates that are spread over the box."""


def predicted_label(points, label, at, *, width=_WIDTH):
    """Return the phase at other points of the unit box, (m,) int64.

    Parameters
    ----------
    points : (n_point, n) float64
        In the unit box.
    label : (n_point,) int
    at : (m, n) float64
    width : float
        The kernel is exp(−width d²).
    """
    label = np.asarray(label, dtype=np.int64)
    if np.ptp(label) == 0:
        return np.full(len(at), label[0])
    return SVC(C=_PENALTY, gamma=width).fit(points, label).predict(at)


def uncertainty(points, label, at, *, seed, n_map=N_MAP):
    """Return how uncertain the phase is at other points of the unit box.

    Parameters
    ----------
    points : (n_point, n) float64
        In the unit box.
    label : (n_point,) int
    at : (m, n) float64
    seed : int
        Of the resampling.
    n_map : int

    Returns
    -------
    (m,) float64, bits
        0 where all agree; more than 1 where two phases are as likely by both measures.
    """
    kinds, label = np.unique(label, return_inverse=True)
    votes = _votes(points, label, at, len(kinds), seed, n_map)
    return _entropy(votes) + _SHARE * _entropy(_neighbour_shares(points, label, at, len(kinds)))


def _votes(points, label, at, n_kind, seed, n_map, widths=None):
    """Return the shares (m, n_kind) of maps of resampled points that say each phase; labels are 0 to n_kind − 1."""
    votes = np.zeros((len(at), n_kind))
    for k in range(n_map):
        drawn = np.unique(stream(seed, "bootstrap", "refine", k).integers(len(points), size=len(points)))
        width = _WIDTH if widths is None else widths[k]
        votes[np.arange(len(at)), predicted_label(points[drawn], label[drawn], at, width=width)] += 1.0 / n_map
    return votes


def voted_map(points, label, at, *, box, seed, period=None, n_map=N_BAND):
    """Return the phase at other points by the votes of maps of resampled points, and how many of them agree.

    Parameters
    ----------
    points, label, box, seed, period :
        As of :func:`next_points`.
    at : (m, n_coordinate) float64
    n_map : int

    Returns
    -------
    phase : (m,) int64
        That of the map of all points.
    share : (m,) float64
        Of the maps of resampled points that say so. Each has a width of its own, for the points do not tell how
        sharply a boundary may bend. The band of a boundary is where not all of them agree.
    """
    here, label, turns, box = _in_unit_box(points, label, box, period)
    here, label = _repeated(here, label, turns)
    kinds, label = np.unique(label, return_inverse=True)
    where = (np.asarray(at, dtype=np.float64) - box[0]) / (box[1] - box[0])
    phase = predicted_label(here, label, where)
    widths = np.exp(stream(seed, "bootstrap", "band").uniform(*np.log(_WIDTHS), size=n_map))
    votes = _votes(here, label, where, len(kinds), seed, n_map, widths)
    return kinds[phase], votes[np.arange(len(where)), phase]


def _neighbour_shares(points, label, at, n_kind):
    n_near = min(2 * points.shape[1] + 1, len(points))
    distance, index = cKDTree(points).query(at, k=n_near)
    weight = 1.0 / np.maximum(distance.reshape(len(at), n_near), 1e-12)
    out = np.zeros((len(at), n_kind))
    np.add.at(out, (np.arange(len(at))[:, None], label[index.reshape(len(at), n_near)]), weight)
    return out / weight.sum(axis=1, keepdims=True)


def _entropy(shares):
    # Less than nothing by rounding only.
    return np.maximum(0.0, -np.sum(np.where(shares > 0, shares * np.log2(np.maximum(shares, 1e-300)), 0.0), axis=1))


def next_points(points, label, *, box, n, seed, period=None):
    """Return the points to be simulated next.

    Parameters
    ----------
    points : (n_point, n_coordinate) float64
        That are there.
    label : (n_point,) int
        Their phases; crossovers count as one more.
    box : (2, n_coordinate) float64
        Where points may lie; its sides are the scales of the coordinates.
    n : int
    seed : int
    period : (n_coordinate,) float64, optional
        After which a coordinate comes back; infinite where it does not. The box is then one turn of it.

    Returns
    -------
    (n, n_coordinate) float64
        A function of the arguments alone.
    """
    here, label, turns, box = _in_unit_box(points, label, box, period)
    here, label = _repeated(here, label, turns)
    candidates = _candidates(here, label, seed)
    worth = uncertainty(here, label, candidates, seed=seed)
    # Where nothing is uncertain, emptiness alone counts.
    worth = np.maximum(worth, 1e-6)
    distance = cKDTree(here).query(candidates)[0]
    chosen = np.empty((min(n, len(candidates)), here.shape[1]))
    for k in range(len(chosen)):
        best = int(np.argmax(worth * distance))
        chosen[k] = candidates[best]
        apart = candidates - chosen[k]
        apart[:, turns] -= np.round(apart[:, turns])
        distance = np.minimum(distance, np.linalg.norm(apart, axis=1))
    return box[0] + chosen * (box[1] - box[0])


def _in_unit_box(points, label, box, period):
    """Return points in the unit box, their labels, which coordinates come back, and the box."""
    points, box, label = (np.asarray(x) for x in (points, box, label))
    check_shape("box", box, (2, points.shape[1]))
    check_shape("label", label, (len(points),))
    if not np.all(box[1] > box[0]) or len(points) < 2:
        raise DataError(
            "no points can be chosen",
            where="refine",
            expected="a box with sides, and at least two points",
            got={"box": box.tolist(), "points": len(points)},
        )
    turns = np.isfinite(np.full(points.shape[1], np.inf) if period is None else np.asarray(period, dtype=np.float64))
    return (points - box[0]) / (box[1] - box[0]), label, turns, box.astype(np.float64)


def _repeated(here, label, turns):
    """Return points and labels with those that lie just beyond the box along coordinates that come back."""
    for axis in np.flatnonzero(turns):
        for shift in (-1.0, 1.0):
            moved = here + shift * np.eye(here.shape[1])[axis]
            near = (moved[:, axis] > -_BEYOND) & (moved[:, axis] < 1.0 + _BEYOND) & (np.abs(here[:, axis] - 0.5) <= 0.5)
            here, label = np.concatenate([here, moved[near]]), np.concatenate([label, label[near]])
    return here, label


def _candidates(here, label, seed):
    """Return points of the unit box: midpoints between neighbours of different phases, and an even spread."""
    pairs = neighbour_pairs(here)
    across = pairs[label[pairs[:, 0]] != label[pairs[:, 1]]]
    middle = 0.5 * (here[across[:, 0]] + here[across[:, 1]])
    spread = qmc.Sobol(here.shape[1], rng=stream(seed, "grid", "refine")).random_base2(_N_SOBOL)
    middle = middle[np.all((middle >= 0.0) & (middle <= 1.0), axis=1)]
    return np.concatenate([middle, spread])
