"""Figures of measurements without an energy axis, and of the region of acceptable couplings."""

import numpy as np
import pytest

from spinscape.errors import ShapeError
from spinscape.lattice.volumes import QGrid
from spinscape.plot.columns import curve_figure, plane_figure
from spinscape.plot.landscape import landscape_figure
from spinscape.plot.style import png_bytes
from spinscape.stages.fit_arrays import FittedSpectrum
from spinscape.stages.report_columns import figure_of_column

SHOWN = {"label": "deviance", "quantity": "signal", "unit": "arb. units", "residual": "residual / standard deviation"}
GRID = QGrid("plane", np.zeros(3), np.eye(3), (np.linspace(0, 3, 13), np.linspace(0, 2, 9), np.array([-0.1, 0.1])))


def fitted(n, **axes):
    rng = np.random.default_rng(1)
    model = 1.0 + np.sin(np.arange(n) / 5.0)[:, None] ** 2
    data = model + 0.1 * rng.normal(size=(n, 1))
    valid = np.ones((n, 1), bool)
    valid[3:6] = False
    zero = np.zeros((n, 0))
    return FittedSpectrum(
        name="m", energy=None, data=data, fitted=model, residual=(data - model) / 0.1, valid=valid, bands=zero,
        simulated=True, **axes,
    )  # fmt: skip


def test_a_plane_shows_data_fit_and_residual_and_masks_what_was_not_measured():
    one = fitted(96, momentum=GRID, quantity="diffuse")
    figure = figure_of_column(one, SHOWN)
    assert figure.png.startswith(b"\x89PNG") and "Simulated measurement m" in figure.caption
    images = {name: getattr(one, key)[:, 0].reshape(12, 8) for name, key in
              (("data", "data"), ("model", "fitted"), ("residual", "residual"), ("valid", "valid"))}  # fmt: skip
    drawn = plane_figure(
        edges=GRID.edges[:2], labels=("x", "y"), **images, quantity="S", unit="", residual_label="r", simulated=True
    )
    panels = drawn.axes[:3]
    assert [axes.get_title() for axes in panels] == ["data", "fit", "residual"]
    assert all(axes.collections[0].get_array().mask.sum() == 3 for axes in panels)


def test_a_table_is_drawn_over_the_temperature():
    one = fitted(25, momentum=None, quantity="susceptibility", temperatures=np.linspace(2, 50, 25))
    assert "temperature (K)" in figure_of_column(one, SHOWN).alt
    x = np.arange(5.0)
    valid = np.array([True, True, False, True, True])
    how = {"x_label": "T", "quantity": "χ", "unit": "μ_B/T", "residual_label": "r"}
    drawn = curve_figure(x=x, data=x, model=x, residual=0 * x, valid=valid, **how)
    points = drawn.axes[0].lines[1]
    assert list(points.get_xdata()) == [0, 1, 3, 4] and drawn.axes[0].get_ylabel() == "χ (μ_B/T)"
    with pytest.raises(ShapeError):
        curve_figure(x=x, data=x[:3], model=x, residual=x, valid=valid, **how)


def test_acceptable_couplings_are_filled_where_their_excess_is_small():
    u, v = np.meshgrid(np.linspace(-3.5, 3.5, 15), np.linspace(-3.5, 3.5, 15), indexing="ij")
    region = (29.0 + 0.5 * u, 1.8 + 0.25 * u + 0.02 * v, u**2 + v**2)
    region[2][0] = np.inf
    minima = [{"parameters": {"J": 29.0, "Jp": 1.8}, "objective": 1.0}]
    surface = np.add.outer(np.linspace(-1, 1, 9) ** 2, np.linspace(-1, 1, 9) ** 2)
    figure = landscape_figure(
        names=("J", "Jp"), axes_values=(np.linspace(20, 40, 9), np.linspace(0, 4, 9)), values=surface, minima=minima,
        covariance=np.array([[0.25, 0.12], [0.12, 0.06]]), region=region, centre=(29.1, 1.82), error="jackknife",
    )  # fmt: skip
    near = figure.axes[1]
    assert any("by jackknife" in text.get_text() for text in near.get_legend().get_texts())
    star = next(line for line in near.lines if line.get_label() == "best")
    assert star.get_xdata()[0] == 29.1 and png_bytes(figure).startswith(b"\x89PNG")
