"""Powder averages: deterministic rules on the sphere, refined until the average stands still.

A rule is a product: Gauss-Legendre in cos θ, and equal steps in φ. It is exact for all spherical harmonics up to its
degree, so that the average of a function of angular momentum l <= degree is exact to rounding, and of an analytic one
converges faster than any power of the number of points. It is symmetric under inversion, and has no random seed. A
Fibonacci spiral is exact for no degree and its error falls with a power only; Lebedev's rules need a third fewer
points but end at degree 131 and come as long tables.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, ShapeError
from ..lattice.crystal import read_only

FIRST_DEGREE = 11
MAX_DEGREE = 1023


@dataclass(frozen=True, eq=False)
class SphereRule:
    """Directions and weights of an average over the sphere.

    Parameters
    ----------
    directions : (n_direction, 3) float64
        Unit vectors.
    weights : (n_direction,) float64, positive, of sum 1
    degree : int
        Spherical harmonics up to this l are averaged exactly.
    """

    directions: np.ndarray
    weights: np.ndarray
    degree: int

    def __post_init__(self):
        object.__setattr__(self, "directions", read_only(self.directions))
        object.__setattr__(self, "weights", read_only(self.weights))

    @property
    def n_direction(self) -> int:
        """Number of directions."""
        return len(self.weights)


@dataclass(frozen=True, eq=False)
class PowderAverage:
    """A converged average over the sphere.

    Parameters
    ----------
    value : (...) array
        The average, of the shape of the function's value at one Q.
    change : float
        Largest change of ``value`` since the rule of half the degree: an upper estimate of the error.
    degree : int
        Of the last rule.
    n_evaluation : int
        Directions that the function was evaluated at, all rules together.
    """

    value: np.ndarray
    change: float
    degree: int
    n_evaluation: int


@functools.lru_cache(maxsize=16)
def sphere_rule(degree: int, *, even: bool = False) -> SphereRule:
    """Return the product rule that is exact for spherical harmonics up to l = ``degree``.

    Parameters
    ----------
    degree : int
        1 to :data:`MAX_DEGREE`.
    even : bool
        For functions with f(-Q) = f(Q): one direction of each opposite pair, of twice the weight.

    Returns
    -------
    SphereRule
        (degree + 1)²/2 directions for odd degrees, half as many for even functions; without ``even``, every direction
        comes with its opposite.

    Notes
    -----
    n nodes of Gauss-Legendre are exact to the polynomial degree 2n - 1 in cos θ; m equal steps in φ to e^{i(m-1)φ}.
    m is even for the inversion, and the first φ is half a step, off the planes of symmetry.
    """
    if not 1 <= degree <= MAX_DEGREE:
        raise ConfigError("no such rule on the sphere", expected=f"a degree from 1 to {MAX_DEGREE}", got=degree)
    cosine, weight = np.polynomial.legendre.leggauss(degree // 2 + 1)
    n_phi = degree + 1 + (degree + 1) % 2
    phi = 2.0 * np.pi * (np.arange(n_phi) + 0.5) / n_phi
    sine = np.sqrt(1.0 - cosine**2)
    directions = np.stack(
        [np.outer(sine, np.cos(phi)), np.outer(sine, np.sin(phi)), np.repeat(cosine[:, None], n_phi, axis=1)], axis=-1
    )
    directions, weights = directions.reshape(-1, 3), np.repeat(0.5 * weight / n_phi, n_phi)
    if even:
        # The first half of the nodes has cos θ < 0; a node in the middle has opposite points half a turn apart.
        half = len(weights) // 2
        directions, weights = directions[:half], 2.0 * weights[:half]
    return SphereRule(directions, weights, degree)


def sphere_average(function: Callable, q_modulus: float, *, rule: SphereRule, chunk: int = 4096) -> np.ndarray:
    """Return the average of a function over the directions of one rule.

    Parameters
    ----------
    function : callable
        (n, 3) float64, 1/Å, Cartesian -> (n, ...) real or complex.
    q_modulus : float, 1/Å
    rule : SphereRule
    chunk : int
        Most directions given to the function at once.

    Returns
    -------
    (...) array
    """
    total = None
    for start in range(0, rule.n_direction, chunk):
        rows = slice(start, start + chunk)
        values = np.asarray(function(q_modulus * rule.directions[rows]))
        weights = rule.weights[rows]
        if values.shape[:1] != weights.shape:
            raise ShapeError(
                "a function to be averaged has the wrong shape",
                expected=(len(weights), "..."),
                got=values.shape,
                fix="return one row for each Q",
            )
        if not np.all(np.isfinite(values)):
            raise ConfigError("a function to be averaged is not finite", where=f"|Q| = {q_modulus:.6g} 1/Å")
        part = np.einsum("n,n...->...", weights, values)
        total = part if total is None else total + part
    return np.asarray(total)


def powder_average(
    function: Callable,
    q_modulus: float,
    *,
    tolerance: float = 1e-3,
    first_degree: int = FIRST_DEGREE,
    max_degree: int = MAX_DEGREE,
    even: bool = False,
    chunk: int = 4096,
) -> PowderAverage:
    """Return the average of a function over all directions of Q, to a tolerance.

        f(|Q|) = (1/4π) ∫ f(|Q| n) dn

    Parameters
    ----------
    function : callable
        (n, 3) float64, 1/Å, Cartesian -> (n, ...): an intensity, or a whole spectrum on an energy axis.
    q_modulus : float, 1/Å
    tolerance : float
        Largest change of the average, relative to its largest element, when the degree of the rule is doubled.
    first_degree : int
        A function with structure on the angle α needs some π/α; a start far below it may miss the structure twice.
    max_degree : int
    even : bool
        Say that f(-Q) = f(Q), which halves the work: so it is for crystals with inversion, and for structures that
        time reversal and a symmetry of the crystal together keep.
    chunk : int
        Most directions given to the function at once.

    Returns
    -------
    PowderAverage

    Raises
    ------
    ConfigError
        Where the rule of ``max_degree`` has not converged.
    """
    if not (0 <= q_modulus < np.inf) or not 0 < tolerance < 1:
        raise ConfigError(
            "a powder average needs |Q| >= 0 and a tolerance between 0 and 1",
            got=f"|Q| = {q_modulus} 1/Å, tolerance = {tolerance}",
        )
    degree, before, n_evaluation, change = first_degree, None, 0, np.inf
    while degree <= max_degree:
        rule = sphere_rule(degree, even=even)
        value = sphere_average(function, q_modulus, rule=rule, chunk=chunk)
        n_evaluation += rule.n_direction
        if before is not None:
            change = float(np.max(np.abs(value - before), initial=0.0))
            if change <= tolerance * np.max(np.abs(value), initial=0.0):
                return PowderAverage(value, change, degree, n_evaluation)
        before, degree = value, 2 * degree + 1
    raise ConfigError(
        "a powder average has not converged",
        where=f"|Q| = {q_modulus:.6g} 1/Å",
        expected=f"a relative change of at most {tolerance:g} up to degree {max_degree}",
        got=f"a change of {change:.3g}",
        fix="widen the energy resolution, loosen the tolerance, or raise max_degree",
    )


def powder_map(function: Callable, q_modulus, **options) -> np.ndarray:
    """Return powder averages at several |Q|, (n_q, ...); ``options`` are those of :func:`powder_average`."""
    return np.stack([powder_average(function, float(q), **options).value for q in np.asarray(q_modulus)])
