"""Many states at once by torch against one state at a time by numba."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spinscape.errors import ConfigError
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.dipolar import DipolarTable
from spinscape.lattice.qspace import EnergyAxis, QPath
from spinscape.observables.dynamic import DynamicSettings
from spinscape.simulate import integrators_torch
from spinscape.simulate.dynamics import DynamicsModel, TrajectorySettings
from spinscape.simulate.integrators import ColouredSpins, integrator
from spinscape.simulate.integrators_field import interactions
from spinscape.simulate.integrators_torch import StatesOnDevice
from spinscape.simulate.spin_system import block, spin_system
from spinscape.units import HBAR

ROUNDING = 1e-12
FIELD = Conditions(field=(1.0, 2.0, 3.0))
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")),
]


def magnet(models, onsite):
    return interactions(models.system(models.general(onsite=onsite, squares=False), (4, 4, 6)), [0.5, 0.7], FIELD)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", ["suzuki_trotter_2", "suzuki_trotter_4"])
@pytest.mark.parametrize("onsite", [False, True])
def test_each_state_goes_its_own_way(models, kind, onsite, device):
    of = magnet(models, onsite)
    states = np.stack([of.system.random_spins(np.random.default_rng(seed)) for seed in range(3)])
    many = StatesOnDevice(of, kind=kind, dt=0.03 * HBAR, device=device)
    one = integrator(of, kind=kind, dt=0.03 * HBAR, rows=False)
    assert isinstance(one, ColouredSpins)
    many.set_spins(states)
    np.testing.assert_array_equal(many.spins, states)
    many.run(7)
    assert np.abs(many.spins - states).max() > 0.1
    grids, grid = np.empty((3, 2, 3, 4, 4, 6), dtype=np.float32), np.empty((2, 3, 4, 4, 6), dtype=np.float32)
    many.write_grids(grids)
    for k, state in enumerate(states):
        one.set_spins(state)
        one.run(7)
        np.testing.assert_allclose(many.spins[k], one.spins, rtol=0, atol=ROUNDING)
        one.write_grid(grid)
        np.testing.assert_allclose(grids[k], grid, rtol=0, atol=1e-6)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("onsite", [False, True])
def test_energy_and_lengths_stay(models, onsite, device):
    of = magnet(models, onsite)
    states = np.stack([of.system.random_spins(np.random.default_rng(seed)) for seed in range(2)])
    many = StatesOnDevice(of, kind="suzuki_trotter_2", dt=0.03 * HBAR, device=device)
    many.set_spins(states)
    many.run(400)
    for after, before in zip(many.spins, states, strict=True):
        assert abs(of.energy(after) - of.energy(before)) / len(before) < 1e-12
        np.testing.assert_allclose(np.sum(after**2, axis=1), np.sum(before**2, axis=1), rtol=1e-12)


def test_empty_sites_stay_empty_and_colours_may_lack_a_period(models):
    model, occupied = models.cubic(), np.ones(105, dtype=bool)
    occupied[[3, 50, 100]] = False
    of = interactions(spin_system(model, block(model, (3, 5, 7)), occupied=occupied), [1.0])
    spins = of.system.random_spins(np.random.default_rng(2))
    many = StatesOnDevice(of, kind="suzuki_trotter_2", dt=0.02, device="cpu")
    one = integrator(of, kind="suzuki_trotter_2", dt=0.02, rows=False)
    many.set_spins([spins])
    one.set_spins(spins)
    many.run(3)
    one.run(3)
    assert not np.any(many.spins[0][~occupied])
    np.testing.assert_allclose(many.spins[0], one.spins, rtol=0, atol=ROUNDING)


def test_what_it_cannot_take_is_refused(models):
    far = replace(models.general(squares=False), parameter_names=("A", "B", "D"), dipolar=DipolarTable([2], [1.0]))
    dipolar = interactions(models.system(far, (3, 4, 4)), [0.5, 0.7, 1.0])
    biquadratic = interactions(models.system(models.general(), (4, 4, 6)), [0.5, 0.7])
    for of, kind, text in (
        (biquadratic, "suzuki_trotter_2", "biquadratic"),
        (magnet(models, False), "midpoint", "midpoint"),
        (dipolar, "suzuki_trotter_2", "dipoles"),
    ):
        with pytest.raises(ConfigError, match=text):
            StatesOnDevice(of, kind=kind, dt=0.01, device="cpu")


@pytest.mark.parametrize("memory", [2e9, 2e5])
def test_spectra_of_many_states_are_those_of_each(models, monkeypatch, memory):
    """On the CPU in place of a GPU, all at once and in small lots."""
    model = models.cubic()
    system = models.system(model, (4, 4, 4))
    states = [system.random_spins(np.random.default_rng(seed)) for seed in range(5)]
    line = QPath("line", np.array([[0.25, 0, 0], [0.5, 0.5, 0]]), np.zeros(2, dtype=np.int64), np.zeros(2))
    axis = EnergyAxis.from_range(first=-3.0, last=12.0, step=0.5)
    calls = []

    class OnCpu(StatesOnDevice):
        def __init__(self, of, **how):
            super().__init__(of, **how, device="cpu")

        def set_spins(self, spins):
            calls.append(len(spins))
            super().set_spins(spins)

    monkeypatch.setattr(integrators_torch, "StatesOnDevice", OnCpu)
    found = []
    for there in (False, True):
        monkeypatch.setattr(integrators_torch, "gpu_is_there", lambda there=there: there)
        trajectory = TrajectorySettings(gpu=True, memory=memory)
        dynamics = DynamicsModel(system, [1.0], Conditions(10.0), [line], axis, trajectory, DynamicSettings())
        found.append(dynamics.spectrum(iter(states)))
    assert sum(calls) == 5
    assert (len(calls) == 1) == (memory == 2e9)
    np.testing.assert_allclose(found[1].signal["line"], found[0].signal["line"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[1].zone, found[0].zone, rtol=1e-4, atol=1e-6)
    assert found[1].facts["energy_drift"] < 1e-13
