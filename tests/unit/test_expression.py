"""Expressions of a study: right values, nothing executed, bounded work, errors that say where."""

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinscape.errors import ExpressionError
from spinscape.hamiltonian.expression import MAX_DEPTH, MAX_LENGTH, evaluate_map, linear_coefficients

NAMES = ("J", "Jp", "J_3", "D")


@pytest.mark.parametrize(
    ("text", "coefficients"),
    [
        ("J", {"J": 1.0}),
        ("J - 0.5*Jp", {"J": 1.0, "Jp": -0.5}),
        ("-J_3/4 + 2*(J - D)", {"J": 2.0, "J_3": -0.25, "D": -2.0}),
        ("sqrt(3)/2*J", {"J": math.sqrt(3) / 2}),
        ("J*cos(pi)", {"J": -1.0}),
        ("2**3*J", {"J": 8.0}),
        ("2**-1*J", {"J": 0.5}),
        ("--J", {"J": 1.0}),
        ("J - J", {"J": 0.0}),
        ("J + 1 - 1", {"J": 1.0}),
        ("1e-3*J + .5*D", {"J": 1e-3, "D": 0.5}),
        ("0", {}),
        ("(((J)))", {"J": 1.0}),
        ("  J\t+ Jp ", {"J": 1.0, "Jp": 1.0}),
    ],
)
def test_linear_combinations(text, coefficients):
    assert linear_coefficients(text, NAMES) == coefficients


def test_factors_are_divided_and_not_multiplied_by_an_inverse():
    assert linear_coefficients("0.1*J/3", NAMES)["J"] == 0.1 / 3


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("J*Jp", "not linear"),
        ("J**2", "not linear"),
        ("1/J", "not linear"),
        ("2**J", "not linear"),
        ("cos(J)", "not linear"),
        ("J + 1", "constant term"),
        ("3", "constant term"),
        ("Jq", "unknown name"),
        ("x", "unknown name"),
        ("", "cannot be read"),
        ("J +", "cannot be read"),
        ("(J", "cannot be read"),
        ("J)", "cannot be read"),
        ("2 J", "cannot be read"),
        ("J^2", "cannot be read"),
        ("J, Jp", "cannot be read"),
        ("J'", "cannot be read"),
        ("sin J", "cannot be read"),
        ("１*J", "cannot be read"),
        ("J;import os", "cannot be read"),
        ("__import__('os').system('id')", "cannot be read"),
        ("J.__class__", "cannot be read"),
        ("J[0]", "cannot be read"),
        ("1/0*J", "no finite value"),
        ("(-1)**0.5*J", "no finite value"),
        ("log(0)*J", "no finite value"),
        ("9**9**9*J", "no finite value"),
        ("1e999*J", "no finite value"),
        ("1e308*J*10", "no finite value"),
    ],
)
def test_what_is_not_linear_is_refused(text, what):
    with pytest.raises(ExpressionError, match=what) as caught:
        linear_coefficients(text, NAMES)
    assert caught.value.got == text


def test_errors_help():
    with pytest.raises(ExpressionError) as caught:
        linear_coefficients("2*Jpp", NAMES)
    assert caught.value.fix == "did you mean 'Jp'?"
    with pytest.raises(ExpressionError) as caught:
        linear_coefficients("J + * 2", NAMES)
    assert "at character 5" in caught.value.expected
    with pytest.raises(ExpressionError) as caught:
        linear_coefficients("J + 0.3", NAMES)
    assert "fixed value" in caught.value.fix


def test_names_that_mean_something_else_are_refused():
    for name in ("pi", "sin"):
        with pytest.raises(ExpressionError, match="means something else"):
            linear_coefficients("J", ("J", name))


@pytest.mark.parametrize("bad", ["J" * (MAX_LENGTH + 1), 3, None, ["J"]])
def test_text_of_no_reasonable_length_is_refused(bad):
    with pytest.raises(ExpressionError, match="reasonable length"):
        linear_coefficients(bad, NAMES)


