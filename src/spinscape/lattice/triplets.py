"""Operations written as text: ``-y, x-y, z+1/3`` and ``a+b, -a+b, 2c; 0, 0, 1/4``."""

import re
from fractions import Fraction

import numpy as np

from ..errors import DataError

MAX_TEXT = 120
MAX_DENOMINATOR = 48
"""Decimals are read as the fraction that they round: 0.3333 is 1/3."""
ROUNDED = 6e-4
_TERM = re.compile(r"([+-]?)(\d+(?:\.\d*)?(?:/\d+)?|\.\d+)?\*?([a-z])?")


def affine_from_triplet(text: str, *, letters: str = "xyz") -> tuple[list[list[Fraction]], list[Fraction]]:
    """Return the matrix and the vector of a triplet, in exact fractions.

    Parameters
    ----------
    text : str
        Three sums of multiples of the letters and numbers, with commas between.
    letters : str
        Names of the three coordinates.

    Returns
    -------
    matrix : 3 lists of 3 Fraction
        Row k has the coefficients of the k-th sum.
    vector : list of 3 Fraction

    Examples
    --------
    >>> matrix, vector = affine_from_triplet("-y, x-y, z+1/3")
    >>> [[int(x) for x in row] for row in matrix], str(vector[2])
    ([[0, -1, 0], [1, -1, 0], [0, 0, 1]], '1/3')
    """
    parts = text.lower().replace(" ", "").split(",") if len(text) <= MAX_TEXT else []
    if len(parts) != 3:
        raise _malformed(text, letters)
    rows = [_sum_of_terms(part, letters, text) for part in parts]
    return [row[:3] for row in rows], [row[3] for row in rows]


def _sum_of_terms(part, letters, text):
    """Return the coefficients of the three letters and of 1."""
    row, position = [Fraction(0)] * 4, 0
    while position < len(part) or not part:
        match = _TERM.match(part, position)
        sign, number, letter = match.groups()
        glued = position > 0 and not sign
        if glued or (number is None and letter is None) or (letter and letter not in letters):
            raise _malformed(text, letters)
        column = letters.index(letter) if letter else 3
        row[column] += (-1 if sign == "-" else 1) * (
            Fraction(1) if number is None else _fraction(number, text, letters)
        )
        position = match.end()
    return row


def _fraction(number, text, letters):
    top, _, bottom = number.partition("/")
    if bottom and int(bottom) == 0:
        raise _malformed(text, letters)
    value = Fraction(top) / (int(bottom) if bottom else 1)
    simple = value.limit_denominator(MAX_DENOMINATOR)
    return simple if "." in number and abs(value - simple) < ROUNDED else value


def _malformed(text, letters):
    example = "-y, x-y, z+1/3" if letters == "xyz" else "a+b, -a+b, 2c"
    return DataError("an operation cannot be read", expected=f"three sums such as {example}", got=text[:MAX_TEXT])


def operation_from_triplet(text: str) -> tuple[np.ndarray, list[Fraction]]:
    """Return rotation (3, 3) int64 and translation, 3 Fraction in [0, 1), of a symmetry operation.

    Raises
    ------
    DataError
        Where the rotation is none: elements that are not 0 or ±1, or a determinant that is not ±1.
    """
    matrix, vector = affine_from_triplet(text)
    if any(x not in (-1, 0, 1) for row in matrix for x in row):
        raise _no_rotation(text)
    rotation = np.array([[int(x) for x in row] for row in matrix], dtype=np.int64)
    if abs(round(np.linalg.det(rotation))) != 1:
        raise _no_rotation(text)
    return rotation, [x % 1 for x in vector]


def _no_rotation(text):
    return DataError("an operation is no rotation of a lattice", expected="such as -y, x-y, z+1/3", got=text)


def triplet_from_operation(rotation, translation) -> str:
    """Return an operation as text, for messages.

    >>> triplet_from_operation([[0, -1, 0], [1, -1, 0], [0, 0, 1]], [0, 0, 1 / 3])
    '-y,x-y,z+1/3'
    """
    parts = []
    for row, shift in zip(np.asarray(rotation).tolist(), translation, strict=True):
        text = "".join(f"{'-' if n < 0 else '+'}{name}" for n, name in zip(row, "xyz", strict=True) if n)
        fraction = Fraction(shift).limit_denominator(MAX_DENOMINATOR)
        parts.append((text + (f"{'+' if fraction > 0 else ''}{fraction}" if fraction else "")).removeprefix("+"))
    return ",".join(parts)
