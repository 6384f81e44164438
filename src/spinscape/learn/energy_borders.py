"""Borders between phases over several coordinates, from the energies on both sides.

    e_a(x) = e_b(x),   e(x) ≈ e_0 + g·(x − x_0) + ½ (x − x_0)ᵀ H (x − x_0)

At places x_0 along a border of the map the energies of the nearest points of either phase are fitted, each side by
itself, and the border is looked for along the normal, where the two are equal. Its error is that of the difference over
the difference of the slopes, both from the scatter about the fits. Where slopes do not differ by more than their errors
the transition is continuous as far as energies tell, and the place is left out: there energies say nothing.

The derivative of an energy by a coupling is not put in beside the energies, though simulations store E_k: at T > 0 that
is the derivative of the free energy, not of the energy.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from scipy.stats import t as student

from ..errors import check_shape
from .map_borders import map_borders
from .phase_map import in_unit_box, kernel_widths, repeated

N_PLACE = 24
"""Places along one border, at most."""
_PER_NUMBER = (2.0, 4.0)
"""Points on each side for each fitted number: those that place a border, and those its slopes are compared with."""
_KEPT = 0.9
"""Part of the slopes' difference that nearer points must leave (median along a border): first order about 1, touching
energies 0.7 (two thirds of the reach, and its square where quadratic functions leave the third order out)."""
_CERTAIN = 0.999
"""Of the slopes' difference."""
_FAR = 1.0
"""How far off the map's border one is looked for, in units of the mean distance of the points that are fitted."""
_LEAST = 0.5
"""Part of the places that must have a border by energies, or the whole of it is left out."""
FOUND, FEW = "first order", "too few points on its sides, or on a line that bends"
CONTINUOUS = "continuous as far as energies tell"
"""What is said of a border."""


@dataclass(frozen=True, eq=False)
class EnergyBorder:
    """The border between two phases by their energies. Make it with :func:`energy_borders`.

    Parameters
    ----------
    pair : (int, int)
        Labels on its two sides.
    places : (m, n_coordinate) float64
        Empty where the transition is continuous as far as energies tell.
    half : (m, n_coordinate) float64
        Half of the band of 95 %, along the normal.
    n_asked : int
        Places at which it was looked for.
    reason : str
        :data:`FOUND`, or why it was left out.
    """

    pair: tuple[int, int]
    places: np.ndarray
    half: np.ndarray
    n_asked: int
    reason: str

    @property
    def n_found(self):
        """Number of places that have a border."""
        return len(self.places)


def energy_borders(points, label, energy, *, box, seed, period=None, sure=None):
    """Return the :class:`EnergyBorder` of every two phases that meet.

    Parameters
    ----------
    points : (n_point, n_coordinate) float64
    label : (n_point,) int
        Phases; the map is drawn by them.
    energy : (n_point,) float64
        Of each spin or cell.
    box : (2, n_coordinate) float64
        Where points lie; its sides are the scales of the coordinates.
    seed : int
    period : (n_coordinate,) float64, optional
        After which a coordinate comes back; infinite where it does not.
    sure : (n_point,) bool, optional
        Points whose energies are fitted: those that lie in no crossover.
    """
    here, label, turns, box = in_unit_box(points, label, box, period)
    energy = np.asarray(energy, dtype=np.float64)
    check_shape("energy", energy, (len(here),))
    sure = np.ones(len(here), dtype=bool) if sure is None else np.asarray(sure, dtype=bool)
    number = np.arange(len(here))
    here, number = repeated(here, number, turns)
    label, energy, sure = label[number], energy[number], sure[number]
    if np.ptp(label) == 0:
        return []
    borders = map_borders(here, label, width=kernel_widths(here, label), seed=seed)
    sides = {p: (here[m], energy[m]) for p in np.unique(label) for m in [(label == p) & sure]}
    return [_by_energy(border, *(sides[p] for p in border.pair), box[1] - box[0], box[0]) for border in borders]


