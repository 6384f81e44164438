"""Volumes: S(Q) in three dimensions and S(Q, ω) in four, written for Mantid with gaps, read back and fitted.

    python benchmarks/volumes.py             # both kinds, 2·10⁵ voxels
    python benchmarks/volumes.py 10000000    # as many as asked for
    python benchmarks/volumes.py generator   # both through a generator that has learnt from simulated volumes
    python benchmarks/volumes.py latent      # both by the distance in the latent numbers of principal components
    python benchmarks/volumes.py coverage    # of the direct fit's intervals over 1,000 draws
    python benchmarks/volumes.py siren       # both through a network that has learnt from simulated volumes

Couplings are known: how far the fit is from them, in its own standard deviations, is printed beside the seconds of CPU
and the largest memory of the process that reads and fits. Counts are Poisson's, the zero ones too; gaps are a sphere
around the origin, a slab of detectors that are missing, and single voxels.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from spinscape.experiment.mantid import read_histogram
from spinscape.experiment.mantid_measurement import measurement_from_histogram
from spinscape.experiment.mantid_write import histogram_from_grid, write_histogram
from spinscape.hamiltonian import terms
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.structures import MagneticStructure
from spinscape.hamiltonian.terms import BondTerm
from spinscape.infer.background_terms import BackgroundForm
from spinscape.infer.box import Box
from spinscape.infer.forward import siren_forward, spinwave_forward
from spinscape.infer.gauss_newton import gauss_newton
from spinscape.infer.gaussian_forward import gaussian_forward
from spinscape.infer.generator_forward import generator_forward
from spinscape.infer.held_out import HeldOut, held_out_covariance
from spinscape.infer.latent_chi2 import latent_chi2
from spinscape.infer.poisson import poisson_likelihood
from spinscape.infer.problem import Problem
from spinscape.infer.strategies import sobol_unit_points
from spinscape.lattice.bonds import shell_bond
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.qspace import EnergyAxis
from spinscape.lattice.symmetry import SiteSpec, crystal_from_space_group
from spinscape.lattice.volumes import QGrid
from spinscape.rng import stream
from spinscape.simulate.gaussian import GaussianSettings
from spinscape.simulate.spectrum_settings import SpinwaveSettings

SEED = 619
KINDS = ("diffuse", "spectrum")
TRUTH = {"diffuse": np.array([1.0, 0.15, -0.1]), "spectrum": np.array([29.0, 1.7])}
"""meV."""
START = {"diffuse": np.array([1.2, 0.0, 0.0]), "spectrum": np.array([31.0, 0.5])}
BOX = {
    "diffuse": {"J1": (0.5, 2.0), "J2": (-0.2, 0.5), "J3a": (-0.5, 0.5)},
    "spectrum": {"J": (20.0, 45.0), "Jp": (-5.0, 6.0)},
}
COUNTS_PER_VOXEL = 2.0
BACKGROUND = 0.3
"""Of the mean of the model, the same everywhere."""
SCALE = 7.3


def grid_of(kind, n_voxel):
    """Return grid and energy axis (None for S(Q)) of about so many voxels."""
    if kind == "diffuse":
        edges = np.linspace(-2.0, 2.0, round(n_voxel ** (1 / 3)) + 1)
        return QGrid("volume", np.zeros(3), np.eye(3), (edges, edges, edges)), None
    n_energy = 30 if n_voxel < 1e6 else 100
    n = max(4, round((4 * n_voxel / n_energy) ** (1 / 3)))
    edges = (np.linspace(0.0, 1.0, n + 1), np.linspace(0.0, 1.0, n + 1), np.linspace(0.0, 4.0, max(2, n // 4) + 1))
    return QGrid("volume", np.zeros(3), np.eye(3), edges), EnergyAxis(np.linspace(22.0, 138.0, n_energy))


def forward_on(kind, measurements):
    """Return the forward model of a kind on the axes of measurements."""
    if kind == "diffuse":
        crystal = crystal_from_space_group(
            lattice_vectors(a=8.0, b=8.0, c=8.0), "Fd-3m", [SiteSpec("Cr", "Cr3+", (0.5, 0.5, 0.5), 1.5)]
        )
        names = tuple(BOX[kind])
        rows = [BondTerm("heisenberg", terms.heisenberg(n, names), shell_bond(crystal, n[1:])) for n in names]
        settings = GaussianSettings(n_mesh=12, form_factor=True)
        return gaussian_forward(model_from_terms(crystal, names, rows), measurements, settings=settings)
    vectors = lattice_vectors(a=3.89, b=3.89, c=12.55)
    crystal = crystal_from_space_group(vectors, "P4/mmm", [SiteSpec("Ni", "Ni2+", (0, 0, 0), 1.0)])
    names = tuple(BOX[kind])
    bonds = {"J": (0, 0, (1, 0, 0)), "Jp": (0, 0, (1, 1, 0))}
    rows = [BondTerm("heisenberg", terms.heisenberg(n, names), bonds[n]) for n in names]
    structure = MagneticStructure(
        np.array([[1, 1, 0], [1, -1, 0], [0, 0, 1]]), [0, 0], [[0, 0, 0], [1, 0, 0]], [[0.0, 0, 1], [0.0, 0, -1]]
    )
    settings = SpinwaveSettings(component="perp", cap=20.0, fwhm=(6.0,), form_factor={"g": "spin_only"})
    return spinwave_forward(model_from_terms(crystal, names, rows), structure, measurements, settings=settings)


class _Axes:
    """Enough of a measurement for a forward model: where, and under what conditions."""

    def __init__(self, grid, energy, temperature=90.0):
        n = int(np.prod(grid.shape))
        self.name, self.momentum, self.energy = "volume", grid, energy
        self.conditions = Conditions(temperature)
        self.quantity = "diffuse" if energy is None else "spectrum"
        self.valid = np.ones((n, 1 if energy is None else len(energy.centres)), bool)


def gaps(grid, shape, generator):
    """Return which voxels were measured, (n_q, n_energy): no sphere about the origin, no slab, not one in fifty."""
    q = grid.points
    seen = (np.linalg.norm(q, axis=1) > 0.35) & ~((q[:, 0] > 0.55) & (q[:, 0] < 0.65))
    return seen[:, None] & (generator.uniform(size=shape) > 0.02)


def drawn(grid, energy, model, generator):
    """Return the histogram of counts about a model (n_q, n_energy): exposure, gaps and counts are drawn."""
    valid = gaps(grid, model.shape, generator)
    expected = model / model.mean() + BACKGROUND
    # The exposure is smooth, as that of detectors and of a normalisation is.
    exposure = COUNTS_PER_VOXEL * (1.0 + 0.3 * np.cos(np.pi * grid.points[:, :1]))
    events = generator.poisson(exposure * expected).astype(np.float64)
    norm = exposure / SCALE
    return histogram_from_grid(grid, energy, events / norm, events / norm**2, valid=valid, events=events)


def make(kind, n_voxel, path):
    """Write the simulated histogram of a kind; return its number of voxels."""
    grid, energy = grid_of(kind, n_voxel)
    model = forward_on(kind, [_Axes(grid, energy)]).predict(TRUTH[kind])[0]
    generator = stream(SEED, "counting", kind, float(n_voxel))
    write_histogram(path, drawn(grid, energy, model, generator))
    return model.size


def coverage(kind, n_voxel, n_draw, path):
    """Return what each of ``n_draw`` draws of counts and gaps, through a file, is off by in its own errors.

    One Gauss-Newton step from the truth: the spectra are simulated once. (n_draw, n_coupling).
    """
    grid, energy = grid_of(kind, n_voxel)
    forward, box = forward_on(kind, [_Axes(grid, energy)]), Box.from_intervals(BOX[kind])
    linear, pulls = None, []
    for k in range(n_draw):
        generator = stream(SEED, "counting", "coverage", kind, k)
        model = forward.predict(TRUTH[kind])[0] if linear is None else linear[0][0]
        write_histogram(path, drawn(grid, energy, model, generator))
        form = BackgroundForm(constant="none", degree=(0, 0))
        objective = poisson_likelihood([read(kind, path)], background=form)
        linear = linear or Problem(forward, objective).linearise(TRUTH[kind], box)
        gradient, matrix = objective.normal_equations(*linear)
        std = np.sqrt(np.diag(objective.covariance(*linear, matrix)))
        pulls.append(-np.linalg.solve(matrix, gradient) / std)
    return np.array(pulls)


LEARNT_BOX = {"diffuse": (TRUTH["diffuse"] - [0.4, 0.25, 0.25], TRUTH["diffuse"] + [0.4, 0.25, 0.25]),
              "spectrum": (np.array([27.0, 0.0]), np.array([32.0, 3.4]))}  # fmt: skip
"""Lower and upper couplings of the simulations that something learns from, meV."""
N_LATENT = {"diffuse": 16, "spectrum": 24}


def read(kind, path):
    """Return a histogram as a measurement."""
    return measurement_from_histogram(
        read_histogram(path), name="volume", integrated=kind == "diffuse", conditions=Conditions(90.0)
    )


def simulated(kind, measurement, n_point):
    """Return couplings (n_point, n_coupling) and noise-free images (n_point, n_voxel) on a measurement's bins."""
    low, high = LEARNT_BOX[kind]
    theta = low + (high - low) * stream(SEED, "dataset", "volumes", kind).uniform(size=(n_point, len(low)))
    forward = forward_on(kind, [_Axes(measurement.momentum, measurement.energy)])
    return theta, np.array([forward.predict(one)[0].ravel() for one in theta])


