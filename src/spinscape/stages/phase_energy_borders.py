"""Borders of a map over two or three coordinates by the energies on both sides."""

import numpy as np

from ..learn.energy_borders import energy_borders


def phase_energy_borders(grid, coordinates, found, energy, *, seed):
    """Return the borders by energies: what is said of them, and the arrays of the figure.

    Parameters
    ----------
    grid : GridCoordinates
    coordinates : (n_point, n_coordinate) float64
    found : PhaseCount
        Where it tells fewer than two phases apart, the borders are those of its clusters.
    energy : (n_point,) float64 or None
        Of each spin; None where none is stored.
    seed : int

    Returns
    -------
    said : list of dict
        ``phases`` (pair), ``places`` (number), ``asked``, ``half`` (median of half the band of 95 % along each
        coordinate, where there are places), ``reason``.
    arrays : dict of str to array
        ``edge_places`` and ``edge_half`` (m, n_coordinate).
    """
    own, label = (found.phase, found.nearest) if found.n_phase > 1 else (found.label, found.label)
    n_axis = coordinates.shape[1]
    if energy is None or n_axis not in (2, 3) or len(np.unique(label)) < 2 or not np.ptp(coordinates, axis=0).all():
        return [], {}
    where = {"box": grid.box, "period": grid.period}
    borders = energy_borders(coordinates, label, energy, **where, seed=seed, sure=own == label)
    said = [
        {"phases": list(b.pair), "places": b.n_found, "asked": b.n_asked, "reason": b.reason}
        | ({"half": np.median(np.abs(b.half), axis=0).tolist()} if b.n_found else {})
        for b in borders
    ]
    empty = np.zeros((0, n_axis))
    places, half = (np.concatenate([empty, *(getattr(b, name) for b in borders)]) for name in ("places", "half"))
    return said, {"edge_places": places, "edge_half": half}
