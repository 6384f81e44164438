"""Compression and generation of a model with exact truth: held-out error against D, beside the reference's figures.

Square lattice, J1 = 1, J2, J3 and β on a grid of 8,100 points, self-consistent Gaussian, 24 × 24 pixels, noise of 22 %
a pixel: 2,000 images to learn from, 1,000 others with their truth. Run with ``python benchmarks/compression.py``; about
a quarter of an hour of CPU in one thread. ``--figure FILE`` draws the curves, ``--log FILE`` notes what is done and
goes on from there, ``--part`` chooses ``curves``, ``generator`` or ``large`` (2,000 volumes of 10⁵ voxels).
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import brentq
from threadpoolctl import threadpool_limits

from spinscape.learn.augment import AugmentSettings, Momenta
from spinscape.learn.autoencoder import AutoencoderSettings
from spinscape.learn.compression import (
    HeldOut,
    Method,
    Row,
    Trainer,
    generator_error,
    held_out_error,
    median_curve,
    planned,
    statement,
)
from spinscape.learn.compressor import fit_pca
from spinscape.learn.generator import fit_generator
from spinscape.learn.images import ArrayImages, Transform
from spinscape.learn.train_compressor import fit_autoencoder
from spinscape.plot.compression import compression_figure
from spinscape.plot.style import png_bytes

SEEDS = (1, 2, 3)
LOGARITHM = Transform("log1p", 1.0)
N_Q = 24
ASKED = 0.010
REFERENCE = {
    "pca": {4: 0.041, 8: 0.054, 20: 0.061, 100: 0.089, 200: 0.112},
    "logistic": {20: 0.045},
    "dense": {4: 0.009},
}
PAPER = {"n_component": N_Q**2, "input_noise": 0.0, "n_epoch": 300}
METHODS = (
    Method("pca", "pca", (1, 2, 3, 4, 6, 8, 20, 50, 100, 200)),
    Method("logistic", "logistic", (4, 8, 20), network=PAPER),
    Method("dense", "dense", (2, 3, 4, 6), LOGARITHM),
    Method("variational", "variational", (2, 4), LOGARITHM),
    Method("augmented", "dense", (4, 6), LOGARITHM, {"input_noise": 0.1}, AugmentSettings()),
)


def structure_factor(j2, j3, beta):
    """S(q) = 3/(λ + βJ(q)) on 24 × 24 points of [0, 2)² r.l.u., (576,)."""
    x, y = np.meshgrid(*[4.0 * np.pi * np.arange(N_Q) / N_Q] * 2, indexing="ij")
    far = 4 * j2 * np.cos(x) * np.cos(y) + 2 * j3 * (np.cos(2 * x) + np.cos(2 * y))
    j = beta * (2 * (np.cos(x) + np.cos(y)) + far).ravel()
    level = brentq(lambda z: np.mean(1.0 / (z + j)) - 1.0 / 3.0, -j.min() + 1e-9, -j.min() + 10.0, xtol=1e-13)
    return 3.0 / (level + j)


def grid_images(seed):
    """Return couplings, truth and noisy images of 2,000 points to learn from and of 1,000 others."""
    axes = np.linspace(-0.6, 0.9, 30), np.linspace(-0.5, 0.7, 30), np.linspace(1 / 3, 1 / 1.2, 9)
    theta = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    rng = np.random.default_rng(seed)
    theta = theta[rng.permutation(len(theta))[:3000]]
    truth = np.array([structure_factor(*row) for row in theta])
    noisy = truth * rng.gamma(20.0, 1.0 / 20.0, truth.shape)
    return (theta[:2000], truth[:2000], noisy[:2000]), (theta[2000:], truth[2000:], noisy[2000:])


def momenta():
    """Where the pixels lie."""
    axes = np.meshgrid(*[2.0 * np.arange(N_Q) / N_Q] * 2, indexing="ij")
    hkl = np.column_stack([axis.ravel() for axis in axes])
    return Momenta(hkl, np.linalg.norm(hkl, axis=1))


def noted(log):
    """Return the rows of a run that was stopped."""
    lines = Path(log).read_text().splitlines() if log and Path(log).exists() else ()
    return [Row(**json.loads(line)) for line in lines]


def curves(figure, log):
    """All curves of one draw of noise, three seeds of each network."""
    (_, _, train), (_, truth, noisy) = grid_images(1)
    trainer, held_out, rows = Trainer(train, where=momenta()), HeldOut(noisy, truth=truth), noted(log)
    done = {(row.method, row.n_latent, row.seed) for row in rows}
    for method, d, seed in sorted(planned(METHODS, SEEDS), key=lambda one: one[2]):
        if (method.name, d, seed) not in done:
            rows.append(trainer.row(method, d, seed, held_out))
            if log:
                with Path(log).open("a") as file:
                    file.write(json.dumps(rows[-1].to_dict()) + "\n")
    head = ("own", 9), ("held out", 10), ("least", 8), ("most", 8), ("spoilt", 8), ("reference", 10), ("CPU s", 8)
    print(f"{'method':>12}{'D':>5}" + "".join(f"{word:>{width}}" for word, width in head))
    for method in METHODS:
        d, own = median_curve(rows, method.name, "own")
        for n, a, b in zip(d, own, median_curve(rows, method.name, "held_out")[1], strict=True):
            mine = [r for r in rows if (r.method, r.n_latent) == (method.name, n)]
            seconds, spoilt = (np.median([getattr(r, what) for r in mine]) for what in ("seconds", "spoilt"))
            known, every = REFERENCE.get(method.name, {}).get(n), [r.held_out for r in mine]
            text = f"{method.name:>12}{n:>5}{a:>9.4f}{b:>10.4f}{min(every):>8.4f}{max(every):>8.4f}{spoilt:>8.3f}"
            print(f"{text}{known or '':>10}{seconds:>8.1f}")
        print(statement(rows, method.name))
    best = [r.held_out for r in rows if r.method == "dense" and r.n_latent == 4]
    print(f"dense, D = 4, three seeds: {', '.join(f'{x:.4f}' for x in best)} (asked: at most {ASKED})")
    if figure:
        floor = float(np.sum((noisy - truth) ** 2) / np.sum((truth - trainer.mean) ** 2))
        drawn = compression_figure(rows=[r.to_dict() for r in rows], floor=floor, asked=ASKED)
        Path(figure).write_bytes(png_bytes(drawn, dpi=110))


def generator():
    """The generator's error beside that of the mean of four runs, and its speed beside a Monte Carlo simulation's."""
    (theta, _, train), (others, truth, noisy) = grid_images(1)
    mean = train.mean(axis=0)
    network, _ = fit_autoencoder(train, AutoencoderSettings(), seed=1, transform=LOGARITHM)
    made = fit_generator(theta, network.encode(train), network, seed=1, parameter_names=("J2", "J3", "beta"))
    found = generator_error(made, others, HeldOut(noisy, truth=truth), mean)
    text = "generator: held-out error {error:.4f} ± {std:.4f} at {n_point} points; mean of four runs {four_runs:.4f}"
    print(text.format(**found) + f"; one run {found['one_run']:.4f}")
    for name, predict in (("an image", made.predict), ("an image and its error", made.predict_with_std)):
        clock = time.process_time()
        for row in theta[:200]:
            predict(row)
        print(f"generator: {5.0 * (time.process_time() - clock):.3f} ms of CPU for {name}", flush=True)


def large():
    """Time to learn four numbers from 2,000 volumes of 10⁵ voxels, and how converged it then is."""
    rng = np.random.default_rng(3)
    (theta, _, _), _ = grid_images(1)
    # The images of the model, seen by 10⁵ voxels as smooth mixtures, each with its own noise.
    mix = np.abs(rng.standard_normal((N_Q**2, 100_000), dtype=np.float32)) ** 8
    mix /= mix.sum(axis=0)
    truth = np.array([structure_factor(*row) for row in theta], dtype=np.float32) @ mix
    noisy = truth.copy()
    for row in noisy:
        row *= rng.gamma(20.0, 1.0 / 20.0, len(row))
    train, held_out = ArrayImages(noisy[:1900]), HeldOut(noisy[1900:], truth=truth[1900:])
    mean = noisy[:1900].mean(axis=0, dtype=np.float64)
    clock = time.process_time()
    front = fit_pca(train, n_latent=64, transform=LOGARITHM)
    print(f"2,000 × 10⁵ voxels: {time.process_time() - clock:.0f} s of CPU for 64 components", flush=True)
    for name, epochs in (("default", 300), ("converged", 1500)):
        clock = time.process_time()
        settings = AutoencoderSettings(n_epoch=epochs, patience=epochs)
        network, _ = fit_autoencoder(train, settings, seed=1, transform=LOGARITHM, front=front)
        seconds = time.process_time() - clock
        found = held_out_error(lambda x, n=network: n.decode(n.encode(x)), held_out, mean)
        print(f"{name}, {epochs} epochs: {seconds:.0f} s of CPU, held-out error {found[0]:.4f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("curves", "generator", "large"), action="append")
    parser.add_argument("--figure")
    parser.add_argument("--log")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for part in asked.part or ("curves", "generator", "large"):
            {"curves": lambda: curves(asked.figure, asked.log), "generator": generator, "large": large}[part]()


if __name__ == "__main__":
    main()
