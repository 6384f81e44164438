"""The self-consistent Gaussian approximation against Monte Carlo of the same spins on the same waves."""

import numpy as np
import pytest

from spinscape.hamiltonian import terms
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.operations import model_operations
from spinscape.hamiltonian.terms import BondTerm
from spinscape.lattice.bonds import shell_bond
from spinscape.lattice.supercell import supercell
from spinscape.lattice.symmetry import SiteSpec, crystal_from_sites
from spinscape.observables import thermodynamics as td
from spinscape.observables.diffuse import PairSums, correlation_grid
from spinscape.observables.diffuse_projection import DiffuseSettings, Projector
from spinscape.simulate.gaussian import GaussianModel, GaussianSettings
from spinscape.simulate.local_engine import LocalEngine
from spinscape.simulate.moves import Move
from spinscape.simulate.spin_system import spin_system
from spinscape.units import K_B

N_CELL = 4
FOUR = 4.0
"""Standard errors."""
APPROXIMATION = 0.02
"""What the approximation itself is off by: 1/n corrections for n = 3 components, without a peak to sharpen them."""


def pyrochlore():
    """The primitive cell, so that a block of n³ cells and a mesh of n³ points hold the same waves."""
    vectors = 5.0 * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])
    places = [(0.5, 0.5, 0.5), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0)]
    crystal = crystal_from_sites(vectors, [SiteSpec("A", "Cr3+", place, 1.0) for place in places])
    return model_from_terms(
        crystal, ("J",), [BondTerm("heisenberg", terms.heisenberg("J", ("J",)), shell_bond(crystal, 1))]
    )


def sampled(model, temperature, *, n_block=40, n_sample=25):
    """Return correlations, energies (n_block, n_sample) and moments of a chain of heat bath and over-relaxation."""
    cell = supercell((N_CELL,) * 3, n_site=4)
    grid = correlation_grid(model.crystal, cell, operations=model_operations(model))
    engine = LocalEngine(spin_system(model, cell), np.array([1.0]), Conditions(), np.array([1, 2], dtype=np.uint64))
    moves, beta = (Move("heat_bath"), Move("over_relaxation", 2)), 1 / (K_B * temperature)
    engine.run(moves, beta, 200)
    sums, energies, moments = PairSums(grid), [], []
    for _ in range(n_block):
        spins = []
        for _ in range(n_sample):
            engine.run(moves, beta, 2)
            spins.append(engine.spins)
            energies.append(engine.energy)
        sums.add(np.array(spins))
        sums.close_block()
        moments.append(td.total_moment(np.array(spins), g=model.crystal.g))
    return sums.correlations(), np.reshape(energies, (1, -1)), np.concatenate(moments)[None]


@pytest.mark.parametrize("in_units_of_j", [2.0, 0.5])
def test_the_pyrochlore_antiferromagnet(in_units_of_j):
    model, temperature = pyrochlore(), in_units_of_j / K_B
    pairs, energies, moments = sampled(model, temperature)
    gaussian = GaussianModel(model, GaussianSettings(n_mesh=N_CELL, component="perp"))
    q = np.random.default_rng(1).integers(-6, 7, size=(40, 3)) / N_CELL
    projector = Projector(pairs.grid, q, DiffuseSettings("perp"))
    blocks = projector.star_intensity(pairs.blocks)
    found, error = blocks.mean(axis=0), blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks))
    predicted = gaussian.predict_structure_factor([1.0], temperature, projector.q)
    assert np.all(np.abs(predicted - found) < FOUR * error + APPROXIMATION * found.mean())
    # The scattering has structure, of which a constant would miss much.
    assert np.ptp(predicted) > 20 * APPROXIMATION * found.mean()
    n_spin = pairs.grid.cell.n_spin
    for one, exact in (
        (td.mean_estimate(energies / n_spin), gaussian.energy([1.0], temperature)),
        (
            td.heat_capacity(energies, temperature=temperature, n_spin=n_spin),
            gaussian.heat_capacity([1.0], temperature),
        ),
        (
            td.susceptibility(moments, temperature=temperature, n_spin=n_spin, connected=False),
            gaussian.susceptibility([1.0], temperature),
        ),
    ):
        size = np.abs(exact).max()
        assert np.all(np.abs(one.value - exact) < FOUR * one.error + APPROXIMATION * size)
        assert np.all(one.error < 0.1 * size)
