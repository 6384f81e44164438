"""Stage ``phases``: clusters of simulated points, how many of them are phases, and where they meet."""

import json
import logging
from functools import partial
from itertools import pairwise

import numpy as np

from ..config.phases import PhaseSection
from ..errors import DataError, located
from ..learn.augment import momenta_from_store
from ..learn.boundaries import boundary_between, fit_energy
from ..learn.compressor import fit_pca
from ..learn.density import density_clusters
from ..learn.graph_linkage import graph_degree_linkage
from ..learn.hierarchy import agglomerative
from ..learn.images import StoreImages, Transform, check_intensities
from ..learn.near_correlations import near_correlations
from ..learn.phase_count import CROSSOVER, CountRule, count_phases, phases_of_clusters
from ..store.files import hdf5_bytes, write_whole
from ..store.read import StudyStore
from .array_axes import drawn_part
from .choose import read_points
from .coordinates import grid_coordinates
from .phase_energy_borders import phase_energy_borders
from .phase_features import arrays_of, group_labels, groups_of, latent_features, with_companions
from .phase_field import phase_field

PHASES = "phases/3"
ENERGY = "energy"
"""Array of the energy per spin, from which boundaries are made."""
N_LATENT = 3

_log = logging.getLogger(__name__)


def run(section, seed, index, output, arrays, *, rounds=(), model=None, compressor=None):
    """Map the phases of a study and write them.

    Parameters
    ----------
    section : dict
        ``build.phase_section``.
    seed : int
        Of the study.
    index : str or Path
        Index of the simulated points.
    output, arrays : str or Path
        A JSON file with the map and its evidence, and an HDF5 file with the arrays of its figures.
    rounds : sequence of (str or Path)
        Files of the points of rounds that are among the simulated ones.
    model : str or Path, optional
        The model's file: needed for arrays that are made from correlations.
    compressor : str or Path, optional
        The compressor whose latent numbers are compared.
    """
    declared = PhaseSection.model_validate(section["phases"])
    grid, further = grid_coordinates(section), [read_points(path) for path in rounds]
    with located(f"phases.{section['name']}"), StudyStore(index, study=section["study"]) as store:
        seen = arrays_of(store, declared, section, model)
        whole = latent_features(store, seen, declared, compressor) if declared.latent else _features(seen, declared)
        features = with_companions(whole, store, declared.beside)
        coordinates = grid.of_theta(store.theta, further=[(f.coordinates, f.theta) for f in further])
        place, of_grid = _scaled(store.theta[:, grid.free_columns]), _of_grid(store.theta, further)
        found = _counted(declared, features, place, len(grid.names), seed, of_grid)
        boundaries, unplaced = _boundaries(grid, store, found, coordinates, declared.boundaries)
        pictures, axes = _representatives(seen, declared, features, found)
        latent = fit_pca(whole, n_latent=min(N_LATENT, *whole.shape, len(whole) - 1)).encode(whole)
        pictures |= phase_field(grid, coordinates, found, seed=seed)
        edges, lines = phase_energy_borders(grid, coordinates, found, _energy(store), seed=seed)
        pictures |= lines
        document = _document(section, declared, found, boundaries, grid, store)
        document |= {"shown": axes, "unplaced": unplaced, "energy_borders": edges}
        document["labels"] = group_labels(store, *groups_of(found)[:2])
        order = {"coordinates": coordinates, "theta": store.theta, "phase": found.phase}
        order |= {"nearest": found.nearest, "label": found.label}
    write_whole(output, json.dumps(document, indent=1, ensure_ascii=False))
    every = {**order, "latent": latent, **pictures}
    write_whole(arrays, hdf5_bytes(lambda file: _fill(file, every)))
    _log.info("phases %s: %s", section["name"], found.reason)


