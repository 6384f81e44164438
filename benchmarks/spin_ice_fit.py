"""Couplings of a dipolar spin ice from simulated diffuse scattering: several temperatures, robustness, regions.

    python benchmarks/spin_ice_fit.py INDEX FOLDER [--part fits|oracle|rounds|region|treated] [--truths 20]

INDEX is ``results/dy2ti2o7_fit/collect/index.json``, simulated points; FOLDER holds truths (spin_ice_truths.py), which
nothing learns from, ten times as long. The generator (components and Gaussian processes) learns the (h h l) plane at
some temperatures together. Counts and artefacts are drawn here; what the generator does not know is in the errors. The
error of a coupling is |Δ|/range of the box; that of dy2ti2o7.yaml (0.6, 0.6, 0.4 K) is 2.5, 3.75 and 2.5 times as wide.

``fits``: the robust fit through the generator, clean and with powder rings, Bragg leakage, background and gaps.
``oracle``: what counting alone leaves where artefacts are known exactly: the bound of ``fits``.
``rounds``: fits with and without the points that ``spin_ice_rounds.py`` simulated, beside those of the grid.
``region``: couplings that are acceptable, with and without the heat capacity.
``treated``: untreated and treated data through an autoencoder taught to see through artefacts, and through PCA.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from spin_ice_truths import NAMES, STUDY, simulated, truth
from spinscape.config.axes import conditions, volume
from spinscape.config.build_model import build_model
from spinscape.config.couplings import theta_from_couplings
from spinscape.config.load import load_study
from spinscape.config.montecarlo import montecarlo_settings
from spinscape.experiment import artefacts
from spinscape.experiment.measurement import Measurement
from spinscape.infer.box import Box
from spinscape.infer.generator_forward import generator_forward, surrogate_covariance
from spinscape.infer.intervals import information_covariance
from spinscape.infer.problem import Problem
from spinscape.infer.robust_descents import RobustDescents
from spinscape.infer.robust_tiled import robust_tiled
from spinscape.lattice.simplices import simplices
from spinscape.lattice.supercell import supercell
from spinscape.learn.augment import Artefacts, AugmentSettings, Momenta
from spinscape.learn.autoencoder import AutoencoderSettings
from spinscape.learn.compressor import fit_pca
from spinscape.learn.generator import fit_generator, fitted_process
from spinscape.learn.generator_error import with_measured_error
from spinscape.learn.images import Transform
from spinscape.learn.train_compressor import fit_autoencoder
from spinscape.observables.charges import Charges
from spinscape.plot.montecarlo import slices_figure
from spinscape.plot.region import charges_figure, region_figure
from spinscape.plot.style import png_bytes
from spinscape.simulate.montecarlo import MonteCarloSimulator
from spinscape.simulate.protocol import StreamKey
from spinscape.store.read import StudyStore
from spinscape.units import K_B

TOLD = (*NAMES, "J2 + 3 J3")
"""Where the ice rule holds J2 and J3 matter by the last one alone (tests/physics/test_ice_degeneracy.py)."""
COUNTS = 100.0
"""Counts of a pixel of mean intensity at 0.68 K, at every temperature in the same time."""
SEEN = {"0.68 K": (3,), "0.68 and 2 K": (3, 1), "0.68 to 4 K": (3, 2, 1, 0)}
"""Temperatures that are measured: their places in 4, 2, 1.2 and 0.68 K."""


@dataclass(frozen=True, eq=False)
class Points:
    """Simulated points: couplings (n, 3) in K, images (n, n_temperature, n_pixel), heat capacity and error (n, 7)."""

    theta: np.ndarray
    images: np.ndarray
    heat: np.ndarray
    heat_error: np.ndarray

    @classmethod
    def of_files(cls, found):
        """Return simulations of :mod:`spin_ice_truths` as points."""
        images = np.array([one["signal_hhl"] for one in found], dtype=np.float64)
        images = images.reshape(*images.shape[:2], -1)
        return cls(*(np.array([f["theta"] for f in found]), images),
                   *(np.array([f[n] for f in found]) for n in ("heat_capacity", "heat_capacity_error")))  # fmt: skip


def read_points(index):
    """Return all simulated points that are in equilibrium at every temperature."""
    with StudyStore(index) as store:
        columns = [store.parameter_names.index(name) for name in NAMES]
        every = np.flatnonzero(store.state == store.result_codes["done"])
        images = store.read_many("signal_hhl", every)
        heat, error = (store.read_many(name, every) for name in ("heat_capacity", "heat_capacity_error"))
        theta = store.theta[every][:, columns] / K_B
    return Points(theta, images.reshape(*images.shape[:2], -1).astype(np.float64), heat, error)


class Setting:
    """Training points, truths, the generator, and how measurements are made."""

    def __init__(self, index, folder, n_truth):
        self.folder, self.train = folder, read_points(index)
        self.grid = volume(load_study(STUDY), "hhl")
        self.box = Box(NAMES, self.train.theta.min(axis=0), self.train.theta.max(axis=0))
        self.numbers, tried = [], 0
        while len(self.numbers) < n_truth:
            if _disordered(truth(folder, tried)):
                self.numbers.append(tried)
            tried += 1
        self.truths = Points.of_files([truth(folder, k) for k in self.numbers])
        print(f"{len(self.train.theta)} points train; {tried - n_truth} of {tried} truths order, and are left out")
        self.hkl = self.grid.points
        self.plane = np.stack([self.hkl[:, 0], self.hkl[:, 2]], axis=1)
        self.modulus = np.linalg.norm(self.hkl, axis=1)

    def generator(self, which, more=None):
        """Return the generator of some temperatures, of the grid's points and of more."""
        theta, images = self.train.theta, self.train.images[:, which].reshape(len(self.train.theta), -1)
        if more is not None:
            theta = np.concatenate([theta, more.theta])
            images = np.concatenate([images, more.images[:, which].reshape(len(more.theta), -1)])
        components = fit_pca(images, n_latent=8 * len(which), transform=Transform("log1p"))
        return fit_generator(theta, components.encode(images), components, seed=1, parameter_names=NAMES)

    def spoilt(self, k, level):
        """Return what a level adds to every temperature, in the unit of the images, and which pixels it takes."""
        generator, added = np.random.default_rng([23, k]), np.zeros(len(self.hkl))
        if level <= 0:
            return added, np.zeros(len(self.hkl), bool)
        top, how = self.modulus.max(), {"level": level, "generator": generator}
        added += artefacts.powder_rings(
            self.modulus, radii=(0.3 * top, 0.5 * top, 0.72 * top), widths=(0.05, 0.05, 0.06), level=level
        )
        added += artefacts.smooth_background(self.modulus, **how)
        added += artefacts.bragg_leakage(self.hkl, height=20.0, width=0.06, **how)
        lost = artefacts.detector_gaps(self.plane, generator=generator)
        return added * self.truths.images[k, -1].mean(), lost

    def measured(self, k, level, which=(3,)):
        """Return measurements of a truth, one for each temperature: counts, and the artefacts of a level."""
        added, lost = self.spoilt(k, level)
        per_unit, out = COUNTS / self.truths.images[k, -1].mean(), []
        for t in which:
            rng = np.random.default_rng([29, k, t, int(100 * level)])
            counts = rng.poisson(per_unit * (self.truths.images[k, t] + added))
            known = {"counts_per_unit": per_unit}
            out.append(
                Measurement(f"hhl{t}", self.grid, None, (counts / per_unit)[:, None], ~lost[:, None], provenance=known)
            )
        return out

    def problem(self, measurements, generator):
        """Return the robust fit through the generator."""
        size = len(self.hkl)
        forward = generator_forward(
            generator, measurements, voxels=[(self.grid, j * size) for j in range(len(measurements))]
        )
        return Problem(forward, robust_tiled(measurements, model_error=0.02))

    def error(self, found, k):
        """Return |Δ|/range of each coupling, and of J2 + 3 J3, (4,)."""
        turned = np.vstack([np.eye(3), [1.0, 3.0, 0.0]])
        return np.abs(turned @ (found - self.truths.theta[k])) / (turned @ self.box.width)


