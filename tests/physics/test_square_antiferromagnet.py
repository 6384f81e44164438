"""The square-lattice antiferromagnet of the study: closed form, coordinates, and the measured map."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar
from scipy.signal import savgol_filter

from spinscape.config.build import build_model, path, spinwave_settings
from spinscape.config.load import load_study
from spinscape.lattice.qspace import EnergyAxis
from spinscape.simulate.spinwave import SpectrumModel, SpinwaveSettings
from spinscape.units import FWHM_PER_SIGMA

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("SPINSCAPE_DATA", ROOT.parent / "shared" / "data")) / "la2nio4" / "Sqw_path1.csv"
ZC, S = 1.09, 1.0
ENERGY = EnergyAxis.from_range(first=20.0, last=140.0, step=1.0)


@pytest.fixture(scope="module")
def study():
    return load_study(ROOT / "config" / "studies" / "la2nio4.yaml")


@pytest.fixture(scope="module")
def spectrum(study):
    model, structure = build_model(study)
    settings = SpinwaveSettings.from_dict({**spinwave_settings(study.simulate), "q_smear": 0.0})
    return SpectrumModel(model, structure, path(study, "path1"), ENERGY, settings)


def closed_form(q, j, jp):
    """E = Zc sqrt(A² - B²) and S^xx + S^yy = (A - B)/sqrt(A² - B²), Néel order on the square lattice."""
    x, y = 2 * np.pi * q[:, 0], 2 * np.pi * q[:, 1]
    a = 4 * S * (j - jp * (1 - np.cos(x) * np.cos(y)))
    b = 2 * S * j * (np.cos(x) + np.cos(y))
    # Zero modes: the limit that the cap cuts, and the one that is dark.
    root = np.sqrt(np.maximum(a**2 - b**2, 1e-8))
    return ZC * root, (a - b) / root


def test_spectrum_is_the_closed_form(spectrum, study):
    energy, intensity = closed_form(spectrum.path.points, 29.0, 1.67)
    sigma = np.polynomial.polynomial.polyval(energy, study.simulate.resolution.fwhm) / FWHM_PER_SIGMA
    x = (ENERGY.centres - energy[:, None]) / sigma[:, None]
    peak = np.minimum(intensity, 20.0) / (np.sqrt(2 * np.pi) * sigma)
    # At the zone centres the regularised zero modes lie within 2e-3 meV of zero.
    np.testing.assert_allclose(spectrum.predict([29.0, 1.67]), peak[:, None] * np.exp(-0.5 * x**2), atol=1e-4)
    away = energy > 1.0
    np.testing.assert_allclose(
        spectrum.predict([29.0, 1.67])[away], (peak[:, None] * np.exp(-0.5 * x**2))[away], atol=1e-10
    )


def test_energies_at_the_zone_boundary_and_at_the_zone_centres(spectrum):
    j, jp = 31.0, -4.0
    energies = spectrum.mode_energies([j, jp], [[0.75, 0.25, 0], [0.5, 0, 0], [0.5, 0.5, 0], [1, 0, 0]])
    np.testing.assert_allclose(energies[0], 4 * ZC * (j - jp), rtol=1e-9)
    np.testing.assert_allclose(energies[1], 4 * ZC * (j - 2 * jp), rtol=1e-9)
    np.testing.assert_allclose(energies[2:], 0.0, atol=1e-2)


def test_a_shifted_energy_axis_is_recovered(spectrum):
    target = spectrum.predict([29.0, 1.67], energy_offset=0.73)
    miss = lambda shift: np.sum((spectrum.predict([29.0, 1.67], energy_offset=shift) - target) ** 2)  # noqa: E731
    assert minimize_scalar(miss, bounds=(-3, 3), method="bounded").x == pytest.approx(0.73, abs=1e-3)


def cpu_seconds(action):
    start = time.process_time()
    for _ in range(20):
        action()
    return (time.process_time() - start) / 20


def test_a_whole_spectrum_costs_no_more_than_its_eigenvalue_problem_by_numpy(spectrum):
    """217 Q by 121 energies; measured: 0.4 of numpy's batched eigh of the same 4×4 matrices."""
    matrices = np.tile(np.eye(4) + 0.1j * (np.eye(4, k=1) - np.eye(4, k=-1)), (len(spectrum.path.points), 1, 1))
    spectrum.predict([29.0, 1.67])
    ratios = [
        cpu_seconds(lambda: spectrum.predict([29.0, 1.67])) / cpu_seconds(lambda: np.linalg.eigh(matrices))
        for _ in range(5)
    ]
    assert np.median(ratios) < 2.0


@pytest.fixture(scope="module")
def measured():
    if not DATA.is_file():
        pytest.skip(f"the measured map is not at {DATA}; SPINSCAPE_DATA names the data folder")
    raw = np.loadtxt(DATA, delimiter=",")
    background = savgol_filter(raw[:, 160:170].mean(axis=1), 51, 3)
    return np.log1p(np.clip(raw - background[:, None], 0.0, None)).T.ravel()


def test_the_measured_map_gives_the_known_couplings(spectrum, measured):
    """The recipe of the direct fit: Pearson r of log(1 + data) and log(1 + 0.833 model)."""

    def miss(theta):
        return -np.corrcoef(measured, np.log1p(0.833 * spectrum.predict(theta)).ravel())[0, 1]

    found = minimize(miss, [31.0, 3.0], method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-7})
    np.testing.assert_allclose(found.x, [29.233, 1.585], atol=5e-3)
    assert -found.fun == pytest.approx(0.53288, abs=2e-5)
