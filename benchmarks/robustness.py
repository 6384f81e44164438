"""Which objective survives which artefacts: the controlled model, sixty truths, all in one run.

    python benchmarks/robustness.py [--truths 60] [--unknown SEED] [--log FILE] [--part PART] [--work FOLDER]

Square lattice J1 = 1, J2, J3, β in the self-consistent Gaussian, 24 × 24 pixels. 2,000 volumes with 22 % noise train
the generator and all compressors; competitors look for the nearest of all 8,100 noisy grid points. The error of a fit
is the larger of |ΔJ2|/1.5 and |ΔJ3|/1.2, the ranges; median / 90th percentile over the truths are printed.

The family ``unknown`` is drawn when the benchmark runs, from a seed that nothing was tuned with (``--unknown`` repeats
one): waves of random number, length, direction, threshold and power.
"""

import argparse
import json
import secrets
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from compression import LOGARITHM, PAPER, structure_factor
from spinscape.experiment import artefacts
from spinscape.experiment.measurement import Measurement
from spinscape.infer.box import Box
from spinscape.infer.gauss_newton import gauss_newton
from spinscape.infer.generator_forward import generator_forward, surrogate_covariance
from spinscape.infer.intervals import information_covariance
from spinscape.infer.latent_chi2 import latent_chi2
from spinscape.infer.problem import Problem
from spinscape.infer.robust_descents import RobustDescents
from spinscape.infer.robust_tiled import robust_tiled
from spinscape.lattice.volumes import QGrid
from spinscape.learn.augment import Artefacts, AugmentSettings, Momenta
from spinscape.learn.autoencoder import AutoencoderSettings
from spinscape.learn.compressor import fit_pca
from spinscape.learn.compressor_file import load_compressor, save_compressor
from spinscape.learn.generator import fit_generator
from spinscape.learn.generator_error import with_measured_error
from spinscape.learn.generator_file import load_generator, save_generator
from spinscape.learn.images import Transform
from spinscape.learn.train_compressor import fit_autoencoder

NAMES, N_Q, COUNTS = ("J2", "J3", "beta"), 24, 200.0
BOX = Box(NAMES, np.array([-0.6, -0.5, 1 / 3]), np.array([0.9, 0.7, 1 / 1.2]))
RANGE = np.array([1.5, 1.2])
LEVELS = (0.0, 0.3, 1.0, 3.0)
FAMILIES = ("own", "fan", "step", "ellipse", "dead", "blob", "unknown", "everything")
EDGES = (np.arange(N_Q + 1) - 0.5) * 2.0 / N_Q
GRID = QGrid("plane", np.zeros(3), np.eye(3), (EDGES, EDGES, np.array([-0.5, 0.5])))
Q = GRID.points[:, :2]
MODULUS = np.linalg.norm(Q, axis=1)


@dataclass(frozen=True, eq=False)
class Library:
    """All grid points with noise, and the 2,000 of them that train."""

    theta: np.ndarray
    noisy: np.ndarray
    train: np.ndarray


def library(folder, seed=1):
    """Return the noisy grid of 8,100 points; kept in a folder."""
    file = folder / "library.npz"
    if file.exists():
        return Library(**np.load(file))
    found = _library(seed)
    np.savez(file, theta=found.theta, noisy=found.noisy, train=found.train)
    return found


def _library(seed):
    axes = [np.linspace(low, high, n) for low, high, n in zip(BOX.lower, BOX.upper, (30, 30, 9), strict=True)]
    theta = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    rng = np.random.default_rng(seed)
    noisy = np.array([structure_factor(*row) for row in theta])
    noisy *= rng.gamma(20.0, 1.0 / 20.0, noisy.shape)
    return Library(theta, noisy, np.sort(rng.permutation(len(theta))[:2000]))


def truths(n, seed=60):
    """Return n points of the box's inner part, (n, 3)."""
    return np.random.default_rng(seed).uniform([-0.5, -0.4, 0.37], [0.8, 0.6, 0.8], (n, 3))


