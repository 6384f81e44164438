"""Planes of two couplings: which phase a generator's gate sees where, how sure it is, its errors at held-out points."""

from dataclasses import dataclass

import numpy as np
from matplotlib.colors import LogNorm, to_rgb

from .style import colour, new_figure, styled

LEAST_ERROR = 1e-6
"""Errors below this are drawn as this."""


@dataclass(frozen=True, eq=False)
class Plane:
    """One plane.

    Parameters
    ----------
    title : str
    x, y : (n_x,), (n_y,) float64
    probability : (n_y, n_x, n_phase) float64
    points : (n_point, 2) float64
        Held-out points.
    error : (n_point,) float64
        Squared errors over the mean spread of a point.
    settled : (n_point,) bool
        Whether all their runs came to equilibrium.
    """

    title: str
    x: np.ndarray
    y: np.ndarray
    probability: np.ndarray
    points: np.ndarray
    error: np.ndarray
    settled: np.ndarray


def planes_figure(planes, x_label, y_label, *, unit="K"):
    """Draw planes side by side, three in a row.

    Parameters
    ----------
    planes : sequence of Plane
    x_label, y_label, unit : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    n_row = -(-len(planes) // 3)
    with styled():
        figure = new_figure(9.6, 3.0 * n_row + 0.3)
        all_axes = np.atleast_1d(figure.subplots(n_row, min(3, len(planes)), sharex=True, sharey=True)).ravel()
        drawn = None
        for plane, axes in zip(planes, all_axes, strict=False):
            drawn = _plane(axes, plane)
        for axes in all_axes[len(planes) :]:
            axes.set_visible(False)
        figure.supxlabel(f"{x_label} ({unit})", fontsize=9)
        figure.supylabel(f"{y_label} ({unit})", fontsize=9)
        figure.colorbar(drawn, ax=list(all_axes), label="squared error / mean spread of a point", shrink=0.8)
    return figure


def _plane(axes, plane):
    p = plane.probability
    tint = np.array([0.35 * np.array(to_rgb(colour(c))) + 0.65 for c in range(p.shape[2])])
    corners = (plane.x[0], plane.x[-1], plane.y[0], plane.y[-1])
    axes.imshow(p @ tint, origin="lower", extent=corners, aspect="auto")
    if p.shape[2] > 1:
        axes.contour(plane.x, plane.y, p.max(axis=2), levels=[0.95], colors="0.3", linewidths=0.7)
    drawn = None
    for settled, marker in ((True, "o"), (False, "s")):
        mine = plane.settled == settled
        shown = np.maximum(plane.error[mine], LEAST_ERROR)
        style = {"cmap": "inferno_r", "norm": LogNorm(LEAST_ERROR, 3.0), "edgecolors": "k", "linewidths": 0.6}
        drawn = axes.scatter(*plane.points[mine].T, c=shown, marker=marker, s=28, **style)
    axes.set_title(plane.title)
    return drawn
