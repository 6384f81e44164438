"""Which points to simulate next, so that boundaries between phases are known better.

A border of a map (``map_borders.py``) may lie s/|∇f| from where it is drawn, s² = V(x, x) the variance of f. The wrong
part of the box is then expected to be

    A = Σ s_j / |∇f_j|   over places j along all borders,

and the next point is the place that makes A least. A simulation there tells on which side the place is, which of a
normal distribution leaves s² (1 − 2/π). So places along a smooth border wait for each other, and those where it may
bend, or where nothing is near, come first. Points of one round do not know of each other's phases: a second point that
falls on a place already asked for goes to a quarter of what is possible there, a third to three quarters, and so on.
"""

import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import norm

from .map_borders import map_borders, spread_places
from .phase_map import in_unit_box, kernel_widths, repeated

_FARTHEST = 0.2
"""In units of the box: as far as a border may at most be expected to be off."""
_LEAST_SLOPE = 1e-3
"""Of the steepest one of a border: where f is flat nothing is known."""
_SAME = 1e-6
"""Distance in the unit box at which two points are one."""
_CLOSE = 0.5
"""Correlation of f at two places that are one question."""
_ALONE = 1.5
"""k points that share a place leave the part (k + 1.5)⁻² of its variance: of one 0.36 = 1 − 2/π."""


def next_points(points, label, *, box, n, seed, period=None, spread=0.0):
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
    spread : float
        Share of the points that go to the emptiest places of the box: what is smaller than the gaps between the points
        that are there is found by these alone. Where there is no border all do.

    Returns
    -------
    (n, n_coordinate) float64
        A function of the arguments alone.
    """
    here, label, turns, box = in_unit_box(points, label, box, period)
    here, label = repeated(here, label, turns)
    places = spread_places(here.shape[1], seed)
    asked = []
    if np.ptp(label) > 0:
        tree, width = cKDTree(here), kernel_widths(here, label)
        asked = [_Asked(border, tree) for border in map_borders(here, label, width=width, seed=seed)]
    gap = cKDTree(here).query(places)[0]
    chosen = np.empty((n, here.shape[1]))
    for k in range(n):
        at = None if int((k + 1) * spread) > int(k * spread) else _asked_next(asked)
        if at is None or _distance(np.concatenate([here, chosen[:k]]), at, turns).min() < _SAME:
            at = places[np.argmax(gap)]
        chosen[k] = at
        gap = np.minimum(gap, _distance(places, at, turns))
    return box[0] + chosen * (box[1] - box[0])


def _distance(points, at, turns):
    apart = points - at
    apart[:, turns] -= np.round(apart[:, turns])
    return np.linalg.norm(apart, axis=1)


def _asked_next(asked):
    """Return the place that makes the wrong part of the box least, or None where there is no border."""
    gains = [one.gain.max() for one in asked]
    return asked[int(np.argmax(gains))].take() if gains else None


class _Asked:
    """A border, and what the points of this round will tell of it."""

    def __init__(self, border, known):
        steep = np.linalg.norm(border.slope, axis=1)
        self.border, self.covariance = border, border.covariance.copy()
        self.steep = np.maximum(steep, max(_LEAST_SLOPE * steep.max(), 1e-300))
        self.normal = border.slope / self.steep[:, None]
        self.room = known.query(border.places)[0]
        self.times = np.zeros(len(steep), dtype=np.int64)
        self.gain = self._gains()

    def _variance(self):
        return np.maximum(np.diag(self.covariance), 1e-300)

    def _left(self):
        """Return the part of the variance at each place that one more point there leaves, (m,)."""
        return ((self.times + _ALONE) / (self.times + _ALONE + 1.0)) ** 2

    def _gains(self):
        """Return by how much a point at each place makes A less, (m,)."""
        variance = self._variance()
        told = (1.0 - self._left()) / variance
        after = np.sqrt(np.maximum(variance[:, None] - told * self.covariance**2, 0.0)) / self.steep[:, None]
        before = np.sqrt(variance) / self.steep
        return self.border.share * np.sum(np.minimum(before, _FARTHEST)[:, None] - np.minimum(after, _FARTHEST), axis=0)

    def take(self):
        """Return the place of the largest gain, (n,), and count on what it will tell."""
        k = int(np.argmax(self.gain))
        first = self.border.covariance
        std = np.sqrt(np.maximum(np.diag(first), 1e-300))
        part = _fraction(self.times[k] + 1)
        # Never as far as a point that is there.
        farthest = abs(2.0 * part - 1.0) * self.room[k]
        offset = np.clip(norm.ppf(part) * std[k] / self.steep[k], -farthest, farthest)
        place = self.border.places[k] + offset * self.normal[k]
        told = (1.0 - self._left()[k]) / self._variance()[k]
        self.covariance = self.covariance - told * np.outer(self.covariance[:, k], self.covariance[k])
        self.times = self.times + (first[k] > _CLOSE * std * std[k])
        self.gain = self._gains()
        return np.clip(place, 0.0, 1.0)


def _fraction(k):
    """Return the k-th of 1/2, 1/4, 3/4, 1/8, … (van der Corput's sequence)."""
    out, part = 0.0, 0.5
    while k:
        k, bit = divmod(int(k), 2)
        out, part = out + part * bit, 0.5 * part
    return out
