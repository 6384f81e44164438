"""Stage ``choose``: the points of a further round.

Which points they are says a chooser: a module beside this one, named by the study's section ``refine``, with a function
``choose(section, seed, inputs)`` that returns their coordinates (n, n_coordinate) from what the rounds so far have
given. It is a function of its arguments alone, so that a second run plans the same points. How many points and batches
a round has stands in the study.
"""

import importlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import StoreError
from ..rng import digest_words
from ..store.files import write_whole
from .coordinates import grid_coordinates

POINTS = "points/1"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class RoundPoints:
    """The points of one round.

    Parameters
    ----------
    round : int
        From 1; 0 is the grid itself.
    names : tuple of str
        Of the coordinates.
    coordinates : (n_point, n_coordinate) float64
    theta : (n_point, n_parameter) float64, meV
    """

    round: int
    names: tuple[str, ...]
    coordinates: np.ndarray
    theta: np.ndarray


def run(section, seed, number, inputs, output):
    """Choose the points of a round and write them.

    Parameters
    ----------
    section : dict
        ``build.refine_section``.
    seed : int
        Of the study.
    number : int
        Of the round, from 1.
    inputs : dict of str to (str or list of str)
        The files that the rule gives: what the chooser reads, by name.
    output : str or Path
    """
    grid = grid_coordinates(section)
    chooser = importlib.import_module(section["module"])
    # Each round has random numbers of its own.
    found = np.asarray(chooser.choose(section, digest_words(seed, "round", number)[0], inputs), dtype=np.float64)
    _check(found, section["refine"]["points"], grid)
    found = grid.wrapped(found)
    document = {
        "contract": POINTS,
        "round": number,
        "kind": section["refine"]["kind"],
        "coordinate_names": list(grid.names),
        "parameter_names": section["parameter_names"],
        "coordinates": found.tolist(),
        "theta": grid.theta(found).tolist(),
    }
    write_whole(output, json.dumps(document, indent=1, ensure_ascii=False))
    _log.info("round %d: %d points", number, len(found))


def _check(found, n, grid):
    margin = 1e-9 * (grid.box[1] - grid.box[0])
    if found.shape != (n, len(grid.names)) or not np.all(np.isfinite(found)):
        raise StoreError(
            "a chooser gave other points than it was asked for",
            where="refine",
            expected=f"{n} finite points of {len(grid.names)} coordinates",
            got=f"shape {found.shape}, {int(np.sum(~np.isfinite(found)))} not finite",
        )
    if np.any(found < grid.box[0] - margin) or np.any(found > grid.box[1] + margin):
        raise StoreError(
            "a chosen point lies outside the grid's box",
            where="refine",
            expected=grid.box.tolist(),
            got=[found.min(axis=0).tolist(), found.max(axis=0).tolist()],
        )


def read_points(path):
    """Return the :class:`RoundPoints` of a file, checked against its contract."""
    try:
        data = json.loads(Path(path).read_text())
        contract = data.get("contract")
        if contract == POINTS:
            coordinates, theta = (np.array(data[name], dtype=np.float64) for name in ("coordinates", "theta"))
            return RoundPoints(data["round"], tuple(data["coordinate_names"]), coordinates, theta)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise StoreError("the points of a round cannot be read", where=str(path), got=str(error)) from None
    raise StoreError("the points of a round obey another contract", where=str(path), expected=POINTS, got=contract)
