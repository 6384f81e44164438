"""What a simulator is: a pure function of a point and a key, with a declared result."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from ..errors import ConfigError, check_shape
from ..hamiltonian.model import Model
from ..lattice.crystal import read_only
from ..rng import stream

RESULT_CODE = {"absent": 0, "done": 1, "unstable": 2, "failed": 3, "not_equilibrated": 4}
"""What became of a point, as stored in int8. Append only: numbers in stored files never change their meaning."""
WITH_ARRAYS = ("done", "not_equilibrated")
"""Codes of points whose arrays are kept. Those of ``not_equilibrated`` are to be used with its diagnostics in hand."""


@dataclass(frozen=True, eq=False)
class Coordinate:
    """A labelled axis of a result.

    Parameters
    ----------
    dims : tuple of str
        Names of the dimensions that it runs over.
    values : float64, one axis for each of ``dims``
    unit : str
    """

    dims: tuple[str, ...]
    values: np.ndarray
    unit: str = ""

    def __post_init__(self):
        object.__setattr__(self, "dims", tuple(self.dims))
        object.__setattr__(self, "values", read_only(self.values))
        check_shape("values", self.values, self.dims, hint="one axis for each name in dims")

    def to_dict(self):
        """Return plain values, for JSON."""
        return {"dims": list(self.dims), "values": self.values.tolist(), "unit": self.unit}


@dataclass(frozen=True, eq=False)
class ArrayTemplate:
    """One array of the result of one point: what it will look like, declared before it is there.

    Parameters
    ----------
    dims : tuple of str
        Axis names. Arrays that share a name share the axis, so a path's axis carries the path's name.
    shape : tuple of int
    dtype : str
        Type that is stored, as ``"float32"``.
    unit : str
    coords : dict of str to Coordinate
        Coordinates by name; each runs over some of ``dims`` or over an axis of its own (the three components of Q).
    """

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str = "float32"
    unit: str = ""
    coords: dict[str, Coordinate] = field(default_factory=dict)

    def __post_init__(self):
        object.__setattr__(self, "dims", tuple(self.dims))
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        length = dict(zip(self.dims, self.shape, strict=True))
        for name, coordinate in self.coords.items():
            check_shape(f"coords.{name}", coordinate.values, tuple(length.get(dim, dim) for dim in coordinate.dims))

    def to_dict(self):
        """Return plain values, for JSON and for the store."""
        return {
            "dims": list(self.dims),
            "shape": list(self.shape),
            "dtype": np.dtype(self.dtype).name,
            "unit": self.unit,
            "coords": {name: coordinate.to_dict() for name, coordinate in self.coords.items()},
        }


@dataclass(frozen=True, eq=False)
class PointResult:
    """What came out of one point.

    Parameters
    ----------
    code : str
        A key of :data:`RESULT_CODE`.
    arrays : dict of str to array, or None where the code is not one of :data:`WITH_ARRAYS`
    error : str or None
        Why there are no arrays, or what is wrong with them.
    diagnostics : dict
        Plain numbers and strings that the point is judged by. Functions of the point alone: no timings.
    """

    code: str
    arrays: dict[str, np.ndarray] | None = None
    error: str | None = None
    diagnostics: dict = field(default_factory=dict)


@dataclass(frozen=True)
class StreamKey:
    """Where the randomness of a point comes from: the study's seed and what the point is known by.

    Parameters
    ----------
    seed : int
    point : str
        Point id: a hash of couplings, conditions, settings and replica, never a place in a grid.
    """

    seed: int
    point: str

    def stream(self, purpose, replica=0):
        """Return the generator of this point for one purpose (a key of :data:`spinscape.rng.PURPOSE`)."""
        return stream(self.seed, purpose, self.point, replica=replica)


def check_settings(settings, names, *, of):
    """Raise :class:`ConfigError` where plain settings lack a name that the simulator ``of`` reads."""
    missing = [name for name in names if name not in settings]
    if missing:
        raise ConfigError(
            f"the settings of {of} lack {', '.join(missing)}",
            where="settings",
            expected=", ".join(names),
            got=", ".join(settings),
        )


class Simulator(Protocol):
    """A simulation of points: :meth:`template` declares the result, :meth:`run` makes it.

    A class that can spread one point over several ranks has ``parallel = True``; its :meth:`from_settings` then
    takes the communicator of the point's ranks as the keyword ``communicator``, and only the result of the first
    of them is kept.
    """

    @classmethod
    def from_settings(cls, model: Model, settings: dict) -> "Simulator":
        """Build the simulator from a model and plain settings."""
        ...

    def template(self) -> dict[str, ArrayTemplate]:
        """Return the arrays of one point, by name."""
        ...

    def run(self, theta: np.ndarray, stream_key: StreamKey) -> PointResult:
        """Simulate one point: θ of shape (n_parameter,), meV."""
        ...