def _by_energy(border, first, second, scale, origin):
    order = np.argsort(border.places @ np.linspace(1.0, 0.5, border.places.shape[1]))
    chosen = order[np.unique(np.linspace(0, len(order) - 1, N_PLACE).round().astype(int))]
    found, kept, n_fitted = [], [], 0
    for place, slope in zip(border.places[chosen], border.slope[chosen], strict=True):
        normal = slope / max(np.linalg.norm(slope), 1e-300)
        near, far = ([_local_fit(place, normal, *side, m) for side in (first, second)] for m in _PER_NUMBER)
        if None in near or None in far:
            continue
        n_fitted += 1
        crossing, other = (_crossing(place, normal, *fits) for fits in (near, far))
        if crossing is not None and other is not None:
            found.append(crossing[:2])
            kept.append(crossing[2] / other[2])
    enough = len(found) >= max(1, _LEAST * len(chosen))
    reason = FOUND if enough and np.median(kept) >= _KEPT else CONTINUOUS
    reason = reason if n_fitted >= max(1, _LEAST * len(chosen)) else FEW
    within = [f for f in found if np.all((f[0] >= 0.0) & (f[0] <= 1.0))] if reason == FOUND else []
    places, half = (np.array([f[k] for f in within]).reshape(-1, len(scale)) * scale for k in (0, 1))
    return EnergyBorder(border.pair, places + origin, half, len(chosen), reason)


def _n_near(n, per_number):
    """Return how many points a quadratic function of n coordinates is fitted to."""
    return int(np.ceil(per_number * (1 + n + n * (n + 1) // 2)))


def _crossing(place, normal, first, second):
    """Return where fitted energies are equal on the normal, half of the band along it, and the slopes' difference."""
    (a, a_cov, a_free, reach), (b, b_cov, b_free, other) = first, second
    difference, covariance, n_free = a - b, a_cov + b_cov, min(a_free, b_free)
    # Towards the second phase the first one's energy must rise above the other.
    root = _root(*difference)
    if root is None or abs(root) > _FAR * max(reach, other):
        return None
    row, steepness = np.array([1.0, root, root**2]), np.array([0.0, 1.0, 2.0 * root])
    steep, error = steepness @ difference, np.sqrt(steepness @ covariance @ steepness)
    if steep <= student.ppf(_CERTAIN, n_free) * error:
        return None
    half = student.ppf(0.975, n_free) * np.sqrt(row @ covariance @ row) / steep
    return place + root * normal, half * normal, steep


def _root(constant, slope, bend):
    """Return the zero of constant + slope s + bend s² next to s = 0 where it rises, or None."""
    inside = slope**2 - 4.0 * bend * constant
    if slope <= 0.0 or inside < 0.0:
        return None
    # The form that does not cancel.
    return -2.0 * constant / (slope + np.sqrt(inside))


def _local_fit(place, normal, points, energy, per_number):
    """Return value, slope and bend of the energy along the normal, their covariance, degrees of freedom and reach.

    A quadratic function of the nearest points, by least squares: (3,), (3, 3), int, float. None where they are too few.
    """
    n, n_near = len(place), _n_near(len(place), per_number)
    if len(points) < n_near:
        return None
    distance, near = cKDTree(points).query(place, k=n_near)
    # Coordinates of order one along the normal and across it.
    reach = float(distance.mean())
    axes = np.linalg.qr(np.column_stack([normal, np.eye(n)]))[0][:, :n]
    axes[:, 0] = normal
    x = (points[near] - place) @ axes / reach
    upper = np.triu_indices(n)
    design = np.column_stack([np.ones(n_near), x, x[:, upper[0]] * x[:, upper[1]]])
    solution, _, rank, _ = np.linalg.lstsq(design, energy[near], rcond=1e-8)
    if rank < design.shape[1]:
        return None
    n_free = n_near - rank
    scatter = np.sum((energy[near] - design @ solution) ** 2) / n_free
    covariance = scatter * np.linalg.inv(design.T @ design)
    along, unit = [0, 1, 1 + n], np.array([1.0, 1.0 / reach, 1.0 / reach**2])
    return solution[along] * unit, covariance[np.ix_(along, along)] * np.outer(unit, unit), n_free, reach
