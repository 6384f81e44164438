"""Thermal states: both ways lead to the same averages; structures in supercells."""

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.model import MagneticStructure
from spinscape.simulate.dynamics_start import StartSettings, structure_spins, thermal_states
from spinscape.simulate.integrators_field import interactions
from spinscape.simulate.moves import Move
from spinscape.units import K_B

NEEL = MagneticStructure([[1, 1, 0], [1, -1, 0], [0, 0, 1]], [0, 0], [[0, 0, 0], [1, 0, 0]], [[0, 0, 1], [0, 0, -1]])


@pytest.mark.parametrize("method", ["monte_carlo", "langevin"])
def test_dimers_have_their_energy(models, method):
    of = interactions(models.system(models.dimers(), (8, 8, 8)), [1.0])
    settings = StartSettings(method, n_configuration=12, n_equilibrate=150, n_between=40, damping=0.5)
    states = thermal_states(of, [1.0], Conditions(0.5 / K_B), settings, generator=np.random.default_rng(3))
    energies = np.array([of.energy(spins) / 512 for spins in states])
    assert len(energies) == 12
    error = energies.std(ddof=1) / np.sqrt(12)
    # Of the bath also 5e-4 of its step.
    assert abs(energies.mean() + 1.0 / np.tanh(2.0) - 0.5) < 4.0 * error + 1e-3
    assert error < 0.01


def test_the_way_down_is_geometric():
    assert StartSettings().ladder(2.0).tolist() == [2.0]
    np.testing.assert_allclose(StartSettings(hottest=16.0, n_temperature=3).ladder(2.0), [16.0, 8.0, 4.0, 2.0])
    assert StartSettings(hottest=1.0).ladder(2.0).tolist() == [2.0]


def test_cooling_finds_the_neel_state(models):
    of = interactions(models.system(models.square(), (6, 6, 1)), [1.0])
    settings = StartSettings(
        "monte_carlo", n_configuration=1, n_equilibrate=60, hottest=2.0 / K_B, moves=(Move("heat_bath", 2),)
    )
    (spins,) = thermal_states(of, [1.0], Conditions(0.01 / K_B), settings, generator=np.random.default_rng(5))
    assert of.energy(spins) / 36 == pytest.approx(-2.0 + 0.01, abs=0.01)


def test_states_follow_from_the_generator(models):
    of = interactions(models.system(models.cubic(), (4, 4, 4)), [1.0])
    for method in ("monte_carlo", "langevin"):
        settings = StartSettings(method, n_configuration=2, n_equilibrate=5, n_between=2)
        first, again, other = (
            list(thermal_states(of, [1.0], Conditions(5.0), settings, generator=np.random.default_rng(seed)))
            for seed in (1, 1, 2)
        )
        assert np.array_equal(first, again)
        assert not np.allclose(first, other)
        assert not np.allclose(first[0], first[1])


@pytest.mark.parametrize("method", ["monte_carlo", "langevin"])
def test_chains_begin_anew(models, method):
    """Spins that hardly move: states of one chain are alike, those of another are others."""
    system = models.system(models.cubic(), (2, 2, 2))
    of, theta = interactions(system, [1e-9]), np.array([1e-9])
    settings = StartSettings(method, n_configuration=5, n_equilibrate=0, n_between=1, n_chain=2, damping=1e-6,
                             moves=(Move("small_step", 1, 1e-4),))  # fmt: skip
    states = list(thermal_states(of, theta, Conditions(1e-9), settings, generator=np.random.default_rng(1)))
    assert len(states) == 5
    near = np.abs(np.array(states)[:, None] - np.array(states)).max(axis=(2, 3)) < 0.3
    np.testing.assert_array_equal(near, np.equal.outer([0, 0, 0, 1, 1], [0, 0, 0, 1, 1]))


def test_a_structure_fills_supercells_of_whole_magnetic_cells(models):
    model = models.square(2.5)
    for numbers in ((4, 6, 1), [[4, 2, 0], [-2, 4, 0], [0, 0, 1]]):
        system = models.system(model, numbers)
        spins = structure_spins(system, NEEL)
        signs = (-1.0) ** system.cell.cells.sum(axis=1)
        assert np.array_equal(spins, signs[:, None] * [0.0, 0.0, 2.5])
    with pytest.raises(ConfigError, match="whole magnetic cells"):
        structure_spins(models.system(model, (5, 4, 1)), NEEL)


def test_bad_input_is_refused(models):
    of = interactions(models.system(models.cubic(), (4, 4, 4)), [1.0])
    with pytest.raises(ConfigError, match="temperature"):
        next(thermal_states(of, [1.0], Conditions(None), StartSettings(), generator=np.random.default_rng(1)))
    loops = StartSettings(moves=(Move("short_loop"),))
    with pytest.raises(ConfigError, match="short_loop"):
        next(thermal_states(of, [1.0], Conditions(1.0), loops, generator=np.random.default_rng(1)))
    for change in ({"method": "magic"}, {"n_configuration": 0}, {"damping": -1.0}):
        with pytest.raises(ConfigError, match="start"):
            StartSettings(**change)
    settings = StartSettings(moves=(Move("heat_bath", 3),))
    assert StartSettings(**settings.to_dict()) == settings
