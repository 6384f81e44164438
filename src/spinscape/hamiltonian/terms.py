"""The kinds of terms: what 3×3 matrix each coupling multiplies.

Every function takes expressions that are linear in the couplings (text or numbers) and returns ``{name: matrix}``, so
that the term's energy is Σ_name θ_name S_i·matrix·S_j. Matrices are in the Cartesian frame of the crystal, unless a
local ``frame`` is given, whose rows are the local x, y and z axes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, ExpressionError
from ..lattice.bonds import Bond
from .expression import linear_coefficients

Element = str | float
"""An expression that is linear in the couplings, or the number 0."""
AXES = {"x": 0, "y": 1, "z": 2}
FRAME_TOLERANCE = 1e-3
"""Deviation from orthonormal that a frame typed with four digits may have; it is then made orthonormal."""


@dataclass(frozen=True, eq=False)
class BondTerm:
    """A bilinear term on a reference bond.

    Parameters
    ----------
    kind : str
    coefficients : dict of str to (3, 3) array
        What each coupling multiplies on the reference bond, S_i·M·S_j.
    bond : Bond
    symmetry : bool
        Whether symmetry makes the other bonds of the orbit; otherwise the bond is taken as it stands.
    where : str
        Place in the study that errors name.
    """

    kind: str
    coefficients: dict[str, np.ndarray]
    bond: Bond
    symmetry: bool = True
    where: str = "hamiltonian"


@dataclass(frozen=True, eq=False)
class OnsiteTerm:
    """A quadratic term S_i·A·S_i on a reference site; see :class:`BondTerm`."""

    kind: str
    coefficients: dict[str, np.ndarray]
    site: int
    symmetry: bool = True
    where: str = "hamiltonian"


@dataclass(frozen=True, eq=False)
class BiquadraticTerm:
    """A term θ B (S_i·S_j)² on a reference bond; see :class:`BondTerm`.

    Parameters
    ----------
    coefficients : dict of str to float
        B of each coupling.
    form : str
        ``"large_s"`` or ``"renormalised"``; see :mod:`spinscape.hamiltonian.biquadratic`.
    """

    coefficients: dict[str, float]
    bond: Bond
    form: str = "large_s"
    symmetry: bool = True
    where: str = "hamiltonian"
    kind: str = "biquadratic"


@dataclass(frozen=True, eq=False)
class DipolarTerm:
    """The dipole-dipole interaction between all spins, its strength linear in the couplings.

    Parameters
    ----------
    coefficients : dict of str to float
        f of each coupling; see :mod:`spinscape.hamiltonian.dipolar`.
    """

    coefficients: dict[str, float]
    where: str = "hamiltonian"
    kind: str = "dipolar"


def heisenberg(value: Element, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the matrices of value · S_i·S_j.

    >>> heisenberg("J - K", ("J", "K"))["K"].tolist()
    [[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]]
    """
    return _combined([(value, np.eye(3))], names)


def matrix(rows: Sequence[Sequence[Element]], names: Sequence[str], *, frame=None) -> dict[str, np.ndarray]:
    """Return the matrices of S_i·M·S_j for a 3×3 array of expressions."""
    if len(rows) != 3 or any(len(row) != 3 for row in rows):
        raise ConfigError("an exchange matrix has three rows of three elements", got=repr(rows)[:200])
    parts = [(rows[a][b], _unit(a, b)) for a in range(3) for b in range(3)]
    return _combined(parts, names, frame=frame)