@pytest.mark.parametrize(
    "text", ["(" * 400 + "J" + ")" * 400, "-" * 900 + "J", "2**" * 300 + "2", "sin(" * 150 + "1" + ")" * 150]
)
def test_deep_nesting_is_refused(text):
    with pytest.raises(ExpressionError, match="nested too deeply"):
        linear_coefficients(text, NAMES)
    with pytest.raises(ExpressionError, match="nested too deeply"):
        evaluate_map(text, {"J": 1.0})


def test_a_long_sum_is_fine_and_quick():
    text = "J" + "+J" * 499
    start = time.process_time()
    assert linear_coefficients(text, NAMES) == {"J": 500.0}
    assert time.process_time() - start < 1.0
    assert linear_coefficients("(" * (MAX_DEPTH - 1) + "J" + ")" * (MAX_DEPTH - 1), NAMES) == {"J": 1.0}


numbers = st.floats(-100, 100, allow_nan=False).map(lambda x: round(x, 3))


def expressions(names):
    """Draw Python text that this grammar shares with Python's own."""
    leaves = st.one_of(numbers.map(lambda x: f"({x!r})"), st.sampled_from(names))
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(lambda t: f"{t[0]}{t[1]}{t[2]}"),
            inner.map(lambda x: f"-{x}"),
            inner.map(lambda x: f"({x})"),
            inner.map(lambda x: f"cos({x})"),
            inner.map(lambda x: f"({x})**2"),
        ),
        max_leaves=8,
    )


@given(expressions(["x", "y"]), numbers, numbers)
def test_values_and_precedence_are_those_of_python(text, x, y):
    scope = {"x": x, "y": y, "cos": math.cos, "__builtins__": {}}
    try:
        # The second method: Python itself, on text that this test has made.
        expected = eval(text, scope)  # noqa: S307
    except (ZeroDivisionError, OverflowError):
        return
    if not math.isfinite(expected) or len(text) > MAX_LENGTH:
        return
    try:
        got = evaluate_map(text, {"x": x, "y": y})
    except ExpressionError as error:
        assert "nested too deeply" in str(error) or "no finite value" in str(error)
        return
    assert got == pytest.approx(expected, rel=1e-9, abs=1e-9)


@given(st.dictionaries(st.sampled_from(NAMES), numbers, min_size=1), st.lists(numbers, min_size=4, max_size=4))
def test_a_linear_combination_has_the_value_of_its_coefficients(factors, values):
    text = " + ".join(f"({factor!r})*{name}" for name, factor in factors.items())
    theta = dict(zip(NAMES, values, strict=True))
    coefficients = linear_coefficients(text, NAMES)
    total = sum(factor * theta[name] for name, factor in coefficients.items())
    assert total == pytest.approx(evaluate_map(text, theta), abs=1e-9)
    assert list(coefficients) == [name for name in NAMES if name in factors]


@given(st.text(max_size=60))
def test_no_text_whatever_does_anything_but_raise_our_error(text):
    try:
        out = linear_coefficients(text, NAMES)
    except ExpressionError:
        return
    assert set(out) <= set(NAMES)


def test_maps_work_on_arrays():
    phi = np.linspace(0, np.pi, 5)
    assert evaluate_map("2*cos(phi) + sin(phi)**2", {"phi": phi}) == pytest.approx(2 * np.cos(phi) + np.sin(phi) ** 2)
    assert isinstance(evaluate_map("sqrt(2)*exp(1)/log(2)*tan(1)", {}), float)
    assert evaluate_map("x*y", {"x": np.ones((2, 1)), "y": np.arange(3.0)}).shape == (2, 3)


@pytest.mark.parametrize("text", ["1/x", "log(x)", "sqrt(x - 1)", "exp(1000*(x + 1))", "x**-1", "0*(1/x)"])
def test_a_map_without_a_finite_value_somewhere_is_refused(text):
    with pytest.raises(ExpressionError, match="no finite value"):
        evaluate_map(text, {"x": np.array([0.0, 1.0])})


def test_a_map_with_an_unknown_name_is_refused():
    with pytest.raises(ExpressionError, match="unknown name 'psi'"):
        evaluate_map("cos(psi)", {"phi": 0.0})
