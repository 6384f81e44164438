"""Generators of a study whose images jump between phases: one process for all, a gate from labels, one from energies.

    python benchmarks/jumps.py STUDY.yaml RESULTS MODEL [--components 4] [--figure FILE --x J2 --y J3 --by J3p]

STUDY.yaml declares replicas and a model of kind compression; RESULTS is the folder of its simulations (model.json,
collect/index.json). Half a minute of CPU. Errors as the stage ``compress`` counts them: squared, over the spread of the
images, the scatter of the runs taken off; ``settled`` are points all of whose runs came to equilibrium. pull² is the
squared error over the stated variance, the noise of the runs' mean with it, in the mean (the median).
"""

import argparse
import time
from pathlib import Path

import numpy as np
from scipy.constants import Boltzmann, electron_volt
from threadpoolctl import threadpool_limits

from spinscape.config.build import compression_section
from spinscape.config.learning import CompressionSection
from spinscape.config.load import load_study
from spinscape.learn.compression import SURE
from spinscape.learn.compressor import batches_of, fit_pca
from spinscape.learn.generator import fit_generator
from spinscape.plot.generator_planes import Plane, planes_figure
from spinscape.plot.style import png_bytes
from spinscape.stages import compress
from spinscape.store.read import StudyStore

KELVIN = 1e3 * Boltzmann / electron_volt


class HeldOut:
    """Couplings and mean image of each held-out point, the scatter of that mean, and whether all runs settled."""

    def __init__(self, store, split, test, groups):
        self.theta, rows = split.held_out_theta, list(split.held_out.points())
        self.images = np.array([runs.mean(axis=0) for runs, _, _ in rows])
        self.noise = np.array([runs.var(axis=0, ddof=1).sum() / len(runs) for runs, _, _ in rows])
        done = store.state[test] == store.result_codes["done"]
        self.settled = np.array([done[groups == group].all() for group in np.unique(groups)])


def judged(generator, known, mean):
    """Return squared errors, spreads and stated variances of held-out points, each (n_point,), and probabilities."""
    image, std = generator.predict_with_std(known.theta)
    error = np.sum((image - known.images) ** 2, axis=1) - known.noise
    spread = np.sum((known.images - mean) ** 2, axis=1) - known.noise
    return error, spread, np.sum(std**2, axis=1), generator.probability(known.theta)


def told(name, generator, known, mean, seconds):
    """Print what is known of one generator; return the points' errors, over the spread of a point in the mean."""
    error, spread, stated, p = judged(generator, known, mean)
    sure = p.max(axis=1) > SURE
    print(f"{name}: {generator.n_phase} phases, {seconds:.0f} s of CPU to learn")
    groups = {"all": np.ones(len(sure), bool), "settled": known.settled, "not settled": ~known.settled, "sure": sure}
    for what, mine in {**groups, "not sure": ~sure, "settled, sure": known.settled & sure}.items():
        if not mine.any():
            continue
        total = spread.sum()
        own = error[mine] / spread[mine]
        pull = (error[mine] + known.noise[mine]) / (stated[mine] + known.noise[mine])
        text = f"  {what:>14}: {mine.sum():3d} points, {error[mine].sum() / spread[mine].sum():.2e} of their spread"
        text += f" ({error[mine].sum() / total:.2e} of that of all; four runs {known.noise[mine].sum() / total:.1e})"
        text += f"; median {np.median(own):.1e}, 90th {np.quantile(own, 0.9):.1e}"
        print(f"{text}; within two errors {np.mean(pull <= 4.0):.2f}, pull² {pull.mean():.2g} ({np.median(pull):.2g})")
    return error * len(error) / spread.sum()


def planes(generator, known, error, names, x, y, by):
    """Return what is drawn: planes of two couplings at the values of a third."""
    axis = {name: names.index(name) for name in (x, y, by)}
    values = np.unique(known.theta[:, axis[by]].round(12))
    out, shown = [], values[np.unique(np.linspace(0, len(values) - 1, 6).round().astype(int))]
    for value in shown:
        grid = [np.linspace(*generator.box[:, axis[name]], 81) for name in (x, y)]
        theta = np.tile(0.5 * generator.box.sum(axis=0), (81 * 81, 1))
        theta[:, axis[x]], theta[:, axis[y]] = (a.ravel() for a in np.meshgrid(*grid, indexing="xy"))
        theta[:, axis[by]] = value
        here = np.abs(known.theta[:, axis[by]] - value) < 1e-9
        points = known.theta[here][:, [axis[x], axis[y]]] / KELVIN
        p = generator.probability(theta).reshape(81, 81, -1)
        title = f"{by} = {value / KELVIN:.2f} K"
        out.append(Plane(title, grid[0] / KELVIN, grid[1] / KELVIN, p, points, error[here], known.settled[here]))
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study")
    parser.add_argument("results", type=Path)
    parser.add_argument("model")
    parser.add_argument("--components", type=int, default=4)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--x", default="J2")
    parser.add_argument("--y", default="J3")
    parser.add_argument("--by", default="J3p")
    asked = parser.parse_args()
    study = load_study(asked.study)
    section = compression_section(study, asked.model)
    declared = CompressionSection.model_validate(section["model"])
    with StudyStore(asked.results / "collect" / "index.json", replicas=True) as store, threadpool_limits(1):
        arrays = compress._arrays(store, declared.arrays, section, asked.results / "model.json")
        split = compress._Split(store, arrays, declared, replicas=True, seed=study.seed)
        known = HeldOut(store, split, *compress._replicated(store)[1:])
        pca = fit_pca(split.train, n_latent=asked.components)
        images = np.concatenate([values for values, _ in batches_of(split.train)]).astype(np.float64)
        latent, mean = pca.encode(images), images.mean(axis=0)
        slopes = compress._slopes(store, split.train_points)
        settled = store.state[split.train_points] == store.result_codes["done"]
        options = {"one process": {"experts": "one"}, "gate from labels": {}, "gate from energies": {"slopes": slopes}}
        for name, more in options.items():
            clock = time.process_time()
            names = store.parameter_names
            about = {"parameter_names": names, "images": split.train, "settled": settled}
            made = fit_generator(split.theta, latent, pca, seed=study.seed, **about, **more)
            error = told(name, made, known, mean, time.process_time() - clock)
        if asked.figure:
            drawn = planes_figure(planes(made, known, error, list(names), asked.x, asked.y, asked.by), asked.x, asked.y)
            asked.figure.write_bytes(png_bytes(drawn, dpi=100))


if __name__ == "__main__":
    main()
