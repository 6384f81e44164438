"""The loss landscape over two couplings, and profiles over one."""

import numpy as np
from matplotlib.patches import Ellipse

from ..errors import check_shape
from .style import MASKED, colour, new_figure, outline, stamp_simulated, styled, with_unit

LEVEL = {"68 %": 2.2957, "95 %": 5.9915}
"""Δχ² of two parameters inside which a Gaussian has 68.27 % and 95 % of its probability."""
MAX_LISTED = 8
"""Minima that the legend lists; all are drawn."""


def landscape_figure(
    *,
    names,
    axes_values,
    values,
    minima=(),
    units=("meV", "meV"),
    label="objective",
    covariance=None,
    points=(),
    region=None,
    centre=None,
    error="statistics",
    title="",
    simulated=False,
):
    """Draw an objective over two parameters with all minima, and the neighbourhood of the best one.

    Parameters
    ----------
    names, units : two str each
    axes_values : ((n_x,), (n_y,))
    values : (n_x, n_y)
        The objective; smaller is better. Not finite where there is no stable structure: drawn grey.
    minima : sequence of dict
        {"parameters": {name: value}, "objective": float, optional "n_start": int and "label"}, the best first.
    covariance : (2, 2), optional
        Of the two parameters at the best minimum: draws the 68 and 95 % ellipses in a second panel.
    points : sequence of (label, x, y)
        Other answers to show there: variants, published values.
    region : (x, y, excess), (n, m) each, optional
        Δ of the objective over its noise, other parameters at their best: drawn as the region of acceptable couplings.
    centre : (x, y), optional
        The answer, where it is not the best minimum: that of the pixels that a fit kept.
    error : str
        What the covariance is from.

    Returns
    -------
    matplotlib.figure.Figure
    """
    x, y = (np.asarray(a, np.float64) for a in axes_values)
    values = np.asarray(values, np.float64)
    check_shape("values", values, (len(x), len(y)), hint="rows follow the first parameter")
    found = [(float(m["parameters"][names[0]]), float(m["parameters"][names[1]]), m) for m in minima]
    zoomed = bool(found) and (covariance is not None or len(points) > 0 or region is not None)
    with styled():
        # Legends stand below: each row takes its room.
        rows = max(min(len(found), MAX_LISTED) + 1, len(points) + 3 if zoomed else 0)
        figure = new_figure(9.0 if zoomed else 6.0, 4.6 + 0.2 * max(0, rows - 4))
        figure.get_layout_engine().set(wspace=0.12)
        panels = figure.subplots(1, 2 if zoomed else 1, squeeze=False)[0]
        mesh = _draw_surface(panels[0], x, y, values)
        figure.colorbar(mesh, ax=panels[0], label=label, pad=0.02, extend="max")
        _draw_minima(panels[0], found)
        if zoomed:
            _draw_region(panels[1], region)
            _draw_neighbourhood(panels[1], centre or found[0][:2], covariance, points, error)
        for panel in panels:
            panel.set_xlabel(with_unit(names[0], units[0]))
            panel.set_ylabel(with_unit(names[1], units[1]))
        if title:
            figure.suptitle(title)
        if simulated:
            stamp_simulated(figure)
    return figure


def _draw_surface(axes, x, y, values):
    image = np.ma.masked_invalid(values)
    finite = image.compressed()
    # The far walls are thousands of times higher: the colours are for the lower part.
    low, high = (finite.min(), np.quantile(finite, 0.85)) if finite.size else (0.0, 1.0)
    high = high if high > low else low + 1.0
    axes.set_facecolor(MASKED)
    mesh = axes.pcolormesh(x, y, image.T, cmap="cividis", vmin=low, vmax=high, shading="nearest", rasterized=True)
    if min(image.shape) > 2 and finite.size:
        levels = low + (high - low) * np.linspace(0.08, 1.0, 8) ** 1.5
        axes.contour(x, y, image.T, levels=levels, colors="white", linewidths=0.6, alpha=0.8)
    grey = " (grey: no stable structure)" if finite.size < image.size else ""
    axes.set_title(f"objective and its minima{grey}")
    return mesh


def _draw_minima(axes, found):
    """Number the minima and list them; the best is a star."""
    for k, (x, y, minimum) in enumerate(found):
        best = k == 0
        marker, size = ("*", 15) if best else ("o", 8)
        axes.plot(
            [x],
            [y],
            marker=marker,
            markersize=size,
            markerfacecolor=colour(1 if best else 4),
            markeredgecolor="black",
            linestyle="none",
            label=_minimum_text(k, x, y, minimum) if k < MAX_LISTED else None,
            zorder=5,
        )
        axes.annotate(
            str(minimum.get("label") or k + 1),
            (x, y),
            xytext=(7, 6),
            textcoords="offset points",
            color="white",
            weight="bold",
            path_effects=outline("black", 2.0),
        )
    if found:
        more = f", the best {MAX_LISTED} of {len(found)}" if len(found) > MAX_LISTED else ""
        title = f"minima found{more}"
        axes.legend(loc="upper left", bbox_to_anchor=(0.0, -0.15), fontsize=8, frameon=False, title=title)


