"""Structures checked over the whole zone: what is at rest and stable passes, what is not is named."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinscape.errors import UnstableError
from spinscape.hamiltonian.biquadratic import BiquadraticTable
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.dipolar import DipolarTable
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model, OnsiteTable
from spinscape.hamiltonian.spiral import SpiralStructure
from spinscape.lattice.crystal import Crystal
from spinscape.simulate.quadratic import quadratic_form
from spinscape.simulate.stability import check_structure, magnetic_offsets


def chain(reach=2, **terms):
    """Chain along a with neighbours at 1 … reach, couplings J1 …, and an easy plane across c."""
    crystal = Crystal(
        vectors=np.diag([3.0, 4.0, 5.0]),
        positions=[[0, 0, 0]],
        labels=("Cu",),
        orbit=[0],
        spins=[1.0],
        ions=("",),
        g=2.0 * np.eye(3)[None],
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )
    offset = [[k, 0, 0] for k in range(1, reach + 1)]
    bonds = BondTable([0] * reach, [0] * reach, offset, range(reach), np.tile(np.eye(3), (reach, 1, 1)))
    plane = OnsiteTable([0], [reach], [np.diag([0.0, 0.0, 1.0])])
    return Model(crystal, (*(f"J{k}" for k in range(1, reach + 1)), "D"), bonds, plane, **terms)


ALONG = MagneticStructure(np.eye(3), [0], [[0, 0, 0]], [[1.0, 0, 0]])
NEEL = MagneticStructure(np.diag([2, 1, 1]), [0, 0], [[0, 0, 0], [1, 0, 0]], [[1.0, 0, 0], [-1.0, 0, 0]])


def test_a_stable_structure_passes_and_its_lowest_eigenvalue_is_that_of_the_zero_mode():
    found = check_structure(chain(), NEEL, [1.0, 0.2, 0.3])
    assert abs(found.eigenvalue) < 1e-12 * found.scale and found.torque < 1e-12
    assert found.q == pytest.approx((0.0, 0.0, 0.0))


@pytest.mark.parametrize("second", [0.3, 0.9, 2.0])
def test_an_incommensurate_instability_is_found_between_the_points_of_the_mesh(second):
    """J1 = -1: the ferromagnet is lowest for waves with cos 2πq = 1/4J2 in the plane, by J(0) - J(q)."""
    model, theta = chain(), [-1.0, second, 0.3]
    with pytest.raises(UnstableError) as caught:
        check_structure(model, ALONG, theta)
    q = np.arccos(1 / (4 * second)) / (2 * np.pi)
    named = float(caught.value.where.partition("(")[2].partition(",")[0])
    assert abs(named) == pytest.approx(q, abs=1e-4)
    value = float(caught.value.got.split()[2])
    dense = np.column_stack([np.linspace(0, 0.5, 4001), np.zeros((4001, 2))])
    expected = np.linalg.eigvalsh(quadratic_form(model, ALONG, dense).assembled(theta))[:, 0].min()
    assert value == pytest.approx(expected, rel=1e-5) and value < 0
    assert "J2 = " in caught.value.where and caught.value.fix


def test_a_structure_that_is_stable_where_it_is_looked_at_can_be_unstable_elsewhere():
    """The quadratic form at Q = 0 knows nothing of it."""
    theta = [-1.0, 0.3, 0.3]
    at_zero = quadratic_form(chain(), ALONG, np.zeros((1, 3)))
    assert np.linalg.eigvalsh(at_zero.assembled(theta)).min() > -1e-12


def test_a_spin_that_is_not_along_its_field_is_named():
    tilted = replace(NEEL, direction=np.array([[1.0, 0, 0], [-1.0, 0.01, 0]]))
    with pytest.raises(UnstableError, match="not stationary") as caught:
        check_structure(chain(), tilted, [1.0, 0.2, 0.3])
    assert "site Cu (index 0) in cell (" in caught.value.where
    assert check_structure(chain(), tilted, [1.0, 0.2, 0.3], tolerance=0.1).torque > 1e-4


def test_a_field_that_holds_a_structure_makes_it_pass():
    theta, field = [-1.0, 0.3, 0.0], Conditions(field=(-20.0, 0.0, 0.0))
    assert check_structure(chain(), ALONG, theta, field).eigenvalue > 0
    with pytest.raises(UnstableError, match="negative"):
        check_structure(chain(), ALONG, theta, Conditions(field=(20.0, 0.0, 0.0)))


def test_spirals_are_checked_in_their_own_frame():
    second, theta = 1.0, [-1.0, 1.0, 0.3]
    k = np.arccos(1 / (4 * second)) / (2 * np.pi)
    best = SpiralStructure([k, 0, 0], [0, 0, 1], [[1.0, 0, 0]])
    assert abs(check_structure(chain(), best, theta).eigenvalue) < 1e-9
    with pytest.raises(UnstableError, match="negative"):
        check_structure(chain(), replace(best, k=[k + 0.05, 0, 0]), theta)


def test_biquadratic_terms_and_dipoles_are_part_of_it():
    """A negative biquadratic term holds spins that second neighbours would turn; dipoles along the chain do too."""
    squares = BiquadraticTable([0], [0], [[1, 0, 0]], [0], [0.2])
    model, theta = chain(biquadratic=squares), [-1.0, 0.3, 0.3]
    assert check_structure(model, ALONG, theta).eigenvalue > -1e-9
    dipoles = chain(dipolar=DipolarTable([0], [-1.0]))
    assert check_structure(dipoles, ALONG, theta).eigenvalue > 0
    with pytest.raises(UnstableError, match="negative"):
        check_structure(chain(dipolar=DipolarTable([0], [1.0])), ALONG, theta)


def test_offsets_of_magnetic_cells():
    assert magnetic_offsets(chain(), NEEL).tolist() == [[0, 0, 0], [1, 0, 0], [1, 0, 0], [1, 0, 0]]


@given(st.integers(0, 10_000))
@settings(max_examples=8, deadline=None)
def test_no_wave_vector_lies_lower_than_the_one_that_is_named(seed):
    """Second method: random wave vectors, many of them, for random exchange of two sites held by their anisotropy."""
    rng = np.random.default_rng(seed)
    crystal = replace(
        chain().crystal, positions=[[0, 0, 0], [0.3, 0.4, 0.1]], labels=("a", "b"), orbit=[0, 1], spins=[1.0, 1.5],
        ions=("", ""), g=np.tile(np.eye(3), (2, 1, 1)), kind=(), axis=np.zeros((0, 3)),
    )  # fmt: skip
    offset = np.column_stack([np.ones(4), rng.integers(-1, 2, (4, 2))])
    bonds = BondTable(*rng.integers(0, 2, (2, 4)), offset, [0] * 4, rng.uniform(-1, 1, (4, 3, 3)))
    hold = OnsiteTable([0, 1], [1, 1], np.tile(np.diag([0, 0, -20.0]), (2, 1, 1)))
    model = Model(crystal, ("J", "D"), bonds, hold)
    structure = MagneticStructure(np.eye(3), [0, 1], np.zeros((2, 3)), [[0, 0, 1.0], [0, 0, -1.0]])
    found = check_structure(model, structure, [1.0, 1.0], tolerance=1.0)
    q = rng.uniform(0, 1, (2000, 3))
    values = np.linalg.eigvalsh(quadratic_form(model, structure, q).assembled([1.0, 1.0]))[:, 0]
    assert found.eigenvalue <= values.min() + 1e-8 * found.scale
    at = np.linalg.eigvalsh(quadratic_form(model, structure, np.array([found.q])).assembled([1.0, 1.0]))[0, 0]
    assert at == pytest.approx(found.eigenvalue, abs=1e-12 * found.scale)
