"""Matrices between spins under rotations: which ones a little group allows, and how to print them.

Spins are axial vectors, S' = det(R) R S, so that a matrix between two of them goes to R M R^T for proper and improper
rotations alike; where an operation exchanges the two spins it goes to R M^T R^T.
"""

import numpy as np

FORBIDDEN = 1e-6
"""Relative size of a forbidden part of a matrix that counts as written on purpose; irrational numbers are typed with
seven digits or more."""
ROUNDING = 1e-13
"""Relative error of a few products of rotations, with room."""
_SYMMETRIC = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
_ANTISYMMETRIC = ((1, 2), (2, 0), (0, 1))
_SYMMETRIC_NAMES = "ABCEFG"


def snapped(values, reference):
    """Return turned values without the last digits of rounding.

    A value that is zero or an element of ``reference``, up to its sign and to rounding, becomes it exactly: so a
    Heisenberg exchange is the same multiple of the identity on every bond, and a user's numbers keep their bits.

    Parameters
    ----------
    values : array
    reference : array
        The values before they were turned.

    Returns
    -------
    array, as ``values``

    Examples
    --------
    >>> snapped(np.array([0.1 + 2e-17, 6e-18, -0.1, 0.07]), 0.1).tolist()
    [0.1, 0.0, -0.1, 0.07]
    """
    values = np.asarray(values, dtype=np.float64)
    levels = np.unique(np.append(np.abs(reference), 0.0))
    nearest = levels[np.argmin(np.abs(np.abs(values)[..., None] - levels), axis=-1)]
    near = np.abs(np.abs(values) - nearest) <= ROUNDING * levels[-1]
    return np.where(near, np.copysign(nearest, values), values) + 0.0


def allowed_part(matrix, rotations, exchanged):
    """Return the part of a matrix that a little group allows: its mean over the group.

    Parameters
    ----------
    matrix : (..., 3, 3) float64
    rotations : (n_operation, 3, 3) float64
        Orthogonal matrices of the little group, a whole group.
    exchanged : (n_operation,) bool
        Where the operation exchanges the two spins.

    Returns
    -------
    (..., 3, 3) float64
    """
    matrix = np.asarray(matrix, dtype=np.float64)[..., None, :, :]
    seen = np.where(np.asarray(exchanged)[:, None, None], np.swapaxes(matrix, -1, -2), matrix)
    return snapped(np.mean(rotations @ seen @ rotations.transpose(0, 2, 1), axis=-3), matrix)


def invariant_matrices(rotations: np.ndarray, exchanged: np.ndarray) -> np.ndarray:
    """Return a basis of the matrices that a little group allows.

    Returns
    -------
    (n_allowed, 3, 3) float64
        Symmetric matrices first, then antisymmetric ones (an allowed space is closed under the transpose). Within each
        kind the basis is in reduced echelon form, so that a parameter is an element of the matrix where it can be.
    """
    symmetric = _echelon_basis(rotations, exchanged, _SYMMETRIC, 1.0)
    antisymmetric = _echelon_basis(rotations, exchanged, _ANTISYMMETRIC, -1.0)
    return np.concatenate([symmetric, antisymmetric])


def _echelon_basis(rotations, exchanged, elements, sign):
    units = np.zeros((len(elements), 3, 3))
    for unit, (a, b) in zip(units, elements, strict=True):
        unit[b, a] = sign
        unit[a, b] = 1.0
    rows, columns = np.array(elements).T
    coordinates = allowed_part(units, rotations, exchanged)[:, rows, columns]
    return np.einsum("kn,nab->kab", _reduced_echelon(coordinates), units) + 0.0


def _reduced_echelon(matrix):
    """Return the non-zero rows of the reduced row echelon form."""
    work, rank = np.array(matrix), 0
    for column in range(work.shape[1]):
        if rank == len(work):
            break
        pivot = rank + int(np.argmax(np.abs(work[rank:, column])))
        if abs(work[pivot, column]) < 1e-9:
            continue
        work[[rank, pivot]] = work[[pivot, rank]]
        work[rank] /= work[rank, column]
        others = np.arange(len(work)) != rank
        work[others] -= np.outer(work[others, column], work[rank])
        rank += 1
    return np.round(work[:rank], 12) + 0.0


def allowed_form_text(basis: np.ndarray) -> str:
    """Return the general matrix of a basis as text: A, B, C... symmetric parameters, D antisymmetric ones.

    >>> allowed_form_text(np.array([np.eye(3), [[0, 1, 0], [-1, 0, 0], [0, 0, 0]]]))
    '[[A, D, 0], [-D, A, 0], [0, 0, A]]'
    """
    names = _parameter_names(basis)
    rows = [", ".join(_combination(basis[:, a, b], names) for b in range(3)) for a in range(3)]
    return f"[[{'], ['.join(rows)}]]"


def _parameter_names(basis):
    symmetric = [np.allclose(m, m.T) for m in basis]
    n_dm = len(basis) - sum(symmetric)
    dm = iter(["D"] if n_dm == 1 else [f"D{k + 1}" for k in range(n_dm)])
    letters = iter(_SYMMETRIC_NAMES)
    return [next(letters) if is_symmetric else next(dm) for is_symmetric in symmetric]


def _combination(coefficients, names):
    text = ""
    for coefficient, name in zip(coefficients, names, strict=True):
        if abs(coefficient) > 1e-9:
            factor = "" if abs(abs(coefficient) - 1) < 1e-9 else f"{abs(coefficient):.7g}*"
            sign = "-" if coefficient < 0 else "+" if text else ""
            text += f" {sign} {factor}{name}" if text else f"{sign}{factor}{name}"
    return text or "0"


def matrix_text(matrix) -> str:
    """Return a 3×3 matrix of numbers on one line.

    >>> matrix_text(np.eye(3))
    '[[1, 0, 0], [0, 1, 0], [0, 0, 1]]'
    """
    rows = [", ".join(f"{x + 0.0:.7g}" for x in row) for row in np.asarray(matrix)]
    return f"[[{'], ['.join(rows)}]]"
