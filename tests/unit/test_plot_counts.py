"""The figure of low counts: points where the numbers say, and the exact band of as many experiments."""

import numpy as np
from scipy.stats import binom

from spinscape.plot.counts import low_counts_figure


def level(kind, counts, n, **more):
    return {"kind": kind, "counts": counts, "n": n, "basin": 0.5, "median": [0.2, 0.1], **more}


def test_errors_basins_and_coverage_stand_where_they_were_measured():
    covers = {"quoted_0.95": [0.9, 0.96], "information_0.95": [0.8, 0.7],
              "quoted_0.68": [0.6, 0.7], "information_0.68": [0.5, 0.4]}  # fmt: skip
    levels = [level("likelihood", c, 50, **covers) for c in (800, 4000)] + [level("paper", 800, 12)]
    errors, basins, shares = low_counts_figure(levels, truth="30 meV").axes
    drawn = {line.get_label(): line.get_xydata() for line in errors.lines}
    assert np.array_equal(drawn["Poisson likelihood"], [[800, 0.2], [4000, 0.2]])
    assert len(basins.containers) == 3 and "30 meV" in errors.get_ylabel()
    assert sorted({round(float(y), 2) for line in shares.lines for y in line.get_ydata()}) == [
        0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.96,
    ]  # fmt: skip
    edges = shares.collections[0].get_paths()[0].vertices[:, 1]
    assert edges.min() == binom.ppf(0.005, 50, 0.95) / 50
