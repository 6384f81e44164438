"""A chooser of rounds: points where a map of phases is uncertain."""

import h5py
import numpy as np

from ..errors import StoreError
from ..learn.refine import next_points
from .coordinates import grid_coordinates
from .phases import PHASES

LABELS = {"phases": "phase", "clusters": "label"}
"""Array of a map's file that says what is told apart."""


def choose(section, seed, inputs):
    """Return the coordinates of the next points, (n, n_coordinate).

    Parameters
    ----------
    section : dict
        ``build.refine_section``.
    seed : int
    inputs : dict
        ``map``: the HDF5 file of the map of all points so far.
    """
    try:
        with h5py.File(inputs["map"], "r") as file:
            contract, points = file.attrs["contract"], file["coordinates"][()]
            label = file[LABELS[section["refine"]["by"]]][()]
    except (OSError, KeyError) as error:
        raise StoreError("a map of phases cannot be read", where=str(inputs["map"]), got=str(error)) from None
    if contract != PHASES:
        raise StoreError(
            "a map of phases obeys another contract", where=str(inputs["map"]), expected=PHASES, got=contract
        )
    grid = grid_coordinates(section)
    refine = section["refine"]
    where = {"box": grid.box, "period": grid.period}
    return next_points(points, np.asarray(label), **where, n=refine["points"], seed=seed, spread=refine["spread"])
