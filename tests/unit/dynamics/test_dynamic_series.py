"""Amplitudes in reciprocal space against direct sums."""

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.observables.dynamic_q import allowed_q
from spinscape.observables.dynamic_series import Probes, SpatialTransform, check_memory
from spinscape.observables.formfactor import magnetic_form_factor

SINGLE = 3e-6
"""Rounding of sums in single precision, relative to their largest."""


def grid_of(system, spins):
    cell = system.cell
    return np.ascontiguousarray(spins.reshape(*cell.shape, cell.n_site, 3).transpose(3, 4, 0, 1, 2), dtype=np.float32)


def direct(system, spins, q, *, moments=False, form_factor=False):
    """Return Σ_i f exp(−iQ·r_i) S_i, (3, n_q)."""
    crystal = system.model.crystal
    if moments:
        spins = np.einsum("iab,ib->ia", crystal.g[system.site], spins)
    cartesian = q @ crystal.reciprocal
    phase = np.exp(-1j * system.positions @ cartesian.T)
    if form_factor:
        phase = phase * magnetic_form_factor(np.linalg.norm(cartesian, axis=1), ion="Mn2+")
    return spins.T @ phase


def seen(transform, system, spins):
    """Return C of one sample, (3, n_q), by what the transform says of its waves."""
    out = np.empty(transform.shape, dtype=np.complex64)
    transform.sample(grid_of(system, spins), 1.0, out)
    waves = out[..., transform.row]
    waves = np.where(transform.beyond, waves.conj(), waves)
    if transform.g is not None:
        waves = np.einsum("sab,sbq->saq", transform.g, waves)
    return np.einsum("sq,saq->aq", transform.phase, waves)


FEW = np.array([[0.25, 0.0, 0.1], [-0.75, 0.5, 0.3], [1.2, -2.0, 0.7], [0.0, 0.0, 0.0]])
MANY = np.random.default_rng(0).uniform(-1.5, 1.5, size=(800, 3))


@pytest.mark.parametrize("points", [FEW, MANY], ids=["few", "many"])
@pytest.mark.parametrize("numbers", [(4, 4, 10), (6, 8, 4), [[4, 1, 0], [0, 5, 0], [0, 1, 4]]], ids=str)
@pytest.mark.parametrize("how", [{}, {"moments": True, "form_factor": True}], ids=["spins", "moments"])
def test_two_sites(models, points, numbers, how):
    system = models.system(models.general(), numbers)
    spins = system.random_spins(np.random.default_rng(1))
    allowed = allowed_q(system.model.crystal, system.cell, points)
    transform = SpatialTransform(system.model.crystal, system.cell, allowed.number, **how)
    expected = direct(system, spins, allowed.q, **how)
    np.testing.assert_allclose(seen(transform, system, spins), expected, atol=SINGLE * np.abs(expected).max())


@pytest.mark.parametrize("numbers", [(8, 8, 8), (16, 1, 1), (1, 6, 10), (1, 1, 1)], ids=str)
def test_one_site(models, numbers):
    model = models.cubic()
    from spinscape.hamiltonian.links import link_table
    from spinscape.lattice.supercell import supercell
    from spinscape.simulate.spin_system import SpinSystem

    cell = supercell(numbers, n_site=1)
    system = SpinSystem(model, cell, link_table(model), np.ones(cell.n_spin, dtype=bool))
    spins = system.random_spins(np.random.default_rng(1))
    for points in (FEW, MANY):
        allowed = allowed_q(model.crystal, cell, points)
        transform = SpatialTransform(model.crystal, cell, allowed.number)
        expected = direct(system, spins, allowed.q)
        scale = SINGLE * max(np.abs(expected).max(), 1.0)
        np.testing.assert_allclose(seen(transform, system, spins), expected, atol=scale)


def test_many_waves_are_kept_as_they_come(models):
    """All waves at once take half the space, for spins are real."""
    system = models.system(models.cubic(), (8, 8, 8))
    allowed = allowed_q(system.model.crystal, system.cell, MANY)
    assert SpatialTransform(system.model.crystal, system.cell, allowed.number).shape == (1, 3, 320)


def test_probes_are_spins(models):
    system = models.system(models.general(), (4, 4, 10))
    spins = system.random_spins(np.random.default_rng(1))
    probes = Probes(system.cell, 40)
    out = np.empty(probes.shape, dtype=np.complex64)
    probes.sample(grid_of(system, spins), 0.5, out)
    assert probes.shape == (1, 3, 40)
    np.testing.assert_allclose(np.sum(np.abs(out) ** 2), 0.25 * 20 * (1.0 + 2.25), rtol=1e-5)
    assert Probes(system.cell, 10**6).shape == (1, 3, system.n_spin)


def test_records_too_large_are_refused(models):
    system = models.system(models.cubic(), (8, 8, 8))
    transform = SpatialTransform(system.model.crystal, system.cell, np.zeros((1, 3), dtype=np.int64))
    check_memory(transform, 100, memory=2400)
    with pytest.raises(ConfigError, match="memory"):
        check_memory(transform, 101, memory=2400)
