"""Monte Carlo: ns of CPU time for each attempted move on a simple cubic lattice, one thread, beside a plain numba loop.

All in one run, interleaved, medians, float64; loops and engines at the same temperature, after the same warm-up. Run
with ``python benchmarks/montecarlo.py``; ``--peers FOLDER`` installs Spirit and spinmc into an environment of their own
in that folder, and times their Metropolis too; ``--edge`` takes another lattice than 32³.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import venv
from pathlib import Path

import numpy as np

import plain_loops
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.model import BondTable, Model
from spinscape.kernels.random_numbers import random_state
from spinscape.lattice.symmetry import SiteSpec, crystal_from_sites
from spinscape.simulate.ising_engine import IsingEngine
from spinscape.simulate.local_engine import LocalEngine
from spinscape.simulate.moves import Move
from spinscape.simulate.spin_system import block, spin_system
from spinscape.units import K_B

BETA = {"heisenberg": 0.693, "ising": 0.2217}
ASKED = {
    "Heisenberg Metropolis": 0.45,
    "heat bath": 0.35,
    "over-relaxation": 0.70,
    "3×3 bonds, Metropolis": 0.8,
    "3D Ising": 0.8,
}
PEERS = {"spirit": ("spirit==2.2.0", 25.0), "spinmc": ("spinmc==0.3.0", 6.0)}
N_REPEAT, N_SWEEP, N_WARM = 11, 20, 200
SEED = np.array([1, 2], dtype=np.uint64)


def cubic(edge, *, matrices=None, kind="heisenberg"):
    """Return a simple cubic ferromagnet (J = −1 meV), or one with three 3×3 exchange matrices."""
    axis = {} if kind == "heisenberg" else {"kind": kind, "axis": (0, 0, 1)}
    site = SiteSpec("A", "Ni2+", (0, 0, 0), 1.0, **axis)
    crystal = crystal_from_sites(3.0 * np.eye(3), [site], find_symmetry=False)
    matrices = np.tile(-np.eye(3), (3, 1, 1)) if matrices is None else matrices
    model = Model(crystal, ("J",), BondTable(np.zeros(3), np.zeros(3), np.eye(3), np.zeros(3), matrices))
    return spin_system(model, block(model, (edge,) * 3))


def engine_sweeps(engine, kind, beta):
    return lambda n: engine.run((Move(kind, n),), beta, 1)


def loop_sweeps(kernel, spins, couplings, beta):
    state = random_state(SEED)[:, 0].copy()

    def sweeps(n):
        for _ in range(n):
            kernel(spins, couplings, beta, state)

    return sweeps


def contests(edge):
    """Yield the name of each contest, and what makes n sweeps of the engine and of the loop."""
    rng = np.random.default_rng(0)
    matrices = -np.eye(3) + 0.2 * rng.normal(size=(3, 3, 3))
    both = np.stack([m for matrix in matrices for m in (matrix, matrix.T)])
    start = rng.normal(size=(edge, edge, edge, 3))
    start /= np.linalg.norm(start, axis=-1, keepdims=True)
    beta = BETA["heisenberg"]
    cases = {
        "Heisenberg Metropolis": ("uniform", plain_loops.metropolis, -1.0, None),
        "heat bath": ("heat_bath", plain_loops.heat_bath, -1.0, None),
        "over-relaxation": ("over_relaxation", plain_loops.over_relaxation, -1.0, None),
        "3×3 bonds, Metropolis": ("uniform", plain_loops.matrix_metropolis, both, matrices),
    }
    for name, (kind, kernel, couplings, own) in cases.items():
        engine, spins = LocalEngine(cubic(edge, matrices=own), [1.0], Conditions(), SEED), start.copy()
        for warm in (engine_sweeps(engine, "uniform", beta), loop_sweeps(kernel, spins, couplings, beta)):
            warm(N_WARM)
        yield name, engine_sweeps(engine, kind, beta), loop_sweeps(kernel, spins, couplings, beta)
    signs = rng.choice(np.array([-1, 1], dtype=np.int8), (edge,) * 3)
    engine = IsingEngine(cubic(edge, kind="ising"), [1.0], Conditions(), SEED)
    pair = engine_sweeps(engine, "flip", BETA["ising"]), loop_sweeps(plain_loops.ising, signs, 1.0, BETA["ising"])
    for warm in pair:
        warm(N_WARM)
    yield "3D Ising", *pair


def cpu(action):
    start = time.process_time()
    action()
    return time.process_time() - start


def interleaved(actions):
    """Return the median CPU time of each action, and the median of the ratios to the last."""
    rounds = np.array([[cpu(action) for action in actions] for _ in range(N_REPEAT)])
    return np.median(rounds, axis=0), np.median(rounds / rounds[:, -1:], axis=0)


def peer_python(folder):
    """Return the Python of an environment that has the peers, made where it is not there yet."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    wanted = [requirement for requirement, _ in PEERS.values()]
    subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True)
    return python


def peer_seconds(python, name, edge):
    """Return the CPU seconds of a peer for each attempt; Spirit knows J in meV and T in K, spinmc T/J."""
    temperature = 1.0 / BETA["heisenberg"] / (K_B if name == "spirit" else 1.0)
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        [python, Path(__file__).parent / f"{name}_peer.py"],
        input=json.dumps({"edge": edge, "temperature": temperature}),
        env=os.environ | threads,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def against_peers(python, edge):
    engine = LocalEngine(cubic(edge), [1.0], Conditions(), SEED)
    sweeps = engine_sweeps(engine, "uniform", BETA["heisenberg"])
    sweeps(N_WARM)
    for name, (requirement, asked) in PEERS.items():
        rounds = [
            (cpu(lambda: sweeps(N_SWEEP)) / N_SWEEP / edge**3, peer_seconds(python, name, edge)) for _ in range(3)
        ]
        ours, theirs = (statistics.median(column) for column in zip(*rounds, strict=True))
        verdict = "" if theirs / ours >= asked else "  MISSED"
        print(
            f"{requirement}: {1e9 * theirs:6.1f} ns an attempt, ours {1e9 * ours:5.1f}: {theirs / ours:5.1f} times as"
            f" fast (asked: {asked:.0f}){verdict}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edge", type=int, default=32)
    parser.add_argument("--peers", type=Path)
    arguments = parser.parse_args()
    edge = arguments.edge
    print(f"simple cubic {edge}³, float64, one thread; ns of CPU time for each attempted move")
    for name, fast, plain in contests(edge):
        times, ratios = interleaved([lambda fast=fast: fast(N_SWEEP), lambda plain=plain: plain(N_SWEEP)])
        ours, loop = 1e9 * times / N_SWEEP / edge**3
        verdict = "" if ratios[0] <= ASKED[name] else "  MISSED"
        print(f"{name:22s} {ours:6.1f}, plain loop {loop:6.1f}: ratio {ratios[0]:5.2f} (asked: {ASKED[name]}){verdict}")
    if arguments.peers:
        against_peers(peer_python(arguments.peers), edge)


if __name__ == "__main__":
    sys.exit(main())
