"""Boundaries of a map over two or three coordinates: the phase at places of a fine grid, and how many maps agree."""

import numpy as np

from ..learn.phase_map import voted_map

N_PLACE = {2: 161, 3: 61}
"""Places along each of the first two axes, by the number of coordinates."""
N_SLICE = 9
"""Slices at values of a third coordinate, at most."""


def phase_field(grid, coordinates, found, *, seed):
    """Return the arrays of the boundaries of a map.

    Parameters
    ----------
    grid : GridCoordinates
    coordinates : (n_point, n_coordinate) float64
    found : PhaseCount
        Where it tells fewer than two phases apart, the borders are those of its clusters.
    seed : int

    Returns
    -------
    dict of str to array
        ``field_first`` and ``field_second`` (n,): the axes; ``field_phase`` (n, n) int64; ``field_share`` (n, n): of
        the maps of resampled points that agree. Over three coordinates also ``field_third`` (k,), values of the third
        at which points lie, and the last two are (k, n, n). Empty over one coordinate, or where nothing is told apart.
    """
    label, n_axis = found.nearest if found.n_phase > 1 else found.label, len(grid.names)
    if n_axis not in N_PLACE or len(np.unique(label)) < 2 or not np.all(np.ptp(coordinates, axis=0) > 0):
        return {}
    axes = [np.linspace(*ends, N_PLACE[n_axis]) for ends in grid.box.T[:2]]
    out = {"field_first": axes[0], "field_second": axes[1]}
    if n_axis == 3:
        out["field_third"] = shown_values(coordinates[:, 2])
        axes = [out["field_third"], *axes]
    at = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, n_axis)
    # The third coordinate runs slowest.
    at = np.roll(at, -1, axis=1) if n_axis == 3 else at
    phase, share = voted_map(coordinates, label, at, box=grid.box, period=grid.period, seed=seed)
    shape = tuple(len(axis) for axis in axes)
    return out | {"field_phase": phase.reshape(shape), "field_share": share.reshape(shape)}


def shown_values(values):
    """Return values of a coordinate at which points lie, evenly chosen where there are many, (k,) float64.

    >>> shown_values(np.array([0.0, 0.5, 0.0, 1.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    known = np.unique(np.asarray(values, dtype=np.float64).round(12))
    return known[np.unique(np.linspace(0, len(known) - 1, min(N_SLICE, len(known))).round().astype(int))]
