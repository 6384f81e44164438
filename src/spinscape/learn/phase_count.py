"""How many phases a map holds: a rule, and the evidence that it went by.

1. The number of clusters is that of the largest mean silhouette. All is done with points that are spread evenly;
   points that were added where a boundary is join the phase of the point that is most like them. (Clusters of all
   points would be drawn to where most of them lie, and points that resolve a border divide its jump into many small
   changes: the number of phases would change with every round.)
2. Bootstrap: clusterings of resampled points into as many clusters must agree with the full one (adjusted Rand index);
   where they do not, the number is not known, and no phases are told apart, unless no border has a jump (point 4).
3. A region (a connected part of a cluster in coupling space) with few points or a small extent is a crossover, not a
   phase. Where such regions fill more than a set share, clusters are not regions of coupling space, and again no phases
   are told apart (domains of one order that are taken for several orders do this). Extents are those of the points'
   cells, so that points which were added at a boundary do not make a phase of it.
4. Two regions that meet without a jump are one phase: the change between neighbours across their border is less than
   ``contrast`` times the median change between neighbours inside. They meet across small regions too; a change over
   more than one step counts for one.
5. Regions must not be rough inside: where one in ten pairs of neighbours inside differs by more than the jump across a
   border over ``contrast``, and neighbours differ as much as any two points of the region (to the square, more than
   half as much), the region holds several things at once (domains of one order, runs that have not settled), and again
   no phases are told apart. A region that changes much but smoothly is not rough.

What remains are phases. One is a possible answer. Silhouette and drop of the merging distance choose alike on sharp
phases; on crossovers the silhouette is large too, which is why the jump is asked for.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist
from sklearn.metrics import adjusted_rand_score, silhouette_score

from ..errors import DataError, check_shape
from ..rng import stream
from .density import NOISE, density_clusters
from .hierarchy import agglomerative, checked_features, in_order
from .regions import extents, neighbour_pairs, regions_of

CROSSOVER = -1
"""Phase of a point that lies in a crossover."""
_MOST = 0.9
"""Share of the pairs inside a region that must differ by less than the jump at its border over the contrast."""
_ROUGH = 0.5
"""Mean squared change between neighbours, in units of that between any two points of a region; 1 without any order."""


@dataclass(frozen=True)
class CountRule:
    """The numbers of the rule.

    Parameters
    ----------
    max_cluster : int
        Largest number of clusters that is tried.
    stability : float
        Least median agreement of the bootstrap.
    n_bootstrap : int
    min_points : int
        Least number of points of a phase.
    min_share : float
        Least share of coupling space of a phase.
    max_crossover : float
        Largest share that crossovers may fill.
    contrast : float
        Least jump across a border, in units of the change between neighbours inside: of their median, or it is no
        border, and of nine in ten of them, or phases are not told apart.
    """

    max_cluster: int = 10
    stability: float = 0.8
    n_bootstrap: int = 50
    min_points: int = 3
    min_share: float = 0.02
    max_crossover: float = 0.08
    contrast: float = 3.0


@dataclass(frozen=True, eq=False)
class PhaseCount:
    """The phases of a map and why they are so many.

    Parameters
    ----------
    phase : (n_point,) int64
        Phase of each point, from 0; :data:`CROSSOVER` where it is in none.
    nearest : (n_point,) int64
        The same, with points of crossovers given to the phase of the point that is most like them.
    n_phase : int
    label : (n_point,) int64
        Clusters before regions were looked at.
    numbers : (n,) int64
        Numbers of clusters that were tried.
    silhouette, score : (n,) float64
        Mean silhouette of each, and the distance or affinity of the merge that would leave one fewer.
    stability : (n_bootstrap,) float64
        Agreement of each resampled clustering at the chosen number.
    borders : list of dict
        ``{"regions", "jump", "inside", "spread", "contrast", "kept"}`` of every pair of regions that meet: change
        across the border, median change inside (the larger of both sides), what one in ten pairs inside exceeds (of
        sides that are rough, else 0), jump / inside, and whether that makes a border.
    crossovers : list of dict
        ``{"points", "centre"}`` of every small region.
    reason : str
        The decision in a sentence.
    """

    phase: np.ndarray
    nearest: np.ndarray
    n_phase: int
    label: np.ndarray
    numbers: np.ndarray
    silhouette: np.ndarray
    score: np.ndarray
    stability: np.ndarray
    borders: list = field(default_factory=list)
    crossovers: list = field(default_factory=list)
    reason: str = ""


def count_phases(features, coordinates, *, seed, rule=None, cluster=agglomerative, dimension=None, spread=None):
    """Return the phases of a map by the rule at the head of this file.

    Parameters
    ----------
    features : (n_point, n_feature) float64
        Of each point, on a scale on which Euclidean distances mean something, symmetrised over the point group.
    coordinates : (n_point, n_coordinate) float64
        Where the points lie.
    seed : int
    rule : CountRule, optional
    cluster : callable, optional
        Features to :class:`~spinscape.learn.hierarchy.Hierarchy`; Ward's linkage by default.
    dimension : int, optional
        Of what the points fill: 1 for a circle in a plane. The number of coordinates where left out.
    spread : (n_point,) bool, optional
        Points that are spread evenly, of which phases are made and counted; all where left out. The others join them.

    Returns
    -------
    PhaseCount
    """
    features, rule = np.asarray(features, dtype=np.float64), rule or CountRule()
    spread = _checked_spread(spread, len(features))
    even = _checked_even(features, spread, rule)
    hierarchy = cluster(even)
    numbers = np.arange(2, min(rule.max_cluster, hierarchy.n_start, len(even) - 1) + 1)
    if not len(numbers):
        return _of_all(_one_phase(even, numbers, "the method finds one cluster"), features, spread)
    silhouette = np.array([silhouette_score(even, hierarchy.labels(n)) for n in numbers])
    chosen = int(numbers[np.argmax(silhouette)])
    label = hierarchy.labels(chosen)
    score = np.array([hierarchy.score[hierarchy.n_start - n] for n in numbers])
    stability = bootstrap_stability(even, label, seed=seed, n=rule.n_bootstrap, cluster=cluster)
    evidence = {"label": label, "numbers": numbers, "silhouette": silhouette, "score": score, "stability": stability}
    place = np.asarray(coordinates, dtype=np.float64)[spread]
    return _of_all(_phases_of_regions(even, place, rule, evidence, dimension), features, spread)


def phases_of_clusters(
    features, coordinates, *, seed, rule=None, cluster=density_clusters, dimension=None, spread=None
):
    """Return the phases of a map from a method that finds the number of clusters itself: points 2 to 4 of the rule.

    Parameters
    ----------
    features, coordinates, seed, rule, dimension, spread :
        As of :func:`count_phases`.
    cluster : callable
        Features to :class:`~spinscape.learn.density.DensityClusters`. Points in no cluster are crossovers.

    Returns
    -------
    PhaseCount
        Without silhouette and merges.
    """
    features, rule = np.asarray(features, dtype=np.float64), rule or CountRule()
    spread = _checked_spread(spread, len(features))
    even = _checked_even(features, spread, rule)
    label, none = np.array(cluster(even).label), np.zeros(0)
    stability = np.empty(rule.n_bootstrap)
    for k in range(rule.n_bootstrap):
        stability[k] = _agreement(even, label, _resampled(len(even), seed, k), lambda x: cluster(x).label)
    evidence = {"label": label, "numbers": none.astype(np.int64), "silhouette": none, "score": none}
    place = np.asarray(coordinates, dtype=np.float64)[spread]
    evidence |= {"stability": stability}
    return _of_all(_phases_of_regions(even, place, rule, evidence, dimension), features, spread)


def _checked_spread(spread, n):
    spread = np.ones(n, dtype=bool) if spread is None else np.asarray(spread, dtype=bool)
    check_shape("spread", spread, (n,))
    return spread


def _checked_even(features, spread, rule):
    """Return the features of points that are spread evenly, or raise where two phases could not lie among them."""
    if spread.sum() < 2 * rule.min_points:
        raise DataError(
            "too few points for phases",
            where="features",
            expected=f"at least {2 * rule.min_points} points of the grid that have a result: two phases of min_points",
            got=int(spread.sum()),
            fix="simulate more points, or look at why they failed; where there are no more, lower count.min_points",
        )
    checked_features(features)
    return checked_features(features[spread])


def _of_all(found, features, spread):
    """Return the phases of every point: an added one is where the spread one is that is most like it.

    Added points lie at borders and resolve them: a jump that they divide into many small changes would be none.
    """
    index, like = np.flatnonzero(spread), np.empty(len(features), dtype=np.int64)
    like[spread] = np.arange(len(index))
    if len(index) < len(features):
        like[~spread] = cKDTree(features[spread]).query(features[~spread])[1]
    crossovers = [{**one, "points": index[one["points"]]} for one in found.crossovers]
    every = {name: getattr(found, name)[like] for name in ("phase", "nearest", "label")}
    return replace(found, **every, crossovers=crossovers)


def _resampled(n, seed, k):
    return np.unique(stream(seed, "bootstrap", "clusters", k).integers(n, size=n))


def bootstrap_stability(features, label, *, seed, n, cluster=agglomerative):
    """Return how well clusterings of resampled points agree with a clustering, (n,): adjusted Rand indices.

    Each draws as many points as there are, with replacement, keeps each once, and clusters them into as many clusters
    as ``label`` has.
    """
    n_cluster = int(label.max()) + 1
    out = np.empty(n)
    for k in range(n):
        out[k] = _agreement(features, label, _resampled(len(features), seed, k), lambda x: _cut(cluster(x), n_cluster))
    return out


def _cut(hierarchy, n_cluster):
    return hierarchy.labels(min(n_cluster, hierarchy.n_start))


def _agreement(features, label, chosen, label_of):
    """Return the adjusted Rand index of some points' labels and those that they have by themselves."""
    some = features[chosen]
    # Of few points a draw may hold the same one several times: nothing to tell apart, one cluster.
    alike = not np.any(np.ptp(some, axis=0) > 0)
    return adjusted_rand_score(label[chosen], np.zeros(len(some), int) if alike else label_of(some))


