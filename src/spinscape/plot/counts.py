"""Errors of a fit and coverage of its intervals against the number of counts."""

import numpy as np
from scipy.stats import binom

from .style import colour, new_figure, stamp_simulated, styled


def counts_figure(document, *, simulated=False):
    """Draw what ``stages.thin`` found.

    Parameters
    ----------
    document : dict
        ``couplings``, ``levels`` (``counts``, ``rms``, ``std``, ``profile``, ``n_fit``), ``truth_is``.
    simulated : bool
        The measurement was.

    Returns
    -------
    matplotlib.figure.Figure
    """
    levels = document["levels"]
    counts = np.array([row["counts"] for row in levels])
    with styled():
        figure = new_figure(8.0, 3.6)
        errors, covers = figure.subplots(1, 2)
        for k, name in enumerate(document["couplings"]):
            style = {"color": colour(k), "markersize": 4}
            errors.plot(counts, [row["rms"][k] for row in levels], "o", label=f"{name}: off the truth, rms", **style)
            errors.plot(counts, [row["std"][k] for row in levels], "-", label=f"{name}: what fits say", **style)
            for level, mark in (("0.95", "o"), ("0.68", "s")):
                share = np.array([row["profile"][level][k] for row in levels])
                error = np.sqrt(np.maximum(share * (1 - share), 0.02) / [row["n_fit"] for row in levels])
                # Beside each other where couplings have the same share.
                at = counts * 1.06 ** (k - 0.5 * (len(document["couplings"]) - 1))
                covers.errorbar(
                    at, share, error, fmt=mark, capsize=2, label=f"{name}, {100 * float(level):.0f} %", **style
                )
        errors.set(xscale="log", yscale="log", xlabel="counts", ylabel="error (meV)")
        for level in (0.95, 0.68):
            covers.axhline(level, color="0.4", linewidth=0.8, linestyle="--")
        covers.set(xscale="log", ylim=(0.0, 1.05), xlabel="counts", ylabel="intervals that hold the truth")
        for axes in (errors, covers):
            axes.grid(alpha=0.3)
            axes.legend(fontsize=7, ncols=1 if axes is errors else 2)
        errors.set_title(f"truth: {document['truth_is']}")
        if simulated:
            stamp_simulated(figure)
    return figure


METHODS = {
    "likelihood": ("o", "Poisson likelihood"),
    "correlation": ("s", "correlation of logarithms, whole box searched"),
    "paper": ("^", "the paper's: background off, ten descents"),
}


def low_counts_figure(levels, *, truth=""):
    """Draw errors, shares in the right basin and coverage of simulated experiments against their counts.

    Parameters
    ----------
    levels : list of dict
        ``kind`` (of :data:`METHODS`), ``counts``, ``n``, ``basin``, ``error`` (rms in the right basin) and ``median``
        (of all), each by coupling in meV; of the likelihood ``quoted_0.95``, ``quoted_0.68``, ``information_0.95``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with styled():
        figure = new_figure(10.5, 3.6)
        errors, basins, covers = figure.subplots(1, 3)
        for index, (kind, (mark, label)) in enumerate(METHODS.items()):
            some = [one for one in levels if one["kind"] == kind]
            counts = [one["counts"] for one in some]
            style = {"color": colour(index), "markersize": 4}
            errors.plot(counts, [one["median"][0] for one in some], mark + "-", label=label, **style)
            share, n = np.array([one["basin"] for one in some]), np.array([one["n"] for one in some])
            error = np.sqrt(share * (1 - share) / np.maximum(n, 1))
            basins.errorbar(np.array(counts) * 1.05 ** (index - 1), share, error, fmt=mark + "-", capsize=2, **style)
        _covered(covers, [one for one in levels if one["kind"] == "likelihood"])
        errors.set(xscale="log", yscale="log", xlabel="counts", ylabel=f"error of J, median (meV; J about {truth})")
        basins.set(xscale="log", ylim=(0.0, 1.05), xlabel="counts", ylabel="right basin")
        covers.set(xscale="log", ylim=(0.3, 1.02), xlabel="counts", ylabel="intervals that hold the truth")
        errors.set_ylim(top=60.0)
        errors.legend(fontsize=7, loc="upper right")
        covers.legend(fontsize=7, loc="lower right")
        basins.set_title("simulated experiments", fontsize=9)
        covers.set_title("shaded: exact 99 % band", fontsize=9)
        for axes in (errors, basins, covers):
            axes.grid(alpha=0.3)
    return figure


def _covered(axes, some):
    """Draw shares of covering intervals, with the exact 99 % band of as many."""
    counts = np.array([one["counts"] for one in some])
    for index, level in enumerate((0.95, 0.68)):
        ends = np.array([binom.interval(0.99, one["n"], level) for one in some]).reshape(-1, 2)
        ends /= np.array([one["n"] for one in some])[:, None]
        axes.fill_between(counts, *ends.T, color=colour(index), alpha=0.15, linewidth=0)
        for kind, mark in (("quoted", "o"), ("information", "x")):
            shares = np.array([one[f"{kind}_{level:g}"] for one in some]).reshape(-1, 2)
            for k, share in enumerate(shares.T):
                label = f"{kind}, {100 * level:.0f} %" if k == 0 else None
                axes.plot(counts * 1.05 ** (2 * k - 1), share, mark, color=colour(index), markersize=4, label=label)
