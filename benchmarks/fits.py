"""Fits of the study la2nio4: CPU seconds of a default search, and of the errors of the quoted fit, one thread.

The measured file where it is found (SPINSCAPE_DATA, or ../shared/data beside the repository), else a simulated one of
the same shape. Run with ``python benchmarks/fits.py [number of seeds]``; prints one table.
"""

import os
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from spinscape.config import build
from spinscape.config.load import load_study
from spinscape.experiment.background import without_savitzky_golay
from spinscape.experiment.csv_reader import read_csv_spectrum
from spinscape.experiment.simulated import Background, simulated_measurement
from spinscape.infer.box import Box
from spinscape.infer.forward import spinwave_forward
from spinscape.infer.grid_start import GridStart
from spinscape.infer.objectives import chi2_profiled, correlation
from spinscape.infer.poisson import gaussian_likelihood
from spinscape.infer.problem import Problem
from spinscape.infer.strategies import Multistart
from spinscape.infer.uncertainty import block_bootstrap, group_jackknife, hessian_covariance
from spinscape.lattice.qspace import EnergyAxis
from spinscape.simulate.spinwave import SpectrumModel, SpinwaveSettings

ROOT = Path(__file__).parents[1]
FOLDER = Path(os.environ.get("SPINSCAPE_DATA", ROOT.parent / "shared" / "data")) / "la2nio4"
COUPLINGS = {"J": (20.0, 75.0), "Jp": (-30.0, 10.0)}
N_EVALUATION = 50


def measured(path):
    files = {key: FOLDER / f"{name}_path1.csv" for key, name in (("momentum", "Qlist"), ("energy", "Elist"))}
    return read_csv_spectrum(FOLDER / "Sqw_path1.csv", path=path, layout="energy_rows", **files)


def stand_in(path, model, structure, settings):
    axis = EnergyAxis.from_range(first=20.0, last=140.0, step=1.0)
    image = SpectrumModel(model, structure, path, axis, settings).predict(np.array([29.6, 1.8]))
    return simulated_measurement(
        image, momentum=path, energy=axis, counts=5e5, seed=1, background=Background(5.0, 35.0)
    )


def cpu(action, n=1):
    """Return the median CPU seconds of ``n`` runs, and the last result."""
    times = []
    for _ in range(n):
        start = time.process_time()
        result = action()
        times.append(time.process_time() - start)
    return statistics.median(times), result


def search_row(label, problem, box, n_seed):
    """Search from many seeds; print CPU seconds, calls, and how often the answer is the most frequent one."""
    times, results = [], []
    for seed in range(n_seed):
        seconds, result = cpu(lambda seed=seed: Multistart().minimise(problem, box, seed))
        times.append(seconds)
        results.append(result)
    ends = np.array([r.best.parameters for r in results])
    agree = np.mean(np.abs(ends - np.median(ends, axis=0)).max(axis=1) < 0.03)
    calls = statistics.median(r.n_call for r in results)
    answer = ", ".join(f"{n} {v:.4g}" for n, v in zip(box.names, np.median(ends, axis=0), strict=True))
    seconds = f"{statistics.median(times):5.2f} s median, {max(times):5.2f} s at most"
    print(f"{label:22s} search {seconds}, {calls:.0f} spectra; {agree:.0%} of {n_seed} seeds end at {answer}")
    return np.median(ends, axis=0)


def joint_row(study, model, structure, settings, first):
    """Fit two paths of 121 × 217 pixels jointly, from a search over the whole box; print CPU seconds and the answer.

    The second path is simulated: its file is not published with the first. Spectra are made from the axes anew.
    """
    second = stand_in(build.path(study, "path2"), model, structure, settings)
    both = [first, second]

    def search(strategy, objective):
        forward = spinwave_forward(model, structure, both, settings=settings, nuisances=("q_smear",))
        box = Box.from_intervals({**COUPLINGS, "q_smear": (0.01, 0.2)}, names=forward.parameter_names)
        return box, strategy.minimise(Problem(forward, objective(both)), box, 1)

    # The two objectives are one law; χ² has it in closed form.
    for strategy in (GridStart(), Multistart()):
        for objective in (chi2_profiled, gaussian_likelihood):
            seconds, (box, found) = cpu(lambda s=strategy, o=objective: search(s, o), 3)
            answer = ", ".join(f"{n} {v:.4g}" for n, v in zip(box.names, found.best.parameters, strict=True))
            label = f"two paths, {strategy.kind}, {objective.__name__}"
            print(f"{label:44s} {seconds:5.2f} s with their set-up, {found.n_call} spectra of both; {answer}")


def main(n_seed):
    study = load_study(ROOT / "config" / "studies" / "la2nio4.yaml")
    model, structure = build.build_model(study)
    settings = SpinwaveSettings.from_dict(build.spinwave_settings(study.simulate))
    path = build.path(study, "path1")
    has_file = (FOLDER / "Sqw_path1.csv").is_file()
    data = measured(path) if has_file else stand_in(path, model, structure, settings)
    print("measured data" if has_file else "SIMULATED data")

    clipped = without_savitzky_golay(data, momentum=(160, 169), clip_negative=True)
    plain = spinwave_forward(model, structure, [clipped], settings=replace(settings, q_smear=0.0))
    by_r = Problem(plain, correlation([clipped], c_model=0.833))
    smeared = spinwave_forward(model, structure, [data], settings=settings, nuisances=("q_smear",))
    by_chi2 = Problem(smeared, chi2_profiled([data]))
    two, three = Box.from_intervals(COUPLINGS), Box.from_intervals({**COUPLINGS, "q_smear": (0.0, 0.2)})

    for label, problem, at in (("correlation", by_r, [29.2, 1.6]), ("chi2_profiled", by_chi2, [29.5, 1.8, 0.06])):
        predictions = problem.forward.predict(np.array(at))
        spectrum, _ = cpu(lambda p=problem, at=at: [p.forward.predict(np.array(at)) for _ in range(N_EVALUATION)], 5)
        value, _ = cpu(lambda p=problem, y=predictions: [p.objective.value(y) for _ in range(N_EVALUATION)], 5)
        per_ms = 1e3 / N_EVALUATION
        print(f"{label:22s} spectrum {spectrum * per_ms:.2f} ms, objective {value * per_ms:.2f} ms")

    joint_row(study, model, structure, settings, data)
    search_row("correlation", by_r, two, n_seed)
    best = search_row("chi2_profiled, smear", by_chi2, three, n_seed)
    seconds, covariance = cpu(lambda: hessian_covariance(by_chi2, best, three))
    print(f"{'Hessian':22s} {seconds:5.2f} s, std {covariance.std.round(4).tolist()}")
    replicas = {"measurements": [data]}
    seconds, found = cpu(lambda: block_bootstrap(by_chi2, best, three, n_replica=200, **replicas))
    print(f"{'bootstrap, 200':22s} {seconds:5.2f} s, std {found.covariance().std.round(4).tolist()}")
    seconds, found = cpu(lambda: group_jackknife(by_chi2, best, three, **replicas))
    print(f"{'jackknife, 15 groups':22s} {seconds:5.2f} s, std {found.covariance().std.round(4).tolist()}")


if __name__ == "__main__":
    with threadpool_limits(1):
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
