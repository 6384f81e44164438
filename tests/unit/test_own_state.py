"""The ground state of a point: the lowest of the cells asked for, and the same whatever the random starts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from spinscape.errors import ConfigError, ShapeError
from spinscape.hamiltonian.biquadratic import BiquadraticTable
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.dipolar import DipolarTable
from spinscape.hamiltonian.energy import energy
from spinscape.hamiltonian.model import BondTable, Model, OnsiteTable
from spinscape.lattice.crystal import Crystal
from spinscape.lattice.supercell import supercell
from spinscape.simulate.own_state import free_turns, magnetic_cells, own_ground_state, turned_state
from spinscape.simulate.protocol import StreamKey
from spinscape.simulate.stability import check_structure

KEYS = [StreamKey(seed, "point") for seed in range(3)]
Z = np.array([0.0, 0.0, 1.0])


def square(matrix=None, onsite=None, **terms):
    """One site, S = 1: first neighbours along a and b with J1, second ones with J2."""
    crystal = Crystal(
        vectors=np.diag([3.0, 3.0, 5.0]),
        positions=[[0, 0, 0]],
        labels=("a",),
        orbit=[0],
        spins=[1.0],
        ions=("",),
        g=2.0 * np.eye(3)[None],
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )
    offset = [[1, 0, 0], [0, 1, 0], [1, 1, 0], [1, -1, 0]]
    matrix = np.eye(3) if matrix is None else matrix
    bonds = BondTable([0] * 4, [0] * 4, offset, [0, 0, 1, 1], np.tile(matrix, (4, 1, 1)))
    onsite = OnsiteTable([], [], np.zeros((0, 3, 3))) if onsite is None else OnsiteTable([0], [0], [onsite])
    return Model(crystal, ("J1", "J2"), bonds, onsite, **terms)


@pytest.mark.parametrize(
    ("theta", "index", "expected"),
    [([-1.0, 0.0], 1, -2.0), ([1.0, 0.2], 2, -1.6), ([1.0, 0.9], 2, -1.8)],
)
def test_phases_of_the_square_lattice(theta, index, expected):
    """Ferromagnet 2J1 + 2J2, Néel order -2J1 + 2J2, stripes -2J2; the first spin along z, the others too."""
    found = [own_ground_state(square(), theta, max_cell=4, stream_key=key) for key in KEYS]
    assert abs(round(np.linalg.det(found[0].magnetic_cell))) == index
    cell = supercell(found[0].magnetic_cell, n_site=1)
    assert energy(square(), found[0].direction, theta, cell=cell) / index == pytest.approx(expected, rel=1e-12)
    for other in found[1:]:
        np.testing.assert_array_equal(other.magnetic_cell, found[0].magnetic_cell)
        np.testing.assert_allclose(other.direction, found[0].direction, atol=1e-9)
    np.testing.assert_allclose(found[0].direction[0], Z, atol=1e-12)
    assert abs(check_structure(square(), found[0], theta).eigenvalue) < 1e-9


def test_the_same_key_gives_the_same_bits_and_a_given_cell_is_kept():
    one, two = (own_ground_state(square(), [1.0, 0.2], magnetic_cell=(2, 2, 1), stream_key=KEYS[0]) for _ in range(2))
    assert np.array_equal(one.direction, two.direction) and one.magnetic_cell.tolist() == np.diag([2, 2, 1]).tolist()


def test_where_spins_are_held_the_last_domain_in_order_is_taken():
    """An easy axis along (1, 1, 0): the first spin points to its positive end whatever the start."""
    axis = np.array([1.0, 1.0, 0]) / np.sqrt(2)
    model = square(onsite=-0.3 * np.outer(axis, axis))
    for key in KEYS:
        found = own_ground_state(model, [1.0, 0.1], max_cell=2, stream_key=key)
        np.testing.assert_allclose(found.direction, [axis, -axis], atol=1e-9)


def test_in_a_field_the_turn_about_it_is_free():
    """Canted Néel order: the first spin across the field lies in the half plane of the axis farthest from it."""
    conditions = Conditions(field=(0.0, 0.0, 10.0))
    found = [own_ground_state(square(), [1.0, 0.1], conditions, max_cell=2, stream_key=key) for key in KEYS]
    for state in found:
        np.testing.assert_allclose(state.direction, found[0].direction, atol=1e-9)
    assert found[0].direction[0, 0] > 0.9 and abs(found[0].direction[0, 1]) < 1e-9
    assert found[0].direction[0, 2] == pytest.approx(found[0].direction[1, 2]) and found[0].direction[0, 2] < -0.01


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_turned_states_do_not_know_how_they_were_turned(seed):
    rng = np.random.default_rng(seed)
    n = rng.normal(size=(4, 3))
    n /= np.linalg.norm(n, axis=1, keepdims=True)
    whole = Rotation.random(random_state=seed).as_matrix()
    again = turned_state(n @ whole.T, np.eye(3))
    np.testing.assert_allclose(turned_state(n, np.eye(3)), again, atol=1e-9)
    np.testing.assert_allclose(again @ again.T, n @ n.T, atol=1e-12)
    assert again[0] == pytest.approx(Z) and abs(again[1, 1]) < 1e-9 and again[1, 0] > 0
    about = Rotation.from_rotvec(rng.normal() * Z).as_matrix()
    np.testing.assert_allclose(turned_state(n, Z[None]), turned_state(n @ about.T, Z[None]), atol=1e-9)
    np.testing.assert_allclose(turned_state(n, Z[None])[:, 2], n[:, 2], atol=1e-12)
    assert turned_state(n, np.zeros((0, 3))) is n


def test_free_turns_of_models():
    theta, none = np.array([1.0, 0.5]), Conditions()
    assert free_turns(square(), theta, none).shape == (3, 3)
    np.testing.assert_allclose(free_turns(square(), theta, Conditions(field=(0, 3.0, 0))), [[0, 1, 0]], atol=1e-12)
    dm = np.array([[1.0, 0.4, 0], [-0.4, 1.0, 0], [0, 0, 1.0]])
    np.testing.assert_allclose(free_turns(square(dm), theta, none), [Z], atol=1e-12)
    assert len(free_turns(square(dm), theta, Conditions(field=(1.0, 0, 0)))) == 0
    assert len(free_turns(square(np.diag([1.0, 2.0, 3.0])), theta, none)) == 0
    assert free_turns(square(np.diag([1.0, 2.0, 3.0])), np.zeros(2), none).shape == (3, 3)
    assert len(free_turns(square(dipolar=DipolarTable([0], [1.0])), theta, none)) == 0
    squares = BiquadraticTable([0], [0], [[1, 0, 0]], [0], [1.0])
    assert free_turns(square(biquadratic=squares), theta, none).shape == (3, 3)


def test_cells_are_all_lattices_of_an_index():
    """Sublattices of index n: 1, 7, 13, 35 in three dimensions, 1, 3, 4, 7 in two, one each in one; all different."""
    flat = [len(magnetic_cells(n, linked=(True, True, False))) for n in range(1, 5)]
    assert flat == [1, 4, 8, 15] and len(magnetic_cells(4, linked=(False, False, True))) == 4
    cells = magnetic_cells(4)
    keys = {tuple(supercell(m, n_site=1).hermite.ravel()) for m in cells}
    assert len(keys) == len(cells) == 56 and abs(np.linalg.det(cells[-1])) == pytest.approx(4)


def test_questions_without_an_answer_are_refused():
    with pytest.raises(ConfigError, match="needs a magnetic cell"):
        own_ground_state(square(), [1.0, 0.0], stream_key=KEYS[0])
    with pytest.raises(ConfigError, match="needs a magnetic cell"):
        own_ground_state(square(), [1.0, 0.0], magnetic_cell=(1, 1, 1), max_cell=2, stream_key=KEYS[0])
    with pytest.raises(ConfigError, match="too many magnetic cells"):
        own_ground_state(square(), [1.0, 0.0], max_cell=1000, stream_key=KEYS[0])
    with pytest.raises(ShapeError, match="theta"):
        own_ground_state(square(), [1.0], max_cell=1, stream_key=KEYS[0])
