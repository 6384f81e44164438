"""Many Ising models at once against the sum over all states of each, and against the engine of one model."""

import numpy as np
import pytest
import torch

from spinscape.errors import ConfigError
from spinscape.hamiltonian import terms
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.terms import BondTerm, DipolarTerm
from spinscape.lattice.bonds import shell_bond
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.symmetry import SiteSpec, crystal_from_space_group
from spinscape.observables.thermodynamics import beta_from_temperature
from spinscape.simulate.ice_engine import IceEngine
from spinscape.simulate.ising_torch import IsingBatch
from spinscape.simulate.moves import Move
from spinscape.simulate.spin_system import block, spin_system
from spinscape.units import K_B

N_SIGMA = 4.0
NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
DEVICES = ["cpu", pytest.param("cuda", marks=NO_GPU)]
THETA = np.array([[0.9, 0.15], [-0.4, 0.3]]) * K_B
TEMPERATURE = 1.5


def kagome(occupied=None, numbers=(2, 2, 1)):
    """Return a kagome lattice of Ising dipoles along z with exchange; 12 spins."""
    site = SiteSpec("A", "Ni2+", (0.5, 0.0, 0.0), 1.0, kind="ising", axis=(0, 0, 1))
    crystal = crystal_from_space_group(lattice_vectors(a=6.0, b=6.0, c=9.0, gamma=120.0), "P6/mmm", [site])
    names = ("J", "D")
    parts = [BondTerm("heisenberg", terms.heisenberg("J", names), shell_bond(crystal, 1)), DipolarTerm({"D": 20.0})]
    model = model_from_terms(crystal, names, parts)
    return spin_system(model, block(model, numbers), occupied=occupied)


def batch(system, theta, conditions=None, **how):
    return IsingBatch(system, theta, conditions or Conditions(), 5, **how)


def every_state(n):
    return (1 - 2 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)).astype(np.int8)


def exact(system, theta, conditions):
    """Return ⟨E⟩, ⟨E²⟩ and ⟨M²⟩ over all states, energies by the engine of one model."""
    states = every_state(system.n_spin)
    one = batch(system, np.tile(theta, (len(states), 1)), conditions, device="cpu", dtype=torch.float64)
    one.set_sigma(states)
    energies = one.energies
    engine = IceEngine(system, theta, conditions, (1, 2))
    for k in (0, 77, 1234):
        engine.set_spins(states[k][:, None] * system.axis[system.site])
        assert engine.energy - engine.table.constant @ theta == pytest.approx(
            energies[k] + _own(system, theta), abs=1e-7
        )
    weight = np.exp(-beta_from_temperature(TEMPERATURE) * (energies - energies.min()))
    return weight @ observables(energies, states) / weight.sum()


def _own(system, theta):
    """Return what the images of each spin give, which no flip changes."""
    table = IceEngine(system, theta, Conditions(), (1, 2)).table
    site = np.arange(system.cell.n_site)
    own = table.dipole[site, site] * (theta @ table.dipole_unit)
    return 0.5 * float(own.sum()) * system.cell.n_cell


def observables(energies, sigma):
    return np.stack([energies, energies**2, sigma.sum(axis=1, dtype=float) ** 2], axis=1)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("field", [0.0, 0.4])
def test_models_of_unlike_couplings_have_each_its_boltzmann_distribution(device, field):
    system, conditions, n = kagome(), Conditions(field=(0.0, 0.0, field)), 600
    models = batch(system, np.repeat(THETA, n, axis=0), conditions, device=device)
    models.run(TEMPERATURE, 20)
    for k, theta in enumerate(THETA):
        wanted = exact(system, theta, conditions)
        own = slice(k * n, (k + 1) * n)
        found = observables(models.energies[own], models.sigma[own])
        off = np.abs(found.mean(axis=0) - wanted) / (found.std(axis=0, ddof=1) / np.sqrt(n))
        assert off.max() < N_SIGMA, (k, off)


def test_a_wrong_temperature_is_found():
    system, n = kagome(), 600
    models = batch(system, np.repeat(THETA[:1], n, axis=0), device="cpu")
    models.run(1.6 * TEMPERATURE, 20)
    found = observables(models.energies, models.sigma)
    off = np.abs(found.mean(axis=0) - exact(system, THETA[0], Conditions()))
    assert (off / (found.std(axis=0) / np.sqrt(n))).max() > 2 * N_SIGMA


def test_flips_are_as_many_as_tries_accepted_one_by_one():
    """Waits stand for tries that are not made: the engine's accepted share, over the same number of tries."""
    system, n, n_sweep = kagome(), 200, 50
    models = batch(system, np.repeat(THETA[:1], n, axis=0), device="cpu")
    models.run(TEMPERATURE, 20)
    share = models.run(TEMPERATURE, n_sweep) / (n_sweep * system.n_spin)
    engine, beta = IceEngine(system, THETA[0], Conditions(), (3, 4)), beta_from_temperature(TEMPERATURE)
    engine.run((Move("flip", 50),), beta, 1)
    own = [engine.run((Move("flip", n_sweep),), beta, 1)["flip"] for _ in range(n)]
    plain = np.array([accepted / tried for tried, accepted in own])
    assert abs(share.mean() - plain.mean()) < N_SIGMA * np.hypot(share.std(), plain.std()) / np.sqrt(n)


def test_a_temperature_for_each_model_and_no_tries():
    system = kagome()
    models = batch(system, THETA, device="cpu")
    before = models.sigma
    assert models.run(TEMPERATURE, 0).tolist() == [0, 0] and np.array_equal(models.sigma, before)
    hot = models.run(np.array([1e9, 1e-3]), 200)
    # Where everything is accepted each of the 2400 tries is a flip, but for the rounding of sums.
    assert hot[0] == pytest.approx(200 * system.n_spin, rel=0.01) and hot[1] < hot[0] / 10


def test_vacancies_are_refused():
    occupied = np.ones(12, dtype=bool)
    occupied[2] = False
    with pytest.raises(ConfigError, match="vacancies"):
        batch(kagome(occupied), THETA)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU here")
def test_a_gpu_makes_the_sweeps_of_many_models_twenty_times_as_fast_as_one_core():
    from time import perf_counter

    system, n, n_sweep = kagome(numbers=(9, 9, 4)), 2048, 200
    models = batch(system, np.repeat(THETA[:1], n, axis=0), device="cuda")
    models.run(0.4, 100)
    start = perf_counter()
    models.run(0.4, n_sweep)
    torch.cuda.synchronize()
    each = (perf_counter() - start) / n
    engine, beta = IceEngine(system, THETA[0], Conditions(), (3, 4)), beta_from_temperature(0.4)
    engine.run((Move("flip", 100),), beta, 1)
    start = perf_counter()
    engine.run((Move("flip", n_sweep),), beta, 1)
    assert each < (perf_counter() - start) / 20
