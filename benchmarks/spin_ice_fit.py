"""Couplings of a dipolar spin ice from simulated diffuse scattering: robustness, rounds, acceptable couplings.

    python benchmarks/spin_ice_fit.py INDEX [--part fits|rounds|region|treated] [--truths 20] [--figures FOLDER]

INDEX is ``results/dy2ti2o7_fit/collect/index.json``, simulated points. Truths are simulated points that nothing learns
from; the others train the generator (components and Gaussian processes) of the (h h l) plane. So every "measurement"
is a Monte Carlo simulation with noise of its own, plus counts and artefacts, and what the generator does not know of it
is in the errors. The error of a coupling is |Δ|/range. J2 and J3 alone can hardly be told: docs/theory/robust.md.

``fits``: the robust fit through the generator, clean and with powder rings, Bragg leakage, background and gaps.
``rounds``: Gaussian-process rounds whose simulations the generator stands in for, with the noise of a simulation.
``region``: couplings that are acceptable, with and without the heat capacity at the same temperature.
``treated``: untreated and treated data through an autoencoder taught to see through artefacts, and through PCA.
"""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from spinscape.config.axes import conditions, volume
from spinscape.config.build_model import build_model
from spinscape.config.couplings import theta_from_couplings
from spinscape.config.load import load_study
from spinscape.config.montecarlo import montecarlo_settings
from spinscape.experiment import artefacts
from spinscape.experiment.measurement import Measurement
from spinscape.infer.box import Box
from spinscape.infer.gaussian_process import GaussianProcessRounds
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

STUDY = Path(__file__).parents[1] / "config" / "studies" / "dy2ti2o7_fit.yaml"
NAMES = ("J2", "J3", "J3p")
TOLD = (*NAMES, "J2 + 3 J3")
"""Where the ice rule holds J2 and J3 matter by the last one alone (tests/physics/test_ice_degeneracy.py)."""
COUNTS = 100.0
"""Counts of a pixel of mean intensity."""


@dataclass(frozen=True, eq=False)
class Points:
    """Simulated points: couplings (n, 3) in K, images (n, n_pixel), heat capacity and its error (n,) in k_B."""

    theta: np.ndarray
    images: np.ndarray
    heat: np.ndarray
    heat_error: np.ndarray

    def taken(self, which):
        """Return some of the points."""
        return Points(self.theta[which], self.images[which], self.heat[which], self.heat_error[which])


def read_points(index):
    """Return all simulated points that are in equilibrium, and the grid of the (h h l) plane."""
    with StudyStore(index) as store:
        columns = [store.parameter_names.index(name) for name in NAMES]
        every = np.flatnonzero(store.state == store.result_codes["done"])
        images = store.read_many("signal_hhl", every).reshape(len(every), -1)
        heat, error = (store.read_many(name, every)[:, 0] for name in ("heat_capacity", "heat_capacity_error"))
        theta = store.theta[every][:, columns] / K_B
    return Points(theta, images.astype(np.float64), heat, error), volume(load_study(STUDY), "hhl")


class Setting:
    """Training points, truths, the generator, and how measurements are made."""

    def __init__(self, index, n_truth, *, seed=20):
        points, self.grid = read_points(index)
        self.box = Box(NAMES, points.theta.min(axis=0), points.theta.max(axis=0))
        # Truths lie inside: at the edge of the box a fit is helped by it.
        inside = np.all(np.abs(self.box.to_unit(points.theta) - 0.5) < 0.42, axis=1)
        chosen = np.random.default_rng(seed).permutation(np.flatnonzero(inside))[:n_truth]
        rest = np.setdiff1d(np.arange(len(points.theta)), chosen)
        self.truths, self.train = points.taken(chosen), points.taken(rest)
        self.hkl = self.grid.points
        self.plane = np.stack([self.hkl[:, 0], self.hkl[:, 2]], axis=1)
        self.modulus = np.linalg.norm(self.hkl, axis=1)
        components = fit_pca(self.train.images, n_latent=10, transform=Transform("log1p"))
        latent = components.encode(self.train.images)
        self.generator = fit_generator(self.train.theta, latent, components, seed=1, parameter_names=NAMES)
        left = self.generator.predict(self.truths.theta) - self.truths.images
        spread = self.truths.images - self.train.images.mean(axis=0)
        print(f"{len(rest)} points train; held-out error {np.sum(left**2) / np.sum(spread**2):.4f}", flush=True)

    def measured(self, k, level):
        """Return a measurement of a truth: counts, and at a level powder rings, Bragg leakage, background and gaps."""
        generator = np.random.default_rng([23, k])
        image = self.truths.images[k]
        how, added, lost = {"level": level, "generator": generator}, [], []
        if level > 0:
            top = self.modulus.max()
            rings = artefacts.powder_rings(
                self.modulus, radii=(0.3 * top, 0.5 * top, 0.72 * top), widths=(0.05, 0.05, 0.06), level=level
            )
            added = [rings, artefacts.smooth_background(self.modulus, **how)]
            added.append(artefacts.bragg_leakage(self.hkl, height=20.0, width=0.06, **how))
            lost = [artefacts.detector_gaps(self.plane, generator=generator)]
        found = artefacts.contaminated(image, added=added, lost=lost, counts_per_mean=COUNTS, generator=generator)
        per_unit = {"counts_per_unit": COUNTS / image.mean()}
        return Measurement("hhl", self.grid, None, found.values[:, None], found.valid[:, None], provenance=per_unit)

    def problem(self, measurement):
        """Return the robust fit through the generator."""
        forward = generator_forward(self.generator, [measurement], voxels=[(self.grid, 0)])
        return Problem(forward, robust_tiled([measurement], model_error=0.05))

    def error(self, found, k):
        """Return |Δ|/range of each coupling, and of J2 + 3 J3, (4,)."""
        turned = np.vstack([np.eye(3), [1.0, 3.0, 0.0]])
        return np.abs(turned @ (found - self.truths.theta[k])) / (turned @ self.box.width)


