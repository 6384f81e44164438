"""Trajectories kept, filtered in bands, and what fluctuates along them."""

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.hamiltonian.conditions import Conditions
from spinscape.simulate.integrators_field import interactions
from spinscape.simulate.moves import Move
from spinscape.simulate.schedule import engine_for
from spinscape.simulate.trajectory import (
    Trajectory,
    band_motion,
    band_power,
    follow,
    heat_capacity_from_parts,
    participation,
    susceptibility_from_moment,
)
from spinscape.units import HBAR, K_B, MU_B


def turning(energies, *, n=512, interval=0.1):
    """Spins that turn about z at some energies, which fit into the trajectory as a whole number of turns."""
    t = np.arange(n) * interval
    angle = np.outer(t, energies) / HBAR
    return Trajectory(np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], axis=2).astype("f4"), interval)


def whole(k, *, n=512, interval=0.1):
    return 2.0 * np.pi * HBAR * k / (n * interval)


def test_power_of_each_spin_is_in_its_band():
    trajectory = turning([whole(5), whole(40), whole(100)])
    edges = [0.0, whole(20), whole(60), whole(200)]
    np.testing.assert_allclose(band_power(trajectory, edges), np.eye(3), atol=1e-5)
    # There and back: a motion turns at both ends, which the bands around see.
    motion = band_motion(trajectory, edges)
    np.testing.assert_allclose(motion[100:-100], np.broadcast_to(np.eye(3), (312, 3, 3)), atol=0.03)


def test_a_slow_drift_is_in_the_lowest_band_alone_to_both_ends():
    t = np.linspace(0.0, 1.0, 400)
    spins = np.stack([np.cos(t), np.sin(t), np.zeros_like(t)], axis=1)[:, None].astype("f4")
    trajectory = Trajectory(spins, 0.1)
    motion = band_motion(trajectory, [0.0, whole(20, n=400), whole(180, n=400)])
    assert motion[0, 0, 0] > 0.4 and motion[-1, 0, 0] > 0.4
    assert motion[:, 0, 1].max() < 0.02


def test_bands_add_to_all_that_moves():
    rng = np.random.default_rng(1)
    trajectory = Trajectory(rng.normal(size=(64, 5, 3)).astype("f4"), 0.2)
    top = trajectory.energies[-1]
    power = band_power(trajectory, [0.0, 0.3 * top, 0.7 * top, top])
    last = np.abs(np.fft.rfft(trajectory.spins, axis=0)[-1] / 64) ** 2
    np.testing.assert_allclose(
        power.sum(axis=1) + last.sum(axis=1), np.var(trajectory.spins, axis=0).sum(axis=1), rtol=1e-5
    )
    again = np.sum(np.mean(band_motion(trajectory, [0.0, 0.3 * top, 0.7 * top, top]).astype(float) ** 2, axis=0))
    assert again == pytest.approx(power.sum(), rel=0.05)


def test_a_free_spin_in_a_field(models):
    """Turns at g μ_B B: all of its power in the band around."""
    model = models.cubic()
    field = 5.0
    of = interactions(models.system(model, (2, 2, 2)), [1e-12], Conditions(None, (0.0, 0.0, field)))
    spins = np.tile([1.0, 0.0, 0.0], (8, 1))
    energy = 2.0 * MU_B * field
    trajectory = follow(of, spins, duration=20 * 2.0 * np.pi * HBAR / energy, n_sample=200)
    power = band_power(trajectory, [0.0, 0.9 * energy, 1.1 * energy])
    np.testing.assert_allclose(power, np.tile([0.0, 1.0], (8, 1)), atol=0.01)


def test_bad_bands_and_trajectories_are_refused(models):
    trajectory = turning([whole(5)])
    for edges in ([0.0], [1.0, 0.5], [-1.0, 1.0], [0.0, 1e3]):
        with pytest.raises(ConfigError, match="band"):
            band_power(trajectory, edges)
    of = interactions(models.system(models.cubic(), (2, 2, 2)), [1.0])
    with pytest.raises(ConfigError, match="more memory"):
        follow(of, np.tile([0.0, 0.0, 1.0], (8, 1)), duration=1.0, n_sample=10**9)
    with pytest.raises(ConfigError, match="samples"):
        follow(of, np.tile([0.0, 0.0, 1.0], (8, 1)), duration=1.0, n_sample=1)


