"""Rows of spins against spins one by one."""

import numpy as np
import pytest

from spinscape.hamiltonian.conditions import Conditions
from spinscape.simulate.integrators import ColouredRows, ColouredSpins, integrator
from spinscape.simulate.integrators_field import interactions
from spinscape.units import HBAR

ROUNDING = 1e-12
FIELD = Conditions(field=(1.0, 2.0, 3.0))


def pair(of, kind, spins, dt=0.03):
    out = []
    for rows in (True, False):
        mover = integrator(of, kind=kind, dt=dt * HBAR, rows=rows)
        mover.set_spins(spins)
        mover.run(7)
        out.append(mover)
    return out


@pytest.mark.parametrize("kind", ["suzuki_trotter_2", "suzuki_trotter_4"])
@pytest.mark.parametrize("numbers", [(4, 4, 10), (12, 4, 4), (6, 18, 4)], ids=str)
@pytest.mark.parametrize("onsite", [False, True])
def test_matrices_and_single_spin_terms(models, kind, numbers, onsite):
    of = interactions(models.system(models.general(onsite=onsite, squares=False), numbers), [0.5, 0.7], FIELD)
    spins = of.system.random_spins(np.random.default_rng(2))
    rows, plain = pair(of, kind, spins)
    assert isinstance(rows, ColouredRows)
    assert isinstance(plain, ColouredSpins)
    assert np.abs(rows.spins - spins).max() > 0.1
    np.testing.assert_allclose(rows.spins, plain.spins, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("numbers", [(8, 8, 8), (6, 6, 34), (4, 4, 4)], ids=str)
def test_isotropic_exchange(models, numbers):
    of = interactions(models.system(models.cubic(), numbers), [1.0])
    spins = of.system.random_spins(np.random.default_rng(3))
    rows, plain = pair(of, "suzuki_trotter_2", spins)
    assert isinstance(rows, ColouredRows)
    np.testing.assert_allclose(rows.spins, plain.spins, rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("numbers", [(4, 4, 10), (10, 4, 4), (4, 10, 6)], ids=str)
def test_grids_are_written_from_rows(models, numbers):
    of = interactions(models.system(models.general(squares=False), numbers), [0.5, 0.7], FIELD)
    spins = of.system.random_spins(np.random.default_rng(4))
    rows, plain = pair(of, "suzuki_trotter_2", spins)
    grids = [np.empty((2, 3, *numbers), dtype=np.float32) for _ in range(2)]
    rows.write_grid(grids[0])
    plain.write_grid(grids[1])
    cell = of.system.cell.cells[37]
    assert np.array_equal(grids[1][1, :, *cell], plain.spins[2 * 37 + 1].astype(np.float32))
    np.testing.assert_allclose(grids[0], grids[1], rtol=0, atol=1e-6)


def test_vacancies_stay_empty(models):
    from spinscape.simulate.spin_system import block, spin_system

    model = models.cubic()
    occupied = np.ones(512, dtype=bool)
    occupied[[3, 100, 400]] = False
    of = interactions(spin_system(model, block(model, (8, 8, 8)), occupied=occupied), [1.0])
    spins = of.system.random_spins(np.random.default_rng(3))
    rows, plain = pair(of, "suzuki_trotter_2", spins)
    np.testing.assert_allclose(rows.spins, plain.spins, rtol=0, atol=ROUNDING)
    assert not np.any(rows.spins[~occupied])


def test_what_rows_cannot_do_is_done_spin_by_spin(models):
    squares = interactions(models.system(models.general(), (4, 4, 10)), [0.5, 0.7])
    odd = interactions(models.system(models.cubic(), (5, 5, 5)), [1.0])
    skew = interactions(models.system(models.cubic(), [[4, 1, 0], [0, 4, 0], [0, 0, 4]]), [1.0])
    for of in (squares, odd, skew):
        assert isinstance(integrator(of, kind="suzuki_trotter_2", dt=0.001), ColouredSpins)
