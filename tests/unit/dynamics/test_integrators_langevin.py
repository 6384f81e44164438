"""The heat bath: exact energies of chains, and of one spin in a field."""

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.hamiltonian.conditions import Conditions
from spinscape.simulate.integrators_field import interactions
from spinscape.simulate.integrators_langevin import langevin
from spinscape.units import HBAR, K_B, MU_B


def bath(of, spins, beta, *, n_step, dt, seed=0, damping=0.5):
    return langevin(
        of,
        spins,
        temperature=1.0 / (beta * K_B),
        n_step=n_step,
        dt=dt * HBAR,
        generator=np.random.default_rng(seed),
        damping=damping,
    )


def test_dimers_have_the_energy_of_a_langevin_function(models):
    """−(coth b − 1/b) for each bond; the error of dt is 4e-4 at this step."""
    of = interactions(models.system(models.dimers(), (10, 10, 20)), [1.0])
    spins = bath(of, of.system.random_spins(np.random.default_rng(1)), 2.0, n_step=150, dt=0.04)
    bonds = np.sum(spins[0::2] * spins[1::2], axis=1)
    error = bonds.std() / np.sqrt(len(bonds))
    assert abs(bonds.mean() + 1.0 / np.tanh(2.0) - 0.5) < 4.0 * error
    assert error < 0.015


@pytest.mark.parametrize("damping", [0.1, 2.0])
def test_free_spins_in_a_field(models, damping):
    """L(x) of x = β g μ_B B S, whatever the damping: independent spins of length 2."""
    model = models.cubic(2.0)
    system = models.system(model, (10, 20, 20))
    of = interactions(system, [0.0], Conditions(field=(0.0, 0.0, -0.5 / (2.0 * MU_B))))
    spins = bath(of, system.random_spins(np.random.default_rng(2)), 1.0, n_step=300, dt=0.1, damping=damping)
    along = 0.5 * spins[:, 2]
    expected = 1.0 / np.tanh(1.0) - 1.0
    assert abs(along.mean() - expected) < 4.0 * along.std() / np.sqrt(len(along))
    np.testing.assert_allclose(np.linalg.norm(spins, axis=1), 2.0, rtol=1e-13)


def test_the_same_generator_gives_the_same_spins(models):
    of = interactions(models.system(models.cubic(), (4, 4, 4)), [1.0])
    start = of.system.random_spins(np.random.default_rng(1))
    first, second, other = (bath(of, start, 1.0, n_step=5, dt=0.05, seed=s) for s in (1, 1, 2))
    assert np.array_equal(first, second)
    assert not np.allclose(first, other)


def test_damping_alone_goes_downhill(models):
    of = interactions(models.system(models.cubic(), (4, 4, 4)), [1.0])
    spins = of.system.random_spins(np.random.default_rng(1))
    energies = [of.energy(spins)]
    for _ in range(4):
        spins = langevin(
            of, spins, temperature=0.0, n_step=20, dt=0.02 * HBAR, generator=np.random.default_rng(0), damping=0.5
        )
        energies.append(of.energy(spins))
    assert np.all(np.diff(energies) < 0)


@pytest.mark.parametrize("change", [{"temperature": -1.0}, {"dt": 0.0}, {"damping": 0.0}])
def test_bad_input_is_refused(models, change):
    of = interactions(models.system(models.cubic(), (4, 4, 4)), [1.0])
    spins = of.system.random_spins(np.random.default_rng(1))
    how = {"temperature": 1.0, "dt": 0.01, "damping": 0.1, "n_step": 1, "generator": np.random.default_rng(0)}
    with pytest.raises(ConfigError, match="heat bath"):
        langevin(of, spins, **{**how, **change})
