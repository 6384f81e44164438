"""Figures of Monte Carlo studies: curves over temperature, slices of S(Q), maps over the couplings."""

import textwrap

import numpy as np
from matplotlib.ticker import LogFormatter

from ..errors import check_shape
from .momentum import slice_mesh
from .style import MASKED, colour, new_figure, styled, with_unit

_TICK = 7.5
CUBIC = np.eye(3)
"""Directions of reciprocal vectors across each other and of one length."""
MAX_CURVES = 8
"""Points whose curves are drawn."""


def curves_figure(*, temperatures, panels, labels):
    """Draw observables with error bars over temperature, one panel each.

    Parameters
    ----------
    temperatures : (n_temperature,) float64, K
    panels : list of dict
        ``label``, ``unit``, ``values`` and ``errors`` (n_curve, n_temperature), optional ``lines`` of the same shape:
        the same by a second method, drawn without errors.
    labels : sequence of str, length n_curve

    Returns
    -------
    matplotlib.figure.Figure
    """
    order = np.argsort(temperatures)
    t = np.asarray(temperatures, dtype=np.float64)[order]
    with styled():
        figure = new_figure(4.6 * len(panels), 3.9)
        for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
            check_shape("values", np.asarray(panel["values"]), (len(labels), len(t)))
            for k, label in enumerate(labels):
                values, errors = np.asarray(panel["values"])[k][order], np.asarray(panel["errors"])[k][order]
                style = {"color": colour(k), "markersize": 3.5, "capsize": 2, "linewidth": 0.9}
                axes.errorbar(t, values, yerr=errors, fmt="o-", label=label, **style)
                if panel.get("lines") is not None:
                    axes.plot(t, np.asarray(panel["lines"])[k][order], "--", color=colour(k), linewidth=0.8)
            axes.set_xlabel("temperature (K)")
            axes.set_ylabel(with_unit(panel["label"], panel["unit"]))
            if len(t) > 1 and t[-1] / t[0] > 5:
                axes.set_xscale("log")
                for axis in (axes.xaxis.set_major_formatter, axes.xaxis.set_minor_formatter):
                    axis(LogFormatter(labelOnlyBase=False, minor_thresholds=(1.5, 0.6)))
        axes.legend(fontsize=_TICK)
    return figure


