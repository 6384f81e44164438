"""Heun's rule of the heat bath against numpy."""

import numpy as np
import pytest

from spinscape.kernels.precession_bath import correct, predict
from spinscape.simulate.integrators import integrator
from spinscape.simulate.integrators_field import interactions
from spinscape.simulate.integrators_langevin import langevin
from spinscape.units import HBAR


def rate(spins, field, damping):
    """Return S × H − (λ/|S|) S × (S × H)."""
    turn = np.cross(spins, field)
    return turn - damping / np.linalg.norm(spins, axis=1, keepdims=True) * np.cross(spins, turn)


@pytest.fixture
def arrays():
    rng = np.random.default_rng(1)
    return [rng.normal(size=(7, 3)) for _ in range(4)]


def test_both_halves_of_a_step(arrays):
    spins, field, noise, later = arrays
    slope, predicted = np.empty((7, 3)), np.empty((7, 3))
    predict(spins, field, noise, 0.4, 0.05, slope, predicted)
    np.testing.assert_allclose(slope, rate(spins, field + noise, 0.4), rtol=1e-13)
    np.testing.assert_allclose(predicted, spins + 0.05 * slope, rtol=1e-13)
    expected = spins + 0.025 * (slope + rate(predicted, later + noise, 0.4))
    expected *= np.linalg.norm(spins, axis=1, keepdims=True) / np.linalg.norm(expected, axis=1, keepdims=True)
    correct(spins, predicted, later, noise, 0.4, 0.05, slope)
    np.testing.assert_allclose(spins, expected, rtol=1e-13)


def test_empty_sites_stay_empty(arrays):
    spins, field, noise, later = arrays
    spins[3] = 0.0
    slope, predicted = np.empty((7, 3)), np.empty((7, 3))
    predict(spins, field, noise, 0.4, 0.05, slope, predicted)
    correct(spins, predicted, later, noise, 0.4, 0.05, slope)
    assert np.array_equal(spins[3], np.zeros(3))
    assert np.all(np.isfinite(spins))


def test_without_damping_and_noise_it_is_precession(models):
    """Of second order: a weak bath at T = 0 follows the conservative trajectory."""
    of = interactions(models.system(models.general(), (4, 4, 4)), [0.5, 0.7])
    spins = of.system.random_spins(np.random.default_rng(1))
    exact = integrator(of, kind="suzuki_trotter_4", dt=0.005 * HBAR)
    exact.set_spins(spins)
    exact.run(40)
    errors = []
    for n_step in (20, 40):
        how = {"temperature": 0.0, "n_step": n_step, "dt": 0.2 / n_step * HBAR, "damping": 1e-12}
        after = langevin(of, spins, generator=np.random.default_rng(0), **how)
        errors.append(np.abs(after - exact.spins).max())
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.3)
