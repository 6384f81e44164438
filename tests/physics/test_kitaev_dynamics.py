"""The classical Kitaev honeycomb: correlations, and the spectrum of the whole zone at T = 0.01 |K|; the Γ model.

Reference: our own earlier runs of another program, quoted in docs/studies/kitaev_heisenberg.md: central half width
0.91 to 0.96 T, upper maximum 1.838(6) |K|S, 1.29 times the dip below it.
"""

from pathlib import Path

import numpy as np
import pytest

from spinscape.config import build
from spinscape.config.load import load_study
from spinscape.hamiltonian.conditions import Conditions
from spinscape.lattice.qspace import EnergyAxis, QPath
from spinscape.lattice.volumes import QGrid
from spinscape.observables.bands import fit_centre
from spinscape.simulate.dynamics import TrajectorySettings
from spinscape.simulate.dynamics_simulator import DynamicsSimulator
from spinscape.simulate.dynamics_start import StartSettings
from spinscape.simulate.protocol import StreamKey
from spinscape.units import K_B

STUDY = Path(__file__).parents[2] / "config" / "studies" / "kitaev_heisenberg.yaml"
T = 0.01
WEIGHTINGS = ("classical", "detailed_balance", "density_of_states")


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_only_neighbours_on_their_own_bond_are_correlated(sign):
    """Turning over the components γ of both ends of one bond γ leaves the energy: at any temperature
    S(Q) = 2 (1 + c Σ_γ cos Q·δ_γ), c = <S_i^γ S_j^γ> = 2E/3K. For K > 0 next to nothing is left at Γ.
    """
    model, _ = build.build_model(load_study(STUDY))
    corners = [(0, 0, 0), (1 / 3, 1 / 3, 0), (0.5, 0, 0), (1, 0, 0), (0.5, 0.5, 0), (2 / 3, 2 / 3, 0), (0.25, 0, 0)]
    points = QPath("points", np.array(corners), np.zeros(7, dtype=np.int64), np.zeros(7))
    simulator = DynamicsSimulator(
        model,
        (12, 12, 1),
        [points],
        EnergyAxis.from_range(first=-8.0, last=8.0, step=4.0),
        Conditions(0.05 / K_B),
        start=StartSettings(n_configuration=48, n_equilibrate=100, n_between=60, hottest=1.0 / K_B, n_temperature=12,
                            n_chain=4),
    )  # fmt: skip
    found = simulator.run(np.array([0.0, sign]), StreamKey(6, "kitaev"))
    crystal, bonds = model.crystal, model.bonds
    kitaev = bonds.parameter == 1
    way = (bonds.offset + crystal.positions[bonds.site_j] - crystal.positions[bonds.site_i])[kitaev] @ crystal.vectors
    c = found.arrays["state_energy"][0] / (1.5 * sign)
    expected = 2.0 * (1.0 + c * np.cos(points.points @ crystal.reciprocal @ way.T).sum(axis=1))
    # Errors of the bins of one line go together.
    integral, error = (4.0 * found.arrays[f"{kind}_points"][0].sum(axis=1) for kind in ("signal", "error"))
    assert np.all(np.abs(integral - expected) < 4.0 * error)
    assert np.all(error[expected > 0.5] < 0.2 * expected[expected > 0.5])
    assert (integral[0] < 0.2) == (sign > 0)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_gamma_model_has_no_bragg_peak(sign):
    """−|Γ| per site as T → 0, and S(Q) of many chains spread over the zone: order would have 144 times the mean."""
    model, _ = build.build_model(load_study(STUDY.with_name("gamma_honeycomb.yaml")))
    edges = (np.arange(26) - 12.5) / 12
    plane = QGrid("hk0", np.zeros(3), np.eye(3), (edges, edges, np.array([-0.5, 0.5])))
    simulator = DynamicsSimulator(
        model,
        (12, 12, 1),
        [plane],
        EnergyAxis.from_range(first=-8.0, last=8.0, step=4.0),
        Conditions(T / K_B),
        start=StartSettings(n_configuration=24, n_equilibrate=40, n_between=40, hottest=1.0 / K_B, n_temperature=20,
                            n_chain=24),
    )  # fmt: skip
    found = simulator.run(np.array([sign]), StreamKey(7, "gamma"))
    energy, error = found.arrays["state_energy"][0], found.arrays["state_energy_error"][0]
    # A slope between those of one soft and of no soft mode for each spin: ½ and 1.
    assert -1.0 + 0.5 * T - 4.0 * error < energy < -1.0 + T + 4.0 * error
    intensity = 4.0 * found.arrays["signal_hk0"][0].sum(axis=-1)
    assert intensity.max() < 6.0 * intensity.mean()
    # A hole at the zone centre for Γ > 0, a maximum for Γ < 0.
    assert (intensity[12, 12] < 0.3 * intensity.mean()) == (sign > 0)


