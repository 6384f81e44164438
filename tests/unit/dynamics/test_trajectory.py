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
    heat_capacity_from_part,
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
    np.testing.assert_allclose(band_motion(trajectory, edges), np.broadcast_to(np.eye(3), (512, 3, 3)), atol=1e-4)


def test_bands_add_to_all_that_moves():
    rng = np.random.default_rng(1)
    trajectory = Trajectory(rng.normal(size=(64, 5, 3)).astype("f4"), 0.2)
    top = trajectory.energies[-1]
    power = band_power(trajectory, [0.0, 0.3 * top, 0.7 * top, top])
    last = np.abs(np.fft.rfft(trajectory.spins, axis=0)[-1] / 64) ** 2
    np.testing.assert_allclose(
        power.sum(axis=1) + last.sum(axis=1), np.var(trajectory.spins, axis=0).sum(axis=1), rtol=1e-5
    )
    again = np.mean(band_motion(trajectory, [0.0, 0.3 * top, 0.7 * top, top]).astype(float) ** 2, axis=0)
    np.testing.assert_allclose(again, power, rtol=1e-4)


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


def test_heat_capacity_and_susceptibility_along_trajectories_are_those_of_monte_carlo(models):
    """Cubic Heisenberg antiferromagnet at T = 2.5 J, well above its order: half of it along trajectories, and the whole
    in Monte Carlo. χ along a trajectory needs a moment that changes: that of one sublattice.
    """
    model = models.cubic()
    system = models.system(model, (6, 6, 6))
    of, beta, theta = interactions(system, [1.0]), 1.0 / 2.5, np.array([1.0])
    engine = engine_for(
        system, (Move("heat_bath", 1),), theta, Conditions(2.5 / K_B), np.array([1, 2], dtype=np.uint64)
    )
    engine.set_spins(system.random_spins(np.random.default_rng(1)))
    moves = (Move("heat_bath", 1), Move("over_relaxation", 1))
    engine.run(moves, beta, 300)
    cells = system.cell.cells
    part = cells[:, 0] < 3
    odd = cells.sum(axis=1) % 2 == 1
    energies, moments, runs = [], [], []
    for _ in range(48):
        block_energies, block_moments = [], []
        for _ in range(25):
            engine.run(moves, beta, 4)
            block_energies.append(engine.energy)
            block_moments.append(engine.spins[odd].sum(axis=0))
        energies.append(block_energies)
        moments.append(block_moments)
        runs.append(follow(of, engine.spins, duration=60.0 * HBAR, n_sample=60).spins)
    canonical = [beta**2 * np.var(energies) / 216, np.mean(beta * np.var(np.reshape(moments, (-1, 3)), axis=0)) / 216]
    kicks = [_with_jackknife(lambda k, x=x: x(k), 48) for x in (
        lambda kept: beta**2 * np.var(np.array(energies)[kept]) / 216,
        lambda kept: np.mean(beta * np.var(np.array(moments)[kept].reshape(-1, 3), axis=0)) / 216,
    )]  # fmt: skip
    own = np.array([[_part_energy(of, s, part) for s in run[::6].astype(float)] for run in runs])
    sums = np.array([run[::6, odd].sum(axis=1) for run in runs], dtype=float)
    along = [
        _with_jackknife(lambda k: heat_capacity_from_part(own[k], beta=beta, n_spin=np.inf, n_part=108), 48),
        _with_jackknife(lambda k: np.mean(susceptibility_from_moment(sums[k], beta=beta, n_spin=216)), 48),
    ]
    # The energy of bonds inside the slab and half of those across its faces; boundaries cost a part of the fluctuation.
    for k, name in enumerate(("heat capacity", "susceptibility")):
        spread = np.hypot(kicks[k][1], along[k][1])
        surface = 0.12 * canonical[k] if k == 0 else 0.0
        assert abs(along[k][0] - canonical[k]) < 4.0 * spread + surface, name
    assert kicks[0][1] < 0.1 * canonical[0]


def _part_energy(of, spins, part):
    """Energy of a part: each spin has half of each of its bonds."""
    return -0.5 * float(np.sum((of.fields(spins) * spins)[part]))


def _with_jackknife(statistic, n):
    everything = np.arange(n)
    left_out = np.array([statistic(np.delete(everything, k)) for k in range(n)])
    return statistic(everything), float(np.sqrt((n - 1) * np.var(left_out)))
