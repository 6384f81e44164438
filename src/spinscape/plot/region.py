"""Regions of acceptable couplings, and the tetrahedra of a configuration."""

from itertools import combinations

import numpy as np
from matplotlib.patches import Ellipse

from ..errors import check_shape
from .landscape import LEVEL, ellipse_of
from .style import colour, new_figure, stamp_simulated, styled, with_unit


def region_figure(*, names, units, regions, truth=None, points=None, simulated=False):
    """Draw the couplings that are acceptable, in the plane of every two of them.

    Parameters
    ----------
    names, units : sequence of str
    regions : dict of str to (centre (n,), covariance (n, n))
        By label: the 68 and 95 % regions of two couplings whatever the others are.
    truth : (n,), optional
        Marked where it is known.
    points : (m, n), optional
        Simulated points.
    simulated : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    for centre, covariance in regions.values():
        check_shape("covariance", np.asarray(covariance), (len(names), len(names)))
        check_shape("centre", np.asarray(centre), (len(names),))
    pairs = list(combinations(range(len(names)), 2))
    with styled():
        figure = new_figure(3.4 * len(pairs), 3.9)
        for axes, pair in zip(figure.subplots(1, len(pairs), squeeze=False)[0], pairs, strict=True):
            _draw_pair(axes, pair, regions, truth, points)
            axes.set_xlabel(with_unit(names[pair[0]], units[pair[0]]))
            axes.set_ylabel(with_unit(names[pair[1]], units[pair[1]]))
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
        if simulated:
            stamp_simulated(figure)
    return figure


def _draw_pair(axes, pair, regions, truth, points):
    index = list(pair)
    for k, (label, (centre, covariance)) in enumerate(regions.items()):
        middle, matrix = np.asarray(centre)[index], np.asarray(covariance)[np.ix_(index, index)]
        for (text, level), alpha in zip(LEVEL.items(), (0.35, 0.15), strict=True):
            width, height, angle = ellipse_of(matrix, level=level)
            axes.add_patch(Ellipse(middle, width, height, angle=angle, facecolor=colour(k), alpha=alpha, zorder=2 + k))
            edge = Ellipse(middle, width, height, angle=angle, fill=False, edgecolor=colour(k), zorder=4 + k)
            edge.set_label(label if text == next(iter(LEVEL)) else None)
            axes.add_patch(edge)
    axes.autoscale_view()
    limits = axes.get_xlim(), axes.get_ylim()
    if truth is not None:
        axes.plot(*np.asarray(truth)[index, None], "*", ms=12, color="white", mec="black", zorder=9, label="truth")
    if points is not None:
        axes.plot(*np.asarray(points)[:, index].T, ".", ms=4, color="#777777", zorder=1, label="simulated points")
    axes.set_xlim(limits[0])
    axes.set_ylim(limits[1])
    axes.margins(0.1)
    axes.grid(alpha=0.3)


def charges_figure(*, positions, charges, title=""):
    """Draw the middles of tetrahedra in space, those that break the ice rule as spheres.

    Parameters
    ----------
    positions : (n_simplex, 3) float64, Å
    charges : (n_simplex,) float64
        0 by the ice rule, ±1 and ±2.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    positions, charges = np.asarray(positions), np.asarray(charges)
    check_shape("positions", positions, (len(charges), 3))
    with styled():
        figure = new_figure(4.6, 4.4)
        axes = figure.add_subplot(projection="3d")
        quiet = charges == 0
        axes.scatter(*positions[quiet].T, s=3, color="#BBBBBB", depthshade=False, label=f"0: {int(quiet.sum())}")
        for k, value in enumerate((1.0, -1.0, 2.0, -2.0)):
            here = charges == value
            if here.any():
                size, label = 40.0 * abs(value), f"{value:+g}: {int(here.sum())}"
                axes.scatter(*positions[here].T, s=size, color=colour(k), edgecolor="black", lw=0.4, label=label)
        axes.set(xlabel="x (Å)", ylabel="y (Å)", zlabel="z (Å)", title=title)
        axes.set_box_aspect(None, zoom=0.85)
        axes.legend(loc="upper left", fontsize=8, title="charge")
    return figure
