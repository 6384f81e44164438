"""Interactions: fields with dipoles, bounds, and what cannot precess."""

from dataclasses import replace

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.dipolar import DIPOLE_STRENGTH, DipolarTable
from spinscape.hamiltonian.dipole_sums import dipole_sums
from spinscape.simulate.integrators import integrator
from spinscape.simulate.integrators_field import interactions, largest_field
from spinscape.units import HBAR

FIELD = Conditions(field=(1.0, 2.0, 3.0))


@pytest.fixture
def dipolar(models):
    model = models.general(squares=False)
    return replace(
        model,
        parameter_names=("A", "B", "D"),
        dipolar=DipolarTable([2], [1.0]),
    )


def test_dipole_fields_are_the_ewald_sums_over_the_supercell(models, dipolar):
    system = models.system(dipolar, (3, 4, 4))
    strength = 30.0 * DIPOLE_STRENGTH
    of = interactions(system, [0.5, 0.7, strength])
    bare = interactions(system, [0.5, 0.7, 0.0])
    spins = system.random_spins(np.random.default_rng(3))
    vectors = system.cell.matrix @ dipolar.crystal.vectors
    sums = dipole_sums(vectors, system.positions, np.zeros((1, 3)))[0].real
    g = dipolar.crystal.g[system.site]
    moments = np.einsum("iab,ib->ia", g, spins)
    expected = -strength * np.einsum("iba,ijbc,jc->ia", g, sums, moments)
    np.testing.assert_allclose(of.fields(spins) - bare.fields(spins), expected, rtol=0, atol=1e-10)
    assert of.energy(spins) - bare.energy(spins) == pytest.approx(-0.5 * np.sum(expected * spins), abs=1e-9)


def test_fields_are_minus_the_gradient_of_the_energy(models, dipolar):
    of = interactions(models.system(dipolar, (3, 4, 4)), [0.5, 0.7, 0.1], FIELD)
    rng = np.random.default_rng(4)
    spins = of.system.random_spins(rng)
    step = 1e-4 * rng.normal(size=spins.shape)
    slope = of.energy(spins + step) - of.energy(spins - step)
    assert slope == pytest.approx(-2.0 * np.sum(of.fields(spins) * step), abs=1e-9)


@pytest.mark.parametrize("kind", ["midpoint", "rk4"])
def test_dipoles_keep_the_energy(models, dipolar, kind):
    of = interactions(models.system(dipolar, (3, 4, 4)), [0.5, 0.7, 0.02], FIELD)
    spins = of.system.random_spins(np.random.default_rng(5))
    mover = integrator(of, kind=kind, dt=0.005 * HBAR)
    mover.set_spins(spins)
    mover.run(40)
    drift = abs(of.energy(mover.spins) - of.energy(spins)) / len(spins)
    assert drift < (1e-13 if kind == "midpoint" else 1e-8)


def test_dipoles_have_no_colours(models, dipolar):
    of = interactions(models.system(dipolar, (3, 4, 4)), [0.5, 0.7, 0.02])
    with pytest.raises(ConfigError, match="midpoint"):
        integrator(of, kind="suzuki_trotter_2", dt=0.001)


def test_no_field_is_larger_than_the_bound(models):
    rng = np.random.default_rng(6)
    for seed in range(4):
        of = interactions(models.system(models.general(seed=seed), (4, 4, 4)), [0.5, 0.7], FIELD)
        bound = largest_field(of)
        # What an on-site matrix has along the spin turns nothing.
        longest = 0.0
        for _ in range(20):
            spins = of.system.random_spins(rng)
            across = np.cross(of.fields(spins), spins) / np.linalg.norm(spins, axis=1)[:, None]
            longest = max(longest, np.linalg.norm(across, axis=1).max())
        assert 0.3 * bound < longest <= bound


def test_a_cubic_antiferromagnet_has_six_neighbours(models):
    assert largest_field(interactions(models.system(models.cubic(2.5), (4, 4, 4)), [0.4])) == pytest.approx(6.0)


def test_ising_spins_do_not_precess(models):
    model = models.cubic()
    crystal = replace(model.crystal, kind=("ising",), axis=[(0.0, 0.0, 1.0)])
    with pytest.raises(ConfigError, match="precess"):
        interactions(models.system(replace(model, crystal=crystal), (4, 4, 4)), [1.0])


def test_dipoles_need_a_block_of_cells(models, dipolar):
    with pytest.raises(ConfigError, match="along the axes"):
        interactions(models.system(dipolar, [[4, 1, 0], [0, 5, 0], [0, 1, 4]]), [0.5, 0.7, 0.1])
