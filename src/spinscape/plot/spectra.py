"""Spectra over momentum and energy: data beside model, residual, and cuts along energy."""

import numpy as np
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.ticker import MaxNLocator

from ..errors import check_shape
from ..lattice.momentum import n_momentum, segments
from .momentum import (
    cut_points,
    cut_through,
    momentum_edges,
    momentum_label,
    momentum_positions,
    momentum_ticks,
    point_label,
)
from .style import MASKED, colour, new_figure, stamp_simulated, styled, with_unit

CUT_HALF_WIDTH = 2
"""Rows on either side that a cut averages over."""


def draw_map(axes, *, momentum, energy, values, valid, norm, cmap):
    """Draw an image (n_q, n_energy) over a path, |Q| or a cut; pixels that are not valid are grey. Returns the mesh."""
    image = np.ma.array(np.where(valid, values, 0.0), mask=~valid)
    axes.set_facecolor(MASKED)
    mesh = axes.pcolormesh(momentum_edges(momentum), energy.edges, image.T, norm=norm, cmap=cmap, rasterized=True)
    positions, labels = momentum_ticks(momentum)
    if labels:
        axes.set_xticks(positions, labels)
    for x in positions:
        axes.axvline(x, color="white", linewidth=0.6, alpha=0.7)
    axes.set_xlabel(momentum_label(momentum))
    return mesh


def intensity_norm(values, *, power=0.5, quantile=0.995):
    """Return a colour scale for intensities (any shape): from zero, or the lowest, to a high quantile.

    A square-root scale, because a zone centre outshines the rest of a band tenfold.
    """
    if values.size == 0:
        return Normalize(0.0, 1.0)
    top = float(np.quantile(values, quantile))
    low = min(0.0, float(np.quantile(values, 1.0 - quantile)))
    top = top if top > low else low + 1.0
    return PowerNorm(power, vmin=low, vmax=top, clip=True) if low == 0.0 else Normalize(low, top)


def intensity_bar(figure, mesh, axes, **how):
    """Draw the colour bar of an :func:`intensity_norm`, its ticks evenly far apart on the scale that it has.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    mesh : matplotlib.collections.QuadMesh
    axes : Axes, or list of them
    **how
        Of ``Figure.colorbar``.
    """
    bar = figure.colorbar(mesh, ax=axes, pad=0.02, **how)
    norm = mesh.norm
    if isinstance(norm, PowerNorm) and norm.vmax > norm.vmin:
        bar.set_ticks(root_ticks(norm.vmax))
    return bar


def root_ticks(top, *, n=5):
    """Return round numbers from 0 to ``top``, about evenly far apart on a square-root scale, one digit each.

    >>> root_ticks(22.0).tolist()
    [0.0, 1.0, 5.0, 10.0, 20.0]
    """
    wanted = top * (np.arange(1, n) / (n - 1)) ** 2
    unit = 10.0 ** np.floor(np.log10(wanted))
    steps = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0])
    # The last one not above the top, the others the nearest.
    choice = np.abs(wanted[:, None] / unit[:, None] - steps)
    choice[-1, steps * unit[-1] > top * (1.0 + 1e-9)] = np.inf
    return np.unique(np.concatenate([[0.0], steps[np.argmin(choice, axis=1)] * unit]))


def data_model_figure(
    *,
    momentum,
    energy,
    data,
    model,
    residual=None,
    valid=None,
    title="",
    quantity="intensity",
    unit="arb. units",
    residual_label="residual / standard deviation",
    curves=None,
    cuts=None,
    scale_model=False,
    simulated=False,
):
    """Draw data beside model, their residual below, and cuts along energy at points of the path.

    Parameters
    ----------
    momentum : QPath, PowderAxis or QGrid
    energy : EnergyAxis
    data, model : (n_q, n_energy)
        In one scale: what the objective compared.
    residual : (n_q, n_energy), optional
        Standardised; data − model if not given.
    valid : (n_q, n_energy) bool, optional
        What was measured; all if not given. The rest is drawn grey and enters no colour scale.
    quantity, unit : str
        What data and model are: ``"intensity"``, or ``"log(1 + intensity)"`` without a unit.
    curves : (n_q, n_mode), meV, optional
        Mode energies, drawn over the model.
    cuts : sequence of int, optional
        Rows to cut at; those of the first three tick labels that differ, or three evenly spread, if not given.
    scale_model : bool
        Draw the model times the factor that brings it nearest to the data, and say so: for objectives that do not
        compare intensities. A residual that is given is drawn as it is.
    simulated : bool
        Stamp the figure.

    Returns
    -------
    matplotlib.figure.Figure
    """
    data, model, valid = _checked_images(momentum, energy, data=data, model=model, valid=valid)
    factor = least_squares_scale(data[valid], model[valid]) if scale_model else 1.0
    model = factor * model
    if residual is None:
        residual, residual_label = np.where(valid, data, 0.0) - model, with_unit("data − model", unit)
    check_shape("residual", np.asarray(residual), data.shape, hint="rows are Q, columns energies")
    norm = intensity_norm(np.concatenate([data[valid], model[valid]]))
    with styled():
        figure = new_figure(9.0, 6.4)
        (top_left, top_right), (bottom_left, bottom_right) = figure.subplots(2, 2)
        common = {"momentum": momentum, "energy": energy}
        draw_map(top_left, values=data, valid=valid, norm=norm, cmap="viridis", **common)
        everywhere = np.isfinite(model)
        mesh = draw_map(top_right, values=model, valid=everywhere, norm=norm, cmap="viridis", **common)
        bar = {"label": with_unit(quantity, unit), "pad": 0.01, "extend": "max", "ticks": _round_ticks(norm)}
        figure.colorbar(mesh, ax=[top_left, top_right], **bar)
        _draw_residual(figure, bottom_left, residual=residual, valid=valid, label=residual_label, **common)
        _draw_cuts(bottom_right, data=data, model=model, valid=valid, points=cuts, **common)
        _label_panels(top_left, top_right, bottom_left, valid, factor)
        _draw_curves(top_right, momentum, energy, curves)
        if title:
            figure.suptitle(title)
        if simulated:
            stamp_simulated(figure)
    return figure


