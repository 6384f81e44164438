"""How few counts will do: couplings of La₂NiO₄ from 800 to 1e5 counts, by likelihood and by the paper's correlation.

    python benchmarks/counts.py likelihood FILE --experiments 0 200      (correlation, paper, watch likewise)
    python benchmarks/counts.py report FILE --figure FIGURE

Simulated experiments of ``benchmarks/calibration.py`` (couplings, background, widths, a missing block by number), each
counted to every level: share of fits in the right basin (J within 3, Jp within 1.5 meV), their error, coverage of
the intervals. Beside it the correlation of logarithms, from the same counts: searched over the whole box, and with
all of the paper's recipe (background, clipping, ten descents from random points). Then running experiments: when
``watch`` stops at 1 % of J, what hindsight says, and what it foretold on the way.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from scipy.stats import binom, chi2
from threadpoolctl import threadpool_limits

import calibration
from spinscape.errors import SpinscapeError
from spinscape.experiment.background import without_savitzky_golay
from spinscape.infer.box import Box
from spinscape.infer.descents import Descents
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
from spinscape.plot.counts import low_counts_figure
from spinscape.rng import stream

START = GridStart(n_point=256, n_refine=3)
LEVELS = (800, 1_500, 4_000, 10_000, 100_000)
PER_UNIT, PAPER_COUNTS = 7.2, 5.5e5
"""Counts of one unit of intensity, and of a path, in the measurement of the paper (docs/studies/la2nio4.md)."""
QUIET = (160, 169)
"""Rows of the path that the paper takes for background."""
SHARES = (0.15, 0.3, 0.6)
COUPLINGS = {"J": (20.0, 75.0), "Jp": (-30.0, 10.0)}
"""Box of the correlation: it has no nuisances."""


def counted(setting, k, counts):
    """Return experiment k with that many counts, its truth and the expectation."""
    truth = calibration.drawn(k)
    truth["counts"] = counts
    measured, expected = calibration.experiment(setting, k, truth, "clean")
    return measured, np.array(truth["theta"]), expected


def by_likelihood(setting, measured, truth):
    """Return values, standard deviations of the information, and what the profile with its law says of the truth."""
    forward = instrument_forward(setting.model, setting.structure, [measured], settings=setting.settings)
    box = Box.from_intervals(calibration.BOX, names=forward.parameter_names)
    problem = Problem(forward, poisson_likelihood([measured]))
    return fitted_couplings(problem, box, START, seed=0, truth=truth)


def by_correlation(setting, measured, strategy):
    """Return what the paper's objective finds: log(1 + intensity), whose unit is that of the paper's data.

    The intensity does not know how long was counted: with few counts a single one is a large intensity.
    """
    per_unit = PER_UNIT * measured.signal[measured.valid].sum() / PAPER_COUNTS
    forward = spinwave_forward(setting.model, setting.structure, [measured], settings=setting.settings)
    box = Box.from_intervals(COUPLINGS, names=forward.parameter_names)
    problem = Problem(forward, objective_by_name("correlation", [measured], c_data=1.0 / per_unit))
    return strategy.minimise(problem, box, 0).best.parameters[:2]


def as_in_the_paper(setting, measured):
    """Return the fit of the paper's recipe: background off and clipped, the lowest of ten descents from random points.

    The descents are Gauss-Newton's on the spectra themselves; the paper's are Adam's on a network of them. (Adam's
    steps of the paper's length, 250 from each of twelve starts, led into the same false valleys at 1e6 counts.)
    """
    rest = without_savitzky_golay(measured, momentum=QUIET, window=51, order=3, clip_negative=True)
    per_unit = PER_UNIT * measured.signal[measured.valid].sum() / PAPER_COUNTS
    forward = spinwave_forward(setting.model, setting.structure, [measured], settings=setting.settings)
    box = Box.from_intervals(COUPLINGS, names=forward.parameter_names)
    problem = Problem(forward, objective_by_name("correlation", [rest], c_data=1.0 / per_unit))
    return Descents(n_start=10, widths=(1.0,)).minimise(problem, box, 0).best.parameters[:2]


def one_fit(setting, kind, k, counts):
    """Return one row of the results."""
    measured, truth, _ = counted(setting, k, counts)
    row = {"what": kind, "counts": counts, "k": k}
    if kind == "likelihood":
        values, stds, excess = by_likelihood(setting, measured, truth)
        return row | {"miss": (values - truth).tolist(), "std": stds.tolist(), "excess": excess.tolist()}
    if kind == "correlation":
        found = by_correlation(setting, measured, strategy_by_name(kind="multistart"))
    else:
        found = as_in_the_paper(setting, measured)
    return row | {"miss": (found - truth).tolist()}


def one_run(setting, k, begin):
    """Return one row of a running experiment."""
    stop, needed, inside, foretold, (seconds, search) = running(setting, k, begin=begin)
    told = {f"{s:g}": foretold[np.argmin(np.abs(foretold[:, 0] - s * stop)), 1] / stop for s in SHARES
            if s * stop >= foretold[0, 0]}  # fmt: skip
    return {"what": "watch", "k": k, "stop": stop, "needed": needed, "inside": bool(inside), "told": told,
            "seconds": [float(np.median(seconds)), float(seconds.max()), float(seconds[0]), search]}  # fmt: skip


def running(setting, k, *, begin=0.0, first=600.0, growth=1.04, precision=0.01, limit=3e5):
    """Follow experiment k from few counts on; return stop, hindsight, cover, what was foretold on the way, seconds.

    States with less than ``begin`` of the counts that hindsight needs are passed over.
    """
    truth = calibration.drawn(k)
    truth["counts"] = 1.0
    measured, expected = calibration.experiment(setting, k, truth, "clean")
    forward = instrument_forward(setting.model, setting.structure, [measured], settings=setting.settings)
    box = Box.from_intervals(calibration.BOX, names=forward.parameter_names)
    goal = Goal("J", relative=precision)
    watch = Watch(lambda m: Problem(forward, poisson_likelihood([m])), box, START, goal)
    generator = stream(calibration.SEED, "counting", "running", k)
    rate = np.where(measured.valid, expected / expected[measured.valid].sum(), 0.0)
    counts, exposure, foretold, seconds, searches = np.zeros_like(rate), 0.0, [], [], []
    needed = hindsight(forward, box, truth, measured, rate, goal)
    while exposure < limit:
        more = first if exposure == 0 else exposure * (growth - 1.0)
        counts += generator.poisson(more * rate)
        exposure += more
        if exposure < begin * needed:
            continue
        state = calibration.replace(measured, signal=counts.copy())
        start = time.process_time()
        reading = watch.update(state, counts.sum())
        seconds.append(time.process_time() - start)
        reading = watch.search() if reading.pending else reading
        searches.append(time.process_time() - start - seconds[-1])
        foretold.append((counts.sum(), reading.needed))
        if reading.done:
            break
    low, high = reading.interval("J")
    inside = low <= truth["theta"][0] <= high
    return counts.sum(), needed, inside, np.array(foretold), (np.array(seconds), max(searches))


def hindsight(forward, box, truth, measured, rate, goal):
    """Return the counts at which the information at the truth says that the goal is reached."""
    at = np.array([*truth["theta"], np.log(truth["fwhm_factor"]), np.log(truth["q_smear"])])
    needed = 1e5
    for _ in range(3):
        # Energies share constants of the background where there are few counts: as many as there are then.
        (one,) = poisson_likelihood([calibration.replace(measured, signal=needed * rate)]).sets
        problem = Problem(forward, Likelihood((calibration.replace(one, estimated=False),)))
        std = calibration.information_covariance(problem, at, box).std[0]
        needed *= (std / goal.target(truth["theta"][0])) ** 2
    return needed


def jobs(what, first, last):
    """Yield (what, k, counts) of what is asked for."""
    for k in range(first, last):
        for counts in LEVELS if what != "watch" else (None,):
            yield what, k, counts


def run(target, what, levels, first, last, seconds, begin):
    """Append rows to a file for so many seconds of CPU; what it has already is not done again."""
    done = {(r["what"], r["k"], r.get("counts")) for r in calibration.rows_of(target)} if target.exists() else set()
    setting, began = calibration.Setting(), time.process_time()
    with target.open("a", encoding="utf-8") as out:
        for kind, k, counts in jobs(what, first, last):
            if (kind, k, counts) in done or (levels and counts not in levels):
                continue
            if time.process_time() - began > seconds:
                return
            try:
                row = one_run(setting, k, begin) if kind == "watch" else one_fit(setting, kind, k, counts)
            except SpinscapeError as error:
                row = {"what": kind, "k": k, "counts": counts, "error": error.what}
            out.write(json.dumps(row) + "\n")
            out.flush()


def band(level, n):
    """Return the exact 99 % binomial band of a share."""
    return tuple(float(x) / n for x in binom.interval(0.99, n, level))


def summary(rows):
    """Return one dictionary for each kind of fit and number of counts."""
    out = []
    for kind in ("likelihood", "correlation", "paper"):
        for counts in LEVELS:
            some = [r for r in rows if r["what"] == kind and r.get("counts") == counts and "miss" in r]
            if not some:
                continue
            miss = np.array([r["miss"] for r in some])
            near = (np.abs(miss) < (3.0, 1.5)).all(axis=1)
            error = np.sqrt((miss[near] ** 2).mean(axis=0)).tolist() if near.any() else [np.nan, np.nan]
            one = {"kind": kind, "counts": counts, "n": len(some), "basin": float(near.mean()), "error": error,
                   "median": np.median(np.abs(miss), axis=0).tolist()}  # fmt: skip
            if kind == "likelihood":
                stds, excess = np.array([r["std"] for r in some]), np.array([r["excess"] for r in some])
                for level in (0.95, 0.68):
                    covers = np.abs(miss) <= interval_width(level) * stds
                    one[f"information_{level:g}"] = covers.mean(axis=0).tolist()
                    one[f"quoted_{level:g}"] = (excess <= chi2.ppf(level, 1)).mean(axis=0).tolist()
            out.append(one)
    return out


def report(target, figure=None):
    """Print what the rows of a file say, and draw it."""
    rows = calibration.rows_of(target)
    levels = summary(rows)
    for one in levels:
        text = f"{one['kind']:12s}{one['counts']:9.0f} counts, n {one['n']}: right basin {one['basin']:.3f}, "
        text += f"rms of these {one['error'][0]:.2f} {one['error'][1]:.2f}, median of all {one['median'][0]:.2f} meV"
        for level in (0.95, 0.68) if one["kind"] == "likelihood" else ():
            low, high = band(level, one["n"])
            text += "; {:.0f} %: quoted {:.3f} {:.3f}, information {:.3f} {:.3f} (99 % band {:.3f} to {:.3f})".format(
                100 * level, *one[f"quoted_{level:g}"], *one[f"information_{level:g}"], low, high)  # fmt: skip
        print(text)
    for kind in sorted({r["what"] for r in rows if "error" in r}):
        failed = [r for r in rows if "error" in r and r["what"] == kind]
        print(f"{kind}: {len(failed)} without a fit ({failed[0]['error']})")
    runs = [r for r in rows if r["what"] == "watch" and "stop" in r]
    if runs:
        watched(runs)
    if figure is not None:
        low_counts_figure(levels, truth="30 meV").savefig(figure, dpi=110)


def watched(runs):
    """Print how running experiments ended."""
    n, over = len(runs), np.array([r["stop"] / r["needed"] for r in runs])
    inside = sum(r["inside"] for r in runs)
    print(f"\n{n} running experiments, each state 4 % longer, to 1 % of J")
    print(f"stopped at {np.median([r['stop'] for r in runs]):.0f} counts; over what hindsight needs: median "
          f"{np.median(over):.3f}, 90 % {np.quantile(over, 0.9):.3f}, largest {over.max():.3f}, "
          f"at most 1.2 in {np.mean(over <= 1.2):.3f}")  # fmt: skip
    print("95 % interval at the stop holds J: {}/{} (99 % band {:.3f} to {:.3f})".format(inside, n, *band(0.95, n)))
    for share in SHARES:
        told = np.array([r["told"][f"{share:g}"] for r in runs if f"{share:g}" in r["told"]])
        if not len(told):
            continue
        print(f"foretold at {100 * share:.0f} % of the way: median {np.median(told):.2f} of the counts at the stop, "
              f"median distance {np.median(np.abs(told - 1)):.2f}")  # fmt: skip
    seconds = np.array([r["seconds"] for r in runs if len(r["seconds"]) == 4])
    median, _, first, search = np.median(seconds, axis=0)
    print(f"CPU for an answer: median {median:.2f} s, largest {seconds[:, 1].max():.2f} s; for the first, of the best "
          f"basin, median {first:.2f} s; for a search after an answer at most {search:.2f} s in the median, "
          f"{seconds[:, 3].max():.2f} s in all")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("likelihood", "correlation", "paper", "watch", "report"))
    parser.add_argument("file", type=Path, help="rows are appended to it")
    parser.add_argument("--experiments", type=int, nargs=2, default=(0, 20), metavar=("FIRST", "END"))
    parser.add_argument("--counts", type=float, nargs="+", help="some of the levels")
    parser.add_argument("--seconds", type=float, default=np.inf, help="of CPU, after which it stops")
    parser.add_argument("--begin", type=float, default=0.4, help="share of what hindsight needs where watching begins")
    parser.add_argument("--figure", type=Path)
    asked = parser.parse_args()
    with threadpool_limits(1):
        if asked.what == "report":
            report(asked.file, asked.figure)
        else:
            asked.file.parent.mkdir(parents=True, exist_ok=True)
            run(asked.file, asked.what, asked.counts, *asked.experiments, asked.seconds, asked.begin)
