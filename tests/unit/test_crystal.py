"""The crystal and its lattice vectors."""

import json

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from spinscape.errors import ConfigError, ShapeError
from spinscape.lattice.crystal import Crystal, lattice_vectors, read_only

ROUNDING = 1e-9


def simple(**changes):
    values = {
        "vectors": np.diag([3.0, 4.0, 5.0]),
        "positions": [[0.0, 0.0, 0.0], [0.5, 0.5, 0.1]],
        "labels": ("A", "B"),
        "orbit": [0, 1],
        "spins": [1.0, 1.5],
        "ions": ("Ni2+", "Mn2+"),
        "g": np.stack([2 * np.eye(3)] * 2),
        "rotations": np.eye(3)[None],
        "translations": np.zeros((1, 3)),
    }
    return Crystal(**{**values, **changes})


lengths = st.floats(1.0, 30.0)
angles = st.floats(60.0, 119.0)


@given(a=lengths, b=lengths, c=lengths, alpha=angles, beta=angles, gamma=angles)
def test_vectors_have_the_lengths_and_angles_asked_for(a, b, c, alpha, beta, gamma):
    cosines = np.cos(np.radians([alpha, beta, gamma]))
    assume(1 + 2 * np.prod(cosines) - np.sum(cosines**2) > 1e-3)
    v = lattice_vectors(a=a, b=b, c=c, alpha=alpha, beta=beta, gamma=gamma)
    norm = np.linalg.norm(v, axis=1)
    assert norm == pytest.approx([a, b, c], rel=ROUNDING)
    got = [v[1] @ v[2] / (b * c), v[0] @ v[2] / (a * c), v[0] @ v[1] / (a * b)]
    assert got == pytest.approx(cosines, abs=ROUNDING)
    # a along x, b in the xy plane, right-handed.
    assert v[0, 1] == v[0, 2] == v[1, 2] == 0.0
    assert np.linalg.det(v) > 0


def test_an_orthogonal_lattice_is_exactly_diagonal():
    v = lattice_vectors(a=3.89, b=3.89, c=12.55)
    assert np.array_equal(v, np.diag([3.89, 3.89, 12.55]))


def test_a_hexagonal_lattice_has_the_textbook_form():
    v = lattice_vectors(a=2.0, b=2.0, c=3.0, gamma=120.0)
    assert v == pytest.approx(np.array([[2, 0, 0], [-1, np.sqrt(3), 0], [0, 0, 3]]), abs=ROUNDING)


@pytest.mark.parametrize(
    "bad", [{"a": 0.0}, {"a": -1.0}, {"alpha": 120.0, "beta": 120.0, "gamma": 120.0}, {"alpha": 30.0, "beta": 150.0}]
)
def test_lengths_and_angles_that_form_no_lattice_are_refused(bad):
    with pytest.raises(ConfigError, match="form no lattice"):
        lattice_vectors(**{"a": 3.0, "b": 3.0, "c": 3.0, **bad})


@given(st.lists(st.floats(-3, 3), min_size=9, max_size=9))
def test_reciprocal_vectors_are_dual(values):
    vectors = np.array(values).reshape(3, 3) + 5 * np.eye(3)
    assume(abs(np.linalg.det(vectors)) > 1.0)
    crystal = simple(vectors=vectors)
    assert crystal.vectors @ crystal.reciprocal.T == pytest.approx(2 * np.pi * np.eye(3), abs=1e-7)


def test_a_crystal_comes_back_from_json_bit_for_bit():
    crystal = simple(vectors=lattice_vectors(a=3.1, b=4.2, c=5.3, alpha=81.0, beta=92.3, gamma=107.0))
    again = Crystal.from_dict(json.loads(json.dumps(crystal.to_dict())))
    assert again.labels == crystal.labels and again.ions == crystal.ions and again.n_site == 2
    for name in ("vectors", "positions", "orbit", "spins", "g", "rotations", "translations"):
        one, two = getattr(crystal, name), getattr(again, name)
        assert one.dtype == two.dtype and one.tobytes() == two.tobytes(), name


def test_arrays_are_owned_and_read_only():
    vectors = np.diag([3.0, 4.0, 5.0])
    crystal = simple(vectors=vectors)
    vectors[0, 0] = 99.0
    assert crystal.vectors[0, 0] == 3.0
    with pytest.raises(ValueError, match="read-only"):
        crystal.vectors[0, 0] = 1.0
    assert read_only([1, 2], np.int64).dtype == np.int64


def test_wrong_shapes_and_flat_lattices_are_refused():
    with pytest.raises(ShapeError, match="positions"):
        simple(positions=np.zeros((3, 3)))
    with pytest.raises(ShapeError, match="g has"):
        simple(g=np.zeros((2, 3)))
    with pytest.raises(ConfigError, match="span no volume"):
        simple(vectors=np.array([[1.0, 0, 0], [0, 1.0, 0], [1.0, 1.0, 0]]))
    with pytest.raises(ConfigError, match="not finite"):
        simple(spins=[1.0, np.inf])
