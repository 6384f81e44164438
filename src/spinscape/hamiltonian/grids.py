"""Points in the space of couplings: lattices, lists, random and Sobol points of a box, images of other coordinates.

Every function returns an array (n_point, n_parameter) float64 that depends on its arguments alone. More random or
Sobol points never change the first ones, so that a grid that is extended keeps what has been computed.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from ..errors import ConfigError
from ..rng import stream
from .expression import evaluate_map

MAX_POINT = 10_000_000
Box = Sequence[tuple[float, float]]


def lattice_points(axes: Sequence) -> np.ndarray:
    """Return every combination of the axes' values, the last axis running fastest.

    Parameters
    ----------
    axes : sequence of (n_k,) float64
        Values of each coupling.

    Returns
    -------
    (n_point, n_parameter) float64

    Examples
    --------
    >>> lattice_points([[1.0, 2.0], [5.0, 6.0]]).tolist()
    [[1.0, 5.0], [1.0, 6.0], [2.0, 5.0], [2.0, 6.0]]
    """
    axes = [np.asarray(axis, dtype=np.float64).reshape(-1) for axis in axes]
    _check_count(np.prod([float(len(axis)) for axis in axes]))
    return _finite(np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")], axis=1))


def list_points(rows: Sequence) -> np.ndarray:
    """Return points that are written out, one row each, (n_point, n_parameter) float64."""
    points = np.array(rows, dtype=np.float64)
    if points.ndim != 2 or len(points) == 0:
        raise ConfigError(
            "a list of points has one row of couplings for each point", where="grid.points", got=repr(rows)[:200]
        )
    return _finite(points)


def random_points(box: Box, *, n_point: int, seed: int) -> np.ndarray:
    """Return points drawn evenly from a box.

    Parameters
    ----------
    box : sequence of (float, float)
        Lower and upper bound of each coupling.
    n_point : int
    seed : int

    Returns
    -------
    (n_point, n_parameter) float64
        A coupling's values come from a stream of their own: more points, or more couplings behind it, leave them.
    """
    low, high = _bounds(box)
    _check_count(n_point * len(low))
    unit = [stream(seed, "grid", "random", k).random(n_point) for k in range(len(low))]
    return low + (high - low) * np.stack(unit, axis=1)


def sobol_points(box: Box, *, n_point: int, seed: int) -> np.ndarray:
    """Return points of a scrambled Sobol sequence in a box; see :func:`random_points`.

    The scramble is drawn from the seed; powers of two are the best numbers of points.
    """
    # The only use of scipy.stats here: its import costs a second, which other grids need not pay.
    from scipy.stats import qmc

    low, high = _bounds(box)
    _check_count(n_point * len(low))
    if not 1 <= len(low) <= qmc.Sobol.MAXDIM:
        raise ConfigError("too many couplings for a Sobol sequence", where="grid.box", got=len(low))
    sequence = qmc.Sobol(len(low), scramble=True, rng=stream(seed, "grid", "sobol", len(low)))
    # Whole powers of two, of which the first points are taken: the sequence is balanced only there, and scipy warns.
    unit = sequence.random_base2(max(int(n_point) - 1, 0).bit_length())[:n_point]
    return low + (high - low) * unit


def mapped_points(axes: Mapping[str, Sequence], expressions: Sequence[str]) -> np.ndarray:
    """Return the images of a lattice of coordinates: a circle J = cos φ, K = sin φ, or a constraint J' = 2J.

    Parameters
    ----------
    axes : dict of str to (n_k,) float64
        Values of each coordinate, by its name; the last one runs fastest.
    expressions : sequence of str
        Each coupling as an arithmetic expression of the coordinates, in the order of the couplings.

    Returns
    -------
    (n_point, n_parameter) float64

    Examples
    --------
    >>> mapped_points({"t": [0.0, 1.0]}, ["t", "1 - 2*t"]).tolist()
    [[0.0, 1.0], [1.0, -1.0]]
    """
    coordinates = lattice_points(list(axes.values()))
    values = dict(zip(axes, coordinates.T, strict=True))
    columns = [np.broadcast_to(evaluate_map(text, values), len(coordinates)) for text in expressions]
    return np.stack(columns, axis=1)


def _bounds(box):
    bounds = np.array(box, dtype=np.float64).reshape(-1, 2)
    if not np.all(np.isfinite(bounds)) or np.any(bounds[:, 0] >= bounds[:, 1]):
        raise ConfigError(
            "a box needs a lower and a higher bound for each coupling",
            where="grid.box",
            expected="[lower, upper] with lower < upper",
            got=bounds.tolist(),
        )
    return bounds[:, 0], bounds[:, 1]


def _check_count(n):
    if not 1 <= n <= MAX_POINT:
        raise ConfigError(
            "a grid of no reasonable size",
            where="grid",
            expected=f"1 to {MAX_POINT} values",
            got=int(n),
            fix="make the grid coarser, or draw random points",
        )


def _finite(points):
    if not np.all(np.isfinite(points)):
        raise ConfigError("a grid point is not finite", where="grid", expected="finite couplings")
    return points
