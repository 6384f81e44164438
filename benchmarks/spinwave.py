"""Spin waves: cost beside numpy's batched eigh of the same matrices, one thread, CPU time, interleaved in one process.

Energies, all S^αβ and S_perp count as one solution. Derivatives are measured beside a value with full eigenvectors:
forward by one coupling, adjoint of one number by all. Run with ``python benchmarks/spinwave.py``; ``--peer FOLDER``
installs magnopy into an environment of its own in that folder, and runs it too (energies only: it has no intensities);
``--workers`` runs one and two processes on as many cores; ``--many`` streams 1e7 wave vectors.
"""

import argparse
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import time
import venv
from dataclasses import replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model, OnsiteTable
from spinscape.kernels.bogoliubov import solve_plain
from spinscape.lattice.crystal import Crystal
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.observables.structure_factor import correlation_tensor, intensity, polarisation_weights
from spinscape.simulate.gradient import eigenmodes, group_labels, line_gradient, line_pullback
from spinscape.simulate.modes import REGULARISATION, blocks_of, solve
from spinscape.simulate.quadratic import quadratic_form
from spinscape.simulate.spectrum import DEGENERACY, SpectrumModel, SpinwaveSettings
from spinscape.simulate.streaming import stream_modes

N_REPEAT = 9
N_Q = {2: 4000, 8: 1000, 24: 200}
N_Q_PEER = {2: 200, 8: 100, 24: 40}
N_Q_WORKER = 40_000
N_Q_MANY = 10_000_000
THETA = np.array([1.0, -0.4, 1.5])


def crystal_of(n_site, rng):
    """Sites on a chain, at random heights."""
    return Crystal(
        vectors=np.diag([3.0 * n_site, 8.0, 9.0]),
        positions=np.column_stack([np.arange(n_site) / n_site, rng.uniform(0, 1, (n_site, 2))]),
        labels=("a",) * n_site,
        orbit=np.zeros(n_site),
        spins=np.ones(n_site),
        ions=("",) * n_site,
        g=np.tile(2.0 * np.eye(3), (n_site, 1, 1)),
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )


def magnet(n_site, *, collinear, seed=0):
    """An antiferromagnet of chains with easy axes: Heisenberg, or exchange that mixes all components."""
    rng = np.random.default_rng(seed)
    site = np.arange(n_site)
    along = np.column_stack([site + 1 == n_site, np.zeros(n_site), np.zeros(n_site)])
    across = np.tile([0, 1, 0], (n_site, 1))
    matrix = np.tile(np.eye(3), (2 * n_site, 1, 1))
    if not collinear:
        # Mixing of the two components across the spins leaves the structure stationary, and no block.
        matrix[:, :2, :2] += rng.uniform(-0.3, 0.3, (2 * n_site, 2, 2))
    head = np.concatenate([(site + 1) % n_site, site])
    bonds = BondTable(np.tile(site, 2), head, np.concatenate([along, -across]), np.repeat([0, 1], n_site), matrix)
    onsite = OnsiteTable(site, np.full(n_site, 2), np.tile(np.diag([0.0, 0.0, -1.0]), (n_site, 1, 1)))
    direction = np.outer((-1.0) ** site, [0, 0, 1])
    structure = MagneticStructure(np.eye(3), site, np.zeros((n_site, 3)), direction)
    return Model(crystal_of(n_site, rng), ("J", "K", "D"), bonds, onsite), structure


def cpu(action):
    start = time.process_time()
    action()
    return time.process_time() - start


def interleaved(actions):
    """Return the median CPU time of each action, in turns, after one call each that does not count."""
    for action in actions:
        action()
    rounds = [[cpu(action) for action in actions] for _ in range(N_REPEAT)]
    return np.median(rounds, axis=0)


def compare(n_site, *, collinear):
    model, structure = magnet(n_site, collinear=collinear)
    theta = THETA
    q = np.random.default_rng(1).uniform(-1, 1, (N_Q[n_site], 3))
    form = quadratic_form(model, structure, q)
    blocks, weights = blocks_of(form), polarisation_weights("perp", q @ model.crystal.reciprocal)
    matrices = form.assembled(theta)

    def fast():
        energies, amplitudes, _ = solve(form, theta, blocks=blocks)
        return energies, intensity(correlation_tensor(amplitudes, n_cell=1), weights)

    def plain():
        energies, amplitudes = solve_plain(form.assembled(theta), form.vectors)
        return energies, intensity(correlation_tensor(amplitudes, n_cell=1), weights)

    eigh, ours, numpy_route = interleaved([lambda: np.linalg.eigh(matrices), fast, plain])
    kind = "collinear" if collinear else "generic"
    n_block = len(blocks.start) - 1
    print(
        f"{n_site:3d} sites, {kind:9s} {n_block} blocks: eigh {len(q) / eigh:9.3g} Q/s;"
        f" ours {eigh / ours:5.2f}, plain numpy {eigh / numpy_route:5.2f} of it; {differences(fast(), plain())}"
    )


