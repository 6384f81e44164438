"""How few counts will do: couplings of La₂NiO₄ from 800 to 1e6 counts, by likelihood and by the paper's correlation.

    python benchmarks/counts.py [EXPERIMENTS]

Simulated experiments of ``benchmarks/calibration.py`` (couplings, background, widths, a missing block drawn by number),
each counted to every level: share of fits in the right basin (J within 3, Jp within 1.5 meV), their error, coverage of
the intervals. Beside it the correlation of logarithms of the paper, from the same counts. Then running experiments: when
``watch`` stops at 1 % of J, what hindsight says, and what it foretold on the way.
"""

import sys
import time

import calibration
import numpy as np
from threadpoolctl import threadpool_limits

from spinscape.infer.box import Box
from spinscape.infer.forward import spinwave_forward
from spinscape.infer.grid_start import GridStart
from spinscape.infer.intervals import interval_width
from spinscape.infer.objectives import objective_by_name
from spinscape.infer.poisson import poisson_likelihood
from spinscape.infer.problem import Problem
from spinscape.infer.instrument_forward import instrument_forward
from spinscape.infer.strategies import strategy_by_name
from spinscape.infer.thinning import fitted_couplings
from spinscape.infer.watching import Goal, Watch
from spinscape.rng import stream

LEVELS = (800, 2_000, 4_000, 10_000, 100_000, 1_000_000)
COUPLINGS = {"J": (20.0, 75.0), "Jp": (-30.0, 10.0)}
"""Box of the correlation: it has no nuisances."""


def counted(setting, k, counts):
    """Return experiment k with that many counts, its truth and the expectation."""
    truth = calibration.drawn(k)
    truth["counts"] = counts
    measured, expected = calibration.experiment(setting, k, truth, "clean")
    return measured, np.array(truth["theta"]), expected


def by_likelihood(setting, measured):
    forward = instrument_forward(setting.model, setting.structure, [measured], settings=setting.settings)
    box = Box.from_intervals(calibration.BOX, names=forward.parameter_names)
    return fitted_couplings(Problem(forward, poisson_likelihood([measured])), box, GridStart(), seed=0)


def by_correlation(setting, measured):
    """Return what the paper's objective finds: log(1 + data), the mean of the last columns taken off first."""
    forward = spinwave_forward(setting.model, setting.structure, [measured], settings=setting.settings)
    box = Box.from_intervals(COUPLINGS, names=forward.parameter_names)
    problem = Problem(forward, objective_by_name("correlation", [measured]))
    found = strategy_by_name(kind="multistart").minimise(problem, box, 0)
    return found.best.parameters[:2]