def told(name, errors):
    """Print median and 90th percentile of errors (n, 4)."""
    middle, high = np.median(errors, axis=0), np.quantile(errors, 0.9, axis=0)
    each = ", ".join(f"{n} {100 * m:.2f}/{100 * h:.2f}" for n, m, h in zip(TOLD, middle, high, strict=True))
    print(f"{name:34s} {each} %", flush=True)


def _disordered(one):
    return str(one["code"]) == "done" and "'class': 'disordered'" in str(one["diagnostics"])


def fits(setting):
    """The robust fit at rising levels."""
    for name, which in SEEN.items():
        generator = setting.generator(which)
        for level in (0.0, 1.0, 3.0):
            found = []
            for k in range(len(setting.numbers)):
                problem = setting.problem(setting.measured(k, level, which), generator)
                found.append(setting.error(RobustDescents().minimise(problem, setting.box, 1).best.parameters, k))
            told(f"robust fit, {name}, level {level:g}", np.array(found))


def oracle(setting):
    """Standard deviations where the added intensity is known: its counts and the lost pixels, and one free scale."""
    turned = np.vstack([np.eye(3), [1.0, 3.0, 0.0]])
    for name, which in SEEN.items():
        generator, found = setting.generator(which), {}
        for k, theta in enumerate(setting.truths.theta):
            slopes = generator.gradient(theta)[0].reshape(3, len(which), -1)
            for level in (0.0, 1.0, 3.0):
                added, lost = setting.spoilt(k, level)
                per_unit, matrix = COUNTS / setting.truths.images[k, -1].mean(), np.zeros((3, 3))
                for j, t in enumerate(which):
                    image = setting.truths.images[k, t]
                    root = np.where(lost, 0.0, np.sqrt(per_unit / (image + added)))
                    columns, along = root * slopes[:, j], root * image
                    columns = columns - np.outer(columns @ along, along) / (along @ along)
                    matrix += columns @ columns.T
                std = np.sqrt(np.diag(turned @ np.linalg.inv(matrix) @ turned.T)) / (turned @ setting.box.width)
                found.setdefault(level, []).append(std)
        for level, std in found.items():
            ratio = np.median(np.array(std) / np.array(found[0.0]), axis=0)
            told(f"oracle, {name}, level {level:g}, 1 σ", np.array(std))
            print(
                "    over level 0: " + ", ".join(f"{n} {r:.2f}" for n, r in zip(TOLD, ratio, strict=True)), flush=True
            )


