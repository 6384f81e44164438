"""The powder data of β-Na2PrO3: the published couplings from the study file, and from simulated data."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spinscape.config import build
from spinscape.config.load import load_study
from spinscape.config.measurements import momentum_axis
from spinscape.experiment.csv_reader import read_csv_table
from spinscape.experiment.measurement import Measurement
from spinscape.experiment.simulated import simulated_measurement
from spinscape.infer.box import Box
from spinscape.infer.chi2 import chi2_profiled
from spinscape.infer.descents import Descents
from spinscape.infer.forward import spinwave_forward
from spinscape.infer.problem import Problem
from spinscape.infer.squared_error import squared_error
from spinscape.infer.uncertainty import hessian_covariance
from spinscape.lattice.powder_axis import PowderAxis
from spinscape.lattice.qspace import EnergyAxis
from spinscape.simulate.spectrum_settings import SpinwaveSettings

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("SPINSCAPE_DATA", ROOT / ".." / "shared" / "data")) / "na2pro3" / "powder_Q_E.csv"
PUBLISHED = np.array([1.186, -0.302])
"""J and Γ in meV: what the powder tutorial of Sunny.jl finds in the same pixels with the same loss."""
BOX = Box.from_intervals({"J": (0.4, 2.0), "Gamma": (-1.0, 0.0)})
needs_data = pytest.mark.skipif(not DATA.is_file(), reason=f"no measured file at {DATA}")


@pytest.fixture(scope="module")
def study():
    return load_study(ROOT / "config" / "studies" / "na2pro3.yaml")


def forward_on(study, measurement, *, tolerance, fwhm=None):
    model, structure = build.build_model(study)
    settings = SpinwaveSettings.from_dict(build.spinwave_settings(study.simulate, study))
    settings = settings if fwhm is None else replace(settings, fwhm=fwhm)
    how = {"reference": [1.2, -0.3], "tolerance": tolerance, "seed": study.seed}
    return spinwave_forward(model, structure, [measurement], settings=settings, **how)


def test_the_bonds_along_c_are_z_bonds_and_the_chains_carry_the_opposite_sign(study):
    """In the local axes of site 0 every bond has its Γ beside the axis that it is perpendicular to."""
    model, _ = build.build_model(study)
    frame = np.array(study.hamiltonian[2].frame)
    crystal, bonds = model.crystal, model.bonds
    gamma = bonds.parameter == 1
    assert gamma.sum() == 24
    for k in np.flatnonzero(gamma):
        i, j = bonds.site_i[k], bonds.site_j[k]
        way = (crystal.positions[j] + bonds.offset[k] - crystal.positions[i]) @ crystal.vectors
        local = frame @ way / np.linalg.norm(way)
        axis = int(np.argmin(np.abs(local)))
        a, b = (axis + 1) % 3, (axis + 2) % 3
        matrix = frame @ bonds.matrix[k] @ frame.T
        # The local axes are those of ideal octahedra, which the bonds follow to a degree.
        assert np.abs(local[axis]) < 0.02
        expected = np.zeros((3, 3))
        expected[a, b] = expected[b, a] = np.sign(local[a] * local[b]) * (1.0 if axis == 2 else -1.0)
        np.testing.assert_allclose(matrix, expected, atol=1e-12)
    along_c = gamma & (np.abs(crystal.positions[bonds.site_i] - crystal.positions[bonds.site_j])[:, 0] < 1e-6)
    assert along_c.sum() == 8


@pytest.fixture(scope="module")
def simulated(study):
    """A coarse map of the published couplings with counting noise and wide lines: seconds instead of minutes."""
    axis, energy = PowderAxis.from_range(first=0.3, last=1.8, n=10), EnergyAxis(np.linspace(0.0, 2.4, 49))
    blank = Measurement("blank", axis, energy, np.zeros((10, 49)), np.ones((10, 49), bool))
    forward = forward_on(study, blank, tolerance=0.1, fwhm=(0.15,))
    image = forward.predict(PUBLISHED)[0]
    return forward, simulated_measurement(image, momentum=axis, energy=energy, counts=2e5, seed=3, with_std=True)


def test_simulated_powder_data_give_their_couplings_back(simulated):
    forward, data = simulated
    problem = Problem(forward, squared_error([data], leak=0.01))
    found = Descents(n_start=6, widths=(6.0, 1.0)).minimise(problem, BOX, 1)
    assert found.best.n_start >= 5
    std = hessian_covariance(problem, found.best.parameters, BOX).std
    assert np.all(np.abs(found.best.parameters - PUBLISHED) < 4 * std) and std.max() < 0.01
    chi2 = Problem(forward, chi2_profiled([data], free_background=False))
    from_errors = Descents(n_start=4, widths=(6.0, 1.0)).minimise(chi2, BOX, 1)
    std = hessian_covariance(chi2, from_errors.best.parameters, BOX).std
    assert np.all(np.abs(from_errors.best.parameters - PUBLISHED) < 4 * std)


def test_the_gradient_of_the_whole_forward_model(simulated):
    forward, _ = simulated
    slope, step = forward.gradient(PUBLISHED)[0], 1e-4
    for k, axis in enumerate(np.eye(2)):
        a, b, c, d = (forward.predict(PUBLISHED + n * step * axis)[0] for n in (-2, -1, 1, 2))
        difference = (8.0 * (c - b) - (d - a)) / (12.0 * step)
        assert np.abs(slope[k] - difference).max() < 1e-8 * np.abs(slope[k]).max()


@needs_data
@pytest.mark.slow
def test_the_loss_of_the_tutorial_gives_the_published_couplings(study):
    declared = study.measurements["powder"]
    data = read_csv_table(
        DATA,
        momentum=momentum_axis(study, declared),
        energy=declared.axis_of_energy,
        layout=declared.layout,
        missing=declared.missing,
    )
    assert data.shape == (30, 100) and int(data.valid.sum()) == 2602
    forward = forward_on(study, data, tolerance=0.1)
    problem = Problem(forward, squared_error([data], leak=0.01))
    found = Descents(n_start=10).minimise(problem, BOX, study.seed)
    np.testing.assert_allclose(found.best.parameters, PUBLISHED, rtol=0.02)
    assert found.best.n_start >= 9
    again = Descents(n_start=10).minimise(problem, BOX, study.seed)
    assert again.best.parameters.tobytes() == found.best.parameters.tobytes()
