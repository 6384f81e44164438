"""Spin waves block by block: the same numbers, bounded memory."""

import gc
import tracemalloc

import numpy as np
import pytest

from spinscape.errors import ConfigError, ShapeError, UnstableError
from spinscape.hamiltonian.dipolar import DipolarTable
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model, OnsiteTable
from spinscape.hamiltonian.spiral import SpiralStructure
from spinscape.lattice.crystal import Crystal
from spinscape.simulate.modes import modes
from spinscape.simulate.quadratic import quadratic_form
from spinscape.simulate.spiral import spiral_form, spiral_modes
from spinscape.simulate.streaming import bytes_for_q, q_blocks, stream_modes

THETA = np.array([1.0, 0.3])


def chain(*, dipoles=False):
    crystal = Crystal(
        vectors=np.diag([3.0, 4.0, 5.0]),
        positions=[[0, 0, 0]],
        labels=("a",),
        orbit=[0],
        spins=[1.0],
        ions=("",),
        g=2.0 * np.eye(3)[None],
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )
    bonds = BondTable([0] * 2, [0] * 2, [[1, 0, 0], [0, 1, 0]], [0] * 2, np.stack([np.eye(3), -np.eye(3)]))
    table = DipolarTable([0], [0.01]) if dipoles else DipolarTable([], [])
    return Model(crystal, ("J", "D"), bonds, OnsiteTable([0], [1], [np.diag([0, 0, -1.0])]), table)


NEEL = MagneticStructure(np.diag([2, 1, 1]), [0, 0], [[0, 0, 0], [1, 0, 0]], [[0, 0, 1], [0, 0, -1]])
SPIRAL = SpiralStructure([0.5, 0, 0], [0, 0, 1], [[1.0, 0, 0]])


def points(n):
    return np.random.default_rng(0).uniform(-1, 1, (n, 3))


@pytest.mark.parametrize("dipoles", [False, True])
def test_blocks_of_any_size_give_the_same_bits(dipoles):
    model, q = chain(dipoles=dipoles), points(45)
    whole = modes(quadratic_form(model, NEEL, q), THETA)
    memory = 11 * bytes_for_q(model, NEEL)
    blocks = list(stream_modes(model, NEEL, q, THETA, memory=memory))
    assert [start for start, _ in blocks] == [0, 11, 22, 33, 44]
    np.testing.assert_array_equal(np.concatenate([m.energies for _, m in blocks]), whole.energies)
    np.testing.assert_array_equal(np.concatenate([m.s_ab for _, m in blocks]), whole.s_ab)
    pieces = list(stream_modes(model, NEEL, iter(np.split(q, 3)), THETA, memory=memory))
    assert [start for start, _ in pieces] == [0, 11, 15, 26, 30, 41]
    np.testing.assert_array_equal(np.concatenate([m.energies for _, m in pieces]), whole.energies)


def test_spirals_stream_too():
    model, q, theta = chain(), points(7), np.array([1.0, -0.3])
    whole = spiral_modes(spiral_form(model, SPIRAL, q), theta)
    blocks = list(stream_modes(model, SPIRAL, q, theta, memory=3 * bytes_for_q(model, SPIRAL)))
    np.testing.assert_array_equal(np.concatenate([m.energies for _, m in blocks]), whole.energies)
    np.testing.assert_array_equal(np.concatenate([m.amplitudes for _, m in blocks]), whole.amplitudes)


@pytest.mark.parametrize(("dipoles", "structure"), [(False, NEEL), (True, NEEL), (False, SPIRAL)])
def test_memory_does_not_grow_with_the_number_of_wave_vectors(dipoles, structure):
    model, theta, memory = chain(dipoles=dipoles), THETA * [1, 1 if structure is NEEL else -1], 1_000_000

    def peak(n):
        source, lowest = (points(500) for _ in range(n // 500)), np.inf
        gc.collect()
        gc.freeze()
        tracemalloc.start()
        for _, found in stream_modes(model, structure, source, theta, memory=memory):
            lowest = min(lowest, found.energies[:, 0].min())
            gc.collect()
        high = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        gc.unfreeze()
        assert lowest > 0
        return high

    peak(500)
    few, many = peak(2000), peak(12000)
    # Ten bytes for each of the further wave vectors, where a D_k alone has 256.
    assert many < few + 100_000
    assert 0.05 * memory < many < memory


def test_the_estimate_of_memory_is_one():
    """A block that fills its budget stays inside of it, and does not leave most of it idle."""
    for dipoles in (False, True):
        model, q, memory = chain(dipoles=dipoles), points(12000), 4_000_000
        tracemalloc.start()
        for _ in stream_modes(model, NEEL, q, THETA, memory=memory):
            pass
        high = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert 0.4 * memory < high < 1.1 * memory


def test_bad_input():
    with pytest.raises(ConfigError, match="more memory than there is"):
        next(stream_modes(chain(), NEEL, points(3), THETA, memory=100))
    with pytest.raises(ShapeError, match="q has the wrong shape"):
        list(q_blocks(np.zeros((3, 2)), 5))
    with pytest.raises(UnstableError, match="not stable"):
        list(stream_modes(chain(), NEEL, points(9), -THETA))
    assert list(stream_modes(chain(), NEEL, np.zeros((0, 3)), THETA)) == []
