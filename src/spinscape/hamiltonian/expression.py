"""Arithmetic written in a study, computed by a parser of our own that can do nothing else.

A study may come from a stranger: its text is never given to the interpreter, its length and depth are limited, and
whatever is not a finite number is an error. The grammar, in the usual precedence:

    sum   = term   (("+" | "-") term)*
    term  = sign   (("*" | "/") sign)*
    sign  = ("+" | "-") sign | power
    power = atom ["**" sign]
    atom  = number | name | "pi" | function "(" sum ")" | "(" sum ")"
"""

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import ExpressionError

MAX_LENGTH = 1000
MAX_DEPTH = 40
FUNCTIONS = {"sin": np.sin, "cos": np.cos, "tan": np.tan, "sqrt": np.sqrt, "exp": np.exp, "log": np.log}
CONSTANTS = {"pi": math.pi}
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<mark>\*\*|[-+*/()]))",
    re.ASCII,
)


def linear_coefficients(text: str, names: Sequence[str]) -> dict[str, float]:
    """Return the factors of a linear combination of couplings.

    Parameters
    ----------
    text : str
        As in ``"J - 0.5*Jp"`` or ``"sqrt(3)/2*J"``.
    names : sequence of str
        Names of the couplings.

    Returns
    -------
    dict of str to float
        For the names that occur, in the order of ``names``.

    Examples
    --------
    >>> linear_coefficients("J - 0.5*(Jp + J)", ("J", "Jp"))
    {'J': 0.5, 'Jp': -0.5}
    """
    _check_names(names)
    constant, coefficients = _Parser(text, _Linear(text, names)).result()
    if constant != 0.0:
        raise ExpressionError(
            "an expression with a constant term",
            expected=f"a linear combination of the couplings {', '.join(names)}",
            got=text,
            fix="declare a coupling with a fixed value, and multiply by its name",
        )
    return {name: coefficients[name] for name in names if name in coefficients}


def evaluate_map(text: str, values: Mapping[str, Any]) -> Any:
    """Return the value of an arithmetic expression over named numbers or arrays.

    Parameters
    ----------
    text : str
        With + - * / ** ( ), sin, cos, tan, sqrt, exp, log and pi.
    values : dict of str to float or array
        Arrays have shapes that broadcast.

    Returns
    -------
    float or array

    Examples
    --------
    >>> evaluate_map("2*cos(phi)", {"phi": 0.0})
    2.0
    """
    _check_names(values)
    with np.errstate(all="ignore"):
        out = _Parser(text, _Arrays(text, values)).result()
    return float(out) if np.ndim(out) == 0 else out


def _check_names(names):
    reserved = sorted(set(names) & (set(FUNCTIONS) | set(CONSTANTS)))
    if reserved:
        raise ExpressionError(
            f"the name {reserved[0]!r} means something else in expressions", got=reserved[0], fix="choose another name"
        )


def _unknown(name, names, text):
    near = difflib.get_close_matches(name, [*names, *FUNCTIONS, *CONSTANTS], 1)
    return ExpressionError(
        f"unknown name {name!r} in an expression",
        expected=f"one of {', '.join(names)}" if names else "no name at all",
        got=text,
        fix=f"did you mean {near[0]!r}?" if near else "declare it, or correct the name",
    )


def _malformed(text, place, expected):
    return ExpressionError(
        "an expression cannot be read",
        expected=f"{expected} at character {place + 1}",
        got=text,
        fix="arithmetic with + - * / ** ( ) is understood",
    )


