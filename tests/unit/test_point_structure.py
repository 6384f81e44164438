"""The structure of a point: declared, relaxed or its own, and what is looked for in it."""

import numpy as np
import pytest

from spinscape.errors import UnstableError
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model
from spinscape.hamiltonian.structures import GroundStateSearch
from spinscape.lattice.crystal import Crystal
from spinscape.simulate.point_structure import StructureRule
from spinscape.simulate.protocol import StreamKey

KEY = StreamKey(1, "00")
PAIR = GroundStateSearch([[2, 0, 0], [0, 1, 0], [0, 0, 1]], n_start=8)


def chain():
    """A chain with first and second neighbours."""
    crystal = Crystal(
        vectors=np.diag([3.0, 8.0, 8.0]),
        positions=[[0, 0, 0]],
        labels=("a",),
        orbit=[0],
        spins=[1.0],
        ions=("",),
        g=2.0 * np.eye(3)[None],
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )
    bonds = BondTable([0, 0], [0, 0], [[1, 0, 0], [2, 0, 0]], [0, 1], np.tile(np.eye(3), (2, 1, 1)))
    return Model(crystal, ("J", "K"), bonds)


def neel(tilt=0.0):
    return MagneticStructure(np.diag([2, 1, 1]), [0, 0], [[0, 0, 0], [1, 0, 0]], [[tilt, 0, 1], [tilt, 0, -1]])


def rule(structure=None, **how):
    return StructureRule(chain(), structure or neel(), Conditions(), **how)


def test_a_stable_structure_is_taken_as_declared():
    found = rule().at([1.0, 0.1], KEY)
    assert found.origin == "declared" and found.structure.n_sublattice == 2


def test_instabilities_are_found_wherever_they_are():
    """Beyond K = J/4 a spiral lies below: soft away from the zone centre. Ferromagnetic J: soft at the centre."""
    for theta in ([1.0, 0.3], [-1.0, 0.0]):
        with pytest.raises(UnstableError, match="negative energy") as caught:
            rule().at(theta, KEY)
        assert "Q = (" in str(caught.value) and "lowest eigenvalue -" in str(caught.value)
        assert rule(check=False).at(theta, KEY).origin == "declared"


def test_an_unstable_point_may_have_its_own_ground_state():
    found = rule(unstable=PAIR).at([-1.0, 0.0], KEY)
    assert found.origin == "own"
    np.testing.assert_allclose(found.structure.direction[0], found.structure.direction[1], atol=1e-9)
    assert rule(unstable=PAIR).at([1.0, 0.1], KEY).origin == "declared"


def test_a_state_of_too_small_a_cell_is_still_unstable():
    with pytest.raises(UnstableError, match="negative energy"):
        rule(unstable=PAIR).at([1.0, 0.4], KEY)


def test_a_tilted_structure_relaxes():
    with pytest.raises(UnstableError, match="not stationary"):
        rule(neel(0.1)).at([1.0, 0.0], KEY)
    found = rule(neel(0.1), relax=True).at([1.0, 0.0], KEY)
    assert found.origin == "relaxed"
    np.testing.assert_allclose(found.structure.direction[0], -found.structure.direction[1], atol=1e-9)


def test_a_search_gives_every_point_its_own_the_same_each_time():
    first, second = (rule(GroundStateSearch(max_cell=2, n_start=8)).at([1.0, 0.1], KEY) for _ in range(2))
    assert first.origin == "own" and first.structure.n_sublattice == 2
    np.testing.assert_array_equal(first.structure.direction, second.structure.direction)
