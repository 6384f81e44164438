"""Do the intervals cover where the forward model is Monte Carlo? A hundred diffuse measurements against the truth.

    python benchmarks/calibration_diffuse.py run results/calibration_diffuse 100
    python benchmarks/calibration_diffuse.py report results/calibration_diffuse

Classical Heisenberg spins on 16 × 16 cells of the square lattice, J1, J2 and J3, at k_B T = 1 meV: S(Q) on the 256 wave
vectors that the block holds, by heat bath and over-relaxation. The forward model is a generator that has learnt from
short simulations, with all their noise, at random couplings; its error is measured at others. Each experiment's truth
is a long simulation of its own with its own random numbers, at couplings that nothing has learnt from; scale (through
the counts), background and a missing block are drawn from the experiment's number, counts are Poisson's. A run that was
stopped goes on where it stopped. A simulation takes a tenth of a second of CPU, a truth 1.5 s, a fit 0.1 s.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from scipy.stats import binom
from threadpoolctl import threadpool_limits

from spinscape.experiment.measurement import Measurement
from spinscape.hamiltonian import terms
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.operations import model_operations
from spinscape.hamiltonian.terms import BondTerm
from spinscape.infer.background_terms import BackgroundForm
from spinscape.infer.box import Box
from spinscape.infer.gauss_newton import gauss_newton
from spinscape.infer.generator_forward import generator_forward, surrogate_covariance
from spinscape.infer.intervals import information_covariance, interval_width
from spinscape.infer.poisson import poisson_likelihood
from spinscape.infer.problem import Problem
from spinscape.infer.strategies import sobol_unit_points
from spinscape.lattice.bonds import shell_bond
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.supercell import supercell
from spinscape.lattice.symmetry import SiteSpec, crystal_from_space_group
from spinscape.lattice.volumes import QGrid
from spinscape.learn.compressor import fit_pca
from spinscape.learn.generator import fit_generator
from spinscape.learn.generator_error import with_measured_error
from spinscape.learn.images import Transform
from spinscape.observables.diffuse import PairSums, correlation_grid
from spinscape.observables.diffuse_projection import DiffuseSettings, Projector
from spinscape.rng import stream
from spinscape.simulate.gaussian import GaussianModel, GaussianSettings
from spinscape.simulate.local_engine import LocalEngine
from spinscape.simulate.moves import Move
from spinscape.simulate.spin_system import spin_system
from spinscape.units import K_B

ROOT = Path(__file__).parents[1]
SEED, N_CELL, N_LATENT = 20261, 16, 8
NAMES = ("J1", "J2", "J3")
LEARNT = Box(NAMES, np.array([0.6, -0.3, -0.3]), np.array([1.4, 0.4, 0.4]))
INNER = np.array([0.75, -0.2, -0.2]), np.array([1.25, 0.3, 0.3])
"""meV; truths are drawn well inside of what the generator has learnt."""
N_TRAIN, N_HELD, RUNS = 96, 24, 2
N_START = 8
SHORT, LONG = 1_500, 16_000
"""Configurations of a simulation to learn from, and of a truth."""
EDGES = (np.arange(N_CELL + 1) - 0.5) / N_CELL
GRID = QGrid("plane", np.zeros(3), np.eye(3), (EDGES, EDGES, np.array([-0.5, 0.5])))
MOVES = (Move("heat_bath"), Move("over_relaxation", 2))
BETA = 1.0
"""1/meV."""
FORM = BackgroundForm(constant="none", degree=(0, 0))
LEVELS = (0.68, 0.95)


class Sampler:
    """S(Q) of the square lattice by Monte Carlo."""

    def __init__(self):
        cell = lattice_vectors(a=4.0, b=4.0, c=20.0)
        crystal = crystal_from_space_group(cell, "P4/mmm", [SiteSpec("Cu", "Cu2+", (0, 0, 0), 1.0)])
        rows = [BondTerm("heisenberg", terms.heisenberg(n, NAMES), shell_bond(crystal, n[1:])) for n in NAMES]
        self.model = model_from_terms(crystal, NAMES, rows)
        block = supercell((N_CELL, N_CELL, 1), n_site=1)
        self.system = spin_system(self.model, block)
        self.grid = correlation_grid(crystal, block, operations=model_operations(self.model))
        self.projector = Projector(self.grid, GRID, DiffuseSettings("trace"))
        self.gaussian = GaussianModel(self.model, GaussianSettings(n_mesh=N_CELL, component="trace", max_share=1.0))
        self.view = self.gaussian.view(GRID.points)

    def image(self, theta, n_configuration, *key):
        """Return S(Q), (n_voxel,), of so many configurations; random numbers are those of the key alone."""
        seed = stream(SEED, "bath", *key).integers(2**63, size=2, dtype=np.uint64)
        engine = LocalEngine(self.system, np.asarray(theta), Conditions(), seed)
        engine.run(MOVES, BETA, 200)
        sums = PairSums(self.grid)
        for _ in range(n_configuration // 100):
            spins = []
            for _ in range(100):
                engine.run(MOVES, BETA, 1)
                spins.append(engine.spins.copy())
            sums.add(np.array(spins))
        sums.close_block()
        return self.projector(sums.correlations().mean).ravel()

    def bound(self, truth, expected, valid):
        """Return the Cramér-Rao bounds of the couplings, scale and constant free.

        Derivatives of ln S are those of the self-consistent Gaussian approximation, which is 1 to 5 % off the image.
        """
        near = self.gaussian.structure_factor_gradient(truth["theta"], 1.0 / (K_B * BETA), self.view)
        signal = expected[:, 0] - truth["background"] * expected.sum() / (1.0 + truth["background"]) / expected.size
        rows = np.concatenate([signal * near.by_theta / near.value, signal[None], np.ones((1, len(signal)))])
        rows = (rows / np.sqrt(expected[:, 0]))[:, valid[:, 0]]
        return np.sqrt(np.diag(np.linalg.inv(rows @ rows.T)))[: len(NAMES)].tolist()


def learnt(folder, sampler):
    """Return the generator, its error measured at held-out points; the simulations are kept in a folder."""
    file = folder / "simulations.npz"
    if not file.exists():
        np.savez(file, **simulations(sampler))
    known = np.load(file)
    images = known["images"]
    pca = fit_pca(images, n_latent=N_LATENT, transform=Transform("log1p", c=1.0 / float(images.mean())))
    generator = fit_generator(known["theta"], pca.encode(images), pca, seed=SEED, parameter_names=NAMES)
    return with_measured_error(generator, known["held_theta"], known["held_images"])


def simulations(sampler):
    """Return couplings and noisy images to learn from, and several runs at held-out couplings."""
    theta = np.array([LEARNT.from_unit(u) for u in sobol_unit_points(N_TRAIN, n_parameter=3, seed=SEED)])
    low, high = INNER
    held = low + (high - low) * stream(SEED, "dataset", "calibration_diffuse", "held").uniform(size=(N_HELD, 3))
    images = [sampler.image(t, SHORT, "learn", k) for k, t in enumerate(theta)]
    runs = [[sampler.image(t, 4 * SHORT, "held", k, r) for r in range(RUNS)] for k, t in enumerate(held)]
    return {"theta": theta, "images": images, "held_theta": held, "held_images": runs}


def drawn(k):
    """Return the truth of experiment k."""
    rng = stream(SEED, "dataset", "calibration_diffuse_1e5", k)
    low, high = INNER
    return {
        "theta": low + (high - low) * rng.uniform(size=3),
        "counts": float(np.exp(rng.uniform(np.log(1e5), np.log(1e6)))),
        "background": rng.uniform(0.1, 0.5),
        "corner": rng.integers(0, N_CELL, size=2),
        "size": rng.integers(2, 7, size=2),
    }


def experiment(k, truth, image):
    """Return the measurement of experiment k on a simulated image, and its expected counts."""
    expected = image / image.mean() + truth["background"]
    expected *= truth["counts"] / expected.sum()
    valid = np.ones((N_CELL, N_CELL), bool)
    rows, columns = ((c + np.arange(s)) % N_CELL for c, s in zip(truth["corner"], truth["size"], strict=True))
    valid[np.ix_(rows, columns)] = False
    counts = stream(SEED, "counting", "calibration_diffuse_1e5", k).poisson(expected).astype(float)
    counts, valid = np.where(valid.ravel(), counts, 0.0)[:, None], valid.reshape(-1, 1)
    known = {"counts_per_unit": 1.0}
    return Measurement("plane", GRID, None, counts, valid, simulated=True, provenance=known), expected[:, None]


def fitted(generator, measured):
    """Return the problem and its minimum: descents from the best eight of 64 points."""
    forward = generator_forward(generator, [measured], voxels=[(GRID, 0)])
    problem = Problem(forward, poisson_likelihood([measured], background=FORM))
    low, high = generator.box
    box = Box(NAMES, low, high)
    points = [box.from_unit(u) for u in sobol_unit_points(64, n_parameter=3, seed=SEED)]
    starts = sorted(points, key=problem)[:N_START]
    ends = [gauss_newton(problem, start, box=box, max_step=60) for start in starts]
    return problem, box, min(ends, key=lambda end: end.value)


def one_result(sampler, generator, k):
    """Do one experiment and its fit; return plain values."""
    clock, truth = time.process_time(), drawn(k)
    image = sampler.image(truth["theta"], LONG, "truth", k)
    simulated = time.process_time() - clock
    measured, expected = experiment(k, truth, image)
    problem, box, fit = fitted(generator, measured)
    noise = information_covariance(problem, fit.parameters, box)
    surrogate = surrogate_covariance(problem, fit.parameters, box)
    quality = problem.objective.quality(problem.forward.predict(fit.parameters))
    return {
        "k": k, "true": truth["theta"].tolist(), "value": fit.parameters.tolist(), "counts": truth["counts"],
        "noise": noise.std.tolist(), "std": np.sqrt(np.diag(noise.matrix + surrogate.matrix)).tolist(),
        "bound": sampler.bound(truth, expected, measured.valid), "at_bound": list(noise.fixed),
        "converged": fit.converged, "chi2": quality["chi2_per_dof"], "simulated_s": simulated,
        "fit_s": time.process_time() - clock - simulated,
    }  # fmt: skip


def run(folder, n):
    """Do the experiments that are not done yet."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "experiments.jsonl"
    done = {r["k"] for r in rows_of(target)} if target.exists() else set()
    sampler = Sampler()
    generator = learnt(folder, sampler)
    print(f"the generator's error: {generator.error_factor:.2f} times what it says", flush=True)
    with target.open("a", encoding="utf-8") as out:
        for k in sorted(set(range(n)) - done):
            out.write(json.dumps(one_result(sampler, generator, k)) + "\n")
            out.flush()