def told(name, errors):
    """Print median and 90th percentile of errors (n, 4)."""
    middle, high = np.median(errors, axis=0), np.quantile(errors, 0.9, axis=0)
    each = ", ".join(f"{n} {100 * m:.2f}/{100 * h:.2f}" for n, m, h in zip(TOLD, middle, high, strict=True))
    print(f"{name:34s} {each} %", flush=True)


def fits(setting):
    """The robust fit at rising levels."""
    for level in (0.0, 1.0, 3.0):
        found = []
        for k in range(len(setting.truths.theta)):
            problem = setting.problem(setting.measured(k, level))
            found.append(setting.error(RobustDescents().minimise(problem, setting.box, 1).best.parameters, k))
        told(f"robust fit, level {level:g}", np.array(found))


class StandIn:
    """The generator as a simulator: its image, times the noise of one simulation, drawn anew for every call."""

    def __init__(self, setting, k):
        self.generator, self.rng = setting.generator, np.random.default_rng([29, k])
        left = np.log(np.maximum(setting.train.images, 1e-3) / np.maximum(self.mean(setting.train.theta), 1e-3))
        self.noise = float(np.median(np.abs(left))) / 0.6745

    def mean(self, theta):
        """Return generated images (m, n_pixel)."""
        return self.generator.predict(theta)

    def __call__(self, theta):
        """Return one noisy image (n_pixel, 1)."""
        image = self.mean(theta)[0]
        return (image * np.exp(self.noise * self.rng.standard_normal(len(image))))[:, None]


def rounds(setting, n_call=600):
    """Gaussian-process rounds of both kinds, of at most ``n_call`` simulations by the stand-in."""
    for acquisition in ("cutoff", "expected_improvement"):
        n_new = 48 if acquisition == "cutoff" else 12
        n_round = 8 if acquisition == "cutoff" else 12
        strategy = GaussianProcessRounds(128, n_round, n_new, acquisition, keep=32)
        found, calls = [], []
        for k in range(len(setting.truths.theta)):
            objective, simulate = robust_tiled([setting.measured(k, 0.0)], model_error=0.05), StandIn(setting, k)
            search = strategy.minimise(lambda x, o=objective, s=simulate: o.value((s(x),)), setting.box, 1)
            found.append(setting.error(search.best.parameters, k))
            calls.append(search.n_call)
        told(f"rounds, {acquisition}, {max(calls)} calls", np.array(found))
        if max(calls) > n_call:
            raise ValueError(f"{max(calls)} simulations, more than {n_call}")


def region(setting, figures):
    """Acceptable couplings with and without heat capacity: volume and coverage of the 68 and 95 % regions."""
    heat = fitted_process(setting.train.theta, np.log(setting.train.heat))
    left = heat.predict(setting.truths.theta)[0] - np.log(setting.truths.heat)
    own, noise = 1.4826 * np.median(np.abs(left)), np.median(setting.truths.heat_error / setting.truths.heat)
    print(f"heat capacity: surrogate and simulation apart by {own:.3f}, the noise of a simulation is {noise:.3f}")
    limits, ratio, held = {"68 %": 3.5059, "95 %": 7.8147}, [], {}
    for k, truth in enumerate(setting.truths.theta):
        problem = setting.problem(setting.measured(k, 0.0))
        best = RobustDescents().minimise(problem, setting.box, 1).best.parameters
        of_noise = information_covariance(problem, best, setting.box)
        if of_noise.fixed:
            continue
        matrix = of_noise.matrix + surrogate_covariance(problem, best, setting.box).matrix
        rng = np.random.default_rng([31, k])
        sigma = np.hypot(0.05, own)
        seen = np.log(setting.truths.heat[k]) + 0.05 * rng.standard_normal()
        slope, there = heat.gradient(best[None])[0], heat.mean_at(best[None])[0]
        gain = matrix @ slope / (sigma**2 + slope @ matrix @ slope)
        both = matrix - np.outer(gain, slope @ matrix)
        at = best + gain * (seen - there)
        ratio.append(np.sqrt(np.linalg.det(both) / np.linalg.det(matrix)))
        for name, centre, cov in (("scattering alone", best, matrix), ("with heat capacity", at, both)):
            away = (truth - centre) @ np.linalg.solve(cov, truth - centre)
            held.setdefault(name, []).append(away)
        if figures and len(ratio) == 1:
            regions = {"scattering alone": (best, matrix), "with heat capacity": (at, both)}
            drawn = region_figure(
                names=("J2", "J3", "J3'"), units=("K",) * 3, regions=regions, truth=truth, simulated=True
            )
            (Path(figures) / "spin_ice_region.png").write_bytes(png_bytes(drawn, dpi=90))
    print(f"accepted volume with heat capacity: {np.median(ratio):.2f} of that without (median of {len(ratio)})")
    for name, away in held.items():
        shares = ", ".join(f"{label} {np.mean(np.array(away) < limit):.2f}" for label, limit in limits.items())
        print(f"truth inside the region, {name}: {shares}", flush=True)


