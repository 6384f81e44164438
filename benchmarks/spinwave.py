"""Spin waves: cost beside numpy's batched eigh of the same matrices, one thread, CPU time, interleaved in one process.

Energies, all S^αβ and S_perp count as one solution. ``value + gradient`` is the derivative of a broadened spectrum by
all couplings. Run with ``python benchmarks/spinwave.py``; prints one table.
"""

import time

import numpy as np
from threadpoolctl import threadpool_limits

from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model, OnsiteTable
from spinscape.kernels.bogoliubov import solve_plain
from spinscape.lattice.crystal import Crystal
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.observables.structure_factor import correlation_tensor, intensity, polarisation_weights
from spinscape.simulate.modes import blocks_of, solve
from spinscape.simulate.quadratic import quadratic_form
from spinscape.simulate.spectrum import SpectrumModel, SpinwaveSettings

N_REPEAT = 9
N_Q = {2: 4000, 8: 1000, 24: 200}


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
    theta = np.array([1.0, -0.4, 1.5])
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
    error = np.abs(fast()[0] - plain()[0]).max()
    kind = "collinear" if collinear else "generic"
    n_block = len(blocks.start) - 1
    print(
        f"{n_site:3d} sites, {kind:9s} {n_block} blocks: eigh {len(q) / eigh:9.3g} Q/s;"
        f" ours {eigh / ours:5.2f}, plain numpy {eigh / numpy_route:5.2f} of it; energies differ by {error:.1e} meV"
    )


def spectrum_cost():
    model, structure = magnet(2, collinear=True)
    corners = [[0, 0.1, 0], [1, 0.5, 0], [0, 1, 0.5]]
    path = path_through(corners, n_point=(110, 107), reciprocal=model.crystal.reciprocal)
    energy = EnergyAxis.from_range(first=0.0, last=12.0, step=0.1)
    spectrum = SpectrumModel(model, structure, path, energy, SpinwaveSettings(fwhm=(0.5,)))
    theta = np.array([1.0, -0.4, 1.5])
    matrices = spectrum._form.assembled(theta)
    eigh, value, smeared, gradient = interleaved(
        [
            lambda: np.linalg.eigh(matrices),
            lambda: spectrum.predict(theta),
            lambda: spectrum.predict(theta, q_smear=0.05),
            lambda: spectrum.predict_gradient(theta),
        ]
    )
    print(f"spectrum of {len(path.points)} Q by {len(energy.centres)} energies, 2 sites, CPU time:")
    print(f"  eigh alone {1e3 * eigh:.2f} ms; predict {1e3 * value:.2f} ms; with Q smear {1e3 * smeared:.2f} ms;")
    print(f"  gradient by 3 couplings {1e3 * gradient:.2f} ms")


def main():
    print("solutions (energies, S^αβ, S_perp) for each solution of numpy's batched eigh; more is better")
    for n_site in N_Q:
        for collinear in (False, True):
            compare(n_site, collinear=collinear)
    spectrum_cost()


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