def _of_grid(theta, further):
    """Return which points are the grid's, (n_point,) bool: spread evenly, as those of rounds are not."""
    added = {row.tobytes() for one in further for row in np.asarray(one.theta, dtype=np.float64) + 0.0}
    return np.array([row.tobytes() not in added for row in np.asarray(theta, dtype=np.float64) + 0.0])


def _counted(declared, features, place, dimension, seed, of_grid):
    """Return the phases by the declared method."""
    rule = CountRule(**declared.count.model_dump())
    options = {"seed": seed, "dimension": dimension, "rule": rule, "spread": of_grid}
    if declared.method == "hdbscan":
        cluster = partial(_density, min_points=declared.count.min_points)
        return phases_of_clusters(features, place, cluster=cluster, **options)
    if declared.method == "graph_degree":
        linkage = partial(_graph_degree, n_neighbour=declared.n_neighbour)
    else:
        linkage = partial(agglomerative, linkage=declared.method)
    return count_phases(features, place, cluster=linkage, **options)


def _density(features, *, min_points):
    """Return clusters by density; few points, as resampling leaves them, may be one."""
    return density_clusters(features, min_points=min(max(2, min_points), len(features)))


def _graph_degree(features, *, n_neighbour):
    """Return the hierarchy by graph degree linkage; of few points, as resampling leaves them, all are neighbours."""
    return graph_degree_linkage(features, n_neighbour=max(1, min(n_neighbour, len(features) - 1)))


def _features(store, declared):
    """Return what is compared of every point, (n_point, n_feature) float64."""
    if declared.correlations:
        return np.hstack([_correlations(store, name, declared.correlations) for name in declared.arrays])
    transform = Transform(**declared.transform.model_dump())
    source = StoreImages(store, declared.arrays)
    values = source.read(np.arange(source.n_image))[0].astype(np.float64)
    check_intensities(values, transform, where=", ".join(declared.arrays))
    return transform.forward(values)


def _correlations(store, name, vectors):
    """Return the correlations of near spins that a volume of S(Q) holds, (n_point, n_temperature · n_vector)."""
    signal = StoreImages(store, [name]).read(np.arange(store.n_point))[0]
    # In units of the reciprocal lattice: no vectors of it are needed.
    hkl = momenta_from_store(store, [name], np.eye(3)).hkl
    spec = store.template[name]
    n = next((k for dim, k in zip(spec["dims"], spec["shape"], strict=True) if dim.startswith("temperature")), 1)
    parts = signal.reshape(len(signal), n, -1).transpose(1, 0, 2)
    return np.hstack([near_correlations(part, hkl.reshape(n, -1, 3)[0], vectors) for part in parts])


def _scaled(free):
    """Return couplings on one scale where they have one unit: a circle stays a circle."""
    span = np.ptp(free, axis=0)
    span = span[span > 0]
    # Couplings of very different ranges are each brought to 1: a lattice of them is then one of squares.
    same = len(span) > 0 and span.max() < 3.0 * span.min()
    return free / span.max() if same else free / np.where(np.ptp(free, axis=0) > 0, np.ptp(free, axis=0), 1.0)


def _energy(store):
    """Return the energy of each point, at the first of several temperatures, (n_point,); None where none is stored."""
    if ENERGY not in store.template:
        return None
    return store.read_many(ENERGY, np.arange(store.n_point)).reshape(store.n_point, -1)[:, 0]


