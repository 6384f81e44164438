"""The model of dynamics as a whole: what it asks for, says of itself, and refuses."""

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.hamiltonian.conditions import Conditions
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.lattice.volumes import QGrid
from spinscape.observables.dynamic import DynamicSettings
from spinscape.simulate.dynamics import DynamicsModel, TrajectorySettings
from spinscape.units import K_B

AXIS = EnergyAxis.from_range(first=-7.0, last=7.0, step=0.25)


def path(model, *vertices, n=5, name="line"):
    return path_through(vertices, n_point=[n] * (len(vertices) - 1), reciprocal=model.crystal.reciprocal, name=name)


def edges(n):
    return (np.arange(n + 1) - 0.5) / n


@pytest.fixture(scope="module")
def random_states(models):
    model = models.cubic()
    system = models.system(model, (8, 4, 4))
    generator = np.random.default_rng(1)
    return system, [system.random_spins(generator) for _ in range(6)]


def made(system, where, *, theta=(1.0,), temperature=10.0, trajectory=None, **spectrum):
    return DynamicsModel(
        system,
        theta,
        Conditions(temperature),
        where,
        AXIS,
        TrajectorySettings(**(trajectory or {})),
        DynamicSettings(**spectrum),
    )


def test_sums_and_shapes(random_states):
    """∫S dE is the equal-time correlation; its mean over the zone is S² for each spin."""
    system, states = random_states
    grid = QGrid("zone", np.zeros(3), np.eye(3), (edges(8), edges(4), edges(4)))
    line = path(system.model, (0, 0, 0), (0.5, 0, 0))
    model = made(system, [line, grid], window="none", trajectory={"per_block": 2})
    found = model.spectrum(iter(states))
    assert found.signal["line"].shape == (5, 57)
    assert found.signal["zone"].shape == found.error["zone"].shape == (8, 4, 4, 57)
    total = found.signal["zone"].sum(axis=-1) * AXIS.step
    # All energies lie within ±7, as a field of 6 moves the spins.
    assert total.mean() == pytest.approx(1.0, rel=5e-3)
    # The total spin nearly stays: all of it is elastic.
    static = np.mean([np.sum(spins.sum(axis=0) ** 2) for spins in states]) / system.n_spin
    zero = np.argmin(np.abs(AXIS.centres))
    np.testing.assert_allclose(found.signal["zone"][0, 0, 0, zero] * AXIS.step, static, rtol=5e-3)
    np.testing.assert_allclose(found.zone[0], found.signal["zone"].mean(axis=(0, 1, 2)), rtol=0.05, atol=2e-3)
    assert found.facts["n_block"] == 3
    assert found.facts["moment_classical"] == pytest.approx(1.0, rel=1e-5)
    assert found.facts["energy_drift"] < 1e-13


def test_a_path_sees_what_a_grid_sees(random_states):
    system, states = random_states
    grid = QGrid("grid", np.zeros(3), np.eye(3), (edges(8), edges(4)[:2], edges(4)[:2]))
    line = path(system.model, (0, 0, 0), (0.875, 0, 0), n=8)
    found = made(system, [line, grid]).spectrum(states[:2])
    assert np.array_equal(found.signal["line"], found.signal["grid"])


def test_classical_spectra_of_plus_and_minus_q_and_energy(random_states):
    """S(−Q, −E) = S(Q, E): spins are real."""
    system, states = random_states
    line = path(system.model, (-0.5, -0.25, 0.25), (0.5, 0.25, -0.25), n=3)
    found = made(system, [line]).spectrum(states[:2]).signal["line"]
    np.testing.assert_allclose(found[::-1, ::-1], found, rtol=1e-3, atol=1e-4)


def test_all_integrators_see_the_same(random_states):
    system, states = random_states
    line = path(system.model, (0, 0, 0), (0.5, 0, 0))
    # Short: trajectories of different rules part after a while.
    axis = EnergyAxis.from_range(first=-6.0, last=6.0, step=1.5)
    found = []
    for kind in ("suzuki_trotter_4", "midpoint", "rk4", "suzuki_trotter_2"):
        trajectory = TrajectorySettings(integrator=kind, dt=0.005, stride=8)
        model = DynamicsModel(system, [1.0], None, [line], axis, trajectory)
        found.append(model.spectrum(states[:1]).signal["line"])
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], rtol=0.02, atol=2e-3)


def test_the_weighting_is_applied_before_the_resolution(random_states):
    system, states = random_states
    line = path(system.model, (0, 0, 0), (0.5, 0, 0))
    same = {"stride": 6}
    classical = made(system, [line], fwhm=(1.0,), trajectory=same).spectrum(states[:2]).signal["line"]
    quantum = made(system, [line], fwhm=(1.0,), weighting="detailed_balance", temperature=20.0, trajectory=same)
    found = quantum.spectrum(states[:2]).signal["line"]
    x = AXIS.centres / (20.0 * K_B)
    factor = np.where(x == 0, 1.0, x / -np.expm1(-np.where(x == 0, 1.0, x)))
    np.testing.assert_allclose(found, factor * classical, rtol=0.25, atol=0.05)
    assert quantum.sampling.energy_step <= 1.0 / 3.0


def test_it_says_what_it_did(random_states):
    system, _ = random_states
    line = path(system.model, (0.01, 0, 0), (0.5, 0, 0))
    facts = made(system, [line], rule="linear").facts()
    assert facts["frequency_error"] == pytest.approx(2e-3)
    assert facts["largest_field"] == pytest.approx(6.0)
    # Points 0.01, 0.1325, 0.255, 0.3775 and 0.5 where multiples of 1/8 are allowed.
    assert facts["largest_q_distance"] == pytest.approx(0.01 * 2.0 * np.pi / 3.0)
    assert facts["rule"] == "linear"
    assert facts["window"] == "hann"
    assert facts["moment_of_spins"] == 1.0


def test_bad_input_is_refused(random_states):
    system, _ = random_states
    line = path(system.model, (0, 0, 0), (0.5, 0, 0))
    for trajectory, match in (
        ({"dt": 0.5}, "too large for the spectrum"),
        ({"stride": 100}, "sampling rate"),
        ({"n_sample": 4}, "too short"),
        ({"memory": 100.0}, "memory"),
        ({"per_block": 0}, "positive"),
        ({"integrator": "leapfrog"}, "integrator"),
    ):
        with pytest.raises(ConfigError, match=match):
            made(system, [line], trajectory=trajectory)
    with pytest.raises(ConfigError, match="nothing moves"):
        made(system, [line], theta=[0.0])
    with pytest.raises(ConfigError, match="no positive width"):
        made(system, [line], fwhm=(0.5, 0.2))
    with pytest.raises(ConfigError, match="no block"):
        made(system, [line]).spectrum([])


def test_a_weighting_is_given_no_false_energies(random_states):
    """Integrals with a weighting need every excitation under its own energy; classical ones do not."""
    system, _ = random_states
    line = path(system.model, (0, 0, 0), (0.5, 0, 0))
    classical, weighted = (made(system, [line], weighting=kind) for kind in ("classical", "detailed_balance"))
    reach = 2.0 * classical.facts()["largest_field"]
    assert weighted.sampling.largest_energy >= reach > classical.sampling.largest_energy