def _mixed(borders, rule):
    """Return in words that regions are not alike inside."""
    worst = min(border["jump"] / border["spread"] for border in borders)
    return (
        f"inside rough regions one pair of neighbours in ten differs by more than 1/{worst:.2g} of the jump at their "
        f"border (allowed 1/{rule.contrast:g}): domains of one order, or runs that have not settled"
    )


def _not_known(evidence, why, crossovers=(), borders=()):
    text = f"the number of phases is not known: {_clusters(evidence)}, but {why}"
    nowhere = np.full(len(evidence["label"]), CROSSOVER)
    return PhaseCount(nowhere, nowhere, 0, **evidence, borders=list(borders), crossovers=list(crossovers), reason=text)


def _clusters(evidence):
    """Return in words how many clusters there are, and by what."""
    n = int(evidence["label"].max()) + 1
    if not len(evidence["silhouette"]):
        return f"{n} clusters by density"
    return f"silhouette {float(evidence['silhouette'].max()):.2f} is largest at {n} clusters"


def _one_phase(features, numbers, reason):
    zero = np.zeros(len(features), dtype=np.int64)
    return PhaseCount(
        zero, zero, 1, zero, numbers, np.zeros(0), np.zeros(0), np.zeros(0), reason=f"one phase: {reason}"
    )