def differences(ours, theirs):
    """Return how far energies, and intensities summed over groups of degenerate modes, are from one another."""
    energies, values = ours
    label = group_labels(theirs[0], DEGENERACY)
    place = np.arange(len(label))[:, None] * label.shape[1] + label
    one, two = (np.bincount(place.ravel(), weights=v.ravel()) for v in (values, theirs[1]))
    apart = np.abs(one - two).max() / np.abs(two).max()
    return f"energies differ by {np.abs(energies - theirs[0]).max():.0e} meV, intensities of groups by {apart:.0e}"


def near_zero_modes(n_site):
    """Print how the fast route does where D is nearly singular: without an easy axis, towards Q = 0."""
    model, structure = magnet(n_site, collinear=True)
    theta, texts = THETA * [1.0, 1.0, 0.0], []
    for distance in (1e-2, 1e-3, 1e-4):
        q = np.array([[0.0, distance, 0.0], [distance, 0.0, 0.0]])
        form, weights = quadratic_form(model, structure, q), polarisation_weights("perp", q @ model.crystal.reciprocal)
        energies, amplitudes, status = solve(form, theta, blocks=blocks_of(form))
        theirs = solve_plain(form.assembled(theta), form.vectors)
        pairs = ((energies, amplitudes), theirs)
        lines = [(e, intensity(correlation_tensor(a, n_cell=1), weights)) for e, a in pairs]
        shifted = ", shifted" if np.any(status) else ""
        texts.append(f"lowest mode {energies.min():.0e} meV{shifted}: {differences(*lines)}")
    print(f"{n_site:3d} sites, towards a zero mode: " + "; ".join(texts))


