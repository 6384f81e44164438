"""The borders of a map of phases: where they run, and how far they may lie from there.

Between two phases runs the zero of the function f of their support vector machine (``phase_map.py``). As a Gaussian
process with the same kernel f is known from its points like this: a point of one phase says only that f is positive
there, as a measurement does whose error is f itself. So

    V(x, y) = k(x, y) − k(x, X) [k(X, X) + diag f(X)²]⁻¹ k(X, y),   k = σ² exp(−|x − y|²)

is the covariance of what is not known, σ² = αᵀKα / n over the n support vectors, and √V / |∇f| is how far a border may
lie from its place.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.spatial import cKDTree
from scipy.stats import qmc

from ..rng import stream
from .phase_map import gaussian, machine

_N_SOBOL = 12
"""Logarithm to base 2 of the number of places that are spread over the box to find borders."""
_HALVINGS = 10
_N_PLACE = 200
"""Places along one border."""


@dataclass(frozen=True, eq=False)
class MapBorder:
    """The border between two phases in the unit box, over n coordinates. Make it with :func:`map_borders`.

    Parameters
    ----------
    pair : (int, int)
        Labels on its two sides; f is positive in the second.
    places : (m, n) float64
        On the border.
    share : float
        Of the border (its length over two coordinates) at each place; its unit is common to the borders of a map.
    slope : (m, n) float64
        ∇f.
    covariance : (m, m) float64
        Of f.
    """

    pair: tuple[int, int]
    places: np.ndarray
    share: float
    slope: np.ndarray
    covariance: np.ndarray


def spread_places(n_coordinate, seed):
    """Return places spread evenly over the unit box, (4096, n_coordinate)."""
    return qmc.Sobol(n_coordinate, rng=stream(seed, "grid", "refine")).random_base2(_N_SOBOL)


def map_borders(points, label, *, width, seed):
    """Return the :class:`MapBorder` of every two phases that meet.

    Parameters
    ----------
    points : (n_point, n) float64
        In the unit box, or just beyond it.
    label : (n_point,) int
        Of at least two phases.
    width : (n,) float64
        Of the map's kernel along each coordinate.
    seed : int
    """
    found = machine(points, label, width)
    low, high, pairs = _crossed(found, spread_places(points.shape[1], seed), np.sqrt(width))
    out = []
    for pair in np.unique(pairs, axis=0):
        mine = np.isin(label, pair)
        of_two = machine(points[mine], label[mine], width)
        ends = np.all(pairs == pair, axis=1)
        places = _zeros(of_two, low[ends], high[ends], np.sqrt(width))
        out.append(_border(of_two, points[mine], places, pair, np.sqrt(width), seed))
    return out


def _crossed(found, places, scale):
    """Return ends (k, n) and (k, n) of short lines across borders, and the labels (k, 2) there, the lower first."""
    label = found.predict(places * scale)
    n_near = 2 * places.shape[1]
    near = cKDTree(places).query(places, k=n_near + 1)[1][:, 1:].ravel()
    here = np.repeat(np.arange(len(places)), n_near)
    once = (label[here] != label[near]) & ((here < near) | ~_mutual(here, near, len(places)))
    low, high = places[here[once]], places[near[once]]
    first, second = label[here[once]], label[near[once]]
    # Where a line crosses a third phase, one of the borders is kept.
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        between = found.predict(middle * scale) if len(middle) else first
        same = between == first
        low, high = np.where(same[:, None], middle, low), np.where(same[:, None], high, middle)
        second = np.where(same, second, between)
    swap = (first > second)[:, None]
    return np.where(swap, high, low), np.where(swap, low, high), np.sort(np.stack([first, second], axis=1), axis=1)


def _mutual(here, near, n):
    keys = here * n + near
    return np.isin(near * n + here, keys)


def _zeros(of_two, low, high, scale):
    """Return where f = 0 on short lines by a straight line through its values at the ends."""
    values = [of_two.decision_function(x * scale) for x in (low, high)]
    with np.errstate(all="ignore"):
        part = np.clip(values[0] / (values[0] - values[1]), 0.0, 1.0)
    return low + np.where(np.isfinite(part), part, 0.5)[:, None] * (high - low)


def _border(of_two, points, places, pair, scale, seed):
    n_all = len(places)
    if n_all > _N_PLACE:
        places = places[np.sort(stream(seed, "bootstrap", "border", *pair).permutation(n_all)[:_N_PLACE])]
    vectors, weights = of_two.support_vectors_, of_two.dual_coef_[0]
    variance = weights @ gaussian(vectors, vectors) @ weights / len(weights)
    data, at = points * scale, places * scale
    # A machine of exact labels has |f| ≥ 1; a point that it has given up says nothing definite.
    error = np.maximum(of_two.decision_function(data) ** 2, 1.0)
    across = variance * gaussian(data, at)
    known = cho_solve(cho_factor(variance * gaussian(data, data) + np.diag(error)), across)
    covariance = variance * gaussian(at, at) - across.T @ known
    pull = gaussian(at, vectors) * weights
    slope = -2.0 * scale * (pull.sum(axis=1)[:, None] * at - pull @ vectors)
    return MapBorder(tuple(int(p) for p in pair), places, n_all / len(places), slope, covariance)
