"""Figures of the report for fitted measurements without an energy axis."""

import numpy as np

from ..lattice.volumes import QGrid
from ..plot.columns import curve_figure, plane_figure
from ..plot.momentum import momentum_label, momentum_positions
from ..plot.report import report_figure

IMAGES = ("data", "fitted", "residual", "valid")


def figure_of_column(one, shown):
    """Return the figure of a :class:`~spinscape.stages.fit_arrays.FittedSpectrum` of one column.

    Parameters
    ----------
    one : FittedSpectrum
        Diffuse scattering, or a table over the temperature.
    shown : dict
        ``Shown.to_dict`` of the measurement.
    """
    data, fitted, residual, valid = (getattr(one, name)[:, 0] for name in IMAGES)
    images = {"data": data, "model": fitted, "residual": residual, "valid": valid.astype(bool)}
    labels = {"quantity": shown["quantity"], "unit": shown["unit"], "residual_label": shown["residual"]}
    planar = isinstance(one.momentum, QGrid) and len(one.momentum.shape) >= 2
    if planar:
        figure, words = _plane(one, images, labels)
    else:
        table = one.temperatures is not None
        x = one.temperatures if table else momentum_positions(one.momentum)
        words = "temperature (K)" if table else momentum_label(one.momentum)
        figure = curve_figure(x=x, **images, x_label=words, **labels, simulated=one.simulated)
    what = "Simulated measurement" if one.simulated else "Measurement"
    return report_figure(
        figure,
        caption=f"{what} {one.name}: data, best fit and residuals, on the scale that the objective compares.",
        alt=f"Data, model and residual of {one.name} over {words}",
    )


def _plane(one, images, labels):
    """Draw the plane of a grid; of a volume its middle slice along the first axis."""
    grid = one.momentum
    axes = [k for k, integrated in enumerate(grid.integrated) if not integrated][-2:]
    cut = {name: _middle(np.asarray(image).reshape(grid.shape)) for name, image in images.items()}
    words = [f"along ({' '.join(f'{x:g}' for x in grid.basis[k])}) (r.l.u.)" for k in axes]
    edges = [grid.edges[k] for k in axes]
    figure = plane_figure(edges=edges, labels=words, **cut, **labels, simulated=one.simulated)
    return figure, " and ".join(words)


def _middle(image):
    return image if image.ndim == 2 else image[image.shape[0] // 2]