def dm(vector: Sequence[Element], names: Sequence[str], *, frame=None) -> dict[str, np.ndarray]:
    """Return the matrices of D·(S_i × S_j) for three expressions: M_bc = Σ_a D_a ε_abc.

    >>> dm((0, 0, "D"), ("D",))["D"].tolist()
    [[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    if len(vector) != 3:
        raise ConfigError("a Dzyaloshinskii-Moriya vector has three components", got=repr(vector)[:200])
    parts = []
    for a in range(3):
        b, c = (a + 1) % 3, (a + 2) % 3
        parts.append((vector[a], _unit(b, c) - _unit(c, b)))
    return _combined(parts, names, frame=frame)


def kitaev(value: Element, axis: str, names: Sequence[str], *, frame=None) -> dict[str, np.ndarray]:
    """Return the matrices of value · S_i^γ S_j^γ, γ the axis "x", "y" or "z"."""
    g = _axis(axis)
    return _combined([(value, _unit(g, g))], names, frame=frame)


def gamma(value: Element, axis: str, names: Sequence[str], *, frame=None) -> dict[str, np.ndarray]:
    """Return the matrices of value · (S_i^α S_j^β + S_i^β S_j^α), with α, β the two axes beside ``axis``."""
    g = _axis(axis)
    a, b = (g + 1) % 3, (g + 2) % 3
    return _combined([(value, _unit(a, b) + _unit(b, a))], names, frame=frame)


def easy_axis(value: Element, axis, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the matrices of value · (n·S)² for a Cartesian axis n, (3,), made a unit vector.

    A negative value makes n the easy axis, a positive one the plane across it easy.
    """
    n = np.asarray(axis, dtype=np.float64)
    length = np.linalg.norm(n)
    if n.shape != (3,) or not 0 < length < np.inf:
        raise ConfigError("an anisotropy axis is a vector of three numbers, not all zero", got=repr(axis)[:200])
    n = n / length
    return _combined([(value, np.outer(n, n))], names)


def onsite_matrix(rows: Sequence[Sequence[Element]], names: Sequence[str], *, frame=None) -> dict[str, np.ndarray]:
    """Return the matrices of S·A·S for a symmetric 3×3 array of expressions."""
    coefficients = matrix(rows, names, frame=frame)
    for name, unit in coefficients.items():
        if not np.allclose(unit, unit.T, atol=1e-12):
            raise ConfigError(
                f"the on-site matrix of {name} is not symmetric", got=unit.tolist(), fix="an antisymmetric part is zero"
            )
    return coefficients


def _unit(a, b):
    out = np.zeros((3, 3))
    out[a, b] = 1.0
    return out


def _axis(axis):
    if axis not in AXES:
        raise ConfigError("an axis is x, y or z", expected="x, y or z", got=axis)
    return AXES[axis]


def _combined(parts, names, *, frame=None):
    """Return Σ factor · unit of every coupling over (expression, unit matrix) pairs, with all-zero ones left out."""
    names = tuple(names)
    out: dict[str, np.ndarray] = {}
    for value, unit in parts:
        for name, factor in _coefficients(value, names).items():
            out[name] = out.get(name, np.zeros((3, 3))) + factor * unit
    if frame is not None:
        axes = orthonormal_frame(frame)
        out = {name: axes.T @ unit @ axes for name, unit in out.items()}
    return {name: out[name] for name in names if name in out and np.any(out[name])}


def _coefficients(value, names):
    if isinstance(value, str):
        return linear_coefficients(value, names)
    if value != 0:
        raise ExpressionError(
            "a number where a coupling is expected",
            expected=f"0, or an expression in {', '.join(names)}",
            got=value,
            fix="declare a coupling with a fixed value, and multiply by its name",
        )
    return {}


def orthonormal_frame(frame) -> np.ndarray:
    """Return a frame of three axes as rows, (3, 3), made exactly orthonormal.

    Raises
    ------
    ConfigError
        If the axes (of any lengths) are not perpendicular and right-handed.
    """
    rows = np.asarray(frame, dtype=np.float64)
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True) if rows.shape == (3, 3) else np.zeros(1)
    if not np.all((lengths > 0) & (lengths < np.inf)):
        raise ConfigError("a local frame is three rows of three numbers, none of them zero", got=repr(frame)[:200])
    rows = rows / lengths
    if np.abs(rows @ rows.T - np.eye(3)).max() > FRAME_TOLERANCE or np.linalg.det(rows) < 0:
        raise ConfigError(
            "a local frame is not right-handed and perpendicular",
            expected="rows x, y, z with z = x × y",
            got=rows.round(5).tolist(),
        )
    u, _, vt = np.linalg.svd(rows)
    return u @ vt
