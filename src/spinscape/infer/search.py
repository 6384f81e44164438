"""What a search returns, and how minima that are one are made one."""

from dataclasses import dataclass, field

import numpy as np

from ..errors import FitError
from ..lattice.crystal import read_only


@dataclass(frozen=True, eq=False)
class Minimum:
    """A minimum that a search met.

    Parameters
    ----------
    parameters : (n_parameter,) float64
    objective : float
    n_start : int
        Starts that ended here: points of the first scan whose way down leads here, or descents.
    at_bound : tuple of str
        Parameters at a bound of the box: there the minimum is the box's, not the function's.
    """

    parameters: np.ndarray
    objective: float
    n_start: int
    at_bound: tuple[str, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "parameters", read_only(self.parameters))

    def to_dict(self, names):
        """Return plain values, for JSON."""
        return {
            "parameters": {n: float(v) for n, v in zip(names, self.parameters, strict=True)},
            "objective": float(self.objective),
            "n_start": int(self.n_start),
            "at_bound": list(self.at_bound),
        }


@dataclass(frozen=True, eq=False)
class SearchResult:
    """Every minimum that a search met, the lowest first.

    Parameters
    ----------
    minima : tuple of Minimum
    n_call : int
        Evaluations of the function.
    n_infinite : int
        Of these, at points without a stable state.
    strategy : dict
        Name and settings of the search: plain values.
    scan_points : (n_scan, n_parameter) float64
        Points of the first scan, for pictures of the landscape; may be empty.
    scan_values : (n_scan,) float64
        +inf where unstable.
    """

    minima: tuple[Minimum, ...]
    n_call: int
    n_infinite: int
    strategy: dict
    scan_points: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    scan_values: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @property
    def best(self):
        """The lowest minimum."""
        return self.minima[0]


class Counted:
    """A function that counts its calls and its infinite values."""

    def __init__(self, function):
        self.function, self.n_call, self.n_infinite = function, 0, 0

    def __call__(self, parameters):
        """Return the function's value."""
        self.n_call += 1
        value = self.function(parameters)
        self.n_infinite += int(np.isinf(value))
        return value


def merged_minima(ends, values, n_starts, *, box, tolerance):
    """Return the distinct minima among descents' ends, the lowest first.

    Parameters
    ----------
    ends : (n, n_parameter)
    values : (n,)
    n_starts : (n,) int
        Starts that each end stands for.
    tolerance : float
        Ends closer than this in every parameter, in widths of the box, are one minimum; its place is the lowest's.
    """
    order = np.argsort(values, kind="stable")
    minima = []
    for k in order:
        unit = box.to_unit(ends[k])
        twin = next((m for m in minima if np.abs(box.to_unit(m.parameters) - unit).max() <= tolerance), None)
        if twin is None:
            minima.append(Minimum(ends[k], float(values[k]), int(n_starts[k]), box.at_bound(ends[k])))
        else:
            joined = Minimum(twin.parameters, twin.objective, twin.n_start + int(n_starts[k]), twin.at_bound)
            minima[minima.index(twin)] = joined
    return tuple(minima)


def require_finite(values, *, where):
    """Raise ``FitError`` unless some value of a scan is finite."""
    if not np.isfinite(values).any():
        raise FitError(
            "the structure is unstable at every start",
            where=where,
            expected="a stable state somewhere in the box",
            got=f"none at {len(values)} points",
            fix="move or widen the box, or check the declared structure",
        )
