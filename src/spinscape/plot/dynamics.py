"""Figures of dynamics: S(Q, ω) along paths and on slices, spectra of the whole zone, lines over temperature."""

import numpy as np

from ..errors import check_shape
from ..lattice.momentum import n_momentum, segments
from .momentum import momentum_positions, slice_corners
from .spectra import draw_map, intensity_bar, intensity_norm
from .style import colour, new_figure, styled, with_unit

_SMALL = 8.0


def path_figure(*, momentum, energy, panels, unit="1/meV"):
    """Draw S(Q, E) along a path or over |Q|, one panel for each temperature (columns) and point (rows).

    Parameters
    ----------
    momentum : QPath or PowderAxis
    energy : EnergyAxis
    panels : list of lists of dict
        By row and column: ``title``, ``values`` (n_q, n_energy), and ``curves`` (n_q, n_mode) in meV or None: energies
        of spin waves, drawn over the map. Each panel has colours of its own.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with styled():
        figure = new_figure(3.9 * max(len(row) for row in panels) + 0.5, 3.2 * len(panels) + 0.2)
        grid = figure.subplots(len(panels), max(len(row) for row in panels), squeeze=False)
        for axes_row, row in zip(grid, panels, strict=True):
            for axes, panel in zip(axes_row, row, strict=True):
                mesh = _draw_path(axes, momentum, energy, panel)
                intensity_bar(figure, mesh, axes, label=with_unit("S(Q, E)", unit), extend="max")
    return figure


def _draw_path(axes, momentum, energy, panel):
    values = np.asarray(panel["values"], dtype=np.float64)
    check_shape("values", values, (n_momentum(momentum), len(energy.centres)))
    shown = {"valid": np.isfinite(values), "norm": intensity_norm(values, quantile=0.99), "cmap": "viridis"}
    mesh = draw_map(axes, momentum=momentum, energy=energy, values=values, **shown)
    if panel.get("curves") is not None:
        where, line = momentum_positions(momentum), segments(momentum)
        for k in np.unique(line):
            rows = line == k
            axes.plot(where[rows], np.asarray(panel["curves"])[rows], color="white", linewidth=0.8, linestyle="--")
    axes.set_ylim(max(energy.edges[0], -0.15 * energy.edges[-1]), energy.edges[-1])
    axes.set_title(panel["title"], fontsize=_SMALL + 1)
    axes.set_ylabel("energy transfer (meV)")
    return mesh


def slice_figure(*, grid, reciprocal, rows, columns, images):
    """Draw slices at constant energy, a row for each energy and a column for each temperature or point.

    Parameters
    ----------
    grid : QGrid
        With two axes that are not integrated over.
    reciprocal : (3, 3) float64, 1/Å
    rows, columns : sequence of str
    images : (n_row, n_column, n_u, n_v) float
        Each has colours of its own.

    Returns
    -------
    matplotlib.figure.Figure
    """
    x, y, labels = slice_corners(grid, reciprocal)
    images = np.asarray(images, dtype=np.float64)
    check_shape("images", images, (len(rows), len(columns), *grid.shape))
    with styled():
        tall = np.ptp(y) / np.ptp(x)
        figure = new_figure(3.1 * len(columns) + 0.4, (2.2 * tall + 0.8) * len(rows) + 0.2)
        for axes_row, row, line in zip(
            figure.subplots(len(rows), len(columns), squeeze=False), rows, images, strict=True
        ):
            for axes, column, image in zip(axes_row, columns, line, strict=True):
                mesh = axes.pcolormesh(x, y, image, cmap="viridis", norm=intensity_norm(image), rasterized=True)
                axes.set_aspect("equal")
                axes.set_title(f"{row}\n{column}", fontsize=_SMALL + 0.5)
                axes.set(xlabel=labels[0], ylabel=labels[1])
                intensity_bar(figure, mesh, axes, extend="max")
    return figure


def zone_figure(*, energy, panels, weightings):
    """Draw the spectrum summed over the zone by each weighting, in units of its largest value away from E = 0.

    Parameters
    ----------
    energy : EnergyAxis
    panels : list of lists of dict
        By row and column: ``title``, ``values`` and ``errors`` (n_weighting, n_energy).
    weightings : sequence of str

    Returns
    -------
    matplotlib.figure.Figure
    """
    with styled():
        n_column = max(len(row) for row in panels)
        figure = new_figure(4.3 * n_column + 0.2, 3.4 * len(panels) + 0.2)
        grid = figure.subplots(len(panels), n_column, squeeze=False)
        for axes_row, row in zip(grid, panels, strict=True):
            for axes, panel in zip(axes_row, row, strict=True):
                _draw_zone(axes, energy, panel, weightings)
        grid[0, -1].legend(fontsize=_SMALL)
    return figure


def _draw_zone(axes, energy, panel, weightings):
    e = energy.centres
    away = e > 2.5 * energy.step
    values, errors = np.asarray(panel["values"]), np.asarray(panel["errors"])
    for k, name in enumerate(weightings):
        top = float(np.max(values[k][away], initial=0.0)) or 1.0
        # Two factors may be one but for a number: the later one is drawn in dashes over the earlier.
        style = {"color": colour(k), "linewidth": 1.1, "linestyle": "--" if k > 2 else "-"}
        axes.plot(e, values[k] / top, label=name.replace("_", " "), **style)
        low, high = (values[k] - errors[k]) / top, (values[k] + errors[k]) / top
        axes.fill_between(e, low, high, color=colour(k), alpha=0.25, linewidth=0)
    axes.set(ylim=(-0.05, 1.25), xlim=(min(0.0, e[0]), e[-1]), xlabel="energy transfer (meV)")
    axes.set_ylabel("sum over the zone / largest at E > 0")
    axes.set_title(panel["title"], fontsize=_SMALL + 1)


def lines_figure(*, temperatures, labels, energies, energy_errors, widths, width_errors, lengths, quantum):
    """Draw line energies, widths over energies and the length of the spins over temperature.

    Parameters
    ----------
    temperatures : (n_temperature,) float64, K
    labels : sequence of str
        Of the wave vectors.
    energies, energy_errors, widths, width_errors : (n_label, n_temperature) float64, meV
        NaN-free; entries that could not be fitted are masked arrays' masked ones.
    lengths : (n_temperature,) float64
        Of the classical spins, over S.
    quantum : (2,) float64
        The limits: 1 and sqrt((S + 1)/S).

    Returns
    -------
    matplotlib.figure.Figure
    """
    t = np.asarray(temperatures, dtype=np.float64)
    ratios = np.ma.array(widths) / np.ma.array(energies)
    ratio_errors = ratios * np.ma.sqrt(
        (np.ma.array(width_errors) / widths) ** 2 + (np.ma.array(energy_errors) / energies) ** 2
    )
    with styled():
        figure = new_figure(12.0, 3.7)
        left, middle, right = figure.subplots(1, 3)
        for k, label in enumerate(labels):
            style = {"color": colour(k), "fmt": "o-", "markersize": 3.5, "capsize": 2, "linewidth": 0.9, "label": label}
            left.errorbar(t, energies[k], yerr=energy_errors[k], **style)
            middle.errorbar(t, ratios[k], yerr=ratio_errors[k], **style)
        left.set_ylabel("energy of the line (meV)")
        middle.set_ylabel("width / energy")
        middle.set_yscale("log")
        middle.axhline(2.0, color="black", linewidth=0.6, linestyle=":")
        left.legend(fontsize=_SMALL)
        right.plot(t, lengths, "o-", color=colour(0), markersize=3.5)
        for value, text in zip(quantum, ("S", "√(S(S+1))"), strict=True):
            right.axhline(value, color="black", linewidth=0.7, linestyle="--")
            right.annotate(text, (t[-1], value), va="bottom", ha="right", fontsize=_SMALL)
        right.set_ylabel("length of the classical spins / S")
        right.margins(y=0.1)
        for axes in (left, middle, right):
            axes.set_xlabel("temperature (K)")
    return figure
