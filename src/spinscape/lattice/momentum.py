"""The three ways to say where in reciprocal space a spectrum is: a path, a grid of bins, or |Q| alone.

Signals are (n_q, n_energy) on each of them: the bins of a grid stand in the order of its ``points``.
"""

from typing import Any

import numpy as np

from ..errors import ConfigError
from .powder_axis import PowderAxis
from .qspace import QPath
from .volumes import QGrid

MomentumAxis = QPath | PowderAxis | QGrid
MOMENTUM_KIND: dict[str, Any] = {"path": QPath, "powder": PowderAxis, "grid": QGrid}
"""Name in files and in plain data → class. Append only."""


def momentum_kind(axis: MomentumAxis) -> str:
    """Return the name of an axis's kind, a key of :data:`MOMENTUM_KIND`."""
    for kind, cls in MOMENTUM_KIND.items():
        if isinstance(axis, cls):
            return kind
    raise ConfigError("no momentum axis", expected=" | ".join(c.__name__ for c in MOMENTUM_KIND.values()), got=axis)


def n_momentum(axis: MomentumAxis) -> int:
    """Return how many rows a signal on the axis has."""
    return int(np.prod(axis.shape))


def segments(axis: MomentumAxis) -> np.ndarray:
    """Return the line that each momentum belongs to, (n_q,) int64; neighbours of one line are neighbours in Q.

    Those of a path are its own; |Q| is one line; those of a grid run along its last axis that has several bins.
    """
    if isinstance(axis, QPath):
        return axis.segment
    n = n_momentum(axis)
    length = n if isinstance(axis, PowderAxis) else (axis.shape or (1,))[-1]
    return np.arange(n, dtype=np.int64) // max(length, 1)


def momentum_to_dict(axis: MomentumAxis) -> dict:
    """Return plain data with the axis's ``kind``; :func:`momentum_from_dict` is the inverse, bit for bit."""
    return {"kind": momentum_kind(axis), **axis.to_dict()}


def momentum_from_dict(data: dict) -> MomentumAxis:
    """Rebuild an axis from :func:`momentum_to_dict`."""
    kind = data.get("kind")
    if kind not in MOMENTUM_KIND:
        raise ConfigError("unknown kind of momentum axis", expected=", ".join(MOMENTUM_KIND), got=kind)
    return MOMENTUM_KIND[kind].from_dict({key: value for key, value in data.items() if key != "kind"})