def treated(setting, figures):
    """Untreated and treated data through an autoencoder that was taught to see through artefacts, and through PCA."""
    train = setting.train.images
    seen = Artefacts(Momenta(setting.hkl, setting.modulus), AugmentSettings(n_pattern=128), seed=0)
    settings = AutoencoderSettings(n_latent=4, sees="voxels", input_noise=0.02, n_epoch=1000, batch_size=16)
    taught, _ = fit_autoencoder(train, settings, seed=1, transform=Transform("log1p"), augment=seen)
    pca = fit_pca(train, n_latent=20)
    for name, compressor in (("taught autoencoder", taught), ("principal components", pca)):
        apart = []
        for k in range(len(setting.truths.theta)):
            pair = [setting.measured(k, level) for level in (0.0, 1.0)]
            a, b = (compressor.decode(compressor.encode(m.signal.T, m.valid.T))[0] for m in pair)
            apart.append(np.linalg.norm(a - b) / np.linalg.norm(a))
        print(f"untreated and treated through {name}: {100 * np.median(apart):.1f} % apart (median), "
              f"{100 * np.quantile(apart, 0.9):.1f} % (90th percentile)", flush=True)  # fmt: skip
    if figures:
        draw_treated(setting, taught, pca, Path(figures))


def draw_treated(setting, taught, pca, folder, k=0):
    """Draw one truth as measured, through both compressors, and its best model, whose tetrahedra are drawn beside."""
    plain, spoilt = setting.measured(k, 0.0), setting.measured(k, 1.0)
    best = RobustDescents().minimise(setting.problem(spoilt), setting.box, 1).best.parameters
    image, positions, charges = simulated(best)
    rows = []
    for measurement in (spoilt, plain):
        seen = np.where(measurement.valid, measurement.signal, np.nan).ravel()
        through = [c.decode(c.encode(measurement.signal.T, measurement.valid.T))[0] for c in (taught, pca)]
        last = image if measurement is spoilt else setting.truths.images[k]
        rows.append([(setting.grid, one.reshape(setting.grid.shape)) for one in (seen, *through, last)])
    columns = ("", "taught autoencoder", "principal components", "best model above, truth below")
    drawn = slices_figure(slices=rows, columns=columns, rows=("untreated", "treated"), label="S(Q)")
    (folder / "spin_ice_treated.png").write_bytes(png_bytes(drawn, dpi=80))
    title = ", ".join(f"{n} = {x:.3f} K" for n, x in zip(NAMES, best, strict=True))
    drawn = charges_figure(positions=positions, charges=charges, title=title)
    (folder / "spin_ice_charges.png").write_bytes(png_bytes(drawn, dpi=90))


def simulated(best):
    """Return the image of couplings (3,) in K, and places and charges of the tetrahedra of a last configuration."""
    study = load_study(STUDY)
    model, _ = build_model(study)
    settings = replace(montecarlo_settings(study.simulate, study), keep=("configurations",))
    theta = theta_from_couplings(study, dict(zip(NAMES, K_B * np.asarray(best), strict=True)))
    result = MonteCarloSimulator(model, settings, conditions(study)).run(theta, StreamKey(68, "best model"))
    cell = supercell(settings.supercell, n_site=len(model.crystal.positions))
    charges = Charges(model.crystal, simplices(model.crystal), cell)
    spins = result.arrays["configurations"][0, 0]
    print(
        f"best model: {result.code}; monopoles on {np.mean(np.abs(charges.of(spins))):.3f} of the tetrahedra",
        flush=True,
    )
    return result.arrays["signal_hhl"][0].ravel(), charges.positions, charges.of(spins)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index")
    parser.add_argument("--part", choices=("fits", "rounds", "region", "treated"), action="append")
    parser.add_argument("--truths", type=int, default=20)
    parser.add_argument("--figures")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        setting = Setting(asked.index, asked.truths)
        for part in asked.part or ("fits", "rounds", "region", "treated"):
            {
                "fits": lambda: fits(setting),
                "rounds": lambda: rounds(setting),
                "region": lambda: region(setting, asked.figures),
                "treated": lambda: treated(setting, asked.figures),
            }[part]()


if __name__ == "__main__":
    main()