def rounds(setting):
    """Fits with the points that Gaussian-process rounds chose for a truth, simulated, beside those of the grid."""
    for name, which in SEEN.items():
        plain, better, sizes, plain_of = setting.generator(which), [], [], []
        for k, number in enumerate(setting.numbers):
            own = [simulated(setting.folder, f.stem, None) for f in Path(setting.folder).glob(f"round-{number:03d}-*")]
            own = [one for one in own if _disordered(one)]
            if not own:
                continue
            measurements = setting.measured(k, 0.0, which)
            for generator, out in ((plain, plain_of), (setting.generator(which, Points.of_files(own)), better)):
                problem = setting.problem(measurements, generator)
                out.append(setting.error(RobustDescents().minimise(problem, setting.box, 1).best.parameters, k))
            sizes.append(len(own))
        told(f"{name}, grid alone, {len(better)} truths", np.array(plain_of))
        told(f"{name}, and {min(sizes)} to {max(sizes)} of rounds", np.array(better))


def region(setting, figures):
    """Acceptable couplings with and without heat capacity: volume and coverage of the 68 and 95 % regions.

    The heat capacity has 2 % errors at the seven temperatures of the study; the noise of a truth's simulation, and
    the standard deviation of the Gaussian process of each, are added in squares. The generator's error is measured at
    the other half of the truths.
    """
    processes = [fitted_process(setting.train.theta, np.log(column)) for column in setting.train.heat.T]
    limits, n = {"68 %": 3.5059, "95 %": 7.8147}, len(setting.numbers)
    for name, which in SEEN.items():
        generator, ratio, held = setting.generator(which), [], {}
        images = setting.truths.images[:, which].reshape(n, -1)
        halves = [np.arange(n) % 2 == h for h in (0, 1)]
        known = [with_measured_error(generator, setting.truths.theta[h], images[h][:, None]) for h in halves]
        print(f"{name}: errors measured {known[0].error_factor:.2f} and {known[1].error_factor:.2f} times as stated")
        for k, theta in enumerate(setting.truths.theta):
            problem = setting.problem(setting.measured(k, 0.0, which), known[1 - k % 2])
            best = RobustDescents().minimise(problem, setting.box, 1).best.parameters
            of_noise = information_covariance(problem, best, setting.box)
            if of_noise.fixed:
                continue
            matrix = of_noise.matrix + surrogate_covariance(problem, best, setting.box).matrix
            at, both = _with_heat(setting, processes, k, best, matrix)
            ratio.append(np.sqrt(np.linalg.det(both) / np.linalg.det(matrix)))
            regions = {"scattering alone": (best, matrix), "with heat capacity": (at, both)}
            for label, (centre, cov) in regions.items():
                held.setdefault(label, []).append((theta - centre) @ np.linalg.solve(cov, theta - centre))
            if figures and len(ratio) == 1 and len(which) == 1:
                drawn = region_figure(
                    names=("J2", "J3", "J3'"), units=("K",) * 3, regions=regions, truth=theta, simulated=True
                )
                (Path(figures) / "spin_ice_region.png").write_bytes(png_bytes(drawn, dpi=90))
        print(f"{name}: volume with heat capacity {np.median(ratio):.2f} of that without (median of {len(ratio)})")
        for label, away in held.items():
            shares = ", ".join(f"{level} {np.sum(np.array(away) < limit)}" for level, limit in limits.items())
            print(f"{name}, {label}: truth inside the region, of {len(away)}: {shares}", flush=True)


