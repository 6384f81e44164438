"""How few counts will do: couplings of La₂NiO₄ from 800 to 1e5 counts, by likelihood and by the paper's correlation.

    python benchmarks/counts.py [EXPERIMENTS]

Simulated experiments of ``benchmarks/calibration.py`` (couplings, background, widths, a missing block by number), each
counted to every level: share of fits in the right basin (J within 3, Jp within 1.5 meV), their error, coverage of
the intervals. Beside it the correlation of logarithms of the paper, from the same counts. Then running
experiments: when ``watch`` stops at 1 % of J, what hindsight says, and what it foretold on the way.
"""

import sys
import time

import numpy as np
from scipy.stats import chi2
from threadpoolctl import threadpool_limits

import calibration
from spinscape.infer.box import Box
from spinscape.infer.forward import spinwave_forward
from spinscape.infer.grid_start import GridStart
from spinscape.infer.instrument_forward import instrument_forward
from spinscape.infer.intervals import interval_width
from spinscape.infer.objectives import objective_by_name
from spinscape.infer.poisson import Likelihood, poisson_likelihood
from spinscape.infer.problem import Problem
from spinscape.infer.strategies import strategy_by_name
from spinscape.infer.thinning import fitted_couplings
from spinscape.infer.watching import Goal, Watch
from spinscape.rng import stream

START = GridStart(n_point=256, n_refine=3)
LEVELS = (800, 2_000, 4_000, 10_000, 100_000)
PER_UNIT, PAPER_COUNTS = 7.2, 5.5e5
"""Counts of one unit of intensity, and of a path, in the measurement of the paper (docs/studies/la2nio4.md)."""
COUPLINGS = {"J": (20.0, 75.0), "Jp": (-30.0, 10.0)}
"""Box of the correlation: it has no nuisances."""


def counted(setting, k, counts):
    """Return experiment k with that many counts, its truth and the expectation."""
    truth = calibration.drawn(k)
    truth["counts"] = counts
    measured, expected = calibration.experiment(setting, k, truth, "clean")
    return measured, np.array(truth["theta"]), expected


def by_likelihood(setting, measured, truth):
    forward = instrument_forward(setting.model, setting.structure, [measured], settings=setting.settings)
    box = Box.from_intervals(calibration.BOX, names=forward.parameter_names)
    problem = Problem(forward, poisson_likelihood([measured]))
    return fitted_couplings(problem, box, START, seed=0, truth=truth)


def by_correlation(setting, measured):
    """Return what the paper's objective finds: log(1 + intensity), whose unit is that of the paper's data.

    The intensity does not know how long was counted: with few counts a single one is a large intensity.
    """
    per_unit = PER_UNIT * measured.signal[measured.valid].sum() / PAPER_COUNTS
    forward = spinwave_forward(setting.model, setting.structure, [measured], settings=setting.settings)
    box = Box.from_intervals(COUPLINGS, names=forward.parameter_names)
    problem = Problem(forward, objective_by_name("correlation", [measured], c_data=1.0 / per_unit))
    found = strategy_by_name(kind="multistart").minimise(problem, box, 0)
    return found.best.parameters[:2]


def low_counts(setting, n):
    """Print how fits at each level do."""
    for counts in LEVELS:
        rows, paper = [], []
        for k in range(n):
            measured, truth, _ = counted(setting, k, counts)
            values, stds, excess = by_likelihood(setting, measured, truth)
            rows.append((values - truth, stds, excess))
            paper.append(by_correlation(setting, measured) - truth)
        miss, stds, excess = (np.array([r[k] for r in rows]) for k in range(3))
        print(
            f"{counts:9d} counts  likelihood: {_basin(miss)}, covered {_covered(miss, stds)}, "
            f"profile {_below(excess)};  correlation: {_basin(np.array(paper))}",
            flush=True,
        )


def _basin(miss):
    near = (np.abs(miss) < (3.0, 1.5)).all(axis=1)
    error = np.sqrt((miss[near] ** 2).mean(axis=0)) if near.any() else np.full(2, np.nan)
    return f"right basin {near.mean():.3f}, error {error[0]:.2f} {error[1]:.2f} meV"


