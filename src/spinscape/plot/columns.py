"""Measurements without an energy axis beside their fit: curves over one variable, and planes of diffuse scattering."""

import numpy as np
from matplotlib.colors import Normalize

from ..errors import check_shape
from .spectra import intensity_norm
from .style import MASKED, colour, new_figure, stamp_simulated, styled, with_unit


def curve_figure(*, x, data, model, residual, valid, x_label, quantity, unit, residual_label, simulated=False):
    """Draw measured points, the fit through them and the residuals below.

    Parameters
    ----------
    x : (n,) float64
    data, model, residual : (n,) float64
    valid : (n,) bool
        Points that are not valid are left out of data and residuals.
    x_label, quantity, unit, residual_label : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    for name, values in (("data", data), ("model", model), ("residual", residual), ("valid", valid)):
        check_shape(name, values, x.shape)
    with styled():
        figure = new_figure(6.4, 4.4)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        upper.plot(x, np.where(valid, model, np.nan), color=colour(1), label="fit")
        upper.plot(x[valid], data[valid], "o", markersize=3.5, color=colour(0), label="data")
        upper.set_ylabel(with_unit(quantity, unit))
        upper.legend(loc="best")
        lower.axhline(0.0, color="black", linewidth=0.8)
        lower.plot(x[valid], residual[valid], "o", markersize=3.0, color=colour(0))
        lower.set(xlabel=x_label, ylabel=residual_label.replace(" / ", "\n/ "))
        lower.yaxis.label.set_size(8)
        if simulated:
            stamp_simulated(figure)
    return figure


def plane_figure(*, edges, labels, data, model, residual, valid, quantity, unit, residual_label, simulated=False):
    """Draw data, fit and residual of a plane side by side; what was not measured is grey.

    Parameters
    ----------
    edges : ((n_x + 1,), (n_y + 1,)) float64
    labels : two str
    data, model, residual : (n_x, n_y) float64
    valid : (n_x, n_y) bool
    quantity, unit, residual_label : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    shape = (len(edges[0]) - 1, len(edges[1]) - 1)
    scale = intensity_norm(np.concatenate([data[valid], model[valid]]))
    norm = Normalize(scale.vmin, scale.vmax, clip=True)
    reach = max(1.0, float(np.quantile(np.abs(residual[valid]), 0.995)) if valid.any() else 1.0)
    panels = (
        ("data", data, {"norm": norm, "cmap": "viridis"}),
        ("fit", model, {"norm": norm, "cmap": "viridis"}),
        ("residual", residual, {"vmin": -reach, "vmax": reach, "cmap": "RdBu_r"}),
    )
    # Panels keep the ratio of their axes; colour bars are as high as they.
    spans = [abs(edge[-1] - edge[0]) for edge in edges]
    shrink = float(np.clip(0.82 * spans[1] / spans[0], 0.35, 0.95))
    with styled():
        figure = new_figure(11.6, 3.7)
        figure.get_layout_engine().set(wspace=0.08)
        meshes = []
        for axes, (title, image, how) in zip(figure.subplots(1, 3, sharex=True, sharey=True), panels, strict=True):
            check_shape(title, image, shape)
            axes.set_facecolor(MASKED)
            shown = np.ma.array(image, mask=~valid)
            meshes.append(axes.pcolormesh(*edges, shown.T, rasterized=True, **how))
            axes.set(title=title, xlabel=labels[0], ylabel=labels[1] if title == "data" else "", aspect="equal")
        figure.colorbar(meshes[1], ax=figure.axes[:2], label=with_unit(quantity, unit), pad=0.02, shrink=shrink)
        figure.colorbar(meshes[2], ax=figure.axes[2], label=residual_label, pad=0.03, shrink=shrink)
        if simulated:
            stamp_simulated(figure)
    return figure
