"""The region that a search stays in: one interval for each parameter."""

from dataclasses import dataclass

import numpy as np

from ..errors import FitError
from ..lattice.crystal import read_only


@dataclass(frozen=True, eq=False)
class Box:
    """Named intervals.

    Parameters
    ----------
    names : tuple of str
    lower, upper : (n_parameter,) float64
        In the unit of each parameter.
    """

    names: tuple[str, ...]
    lower: np.ndarray
    upper: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, "lower", read_only(self.lower))
        object.__setattr__(self, "upper", read_only(self.upper))
        if not len(self.names) == len(self.lower) == len(self.upper) or not self.names:
            raise FitError("a box needs one interval for each parameter", where="box", got=self.names)
        for name, low, high in zip(self.names, self.lower, self.upper, strict=True):
            if not (np.isfinite(low) and np.isfinite(high) and low < high):
                raise FitError(
                    "an interval must be finite and rise",
                    where=f"box.{name}",
                    expected="lower < upper",
                    got=[float(low), float(high)],
                )

    @classmethod
    def from_intervals(cls, intervals, *, names=None):
        """Return the box of a mapping name → (lower, upper), in the order of ``names``.

        >>> Box.from_intervals({"b": (0, 1), "a": (2, 4)}, names=("a", "b")).width.tolist()
        [2.0, 1.0]
        """
        names = tuple(names if names is not None else intervals)
        if set(names) != set(intervals):
            raise FitError(
                "the box must name every free parameter once",
                where="box",
                expected=sorted(names),
                got=sorted(intervals),
                fix="add the missing intervals, take away the unknown ones",
            )
        bounds = np.array([intervals[name] for name in names], dtype=np.float64)
        return cls(names, bounds[:, 0], bounds[:, 1])

    def within(self, lower, upper):
        """Return the part of the box inside other bounds (n_parameter,) each; raises ``FitError`` where there is none.

        >>> Box.from_intervals({"a": (2, 4)}).within([0.0], [3.0]).upper.tolist()
        [3.0]
        """
        low, high = np.maximum(self.lower, lower), np.minimum(self.upper, upper)
        for name, a, b, start, end in zip(self.names, low, high, lower, upper, strict=True):
            if not a < b:
                raise FitError(
                    "the box lies beyond what the model has learnt from",
                    where=f"box.{name}",
                    expected=f"an interval that overlaps {float(start):.6g} to {float(end):.6g}",
                    got=self.to_dict()[name],
                    fix="move the box, or simulate there",
                )
        return Box(self.names, low, high)

    @property
    def width(self):
        """Upper − lower, (n_parameter,)."""
        return self.upper - self.lower

    def to_unit(self, parameters):
        """Return coordinates in which the box is the unit cube, (..., n_parameter)."""
        return (np.asarray(parameters) - self.lower) / self.width

    def from_unit(self, unit):
        """Return parameters from coordinates in the unit cube, (..., n_parameter)."""
        return self.lower + np.asarray(unit) * self.width

    def clip(self, parameters):
        """Return the nearest parameters inside the box."""
        return np.clip(parameters, self.lower, self.upper)

    def at_bound(self, parameters, *, tolerance=1e-4):
        """Return the names of the parameters that sit at a bound, to ``tolerance`` of the interval's width."""
        unit = self.to_unit(parameters)
        near = (unit <= tolerance) | (unit >= 1.0 - tolerance)
        return tuple(name for name, is_near in zip(self.names, near, strict=True) if is_near)

    def to_dict(self):
        """Return name → [lower, upper], for JSON."""
        pairs = zip(self.names, self.lower, self.upper, strict=True)
        return {name: [float(low), float(high)] for name, low, high in pairs}