def learnt(kind, measurement, n_point):
    """Return a generator on a measurement's bins, learnt from volumes at random couplings."""
    # Here and below, so that the memory of a direct fit is not that of torch.
    from spinscape.learn.compressor import fit_pca
    from spinscape.learn.generator import fit_generator
    from spinscape.learn.images import Transform

    theta, images = simulated(kind, measurement, n_point)
    pca = fit_pca(images, n_latent=N_LATENT[kind], transform=Transform("log1p", c=1.0 / float(images.mean())))
    return fit_generator(theta, pca.encode(images), pca, seed=SEED, parameter_names=tuple(BOX[kind]))


def fit_by_generator(path, *, kind="diffuse", n_point=160):
    """Read a histogram and fit it through a generator, whose own error is in the standard deviations."""
    measurement = read(kind, path)
    begin = time.process_time()
    generator = learnt(kind, measurement, n_point)
    learning = time.process_time() - begin
    forward = generator_forward(generator, [measurement], voxels=[(measurement.momentum, 0)])
    objective = poisson_likelihood([measurement], background=BackgroundForm(constant="none", degree=(0, 0)))
    low, high = generator.box
    box = Box(tuple(BOX[kind]), low, high)
    problem = Problem(forward, objective)
    found = gauss_newton(problem, box.clip(START[kind]), box=box)
    predictions, jacobians = problem.linearise(found.parameters, box)
    n = len(low)
    # The generator's errors as further parameters: how far each of them moves the couplings.
    both = tuple(np.concatenate(pair) for pair in zip(jacobians, forward.error_images(found.parameters), strict=True))
    _, matrix = objective.normal_equations(predictions, both)
    shift = np.linalg.solve(matrix[:n, :n], matrix[:n, n:])
    counting = objective.covariance(predictions, jacobians, matrix[:n, :n])
    std = np.sqrt(np.diag(counting + shift @ shift.T))
    return {
        "couplings": found.parameters.tolist(),
        "std": std.tolist(),
        "share_of_generator": np.sqrt(np.diag(shift @ shift.T) / std**2).tolist(),
        "pulls": ((found.parameters - TRUTH[kind]) / std).tolist(),
        "deviance_per_dof": found.value / objective.dof,
        "learning_s": learning,
    }


