"""Dipolar spin ice: cost of a sweep, of a loop, and of an independent sample, beside a plain loop and what was asked.

    OPENBLAS_NUM_THREADS=1 NUMBA_NUM_THREADS=1 python benchmarks/ice.py

1,024 spins (4×4×4 cubic cells), unit spins along local axes, D = 1.3224 K between nearest neighbours, J1 = 3.41 K; one
thread, CPU time, interleaved, medians of nine. The plain loop is compiled by numba too: spins in their order, cached
local fields in float64, a row of the full matrix for each accepted flip, a random number (SplitMix64, inlined) and an
exponential for each try that costs energy.
"""

import math
import statistics
import sys
import time
from functools import partial

import numba as nb
import numpy as np
import torch

from spinscape.hamiltonian import terms
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.terms import BondTerm, DipolarTerm
from spinscape.kernels import ice
from spinscape.kernels.ice_random import next_uniform
from spinscape.lattice.bonds import shell_bond
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.symmetry import SiteSpec, crystal_from_space_group
from spinscape.simulate.ice_engine import WAYS, IceEngine
from spinscape.simulate.ice_table import ice_table
from spinscape.simulate.ising_torch import IsingBatch
from spinscape.simulate.moves import Move
from spinscape.simulate.spin_system import block, spin_system
from spinscape.units import K_B

A, D, J1 = 10.1, 1.3224, 3.41
REPEAT = 9
LADDER = (4.0, 2.0, 1.4, 1.1, 0.9, 0.78, 0.68, 0.6, 0.5, 0.45, 0.4, 0.35, 0.3)
ASKED_RATE, ASKED_TAU, ASKED_BATCH = 4e5, 0.5, 20


def dysprosium_titanate():
    """Return the system and its couplings, meV."""
    site = SiteSpec("Dy", "Dy3+", (0.5, 0.5, 0.5), 1.0, g=np.eye(3), kind="ising", axis=(1, 1, 1))
    crystal = crystal_from_space_group(lattice_vectors(a=A, b=A, c=A), "Fd-3m", [site])
    parts = [
        DipolarTerm({"D": (A / math.sqrt(8.0)) ** 3}),
        BondTerm("heisenberg", terms.heisenberg("J1", ("D", "J1")), shell_bond(crystal, 1)),
    ]
    model = model_from_terms(crystal, ("D", "J1"), parts)
    return spin_system(model, block(model, (4, 4, 4))), np.array([D, J1]) * K_B


def full_matrix(table, theta):
    """Return J of all pairs, (n, n) float64."""
    cell, rows = table.system.cell, table.rows(theta).reshape(-1)
    moved = cell.cell_index(cell.cells[None] - cell.cells[:, None])
    site = np.arange(cell.n_site)
    at = (site[None, :, None, None] * cell.n_cell + moved[:, None, :, None]) * cell.n_site + site
    return rows[at].reshape(cell.n_spin, cell.n_spin)


@nb.njit(fastmath=True, error_model="numpy")
def plain_sweeps(matrix, beta, sigma, local, words, n_sweep):
    """Return accepted flips of the plain loop."""
    accepted = 0
    for _ in range(n_sweep):
        for i in range(len(sigma)):
            cost = -2.0 * sigma[i] * local[i]
            if cost <= 0.0 or next_uniform(words) < math.exp(-beta * cost):
                sigma[i] = -sigma[i]
                accepted += 1
                for j in range(len(sigma)):
                    local[j] += 2.0 * sigma[i] * matrix[i, j]
    return accepted


def cpu(work, *args):
    """Return the CPU seconds of a call, and what it returns."""
    start = time.process_time()
    out = work(*args)
    return time.process_time() - start, out


def equilibrated(system, theta, table, temperature):
    """Return an engine cooled to a temperature, with loops."""
    engine = IceEngine(system, theta, Conditions(), (1, 2), table=table)
    engine.adapting = True
    for t in (*[t for t in LADDER if t > temperature], temperature):
        engine.run((Move("flip", 20), Move("short_loop", 100)), 1.0 / (t * K_B), 10)
    engine.adapting = False
    return engine


