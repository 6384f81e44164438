"""A map of phases from labelled points: support vector machines whose kernels find their widths by themselves.

    K(x, y) = exp(−Σ_k w_k (x_k − y_k)²),   coordinates brought to the unit box

A boundary is smooth, and passes midway between the points on its two sides. How smooth it is, the points say, along
each coordinate by itself: w is what makes least

    Σ_p D_p [the machine of the other points puts p into a wrong phase]

D is the distance to the nearest point of another phase: about how much of a border is then wrong. (Counted without D,
points close to a border, of which refined maps have many, outvote those that are alone where they are, and the map
bends in between.) No machine is trained anew for that: without point p its value y f falls by at most α_p / (K⁻¹)_pp,
K that of the support vectors (Vapnik and Chapelle, Neural Computation 12, 2013 (2000), the span of support vectors).
"""

import numpy as np
from scipy.spatial import cKDTree
from sklearn.svm import SVC

from ..errors import DataError, check_shape
from ..rng import stream

N_BAND = 40
"""Maps of resampled points, by whose votes a band is drawn."""
WIDTHS = 4.0 ** np.arange(5)
"""Widths that are tried along each coordinate: from a box that is one smooth piece to a sixteenth of it."""
_ROUGH = 16.0
"""Width along each coordinate of the map of a band that bends most; the smoothest one has those of the map."""
PENALTY = 1e4
"""Of a point on the wrong side: boundaries bend rather than leave one there."""
_BEYOND = 0.25
"""How far beyond the box points of a coordinate that comes back are drawn again, in units of the box."""
_N_NEAR = 12
"""Nearest points: where one of them has another label, a point is near a boundary."""
_N_FAR = 400
"""Of points far from boundaries, how many are used to choose widths."""
_RIDGE = 1e-9


def in_unit_box(points, label, box, period):
    """Return points in the unit box, their labels, which coordinates come back, and the box."""
    points, box, label = (np.asarray(x) for x in (points, box, label))
    check_shape("box", box, (2, points.shape[1]))
    check_shape("label", label, (len(points),))
    if not np.all(box[1] > box[0]) or len(points) < 2:
        raise DataError(
            "no map can be drawn, and no points chosen",
            where="refine",
            expected="a box with sides, and at least two points",
            got={"box": box.tolist(), "points": len(points)},
        )
    turns = np.isfinite(np.full(points.shape[1], np.inf) if period is None else np.asarray(period, dtype=np.float64))
    return (points - box[0]) / (box[1] - box[0]), label, turns, box.astype(np.float64)


def repeated(here, label, turns):
    """Return points of the unit box and labels, with those that lie just beyond it along coordinates that come back."""
    for axis in np.flatnonzero(turns):
        for shift in (-1.0, 1.0):
            moved = here + shift * np.eye(here.shape[1])[axis]
            near = (moved[:, axis] > -_BEYOND) & (moved[:, axis] < 1.0 + _BEYOND) & (np.abs(here[:, axis] - 0.5) <= 0.5)
            here, label = np.concatenate([here, moved[near]]), np.concatenate([label, label[near]])
    return here, label


def machine(points, label, width):
    """Return the trained machine of points of the unit box; it takes coordinates times √width."""
    return SVC(C=PENALTY, gamma=1.0, decision_function_shape="ovo").fit(points * np.sqrt(width), label)


def predicted_label(points, label, at, *, width=None):
    """Return the phase at other points of the unit box, (m,) int64.

    Parameters
    ----------
    points : (n_point, n) float64
        In the unit box.
    label : (n_point,) int
    at : (m, n) float64
    width : (n,) float64, optional
        Of the kernel along each coordinate; those of :func:`kernel_widths` otherwise.
    """
    label = np.asarray(label, dtype=np.int64)
    if np.ptp(label) == 0:
        return np.full(len(at), label[0])
    width = kernel_widths(points, label) if width is None else width
    return machine(points, label, width).predict(at * np.sqrt(width))


