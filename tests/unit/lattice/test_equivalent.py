"""Groups of equivalent wave vectors."""

import numpy as np

from spinscape.lattice.equivalent import equivalent_waves
from spinscape.lattice.spacegroup import space_group


def test_the_star_of_a_general_wave_vector():
    rotations = space_group("Pm-3m").rotations
    star = np.array([0.1, 0.23, 0.4]) @ rotations
    first, group = equivalent_waves(np.vstack([star, [[0.1, 0.1, 0.4]]]), rotations)
    assert len(first) == 2
    assert len(set(group[:-1].tolist())) == 1
    assert group[first].tolist() == [0, 1]


def test_without_operations_a_wave_and_its_opposite_are_alike():
    q = np.random.default_rng(1).normal(size=(50, 3))
    first, group = equivalent_waves(np.vstack([q, -q]), np.eye(3, dtype=int)[None])
    assert len(first) == 50
    assert group[:50].tolist() == group[50:].tolist()


def test_functions_with_the_symmetry_are_the_same_on_a_group():
    rotations = space_group("P6_3/mmc").rotations
    q = np.random.default_rng(2).integers(-4, 5, size=(400, 3)) / 7
    metric = np.array([[2.0, 1, 0], [1, 2, 0], [0, 0, 0.7]])
    first, group = equivalent_waves(q, rotations)
    length = np.einsum("qi,ij,qj->q", q, metric, q)
    np.testing.assert_allclose(length, length[first][group], atol=1e-9)
    # And groups are not larger than they may be: distinct classes differ in a function of the whole star.
    star = q[first] @ rotations.transpose(1, 0, 2).reshape(3, -1)
    value = np.cos(star.reshape(len(first), -1, 3) @ [1.0, np.e, np.pi]).sum(axis=1)
    assert len(np.unique(value.round(9))) == len(first)
