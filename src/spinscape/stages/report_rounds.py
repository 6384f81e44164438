"""The part of the report about rounds of further points."""

import json
from pathlib import Path

import h5py
import numpy as np

from ..errors import StoreError
from ..plot.report import SectionContent, report_figure
from ..plot.rounds import rounds_figure
from .choose import read_points


def rounds_content(points, maps):
    """Return the section about rounds.

    Parameters
    ----------
    points : sequence of (str or Path)
        Files of the points of each round.
    maps : sequence of (str or Path, str or Path)
        JSON and HDF5 files of the maps that the rounds were chosen from, in their order, and of that of all points;
        empty where something else than a map of phases has chosen.

    Returns
    -------
    SectionContent
    """
    rounds = [read_points(path) for path in points]
    found = [_read(path) for path, _ in maps]
    n_grid = found[0]["n_point"] if found else None
    grid = _coordinates(maps[0][1]) if maps else np.empty((0, len(rounds[0].names)))
    figure = rounds_figure(
        coordinates=[grid, *(one.coordinates for one in rounds)],
        names=rounds[0].names,
        units=found[0]["coordinate_units"] if found else None,
        boundaries=[one["boundaries"] for one in found],
    )
    n = [len(one.theta) for one in rounds]
    text = f"{len(rounds)} rounds of {n[0]} points each, chosen from what the points before them gave."
    return SectionContent(
        title="Rounds of further points",
        text=text if n_grid is None else f"{text} The grid itself has {n_grid} points.",
        figures=(report_figure(figure, caption=_caption(found), alt=f"Points of {len(rounds)} rounds"),),
        facts=_facts(found),
        table="What the map was, round by round",
    )


def _caption(found):
    if found and found[0]["coordinate_names"][1:] == []:
        return "Points of the grid and of each round; between two rounds the boundaries that were then known."
    return "Points of the grid and of each round."


def _facts(found):
    out = {}
    for k, one in enumerate(found):
        name = f"after round {k}" if k else "grid"
        out[name] = f"{one['n_point']} points, {one['n_phase']} phases, {max(one['n_cluster'], 1)} clusters"
        for edge in one["boundaries"]:
            first, second = (p + 1 for p in edge["phases"])
            out[f"{name}: boundary between phases {first} and {second}"] = f"{edge['place']:.6g} ± {edge['std']:.2g}"
    return out


def _read(path):
    try:
        return json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise StoreError("a map of phases cannot be read", where=str(path), got=str(error)) from None


def _coordinates(path):
    with h5py.File(path, "r") as file:
        return file["coordinates"][()]