def encoder(kind, measurement, variance, level, n_point):
    """Return principal components, in units of the noise, of simulations with random scales and constants."""
    from spinscape.learn.compressor import fit_pca
    from spinscape.learn.images import Transform

    _, images = simulated(kind, measurement, n_point)
    low, high = NUISANCES
    a, b = (low + (high - low) * stream(SEED, "dataset", "nuisances", kind).uniform(size=(n_point, 2))).T[..., None]
    noise = np.sqrt(variance.ravel())
    return fit_pca(
        level * (a * images / images.mean() + b),
        n_latent=N_LATENT[kind],
        transform=Transform("standardised", noise=noise),
    )


NUISANCES = (np.array([0.3, -0.1]), np.array([1.5, 0.8]))
"""Of scale and constant in what the encoder learns from, in units of the data's mean."""


def fit_by_latent_chi2(path, *, kind="diffuse", n_point=160):
    """Read a histogram and fit its latent numbers; scale and constant are eliminated."""
    measurement = read(kind, path)
    valid, forward = measurement.valid, forward_on(kind, [measurement])
    level = float(measurement.signal[valid].mean())
    here = np.clip(START[kind], *LEARNT_BOX[kind])
    box = Box(tuple(BOX[kind]), *LEARNT_BOX[kind])
    exposure = np.where(valid, measurement.exposure, measurement.exposure[valid].mean())
    image = forward.predict(here)[0]
    begin = time.process_time()
    variance = level * (0.8 * image / image.mean() + 0.2) / exposure
    pca = encoder(kind, measurement, variance, level, n_point)
    learning = time.process_time() - begin
    how = {"scale": None, "background": BackgroundForm(constant="none", degree=(0, 0)), "compressor": pca, "seed": SEED}
    # The counts' own square root is a poor variance at two counts: that of the model is taken, twice in turn.
    for first in (True, False):
        problem = Problem(forward, latent_chi2([replace(measurement, std=np.sqrt(variance))], **how))
        # With its scale eliminated a model that lies beside the data is best left out: nothing leads on from there.
        points = [box.from_unit(u) for u in sobol_unit_points(64, n_parameter=len(here), seed=SEED)] if first else []
        found = gauss_newton(problem, min([here, *points], key=problem), box=box)
        here = found.parameters
        fitted = problem.objective.fitted(forward.predict(here))[0]
        variance = np.maximum(fitted, 0.05 * level) / exposure
    predictions, jacobians = problem.linearise(here, box)
    _, matrix = problem.objective.normal_equations(predictions, jacobians)
    std = np.sqrt(np.diag(problem.objective.covariance(predictions, jacobians, matrix)))
    quality = problem.objective.quality(predictions)
    return {
        "couplings": here.tolist(),
        "std": std.tolist(),
        "pulls": ((here - TRUTH[kind]) / std).tolist(),
        "latent_chi2_per_dof": found.value / (problem.objective.dof - len(here)),
        "scale_and_background": [quality["scale_0"], quality["background_0"]],
        "learning_s": learning,
    }


