"""Kernels of couplings between all spins against numpy."""

import numpy as np
import pytest

from spinscape.kernels.long_range import add_rows, pair_products, wave_energy
from spinscape.lattice.supercell import supercell
from spinscape.simulate.places import places

WIDE, BLOCK = 16, 64


def random_table(seed=0):
    """Return a table of random integers (not symmetric: rows are told from columns), and the matrix that it means."""
    rng = np.random.default_rng(seed)
    cell = supercell((3, 2, 2), n_site=5)
    place = places(cell, wide=WIDE, block=BLOCK)
    rows = rng.integers(-9999, 9999, (place.width, len(place.tiles) * place.width)).astype(np.int32)
    matrix = np.zeros((len(rows[0]), place.n_place), dtype=np.int64)
    for i in range(len(matrix)):
        for t in range(place.tiles.shape[1]):
            at = place.tiles[i // place.width, t]
            matrix[i, t * WIDE : (t + 1) * WIDE] = rows[i % place.width, at : at + WIDE]
    return (rows.ravel(), place.tiles, place.width), matrix


@pytest.mark.parametrize("count", [0, 1, 3, 4, 11])
def test_rows_are_added(count):
    table, matrix = random_table()
    rng = np.random.default_rng(count)
    index, sign = rng.integers(0, len(matrix), 12), rng.choice([-1, 1], 12)
    local = rng.integers(-99, 99, matrix.shape[1]).astype(np.int32)
    expected = local + sign[:count] @ matrix[index[:count]]
    add_rows(table, index, sign, count, local)
    np.testing.assert_array_equal(local, expected)


def test_pair_products():
    rng = np.random.default_rng(1)
    spins, pair = rng.choice([-1, 0, 1], 30).astype(np.float32), rng.integers(0, 30, (2, 4, 6)).astype(np.int32)
    out = np.zeros(4)
    pair_products(pair, spins, out)
    np.testing.assert_array_equal(out, np.sum(spins[pair[0]] * spins[pair[1]], axis=1))


def test_wave_energy():
    rng = np.random.default_rng(2)
    wave, form = rng.normal(size=(2, 3, 4)), rng.normal(size=(3, 10, 10))
    spins = rng.choice([-1, 1], 20).astype(np.float32)
    seen = np.einsum("pqc,ci->qpi", wave, spins.reshape(4, 5)).reshape(3, 10)
    found = wave_energy(wave, form, spins, np.zeros((3, 2, 5)), np.zeros(10))
    assert found == pytest.approx(0.5 * np.einsum("qi,qij,qj", seen, form, seen), rel=1e-12)