def flips_by(engine, way, beta, n_sweep):
    """Return accepted flips of sweeps in a given way."""
    engine._ways[beta] = (way, 1, 0, 0)
    return engine.run((Move("flip", n_sweep),), beta, 1)["flip"][1]


def sweep_costs(system, theta, table, matrix):
    """Print µs per sweep of the plain loop, of each way, and of what the program chooses; return sweeps/s at 0.68 K."""
    print(
        f"{'T (K)':>6} {'plain':>9} " + " ".join(f"{name:>15}" for name in WAYS) + f" {'chosen':>15} {'accepted %':>18}"
    )
    rate = 0.0
    for temperature in (10.0, 4.0, 2.0, 1.0, 0.68, 0.6, 0.5, 0.4, 0.3):
        beta, engine = 1.0 / (temperature * K_B), equilibrated(system, theta, table, temperature)
        n_sweep = 50 if temperature >= 1.0 else 1000
        sigma = engine.sigma.astype(np.float64)
        local = matrix @ sigma
        words = np.array([1], dtype=np.uint64)
        works = [partial(plain_sweeps, matrix, beta, sigma, local, words)]
        works += [partial(flips_by, engine, way, beta) for way in range(3)]
        times, flips = [[] for _ in works], [0] * len(works)
        for _ in range(REPEAT):
            for k, work in enumerate(works):
                seconds, accepted = cpu(work, n_sweep)
                times[k].append(seconds / n_sweep * 1e6)
                flips[k] += accepted
        engine._ways.clear()
        engine.adapting = True
        engine.run((Move("flip", 64),), beta, 1)
        median = [statistics.median(t) for t in times]
        chosen = WAYS.index(engine.way(beta))
        share = [100.0 * n / (REPEAT * n_sweep * system.n_spin) for n in flips]
        cells = " ".join(f"{value:15.4f}" for value in median[1:])
        accepted = f"{share[0]:9.4f} {share[1 + chosen]:9.4f}"
        print(f"{temperature:6.2f} {median[0]:9.3f} {cells} {WAYS[chosen]:>15} {accepted}")
        if temperature == 0.68:
            rate = 1e6 / median[1 + chosen]
            speedup = median[0] / median[1 + chosen]
    print(f"0.68 K: {rate:.3g} sweeps/s and core (asked {ASKED_RATE:.0g}), {speedup:.1f} times the plain loop")
    return rate


def autocorrelation_time(series):
    """Return 1 + 2 Σ ρ, summed to six times itself (Sokal); infinite for what does not change."""
    x = np.asarray(series) - np.mean(series)
    if not np.any(x):
        return math.inf
    n = len(x)
    power = np.abs(np.fft.rfft(x, 2 * n)) ** 2
    rho = np.fft.irfft(power)[:n] / np.arange(n, 0, -1)
    sums = 2.0 * np.cumsum(rho / rho[0]) - 1.0
    done = np.flatnonzero(np.arange(n) >= 6.0 * sums)
    return float(sums[done[0]]) if len(done) else math.inf