def slices_figure(*, slices, columns, rows, label="S(Q) per cell", reciprocal=CUBIC):
    """Draw slices of S(Q), a row for each slice and a column for each point.

    Parameters
    ----------
    slices : list of lists of (QGrid, (n_u, n_v) float)
        By row and column. Colours are common to a panel's column only: points may differ by orders of magnitude.
    columns, rows : sequence of str
        Titles of the points, and names of the slices.
    label : str
    reciprocal : (3, 3) float64, 1/Å
        Axes across each other are drawn in r.l.u., others as they lie in space.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with styled():
        figure = new_figure(3.9 * len(columns) + 0.4, 3.5 * len(rows) + 0.3)
        axes = figure.subplots(len(rows), len(columns), squeeze=False)
        for i, row in enumerate(slices):
            for j, (grid, image) in enumerate(row):
                mesh = _draw_slice(axes[i, j], grid, image, np.asarray(reciprocal))
                figure.colorbar(mesh, ax=axes[i, j], label=label, pad=0.02, extend="max")
                title = f"{rows[i]}, {columns[j]}" if columns[j] else rows[i]
                axes[i, j].set_title(textwrap.fill(title, 44), fontsize=_TICK + 1)
    return figure


def _draw_slice(axes, grid, image, reciprocal):
    check_shape("image", np.asarray(image), grid.shape)
    finite = np.asarray(image)[np.isfinite(image)]
    # Bragg peaks would hide what is diffuse.
    low, high = 0.0, float(np.quantile(finite, 0.995)) if finite.size else 1.0
    how = {"cmap": "inferno", "vmin": low, "vmax": max(high, 1e-12), "rasterized": True}
    return slice_mesh(axes, grid, image, reciprocal, **how)


def maps_figure(*, names, units, axes_values, maps):
    """Draw quantities over the points of a grid, one panel each.

    Parameters
    ----------
    names, units : two str each
        Of the axes.
    axes_values : two (n_point,) arrays
        Where the points lie.
    maps : list of dict
        ``label``, ``values`` (n_point,), and optional ``limits`` (low, high) of the colours.

    Returns
    -------
    matplotlib.figure.Figure
    """
    x, y = (np.asarray(values, dtype=np.float64) for values in axes_values)
    with styled():
        figure = new_figure(3.9 * len(maps) + 0.3, 3.5)
        for axes, one in zip(figure.subplots(1, len(maps), squeeze=False)[0], maps, strict=True):
            values = np.asarray(one["values"], dtype=np.float64)
            check_shape("values", values, (len(x),))
            mesh = _draw_map(axes, x, y, values, one.get("limits") or (None, None))
            figure.colorbar(mesh, ax=axes, pad=0.02, extend="max" if one.get("limits") else "neither")
            axes.set(xlabel=with_unit(names[0], units[0]), ylabel=with_unit(names[1], units[1]))
            axes.set_title(one["label"], fontsize=_TICK + 1.5)
            axes.set_facecolor(MASKED)
    return figure


def charges_figure(*, panels, box):
    """Draw the charges of simplices of some configurations in space.

    Parameters
    ----------
    panels : list of dict
        ``title``; ``positions`` (n_simplex, 3) Å; ``charges`` (n_simplex,).
    box : (3, 3) float64, Å
        Vectors of the supercell.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with styled():
        figure = new_figure(4.2 * len(panels), 4.2)
        for k, panel in enumerate(panels):
            axes = figure.add_subplot(1, len(panels), k + 1, projection="3d")
            _draw_charges(axes, np.asarray(panel["positions"]), np.asarray(panel["charges"]))
            _draw_box(axes, box)
            axes.set_title(panel["title"], fontsize=_TICK + 1)
    return figure


def _draw_charges(axes, positions, charges):
    still = charges == 0
    axes.scatter(*positions[still].T, s=4, c="0.6", alpha=0.6, linewidths=0)
    for sign, name, colour_name in ((1, "positive", "#c0392b"), (-1, "negative", "#2166ac")):
        here = sign * charges > 0
        size = 26.0 * np.abs(charges[here])
        axes.scatter(*positions[here].T, s=size, c=colour_name, edgecolors="k", linewidths=0.4, label=name)
    if not np.all(still):
        axes.legend(fontsize=_TICK, loc="upper left", frameon=False)
    axes.set_axis_off()
    axes.set_box_aspect(np.ptp(positions, axis=0) + 1e-9, zoom=1.25)


def _draw_box(axes, box):
    """Draw the twelve edges of a supercell."""
    corner = np.array(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij")).reshape(3, -1).T
    for start in corner:
        for axis in range(3):
            if start[axis] == 0:
                ends = np.array([start, start + np.eye(3)[axis]]) @ box
                axes.plot(*ends.T, color="0.4", linewidth=0.7)


def _draw_map(axes, x, y, values, limits):
    """Draw a lattice of points as pixels, any other set of points as dots."""
    (u, i), (v, j) = np.unique(x, return_inverse=True), np.unique(y, return_inverse=True)
    low, high = limits
    if len(u) > 1 and len(v) > 1 and len(u) * len(v) <= 4 * len(values):
        image = np.full((len(u), len(v)), np.nan)
        image[i, j] = values
        masked = np.ma.masked_invalid(image.T)
        return axes.pcolormesh(u, v, masked, cmap="cividis", vmin=low, vmax=high, shading="nearest", rasterized=True)
    return axes.scatter(x, y, c=values, cmap="cividis", vmin=low, vmax=high, s=24)
