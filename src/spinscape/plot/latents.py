"""Where the points of coupling space lie in the space of latent numbers: a colour for each point, the same in both."""

import numpy as np

from ..errors import check_shape
from .phases import rgb_from_latent
from .style import new_figure, styled, with_unit

_SIZE = 9.0


def latent_space_figure(*, couplings, names, latents, units=None):
    """Draw coupling space and latent spaces, every point in the colour that its couplings give it.

    A phase is a dense spot of a latent space, a jump a gap, a crossover a thread between spots.

    Parameters
    ----------
    couplings : (n_point, n_coupling) float64
        Couplings that do not vary are left out; of more than three the first three are drawn.
    names : sequence of n_coupling str
    latents : dict of str to (n_point, n_latent) float64
        Latent numbers by the name of their compressor; the three of the largest variance are drawn.
    units : sequence of n_coupling str, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    check_shape("couplings", np.asarray(couplings), ("n_point", len(names)))
    varied = np.flatnonzero(np.ptp(couplings, axis=0) > 0)[:3]
    place = np.asarray(couplings)[:, varied]
    units = [""] * len(names) if units is None else units
    labels = [with_unit(names[k], units[k]) for k in varied]
    shades = colours_of_couplings(place)
    with styled():
        figure = new_figure(3.4 * (1 + len(latents)) + 0.4, 3.4)
        spaces = [("couplings", place, labels)]
        for name, latent in latents.items():
            check_shape("latent", np.asarray(latent), (len(place), "n_latent"))
            order = leading(latent)
            spaces.append((name, np.asarray(latent)[:, order], [f"latent {k + 1}" for k in order]))
        for k, (title, points, axes) in enumerate(spaces):
            _cloud(figure, (1, len(spaces), k + 1), points, axes, shades, title)
    return figure


def leading(latent):
    """Return the places of the latent numbers of largest variance, at most three, (n,) int.

    >>> leading(np.array([[0.0, 5.0, 1.0], [0.0, -5.0, 2.0]])).tolist()
    [1, 2, 0]
    """
    return np.argsort(-np.var(latent, axis=0), kind="stable")[:3]


def colours_of_couplings(place):
    """Return one colour for each point, (n_point, 3) from 0 to 1: couplings as red, green and blue.

    One coupling alone runs from blue to red.
    """
    mixed = rgb_from_latent(np.asarray(place, dtype=np.float64))
    if place.shape[1] == 1:
        return np.column_stack([mixed[:, 0], 0.25 + 0.0 * mixed[:, 0], 1.0 - mixed[:, 0]])
    if place.shape[1] == 2:
        mixed[:, 2] = 0.5
    # Pale colours vanish on white.
    return 0.9 * mixed


def _cloud(figure, where, points, labels, shades, title):
    if points.shape[1] >= 3:
        axes = figure.add_subplot(*where, projection="3d")
        axes.scatter(*points.T, c=shades, s=_SIZE, depthshade=False, linewidths=0)
        axes.set_zlabel(labels[2], fontsize=8, labelpad=-4)
        axes.tick_params(labelsize=6, pad=-2)
        axes.view_init(elev=22, azim=-58)
        # The label of the third axis stands outside of the frame.
        axes.set_box_aspect(None, zoom=0.85)
        for name in "xyz":
            axes.locator_params(axis=name, nbins=4)
    else:
        axes = figure.add_subplot(*where)
        row = points if points.shape[1] == 2 else np.column_stack([points[:, 0], np.zeros(len(points))])
        axes.scatter(*row.T, c=shades, s=_SIZE, linewidths=0)
        axes.grid(alpha=0.3)
        if points.shape[1] == 1:
            axes.set_yticks([])
    pad = -4 if points.shape[1] >= 3 else None
    axes.set_xlabel(labels[0], fontsize=8, labelpad=pad)
    if len(labels) > 1:
        axes.set_ylabel(labels[1], fontsize=8, labelpad=pad)
    axes.set_title(title, fontsize=9)