def _boundaries(grid, store, found, coordinates, declared):
    """Return the boundaries along a grid of one coordinate, from the energies on both sides, and those not found."""
    energy = _energy(store)
    if coordinates.shape[1] != 1 or energy is None or found.n_phase < 2:
        return [], []
    place, period = coordinates[:, 0], grid.period[0]
    step = grid.step[0] if np.isfinite(grid.step[0]) else float(np.median(np.diff(np.unique(place))))
    out, unplaced = [], []
    for first, second, low, high in _meetings(place, found.phase, period, step):
        middle = 0.5 * (low + high)
        sides = []
        for phase, sign in ((first, -1.0), (second, 1.0)):
            away = sign * _wrapped(place - middle, period) / step
            here = (found.phase == phase) & (away > declared.near) & (away < declared.far)
            sides.append((store.theta[here], energy[here]))
        try:
            edge = boundary_between(
                *(fit_energy(*side) for side in sides),
                lambda u: grid.theta([[u]])[0],
                middle - 3 * step,
                middle + 3 * step,
            )
        except DataError as error:
            _log.warning("no boundary between phases %d and %d near %.6g: %s", first + 1, second + 1, middle, error)
            unplaced.append({"phases": [first, second], "between": [low, high], "why": error.what})
            continue
        points = [len(side[1]) for side in sides]
        out.append({"phases": [first, second], "place": edge.place, "std": edge.std, "band": list(edge.band)})
        out[-1] |= {"between": [low, high], "points": points}
    return out, unplaced


def _wrapped(difference, period):
    return difference if np.isinf(period) else (difference + 0.5 * period) % period - 0.5 * period


def _meetings(place, phase, period, step):
    """Return (phase below, phase above, last of below, first of above) of neighbouring phases, crossovers left out.

    Points of rounds lie much nearer to a boundary than ``step`` of the grid, where some stay in the phase of the other
    side: where two phases take turns within a step they meet once, between the outermost of these points.
    """
    order = [k for k in np.argsort(place) if phase[k] != CROSSOVER]
    pairs = [(a, b, place[a], place[b]) for a, b in pairwise(order)]
    if np.isfinite(period) and order:
        pairs.append((order[-1], order[0], place[order[-1]], place[order[0]] + period))
    found = []
    for a, b, low, high in pairs:
        if phase[a] == phase[b]:
            continue
        found.append((int(phase[a]), int(phase[b]), float(low), float(high)))
        while len(found) > 2 and found[-1][:2] == found[-3][:2] == found[-2][1::-1] and high - found[-3][2] <= step:
            found[-3:] = [(*found[-3][:3], float(high))]
    return found


def _representatives(store, declared, features, found):
    """Return what figures show of the point nearest to the middle of each phase, or else of each cluster, and where."""
    chosen, (group, number, _) = [], groups_of(found)
    for one in range(number):
        members = np.flatnonzero(group == one)
        middle = features[members].mean(axis=0)
        chosen.append(int(members[np.argmin(np.linalg.norm(features[members] - middle, axis=1))]))
    out, axes = {"representative": np.array(chosen, dtype=np.int64)}, {}
    for name in declared.arrays:
        if chosen:
            shown = drawn_part(store.template[name], store.read_many(name, np.array(chosen)))
            out[f"array_{name}"], axes[name] = shown.values, {"axes": shown.axes, "at": shown.text}
    return out, axes


def _document(section, declared, found, boundaries, grid, store):
    return {
        "contract": PHASES,
        "name": section["name"],
        "method": declared.method,
        "arrays": list(declared.arrays),
        "latent": declared.latent,
        "beside": list(declared.beside),
        "rule": declared.count.model_dump(),
        "n_phase": found.n_phase,
        "n_cluster": int(found.label.max()) + 1,
        "groups": groups_of(found)[2],
        "reason": found.reason,
        "numbers": found.numbers.tolist(),
        "silhouette": found.silhouette.tolist(),
        "score": found.score.tolist(),
        "stability": found.stability.tolist(),
        "borders": found.borders,
        "crossovers": [{"n_point": len(c["points"]), "points": c["points"].tolist()} for c in found.crossovers],
        "boundaries": boundaries,
        "coordinate_names": list(grid.names),
        "coordinate_units": grid.units,
        "parameter_names": list(store.parameter_names),
        "n_point": store.n_point,
    }


def _fill(file, arrays):
    file.attrs["contract"] = PHASES
    for name, array in arrays.items():
        file.create_dataset(name, data=array)
