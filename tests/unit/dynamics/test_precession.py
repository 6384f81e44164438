"""Kernels of single spins, each against a few lines of numpy."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.energy import effective_field, energy
from spinscape.kernels.precession import fields, rotated, site_energies, tangent_series, turn_all, turn_spins
from spinscape.simulate.integrators_field import interactions

ROUNDING = 1e-12
THETA = np.array([0.5, 0.7])
FIELD = Conditions(field=(1.0, 2.0, 3.0))


@pytest.fixture(params=[(4, 4, 6), [[4, 1, 0], [0, 5, 0], [0, 1, 4]]], ids=["block", "skew"])
def magnet(request, models):
    system = models.system(models.general(), request.param)
    return interactions(system, THETA, FIELD), system.random_spins(np.random.default_rng(1))


def test_the_series_is_the_tangent():
    x = np.array([1e-3, 0.1, 0.3, 0.5])
    found = np.array([tangent_series(q) for q in x**2])
    # The next term is 21844/6081075 x¹².
    assert np.all(np.abs(found - np.tan(x) / x) < 0.006 * x**12 + 1e-15)


@pytest.mark.parametrize("true_angle", [False, True])
def test_a_spin_turns_about_its_axis_right_handed(true_angle):
    s, w, out = np.array([0.3, -0.5, 0.8]), 0.05 * np.array([1.0, 2.0, -1.5]), np.empty(3)
    rotated(s, *w, true_angle, out)
    half = np.linalg.norm(w) if true_angle else np.arctan(np.linalg.norm(w))
    expected = Rotation.from_rotvec(2.0 * half * w / np.linalg.norm(w)).apply(s)
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-13)


def test_fields_and_energies_are_those_of_the_hamiltonian(magnet):
    of, spins = magnet
    model, cell = of.system.model, of.system.cell
    field, parts = np.empty_like(spins), np.empty(len(spins))
    fields(spins, *of.arguments, field)
    site_energies(spins, *of.arguments, parts)
    expected = effective_field(model, spins, THETA, cell=cell, conditions=FIELD)
    np.testing.assert_allclose(field, expected, rtol=0, atol=ROUNDING)
    assert parts.sum() == pytest.approx(energy(model, spins, THETA, cell=cell, conditions=FIELD), abs=1e-10)


def midpoint_reference(of, spins, i, h):
    """Solve S' = S + h (∂E/∂S at (S + S')/2) × (S + S')/2 for one spin, by iteration."""
    new = spins[i].copy()
    for _ in range(60):
        middle = spins.copy()
        middle[i] = 0.5 * (spins[i] + new)
        new = spins[i] - h * np.cross(of.fields(middle)[i], middle[i])
    return new


def test_one_spin_takes_the_implicit_midpoint(magnet):
    of, spins = magnet
    for i in (0, 5):
        moved = spins.copy()
        assert turn_spins(moved, np.array([i]), *of.arguments, 0.5 * 0.02, False, True) == 0
        np.testing.assert_allclose(moved[i], midpoint_reference(of, spins, i, 0.02), rtol=0, atol=ROUNDING)
        assert of.energy(moved) == pytest.approx(of.energy(spins), abs=1e-11)
        assert np.linalg.norm(moved[i]) == pytest.approx(np.linalg.norm(spins[i]), abs=1e-15)
        others = np.arange(len(spins)) != i
        assert np.array_equal(moved[others], spins[others])


def test_an_iteration_that_does_not_settle_is_counted(magnet):
    of, spins = magnet
    chosen = np.arange(len(spins))
    failed = [turn_spins(spins.copy(), chosen, *of.arguments, scale, False, True) for scale in (0.01, 2.0)]
    assert failed[0] == 0
    assert failed[1] > 0


def test_all_spins_turn_about_the_middle_field(magnet):
    of, spins = magnet
    new, middle = np.empty_like(spins), spins.copy()
    field = of.fields(spins)
    change = turn_all(spins, middle, field, 0.01, new)
    # S' − S = (h/2ħ) (S + S') × H.
    np.testing.assert_allclose(new - spins, 0.01 * np.cross(new + spins, field), rtol=0, atol=1e-14)
    np.testing.assert_allclose(middle, 0.5 * (spins + new), rtol=0, atol=1e-15)
    assert change == pytest.approx(np.abs(middle - spins).max())