def _with_heat(setting, processes, k, at, matrix):
    """Return centre and covariance of a region after the heat capacity, temperature by temperature."""
    rng = np.random.default_rng([31, k])
    for t, process in enumerate(processes):
        noise = np.hypot(0.02, setting.truths.heat_error[k, t] / setting.truths.heat[k, t])
        seen = np.log(setting.truths.heat[k, t]) + 0.02 * rng.standard_normal()
        mean, std = (x[0] for x in process.predict(at[None]))
        slope = process.gradient(at[None])[0]
        gain = matrix @ slope / (noise**2 + std**2 + slope @ matrix @ slope)
        at, matrix = at + gain * (seen - mean), matrix - np.outer(gain, slope @ matrix)
    return at, matrix


def treated(setting, figures):
    """Untreated and treated data through an autoencoder that was taught to see through artefacts, and through PCA."""
    train = setting.train.images[:, -1]
    seen = Artefacts(Momenta(setting.hkl, setting.modulus), AugmentSettings(n_pattern=128), seed=0)
    settings = AutoencoderSettings(n_latent=4, sees="voxels", input_noise=0.02, n_epoch=1000, batch_size=16)
    taught, _ = fit_autoencoder(train, settings, seed=1, transform=Transform("log1p"), augment=seen)
    pca = fit_pca(train, n_latent=20)
    for name, compressor in (("taught autoencoder", taught), ("principal components", pca)):
        apart = []
        for k in range(len(setting.numbers)):
            pair = [setting.measured(k, level)[0] for level in (0.0, 1.0)]
            a, b = (compressor.decode(compressor.encode(m.signal.T, m.valid.T))[0] for m in pair)
            apart.append(np.linalg.norm(a - b) / np.linalg.norm(a))
        print(f"untreated and treated through {name}: {100 * np.median(apart):.1f} % apart (median), "
              f"{100 * np.quantile(apart, 0.9):.1f} % (90th percentile)", flush=True)  # fmt: skip
    if figures:
        draw_treated(setting, taught, pca, Path(figures))