def kernel_widths(points, label):
    """Return the width of the kernel along each coordinate of the unit box, (n,) float64: one of :data:`WIDTHS`.

    From four times the least ones steps are taken, along one coordinate each, as long as the sum of the module's head
    becomes less; of equals the smoother map is taken.

    Parameters
    ----------
    points : (n_point, n) float64
        In the unit box.
    label : (n_point,) int
    """
    points, label, pairs = _near_borders(np.asarray(points, dtype=np.float64), np.asarray(label))
    known, far = {}, _to_another(points, label)

    def cost(at):
        if at not in known:
            known[at] = (_wrong(points * np.sqrt(WIDTHS[list(at)]), label, far, pairs), sum(at))
        return known[at]

    best = (1,) * points.shape[1]
    while True:
        better = min([best, *_beside(best)], key=cost)
        if better == best:
            return WIDTHS[list(best)]
        best = better


def _beside(at):
    moves = [(*at[:k], at[k] + step, *at[k + 1 :]) for k in range(len(at)) for step in (-1, 1)]
    return [move for move in moves if min(move) >= 0 and max(move) < len(WIDTHS)]


def _near_borders(points, label):
    """Return points near boundaries and some of the others, their labels, and which labels have a boundary."""
    near = cKDTree(points).query(points, k=min(_N_NEAR, len(points)))[1]
    other = label[near] != label[:, None]
    pairs = {tuple(sorted((label[k], label[near[k, j]]))) for k, j in zip(*np.nonzero(other), strict=True)}
    border = other.any(axis=1)
    far = np.flatnonzero(~border)
    border[far[:: max(1, len(far) // _N_FAR)]] = True
    return points[border], label[border], sorted(pairs)


def _wrong(scaled, label, far, pairs):
    """Return the sum of ``far`` over points that a machine of the others would put into the wrong one of two phases."""
    return sum(_wrong_of_two(scaled[mine], label[mine], far[mine]) for mine in (np.isin(label, p) for p in pairs))


def _wrong_of_two(scaled, label, far):
    sign = np.where(label == label.max(), 1.0, -1.0)
    found = SVC(C=PENALTY, gamma=1.0).fit(scaled, sign)
    at = found.support_
    # One more for the constant of the machine, which is free to move with the point.
    kernel = gaussian(scaled[at], scaled[at]) + 1.0 + _RIDGE * np.eye(len(at))
    fall = np.abs(found.dual_coef_[0]) / np.diag(np.linalg.inv(kernel))
    return float(np.sum(far[at][sign[at] * found.decision_function(scaled[at]) < fall]))


def _to_another(points, label):
    """Return the distance of each point to the nearest one with another label, (n_point,)."""
    out = np.empty(len(points))
    for one in np.unique(label):
        out[label == one] = cKDTree(points[label != one]).query(points[label == one])[0]
    return out


def gaussian(first, second):
    """Return exp(−|x − y|²) of points times √width, (n, m) float64."""
    square = np.sum(first**2, axis=1)[:, None] + np.sum(second**2, axis=1) - 2.0 * first @ second.T
    return np.exp(-np.maximum(square, 0.0))


def voted_map(points, label, at, *, box, seed, period=None, n_map=N_BAND):
    """Return the phase at other points, and how many maps of resampled points agree.

    Parameters
    ----------
    points : (n_point, n_coordinate) float64
        That are there.
    label : (n_point,) int
        Their phases; crossovers count as one more.
    at : (m, n_coordinate) float64
    box : (2, n_coordinate) float64
        Where points may lie; its sides are the scales of the coordinates.
    seed : int
    period : (n_coordinate,) float64, optional
        After which a coordinate comes back; infinite where it does not. The box is then one turn of it.
    n_map : int

    Returns
    -------
    phase : (m,) int64
        That of the map of all points.
    share : (m,) float64
        Of the maps of resampled points that say so. Each has widths of its own, for the points do not tell exactly how
        sharply a boundary may bend. The band of a boundary is where not all of them agree.
    """
    here, label, turns, box = in_unit_box(points, label, box, period)
    here, label = repeated(here, label, turns)
    where = (np.asarray(at, dtype=np.float64) - box[0]) / (box[1] - box[0])
    if np.ptp(label) == 0:
        return np.full(len(where), label[0]), np.ones(len(where))
    width = kernel_widths(here, label)
    phase = predicted_label(here, label, where, width=width)
    parts = stream(seed, "bootstrap", "band").uniform(size=(n_map, 1))
    agree = np.zeros(len(where))
    for k, part in enumerate(parts):
        drawn = np.unique(stream(seed, "bootstrap", "refine", k).integers(len(here), size=len(here)))
        agree += predicted_label(here[drawn], label[drawn], where, width=width ** (1.0 - part) * _ROUGH**part) == phase
    return phase, agree / n_map
