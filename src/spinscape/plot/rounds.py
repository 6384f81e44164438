"""Rounds of further points: where they lie."""

import numpy as np

from .style import colour, new_figure, styled, with_unit

_GREY = "0.7"


def rounds_figure(*, coordinates, names, units=None, boundaries=()):
    """Draw the points of every round over their first two coordinates, or each round as a line of its own over one.

    Parameters
    ----------
    coordinates : sequence of (n_point, n_coordinate) float64
        Of the grid, then of each round.
    names : sequence of str
    units : sequence of str, optional
    boundaries : sequence of sequence of dict
        Over one coordinate: ``{"place", "band"}`` of the map that each round was chosen from, then of the last map.

    Returns
    -------
    matplotlib.figure.Figure
    """
    labels = [with_unit(name, unit) for name, unit in zip(names, units or [""] * len(names), strict=True)]
    tones = [_GREY, *(colour(k) for k in range(len(coordinates) - 1))]
    titles = ["grid", *(f"round {k}" for k in range(1, len(coordinates)))]
    with styled():
        if len(names) == 1:
            return _lines(coordinates, labels[0], tones, titles, boundaries)
        figure = new_figure(6.4, 5.2)
        axes = figure.subplots()
        for places, tone, title in zip(coordinates, tones, titles, strict=True):
            axes.plot(*np.asarray(places)[:, :2].T, "o", color=tone, label=title, markersize=3.5)
        axes.set(xlabel=labels[0], ylabel=labels[1])
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _lines(coordinates, label, tones, titles, boundaries):
    figure = new_figure(9.6, 1.2 + 0.45 * len(coordinates))
    axes = figure.subplots()
    for k, (places, tone) in enumerate(zip(coordinates, tones, strict=True)):
        axes.plot(np.asarray(places)[:, 0], np.full(len(places), k), "|", color=tone, markersize=12)
    for k, edges in enumerate(boundaries):
        # The map that a round was chosen from stands between that round and the one before.
        for edge in edges:
            axes.plot(2 * [edge["place"]], [k + 0.3, k + 0.7], color="0.2", linewidth=1.0)
    axes.set(xlabel=label, yticks=range(len(titles)), yticklabels=titles, ylim=(len(titles) - 0.2, -0.6))
    return figure
