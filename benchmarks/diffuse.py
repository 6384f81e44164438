"""Diffuse scattering: correlations of configurations, the way from them to 10⁶ bins, and the Gaussian approximation.

Medians of CPU seconds of this process, one thread. Run with ``python benchmarks/diffuse.py``; about half a minute.
"""

import argparse
import time

import numpy as np
from threadpoolctl import threadpool_limits

from spinscape.hamiltonian import terms
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.terms import BondTerm
from spinscape.lattice.bonds import shell_bond
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.supercell import supercell
from spinscape.lattice.symmetry import SiteSpec, crystal_from_space_group
from spinscape.lattice.volumes import QGrid, edges_from_range
from spinscape.observables.diffuse import PairSums, correlation_grid
from spinscape.observables.diffuse_projection import RULES, DiffuseSettings, Projector
from spinscape.observables.structure_factor import polarisation_weights
from spinscape.simulate.gaussian import GaussianModel, GaussianSettings
from spinscape.units import K_B

CUBIC = lattice_vectors(a=10.0, b=10.0, c=10.0)
ASKED_ADD, ASKED_PROJECT, ASKED_ERROR = 0.1, 30.0, 1e-10
"""ms per configuration of 1,024 spins; ms for 10⁶ bins; relative to the direct sum."""
N_CONFIG = 200
CHROMIUM = {"J1": 32.70, "J2": 5.58, "J3a": 6.48, "J3b": 0.40}


def median_ms(function, n):
    """Return the median CPU time of calls, after one that does not count."""
    function()
    times = []
    for _ in range(n):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return 1e3 * float(np.median(times))


def pyrochlore(kind):
    axis = (1, 1, 1) if kind == "ising" else None
    return crystal_from_space_group(
        CUBIC, "Fd-3m", [SiteSpec("Dy", "Dy3+", (0.5, 0.5, 0.5), 1.0, kind=kind, axis=axis, g=np.eye(3) * 4 / 3)]
    )


def configurations(crystal, cell):
    """Return random configurations: signs along the axes as int8, or vectors; and as vectors."""
    rng = np.random.default_rng(1)
    if crystal.kind[0] == "ising":
        sigma = rng.choice(np.array([-1, 1], dtype=np.int8), size=(N_CONFIG, cell.n_spin))
        return sigma, sigma[..., None] * np.tile(crystal.axis, (cell.n_cell, 1))
    spins = rng.normal(size=(N_CONFIG, cell.n_spin, 3))
    spins /= np.linalg.norm(spins, axis=2, keepdims=True)
    return spins, spins


def direct(crystal, cell, spins, q):
    """Return S_perp(Q) per chemical cell, spin by spin."""
    place = (cell.cells[:, None] + crystal.positions[None]).reshape(-1, 3)
    amplitude = np.einsum("qs,csx->cqx", np.exp(-2j * np.pi * q @ place.T), spins, optimize=True)
    tensor = np.einsum("cqx,cqy->qxy", amplitude.conj(), amplitude).real / len(spins) / cell.n_cell
    return np.einsum("qxy,qxy->q", tensor, polarisation_weights("perp", q @ crystal.reciprocal))


def scattering(kind, n):
    crystal = pyrochlore(kind)
    cell = supercell((4, 4, 4), n_site=16)
    grid = correlation_grid(crystal, cell)
    taken, vectors = configurations(crystal, cell)
    sums = PairSums(grid)
    add = median_ms(lambda: sums.add(taken), n) / N_CONFIG
    print(f"{kind}, {cell.n_spin} spins: {add:.3f} ms to add a configuration (asked {ASKED_ADD})")

    once = PairSums(grid)
    once.add(taken)
    pairs = once.correlations().mean
    q = np.random.default_rng(2).integers(-20, 21, size=(40, 3)) / 4.0
    plain = direct(crystal, cell, vectors, q)
    projector = Projector(grid, q, DiffuseSettings("perp", symmetry=False))
    error = np.abs(projector.star_intensity(pairs)[projector.star[:, 0]] / plain - 1).max()
    print(f"  largest difference from the direct sum at {len(q)} allowed Q: {error:.1e} (asked {ASKED_ERROR:g})")

    edges = edges_from_range(first=-5, last=5, n_bin=100)
    where = QGrid("volume", np.zeros(3), np.eye(3), (edges, edges, edges))
    for rule in RULES:
        start = time.process_time()
        projector = Projector(grid, where, DiffuseSettings("perp", form_factor=True, rule=rule))
        plan = time.process_time() - start
        project = median_ms(lambda p=projector: p(pairs), n)
        print(
            f"  {rule}: {project:.1f} ms from correlations to 10⁶ bins (asked {ASKED_PROJECT:g}), "
            f"planned once in {plan:.2f} s, {len(projector.q)} stars"
        )


def gaussian(n):
    g = 2.05 * np.eye(3)
    crystal = crystal_from_space_group(
        lattice_vectors(a=8.3342, b=8.3342, c=8.3342), "Fd-3m", [SiteSpec("Cr", "Cr3+", (0.5, 0.5, 0.5), 1.5, g)]
    )
    names = tuple(CHROMIUM)
    rows = [BondTerm("heisenberg", terms.heisenberg(x, names), shell_bond(crystal, x[1:])) for x in names]
    model = GaussianModel(model_from_terms(crystal, names, rows), GaussianSettings(length="S(S+1)", form_factor=True))
    theta, h = K_B * np.array(list(CHROMIUM.values())), -0.075 + 0.15 * np.arange(34)
    view = model.view(np.stack(np.meshgrid(h, h, [0.0], indexing="ij"), axis=-1).reshape(-1, 3))
    for name, function in {
        "multipliers": lambda: model.state(theta, 20.0),
        "multipliers and 34 × 34 pixels of S(Q)": lambda: model.predict_structure_factor(theta, 20.0, view),
        "the same with 5 derivatives": lambda: model.structure_factor_gradient(theta, 20.0, view),
        "susceptibility": lambda: model.susceptibility(theta, 100.0),
        "heat capacity": lambda: model.heat_capacity(theta, 100.0),
    }.items():
        print(f"  {name}: {median_ms(function, n):.2f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=15, help="repetitions of each")
    options = parser.parse_args()
    with threadpool_limits(1):
        for kind in ("ising", "heisenberg"):
            scattering(kind, options.n)
        print("self-consistent Gaussian approximation, MgCr₂O₄, 16³ mesh (asked: milliseconds)")
        gaussian(options.n)


if __name__ == "__main__":
    main()