def sample_costs(system, theta, table):
    """Print the CPU of one autocorrelation time of the energy; return that at 0.68 K, ms."""
    rounds = {
        "flips": (Move("flip", 10),),
        "flips and short loops": (Move("flip", 5), Move("short_loop", 64)),
        "flips and long loops": (Move("flip", 5), Move("long_loop", 4)),
    }
    best = math.inf
    for temperature in (0.68, 0.5, 0.3):
        for name, moves in rounds.items():
            beta, engine = 1.0 / (temperature * K_B), equilibrated(system, theta, table, temperature)
            seconds, series, tally = 0.0, [], np.zeros((3, 2))
            for _ in range(3000):
                spent, counts = cpu(engine.run, moves, beta, 1)
                seconds += spent
                series.append(engine.energy)
                tally += [counts.get(kind, (0, 0)) for kind in ("flip", "short_loop", "long_loop")]
            each, tau = seconds / len(series) * 1e3, autocorrelation_time(series)
            share = ", ".join(f"{100 * a / n:.3g} %" for n, a in tally if n)
            text = f"{tau * each:.3f} ms" if np.isfinite(tau) else f"beyond {len(series) * each:.0f} ms"
            print(
                f"{temperature:.2f} K, {name}: {each * 1e3:.1f} µs a round, τ(E) {tau:.2f} rounds, {text};",
                f"accepted {share}",
            )
            if temperature == 0.68:
                best = min(best, tau * each)
    print(f"τ(E) at 0.68 K: {best:.3f} ms of CPU (asked {ASKED_TAU})")
    return best


def loop_costs(system, theta, table):
    """Print µs of one try of a loop and of a slab."""
    for temperature in (0.68, 0.3):
        beta, engine = 1.0 / (temperature * K_B), equilibrated(system, theta, table, temperature)
        for kind, n in (("short_loop", 2000), ("long_loop", 200), ("slab", 1000)):
            times = [cpu(engine.run, (Move(kind, n),), beta, 1)[0] / n * 1e6 for _ in range(REPEAT)]
            asked = " (asked about 1.9)" if kind == "short_loop" else ""
            print(f"{temperature:.2f} K, {kind}: {statistics.median(times):.2f} µs a try, best {min(times):.2f}{asked}")


def batched_costs(system, theta, table, n_model=1024, n_sweep=200):
    """Print the time of a sweep of many models at once on a GPU beside that of one core, or say that there is none."""
    if not torch.cuda.is_available():
        print("many models at once: no GPU here, skipped")
        return
    models = IsingBatch(system, np.tile(theta, (n_model, 1)), Conditions(), 1)
    for temperature in (0.68, 0.5):
        engine = equilibrated(system, theta, table, temperature)
        models.set_sigma(np.tile(engine.sigma, (n_model, 1)))
        models.run(temperature, 20)
        torch.cuda.synchronize()
        start = time.perf_counter()
        models.run(temperature, n_sweep)
        torch.cuda.synchronize()
        each = (time.perf_counter() - start) / n_model / n_sweep * 1e6
        one = cpu(engine.run, (Move("flip", 2000),), 1.0 / (temperature * K_B), 1)[0] / 2000 * 1e6
        print(
            f"{temperature:.2f} K, {n_model} models at once: {each:.4f} µs a sweep of each, one core {one:.3f}:",
            f"{one / each:.0f} times (asked {ASKED_BATCH})",
        )


def main():
    system, theta = dysprosium_titanate()
    seconds, table = cpu(ice_table, system)
    print(f"table of the geometry: {seconds:.3f} s")
    build = partial(IceEngine, system, theta, Conditions(), (1, 2), table=table)
    engine = build()
    matrix = full_matrix(table, theta)
    plain_sweeps(matrix, 1.0, np.ones(system.n_spin), np.zeros(system.n_spin), np.ones(1, np.uint64), 1)
    engine.run((Move("flip"), Move("short_loop"), Move("long_loop")), 1.0, 1)
    each = [cpu(build)[0] for _ in range(REPEAT)]
    print(f"engine of a point: {statistics.median(each) * 1e3:.2f} ms")
    rate = sweep_costs(system, theta, table, matrix)
    loop_costs(system, theta, table)
    tau = sample_costs(system, theta, table)
    batched_costs(system, theta, table)
    limits = f"flips in a sweep below {ice.FEW}: rejection-free; above {ice.MANY}: crowded"
    print(f"rule: {limits}")
    return 0 if rate >= ASKED_RATE and tau <= ASKED_TAU else 1


if __name__ == "__main__":
    sys.exit(main())
