"""Do the intervals cover? Simulated experiments of the La₂NiO₄ kind, seeds fixed beforehand, against the truth.

    python benchmarks/calibration.py run results/calibration.jsonl 2000
    python benchmarks/calibration.py report results/calibration.jsonl

Couplings, scale (through the counts), background, widths and a missing block are drawn from the experiment's number and
nothing else. Every experiment is done clean; each third one again with an artefact in the background that the fit
cannot represent, and again with lines that have Lorentzian tails which the fit lacks. A run that was stopped goes on
where it stopped. Without arguments sixty experiments are done. One fit takes about a second of CPU.
"""

import json
import sys
import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.stats import binom
from threadpoolctl import threadpool_limits

from spinscape.config import build
from spinscape.config.load import load_study
from spinscape.errors import SpinscapeError
from spinscape.experiment.measurement import Measurement
from spinscape.infer.background_terms import BackgroundForm
from spinscape.infer.box import Box
from spinscape.infer.derived import mode_gradients, mode_values
from spinscape.infer.gauss_newton import gauss_newton
from spinscape.infer.instrument_forward import instrument_forward
from spinscape.infer.intervals import information_covariance, interval_width, jackknife_covariance, robust_fit, widened
from spinscape.infer.line_shape_test import LEVEL, chance_of, line_shape_test
from spinscape.infer.poisson import Likelihood, poisson_likelihood
from spinscape.infer.problem import Problem
from spinscape.lattice.qspace import EnergyAxis
from spinscape.rng import stream
from spinscape.simulate.spinwave import SpectrumModel, SpinwaveSettings

ROOT = Path(__file__).parents[1]
SEED = 20260
ENERGY = EnergyAxis.from_range(first=20.0, last=140.0, step=1.0)
MODES = {"X": (0.5, 0.0, 0.0)}
BOX = {"J": (20.0, 75.0), "Jp": (-30.0, 10.0), "ln_fwhm_factor": (-0.7, 0.7), "ln_q_smear": (np.log(0.01), np.log(0.3))}
QUANTITIES = ("J", "Jp", "X")
METHODS = ("hessian", "clip", "robust", "shaped", "jackknife", "larger")


class Setting:
    """The study's model, and spectra on a coarse grid to start fits from."""

    def __init__(self):
        study = load_study(ROOT / "config" / "studies" / "la2nio4.yaml")
        self.model, self.structure = build.build_model(study)
        self.settings = SpinwaveSettings.from_dict(build.spinwave_settings(study.simulate))
        self.path = build.path(study, "path1")

    def spectrum(self, theta, **instrument):
        """Return the spectrum with some of the settings changed."""
        settings = replace(self.settings, **instrument)
        return SpectrumModel(self.model, self.structure, self.path, ENERGY, settings).predict(np.asarray(theta))

    @cached_property
    def spectra(self):
        """Points of the grid, and their spectra binned."""
        model = SpectrumModel(self.model, self.structure, self.path, ENERGY, replace(self.settings, fwhm_factor=1.4))
        grid, images = [], []
        for j in np.arange(20.0, 76.0, 2.5):
            for jp in np.arange(-30.0, 10.1, 2.0):
                try:
                    images.append(binned(model.predict(np.array([j, jp]))))
                    grid.append((j, jp))
                except SpinscapeError:
                    continue
        return np.array(grid), np.array(images)