def _minimum_text(k, x, y, minimum):
    text = f"{minimum.get('label') or k + 1}: ({x:.4g}, {y:.4g}), {minimum['objective']:.5g}".replace("-", "−")
    count = minimum.get("n_start")
    return text if count is None else f"{text}, {count} {'start' if count == 1 else 'starts'}"


def ellipse_of(covariance, *, level):
    """Return full width, full height and angle (degrees) of the ellipse Δᵀ C⁻¹ Δ = level of a 2×2 covariance."""
    variances, directions = np.linalg.eigh(np.asarray(covariance, np.float64))
    width, height = 2.0 * np.sqrt(level * np.maximum(variances[::-1], 0.0))
    return float(width), float(height), float(np.degrees(np.arctan2(directions[1, 1], directions[0, 1])))


def _draw_region(axes, region):
    """Fill the couplings that are acceptable at 68 and at 95 %."""
    if region is None:
        return
    x, y, excess = region
    top = max(LEVEL.values())
    finite = np.where(np.isfinite(excess), excess, 10.0 * top)
    levels = [-np.inf, *LEVEL.values()]
    axes.fill([], [], color=colour(0), alpha=0.35, label="68, 95 %, all else refitted")
    axes.contourf(x, y, finite, levels=levels, colors=[colour(0)] * 2, alpha=0.35)
    axes.contourf(x, y, finite, levels=levels[1:], colors=["white"], alpha=0.45)
    axes.contour(x, y, finite, levels=list(LEVEL.values()), colors=[colour(0)] * 2, linestyles=["-", "--"])


def _draw_neighbourhood(axes, best, covariance, points, error):
    if covariance is not None:
        for (text, level), style in zip(LEVEL.items(), ("-", "--"), strict=True):
            width, height, angle = ellipse_of(covariance, level=level)
            patch = Ellipse(best, width, height, angle=angle, fill=False, linestyle=style, linewidth=1.5)
            patch.set(
                edgecolor=colour(0), label=f"{text} by {error}" if error != "statistics" else f"{text} of statistics"
            )
            axes.add_patch(patch)
    axes.plot(*[[b] for b in best], "*", markersize=13, color=colour(1), markeredgecolor="black", label="best")
    for k, (text, x, y) in enumerate(points):
        marker = "osD^vPXh<>"[k % 10]
        axes.plot([x], [y], marker, color=colour(k + 2), markersize=6, markeredgecolor="black", label=text)
    axes.autoscale_view()
    axes.margins(0.12)
    axes.grid(alpha=0.3)
    axes.set_title("near the best minimum")
    axes.legend(loc="upper left", bbox_to_anchor=(0.0, -0.15), fontsize=8, frameon=False)


def profile_figure(*, profiles, label="Δχ²", title="", simulated=False):
    """Draw the objective along each parameter, the others re-optimised, one panel for each.

    Parameters
    ----------
    profiles : sequence of dict
        {"name", "unit", "values": (n,), "objective": (n,), "best": float, optional "interval68", "interval95"}.
    label : str
        Of the vertical axis: the objective less its smallest value.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with styled():
        figure = new_figure(3.1 * max(1, len(profiles)) + 0.6, 3.2)
        for k, (axes, profile) in enumerate(
            zip(figure.subplots(1, len(profiles), squeeze=False)[0], profiles, strict=True)
        ):
            objective = np.asarray(profile["objective"], np.float64)
            axes.plot(profile["values"], objective - np.nanmin(objective), color=colour(0), marker=".")
            axes.axvline(profile["best"], color=colour(1), linewidth=1.0)
            for key, alpha in (("interval95", 0.12), ("interval68", 0.2)):
                if profile.get(key) is not None:
                    text = f"{key[-2:]} %" if k == 0 else None
                    axes.axvspan(*profile[key], color=colour(1), alpha=alpha, linewidth=0, label=text)
            axes.set_xlabel(with_unit(profile["name"], profile.get("unit", "")))
            axes.set_ylabel(label)
            if axes.get_legend_handles_labels()[0]:
                axes.legend(loc="upper center")
        if title:
            figure.suptitle(title)
        if simulated:
            stamp_simulated(figure)
    return figure
