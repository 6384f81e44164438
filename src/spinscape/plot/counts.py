"""Errors of a fit and coverage of its intervals against the number of counts."""

import numpy as np

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
