"""Borders over two couplings by energies, where they are known: the classical square lattice J1-J2-J3, J1 = 1."""

import numpy as np
import pytest

from spinscape.errors import ShapeError
from spinscape.learn.energy_borders import CONTINUOUS, FEW, FOUND, energy_borders

BOX = np.array([[-0.6, -0.5], [0.9, 0.7]])
NAMES = ["(π, π)", "(0, π)", "(q, q)", "(q, π)"]


def orders(theta):
    """Energies per site of four orders, (n, 4): J(q)/2 at the best q of each, infinite where there is none."""
    a, b = np.asarray(theta).T
    with np.errstate(all="ignore"):
        c, d = -1 / (2 * (a + 2 * b)), (2 * a - 1) / (4 * b)
        along = np.where((a + 2 * b > 0) & (np.abs(c) < 1), 4 * c + 4 * a * c**2 + 4 * b * (2 * c**2 - 1), np.inf)
        edge = np.where((b > 0) & (np.abs(d) < 1), 2 * d - 2 - 4 * a * d + 4 * b * d**2, np.inf)
    return 0.5 * np.stack([-4 + 4 * a + 4 * b, 4 * b - 4 * a, along, edge], axis=1)


def lattice(n, seed):
    line = [(np.arange(n) + part) / n for part in np.random.default_rng(seed).random(2)]
    theta = BOX[0] + np.stack(np.meshgrid(*line, indexing="ij"), axis=-1).reshape(-1, 2) * (BOX[1] - BOX[0])
    return theta, orders(theta)


def borders(theta, energy, seed, **more):
    label = np.argmin(orders(theta), axis=1)
    return {b.pair: b for b in energy_borders(theta, label, energy, box=BOX, seed=seed, **more)}


@pytest.mark.parametrize("noise", [1e-6, 2e-3])
def test_the_exact_line_lies_in_the_band_and_continuous_borders_are_left_out(noise):
    """(π, π) meets (0, π) at J2 = 1/2, and (q, q) meets (q, π) at J2 = 2 J3; elsewhere the energies touch."""
    inside, bars, others = [], [], []
    for seed in range(4):
        theta, energy = lattice(24, seed)
        found = borders(theta, energy.min(axis=1) + noise * np.random.default_rng(seed).normal(size=len(theta)), seed)
        line = found[0, 1]
        assert line.reason == FOUND and line.n_found >= 20
        # How far the exact line is along the normal, in units of half the band.
        inside.append(np.abs(line.places[:, 0] - 0.5) <= np.abs(line.half[:, 0]))
        bars.append(np.linalg.norm(line.half, axis=1))
        crossed = found[2, 3]
        assert crossed.reason == FOUND
        off, reach = ((x @ [1.0, -2.0]) for x in (crossed.places, crossed.half))
        others.append(np.abs(off) <= np.abs(reach))
        for pair in ((0, 2), (0, 3), (1, 3)):
            assert found[pair].reason == CONTINUOUS and found[pair].n_found == 0, NAMES[pair[0]] + NAMES[pair[1]]
    # 95 %, of about a dozen independent places for each lattice: three standard deviations.
    assert np.mean(np.concatenate(inside)) > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 48)
    assert 0.3 * noise < np.median(np.concatenate(bars)) < 3 * noise
    # Spirals are not quadratic: their bands hold what is left of the third order.
    assert np.mean(np.concatenate(others)) > 0.85


def test_points_that_stayed_in_the_wrong_phase_do_not_move_the_border():
    theta, energy = lattice(24, 1)
    label = np.argmin(energy, axis=1)
    # Up to a step beyond the border points hold the phase they came from, label and energy.
    late = (label == 1) & (theta[:, 0] < 0.5 + 1.5 / 24) & (theta[:, 1] < 0)
    label[late] = 0
    kept = energy[np.arange(len(label)), label] + 1e-4 * np.random.default_rng(0).normal(size=len(label))
    found = {b.pair: b for b in energy_borders(theta, label, kept, box=BOX, seed=1)}[0, 1]
    assert found.n_found >= 20
    assert np.mean(np.abs(found.places[:, 0] - 0.5) <= np.abs(found.half[:, 0])) > 0.8
    assert np.median(np.abs(found.places[:, 0] - 0.5)) < 5e-4


def test_without_a_kink_or_without_points_nothing_is_said():
    theta, energy = lattice(24, 2)
    smooth = np.sin(theta[:, 0]) + 1e-4 * np.random.default_rng(0).normal(size=len(theta))
    assert all(b.reason != FOUND and len(b.places) == 0 for b in borders(theta, smooth, 2).values())
    few, energy = lattice(8, 3)
    found = borders(few, energy.min(axis=1), 3)
    assert {b.reason for b in found.values() if 3 in b.pair} == {FEW}
    none = energy_borders(few, np.zeros(64, int), energy.min(axis=1), box=BOX, seed=1)
    assert none == []
    with pytest.raises(ShapeError):
        energy_borders(few, np.zeros(64, int), np.zeros(3), box=BOX, seed=1)


def test_points_of_crossovers_are_not_fitted():
    theta, energy = lattice(24, 4)
    spoilt = np.abs(theta[:, 0] - 0.5) < 0.06
    wrong = energy.min(axis=1) + np.where(spoilt, 0.05, 0.0)
    found = borders(theta, wrong, 4, sure=~spoilt)[0, 1]
    np.testing.assert_allclose(found.places[:, 0], 0.5, atol=1e-9)
    assert np.abs(borders(theta, wrong, 4)[0, 1].places[:, 0] - 0.5).max(initial=1.0) > 1e-3