def _checked_images(momentum, energy, *, data, model, valid):
    shape = (n_momentum(momentum), len(energy.centres))
    images = [np.asarray(data, np.float64), np.asarray(model, np.float64)]
    images.append(np.ones(shape, bool) if valid is None else np.asarray(valid, bool))
    for name, image in zip(("data", "model", "valid"), images, strict=True):
        check_shape(name, image, shape, hint="rows are Q, columns energies")
    return images


def _round_ticks(norm):
    """Return few round values on a colour scale; those of a square-root scale crowd at its upper end."""
    ticks = MaxNLocator(4).tick_values(norm.vmin, norm.vmax)
    return ticks[(ticks >= norm.vmin) & (ticks <= norm.vmax)]


def least_squares_scale(data, model):
    """Return the factor s that makes the sum of (data − s·model)² least; 1 for a model without intensity.

    >>> least_squares_scale(np.array([2.0, 4.0]), np.array([1.0, 2.0]))
    2.0
    """
    norm = float(np.sum(model * model))
    return float(np.sum(data * model)) / norm if norm > 0 else 1.0


def _label_panels(data, model, residual, valid, factor):
    scaled = "" if factor == 1.0 else f" × {factor:.3g}"
    grey = "" if valid.all() else " (grey: not measured)"
    for axes, title in ((data, f"data{grey}"), (model, f"model{scaled}"), (residual, "residual")):
        axes.set_title(title)
        axes.set_ylabel("energy transfer (meV)")


def _draw_curves(axes, momentum, energy, curves):
    if curves is None:
        return
    where, line = momentum_positions(momentum), segments(momentum)
    for k in np.unique(line):
        rows = line == k
        axes.plot(where[rows], np.asarray(curves)[rows], color="white", linewidth=0.8, linestyle="--")
    axes.set_ylim(energy.edges[0], energy.edges[-1])


def _draw_residual(figure, axes, *, momentum, energy, residual, valid, label):
    inside = np.abs(np.asarray(residual)[valid])
    limit = float(np.quantile(inside, 0.99)) if inside.size else 1.0
    limit = limit if limit > 0 else 1.0
    norm = Normalize(-limit, limit, clip=True)
    mesh = draw_map(axes, momentum=momentum, energy=energy, values=residual, valid=valid, norm=norm, cmap="RdBu_r")
    for line in axes.lines:
        line.set_color("black")
    figure.colorbar(mesh, ax=axes, label=label, pad=0.01, extend="both")


def _draw_cuts(axes, *, momentum, energy, data, model, valid, points):
    """Draw cuts above each other, each in units of its own largest value: a zone centre would hide the others."""
    chosen = cut_points(momentum) if points is None else [(i, point_label(momentum, i)) for i in points]
    common = {"momentum": momentum, "valid": valid, "half_width": CUT_HALF_WIDTH}
    for k, (point, label) in enumerate(chosen):
        measured, there = cut_through(data, point=point, **common)
        expected, _ = cut_through(model, point=point, **common)
        top = max((float(np.max(np.append(c[there], 0.0))) for c in (measured, expected)), default=0.0) or 1.0
        x, offset = energy.centres[there], 1.1 * k
        axes.plot(x, measured[there] / top + offset, ".", markersize=3, color=colour(k))
        axes.plot(x, expected[there] / top + offset, color=colour(k), linewidth=1.4)
        axes.axhline(offset, color=colour(k), linewidth=0.4)
        axes.annotate(
            label, (1.01, offset), xycoords=("axes fraction", "data"), color=colour(k), weight="bold", va="center"
        )
    axes.set_ylim(-0.25, 1.1 * len(chosen) + 0.15)
    axes.set_xlim(energy.edges[0], energy.edges[-1])
    axes.set_xlabel("energy transfer (meV)")
    axes.set_ylabel("intensity / largest of the cut, shifted")
    axes.set_title("cuts: data (points), model (lines)")
    axes.set_yticks([])
