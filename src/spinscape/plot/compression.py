"""How well compressors do against the number of latent dimensions: all methods and both measures in one figure."""

import numpy as np

from .style import colour, new_figure, styled


def compression_figure(*, rows, floor=None, asked=None, title=""):
    """Draw errors against the number of latent dimensions.

    Parameters
    ----------
    rows : sequence of dict
        ``{"method", "n_latent", "own", "held_out"}`` of each trained compressor. Lines go through the medians of the
        seeds, bars from the least to the largest.
    floor : float, optional
        Error of a single simulation against the truth.
    asked : float, optional
        An error to be reached.
    title : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    with styled():
        figure = new_figure(7.2, 4.4)
        axes = figure.subplots()
        for k, method in enumerate(dict.fromkeys(row["method"] for row in rows)):
            mine = [row for row in rows if row["method"] == method]
            _curve(axes, mine, "held_out", f"{method}, held out", color=colour(k), marker="o")
            _curve(axes, mine, "own", f"{method}, training images", color=colour(k), linestyle="--", alpha=0.55)
        for level, label, style in ((floor, "one simulation", ":"), (asked, "asked", "-.")):
            if level is not None:
                axes.axhline(level, color="0.35", linewidth=1.0, linestyle=style, label=label)
        axes.set(xscale="log", yscale="log", xlabel="latent dimensions D", ylabel="squared error / spread of images")
        held_out = [row["held_out"] for row in rows if row["held_out"] > 0]
        if held_out:
            # An error on training images falls to the rounding of numbers, where nobody needs to follow it.
            axes.set_ylim(bottom=max(axes.get_ylim()[0], 1e-3 * min(held_out)))
        axes.grid(alpha=0.3, which="both")
        axes.legend(fontsize=7, ncols=2)
        if title:
            axes.set_title(title)
    return figure


def _curve(axes, rows, measure, label, **style):
    dimensions = sorted({row["n_latent"] for row in rows})
    # An estimate with its noise taken off may fall below zero, where a logarithm shows nothing.
    by_d = [np.array([row[measure] for row in rows if row["n_latent"] == d]) for d in dimensions]
    middle = np.array([np.median(values) for values in by_d])
    reach = np.array([[m - v.min(), v.max() - m] for m, v in zip(middle, by_d, strict=True)]).T
    good = middle > 0
    if good.any():
        reach[0] = np.minimum(reach[0], 0.999 * np.abs(middle))
        axes.errorbar(
            np.array(dimensions)[good], middle[good], reach[:, good], label=label, capsize=2, markersize=4, **style
        )