class _Simulated:
    """Simulated volumes on a grid in memory, with the faces of a store that the training of a network uses."""

    def __init__(self, kind, grid, energy, n_point):
        low, high = LEARNT_BOX[kind]
        draws = stream(SEED, "dataset", "volumes", "spectra").uniform(size=(n_point, len(low)))
        self.theta, self.parameter_names = low + draws * (high - low), tuple(BOX[kind])
        self.box, self.n_point = dict(zip(BOX[kind], zip(low, high, strict=True), strict=True)), n_point
        forward = forward_on(kind, [_Axes(grid, energy)])
        self._images = np.array([forward.predict(one)[0] for one in self.theta], dtype=np.float32)
        coords = {"hkl": {"dims": ["q", "hkl"], "values": grid.points}}
        if energy is not None:
            coords["energy"] = {"dims": ["energy"], "values": energy.centres}
        self.template = {"signal": {"dims": ["q", "energy"][: 1 if energy is None else 2], "coords": coords}}

    def read_many(self, name, indices):
        """Return the volumes of points, (n, n_q, n_energy)."""
        return self._images[np.asarray(indices)]


TRAINING = {"diffuse": (800, 44), "spectrum": (600, 60)}
"""Steps of a network's training, and simulated volumes, twenty of them held out."""


def fit_by_siren(path, *, kind="spectrum"):
    """Read a histogram and fit it through a network, its held-out error beside the counting one."""
    from spinscape.learn.dataset import split_points
    from spinscape.learn.siren import SirenSettings
    from spinscape.learn.train_siren import TrainSettings, train_siren

    measurement = read(kind, path)
    n_step, n_point = TRAINING[kind]
    begin = time.process_time()
    store = _Simulated(kind, measurement.momentum, measurement.energy, n_point)
    train = TrainSettings(n_train=n_point - 20, n_step=n_step)
    result = train_siren(store, settings=SirenSettings(), train=train, seed=SEED, box=store.box, progress=False,
                         device="cpu")  # fmt: skip
    learning = time.process_time() - begin
    form, box = BackgroundForm(constant="none", degree=(0, 0)), Box.from_intervals(store.box)
    away = np.asarray(split_points(store.theta, n_train=train.n_train, seed=SEED)[1])
    held_out = HeldOut(store.theta[away], box.width, lambda k: (store.read_many("signal", away[k]).astype(float),))
    forward = siren_forward(result.net, [measurement], held_out=held_out)
    problem = Problem(forward, poisson_likelihood([measurement], background=form))
    found = gauss_newton(problem, box.clip(START[kind]), box=box)
    predictions, jacobians = problem.linearise(found.parameters, box)
    _, matrix = problem.objective.normal_equations(predictions, jacobians)
    counting = np.sqrt(np.diag(problem.objective.covariance(predictions, jacobians, matrix)))
    # What the network itself is off by: simulations that it has not seen, without noise, on the same voxels.
    own = held_out_covariance(problem, found.parameters, box).std
    std = np.hypot(counting, own)
    return {
        "couplings": found.parameters.tolist(),
        "std": std.tolist(),
        "counting": counting.tolist(),
        "network": own.tolist(),
        "pulls": ((found.parameters - TRUTH[kind]) / std).tolist(),
        "held_out_r2": result.metrics["r2"],
        "learning_s": learning,
    }


