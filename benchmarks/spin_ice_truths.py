"""Simulations of dy2ti2o7_fit beside its grid: the truths of benchmarks/spin_ice_fit.py, and the points of its rounds.

    python benchmarks/spin_ice_truths.py FOLDER [--first 0] [--last 20]

simulates truths, couplings drawn at random in the box of the study, and keeps each in FOLDER: a second call goes on.
A truth is ten times as long as a point of the grid, so that the noise of its simulation is small beside that of
counts. Points that do not equilibrate are kept too, and skipped by the benchmark, which says how many they were.
"""

import argparse
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from spinscape.config.axes import conditions
from spinscape.config.build_model import build_model
from spinscape.config.couplings import theta_from_couplings
from spinscape.config.load import load_study
from spinscape.config.montecarlo import montecarlo_settings
from spinscape.simulate.montecarlo import MonteCarloSimulator
from spinscape.simulate.protocol import StreamKey
from spinscape.units import K_B

STUDY = Path(__file__).parents[1] / "config" / "studies" / "dy2ti2o7_fit.yaml"
NAMES = ("J2", "J3", "J3p")
KEPT = ("signal_hhl", "heat_capacity", "heat_capacity_error", "heat_capacity_slope", "energy", "sample_size", "r_hat")
LONGER = (10, 4)
"""Samples of a truth in those of a point of the grid, where S(Q) is gathered and where the heat capacity alone is."""


@cache
def simulator(longer):
    """Return the study and its simulator, samplings of S(Q) and of the heat capacity alone some times as long."""
    study = load_study(STUDY)
    model, _ = build_model(study)
    plain = montecarlo_settings(study.simulate, study)
    thermal = replace(plain.thermal, sampling=_longer(plain.thermal.sampling, longer[1]))
    settings = replace(plain, sampling=_longer(plain.sampling, longer[0]), thermal=thermal)
    return study, MonteCarloSimulator(model, settings, conditions(study))


def _longer(sampling, factor):
    return replace(sampling, samples=sampling.samples * factor)


def simulated(folder, name, theta, *, longer=(1, 1)):
    """Return the arrays of one simulation at couplings (3,) in K, read from the folder where it is there.

    ``code`` among them says whether its chains agree.
    """
    file = Path(folder) / f"{name}.npz"
    if not file.exists():
        study, runs = simulator(longer)
        point = theta_from_couplings(study, dict(zip(NAMES, K_B * np.asarray(theta), strict=True)))
        result = runs.run(point, StreamKey(study.seed, name))
        kept = {key: result.arrays[key] for key in KEPT}
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, theta=theta, code=result.code, diagnostics=repr(result.diagnostics), **kept)
    with np.load(file, allow_pickle=False) as held:
        return {key: held[key] for key in held.files}


def box_of_study():
    """Return the lower and upper couplings of the study's box, (3,) each, K."""
    box = load_study(STUDY).grid.box
    return tuple(np.array([float(box[name][k]) / K_B for name in NAMES]) for k in (0, 1))


def truth(folder, k):
    """Return the simulation of truth ``k``: its couplings lie in the inner 84 % of each side of the box."""
    lower, upper = box_of_study()
    unit = 0.08 + 0.84 * np.random.default_rng([41, k]).random(3)
    return simulated(folder, f"truth-{k:03d}", lower + unit * (upper - lower), longer=LONGER)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--last", type=int, default=20)
    asked = parser.parse_args()
    with threadpool_limits(1):
        for k in range(asked.first, asked.last):
            one = truth(asked.folder, k)
            print(k, one["theta"].round(4), one["code"], one["diagnostics"], flush=True)


if __name__ == "__main__":
    main()
