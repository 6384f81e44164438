"""What a boundary over two coordinates costs: refined points beside uniform grids, at random places of the grids.

A uniform grid whose points happen to fall on a straight boundary, or just beside it, errs by less than others of its
size. So every grid here, those that refinement starts from too, is moved at random by up to a step, and what is shown
are medians and quartiles. The error is the share of the box that a map puts into the wrong phase. Systems:

square   classical square lattice, J1 = 1 over J2 and J3; exact labels (which q minimises J(q))
patch    J-K-Γ honeycomb, J = cos φ, K = sin φ, φ from 60 to 300° and |Γ| ≤ 0.5; labels by Luttinger and Tisza on the q
         of 12 × 12 cells, with slivers a few degrees wide
window   a part of it: φ from 80 to 150° and Γ from −0.05 to 0.4, without slivers
chain    the square lattice, labels from clusters of near correlations of the self-consistent Gaussian, as a study does

Run with ``python benchmarks/refinement.py [square] [patch] [window] [chain] [--grids 40 60 100]``; about 25 min of CPU.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree
from threadpoolctl import threadpool_limits

from spinscape.config import build
from spinscape.config.load import load_study
from spinscape.learn.hierarchy import agglomerative
from spinscape.learn.near_correlations import near_correlations
from spinscape.learn.phase_count import CountRule, count_phases
from spinscape.learn.phase_map import predicted_label
from spinscape.learn.refine import next_points
from spinscape.simulate.gaussian_simulator import GaussianSimulator
from spinscape.simulate.protocol import StreamKey

STUDY = Path(__file__).parents[1] / "config" / "studies" / "square_phases.yaml"
SQUARE = np.array([[-0.6, -0.5], [0.9, 0.7]])
PATCH = np.array([[60.0, -0.5], [300.0, 0.5]])
WINDOW = np.array([[80.0, -0.05], [150.0, 0.4]])
UNIT = np.array([[0.0, 0.0], [1.0, 1.0]])
GRIDS, SHARE = (40, 60, 100), 0.08
N_CELL = 12
# Points along each side of the grid that a share of 8 % of a uniform one begins with, and rounds.
STARTS = {40: (6, 12), 60: (10, 20), 100: (10, 20)}
OFFSETS, CHAIN_OFFSETS = {40: 20, 60: 20, 100: 8}, 5


def placed(unit, box):
    """Return couplings at places of the unit box."""
    return box[0] + unit * (box[1] - box[0])


def square_label(unit):
    """Return which q minimises J(q): (π, π), (0, π), (q, q) or (q, π), each in closed form."""
    a, b = placed(unit, SQUARE).T
    with np.errstate(all="ignore"):
        c, d = -1 / (2 * (a + 2 * b)), (2 * a - 1) / (4 * b)
        along = np.where((a + 2 * b > 0) & (np.abs(c) < 1), 4 * c + 4 * a * c**2 + 4 * b * (2 * c**2 - 1), np.inf)
        edge = np.where((b > 0) & (np.abs(d) < 1), 2 * d - 2 - 4 * a * d + 4 * b * d**2, np.inf)
    return np.argmin([-4 + 4 * a + 4 * b, 4 * b - 4 * a, along, edge], axis=0)


def patch_label(unit, box=PATCH):
    """Return the wave of the least energy of a J-K-Γ honeycomb.

    Its sublattices are coupled by B(q) = Σ_γ J_γ e^{iq·r_γ}, and the least energy is minus the largest singular value.
    Classes: q = 0 and q = M, each with its sublattices parallel or not, q = K, and all others.
    """
    phi, gamma = placed(unit, box).T
    bonds = np.cos(np.radians(phi))[:, None, None, None] * np.eye(3) + np.zeros((len(phi), 3, 1, 1))
    for c in range(3):
        a, b = (c + 1) % 3, (c + 2) % 3
        bonds[:, c, c, c] += np.sin(np.radians(phi))
        bonds[:, c, a, b] += gamma
        bonds[:, c, b, a] += gamma
    best, label = np.full(len(phi), -np.inf), np.zeros(len(phi), dtype=np.int64)
    for q in waves():
        u, s, v = np.linalg.svd(np.einsum("b,nbij->nij", np.exp(2j * np.pi * np.array([0, *q]) / N_CELL), bonds))
        parallel = np.einsum("ni,ni->n", u[:, :, 0], v[:, 0]).real < 0
        double, triple = (all(m * x % N_CELL == 0 for x in q) for m in (2, 3))
        kind = parallel + 2 * (q != (0, 0)) if double else np.full(len(phi), 4 if triple else 5)
        better = s[:, 0] > best + 1e-9
        best, label = np.where(better, s[:, 0], best), np.where(better, kind, label)
    return label


def waves():
    """Return wave vectors of N_CELL × N_CELL cells that no rotation by 60° connects."""
    left, out = {(a, b) for a in range(N_CELL) for b in range(N_CELL)}, []
    while left:
        out.append(min(left))
        star, q = set(), out[-1]
        for _ in range(6):
            q = (-q[1] % N_CELL, (q[0] + q[1]) % N_CELL)
            star.add(q)
        left -= star
    return out


class Chain:
    """Features of the study's simulator, and clusters of them as its map makes them."""

    def __init__(self):
        study = load_study(STUDY)
        model, _ = build.build_model(study)
        self.simulator = GaussianSimulator.from_settings(model, build.plan_header(study)["settings"])
        self.vectors = study.phases["map"].correlations

    def features(self, unit):
        """Return the near correlations (n, n_vector) at places of the unit box."""
        theta = np.column_stack([np.ones(len(unit)), placed(unit, SQUARE)])
        images = [self.simulator.run(row, StreamKey(1, "a")).arrays["signal_hk0"].ravel() for row in theta]
        return near_correlations(np.array(images), self.simulator.where[0].points, self.vectors)

    @staticmethod
    def clusters(features, unit, n_grid):
        """Return the clusters, made of the first ``n_grid`` points."""
        rule = CountRule(n_bootstrap=1)
        even = np.arange(len(unit)) < n_grid
        cluster = lambda x: agglomerative(x, linkage="average")  # noqa: E731
        return count_phases(features, unit, seed=1, rule=rule, cluster=cluster, spread=even).label


