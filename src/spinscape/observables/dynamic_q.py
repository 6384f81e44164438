"""Wave vectors that a periodic supercell holds, near those that are asked for.

A supercell holds q with q·a integer for each of its vectors a. What is asked for in between is that of the *nearest*
one, or *linear* between the eight corners around it, in coordinates along the supercell's reciprocal vectors; phases,
form factors and polarisation are those of the allowed wave vectors, the rule is applied to the intensity.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, check_shape
from ..lattice.crystal import Crystal, read_only
from ..lattice.supercell import Supercell

RULES = ("nearest", "linear")
"""How values between allowed wave vectors are made."""
_CORNERS = np.stack([axis.ravel() for axis in np.indices((2, 2, 2))], axis=1)
_SAME = 1e-9


@dataclass(frozen=True, eq=False)
class AllowedQ:
    """Allowed wave vectors, and the share that each has in what is asked for.

    Parameters
    ----------
    q : (n_allowed, 3) float64, r.l.u. of the chemical cell
    number : (n_allowed, 3) int64
        H·q of the supercell's triangular basis H.
    row : (n_q, n_corner) int64
        Allowed wave vectors of each one asked for.
    weight : (n_q, n_corner) float64
        Rows add to one.
    distance : (n_q,) float64, 1/Å
        To the nearest allowed wave vector.
    """

    q: np.ndarray
    number: np.ndarray
    row: np.ndarray
    weight: np.ndarray
    distance: np.ndarray

    def __post_init__(self):
        for name, dtype in (
            ("q", np.float64),
            ("number", np.int64),
            ("row", np.int64),
            ("weight", np.float64),
            ("distance", np.float64),
        ):
            object.__setattr__(self, name, read_only(getattr(self, name), dtype))

    def interpolated(self, values):
        """Take an array (n_allowed, ...) to the wave vectors asked for, (n_q, ...)."""
        if self.row.shape[1] == 1:
            return values[self.row[:, 0]]
        out = np.zeros((len(self.row), *values.shape[1:]))
        for row, weight in zip(self.row.T, self.weight.T, strict=True):
            out += weight.reshape(-1, *[1] * (values.ndim - 1)) * values[row]
        return out

    def interpolated_error(self, errors):
        """Take standard errors (n_allowed, ...) along, those of different wave vectors taken as independent."""
        if self.row.shape[1] == 1:
            return errors[self.row[:, 0]]
        square = np.zeros((len(self.row), *errors.shape[1:]))
        for row, weight in zip(self.row.T, self.weight.T, strict=True):
            square += (weight.reshape(-1, *[1] * (errors.ndim - 1)) * errors[row]) ** 2
        return np.sqrt(square)


def allowed_q(crystal: Crystal, cell: Supercell, points, *, rule: str = "nearest") -> AllowedQ:
    """Return the allowed wave vectors near some points.

    Parameters
    ----------
    crystal : Crystal
    cell : Supercell
    points : (n_q, 3) float64, r.l.u. of the chemical cell
    rule : str
        One of :data:`RULES`.

    Returns
    -------
    AllowedQ

    Examples
    --------
    >>> from spinscape.lattice.supercell import supercell
    >>> import types
    >>> cubic = types.SimpleNamespace(reciprocal=np.eye(3))
    >>> found = allowed_q(cubic, supercell((4, 4, 1), n_site=1), [[0.3, 0.0, 0.0]])
    >>> found.q.tolist(), round(float(found.distance[0]), 9)
    ([[0.25, 0.0, 0.0]], 0.05)
    """
    points = np.asarray(points, dtype=np.float64)
    check_shape("points", points, ("n_q", 3), hint="One row (h, k, l) for each wave vector.")
    if rule not in RULES:
        raise ConfigError(
            "no such rule between allowed wave vectors", where="rule", expected=f"one of {', '.join(RULES)}", got=rule
        )
    basis = cell.matrix.astype(np.float64)
    back = np.linalg.inv(basis).T
    numbers = points @ basis.T
    floor = np.floor(numbers + _SAME)
    corners = floor[:, None] + _CORNERS
    way = np.linalg.norm((corners @ back - points[:, None]) @ crystal.reciprocal, axis=2)
    nearest = np.argmin(np.round(way, 12), axis=1)
    at = np.arange(len(points))
    distance = way[at, nearest]
    if rule == "nearest":
        chosen, weight = corners[at, nearest][:, None], np.ones((len(points), 1))
    else:
        chosen, weight = corners, _shares(numbers - floor)
    flat = np.round((chosen.reshape(-1, 3) @ back) @ cell.hermite.T).astype(np.int64)
    number, row = np.unique(flat, axis=0, return_inverse=True)
    q = number @ np.linalg.inv(cell.hermite.astype(np.float64)).T
    return AllowedQ(q, number, row.reshape(weight.shape), weight, distance)


def _shares(fraction):
    """Return the weights of the eight corners, (n_q, 8); points on a face have none of the other one."""
    fraction = np.where(np.abs(fraction) < 1e-7, 0.0, fraction)[:, None]
    return np.prod(np.where(_CORNERS == 1, fraction, 1.0 - fraction), axis=2)