def rows_of(target):
    """Return the rows of a file."""
    return [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines() if line.endswith("}")]


def band(n, level, inside=0.99):
    """Return the least and the most of n intervals that hold the truth with that chance, by the binomial law."""
    low, high = binom.interval(inside, n, level)
    return int(low), int(high)


def covered(rows, errors, level):
    """Return how many intervals hold the truth, for each coupling."""
    half = interval_width(level) * np.array([r[errors] for r in rows])
    return np.sum(np.abs(np.array([r["value"] for r in rows]) - [r["true"] for r in rows]) <= half, axis=0)


def report(folder):
    """Print coverage, widths and whether each count lies in its band."""
    rows = rows_of(folder / "experiments.jsonl")
    n = len(rows)
    lost = sum(bool(r["at_bound"]) or not r["converged"] for r in rows)
    seconds = [np.median([r[w] for r in rows]) for w in ("simulated_s", "fit_s")]
    print(f"{n} experiments, {lost} at a bound or not converged; a truth {seconds[0]:.1f} s, a fit {seconds[1]:.2f} s")
    for errors, title in (("noise", "counting alone"), ("std", "with the generator's error")):
        width = np.mean([np.divide(r[errors], r["bound"]) for r in rows], axis=0)
        print(f"{title}: width over the Cramér-Rao bound {width.round(2).tolist()}")
        for level in LEVELS:
            low, high = band(n, level)
            found = covered(rows, errors, level)
            inside = bool(np.all((found >= low) & (found <= high)))
            print(f"  {level:.0%}: {found.tolist()} of {n}, 99 % band {low} to {high}: {'in' if inside else 'OUT'}")


if __name__ == "__main__":
    action = sys.argv[1] if len(sys.argv) > 1 else "run"
    place = Path(sys.argv[2]) if len(sys.argv) > 2 else ROOT / "results" / "calibration_diffuse"
    with threadpool_limits(1):
        if action == "run":
            run(place, int(sys.argv[3]) if len(sys.argv) > 3 else 100)
        report(place)