def _phases_of_regions(features, coordinates, rule, evidence, dimension):
    label = evidence["label"]
    pairs = neighbour_pairs(coordinates)
    regions, extent = regions_of(label, pairs), extents(coordinates, pairs, dimension=dimension)
    extent = np.bincount(regions.region, weights=extent, minlength=regions.n_region)
    major = (regions.size >= rule.min_points) & (extent >= rule.min_share) & (regions.cluster != NOISE)
    crossovers = [
        {"points": np.flatnonzero(regions.region == r), "centre": coordinates[regions.region == r].mean(axis=0)}
        for r in np.flatnonzero(~major)
    ]
    share = float(np.sum(extent[~major]))
    if share > rule.max_crossover:
        why = f"{share:.0%} of the map lies in {len(crossovers)} small regions (allowed {rule.max_crossover:.0%})"
        return _not_known(evidence, why, crossovers)
    borders = _borders(features, coordinates, regions, major, rule.contrast)
    agreed = float(np.median(evidence["stability"]))
    if agreed < rule.stability and any(border["kept"] for border in borders):
        return _not_known(
            evidence, f"resampled points agree to {agreed:.2f} only (asked {rule.stability:g})", crossovers
        )
    mixed = [border for border in borders if border["jump"] < rule.contrast * border["spread"]]
    if mixed:
        return _not_known(evidence, _mixed(mixed, rule), crossovers, borders)
    # Parts of one cluster are one phase wherever they lie; so are regions that touch without a jump.
    name = np.where(major, regions.cluster, -1 - np.arange(regions.n_region))
    for border in borders:
        if not border["kept"]:
            a, b = (name[r] for r in border["regions"])
            name[name == max(a, b)] = min(a, b)
    phase = np.where(major[regions.region], name[regions.region], CROSSOVER)
    inside = phase != CROSSOVER
    phase[inside] = in_order(phase[inside])
    n_phase = len(np.unique(phase[inside]))
    reason = _reason(evidence, n_phase, borders, crossovers)
    nearest = _nearest(features, phase)
    return PhaseCount(phase, nearest, n_phase, **evidence, borders=borders, crossovers=crossovers, reason=reason)