@pytest.mark.slow
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_spectrum_of_the_whole_zone(sign):
    model, _ = build.build_model(load_study(STUDY))
    gamma = QPath("gamma", np.zeros((1, 3)), np.zeros(1, dtype=np.int64), np.zeros(1))
    axis = EnergyAxis.from_range(first=-0.1, last=2.4, step=T / 5)
    simulator = DynamicsSimulator(
        model,
        (36, 36, 1),
        [gamma],
        axis,
        Conditions(T / K_B),
        trajectory=TrajectorySettings(n_probe=512),
        zone_weightings=WEIGHTINGS,
        start=StartSettings(n_configuration=8, n_equilibrate=200, n_between=200, hottest=1.0 / K_B, n_temperature=40),
    )
    found = simulator.run(np.array([0.0, sign]), StreamKey(5, "kitaev"))
    energy, plain, error = axis.centres, found.arrays["zone"][0, 0], found.arrays["zone_error"][0, 0]
    # −½ per site, and half of a degree of freedom in four soft ones: between ½ T and T above.
    assert 0.5 * T < found.arrays["state_energy"][0] + 0.5 < T
    assert found.diagnostics["energy_drift"] < 1e-13
    centre = fit_centre(energy, plain, error, reach=2.0 * T, least=0.35 * T)
    assert centre.half_width == pytest.approx(0.95 * T, abs=0.1 * T)
    for k, _ in enumerate(WEIGHTINGS):
        _check_upper_maximum(energy, found.arrays["zone"][0, k], found.arrays["zone_error"][0, k], at_least=1.2)
    # Only the factor E makes a maximum at finite energy of the central one, at its half width.
    low = (energy > 1.5 * axis.step) & (energy < 0.2)  # beyond the elastic line, of the width of the window
    assert energy[low][np.argmax(found.arrays["zone"][0, 2][low])] == pytest.approx(centre.half_width, abs=2.5e-3)
    # Bins of T/5: beside zero the line is lower by as little as the errors.
    inside = np.abs(energy) < 0.2
    assert abs(energy[inside][np.argmax(plain[inside])]) < 1.5 * axis.step


def _check_upper_maximum(energy, values, errors, *, at_least):
    width = 10
    smooth = np.convolve(values, np.ones(width) / width, "same")
    sigma = np.sqrt(np.convolve(errors**2, np.ones(width), "same")) / width
    top = np.flatnonzero((energy > 1.6) & (energy < 2.1))
    top = top[np.argmax(smooth[top])]
    dip = np.flatnonzero((energy > 1.2) & (energy < 1.75))
    dip = dip[np.argmin(smooth[dip])]
    assert energy[top] == pytest.approx(1.838, abs=0.03)
    assert smooth[top] > at_least * smooth[dip]
    assert smooth[top] - smooth[dip] > 10.0 * np.hypot(sigma[top], sigma[dip])
