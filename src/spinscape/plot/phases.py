"""Maps of phases: their evidence, their regions over the couplings, and what each of them looks like."""

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from scipy.spatial import cKDTree

from ..errors import check_shape
from .momentum import slice_mesh
from .style import colour, new_figure, styled, with_unit

CROSSOVER = -1
"""Phase of a point that lies in a crossover."""
_GREY = "0.75"
_PANELS = 9


def evidence_figure(*, numbers, silhouette, score, stability, chosen, asked, score_label="distance of the merge"):
    """Draw what the number of clusters was chosen by.

    Parameters
    ----------
    numbers : (n,) int
        Numbers of clusters that were tried.
    silhouette, score : (n,) float64
    stability : (n_bootstrap,) float64
        Agreement of clusterings of resampled points at the chosen number.
    chosen : int
    asked : float
        Least median agreement.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with styled():
        figure = new_figure(9.6, 2.9)
        axes = figure.subplots(1, 3)
        for panel, values, label in zip(axes, (silhouette, score), ("mean silhouette", score_label), strict=False):
            panel.plot(numbers, values, marker="o", color=colour(0))
            panel.axvline(chosen, color="0.4", linestyle="--", linewidth=1.0, label=f"chosen: {chosen}")
            panel.set(xlabel="clusters", ylabel=label)
            panel.grid(alpha=0.3)
        axes[0].legend()
        axes[2].hist(stability, bins=np.linspace(min(0.0, *stability, 0.0), 1.0, 26), color=colour(0))
        axes[2].axvline(asked, color=colour(1), label="median asked")
        axes[2].axvline(np.median(stability), color="0.2", linestyle="--", label="median found")
        axes[2].set(xlabel="agreement of resampled points (ARI)", ylabel="resamplings")
        axes[2].legend(loc="upper left")
    return figure


def phase_map_figure(
    *, coordinates, names, phase, latent, units=None, boundaries=(), field=None, edges=None, what="phases"
):
    """Draw the phases over one, two or three coordinates, beside the first latent numbers as red, green and blue.

    Parameters
    ----------
    coordinates : (n_point, n) float64
    names : sequence of n str
    phase : (n_point,) int
        From 0; :data:`CROSSOVER` in none, drawn grey.
    latent : (n_point, n_latent) float64
        The first three are drawn.
    units : sequence of n str, optional
    boundaries : sequence of dict
        ``{"place", "band"}`` over one coordinate.
    field : (first, second, phase, share[, third]), optional
        Over two coordinates: axes (n,) and (m,), the phase (n, m) and the share (n, m) of maps that agree. Over three
        these are (k, n, m), at k values of the third.
    edges : ((m, 2), (m, 2)), optional
        Over two coordinates: places of borders by energies, and half of the band across them.
    what : str
        What the numbers of ``phase`` are, in the plural.

    Returns
    -------
    matplotlib.figure.Figure
    """
    check_shape("coordinates", coordinates, (len(phase), len(names)))
    shades = np.array([_GREY if k == CROSSOVER else colour(k) for k in phase])
    # White would vanish on white.
    mixed = 0.9 * rgb_from_latent(latent)
    units = units or [""] * len(names)
    with styled():
        if len(names) == 1:
            return _line_map(
                coordinates[:, 0], with_unit(names[0], units[0]), phase, shades, mixed, latent, boundaries, what
            )
        figure = _plane_maps(coordinates, names, units, phase, (shades, mixed), field, what)
        if edges is not None and len(names) == 2:
            _draw_edges(figure.subfigs[0].axes[0], *edges)
        return figure


def rgb_from_latent(latent):
    """Return colours (n_point, 3) between 0 and 1 from the first three latent numbers, each spread over its range."""
    part = np.zeros((len(latent), 3))
    n = min(3, latent.shape[1])
    low, high = np.percentile(latent[:, :n], [2, 98], axis=0)
    part[:, :n] = np.clip((latent[:, :n] - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    return part


def _line_map(place, label, phase, shades, mixed, latent, boundaries, what):
    figure = new_figure(9.6, 4.2)
    axes = figure.subplots(3, 1, sharex=True, height_ratios=[1, 1, 4])
    for panel, colours, title in zip(axes, (shades, mixed), (what, "latent"), strict=False):
        panel.scatter(place, np.zeros(len(place)), c=colours, marker="s", s=42)
        panel.set(yticks=[], ylabel=title, ylim=(-1, 1))
    for k in sorted(set(phase.tolist())):
        here = phase == k
        name = "crossover" if k == CROSSOVER else f"{what[:-1]} {k + 1}"
        tone = _GREY if k == CROSSOVER else colour(k)
        axes[2].plot(place[here], latent[here, 0], "o", color=tone, label=name, markersize=4)
    for edge in boundaries:
        for panel in axes:
            panel.axvline(edge["place"], color="0.2", linewidth=0.8)
            panel.axvspan(*edge["band"], color="0.6", alpha=0.4)
    axes[2].set(xlabel=label, ylabel="first latent number")
    axes[2].legend(ncols=4, fontsize=8)
    axes[2].grid(alpha=0.3)
    return figure


def _plane_maps(coordinates, names, units, phase, colourings, field, what):
    """Draw maps over the first two coordinates, one row for each of some values of the third."""
    third = None if field is None or len(field) < 5 else field[4]
    shown, slot = _slices(coordinates, third)
    columns = 1 if len(shown) == 1 else 3
    rows = -(-len(shown) // columns)
    figure = new_figure(9.6, 0.6 + (3.6 if columns == 1 else 2.2) * rows)
    halves = figure.subfigures(1, 2)
    labels = [with_unit(n, u) for n, u in zip(names, units, strict=True)]
    for half, colours, title in zip(halves, colourings, (what, "latent numbers as colours"), strict=True):
        half.suptitle(title)
        panels = half.subplots(rows, columns, squeeze=False, sharex=True, sharey=True).ravel()
        for panel in panels[len(shown) :]:
            panel.set_visible(False)
        for panel in panels[len(shown) - columns : len(shown)]:
            panel.tick_params(labelbottom=True)
            panel.set_xlabel(labels[0])
        for k, (value, panel) in enumerate(zip(shown, panels, strict=False)):
            here = slot == k
            place = coordinates[here, :2]
            panel.scatter(
                *place.T, c=np.asarray(colours)[here], marker="s", s=_size(here.sum(), columns) * _room(place)
            )
            if len(labels) > 2:
                panel.set_title(f"{names[2]} = {value:.3g} {units[2]}".rstrip(), fontsize=7)
            if field is not None:
                parts = field[2:4] if third is None else (field[2][k], field[3][k])
                _draw_boundaries(panel, *field[:2], *parts)
            panel.set(xlim=_with_margin(coordinates[:, 0]), ylim=_with_margin(coordinates[:, 1]))
        half.supylabel(labels[1])
    _name_groups(halves[0], phase, what)
    return figure


def _with_margin(values):
    """Return the ends of an axis on which no marker is cut."""
    margin = 0.05 * (np.ptp(values) or 1.0)
    return values.min() - margin, values.max() + margin


def _name_groups(half, phase, what):
    """Say which colour is which phase."""
    kinds = sorted(set(phase.tolist()))
    marks = [Line2D([], [], marker="s", linestyle="", color=_GREY if k == CROSSOVER else colour(k)) for k in kinds]
    names = ["crossover" if k == CROSSOVER else f"{what[:-1]} {k + 1}" for k in kinds]
    half.legend(marks, names, loc="outside lower center", ncols=4, fontsize=7, frameon=False)


def _slices(coordinates, third):
    """Return values of the third coordinate that are shown, and for each point the one that it lies nearest to."""
    if coordinates.shape[1] < 3:
        return np.zeros(1), np.zeros(len(coordinates), dtype=np.int64)
    known = np.unique(coordinates[:, 2].round(12))
    few = known[np.unique(np.linspace(0, len(known) - 1, min(_PANELS, len(known))).round().astype(int))]
    shown = few if third is None else np.asarray(third)
    return shown, np.abs(coordinates[:, 2, None] - shown).argmin(axis=1)


def _draw_boundaries(panel, first, second, phase, share):
    """Draw where a map changes its phase, and the band in which maps of resampled points do not all agree."""
    panel.contourf(first, second, (share < 1.0 - 1e-9).T, levels=[0.5, 1.5], colors="0.3", alpha=0.35)
    for kind in np.unique(phase):
        panel.contour(first, second, (phase == kind).T.astype(float), levels=[0.5], colors="black", linewidths=0.9)


def _draw_edges(panel, places, half):
    """Draw where the energies of two phases are equal, with a bar for the band."""
    ends = np.stack([places - half, places + half], axis=1)
    panel.add_collection(LineCollection(ends, colors="white", linewidths=2.5, zorder=4))
    panel.add_collection(LineCollection(ends, colors="black", linewidths=0.9, zorder=5))
    panel.scatter(*places.T, s=9, facecolor="white", edgecolor="black", linewidth=0.6, zorder=6)


def _size(n, columns):
    """Return the area of a marker of which n fill a panel."""
    return float(np.clip((300.0 / columns) ** 2 / max(n, 1) * 0.55, 1.0, 60.0))


def _room(place):
    """Return the square of each point's distance to the nearest other one, (n,), in units of the median; at most 1.

    Points that were added near others would hide them, and the boundary between.
    """
    if len(place) < 3:
        return np.ones(len(place))
    side = np.ptp(place, axis=0)
    place = place / np.where(side > 0, side, 1.0)
    distance = cKDTree(place).query(place, k=2)[0][:, 1]
    return np.clip((distance / max(np.median(distance), 1e-300)) ** 2, 0.1, 1.0)


def representatives_figure(*, images, titles, axes, label="S(Q)", grid=None, reciprocal=None):
    """Draw what the point nearest to the middle of each phase looks like, as log(1 + S).

    Parameters
    ----------
    images : sequence of (), (n,) or (n, m) float64
        One for each phase: a number, a line or a map.
    titles : sequence of str
    axes : sequence of {"label", "values"}
        Of the images: the words beside each axis, and where its values lie.
    label : str
        What the images are.
    grid : QGrid, optional
        Of slices: they are drawn as they lie in space.
    reciprocal : (3, 3) float64, 1/Å, optional
        Beside ``grid``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with styled():
        columns = min(4, len(images))
        rows = -(-len(images) // columns)
        figure = new_figure(3.3 * columns + 0.6, 2.9 * rows)
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for panel in panels[len(images) :]:
            panel.set_visible(False)
        for k, (image, title, panel) in enumerate(zip(images, titles, panels, strict=False)):
            values = np.log1p(np.maximum(np.asarray(image, dtype=np.float64), 0.0))
            if values.ndim < 2:
                at = axes[0]["values"] if values.ndim else [0.0]
                panel.plot(at, np.atleast_1d(values), color=colour(k), marker="." if values.size < 30 else "")
                panel.set(xlabel=axes[0]["label"] if values.ndim else "", ylabel=f"log(1 + {label})")
            else:
                figure.colorbar(_draw_map(panel, values, axes, grid, reciprocal), ax=panel, label=f"log(1 + {label})")
            panel.set_title(title, color=colour(k))
    return figure


def _draw_map(panel, values, axes, grid, reciprocal):
    how = {"cmap": "viridis", "rasterized": True}
    if grid is not None:
        return slice_mesh(panel, grid, values, reciprocal, **how)
    first, second = (axis["values"] for axis in axes)
    mesh = panel.pcolormesh(first, second, values.T, shading="nearest", **how)
    panel.set(xlabel=axes[0]["label"], ylabel=axes[1]["label"])
    return mesh