def draw_treated(setting, taught, pca, folder, k=0):
    """Draw one truth as measured, through both compressors, and its best model, whose tetrahedra are drawn beside."""
    plain, spoilt = setting.measured(k, 0.0)[0], setting.measured(k, 1.0)[0]
    best = RobustDescents().minimise(setting.problem([spoilt], setting.generator((3,))), setting.box, 1).best.parameters
    image, positions, charges = best_model(best)
    rows = []
    for measurement in (spoilt, plain):
        seen = np.where(measurement.valid, measurement.signal, np.nan).ravel()
        through = [c.decode(c.encode(measurement.signal.T, measurement.valid.T))[0] for c in (taught, pca)]
        last = image if measurement is spoilt else setting.truths.images[k, -1]
        rows.append([(setting.grid, one.reshape(setting.grid.shape)) for one in (seen, *through, last)])
    columns = ("", "taught autoencoder", "principal components", "best model above, truth below")
    drawn = slices_figure(slices=rows, columns=columns, rows=("untreated", "treated"), label="S(Q)")
    (folder / "spin_ice_treated.png").write_bytes(png_bytes(drawn, dpi=80))
    title = ", ".join(f"{n} = {x:.3f} K" for n, x in zip(NAMES, best, strict=True))
    drawn = charges_figure(positions=positions, charges=charges, title=title)
    (folder / "spin_ice_charges.png").write_bytes(png_bytes(drawn, dpi=90))


def best_model(best):
    """Return the image of couplings (3,) in K, and places and charges of the tetrahedra of a last configuration."""
    study = load_study(STUDY)
    model, _ = build_model(study)
    settings = replace(montecarlo_settings(study.simulate, study), keep=("configurations",))
    theta = theta_from_couplings(study, dict(zip(NAMES, K_B * np.asarray(best), strict=True)))
    result = MonteCarloSimulator(model, settings, conditions(study)).run(theta, StreamKey(68, "best model"))
    cell = supercell(settings.supercell, n_site=len(model.crystal.positions))
    charges = Charges(model.crystal, simplices(model.crystal), cell)
    spins = result.arrays["configurations"][-1, 0]
    print(
        f"best model: {result.code}; monopoles on {np.mean(np.abs(charges.of(spins))):.3f} of the tetrahedra",
        flush=True,
    )
    return result.arrays["signal_hhl"][-1].ravel(), charges.positions, charges.of(spins)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index")
    parser.add_argument("folder")
    parser.add_argument("--part", choices=("fits", "oracle", "rounds", "region", "treated"), action="append")
    parser.add_argument("--truths", type=int, default=20)
    parser.add_argument("--seen", choices=tuple(SEEN), action="append", help="temperatures; all by default")
    parser.add_argument("--figures")
    asked = parser.parse_args()
    for name in set(SEEN) - set(asked.seen or SEEN):
        del SEEN[name]
    torch.set_num_threads(1)
    with threadpool_limits(1):
        setting = Setting(asked.index, asked.folder, asked.truths)
        for part in asked.part or ("fits", "oracle", "rounds", "region", "treated"):
            {
                "fits": lambda: fits(setting),
                "oracle": lambda: oracle(setting),
                "rounds": lambda: rounds(setting),
                "region": lambda: region(setting, asked.figures),
                "treated": lambda: treated(setting, asked.figures),
            }[part]()


if __name__ == "__main__":
    main()
