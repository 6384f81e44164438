"""A fit of twelve couplings to one image by exact gradients: a honeycomb with three shells of full exchange.

    python benchmarks/image_fit.py [--seed 1]

Symmetry (P-31m) leaves four symmetric exchange parameters to each of the first three shells. Spins lie in the plane,
antiparallel, and cant in a known field: by how much depends on the couplings, so that the structure is relaxed at every
step and its motion is a part of the gradient. The image has 200 × 100 pixels and counting noise. Descents start at
random points of a box around the truth.
"""

import argparse
import time

import numpy as np

from spinscape.experiment.simulated import Background, simulated_measurement
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.model import MagneticStructure
from spinscape.hamiltonian.terms import BondTerm
from spinscape.infer.box import Box
from spinscape.infer.chi2 import chi2_profiled
from spinscape.infer.descents import Descents
from spinscape.infer.forward import spinwave_forward
from spinscape.infer.gauss_newton import gauss_newton
from spinscape.infer.noise import with_fitted_std
from spinscape.infer.problem import Problem
from spinscape.infer.uncertainty import hessian_covariance
from spinscape.lattice import symmetry
from spinscape.lattice.bonds import neighbour_shells
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.orbits import allowed_exchange
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.simulate.relaxation import relaxed_structure
from spinscape.simulate.spectrum_settings import SpinwaveSettings

TRUTH = {
    **{"A1": 4.0, "A2": 3.0, "A3": 2.6, "A4": 0.25},
    **{"B1": 0.35, "B2": 0.15, "B3": 0.1, "B4": 0.08},
    **{"C1": 0.9, "C2": 0.6, "C3": 0.5, "C4": -0.1},
}
"""Coefficients of the allowed matrices of shells 1, 2 and 3, meV."""
HALF_WIDTH = {"A": 0.8, "B": 0.4, "C": 0.4}
"""Half the width of the box about the truth, meV, by shell; its middle is off the truth by half of that."""
FIELD = (0.0, 6.0, 2.0)
COUNTS = 4e6


def honeycomb():
    """Return the model of TRUTH's couplings and the structure that it relaxes to in the field."""
    vectors = lattice_vectors(a=5.2, b=5.2, c=12.0, gamma=120.0)
    site = symmetry.SiteSpec(label="M", ion="Ni2+", position=(1 / 3, 2 / 3, 0.0), spin=1.0)
    crystal = symmetry.crystal_from_space_group(vectors, "P -3 1 m", [site])
    terms = []
    for letter, shell in zip("ABC", neighbour_shells(crystal, n_shell=3), strict=True):
        allowed = [m for m in allowed_exchange(crystal, *shell.bond) if np.allclose(m, m.T)]
        matrices = {f"{letter}{k + 1}": matrix for k, matrix in enumerate(allowed)}
        terms.append(BondTerm("matrix", matrices, shell.bond, where=f"shell {shell.label}"))
    model = model_from_terms(crystal, tuple(TRUTH), terms)
    start = MagneticStructure(np.eye(3, dtype=int), [0, 1], np.zeros((2, 3)), [[1.0, 0.2, 0.1], [-1.0, 0.2, 0.1]])
    conditions = Conditions(None, FIELD)
    return model, relaxed_structure(model, start, list(TRUTH.values()), conditions), conditions


def settings():
    """Return how the image is made from the modes."""
    return SpinwaveSettings(component="perp", fwhm=(0.5,))


def axes(model):
    """Return a path of 200 points and 100 energies."""
    corners = [[0.1, 0.0, 0.3], [1.0, 0.0, 0.3], [2 / 3, 2 / 3, 0.3], [0.1, 0.1, 0.3]]
    path = path_through(corners, n_point=[70, 60, 70], reciprocal=model.crystal.reciprocal, name="honeycomb")
    return path, EnergyAxis.from_range(first=0.25, last=25.0, step=0.25)


def measured(model, structure, conditions, *, seed):
    """Return the image with counting noise, its errors left for the fit to estimate."""
    path, energy = axes(model)
    blank = simulated_measurement(
        np.ones((200, 100)), momentum=path, energy=energy, counts=1e4, seed=0, conditions=conditions
    )
    forward = spinwave_forward(model, structure, [blank], settings=settings(), relax=True)
    return simulated_measurement(
        forward.predict(np.array(list(TRUTH.values())))[0],
        momentum=path,
        energy=energy,
        counts=COUNTS,
        seed=seed,
        background=Background(constant=0.05),
        key=tuple(TRUTH.values()),
        conditions=conditions,
    )


def box(*, seed):
    """Return a box that holds the truth, off its middle."""
    shift = np.random.default_rng(seed).uniform(-0.5, 0.5, len(TRUTH))
    sides = {}
    for (name, value), off in zip(TRUTH.items(), shift, strict=True):
        half = HALF_WIDTH[name[0]]
        sides[name] = (value + (off - 1.0) * half, value + (off + 1.0) * half)
    return Box.from_intervals(sides)


def fit(*, seed=1, n_start=3):
    """Return the search's result, parameters and covariance of the last fit, how long it took in s, and its problem.

    The search estimates the noise from neighbouring pixels; the last fit takes it from the first one's image.
    """
    model, structure, conditions = honeycomb()
    data = measured(model, structure, conditions, seed=seed)
    start = time.perf_counter()
    forward = spinwave_forward(model, structure, [data], settings=settings(), relax=True)
    problem = Problem(forward, chi2_profiled([data]))
    around = box(seed=seed)
    search = Descents(n_start=n_start, widths=(6.0, 2.0, 1.0)).minimise(problem, around, seed)
    image = problem.objective.fitted(forward.predict(search.best.parameters))[0]
    weighed = with_fitted_std(data, image, gain=1.0 / data.provenance["counts_per_unit"])
    problem = Problem(forward, chi2_profiled([weighed]))
    best = gauss_newton(problem, search.best.parameters, box=around).parameters
    covariance = hessian_covariance(problem, best, around)
    return search, best, covariance, time.perf_counter() - start, problem


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--starts", type=int, default=3)
    asked = parser.parse_args()
    search, best, covariance, seconds, problem = fit(seed=asked.seed, n_start=asked.starts)
    print("coupling   truth    fitted     sigma   pull")
    for name, truth, value, sigma in zip(TRUTH, TRUTH.values(), best, covariance.std, strict=True):
        print(f"{name:8s} {truth:7.3f} {value:9.4f} {sigma:9.4f} {(value - truth) / sigma:6.2f}")
    quality = problem.objective.quality(problem.forward.predict(best))
    starts = f"{search.best.n_start} of {asked.starts} starts, {len(search.minima)} minima"
    print(f"chi2/dof {quality['chi2_per_dof']:.3f}; {starts}")
    print(f"{search.n_call} spectra, {seconds:.1f} s")


if __name__ == "__main__":
    main()