def unknown(generator, recipe, level):
    """Return waves of a recipe, their phases and turn drawn anew; mean 0.25 in units of the image's mean at level 1."""
    rng = np.random.default_rng(recipe)
    n, power, threshold = int(rng.integers(2, 7)), rng.uniform(1.0, 4.0), rng.uniform(0.4, 0.9)
    size, angle = rng.uniform(0.2, 2.5, n), rng.uniform(0.0, 2.0 * np.pi, n) + generator.uniform(0.0, 2.0 * np.pi)
    waves = size[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    field = np.cos(2.0 * np.pi * Q @ waves.T + generator.uniform(0.0, 2.0 * np.pi, n)).sum(axis=1)
    field = np.maximum(field - np.quantile(field, threshold), 0.0) ** power
    return level * 0.25 * field / field.mean()


def own(level):
    """Return the artefacts of the controlled model."""
    return [
        artefacts.smooth_background(MODULUS, level=level, slope=0.3 * MODULUS.max() / 2.8),
        artefacts.powder_rings(MODULUS, level=level),
        artefacts.bragg_leakage(Q, level=level),
    ]


def spoilt(theta, family, level, k, recipe):
    """Return the contaminated image of a truth, a measurement of it, and which pixels hold sharp artefacts."""
    generator = np.random.default_rng([17, FAMILIES.index(family), k])
    how = {"level": level, "generator": generator}
    makers = {
        "own": lambda: own(level),
        "fan": lambda: [artefacts.fan(Q, **how)],
        "step": lambda: [artefacts.step(Q, **how)],
        "ellipse": lambda: [artefacts.elliptic_ring(Q, **how)],
        "dead": lambda: own(level),
        "blob": lambda: [artefacts.blob(Q, **how)],
        "unknown": lambda: [unknown(generator, recipe, level)],
    }
    parts = ("own", "fan", "step", "ellipse", "blob") if family == "everything" else (family,)
    added = [one for part in parts for one in makers[part]()]
    lost = [artefacts.dead_sector(Q, generator=generator)] if family in ("dead", "everything") else []
    image = structure_factor(*theta)
    found = artefacts.contaminated(image, added=added, lost=lost, counts_per_mean=COUNTS, generator=generator)
    smooth = 1 if family in ("own", "dead", "everything") else 0
    sharp = np.sum(added[smooth:], axis=0) > 0.1
    return measured(found, COUNTS / image.mean()), ~sharp & found.valid


def measured(found, per_unit):
    """Return an image as diffuse scattering."""
    provenance = {"counts_per_unit": per_unit}
    return Measurement("plane", GRID, None, found.values[:, None], found.valid[:, None], provenance=provenance)


def error_of(found, truth):
    """Return the larger of the errors of J2 and J3 in units of their ranges."""
    return float(np.max(np.abs(np.asarray(found)[:2] - truth[:2]) / RANGE))


# Competitors: nearest of the noisy library ----------------------------------------------------------------------------


def noise_of(x):
    """Return the variance of a pixel: counts, and the library's 22 %."""
    return np.maximum(x, 1.0 / COUNTS) * x.mean() / COUNTS + (0.22 * x) ** 2 + 1e-12


def nearest_raw(library, x, valid, mask):
    """χ² of the pixels as they are."""
    w = valid / noise_of(x)
    return np.argmin(library.noisy**2 @ w - 2.0 * library.noisy @ (w * x))


def _profiled(library, x, w, columns):
    """Return residuals of every library image after scale and the columns are fitted by least squares."""
    root = np.sqrt(w)
    basis = np.linalg.qr(root[:, None] * columns)[0]
    y = library.noisy * root
    y = y - (y @ basis) @ basis.T
    target = root * x - basis @ (basis.T @ (root * x))
    scale = np.maximum(y @ target / np.sum(y**2, axis=1), 0.0)
    return target - scale[:, None] * y


def nearest_clipped(library, x, valid, mask):
    """χ² with scale and constant background profiled, residuals clipped at six times their median deviation."""
    rest = np.abs(_profiled(library, x, valid / noise_of(x), np.ones((len(x), 1))))
    limit = 6.0 * 1.4826 * np.median(rest[:, valid], axis=1)
    return np.argmin(np.sum(np.minimum(rest, limit[:, None]) ** 2, axis=1))


def nearest_oracle(library, x, valid, mask):
    """The same with the sharp artefacts masked by one who knows them, and a background with a slope."""
    columns = np.stack([np.ones(len(x)), MODULUS], axis=1)
    return np.argmin(np.sum(_profiled(library, x, mask / noise_of(x), columns) ** 2, axis=1))


def nearest_correlated(library, x, valid, mask):
    """Correlation of log(1 + S)."""
    a, b = np.log1p(np.maximum(x[valid], 0.0)), np.log1p(library.noisy[:, valid])
    a, b = a - a.mean(), b - b.mean(axis=1, keepdims=True)
    return np.argmax(b @ a / np.linalg.norm(b, axis=1))


def nearest_latent(compressor, latents):
    """Distance in the latent numbers of a compressor, as the paper takes it."""

    def nearest(library, x, valid, mask):
        z = compressor.encode(x[None], None if valid.all() else valid)[0]
        return np.argmin(np.sum((latents - z) ** 2, axis=1))

    return nearest


def kept(file, load, save, make):
    """Return what a file holds, or make it and keep it there; say how long the making took."""
    if file.exists():
        return load(file)[0]
    clock = time.process_time()
    made = make()
    print(f"{file.stem}: {time.process_time() - clock:.0f} s of CPU", flush=True)
    save(file, made)
    return made


class Models:
    """Everything that is trained: on the 2,000 noisy volumes alone; kept in a folder."""

    def __init__(self, library, folder, *, others=True):
        self.folder, self.theta, self.images = folder, library.theta[library.train], library.noisy[library.train]
        # Many images with much noise: components of the logarithm, each smoothed over the couplings, keep no noise.
        components = fit_pca(self.images, n_latent=8, transform=Transform("log1p", 100.0))
        self.generator = self._generator("generator", components)
        if not others:
            return
        pca = fit_pca(self.images, n_latent=20)
        paper = self._compressor("paper", lambda: self._network(AutoencoderSettings("logistic", 20, **PAPER)))
        self.encoder = self._compressor("augmented", self._augmented)
        self.latent_generator = self._generator("latent_generator", self.encoder)
        self.nearest = {
            "χ² of pixels, raw": nearest_raw,
            "χ², scale and background profiled, clipped": nearest_clipped,
            "the same with an oracle mask": nearest_oracle,
            "correlation of log(1+S)": nearest_correlated,
            "PCA latent, D = 20": nearest_latent(pca, pca.encode(library.noisy)),
            "the paper's latent, D = 20": nearest_latent(paper, paper.encode(library.noisy)),
            "artefact-trained latent, D = 4": nearest_latent(self.encoder, self.encoder.encode(library.noisy)),
        }

    def _network(self, settings, **how):
        return fit_autoencoder(self.images, settings, seed=1, **how)[0]

    def _augmented(self):
        settings = AutoencoderSettings(input_noise=0.1, sees="voxels", n_epoch=150)
        seen = Artefacts(Momenta(Q, MODULUS), AugmentSettings(), seed=0)
        return self._network(settings, transform=LOGARITHM, augment=seen)

    def _compressor(self, name, make):
        return kept(self.folder / f"{name}.pt", load_compressor, save_compressor, make)

    def _generator(self, name, network):
        def make():
            return fit_generator(self.theta, network.encode(self.images), network, seed=1, parameter_names=NAMES)

        return kept(self.folder / f"{name}.pt", load_generator, save_generator, make)


def robust_fit(generator, measurement, **how):
    """Return problem and search of the robust fit through the generator."""
    forward = generator_forward(generator, [measurement], voxels=[(GRID, 0)])
    problem = Problem(forward, robust_tiled([measurement], model_error=0.02, **how))
    return problem, RobustDescents().minimise(problem, BOX, 1)


def latent_fit(models, measurement, start):
    """Return couplings from latent χ² through the generator of the artefact-trained encoder: no floor of a grid."""
    forward = generator_forward(models.latent_generator, [measurement], voxels=[(GRID, 0)])
    problem = Problem(forward, latent_chi2([measurement], compressor=models.encoder))
    return gauss_newton(problem, np.clip(start, BOX.lower, BOX.upper), box=BOX).parameters


def run_ours(models, points, recipe, note, families=FAMILIES, levels=LEVELS):
    """The robust fit, all families and levels; the time of an image is CPU time of binding, search and all."""
    for family in families:
        for level in levels if family in ("own", "dead") else [x for x in levels if x > 0]:
            errors, shares, flagged, clock = [], [], [], time.process_time()
            for k, truth in enumerate(points):
                measurement, _ = spoilt(truth, family, level, k, recipe)
                problem, search = robust_fit(models.generator, measurement)
                errors.append(error_of(search.best.parameters, truth))
                quality = problem.objective.quality(problem.forward.predict(search.best.parameters))
                shares.append(quality["down_weighted"])
                flagged.append(not quality["trusted"])
            seconds = (time.process_time() - clock) / len(points)
            more = {"down": shares, "seconds": seconds, "flagged": float(np.mean(flagged))}
            note("robust fit through the generator", family, level, errors, **more)


def run_others(library, models, points, recipe, note, families=FAMILIES):
    """The competitors: all levels of the model's own artefacts, level 1 of the other families."""
    for family in families:
        for level in LEVELS if family == "own" else (1.0,):
            found = {name: [] for name in (*models.nearest, "artefact-trained latent, through its generator")}
            one_tile = []
            for k, truth in enumerate(points):
                measurement, mask = spoilt(truth, family, level, k, recipe)
                x, valid = measurement.signal[:, 0], measurement.valid[:, 0]
                for name, nearest in models.nearest.items():
                    best = library.theta[nearest(library, x, valid, mask)]
                    found[name].append(error_of(best, truth))
                last = list(found)[-1]
                found[last].append(error_of(latent_fit(models, measurement, best), truth))
                one_tile.append(error_of(robust_fit(models.generator, measurement, tiles=1)[1].best.parameters, truth))
            for name, errors in found.items():
                note(name, family, level, errors)
            note("robust fit with one constant and a slope", family, level, one_tile)


def judged(generator, n=60, seed=61):
    """Return the generator with its own error measured at n points that are no truths of the benchmark."""
    theta = truths(n, seed)
    return with_measured_error(generator, theta, [structure_factor(*row)[None] for row in theta])


def run_coverage(models, points, recipe, note):
    """How often intervals hold the truth, without and with the generator's own error."""
    generator = judged(models.generator)
    print(f"the generator's error: {generator.error_factor:.2f} times what it says", flush=True)
    for family, level in (("own", 0.0), ("own", 1.0), ("own", 3.0), ("step", 1.0)):
        pulls, widths = {"noise": [], "noise and generator": []}, []
        for k, truth in enumerate(points):
            measurement, _ = spoilt(truth, family, level, k, recipe)
            problem, search = robust_fit(generator, measurement)
            best = search.best.parameters
            noise = information_covariance(problem, best, BOX).matrix
            both = noise + surrogate_covariance(problem, best, BOX).matrix
            free = np.diag(noise)[:2] > 0
            for name, matrix in (("noise", noise), ("noise and generator", both)):
                pulls[name].append(np.abs(best - truth)[:2][free] / np.sqrt(np.diag(matrix)[:2][free]))
            widths.append(np.sqrt(np.diag(both)[:2][free] / np.diag(noise)[:2][free]))
        for name, parts in pulls.items():
            all_pulls = np.concatenate(parts)
            shares = {f"{z:g} σ": float(np.mean(all_pulls < z)) for z in (1.0, 1.96)}
            note(f"coverage of J2 and J3, {name}", family, level, all_pulls.tolist(), shares=shares)
        print(f"  widths: {np.median(np.concatenate(widths)):.2f} times those of the noise", flush=True)


def noting(log):
    """Return a function that prints a row and appends it to a file."""

    def note(name, family, level, errors, **more):
        text = f"{name:50s} {family:10s} {level:3g}  {np.median(errors):.3f}/{np.quantile(errors, 0.9):.3f}"
        if "down" in more:
            text += f"  left out {np.median(more['down']):.2f} to {np.max(more['down']):.2f}, {more['seconds']:.3f} s"
            text += f", flagged {more['flagged']:.2f}"
        text += f"  {more['shares']}" if "shares" in more else ""
        print(text, flush=True)
        if log:
            with Path(log).open("a") as file:
                row = {"name": name, "family": family, "level": level, "errors": errors, **more}
                file.write(json.dumps(row) + "\n")

    return note


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truths", type=int, default=60)
    parser.add_argument("--unknown", type=int, default=None)
    parser.add_argument("--part", choices=("ours", "others", "coverage"), action="append")
    parser.add_argument("--log")
    parser.add_argument("--work", default=None, help="folder where what is trained is kept; a new one by default")
    parser.add_argument("--family", choices=FAMILIES, action="append", help="of the parts ours and others")
    asked = parser.parse_args()
    recipe = secrets.randbits(32) if asked.unknown is None else asked.unknown
    print(f"unknown family: seed {recipe}", flush=True)
    parts, note, points = asked.part or ("ours", "coverage", "others"), noting(asked.log), truths(asked.truths)
    torch.set_num_threads(1)
    with threadpool_limits(1):
        folder = Path(asked.work or tempfile.mkdtemp())
        folder.mkdir(parents=True, exist_ok=True)
        known = library(folder)
        models = Models(known, folder, others="others" in parts)
        families = asked.family or FAMILIES
        if "ours" in parts:
            run_ours(models, points, recipe, note, families)
        if "coverage" in parts:
            run_coverage(models, points, recipe, note)
        if "others" in parts:
            run_others(known, models, points, recipe, note, families)


if __name__ == "__main__":
    main()
