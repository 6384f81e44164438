"""What all figures share: size, colours that colour-blind readers tell apart, the stamp, and PNG bytes."""

import io

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6A3D9A", "#8C564B")
"""Line and marker colours after Okabe and Ito, the yellow left out: it is not seen on white."""
MASKED = "#B8B8B8"
"""Colour of pixels that were not measured."""
DPI = 140

_RC = {
    "font.size": 9.0,
    "font.family": "DejaVu Sans",
    "axes.titlesize": 10.0,
    "axes.linewidth": 0.8,
    "axes.spines.top": True,
    "legend.frameon": True,
    "legend.framealpha": 0.9,
    "svg.hashsalt": "spinscape",
    "axes.unicode_minus": True,
}


def styled():
    """Return a context in which figures are drawn with the house's settings, whatever the user's are."""
    # The backend is left alone: setting it would outlive the context.
    default = {k: v for k, v in matplotlib.rcParamsDefault.items() if not k.startswith("backend")}
    return matplotlib.rc_context({**default, **_RC})


def new_figure(width, height):
    """Return an empty figure (inches) with its own canvas: pyplot, and so global state, is never touched."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def stamp_simulated(figure):
    """Write SIMULATED across a figure: nobody shall take it for a measurement."""
    figure.text(
        0.5,
        0.5,
        "SIMULATED",
        fontsize=7.0 * figure.get_figwidth(),
        color="#C00000",
        alpha=0.27,
        rotation=np.degrees(np.arctan2(figure.get_figheight(), figure.get_figwidth())),
        ha="center",
        va="center",
        weight="bold",
        zorder=1000,
        in_layout=False,
        gid="simulated-stamp",
        path_effects=outline("white", 2.5),
    )


def outline(color, width):
    """Return path effects that draw a rim around a text, so that it is read on any ground."""
    return [withStroke(linewidth=width, foreground=color)]


def png_bytes(figure, *, dpi=DPI):
    """Return a figure as PNG, without a date: equal figures give equal bytes."""
    buffer = io.BytesIO()
    with styled():
        figure.savefig(buffer, format="png", dpi=dpi, facecolor="white", metadata={"Software": "spinscape"})
    return buffer.getvalue()


def colour(index):
    """Return the colour of the series of this index."""
    return COLOURS[index % len(COLOURS)]


def with_unit(label, unit):
    """Return an axis label with its unit in brackets; "" is a number without one.

    >>> with_unit("J", "meV"), with_unit("r", "")
    ('J (meV)', 'r')
    """
    return f"{label} ({unit})" if unit else str(label)
