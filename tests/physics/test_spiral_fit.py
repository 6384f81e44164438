"""A helix fitted by its spectrum: the couplings decide the wave vector, which moves at every step of the fit."""

import numpy as np

from spinscape.experiment.simulated import simulated_measurement
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.spiral import SpiralStructure
from spinscape.hamiltonian.terms import BondTerm, heisenberg
from spinscape.infer.box import Box
from spinscape.infer.chi2 import chi2_profiled
from spinscape.infer.descents import Descents
from spinscape.infer.forward import spinwave_forward
from spinscape.infer.problem import Problem
from spinscape.infer.uncertainty import hessian_covariance
from spinscape.lattice import symmetry
from spinscape.lattice.bonds import Bond
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.simulate.spectrum_settings import SpinwaveSettings

NAMES = ("F", "J", "K")
TRUTH = np.array([-0.5, -1.0, 0.75])
BOX = Box.from_intervals({"F": (-0.7, -0.3), "J": (-1.3, -0.7), "K": (0.5, 1.0)})


def helix():
    """Planes coupled by F, along c by J and K; declared with a wave vector that is none of a state at rest."""
    site = symmetry.SiteSpec("Mn", "Mn2+", (0.0, 0.0, 0.0), 2.5)
    crystal = symmetry.crystal_from_space_group(lattice_vectors(a=4.0, b=4.0, c=5.0), "P 4/m m m", [site])
    bonds = (("F", Bond(0, 0, (1, 0, 0))), ("J", Bond(0, 0, (0, 0, 1))), ("K", Bond(0, 0, (0, 0, 2))))
    terms = [BondTerm("heisenberg", heisenberg(name, NAMES), bond, where=name) for name, bond in bonds]
    return model_from_terms(crystal, NAMES, terms), SpiralStructure([0, 0, 0.2], [0, 0, 1], [[1, 0, 0]])


def test_a_fit_finds_couplings_and_wave_vector():
    model, structure = helix()
    corners = [[0, 0, 0.1], [0, 0, 1.1], [0.5, 0, 1.1]]
    path = path_through(corners, n_point=[24, 12], reciprocal=model.crystal.reciprocal)
    energy = EnergyAxis.from_range(first=0.3, last=15.9, step=0.3)
    blank = simulated_measurement(np.ones((36, 53)), momentum=path, energy=energy, counts=1e4, seed=0)
    settings = SpinwaveSettings(component="perp", fwhm=(0.8,))
    forward = spinwave_forward(model, structure, [blank], settings=settings, relax=True)
    image = forward.predict(TRUTH)[0]
    data = simulated_measurement(image, momentum=path, energy=energy, counts=3e5, seed=3, with_std=True)
    problem = Problem(forward, chi2_profiled([data]))
    found = Descents(n_start=2, widths=(6.0, 1.0)).minimise(problem, BOX, 1)
    std = hessian_covariance(problem, found.best.parameters, BOX).std
    assert found.best.n_start == 2
    assert np.all(np.abs(found.best.parameters - TRUTH) < 4.0 * std) and np.all(std < 2e-3)
    # cos 2πk = -J/4K
    k = forward.spectra[0].structure_at(found.best.parameters).k
    np.testing.assert_allclose(np.abs(k), [0, 0, np.arccos(1.0 / 3.0) / (2.0 * np.pi)], atol=2e-4)