def one_coupling_for_each_bond(model):
    """Return a model in which every bond and the anisotropy have couplings of their own, and their values."""
    n = model.bonds.n_bond
    bonds, onsite = replace(model.bonds, parameter=np.arange(n)), replace(model.onsite, parameter=[n] * (n // 2))
    names = (*(f"J{k}" for k in range(n)), "D")
    return replace(model, parameter_names=names, bonds=bonds, onsite=onsite), THETA[[*model.bonds.parameter, 2]]


def gradients(n_site, *, collinear, all_bonds):
    model, structure = magnet(n_site, collinear=collinear)
    model, theta = one_coupling_for_each_bond(model) if all_bonds else (model, THETA)
    q = np.random.default_rng(1).uniform(-1, 1, (N_Q[n_site] // 2, 3))
    form, weights = quadratic_form(model, structure, q), polarisation_weights("perp", q @ model.crystal.reciprocal)
    how = {"regularisation": REGULARISATION, "tolerance": DEGENERACY}
    found = eigenmodes(form, theta, weights, **how)
    cotangent = np.random.default_rng(2).normal(size=(2, *found.energies.shape))
    matrices = form.assembled(theta)
    eigh, value, forward, adjoint = interleaved(
        [
            lambda: np.linalg.eigh(matrices),
            lambda: eigenmodes(form, theta, weights, **how).intensities,
            lambda: line_gradient(found),
            lambda: line_pullback(found, *cotangent),
        ]
    )
    kind = "collinear" if collinear else "generic"
    print(
        f"{n_site:3d} sites, {kind:9s} {len(theta):2d} couplings: value with eigenvectors {value / eigh:4.2f} eigh;"
        f" forward {forward / value / len(theta):5.3f} of it for each coupling, adjoint {adjoint / value:5.3f} for all"
    )


def peer_python(folder):
    """Return the Python of an environment that has magnopy, made where it is not there yet."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", "magnopy"], check=True)
    return python


def peer(python, n_site):
    model, structure = magnet(n_site, collinear=False)
    bonds, onsite, q = model.bonds, model.onsite, np.random.default_rng(1).uniform(-1, 1, (N_Q_PEER[n_site], 3))
    scaled, single = (THETA[t.parameter][:, None, None] * t.matrix for t in (bonds, onsite))
    columns = (bonds.site_i, bonds.site_j, bonds.offset, scaled)
    problem = {
        "vectors": model.crystal.vectors.tolist(),
        "positions": model.crystal.positions.tolist(),
        "bonds": list(zip(*(x.tolist() for x in columns), strict=True)),
        "onsite": list(zip(onsite.site.tolist(), single.tolist(), strict=True)),
        "directions": structure.direction.tolist(),
        "q": q.tolist(),
    }
    script = Path(__file__).parent / "magnopy_peer.py"
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        [python, script],
        input=json.dumps(problem),
        env=os.environ | threads,
        capture_output=True,
        text=True,
        check=True,
    )
    theirs = json.loads(done.stdout)
    form = quadratic_form(model, structure, q)
    ours = solve(form, THETA, blocks=blocks_of(form))[0]
    error = np.abs(np.array(theirs["energies"]) - ours).max()
    ratio = theirs["eigh"] / theirs["magnopy"]
    print(f"{n_site:3d} sites, generic: magnopy {ratio:7.4f}; its energies differ by {error:.1e} meV from ours")


def work(core, ready, times):
    """Stream wave vectors through a magnet of 8 sites, after a start in common; put the wall and the CPU time."""
    os.sched_setaffinity(0, {core})
    with threadpool_limits(1):
        model, structure = magnet(8, collinear=False)
        q = np.random.default_rng(1).uniform(-1, 1, (N_Q_WORKER, 3))
        list(stream_modes(model, structure, q[:64], THETA))
        ready.wait()
        start, busy = time.perf_counter(), time.process_time()
        for _ in stream_modes(model, structure, q, THETA):
            pass
        times.put((time.perf_counter() - start, time.process_time() - busy))


def worker_times(n_worker):
    """Return the largest wall time and the largest CPU time of workers that do the same each."""
    context = multiprocessing.get_context("spawn")
    ready, times = context.Barrier(n_worker), context.Queue()
    cores = sorted(os.sched_getaffinity(0))[:n_worker]
    workers = [context.Process(target=work, args=(core, ready, times)) for core in cores]
    for worker in workers:
        worker.start()
    slowest = np.max([times.get() for _ in workers], axis=0)
    for worker in workers:
        worker.join()
    return slowest


def workers():
    load = os.getloadavg()[0]
    alone, pairs = (
        np.min(rows, axis=0) for rows in zip(*((worker_times(1), worker_times(2)) for _ in range(4)), strict=False)
    )
    wall, busy = 2.0 * alone / pairs
    print(
        f"two workers do {wall:.2f} times what one does by wall time, {busy:.2f} times by CPU time"
        f" (best of 4, {os.cpu_count()} cores, load of {load:.1f} before)"
    )


def many_wave_vectors():
    """Stream wave vectors, drawn block by block, and print how much the process grew."""
    model, structure = magnet(2, collinear=True)
    rng = np.random.default_rng(0)
    list(stream_modes(model, structure, rng.uniform(-1, 1, (50_000, 3)), THETA))
    before, lowest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, np.inf
    pieces = (rng.uniform(-1, 1, (100_000, 3)) for _ in range(N_Q_MANY // 100_000))
    start = time.process_time()
    for _, found in stream_modes(model, structure, pieces, THETA):
        lowest = min(lowest, found.energies.min())
    spent = time.process_time() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"{N_Q_MANY:.0e} Q at 2 sites: the process grows by {grown:.0f} MB beyond its peak at 5e4 Q,"
        f" {before / 1024:.0f} MB; {spent:.0f} s of CPU, forms included; lowest energy {lowest:.3g} meV"
    )


def spectrum_cost():
    model, structure = magnet(2, collinear=True)
    corners = [[0, 0.1, 0], [1, 0.5, 0], [0, 1, 0.5]]
    path = path_through(corners, n_point=(110, 107), reciprocal=model.crystal.reciprocal)
    energy = EnergyAxis.from_range(first=0.0, last=12.0, step=0.1)
    spectrum = SpectrumModel(model, structure, path, energy, SpinwaveSettings(fwhm=(0.5,)))
    theta = THETA
    matrices = quadratic_form(model, structure, np.unique(path.points, axis=0)).assembled(theta)
    cotangent = np.random.default_rng(0).normal(size=spectrum.shape)
    eigh, value, smeared, gradient, adjoint = interleaved(
        [
            lambda: np.linalg.eigh(matrices),
            lambda: spectrum.predict(theta),
            lambda: spectrum.predict(theta, q_smear=0.05),
            lambda: spectrum.predict_gradient(theta),
            lambda: spectrum.predict_with_pullback(theta)[1](cotangent),
        ]
    )
    print(f"spectrum of {len(path.points)} Q by {len(energy.centres)} energies, 2 sites, CPU time:")
    print(f"  eigh alone {1e3 * eigh:.2f} ms; predict {1e3 * value:.2f} ms; with Q smear {1e3 * smeared:.2f} ms;")
    print(f"  gradient by 3 couplings {1e3 * gradient:.2f} ms; value and adjoint {1e3 * adjoint:.2f} ms")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peer", type=Path, metavar="FOLDER", help="install magnopy there and measure it too")
    parser.add_argument("--many", action="store_true", help="stream ten million wave vectors, and watch the memory")
    parser.add_argument("--workers", action="store_true", help="measure one and two processes")
    return parser.parse_args()


def main(options):
    print("solutions (energies, S^αβ, S_perp) for each solution of numpy's batched eigh; more is better")
    for n_site in N_Q:
        for collinear in (False, True):
            compare(n_site, collinear=collinear)
    for n_site in N_Q:
        near_zero_modes(n_site)
    for n_site in N_Q:
        for collinear in (False, True):
            gradients(n_site, collinear=collinear, all_bonds=False)
        gradients(n_site, collinear=False, all_bonds=True)
    spectrum_cost()
    if options.peer:
        python = peer_python(options.peer)
        for n_site in N_Q_PEER:
            peer(python, n_site)
    if options.many:
        many_wave_vectors()
    if options.workers:
        workers()


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)
    with threadpool_limits(1):
        main(arguments())