def test_participation_counts_sites():
    even, one = np.full(50, 0.02), np.r_[0.95, np.full(49, 0.05 / 49)]
    np.testing.assert_array_equal(participation(np.stack([even, one], axis=1)), [45, 1])


def test_parts_of_a_fluid_of_independent_energies():
    """Independent layers of variance c T² each, two of them bound to a layer by a surface term."""
    rng = np.random.default_rng(8)
    layers = rng.normal(scale=2.0, size=(12, 40000))
    layers -= layers.mean(axis=0)
    surface = rng.normal(size=(2, 40000))
    slabs = [layers[:w].sum(axis=0) + surface[0] - surface[1] for w in (2, 4, 6)]
    found = heat_capacity_from_parts(slabs, np.zeros(40000), beta=0.5, n_spin=12, n_part=(2, 4, 6))
    # Fixing the sum takes a twelfth off the variance of each.
    assert found == pytest.approx(1.0, abs=0.03)
    with pytest.raises(ConfigError, match="two sizes"):
        heat_capacity_from_parts(slabs[:1], np.zeros(40000), beta=1.0, n_spin=12, n_part=(2,))


def test_heat_capacity_and_susceptibility_along_trajectories_are_those_of_monte_carlo(models):
    """Cubic antiferromagnet at T = 2.5 J, well above its order: slabs of it along trajectories, and the whole in Monte
    Carlo. χ along a trajectory needs a moment that changes: that of one sublattice.
    """
    system = models.system(models.cubic(), (12, 6, 6))
    of, beta, n = interactions(system, [1.0]), 1.0 / 2.5, system.n_spin
    moves = (Move("heat_bath", 1), Move("over_relaxation", 1))
    seed = np.array([1, 2], dtype=np.uint64)
    engine = engine_for(system, moves[:1], np.array([1.0]), Conditions(2.5 / K_B), seed)
    engine.set_spins(system.random_spins(np.random.default_rng(1)))
    engine.run(moves, beta, 300)
    odd = system.cell.cells.sum(axis=1) % 2 == 1
    n_run, energies, moments, runs = 48, [], [], []
    for _ in range(n_run):
        for _ in range(50):
            engine.run(moves, beta, 4)
            energies.append(engine.energy)
            moments.append(engine.spins[odd].sum(axis=0))
        runs.append(follow(of, engine.spins, duration=60.0 * HBAR, n_sample=60).spins[::3].astype(float))
    energies, moments = np.reshape(energies, (n_run, -1)), np.reshape(moments, (n_run, -1, 3))
    layers = np.array([[_layer_energies(of, spins) for spins in run] for run in runs])
    sums = np.array([run[:, odd].sum(axis=1) for run in runs])
    pairs = {
        "heat capacity": (
            _with_jackknife(lambda k: beta**2 * np.var(energies[k]) / n, n_run),
            _with_jackknife(lambda k: _heat_of_slabs(layers[k], beta, n), n_run),
        ),
        "susceptibility": (
            _with_jackknife(lambda k: np.mean(beta * np.var(moments[k].reshape(-1, 3), axis=0)) / n, n_run),
            _with_jackknife(lambda k: np.mean(susceptibility_from_moment(sums[k], beta=beta, n_spin=n)), n_run),
        ),
    }
    for name, ((kicked, spread), (along, error)) in pairs.items():
        assert abs(along - kicked) < 4.0 * np.hypot(spread, error), name
        assert np.hypot(spread, error) < 0.1 * kicked, name


def _layer_energies(of, spins):
    """Energy of each layer of a block of cells, (n_x,): each spin has half of each of its bonds."""
    return -0.5 * np.sum(of.fields(spins) * spins, axis=1).reshape(of.system.cell.shape[0], -1).sum(axis=1)


def _heat_of_slabs(layers, beta, n_spin):
    """C from slabs of two to six layers in all places, of layers (n_run, n_sample, 12)."""
    flat = layers.reshape(-1, 12)
    widths = (2, 3, 4, 5, 6)
    slabs = [[np.roll(flat, -x, axis=1)[:, :w].sum(axis=1) for x in range(12)] for w in widths]
    sizes = [w * n_spin // 12 for w in widths]
    return heat_capacity_from_parts(slabs, flat.sum(axis=1), beta=beta, n_spin=n_spin, n_part=sizes)


def _with_jackknife(statistic, n):
    everything = np.arange(n)
    left_out = np.array([statistic(np.delete(everything, k)) for k in range(n)])
    return statistic(everything), float(np.sqrt((n - 1) * np.var(left_out)))
