"""How a model learnt, and where in coupling space it errs."""

import numpy as np

from ..errors import check_shape
from .style import colour, new_figure, stamp_simulated, styled, with_unit


def training_figure(
    *, curves, scores=None, x_label="step", y_label="loss", score_label="1 − R²", chosen=None, title="", simulated=False
):
    """Draw losses, and held-out scores below them, against the steps of a training.

    Parameters
    ----------
    curves : dict of label -> ((n,), (n,))
        Steps and losses; drawn on a logarithmic axis.
    scores : dict of label -> ((n,), (n,)), optional
        Steps and errors that shrink as the model learns, as 1 − R².
    chosen : float, optional
        The step whose weights were kept.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with styled():
        figure = new_figure(6.4, 5.2 if scores else 3.6)
        panels = figure.subplots(2 if scores else 1, 1, sharex=True, squeeze=False)[:, 0]
        for axes, series, label in zip(panels, (curves, scores), (y_label, score_label), strict=False):
            _draw_series(axes, series, label)
            if chosen is not None:
                axes.axvline(chosen, color="0.4", linestyle="--", linewidth=1.0, label="kept")
            axes.legend(loc="upper right")
        panels[-1].set_xlabel(x_label)
        if title:
            figure.suptitle(title)
        if simulated:
            stamp_simulated(figure)
    return figure


def _draw_series(axes, series, label):
    positive = False
    for k, (name, (steps, values)) in enumerate(series.items()):
        steps, values = np.asarray(steps, np.float64), np.asarray(values, np.float64)
        good = np.isfinite(values)
        positive |= bool(np.any(values[good] > 0))
        axes.plot(steps[good], values[good], color=colour(k), label=name, marker="." if good.sum() < 60 else "")
    if positive:
        axes.set_yscale("log", nonpositive="mask")
    axes.set_ylabel(label)
    axes.grid(alpha=0.3, which="both")


def held_out_figure(
    *, names, theta, errors, units=("meV", "meV"), label="rms error of log(1 + S)", title="", simulated=False
):
    """Draw the error of a model at held-out points over two couplings, and its distribution.

    Parameters
    ----------
    names, units : two str each
    theta : (n_point, 2)
    errors : (n_point,), positive

    Returns
    -------
    matplotlib.figure.Figure
    """
    theta, errors = np.asarray(theta, np.float64), np.asarray(errors, np.float64)
    check_shape("theta", theta, (len(errors), 2), hint="two couplings for each point")
    order = np.argsort(errors)
    with styled():
        figure = new_figure(8.0, 3.6)
        left, right = figure.subplots(1, 2, width_ratios=(1.3, 1.0))
        drawn = left.scatter(*theta[order].T, c=errors[order], cmap="cividis", s=18, edgecolor="black", linewidth=0.3)
        figure.colorbar(drawn, ax=left, label=label, pad=0.02)
        left.set_xlabel(with_unit(names[0], units[0]))
        left.set_ylabel(with_unit(names[1], units[1]))
        right.hist(errors, bins=min(40, max(5, len(errors) // 5)), color=colour(0))
        right.axvline(np.median(errors), color=colour(1), linewidth=1.5, label=f"median {np.median(errors):.3g}")
        right.set_xlabel(label)
        right.set_ylabel("number of held-out points")
        right.legend()
        if title:
            figure.suptitle(title)
        if simulated:
            stamp_simulated(figure)
    return figure
