"""Integrators: laws that each keeps, and the order in which its error falls."""

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.hamiltonian.conditions import Conditions
from spinscape.simulate.integrators import INTEGRATORS, IterationError, integrator, schedule
from spinscape.simulate.integrators_field import interactions
from spinscape.units import HBAR

FIELD = Conditions(field=(1.0, 2.0, 3.0))
ORDER = {"suzuki_trotter_2": 2, "suzuki_trotter_4": 4, "midpoint": 2, "rk4": 4}


def moved(of, spins, kind, *, dt, time, rows=True):
    """Return spins after a time; dt and time in units of ħ/meV."""
    mover = integrator(of, kind=kind, dt=dt * HBAR, rows=rows)
    mover.set_spins(spins)
    mover.run(round(time / dt))
    return mover.spins


@pytest.fixture(scope="module")
def magnet(models):
    """Any bonds, on-site and biquadratic terms, a field, two sites."""
    of = interactions(models.system(models.general(), (4, 4, 4)), [0.5, 0.7], FIELD)
    spins = of.system.random_spins(np.random.default_rng(1))
    return of, spins, moved(of, spins, "rk4", dt=0.0025, time=0.5)


@pytest.mark.parametrize("kind", INTEGRATORS)
def test_errors_fall_with_the_order(magnet, kind):
    of, spins, exact = magnet
    errors = [np.abs(moved(of, spins, kind, dt=dt, time=0.5) - exact).max() for dt in (0.05, 0.025)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(ORDER[kind], abs=0.35)
    assert errors[1] < 0.02


@pytest.mark.parametrize("kind", ["suzuki_trotter_2", "suzuki_trotter_4"])
def test_any_energy_stays(magnet, kind):
    of, spins, _ = magnet
    after = moved(of, spins, kind, dt=0.05, time=20.0)
    assert abs(of.energy(after) - of.energy(spins)) / len(spins) < 1e-12
    assert np.abs(after - spins).max() > 1.0


def test_the_midpoint_keeps_what_is_not_quartic(models):
    of = interactions(models.system(models.general(squares=False), (4, 4, 4)), [0.5, 0.7], FIELD)
    spins = of.system.random_spins(np.random.default_rng(1))
    after = moved(of, spins, "midpoint", dt=0.05, time=5.0)
    assert abs(of.energy(after) - of.energy(spins)) / len(spins) < 1e-13


@pytest.mark.parametrize("kind", INTEGRATORS[:3])
def test_lengths_stay_without_normalisation(magnet, kind):
    of, spins, _ = magnet
    after = moved(of, spins, kind, dt=0.05, time=5.0)
    length = np.linalg.norm(spins, axis=1)
    np.testing.assert_allclose(np.linalg.norm(after, axis=1), length, rtol=1e-13)


@pytest.mark.parametrize("kind", INTEGRATORS[:3])
def test_time_can_be_turned_back(magnet, kind):
    """S → −S in −B turns time back; so do all three rules, exactly."""
    of, spins, _ = magnet
    back = interactions(of.system, [0.5, 0.7], Conditions(field=tuple(-x for x in FIELD.field)))
    after = moved(of, spins, kind, dt=0.05, time=1.0)
    returned = -moved(back, -after, kind, dt=0.05, time=1.0)
    np.testing.assert_allclose(returned, spins, rtol=0, atol=1e-11)


@pytest.mark.parametrize("kind", ["midpoint", "rk4"])
def test_isotropic_exchange_keeps_the_total_spin(models, kind):
    of = interactions(models.system(models.cubic(), (4, 4, 4)), [1.0])
    spins = of.system.random_spins(np.random.default_rng(2))
    total = moved(of, spins, kind, dt=0.05, time=3.0).sum(axis=0)
    np.testing.assert_allclose(total, spins.sum(axis=0), rtol=0, atol=1e-12)


def test_a_dimer_turns_about_its_total_spin(models):
    """At the rate J |S1 + S2|, right-handed."""
    of = interactions(models.system(models.dimers(), (1, 1, 1)), [0.8])
    spins = of.system.random_spins(np.random.default_rng(3))
    total = spins.sum(axis=0)
    length = np.linalg.norm(total)
    for kind in INTEGRATORS:
        after = moved(of, spins, kind, dt=0.01, time=1.0)
        x, y = spins[0] - (spins[0] @ total) * total / length**2, after[0] - (after[0] @ total) * total / length**2
        angle = np.arctan2(np.cross(x, y) @ total / length, x @ y)
        assert angle == pytest.approx(0.8 * length, rel=1e-4)


@pytest.mark.parametrize(("sign", "bound"), [(-1.0, 2.0), (1.0, 1.0)], ids=["ferromagnet", "antiferromagnet"])
@pytest.mark.parametrize("kind", INTEGRATORS)
def test_cubic_spin_waves(models, sign, bound, kind):
    """2J Σ (1 − cos q) and 6J sqrt(1 − γ²): half a period of a standing wave turns its sign."""
    of = interactions(models.system(models.cubic(), (8, 4, 4)), [sign])
    cells = of.system.cell.cells
    wave = np.cos(0.5 * np.pi * cells[:, 0])
    gamma = 2.0 / 3.0
    omega = 6.0 * (1.0 - gamma) if sign < 0 else 6.0 * np.sqrt(1.0 - gamma**2)
    stagger = np.ones(len(cells)) if sign < 0 else (-1.0) ** cells.sum(axis=1)
    spins = np.stack([1e-4 * wave, np.zeros(len(cells)), stagger], axis=1)
    spins /= np.linalg.norm(spins, axis=1)[:, None]
    steps = 2 * round(np.pi / omega / 0.04)
    after = moved(of, spins, kind, dt=np.pi / omega / steps, time=np.pi / omega)
    assert after[:, 0] @ wave == pytest.approx(-(spins[:, 0] @ wave), rel=2e-3)


def test_merged_steps_are_as_good_as_single_ones(magnet):
    of, spins, _ = magnet
    mover = integrator(of, kind="suzuki_trotter_2", dt=0.01 * HBAR)
    mover.set_spins(spins)
    for _ in range(50):
        mover.run(1)
    together = moved(of, spins, "suzuki_trotter_2", dt=0.01, time=0.5)
    np.testing.assert_allclose(mover.spins, together, rtol=0, atol=1e-3)


def test_stages_add_up_to_a_step():
    for kind in ("suzuki_trotter_2", "suzuki_trotter_4"):
        for exact in (True, False):
            found = schedule(kind, 0.3, 3, exact=exact)
            sums = np.bincount(found.colour, weights=found.scale) * 2.0 * HBAR
            np.testing.assert_allclose(sums, 0.3, rtol=1e-14)
            assert np.array_equal(found.colour, found.colour[::-1])
            np.testing.assert_allclose(found.scale, found.scale[::-1])
    assert not schedule("suzuki_trotter_4", 0.3, 3, exact=False).merge


def test_steps_beyond_convergence_are_refused(models):
    quartic = interactions(models.system(models.general(), (4, 4, 4)), [0.5, 20.0])
    plain = interactions(models.system(models.general(squares=False), (4, 4, 10)), [0.5, 20.0])
    spins = plain.system.random_spins(np.random.default_rng(1))
    with pytest.raises(IterationError, match="dt"):
        integrator(plain, kind="suzuki_trotter_2", dt=0.3 * HBAR)
    for of, kind in ((quartic, "suzuki_trotter_2"), (plain, "midpoint")):
        with pytest.raises(IterationError, match="dt"):
            moved(of, spins[: of.system.n_spin], kind, dt=0.3, time=3.0)


def test_bad_input_is_refused(magnet):
    of, spins, _ = magnet
    with pytest.raises(ConfigError, match="suzuki_trotter_2"):
        integrator(of, kind="euler", dt=0.1)
    with pytest.raises(ConfigError, match="positive"):
        integrator(of, kind="rk4", dt=0.0)
    with pytest.raises(ConfigError, match="length"):
        integrator(of, kind="rk4", dt=0.1).set_spins(2.0 * spins)
