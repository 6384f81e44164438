"""The same problem with one parameter held at a value."""

from dataclasses import dataclass

import numpy as np

from .box import Box
from .problem import Problem


@dataclass(frozen=True, eq=False)
class HeldForward:
    """A forward model whose parameter ``index`` stands at ``value``."""

    forward: object
    index: int
    value: float

    def full(self, parameters):
        """Return all parameters from those that are left."""
        return np.insert(np.asarray(parameters, dtype=np.float64), self.index, self.value)

    @property
    def parameter_names(self):
        """Those that are left."""
        return _without(self.forward.parameter_names, self.index)

    @property
    def units(self):
        """Their units."""
        return _without(self.forward.units, self.index)

    @property
    def coupling_names(self):
        """The couplings among them."""
        n = len(self.forward.coupling_names)
        return _without(self.forward.coupling_names, self.index) if self.index < n else self.forward.coupling_names

    def predict(self, parameters):
        """Return the spectra."""
        return self.forward.predict(self.full(parameters))


@dataclass(frozen=True, eq=False)
class HeldGradientForward(HeldForward):
    """The same for a forward model that knows derivatives."""

    def gradient(self, parameters):
        """Return the derivatives that are known, without that by the held parameter."""
        images = self.forward.gradient(self.full(parameters))
        return tuple(np.delete(i, self.index, axis=0) if self.index < len(i) else i for i in images)


def held_problem(problem, box, index, value):
    """Return the problem over the other parameters, and its box."""
    kind = HeldGradientForward if hasattr(problem.forward, "gradient") else HeldForward
    names = _without(box.names, index)
    small = Box(names, np.delete(box.lower, index), np.delete(box.upper, index))
    return Problem(kind(problem.forward, index, float(value)), problem.objective, problem.calls), small


def _without(items, index):
    return tuple(item for k, item in enumerate(items) if k != index)
