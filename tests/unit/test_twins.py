import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinscape.errors import ConfigError, ShapeError
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.spacegroup import space_group
from spinscape.observables.structure_factor import intensity, polarisation_weights
from spinscape.observables.twins import (
    Twins,
    twin_average,
    twin_tensor_average,
    twins_about,
    twins_from_operations,
)

HEXAGONAL = lattice_vectors(a=5.0, b=5.0, c=7.0, gamma=120.0)
RECIPROCAL = 2 * np.pi * np.linalg.inv(HEXAGONAL).T
TURN = np.array([[0, -1, 0], [1, -1, 0], [0, 0, 1]])  # 120° about c, on fractions


def test_three_domains_of_a_hexagonal_crystal():
    twins = twins_about((0, 0, 2), (0, 120, 240), weights=(2, 1, 1))
    np.testing.assert_allclose(twins.weights, [0.5, 0.25, 0.25])
    # Rᵀ takes (h k l) to the arms of its star, each with i = -h-k for one index.
    points = twins.wave_vectors([[0.5, 0.0, 0.3]], reciprocal=RECIPROCAL)[:, 0]
    np.testing.assert_allclose(points, [[0.5, 0, 0.3], [0, -0.5, 0.3], [-0.5, 0.5, 0.3]], atol=1e-12)


def test_operations_on_fractions_are_the_same_twins():
    about = twins_about((0, 0, 1), (0, 120, 240))
    same = twins_from_operations(HEXAGONAL, [np.eye(3, dtype=int), TURN, TURN @ TURN])
    np.testing.assert_allclose(same.rotations, about.rotations, atol=1e-12)
    np.testing.assert_allclose(same.weights, 1 / 3)


@given(st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1), st.floats(-360, 360))
def test_rotations_keep_length_axis_and_hand(axis, angle):
    rotation = twins_about(axis, [angle]).rotations[0]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(rotation @ axis, axis, atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1.0)
    assert np.trace(rotation) == pytest.approx(1 + 2 * np.cos(np.radians(angle)), abs=1e-12)


def test_turning_by_hand():
    np.testing.assert_allclose(twins_about((0, 0, 1), [90]).rotations[0] @ [1, 0, 0], [0, 1, 0], atol=1e-15)


def test_what_a_domain_scatters_is_the_turned_scattering():
    # A cosine along d is the scattering of a pair at distance d: the domain's pair is at R d.
    d, q = np.array([1.0, 0.4, -0.7]), np.array([[0.2, 0.7, 0.1], [1.0, -0.3, 0.5]])
    twins = twins_about((1, 2, 3), (0, 70), weights=(1, 3))
    seen = twin_average(lambda h: np.cos(h @ RECIPROCAL @ d), q, twins=twins, reciprocal=RECIPROCAL)
    expected = sum(w * np.cos(q @ RECIPROCAL @ (R @ d)) for w, R in zip(twins.weights, twins.rotations, strict=True))
    np.testing.assert_allclose(seen, expected, rtol=1e-12)


def tensor_of(h):
    """A tensor that turns with the structure: dyads of a fixed direction, modulated along another one."""
    q = h @ RECIPROCAL
    n = np.array([1.0, 2.0, -0.5])
    return (1.5 + np.cos(q @ [0.3, 0.1, 0.9]))[:, None, None] * np.outer(n, n)


def test_tensors_turn_too_and_agree_with_scalars_where_both_hold():
    q = np.array([[0.2, 0.7, 0.1], [1.0, -0.3, 0.5]])
    twins = twins_about((0, 0, 1), (0, 50, 110))
    turned = twin_tensor_average(tensor_of, q, twins=twins, reciprocal=RECIPROCAL)
    weights = polarisation_weights("perp", q @ RECIPROCAL)
    across = intensity(turned[:, None], weights)[:, 0]

    def perp(h):
        return intensity(tensor_of(h)[:, None], polarisation_weights("perp", h @ RECIPROCAL))[:, 0]

    np.testing.assert_allclose(across, twin_average(perp, q, twins=twins, reciprocal=RECIPROCAL), rtol=1e-12)
    # One component alone is no scalar: only the tensor's way is right.
    wrong = twin_average(lambda h: tensor_of(h)[:, 0, 0], q, twins=twins, reciprocal=RECIPROCAL)
    assert np.abs(turned[:, 0, 0] - wrong).max() > 0.1


def test_all_operations_of_the_group_leave_a_symmetric_average():
    group = space_group("P6/mmm")
    twins = twins_from_operations(HEXAGONAL, group.rotations)
    q = np.array([[0.2, 0.7, 0.1]])
    seen = twin_tensor_average(tensor_of, q, twins=twins, reciprocal=RECIPROCAL)[0]
    for R in twins.rotations:
        turned = (q @ RECIPROCAL @ R.T) @ np.linalg.inv(RECIPROCAL)
        there = twin_tensor_average(tensor_of, turned, twins=twins, reciprocal=RECIPROCAL)[0]
        np.testing.assert_allclose(there, R @ seen @ R.T, atol=1e-12)


def test_fields_are_axial():
    mirror = np.diag([1.0, 1.0, -1.0])
    twins = Twins([np.eye(3), mirror, -np.eye(3), twins_about((0, 0, 1), [90]).rotations[0]], np.ones(4))
    np.testing.assert_allclose(twins.fields((1, 0, 2)), [[1, 0, 2], [-1, 0, 2], [1, 0, 2], [0, -1, 2]], atol=1e-12)


@pytest.mark.parametrize(
    ("rotations", "weights", "error"),
    [
        ([np.eye(3)], [1, 2], ShapeError),
        ([np.eye(3)], [0.0], ConfigError),
        ([np.eye(3)], [np.nan], ConfigError),
        ([TURN], [1.0], ConfigError),  # on fractions, not orthogonal
        ([np.full((3, 3), np.nan)], [1.0], ConfigError),
        (np.zeros((0, 3, 3)), [], ConfigError),
        (np.eye(3), [1.0], ShapeError),
    ],
)
def test_bad_twins(rotations, weights, error):
    with pytest.raises(error):
        Twins(rotations, weights)


def test_axes_and_operations_that_are_none():
    with pytest.raises(ConfigError, match="no direction"):
        twins_about((0, 0, 0), [10])
    with pytest.raises(ConfigError, match="does not keep the lattice"):
        twins_from_operations(lattice_vectors(a=3.0, b=4.0, c=5.0), [[[0, 1, 0], [1, 0, 0], [0, 0, -1]]])