def fit(kind, path):
    """Read a histogram and fit it; return couplings, standard deviations and what they took: plain data."""
    begin = time.process_time()
    measurement = read(kind, path)
    reading = time.process_time() - begin
    forward = forward_on(kind, [measurement])
    objective = poisson_likelihood([measurement], background=BackgroundForm(constant="none", degree=(0, 0)))
    problem, box = Problem(forward, objective), Box.from_intervals(BOX[kind])
    found = gauss_newton(problem, START[kind], box=box)
    predictions, jacobians = problem.linearise(found.parameters, box)
    _, matrix = objective.normal_equations(predictions, jacobians)
    std = np.sqrt(np.diag(objective.covariance(predictions, jacobians, matrix)))
    return {
        "kind": kind,
        "voxels": int(measurement.signal.size),
        "measured": int(measurement.valid.sum()),
        "couplings": found.parameters.tolist(),
        "std": std.tolist(),
        "pulls": ((found.parameters - TRUTH[kind]) / std).tolist(),
        "deviance_per_dof": found.value / objective.dof,
        "steps": found.n_step,
        "read_s": reading,
        "fit_s": time.process_time() - begin - reading,
        "memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
    }


LEARNT = {
    "generator": (KINDS, fit_by_generator),
    "latent": (KINDS, fit_by_latent_chi2),
    "siren": (KINDS, fit_by_siren),
}
"""Ways through what has learnt from simulations."""


def run(kind, n_voxel):
    """Make, then read and fit a volume, each in a process of its own: the memory is that of reading and fitting."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "volume.nxs")
        for what in ("make", "fit"):
            command = [sys.executable, __file__, what, kind, str(n_voxel), path]
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return json.loads(out)


def main(arguments):
    """Run as the command line says."""
    if arguments and arguments[0] == "make":
        make(arguments[1], int(arguments[2]), arguments[3])
    elif arguments and arguments[0] == "fit":
        print(json.dumps(fit(arguments[1], arguments[3])))
    elif arguments and arguments[0] == "coverage":
        with tempfile.TemporaryDirectory() as folder:
            for kind in KINDS:
                pulls = coverage(kind, 15_000, 1000, str(Path(folder) / "volume.nxs"))
                shares = [np.mean(np.abs(pulls) < x, axis=0).round(3).tolist() for x in (1.0, 1.96)]
                print(
                    f"{kind}: pulls {pulls.mean(0).round(3)} ± {pulls.std(0).round(3)}; 68, 95 %: {shares}", flush=True
                )
    elif arguments and arguments[0] in LEARNT:
        kinds, way = LEARNT[arguments[0]]
        for kind in kinds:
            with tempfile.TemporaryDirectory() as folder:
                path = str(Path(folder) / "volume.nxs")
                make(kind, 15_000, path)
                print(kind, json.dumps(way(path, kind=kind), indent=1), flush=True)
    else:
        n_voxel = int(arguments[0]) if arguments else 200_000
        for kind in KINDS:
            found = run(kind, n_voxel)
            print(f"{kind}: {found['voxels']:,} voxels, {found['measured']:,} measured")
            for name, value, std, pull in zip(BOX[kind], found["couplings"], found["std"], found["pulls"], strict=True):
                print(f"  {name:4s} {value:10.5f} ± {std:.5f} meV, {pull:+.2f} standard deviations from the truth")
            took = (
                f"read {found['read_s']:.1f} s, fit {found['fit_s']:.1f} s of CPU; {found['memory_gb']:.2f} GB at most"
            )
            print(f"  deviance/dof {found['deviance_per_dof']:.4f}; {found['steps']} steps; {took}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
