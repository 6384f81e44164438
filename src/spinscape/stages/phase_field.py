"""Boundaries of a map over two coordinates: the phase at every place of a fine grid, and how many maps agree."""

import numpy as np

from ..learn.refine import voted_map

N_PLACE = 161
"""Places along each axis."""


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
        the maps of resampled points that agree. Empty where there are not two coordinates or nothing is told apart.
    """
    label = found.nearest if found.n_phase > 1 else found.label
    if len(grid.names) != 2 or len(np.unique(label)) < 2 or not np.all(np.ptp(coordinates, axis=0) > 0):
        return {}
    axes = [np.linspace(*ends, N_PLACE) for ends in grid.box.T]
    at = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    phase, share = voted_map(coordinates, label, at, box=grid.box, period=grid.period, seed=seed)
    shape = (N_PLACE, N_PLACE)
    out = {"field_first": axes[0], "field_second": axes[1]}
    return out | {"field_phase": phase.reshape(shape), "field_share": share.reshape(shape)}
