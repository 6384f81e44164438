"""Softened spin waves: closed forms, limits, and the classical magnet itself."""

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.model import BondTable, Model
from spinscape.lattice.qspace import EnergyAxis, QPath
from spinscape.lattice.symmetry import SiteSpec, crystal_from_sites
from spinscape.observables.bands import fit_line
from spinscape.simulate.dynamics_simulator import DynamicsSimulator
from spinscape.simulate.dynamics_start import StartSettings
from spinscape.simulate.protocol import StreamKey
from spinscape.simulate.softening import UnstableOrderError, length_of_boundary, softened_antiferromagnet
from spinscape.units import K_B


@pytest.mark.parametrize("t", [0.01, 0.13, 0.2])
def test_without_an_axis_it_is_a_quadratic_equation(t):
    """α² − α + t = 0, t = k_BT/4JL²."""
    found = softened_antiferromagnet(exchange=0.7, length=2.5, temperature=4 * 0.7 * 6.25 * t / K_B)
    assert found.exchange_factor == pytest.approx(0.5 + np.sqrt(0.25 - t), abs=1e-10)
    assert found.boundary == pytest.approx(4 * 0.7 * 2.5 * found.exchange_factor)
    assert found.gap == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(("spin", "expected"), [(0.5, 1.158), (2.5, 1.0316)])
def test_quantum_waves_at_zero_temperature_have_oguchis_factor(spin, expected):
    found = softened_antiferromagnet(exchange=1.0, length=spin, temperature=0.01, statistics="quantum", n_wave=400)
    assert found.exchange_factor == pytest.approx(1.0 + 0.157947 / (2.0 * spin), abs=1e-4)
    assert found.exchange_factor == pytest.approx(expected, abs=1e-3)


def test_quantum_waves_become_classical_ones():
    """Of a long spin at the same k_BT/4JL²; what is left is of the order 1/2L."""

    def factors(length, statistics):
        temperature = 0.05 * 4.0 * length**2 / K_B
        found = softened_antiferromagnet(
            exchange=1.0, length=length, temperature=temperature, axis=-0.01, statistics=statistics
        )
        return np.array([found.exchange_factor, found.axis_factor])

    rest = [length * (factors(length, "quantum") - factors(length, "classical")) for length in (400.0, 1600.0)]
    np.testing.assert_allclose(rest[0], rest[1], rtol=0.02)
    assert np.all(np.abs(rest[1]) < 1.0)


def test_at_zero_temperature_nothing_softens():
    found = softened_antiferromagnet(exchange=0.6544, length=2.5, temperature=1e-6, axis=-0.0048)
    a, b = (4 * 0.6544 + 2 * 0.0048) * 2.5, 4 * 0.6544 * 2.5
    assert (found.boundary, found.gap) == pytest.approx((a, np.sqrt(a**2 - b**2)), rel=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 10.0, 25.0])
def test_a_length_is_found_from_the_energy_it_has(temperature):
    known = {"exchange": 0.6544, "temperature": temperature, "axis": -0.0048, "n_wave": 32}
    energy = softened_antiferromagnet(length=2.7, **known).boundary
    assert length_of_boundary(energy, **known) == pytest.approx(2.7, abs=1e-7)


@pytest.mark.parametrize("change", [{"exchange": -1.0}, {"axis": 0.1}, {"statistics": "bose"}, {"temperature": 0.0}])
def test_bad_input_is_refused(change):
    with pytest.raises(ConfigError, match="out of range"):
        softened_antiferromagnet(**{"exchange": 1.0, "length": 1.0, "temperature": 1.0, **change})


def test_hot_magnets_have_no_such_waves():
    with pytest.raises(UnstableOrderError, match="no antiferromagnetic order"):
        softened_antiferromagnet(exchange=1.0, length=1.0, temperature=1.1 / K_B)


@pytest.mark.parametrize("t", [0.05, 0.1])
def test_the_classical_magnet_softens_so(t):
    """The peak of S(Q, ω) at (½, 0) against the quadratic equation; unit spins, T = t of 4JL²."""
    site = SiteSpec(label="A", ion="Mn2+", position=(0, 0, 0), spin=1.0)
    crystal = crystal_from_sites(np.diag([4.0, 4.0, 12.0]), [site], find_symmetry=False)
    bonds = BondTable([0, 0], [0, 0], [(1, 0, 0), (0, 1, 0)], [0, 0], np.tile(np.eye(3), (2, 1, 1)))
    corners = QPath("edge", np.array([[0.5, 0, 0], [0, 0.5, 0], [0.75, 0.25, 0], [0.25, 0.25, 0]]), np.zeros(4, int),
                    np.zeros(4))  # fmt: skip
    simulator = DynamicsSimulator(
        Model(crystal, ("J",), bonds), (24, 24, 1), [corners], EnergyAxis.from_range(first=0.0, last=6.0, step=0.05),
        Conditions(4.0 * t / K_B), start=StartSettings(n_configuration=16, n_equilibrate=400, n_between=40),
    )  # fmt: skip
    found = simulator.run(np.array([1.0]), StreamKey(3, "softening"))
    signal, error = (found.arrays[f"{kind}_edge"][0].mean(axis=0) for kind in ("signal", "error"))
    line = fit_line(simulator.energy.centres, signal, error)
    expected = softened_antiferromagnet(exchange=1.0, length=1.0, temperature=4.0 * t / K_B).boundary
    assert expected < 3.82
    # Of first order in t: 5 and 11 % of softening here, known to t².
    assert abs(line.energy - expected) < 4.0 * line.energy_error + t**2 * expected