def grid(n, offset):
    """Return n × n points of the unit box, (n², 2), moved by a part of a step."""
    line = np.arange(n)
    return np.stack(np.meshgrid((line + offset[0]) / n, (line + offset[1]) / n, indexing="ij"), axis=-1).reshape(-1, 2)


def sizes(n_grid):
    """Return the start grid's side and the sizes of the rounds: 8 % of an ``n_grid`` × ``n_grid`` grid in all."""
    side, rounds = STARTS[n_grid]
    return side, [len(part) for part in np.array_split(np.arange(int(SHARE * n_grid**2) - side**2), rounds)]


def quartiles(values):
    """Return the median and quartiles in words."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return f"{middle:.4f} ({low:.4f} to {high:.4f})"


def exact(name, label, grids, seed=7):
    """Compare with exact labels."""
    at = np.random.default_rng(0).random((40_000, 2))
    truth = label(at)
    for n in grids:
        rng = np.random.default_rng((seed, n))
        uniform, nearest, refined = [], [], []
        side, rounds = sizes(n)
        for k in range(OFFSETS[n]):
            points = grid(n, rng.random(2))
            known = label(points)
            uniform.append(np.mean(predicted_label(points, known, at) != truth))
            nearest.append(np.mean(known[cKDTree(points).query(at)[1]] != truth))
            points = grid(side, rng.random(2))
            known = label(points)
            for r, m in enumerate(rounds):
                new = next_points(points, known, box=UNIT, n=m, seed=100 * k + r)
                points, known = np.concatenate([points, new]), np.concatenate([known, label(new)])
            refined.append(np.mean(predicted_label(points, known, at) != truth))
        ratio = np.mean(np.array(refined) <= np.median(uniform))
        print(f"{name:8}{n:4} × {n:<4} uniform {quartiles(uniform)}, nearest point {quartiles(nearest)}", end="; ")
        print(f"{len(points)} refined {quartiles(refined)}: {ratio:.0%} at most the median", flush=True)


def chain(n=40, seed=7):
    """Compare with labels from clusters; the error is that of the clusters, each called what most of it is."""
    rng, made = np.random.default_rng(seed), Chain()
    at = np.random.default_rng(0).random((40_000, 2))
    truth, (side, rounds) = square_label(at), sizes(n)

    def error(points, label):
        known = square_label(points)
        names = np.array([np.bincount(known[label == c]).argmax() for c in range(label.max() + 1)])
        return np.mean(names[predicted_label(points, label, at)] != truth)

    for _ in range(CHAIN_OFFSETS):
        points = grid(n, rng.random(2))
        label = made.clusters(made.features(points), points, len(points))
        text = f"chain   {n:4} × {n:<4} uniform {error(points, label):.4f} ({label.max() + 1} clusters)"
        points = grid(side, rng.random(2))
        features = made.features(points)
        for r, m in enumerate(rounds):
            label = made.clusters(features, points, side**2)
            points = np.concatenate([points, next_points(points, label, box=UNIT, n=m, seed=r)])
            features = np.concatenate([features, made.features(points[-m:])])
        label = made.clusters(features, points, side**2)
        print(f"{text}; {len(points)} refined {error(points, label):.4f} ({label.max() + 1} clusters)", flush=True)


EXACT = {"square": square_label, "patch": patch_label, "window": partial(patch_label, box=WINDOW)}


def main(words):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="part", default=[*EXACT, "chain"])
    parser.add_argument("--grids", nargs="+", type=int, choices=GRIDS, default=GRIDS)
    asked = parser.parse_args(words)
    with threadpool_limits(1):
        for name in asked.parts:
            chain() if name == "chain" else exact(name, EXACT[name], asked.grids)


if __name__ == "__main__":
    main(sys.argv[1:])