def binned(image):
    """Sum pixels two by two."""
    even = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
    return even.reshape(even.shape[0] // 2, 2, -1, 2).sum(axis=(1, 3))


def best_start(setting, measurement):
    """Return the grid point whose spectrum leaves least of the data, weights of a row being those of its mean."""
    valid = binned(measurement.valid.astype(float)) == 4
    data = np.where(valid, binned(np.where(measurement.valid, measurement.signal, 0.0)), 0.0)
    n = np.maximum(valid.sum(axis=0), 1)
    weight = valid / np.maximum(data.sum(axis=0) / n, 1e-12)
    centred = (data - data.sum(axis=0) / n) * valid
    grid, library = setting.spectra
    images = np.where(valid, library, 0.0)
    images = (images - images.sum(axis=1, keepdims=True) / n) * valid
    along = np.einsum("kqe,qe->k", images, weight * centred)
    norm = np.einsum("kqe,kqe,qe->k", images, images, weight)
    gain = np.where(along > 0, along**2 / np.maximum(norm, 1e-300), 0.0)
    return grid[np.argmax(gain)]


def drawn(k):
    """Return the truth of experiment k: couplings, counts, background, widths, missing block, defects."""
    rng = stream(SEED, "dataset", "calibration", k)
    while True:
        j, jp = rng.uniform(22.0, 45.0), rng.uniform(-8.0, 8.0)
        edges = 4 * 1.09 * np.array([j - 2 * jp, j - jp])
        if edges.min() > 70.0 and edges.max() < 135.0:
            break
    first_q, first_e = int(rng.integers(0, 190)), float(rng.uniform(20.0, 110.0))
    return {
        "theta": [j, jp],
        "counts": float(np.exp(rng.uniform(np.log(2e4), np.log(1e6)))),
        "level": rng.uniform(1.0, 8.0), "decay": rng.uniform(20.0, 60.0), "constant": rng.uniform(0.2, 2.0),
        "fwhm_factor": rng.uniform(0.9, 1.1), "q_smear": rng.uniform(0.04, 0.11),
        "block": [first_q, first_q + int(rng.integers(8, 26)), first_e, first_e + rng.uniform(15.0, 40.0)],
        "mixing": rng.uniform(0.2, 0.5), "artefact": ["blob", "step", "band"][int(rng.integers(3))],
        "place": rng.uniform(size=4).tolist(), "height": rng.uniform(1.0, 3.0),
    }  # fmt: skip


def artefact(truth, shape, mean):
    """Return intensity (n_q, n_energy) that no background constant in momentum describes."""
    q, e = np.arange(shape[0])[:, None] / shape[0], ENERGY.centres[None, :]
    a, b, c, d = truth["place"]
    at = 30.0 + 100.0 * b
    if truth["artefact"] == "blob":
        out = np.exp(-0.5 * (((q - a) / (0.02 + 0.06 * c)) ** 2 + ((e - at) / (4.0 + 8.0 * d)) ** 2))
    elif truth["artefact"] == "step":
        out = 0.5 * (q > 0.2 + 0.6 * a) * np.ones_like(e)
    else:
        out = np.exp(-0.5 * ((e - at) / (2.0 + 3.0 * d)) ** 2) * (np.abs(q - a) < 0.1 + 0.2 * c)
    return truth["height"] * mean * out


def experiment(setting, k, truth, kind):
    """Return the measurement of experiment k, and its expected counts without any defect."""
    instrument = {"fwhm_factor": truth["fwhm_factor"], "q_smear": truth["q_smear"]}
    clean = setting.spectrum(truth["theta"], **instrument)
    rise = truth["level"] * np.exp(-(ENERGY.centres - ENERGY.centres[0]) / truth["decay"]) + truth["constant"]
    background = clean.mean() * rise
    expected = clean + background
    per_unit = truth["counts"] / expected.sum()
    seen = expected
    if kind == "shape":
        tailed = setting.spectrum(truth["theta"], line="pseudo_voigt", mixing=truth["mixing"], **instrument)
        seen = tailed + background
    if kind == "artefact":
        seen = expected + artefact(truth, clean.shape, clean.mean())
    q0, q1, e0, e1 = truth["block"]
    valid = np.ones(clean.shape, bool)
    valid[q0 : q1 + 1, (ENERGY.centres >= e0) & (ENERGY.centres <= e1)] = False
    counts = stream(SEED, "counting", "calibration", k, kind).poisson(per_unit * seen).astype(float)
    counts[~valid] = 0.0
    known = {"counts_per_unit": 1.0}
    measured = Measurement("path1", setting.path, ENERGY, counts, valid, simulated=True, provenance=known)
    return measured, per_unit * expected


def quantities(forward, parameters, box):
    """Return the values of J, Jp and the X-point energy, and their gradients by the parameters."""
    values = [*parameters[:2], mode_values(forward, parameters, MODES)["X"]]
    eye = np.eye(len(box.names))
    return np.array(values), [eye[0], eye[1], mode_gradients(forward, parameters, MODES, box)["X"]]


def bound(forward, objective, truth, expected, box):
    """Return the Cramér-Rao bounds of the quantities, nuisances free: the information of the expected counts."""
    one = objective.sets[0]
    exact = Likelihood((replace(one, data=one.pixels.gather(expected)),))
    at = np.array([*truth["theta"], np.log(truth["fwhm_factor"]), np.log(truth["q_smear"])])
    covariance = information_covariance(Problem(forward, exact), at, box)
    values, gradients = quantities(forward, at, box)
    return values, [covariance.along(g) for g in gradients]


def one_result(setting, k, kind):
    """Do one experiment and its fit; return plain values."""
    start_time, truth = time.process_time(), drawn(k)
    measured, expected = experiment(setting, k, truth, kind)
    forward = instrument_forward(setting.model, setting.structure, [measured], settings=setting.settings)
    box = Box.from_intervals(BOX, names=forward.parameter_names)
    problem = Problem(forward, poisson_likelihood([measured]))
    freer = poisson_likelihood([measured], background=BackgroundForm("row_segment"))
    true_values, bounds = bound(forward, problem.objective, truth, expected, box)
    start = np.array([*best_start(setting, measured), 0.0, np.log(setting.settings.q_smear)])
    fit = gauss_newton(problem, start, box=box, max_step=60)
    plain = information_covariance(problem, fit.parameters, box)
    robust = robust_fit(problem, fit.parameters, box, freer=freer)
    jackknife, n_group = jackknife_covariance(problem, fit.parameters, box, measurements=[measured])
    test = line_shape_test(problem, fit.parameters, box, measurements=[measured], fwhm=10.0)
    clipped_test = line_shape_test(robust.clipped.problem, robust.parameters, box, measurements=[measured], fwhm=10.0)
    values, gradients = quantities(forward, fit.parameters, box)
    robust_values, robust_gradients = quantities(forward, robust.parameters, box)
    quality = problem.objective.quality(forward.predict(fit.parameters))
    return {
        "k": k, "kind": kind, "artefact": truth["artefact"], "counts": truth["counts"], "mixing": truth["mixing"],
        "true": true_values.tolist(), "bound": bounds, "value": values.tolist(), "robust_value": robust_values.tolist(),
        "nuisances": fit.parameters[2:].tolist(), "start": start[:2].tolist(),
        "std": {
            "hessian": [plain.along(g) for g in gradients],
            "clip": [information_covariance(robust.clipped.problem, robust.parameters, box).along(g)
                     for g in robust_gradients],
            "robust": [robust.covariance.along(g) for g in robust_gradients],
            "shaped": [widened(robust.covariance, clipped_test.shift).along(g) for g in robust_gradients],
            "jackknife": [jackknife.along(g) for g in gradients],
        },
        "n_group": n_group, "share": robust.clipped.share, "p": test.p_value, "p_clipped": clipped_test.p_value,
        "amplitudes": test.amplitudes, "chi2": quality["chi2_per_dof"],
        "converged": fit.converged, "n_step": fit.n_step, "cpu": time.process_time() - start_time,
    }  # fmt: skip


def jobs(n):
    for k in range(n):
        yield k, "clean"
        if k % 3 == 0:
            yield k, "artefact"
            yield k, "shape"


def run(target, n):
    done = {(r["k"], r["kind"]) for r in rows_of(target)} if target.exists() else set()
    setting = Setting()
    with target.open("a", encoding="utf-8") as out:
        for k, kind in jobs(n):
            if (k, kind) in done:
                continue
            try:
                row = one_result(setting, k, kind)
            except SpinscapeError as error:
                row = {"k": k, "kind": kind, "error": str(error)}
            out.write(json.dumps(row) + "\n")
            out.flush()


def rows_of(target):
    """Return the rows of a file; a line that a stopped run left half-written is none."""
    out = []
    for line in target.read_text(encoding="utf-8").splitlines():
        try:
            out.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return out


def covered(row, method, level):
    """Return for each quantity whether the interval holds the truth, and its half-width over 1 sigma's bound."""
    std, width = row["std"], interval_width(level)
    wide = interval_width(level, n_group=row["n_group"])
    if method == "larger":
        half = np.maximum(width * np.array(std["hessian"]), wide * np.array(std["jackknife"]))
    else:
        half = (wide if method == "jackknife" else width) * np.array(std[method])
    value = row["robust_value"] if method in ("clip", "robust", "shaped") else row["value"]
    inside = np.abs(np.array(value) - row["true"]) <= half
    return inside, half / width / np.array(row["bound"])


def in_basin(row):
    return bool(abs(row["value"][0] - row["true"][0]) < 3.0 and abs(row["value"][1] - row["true"][1]) < 1.5)


def table(title, every):
    print(f"\n{title}: {len(every)} experiments")
    for method in METHODS:
        rows = [r for r in every if method == "larger" or method in r["std"]]
        if not rows:
            continue
        parts = []
        for level in (0.95, 0.68):
            inside = np.array([covered(r, method, level)[0] for r in rows])
            share = inside.mean(axis=0)
            error = np.sqrt(share * (1 - share) / len(rows))
            parts.append(", ".join(f"{s:.3f}({1e3 * e:.0f})" for s, e in zip(share, error, strict=True)))
        width = np.mean([covered(r, method, 0.95)[1] for r in rows], axis=0)
        wide = f"width/bound {np.round(width, 2).tolist()} n {len(rows)}"
        print(f"  {method:10s} 95 %: {parts[0]} | 68 %: {parts[1]} | {wide}")


def chance(row):
    """Return the p value by the present rule from what the row has."""
    return chance_of(row["amplitudes"])


def fired(rows, chance):
    if not rows:
        return "none"
    n = sum(chance(r) < LEVEL for r in rows)
    low, high = binom.interval(0.95, len(rows), max(n, 0.5) / len(rows))
    return f"{n}/{len(rows)} = {n / len(rows):.3f} (±{(high - low) / 2 / len(rows):.3f})"


def report(target):
    rows = rows_of(target)
    failed = [r for r in rows if "error" in r]
    rows = [r for r in rows if "error" not in r]
    of = {kind: {r["k"]: r for r in rows if r["kind"] == kind} for kind in ("clean", "artefact", "shape")}
    print(f"{len(rows)} fits, {len(failed)} failed; CPU {np.median([r['cpu'] for r in rows]):.2f} s in the median")
    for r in failed[:5]:
        print("  failed:", r["k"], r["kind"], r["error"].splitlines()[0])
    print("right basin:", {kind: f"{sum(map(in_basin, x.values()))}/{len(x)}" for kind, x in of.items()})
    table("clean", list(of["clean"].values()))
    for kind in ("artefact", "shape"):
        ks = [k for k in of["clean"] if k % 3 or k in of[kind]]
        table(f"{kind} in all", list(of[kind].values()))
        table(f"{kind} in a third", [of[kind][k] if k % 3 == 0 else of["clean"][k] for k in ks])
    quiet = [r for r in of["shape"].values() if chance(r) >= LEVEL]
    print("\nline-shape test at 3 %, fires in", {kind: fired(list(x.values()), chance) for kind, x in of.items()})
    print(
        "  after clipping, fires in",
        {
            kind: fired([r for r in x.values() if "shaped" in r["std"]], lambda r: r["p_clipped"])
            for kind, x in of.items()
        },
    )
    if quiet:
        table("wrong shapes that the test does not see", quiet)


if __name__ == "__main__":
    action = sys.argv[1] if len(sys.argv) > 1 else "run"
    path = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "results" / "calibration.jsonl"
    n_experiment = int(sys.argv[3]) if len(sys.argv) > 3 else 60
    path.parent.mkdir(parents=True, exist_ok=True)
    with threadpool_limits(1):
        if action == "run":
            run(path, n_experiment)
        report(path)
