"""Phases of the Kitaev-Heisenberg circle from Monte Carlo S(Q) alone: 72 angles at the study's offset and ten others.

For each grid: the phases that the rule counts; the adjusted Rand index against the four exact phases, points of
crossovers given to the phase that is most like them ("ARI", the declared measure: the exact phases know no crossovers)
and as a label of their own ("own label"); the largest error of the boundaries from the energies, and how many lie
inside their bands; the largest energy above that of the exact phase (equipartition subtracted), which a wall between
domains would raise by 0.02 or more; and what the rule says of the same runs without the average over the point group.
Run with ``python benchmarks/phases.py [number of offsets] [angles]``; about 15 s of CPU a grid of 72.
"""

import sys
import time
from pathlib import Path

import numpy as np
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from spinscape.config import build
from spinscape.config.load import read_yaml, study_from_data
from spinscape.learn.boundaries import boundary_between, fit_energy
from spinscape.learn.phase_count import CROSSOVER, count_phases
from spinscape.simulate.montecarlo import MonteCarloSimulator
from spinscape.simulate.protocol import StreamKey

STUDY = Path(__file__).parents[1] / "config" / "studies" / "kitaev_phases.yaml"
EDGES = (90.0, 135.0, 270.0, 315.0)
SEED = 20260
TEMPERATURE = 0.02
"""k_BT, meV: the energy per spin of a harmonic state of two degrees of freedom above its ground state."""


def simulated(offset, n, *, symmetry=True):
    """Return angles (n,), θ (n, 2), features (n, n_q) and energies (n,) of a circle that begins at ``offset``."""
    data = read_yaml(STUDY)
    step = 360.0 / n
    first, last = np.radians(offset), np.radians(offset + (n - 1) * step)
    data["grid"]["axes"]["phi"] = {"first": float(first), "last": float(last), "n": n}
    data["simulate"]["correlations"]["symmetry"] = symmetry
    study = study_from_data(data)
    model, _ = build.build_model(study)
    settings = build.plan_header(study)["settings"]
    simulator = MonteCarloSimulator.from_settings(model, settings)
    theta = build.grid_points(study)
    results = [simulator.run(row, StreamKey(SEED, f"{offset:.4f}-{k}")) for k, row in enumerate(theta)]
    features = np.log1p(np.array([result.arrays["signal_hk0"].ravel() for result in results]))
    energy = np.array([result.arrays["energy"][0] for result in results])
    return offset + step * np.arange(n), theta, features.astype(np.float64), energy


def exact(angle):
    """Return the phase of each angle, Néel 0, zigzag 1, ferromagnet 2, stripy 3."""
    return np.searchsorted(EDGES, np.asarray(angle) % 360.0) % 4


def excess(theta, energy):
    """Return the energy per spin above that of the lowest of the four ordered states and its spin waves, (n,)."""
    j, k = theta.T
    ordered = np.min([-(3 * j + k) / 2, (3 * j + k) / 2, (j - k) / 2, (k - j) / 2], axis=0)
    return energy - ordered - TEMPERATURE


def boundaries(angle, theta, energy, phase):
    """Return the error (degrees) of each boundary, from points 1.6° to 40° away, and whether its band holds it."""
    out = []
    for edge in EDGES:
        sides = []
        for sign in (-1.0, 1.0):
            away = sign * ((angle - edge + 180.0) % 360.0 - 180.0)
            near = (away > 0.3 * (angle[1] - angle[0])) & (away < 40.0) & (phase != CROSSOVER)
            main = np.bincount(phase[near]).argmax()
            sides.append(fit_energy(theta[near & (phase == main)], energy[near & (phase == main)]))
        found = boundary_between(
            *sides, lambda u: np.array([np.cos(u), np.sin(u)]), np.radians(edge - 10), np.radians(edge + 10)
        )
        low, high = np.degrees(found.band)
        out.append((np.degrees(found.place) - edge, low <= edge <= high))
    return np.array(out)


def main(n_offset=10, n=72):
    random = np.random.default_rng(5)
    # Not within a twentieth of a degree of a boundary: there no grid says which side a point is on.
    offsets = [2.5, *random.uniform(0.1, 360.0 / n - 0.1, n_offset)]
    columns = ("offset", "phases", "ARI", "own label", "crossovers", "boundary", "in band", "excess", "no average")
    print(" ".join(f"{name:>10}" for name in (*columns, "CPU s")))
    with threadpool_limits(1):
        for offset in offsets:
            clock = time.process_time()
            angle, theta, features, energy = simulated(offset, n)
            spent = time.process_time() - clock
            found, truth = count_phases(features, theta, seed=SEED, dimension=1), exact(angle)
            errors = boundaries(angle, theta, energy, found.phase)
            bare = count_phases(simulated(offset, n, symmetry=False)[2], theta, seed=SEED, dimension=1)
            agreement = [f"{adjusted_rand_score(truth, label):.3f}" for label in (found.nearest, found.phase)]
            row = (f"{offset:.3f}", found.n_phase, *agreement, np.sum(found.phase == CROSSOVER))
            row += (f"{np.abs(errors[:, 0]).max():.4f}°", f"{int(errors[:, 1].sum())}/4")
            row += (f"{excess(theta, energy).max():.4f}", bare.n_phase or "not known", f"{spent:.1f}")
            print(" ".join(f"{text!s:>10}" for text in row), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
