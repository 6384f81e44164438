"""Couplings of a dipolar spin ice from simulated diffuse scattering: several temperatures, robustness, regions.

    python benchmarks/spin_ice_fit.py INDEX FOLDER [--part fits|surrogates|oracle|rounds|region|treated] [--truths 20]

INDEX is ``results/dy2ti2o7_fit/collect/index.json``, simulated points; FOLDER holds truths (spin_ice_truths.py), which
nothing learns from, ten times as long, and the points of rounds (spin_ice_rounds.py), which all fits share: at most 600
simulations each. A polynomial of every voxel learns the (h h l) plane at four temperatures, another one the heat
capacity at seven. Counts and artefacts are drawn here; what the polynomials do not know is in the errors. The error of
a coupling is |Δ|/range of the box of dy2ti2o7_fit, or of that of dy2ti2o7.yaml (0.6, 0.6, 0.4 K), as each table says.

``fits``: robust fits, clean and with powder rings, Bragg leakage, background and gaps; nothing shared by temperatures,
    scale and background, artefacts as well.
``surrogates``: clean fits through generators, beside those through polynomials.
``oracle``: what counting alone leaves where artefacts are known exactly: the bound of ``fits``.
``rounds``: with the points of rounds and without, with the heat capacity and without, more counts.
``region``: couplings that are acceptable, with and without the heat capacity: volume and coverage.
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
from spinscape.infer.generator_forward import generator_forward
from spinscape.infer.polynomial_model import basis_slope, polynomial_model, unit_couplings
from spinscape.infer.problem import Problem
from spinscape.infer.robust_descents import RobustDescents
from spinscape.infer.robust_tiled import robust_tiled
from spinscape.infer.tiled_blocks import SHARED
from spinscape.lattice.simplices import simplices
from spinscape.lattice.supercell import supercell
from spinscape.learn.augment import Artefacts, AugmentSettings, Momenta
from spinscape.learn.autoencoder import AutoencoderSettings
from spinscape.learn.compressor import fit_pca
from spinscape.learn.generator import fit_generator
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
SEEN = {"0.68 K": (3,), "0.68 to 4 K": (3, 2, 1, 0)}
"""Temperatures that are measured: their places in 4, 2, 1.2 and 0.68 K."""
ALL = SEEN["0.68 to 4 K"]
WIDE = np.array([0.6, 0.6, 0.4])
"""Ranges of dy2ti2o7.yaml, K."""
SHARES = {"nothing shared": (), "scale, background shared": SHARED[:2], "and artefacts": SHARED}
TURNED = np.vstack([np.eye(3), [1.0, 3.0, 0.0]])
PARTS = ("fits", "surrogates", "oracle", "rounds", "region", "treated")
SHOWN = 1.5
"""Temperature of the configuration that is drawn, K: at 0.68 K hardly a tetrahedron has a charge."""
HEAT = 0.02
"""Relative error of a measured heat capacity."""


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

    def rounds(self):
        """Return the points of all rounds that equilibrated and are disordered."""
        files = sorted(Path(self.folder).glob("round-*.npz"))
        return Points.of_files(
            [one for one in (simulated(self.folder, f.stem, None) for f in files) if _disordered(one)]
        )

    def points(self, *, rounds):
        """Return the points to learn from: those of the grid, and those of rounds."""
        if not rounds:
            return self.train
        parts = (self.train, self.rounds())
        names = ("theta", "images", "heat", "heat_error")
        return Points(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def model(self, which, *, rounds=True):
        """Return the polynomials of the images at some temperatures."""
        known = self.points(rounds=rounds)
        images = known.images[:, which].reshape(len(known.theta), -1)
        return _told_model("images", polynomial_model(known.theta, images, parameter_names=NAMES), known)

    def heat_model(self, *, rounds=True):
        """Return the polynomials of the heat capacity."""
        known = self.points(rounds=rounds)
        return _told_model("heat", polynomial_model(known.theta, known.heat, parameter_names=NAMES), known)

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

    def measured(self, k, level, which=(3,), counts=COUNTS, apart=0.0):
        """Return measurements of a truth, one for each temperature: counts, and the artefacts of a level.

        ``apart`` is by what share, at most, all artefacts of a temperature are stronger or weaker than the level says.
        """
        added, lost = self.spoilt(k, level)
        per_unit, out = counts / self.truths.images[k, -1].mean(), []
        for t in which:
            rng = np.random.default_rng([29, k, t, int(100 * level)])
            own = added * (1.0 + apart * np.random.default_rng([47, k, t]).uniform(-1.0, 1.0))
            seen = rng.poisson(per_unit * (self.truths.images[k, t] + own))
            known = {"counts_per_unit": per_unit}
            out.append(
                Measurement(f"hhl{t}", self.grid, None, (seen / per_unit)[:, None], ~lost[:, None], provenance=known)
            )
        return out

    def halves(self, model):
        """Return the model with its error measured at the truths of odd numbers, and at those of even ones.

        A fit of a truth takes the error that the others have shown; the noise of a truth's own simulation is in it.
        """
        images = self.truths.images[:, ALL].reshape(len(self.numbers), -1)
        others = [np.arange(len(self.numbers)) % 2 != half for half in (0, 1)]
        known = [with_measured_error(model, self.truths.theta[h], images[h][:, None]) for h in others]
        print("errors of the polynomials measured: " + ", ".join(f"{m.error_factor:.2f}" for m in known) + " times")
        return known

    def problem(self, measurements, model, *, share=SHARED):
        """Return the robust fit through the polynomials."""
        places = [(self.grid, j * len(self.hkl)) for j in range(len(measurements))]
        forward = generator_forward(model, measurements, voxels=places)
        return Problem(
            forward, robust_tiled(measurements, model_error=0.0, share=share if len(measurements) > 1 else ())
        )

    def error(self, found, k, ranges=None):
        """Return |Δ|/range of each coupling, and of J2 + 3 J3, (4,)."""
        ranges = self.box.width if ranges is None else ranges
        return np.abs(TURNED @ (found - self.truths.theta[k])) / (TURNED @ ranges)


def _told_model(what, model, known):
    tried = ", ".join(f"{d}: {1e3 * e:.3f}" for d, e in model.left_out)
    print(f"{what}: degree {model.degree} through {len(known.theta)} points; left out, 1e-3: {tried}", flush=True)
    return model


def told(name, errors):
    """Print median and 90th percentile of errors (n, 4)."""
    middle, high = np.median(errors, axis=0), np.quantile(errors, 0.9, axis=0)
    each = ", ".join(f"{n} {100 * m:.2f}/{100 * h:.2f}" for n, m, h in zip(TOLD, middle, high, strict=True))
    print(f"{name:34s} {each} %", flush=True)


def _disordered(one):
    return str(one["code"]) == "done" and "'class': 'disordered'" in str(one["diagnostics"])


def best_of(setting, problem):
    """Return the couplings of a robust fit."""
    return RobustDescents().minimise(problem, setting.box, 1).best.parameters


def fits(setting):
    """The robust fit at rising levels."""
    for name, which in SEEN.items():
        model = setting.model(which)
        for words, share in SHARES.items():
            for level in (0.0, 1.0, 3.0):
                found = []
                for k in range(len(setting.numbers)):
                    problem = setting.problem(setting.measured(k, level, which), model, share=share)
                    found.append(setting.error(best_of(setting, problem), k))
                told(f"{name}, {words}, level {level:g}", np.array(found))
            if len(which) == 1:
                break
        for apart in (0.05, 0.3) if len(which) > 1 else ():
            found, scatter = [], []
            for k in range(len(setting.numbers)):
                problem = setting.problem(setting.measured(k, 3.0, which, apart=apart), model)
                best = best_of(setting, problem)
                found.append(setting.error(best, k))
                scatter.append(problem.objective.scatter(problem.forward.predict(best)))
            told(f"{name}, everything shared, level 3, up to {100 * apart:g} % apart", np.array(found))
            print(f"    scatter {np.median(scatter):.2f}, {min(scatter):.2f} to {max(scatter):.2f}", flush=True)


def surrogates(setting):
    """Clean fits through generators of many components and of few, beside those through polynomials."""
    known = setting.points(rounds=True)
    images = known.images[:, ALL].reshape(len(known.theta), -1)
    models = {"polynomials": setting.model(ALL)}
    for n in (32, 5):
        pca = fit_pca(images, n_latent=n, transform=Transform("log1p"))
        models[f"generator, D = {n}"] = fit_generator(
            known.theta, pca.encode(images), pca, seed=1, parameter_names=NAMES, experts="one"
        )
    for name, model in models.items():
        ends = [
            best_of(setting, setting.problem(setting.measured(k, 0.0, ALL), model)) for k in range(len(setting.numbers))
        ]
        told(name, np.array([setting.error(theta, k) for k, theta in enumerate(ends)]))


def oracle(setting):
    """Standard deviations where the added intensity is known: its counts and the lost pixels, and one free scale.

    The noise of the simulations makes the slopes of the polynomials larger than they are, and with them what the data
    seem to know: its share of the information, known from the residuals, is taken off.
    """
    for name, which in SEEN.items():
        model, found = setting.model(which), {}
        of_slopes = _noise_in_patterns(model)
        for k in range(len(setting.numbers)):
            for level in (0.0, 1.0, 3.0):
                found.setdefault(level, []).append(_bound(setting, model, of_slopes, which, k, level))
        for level, std in found.items():
            ratio = np.nanmedian(np.array(std) / np.array(found[0.0]), axis=0)
            known = np.array(std)[~np.isnan(std).any(axis=1)]
            told(f"oracle, {name}, level {level:g}, 1 σ, {len(known)} truths", known)
            over = ", ".join(f"{n} {r:.2f}" for n, r in zip(TOLD, ratio, strict=True))
            print(f"    over level 0: {over}", flush=True)


def _noise_in_patterns(model):
    """Return the variance of one simulated root along the patterns that the slopes are made of, (n_pixel,)."""
    _, size, patterns = np.linalg.svd(model.coefficients[1:], full_matrices=False)
    patterns = patterns[size > 1e-6 * size[0]]
    return np.sum(((model.residuals @ patterns.T) @ patterns) ** 2, axis=0)


def _bound(setting, model, of_slopes, which, k, level):
    """Return one standard deviation of each coupling and of J2 + 3 J3 in parts of the range, (4,)."""
    theta = setting.truths.theta[k]
    added, lost = setting.spoilt(k, level)
    per_unit = COUNTS / setting.truths.images[k, -1].mean()
    image = setting.truths.images[k, which].ravel()
    root = np.where(np.tile(lost, len(which)), 0.0, np.sqrt(per_unit / (image + np.tile(added, len(which)))))
    columns, along = root * model.gradient(theta)[0], root * image
    columns = columns - np.outer(columns @ along, along) / (along @ along)
    u = unit_couplings(theta[None], model.box)
    slopes = np.stack([basis_slope(u, model.terms, j)[0] for j in range(3)]) / (np.ptp(model.box, axis=0)[:, None] / 2)
    of_noise = np.sum(root**2 * 4.0 * image * of_slopes)
    matrix = columns @ columns.T - of_noise * slopes @ model.spread @ slopes.T
    if np.linalg.eigvalsh(matrix)[0] <= 0:
        return np.full(len(TURNED), np.nan)  # noise of the slopes is all that there is along some direction
    return np.sqrt(np.diag(TURNED @ np.linalg.inv(matrix) @ TURNED.T)) / (TURNED @ setting.box.width)


def rounds(setting):
    """Clean fits with the points of rounds and without, with the heat capacity and without, at rising counts."""
    for more in (False, True):
        halves, of_heat = setting.halves(setting.model(ALL, rounds=more)), setting.heat_model(rounds=more)
        for counts in (COUNTS, 4 * COUNTS):
            found = {"no C(T)": [], "with C(T)": []}
            for k in range(len(setting.numbers)):
                problem = setting.problem(setting.measured(k, 0.0, ALL, counts), halves[k % 2])
                for words, (at, _) in zip(found, regions(setting, problem, of_heat, k), strict=True):
                    found[words].append(setting.box.clip(at))
            for words, ends in found.items():
                for label, ranges in (("dy2ti2o7_fit", setting.box.width), ("dy2ti2o7", WIDE)):
                    errors = [setting.error(theta, k, ranges) for k, theta in enumerate(ends)]
                    told(f"{counts:g} counts, {words}, range of {label}", np.array(errors))


def regions(setting, problem, of_heat, k):
    """Return centre and covariance of what scattering allows, and of what the heat capacity leaves of it."""
    alone = _parabola(setting, problem)
    return alone, _with_heat(setting, of_heat, k, *alone)


def region(setting, figures):
    """Acceptable couplings with and without heat capacity: volume and coverage of the 68 and 95 % regions."""
    halves, of_heat = setting.halves(setting.model(ALL)), setting.heat_model()
    limits, n = {"68 %": 3.5059, "95 %": 7.8147}, len(setting.numbers)
    held, volumes, whole, labels = {}, {}, [], ("scattering alone", "with heat capacity")
    for k, theta in enumerate(setting.truths.theta):
        problem = setting.problem(setting.measured(k, 0.0, ALL), halves[k % 2])
        both = dict(zip(labels, regions(setting, problem, of_heat, k), strict=True))
        whole.append(np.sqrt(np.linalg.det(both[labels[1]][1]) / np.linalg.det(both[labels[0]][1])))
        for label, (centre, matrix) in both.items():
            held.setdefault(label, []).append((theta - centre) @ np.linalg.solve(matrix, theta - centre))
            volumes.setdefault(label, []).append(_volume_in_box(setting, centre, matrix, limits["95 %"]))
        if figures and k == 0:
            drawn = region_figure(
                names=("J2", "J3", "J3'"), units=("K",) * 3, regions=both, truth=theta, simulated=True
            )
            (Path(figures) / "spin_ice_region.png").write_bytes(png_bytes(drawn, dpi=90))
    ratio = np.array(volumes[labels[1]]) / np.array(volumes[labels[0]])
    print(f"volume with heat capacity {np.median(ratio):.2f} of that without inside the box (median of {n}), "
          f"{np.median(whole):.2f} of the whole")  # fmt: skip
    for label, away in held.items():
        shares = ", ".join(f"{level} {np.sum(np.array(away) < limit)}" for level, limit in limits.items())
        size = 100 * np.median(volumes[label])
        print(f"{label}: volume {size:.4f} % of the box; truth inside, of {n}: {shares}", flush=True)


def _parabola(setting, problem):
    """Return minimum and covariance of the parabola that touches a problem at its best point, at an edge or not.

    The covariance is that of counts and of the polynomials: the noise of simulations is common to blocks of pixels.
    """
    best = best_of(setting, problem)
    predictions, jacobians = problem.linearise(best, setting.box)
    gradient, hessian = problem.objective.normal_equations(predictions, jacobians)
    shift = problem.objective.shift_of(predictions, jacobians, problem.forward.error_images(best))
    matrix = problem.objective.covariance(predictions, jacobians, hessian) + shift.T @ shift
    return best - np.linalg.solve(hessian, gradient), matrix


def _with_heat(setting, model, k, at, matrix):
    """Return centre and covariance of a region after the heat capacity: errors of the scattering are those of both.

    Twice, with slopes at the first answer: what the scattering allows is long, and the slopes change along it.
    """
    rng, clean = np.random.default_rng([31, k]), setting.truths.heat[k]
    seen = clean * (1.0 + HEAT * rng.standard_normal(len(clean)))
    here = setting.box.clip(at)
    for _ in range(2):
        slopes, errors = model.gradient(here)[0].T, model.error_columns(here)
        noise = np.diag((HEAT * clean) ** 2 + setting.truths.heat_error[k] ** 2) + errors.T @ errors
        gain = np.linalg.solve(slopes @ matrix @ slopes.T + noise, slopes @ matrix).T
        centre = at + gain @ (seen - model.predict(here)[0] - slopes @ (at - here))
        here = setting.box.clip(centre)
    return centre, matrix - gain @ slopes @ matrix


def _volume_in_box(setting, centre, matrix, limit):
    """Return the volume of an ellipsoid that lies inside the box, in parts of the box."""
    rng = np.random.default_rng(37)
    unit = rng.standard_normal((20_000, 3))
    unit *= (rng.random((20_000, 1)) ** (1 / 3)) / np.linalg.norm(unit, axis=1, keepdims=True)
    inside = centre + np.sqrt(limit) * unit @ np.linalg.cholesky(matrix).T
    share = np.mean(np.all((inside >= setting.box.lower) & (inside <= setting.box.upper), axis=1))
    return share * 4 / 3 * np.pi * np.sqrt(limit**3 * np.linalg.det(matrix)) / np.prod(setting.box.width)


def treated(setting, figures):
    """Untreated and treated data through an autoencoder that was taught to see through artefacts, and through PCA."""
    train = between_points(setting, 4000)
    seen = Artefacts(Momenta(setting.hkl, setting.modulus), AugmentSettings(n_pattern=512), seed=0)
    settings = AutoencoderSettings(
        n_latent=3, sees="voxels", input_noise=0.1, n_component=24, n_epoch=80, batch_size=32
    )
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


def between_points(setting, n):
    """Return images of the polynomials at couplings between simulated points and their neighbours, (n, n_pixel).

    An encoder learns the noise of a few hundred images; in these there is none.
    """
    theta, rng = setting.points(rounds=True).theta, np.random.default_rng(43)
    unit = theta / setting.box.width
    near = np.argsort(np.sum((unit[:, None] - unit[None]) ** 2, axis=-1), axis=1)[:, 1:11]
    first = rng.integers(len(theta), size=n)
    other, share = near[first, rng.integers(10, size=n)], rng.random((n, 1))
    return setting.model((3,)).predict(share * theta[first] + (1.0 - share) * theta[other])


def draw_treated(setting, taught, pca, folder, k=0):
    """Draw one truth as measured, through both compressors, and its best model, whose tetrahedra are drawn beside."""
    plain, spoilt = setting.measured(k, 0.0)[0], setting.measured(k, 1.0)[0]
    best = best_of(setting, setting.problem(setting.measured(k, 1.0, ALL), setting.model(ALL)))
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
    title = f"{SHOWN:g} K; " + ", ".join(f"{n} = {x:.3f} K" for n, x in zip(NAMES, best, strict=True))
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
    spins = result.arrays["configurations"][:, 0]
    for t, one in zip(settings.temperatures, spins, strict=True):
        print(f"{t:g} K: monopoles on {np.mean(charges.of(one) != 0):.4f} of the tetrahedra", flush=True)
    shown = settings.temperatures.index(SHOWN)
    return result.arrays["signal_hhl"][-1].ravel(), charges.positions, charges.of(spins[shown])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index")
    parser.add_argument("folder")
    parser.add_argument("--part", choices=PARTS, action="append")
    parser.add_argument("--truths", type=int, default=20)
    parser.add_argument("--seen", choices=tuple(SEEN), action="append", help="temperatures; all by default")
    parser.add_argument("--figures")
    asked = parser.parse_args()
    for name in set(SEEN) - set(asked.seen or SEEN):
        del SEEN[name]
    torch.set_num_threads(1)
    with threadpool_limits(1):
        setting = Setting(asked.index, asked.folder, asked.truths)
        for part in asked.part or PARTS:
            {
                "fits": lambda: fits(setting),
                "surrogates": lambda: surrogates(setting),
                "oracle": lambda: oracle(setting),
                "rounds": lambda: rounds(setting),
                "region": lambda: region(setting, asked.figures),
                "treated": lambda: treated(setting, asked.figures),
            }[part]()


if __name__ == "__main__":
    main()