def _covered(miss, stds):
    parts = []
    for level in (0.95, 0.68):
        share = (np.abs(miss) <= interval_width(level) * stds).mean(axis=0)
        parts.append(f"{100 * level:.0f} %: {share[0]:.3f} {share[1]:.3f}")
    return ", ".join(parts)


def _below(excess):
    parts = []
    for level in (0.95, 0.68):
        share = (excess <= chi2.ppf(level, 1)).mean(axis=0)
        parts.append(f"{100 * level:.0f} %: {share[0]:.3f} {share[1]:.3f}")
    return ", ".join(parts)


def running(setting, k, *, first=500.0, growth=1.04, precision=0.01, limit=3e5):
    """Follow experiment k from few counts on; return stop, hindsight, cover, what was foretold on the way, seconds."""
    truth = calibration.drawn(k)
    truth["counts"] = 1.0
    measured, expected = calibration.experiment(setting, k, truth, "clean")
    forward = instrument_forward(setting.model, setting.structure, [measured], settings=setting.settings)
    box = Box.from_intervals(calibration.BOX, names=forward.parameter_names)
    goal = Goal("J", relative=precision)
    watch = Watch(lambda m: Problem(forward, poisson_likelihood([m])), box, START, goal)
    generator = stream(calibration.SEED, "counting", "running", k)
    rate = np.where(measured.valid, expected / expected[measured.valid].sum(), 0.0)
    counts, exposure, foretold, seconds = np.zeros_like(rate), 0.0, [], []
    while exposure < limit:
        more = first if exposure == 0 else exposure * (growth - 1.0)
        counts += generator.poisson(more * rate)
        exposure += more
        state = calibration.replace(measured, signal=counts.copy())
        start = time.process_time()
        reading = watch.update(state, counts.sum())
        seconds.append(time.process_time() - start)
        foretold.append((counts.sum(), reading.needed))
        if reading.done:
            break
    needed = hindsight(forward, box, truth, measured, rate, goal)
    low, high = reading.interval("J")
    return counts.sum(), needed, low <= truth["theta"][0] <= high, np.array(foretold), np.array(seconds)


def hindsight(forward, box, truth, measured, rate, goal):
    """Return the counts at which the information at the truth says that the goal is reached."""
    some = 1e5
    counted_one = poisson_likelihood([calibration.replace(measured, signal=np.ceil(rate))]).sets[0]
    exact = Likelihood((calibration.replace(counted_one, data=counted_one.pixels.gather(some * rate)),))
    at = np.array([*truth["theta"], np.log(truth["fwhm_factor"]), np.log(truth["q_smear"])])
    covariance = calibration.information_covariance(Problem(forward, exact), at, box)
    return some * (covariance.std[0] / goal.target(truth["theta"][0])) ** 2


def watched(setting, n):
    """Print how running experiments end."""
    rows = [running(setting, k) for k in range(n)]
    stop, needed = np.array([r[0] for r in rows]), np.array([r[1] for r in rows])
    print(f"\n{n} running experiments, each state 4 % longer, to 1 % of J")
    print(f"stopped at {np.median(stop):.0f} counts; over what hindsight needs: median {np.median(stop / needed):.3f}, "
          f"90 % {np.quantile(stop / needed, 0.9):.3f}, largest {np.max(stop / needed):.3f}")  # fmt: skip
    print(f"95 % interval at the stop holds J: {np.mean([r[2] for r in rows]):.3f}")
    for share in (0.15, 0.3, 0.6):
        told = [f[np.argmin(np.abs(f[:, 0] - share * s)), 1] / s for s, _, _, f, _ in rows]
        told = np.array(told)
        print(f"foretold at {100 * share:.0f} % of the way: median {np.median(told):.2f} of the counts at the stop, "
              f"median distance {np.median(np.abs(told - 1)):.2f}")  # fmt: skip
    seconds = np.concatenate([r[4] for r in rows])
    print(f"CPU for a state: median {np.median(seconds):.3f} s, largest {seconds.max():.2f} s")


if __name__ == "__main__":
    n_experiment = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    with threadpool_limits(1):
        everything = calibration.Setting()
        low_counts(everything, n_experiment)
        watched(everything, n_experiment)
