"""Operations as text, against gemmi's reader and against what they must refuse."""

from fractions import Fraction

import gemmi
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinscape.errors import DataError
from spinscape.lattice.spacegroup import setting
from spinscape.lattice.triplets import affine_from_triplet, operation_from_triplet, triplet_from_operation


@given(st.integers(1, 530))
def test_operations_of_every_setting_survive_a_round_trip_and_gemmi_reads_them_alike(hall):
    group = setting(hall)
    for rotation, translation in zip(group.rotations, group.translations, strict=True):
        text = triplet_from_operation(rotation, translation)
        back, shift = operation_from_triplet(text)
        np.testing.assert_array_equal(back, rotation)
        assert [float(x) for x in shift] == pytest.approx((translation % 1).tolist(), abs=1e-12)
        other = gemmi.Op(text)
        np.testing.assert_array_equal(np.array(other.rot) // 24, rotation)
        assert [Fraction(n, 24) % 1 for n in other.tran] == shift


@pytest.mark.parametrize(
    ("text", "shift"),
    [
        ("X, Y, Z", [0, 0, 0]),
        ("1/2+x,y-1/4,z", [Fraction(1, 2), Fraction(3, 4), 0]),
        ("x+0.3333,y,z+.5", [Fraction(1, 3), 0, Fraction(1, 2)]),
        ("x+1/5,y+1/7,z-3/2", [Fraction(1, 5), Fraction(1, 7), Fraction(1, 2)]),
    ],
)
def test_translations_are_exact_fractions(text, shift):
    rotation, found = operation_from_triplet(text)
    np.testing.assert_array_equal(rotation, np.eye(3))
    assert found == shift


def test_cells_are_sums_of_multiples():
    matrix, vector = affine_from_triplet("2a+b,-a+b,1/2c", letters="abc")
    assert matrix == [[2, 1, 0], [-1, 1, 0], [0, 0, Fraction(1, 2)]]
    assert vector == [0, 0, 0]


@pytest.mark.parametrize(
    "text",
    [
        *("", "x,y", "x,y,z,z", "x,y,", "x,y,w", "x,y,z+1/0", "x y,y,z+", "xx,y,z", "x,y,z)", "x,y,z+1/2/3", "x" * 200),
        *("x,x,z", "2x,y,z", "x,y,0", "x/2,y,z", "x,y,z+1e3"),
    ],
)
def test_what_is_no_operation_is_refused(text):
    with pytest.raises(DataError):
        operation_from_triplet(text)
