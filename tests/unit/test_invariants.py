"""Matrices that a little group allows: against textbook forms and against a null space computed another way."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from spinscape.lattice.invariants import allowed_form_text, allowed_part, invariant_matrices, matrix_text, snapped

TOLERANCE = 1e-9
IDENTITY = np.eye(3)
INVERSION = -np.eye(3)
C2Z = np.diag([-1.0, -1.0, 1.0])
MX = np.diag([-1.0, 1.0, 1.0])
TURN = Rotation.from_euler("xyz", [0.3, 0.5, 0.7]).as_matrix()
C4Z = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def generated(*generators):
    """Return the group of some (rotation, exchanges) pairs."""
    group = [(IDENTITY, False)]
    grown = True
    while grown:
        grown = False
        for R, r in list(group):
            for S, s in generators:
                product = (R @ S, r != s)
                if not any(np.allclose(product[0], T) and product[1] == t for T, t in group):
                    group.append(product)
                    grown = True
    return np.array([R for R, _ in group]), np.array([r for _, r in group])


GROUPS = {
    "nothing": generated(),
    "inversion at the middle": generated((INVERSION, True)),
    "twofold along the bond": generated((C2Z, False)),
    "mirror across the bond": generated((MX, True)),
    "mirror along the bond": generated((MX, False)),
    "fourfold and inversion": generated((C4Z, False), (INVERSION, True)),
    "a turned twofold axis": generated((TURN @ C2Z @ TURN.T, True)),
}


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("nothing", "[[A, E + D3, F - D2], [E - D3, B, G + D1], [F + D2, G - D1, C]]"),
        # Moriya's rules: an inversion centre forbids D; a mirror across the bond puts D into it; one that holds the
        # bond puts D across it; a rotation axis along the bond puts D along it.
        ("inversion at the middle", "[[A, E, F], [E, B, G], [F, G, C]]"),
        ("mirror across the bond", "[[A, D2, -D1], [-D2, B, E], [D1, E, C]]"),
        ("mirror along the bond", "[[A, 0, 0], [0, B, E + D], [0, E - D, C]]"),
        ("twofold along the bond", "[[A, E + D, 0], [E - D, B, 0], [0, 0, C]]"),
        ("fourfold and inversion", "[[A, 0, 0], [0, A, 0], [0, 0, B]]"),
    ],
)
def test_forms_follow_moriyas_rules(name, form):
    assert allowed_form_text(invariant_matrices(*GROUPS[name])) == form


@pytest.mark.parametrize("name", GROUPS)
def test_the_basis_spans_the_null_space_of_the_constraints(name):
    rotations, exchanged = GROUPS[name]
    transpose = np.eye(9).reshape(3, 3, 9).transpose(1, 0, 2).reshape(9, 9)
    constraints = [
        np.kron(R, R) @ (transpose if r else np.eye(9)) - np.eye(9) for R, r in zip(rotations, exchanged, strict=True)
    ]
    _, values, _ = np.linalg.svd(np.concatenate(constraints))
    basis = invariant_matrices(rotations, exchanged)
    assert len(basis) == np.sum(values < 1e-9)
    assert np.linalg.matrix_rank(basis.reshape(len(basis), 9)) == len(basis)
    for matrix in basis:
        assert np.concatenate(constraints) @ matrix.ravel() == pytest.approx(
            np.zeros(9 * len(rotations)), abs=TOLERANCE
        )


@given(st.sampled_from(sorted(GROUPS)), st.lists(st.floats(-2, 2), min_size=9, max_size=9))
def test_the_allowed_part_is_a_projection(name, values):
    group = GROUPS[name]
    matrix = np.array(values).reshape(3, 3)
    part = allowed_part(matrix, *group)
    assert allowed_part(part, *group) == pytest.approx(part, abs=TOLERANCE)
    # What is left is across all allowed matrices.
    for allowed in invariant_matrices(*group):
        assert np.sum((matrix - part) * allowed) == pytest.approx(0.0, abs=1e-8)


def test_snapped_values_are_those_before_turning():
    matrix = np.array([[0.1, 1 / 3, 0.0], [1 / 3, -0.25, 12345.678], [0.0, 7e-3, 2.0]])
    noise = 1e-13 * 12345.678 * np.random.default_rng(0).uniform(-0.5, 0.5, (3, 3))
    assert np.array_equal(snapped(matrix + noise, matrix), matrix)
    assert np.array_equal(snapped(-matrix + noise, matrix), -matrix)
    # What is no element of the matrix is left, to the last bit.
    assert snapped(np.array([0.3, 0.1 + 1e-8]), matrix[0]).tolist() == [0.3, 0.1 + 1e-8]
    assert not np.signbit(snapped(np.array([-1e-17]), np.eye(3))[0])
    assert snapped(np.zeros((3, 3)), np.zeros((3, 3))).tolist() == np.zeros((3, 3)).tolist()


def test_text_of_forms_and_matrices():
    assert allowed_form_text(np.zeros((0, 3, 3))) == "[[0, 0, 0], [0, 0, 0], [0, 0, 0]]"
    half = np.diag([1.0, -0.5, 0.25])
    assert allowed_form_text(half[None]) == "[[A, 0, 0], [0, -0.5*A, 0], [0, 0, 0.25*A]]"
    assert matrix_text([[1, -0.0, 0.5], [0, 1e-3, 0], [0, 0, 2]]) == "[[1, 0, 0.5], [0, 0.001, 0], [0, 0, 2]]"
