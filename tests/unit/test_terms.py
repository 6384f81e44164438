"""Unit matrices of the kinds of terms: each against its formula, evaluated on random spins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinscape.errors import ConfigError, ExpressionError
from spinscape.hamiltonian import terms

ROUNDING = 1e-9
NAMES = ("J", "K", "D")
vectors = st.lists(st.floats(-2, 2), min_size=3, max_size=3).map(np.array)
FRAME = np.array([[1.0, 1.0, -2.0], [-1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])


def energy(coefficients, a, b, **theta):
    return sum(theta[name] * (a @ m @ b) for name, m in coefficients.items())


@given(vectors, vectors)
def test_heisenberg_is_the_scalar_product(a, b):
    got = energy(terms.heisenberg("J - 2*K", NAMES), a, b, J=1.5, K=0.5)
    assert got == pytest.approx((1.5 - 1.0) * (a @ b), abs=ROUNDING)


@given(vectors, vectors, vectors)
def test_dm_is_the_triple_product(a, b, d):
    coefficients = terms.dm([f"({x!r})*D" for x in d.tolist()], NAMES)
    assert energy(coefficients, a, b, D=0.7) == pytest.approx(0.7 * (d @ np.cross(a, b)), abs=ROUNDING)


@given(vectors, vectors)
def test_kitaev_and_gamma_are_their_products(a, b):
    for g, axis in enumerate("xyz"):
        p, q = [k for k in range(3) if k != g]
        assert energy(terms.kitaev("K", axis, NAMES), a, b, K=2.0) == pytest.approx(2 * a[g] * b[g], abs=ROUNDING)
        expected = 2 * (a[p] * b[q] + a[q] * b[p])
        assert energy(terms.gamma("K", axis, NAMES), a, b, K=2.0) == pytest.approx(expected, abs=ROUNDING)


@given(vectors, vectors)
def test_a_matrix_is_its_elements(a, b):
    coefficients = terms.matrix([["J", 0, "K"], [0, "2*J", 0], ["-K", "0", "J + K"]], NAMES)
    m = np.array([[3, 0, 5], [0, 6, 0], [-5, 0, 8]])
    assert energy(coefficients, a, b, J=3.0, K=5.0) == pytest.approx(a @ m @ b, abs=ROUNDING)


@given(vectors)
def test_anisotropy_is_the_square_along_its_axis(s):
    n = np.array([1.0, 1.0, 1.0])
    got = energy(terms.easy_axis("-D", n, NAMES), s, s, D=0.4)
    assert got == pytest.approx(-0.4 * (n @ s) ** 2 / 3, abs=ROUNDING)


@given(vectors, vectors)
def test_a_local_frame_turns_the_spins(a, b):
    axes = terms.orthonormal_frame(FRAME)
    for kind in (terms.kitaev, terms.gamma):
        local = kind("K", "z", NAMES)["K"]
        turned = kind("K", "z", NAMES, frame=FRAME)["K"]
        assert a @ turned @ b == pytest.approx((axes @ a) @ local @ (axes @ b), abs=ROUNDING)
    d = np.array([0.3, -0.2, 0.5])
    turned = terms.dm([f"{x}*D" for x in d], NAMES, frame=FRAME)["D"]
    assert a @ turned @ b == pytest.approx((d @ axes) @ np.cross(a, b), abs=ROUNDING)


def test_the_same_name_twice_adds_up_and_zero_is_left_out():
    coefficients = terms.matrix([["J", 0, 0], [0, "J - K + K", 0], [0, 0, "J"]], NAMES)
    assert list(coefficients) == ["J"]
    assert np.array_equal(coefficients["J"], np.eye(3))
    assert terms.heisenberg("0*J", NAMES) == {}


def test_names_keep_the_order_of_the_couplings():
    assert list(terms.heisenberg("D + J", NAMES)) == ["J", "D"]


def test_a_frame_typed_with_four_digits_is_made_orthonormal():
    typed = [[0.4082, 0.4082, -0.8165], [-0.7071, 0.7071, 0], [0.5774, 0.5774, 0.5774]]
    axes = terms.orthonormal_frame(typed)
    assert axes @ axes.T == pytest.approx(np.eye(3), abs=1e-14)
    assert axes == pytest.approx(terms.orthonormal_frame(FRAME), abs=1e-4)


@pytest.mark.parametrize(
    "frame",
    [
        np.diag([1.0, 1.0, -1.0]),  # left-handed
        np.eye(3)[[1, 0, 2]],
        [[1, 0, 0], [0.1, 1, 0], [0, 0, 1]],
        [[0, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[np.nan, 0, 0], [0, 1, 0], [0, 0, 1]],
        np.eye(2),
    ],
)
def test_what_is_no_frame_is_refused(frame):
    with pytest.raises(ConfigError, match="local frame"):
        terms.kitaev("K", "x", NAMES, frame=frame)


def test_bad_terms_are_refused():
    with pytest.raises(ConfigError, match="three rows of three"):
        terms.matrix([["J", 0], [0, "J"]], NAMES)
    with pytest.raises(ConfigError, match="three components"):
        terms.dm(["D", 0], NAMES)
    with pytest.raises(ConfigError, match="x, y or z"):
        terms.kitaev("K", "w", NAMES)
    with pytest.raises(ConfigError, match="not symmetric"):
        terms.onsite_matrix([[0, "D", 0], ["-D", 0, 0], [0, 0, 0]], NAMES)
    for axis in ((0, 0, 0), (1, 2), (np.nan, 0, 0)):
        with pytest.raises(ConfigError, match="anisotropy axis"):
            terms.easy_axis("D", axis, NAMES)


def test_a_bare_number_needs_a_name():
    with pytest.raises(ExpressionError, match="a number where a coupling") as caught:
        terms.matrix([["J", 0, 0], [0, 1.5, 0], [0, 0, "J"]], NAMES)
    assert "fixed value" in caught.value.fix


def test_a_symmetric_onsite_matrix_passes():
    coefficients = terms.onsite_matrix([["J", "D", 0], ["D", 0, 0], [0, 0, "-J"]], NAMES)
    assert coefficients["D"].tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    assert coefficients["J"].tolist() == np.diag([1.0, 0, -1]).tolist()