def _tokens(text):
    """Return (kind, text, place) of each token, with an end mark."""
    if not isinstance(text, str) or len(text) > MAX_LENGTH:
        raise ExpressionError(
            "not an expression of reasonable length",
            expected=f"text of at most {MAX_LENGTH} characters",
            got=f"{len(text)} characters" if isinstance(text, str) else repr(text)[:80],
        )
    place, found = 0, []
    end = len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            raise _malformed(text, place, "a number, a name or an operator")
        found.append((match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        place = match.end()
    return [*found, ("end", "", end)]


class _Parser:
    """Recursive descent that computes as it reads, in the arithmetic that it is given."""

    def __init__(self, text, arithmetic):
        self.text, self.do = text, arithmetic
        self.tokens = _tokens(text)
        self.place = self.depth = 0

    def result(self):
        value = self.sum()
        if self.tokens[self.place][0] != "end":
            raise _malformed(self.text, self.tokens[self.place][2], "an operator or the end")
        return value

    def accept(self, *marks):
        kind, token, _ = self.tokens[self.place]
        if kind == "mark" and token in marks:
            self.place += 1
            return token
        return None

    def sum(self):
        value = self.term()
        while mark := self.accept("+", "-"):
            other = self.term()
            value = self.do.add(value, other if mark == "+" else self.do.negative(other))
        return value

    def term(self):
        value = self.sign()
        while mark := self.accept("*", "/"):
            value = (self.do.multiply if mark == "*" else self.do.divide)(value, self.sign())
        return value

    def sign(self):
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ExpressionError("an expression is nested too deeply", expected=f"at most {MAX_DEPTH}", got=self.text)
        mark = self.accept("+", "-")
        value = self.sign() if mark else self.power()
        self.depth -= 1
        return self.do.negative(value) if mark == "-" else value

    def power(self):
        value = self.atom()
        return self.do.power(value, self.sign()) if self.accept("**") else value

    def atom(self):
        kind, token, place = self.tokens[self.place]
        if self.accept("("):
            return self.closed()
        if kind not in ("number", "name"):
            raise _malformed(self.text, place, "a number, a name or '('")
        self.place += 1
        if kind == "number":
            return self.do.number(float(token))
        if token in FUNCTIONS:
            if not self.accept("("):
                raise _malformed(self.text, place + len(token), f"'(' behind {token}")
            return self.do.call(token, self.closed())
        return self.do.number(CONSTANTS[token]) if token in CONSTANTS else self.do.name(token)

    def closed(self):
        value = self.sum()
        if not self.accept(")"):
            raise _malformed(self.text, self.tokens[self.place][2], "')'")
        return value


class _Arrays:
    """Arithmetic of numpy arrays; a value that is not finite is an error where it arises."""

    def __init__(self, text, values):
        self.text = text
        self.values = {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}

    def finite(self, value):
        if not np.all(np.isfinite(value)):
            raise ExpressionError(
                "an expression has no finite value everywhere",
                expected="finite numbers",
                got=self.text,
                fix="avoid division by zero, overflow, and roots and logarithms of negative numbers",
            )
        return value

    def number(self, value):
        return self.finite(np.float64(value))

    def name(self, name):
        if name not in self.values:
            raise _unknown(name, tuple(self.values), self.text)
        return self.finite(self.values[name])

    def negative(self, a):
        return -a

    def add(self, a, b):
        return self.finite(a + b)

    def multiply(self, a, b):
        return self.finite(a * b)

    def divide(self, a, b):
        return self.finite(a / b)

    def power(self, a, b):
        return self.finite(a**b)

    def call(self, function, a):
        return self.finite(FUNCTIONS[function](a))


class _Linear:
    """Arithmetic of (constant, {name: factor}): what stays linear in the names."""

    def __init__(self, text, names):
        self.text, self.names, self.numbers = text, tuple(names), _Arrays(text, {})

    def constant(self, operation, *values):
        """Compute with numbers alone; refuse where a name is involved."""
        if any(factors for _, factors in values):
            raise ExpressionError(
                "an expression that is not linear in the couplings",
                expected=f"a linear combination of {', '.join(self.names)}",
                got=self.text,
                fix="name the product as a coupling of its own, or put the relation into the grid (kind: map)",
            )
        with np.errstate(all="ignore"):
            return float(operation(*(np.float64(constant) for constant, _ in values))), {}

    def scaled(self, value, factor, *, operation="multiply"):
        constant, factors = value
        scale, factor = getattr(self.numbers, operation), np.float64(factor)
        with np.errstate(all="ignore"):
            return float(scale(constant, factor)), {n: float(scale(f, factor)) for n, f in factors.items()}

    def number(self, value):
        return float(self.numbers.number(value)), {}

    def name(self, name):
        if name not in self.names:
            raise _unknown(name, self.names, self.text)
        return 0.0, {name: 1.0}

    def negative(self, a):
        return self.scaled(a, -1.0)

    def add(self, a, b):
        with np.errstate(all="ignore"):
            total = self.numbers.add
            factors = {n: float(total(a[1].get(n, 0.0), b[1].get(n, 0.0))) for n in (*a[1], *b[1])}
            return float(total(a[0], b[0])), factors

    def multiply(self, a, b):
        if a[1] and b[1]:
            self.constant(self.numbers.multiply, a, b)
        return self.scaled(a, b[0]) if a[1] else self.scaled(b, a[0])

    def divide(self, a, b):
        divisor, _ = self.constant(np.positive, b)
        return self.scaled(a, divisor, operation="divide")

    def power(self, a, b):
        return self.constant(self.numbers.power, a, b)

    def call(self, function, a):
        return self.constant(lambda x: self.numbers.call(function, x), a)