def _nearest(features, phase):
    """Return the phases with each point of a crossover given to that of the most similar point in one."""
    inside = np.flatnonzero(phase != CROSSOVER)
    out = phase.copy()
    for k in np.flatnonzero(phase == CROSSOVER):
        if len(inside):
            out[k] = phase[inside[np.argmin(np.linalg.norm(features[inside] - features[k], axis=1))]]
    return out


def _borders(features, coordinates, regions, major, contrast):
    """Return every border between two major regions, with the jump across it and the changes inside."""
    held = np.flatnonzero(major[regions.region])
    if len(np.unique(regions.region[held])) < 2:
        return []
    # Without the small regions: what they part meets all the same.
    pairs = held[neighbour_pairs(coordinates[held])]
    change = np.linalg.norm(features[pairs[:, 0]] - features[pairs[:, 1]], axis=1)
    length = np.linalg.norm(coordinates[pairs[:, 0]] - coordinates[pairs[:, 1]], axis=1)
    ends = np.sort(regions.region[pairs], axis=1)
    within = ends[:, 0] == ends[:, 1]
    found = []
    for a, b in np.unique(ends[~within], axis=0):
        sides = [within & (ends[:, 0] == r) for r in (a, b)]
        if not all(side.any() for side in sides):
            continue
        across, step = (ends[:, 0] == a) & (ends[:, 1] == b), max(np.median(length[side]) for side in sides)
        jump = float(np.median(change[across] / np.maximum(1.0, length[across] / step)))
        # The larger of the two: a phase that changes much of itself does not make its neighbour another one.
        inside = max(float(np.median(change[side])) for side in sides)
        ratio = jump / max(inside, 1e-300)
        border = {"regions": (int(a), int(b)), "jump": jump, "inside": inside, "contrast": ratio}
        rough = [_is_rough(features[regions.region == r], change[side]) for r, side in zip((a, b), sides, strict=True)]
        border["spread"] = max(
            float(np.quantile(change[side], _MOST)) * is_rough for side, is_rough in zip(sides, rough, strict=True)
        )
        found.append({**border, "kept": ratio >= contrast})
    return found


def _is_rough(members, change):
    """Tell whether neighbours of a region differ as much as any two of its points."""
    return bool(np.mean(change**2) > _ROUGH * np.mean(pdist(members, "sqeuclidean")))


def _reason(evidence, n_phase, borders, crossovers):
    merged = sum(not border["kept"] for border in borders)
    text = (
        f"{_clusters(evidence)}, resampling agrees to "
        f"{np.median(evidence['stability']):.2f}; {len(crossovers)} small regions are crossovers, {merged} of "
        f"{len(borders)} borders have no jump"
    )
    return f"one phase, crossovers only: {text}" if n_phase == 1 else f"{n_phase} phases: {text}"
