"""The momentum axis of a powder: |Q| alone."""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, check_shape
from .crystal import read_only

MAX_MODULUS = 100_000


@dataclass(frozen=True, eq=False)
class PowderAxis:
    """Bins of |Q|.

    Like a path, the axis has a ``name``, a ``shape`` and a way to and from plain lists.

    Parameters
    ----------
    name : str
    centres : (n_q,) float64, 1/Å
        Bin centres, rising and not negative; the bins meet halfway between them.
    """

    name: str
    centres: np.ndarray

    def __post_init__(self):
        centres = read_only(self.centres)
        check_shape("centres", centres, ("n_q",))
        rising = len(centres) >= 2 and bool(np.all(np.isfinite(centres))) and bool(np.all(np.diff(centres) > 0))
        if not rising or centres[0] < 0 or len(centres) > MAX_MODULUS:
            raise ConfigError(
                "the |Q| of a powder must rise from zero or above",
                where=f"{self.name}: |Q|",
                expected=f"2 to {MAX_MODULUS} rising numbers in 1/Å",
                got=centres[:6].tolist(),
                fix="sort the columns, or correct first and last",
            )
        object.__setattr__(self, "centres", centres)

    @property
    def shape(self):
        """Shape of an array over the axis: (n_q,)."""
        return (len(self.centres),)

    @property
    def edges(self):
        """Bin edges, (n_q + 1,) 1/Å; the outermost bins are as wide as their neighbours, but none begins below 0.

        >>> PowderAxis("p", [0.25, 0.75, 1.25]).edges.tolist()
        [0.0, 0.5, 1.0, 1.5]
        """
        middle = 0.5 * (self.centres[1:] + self.centres[:-1])
        first, last = 2.0 * self.centres[0] - middle[0], 2.0 * self.centres[-1] - middle[-1]
        return np.concatenate([[max(first, 0.0)], middle, [last]])

    @classmethod
    def from_range(cls, *, first, last, n, name="powder"):
        """Return ``n`` equally spaced |Q| from ``first`` to ``last`` (bin centres, 1/Å).

        >>> PowderAxis.from_range(first=0.5, last=1.5, n=3).centres.tolist()
        [0.5, 1.0, 1.5]
        """
        if not 2 <= n <= MAX_MODULUS:
            raise ConfigError("no such axis of |Q|", where=name, expected=f"2 to {MAX_MODULUS} values", got=n)
        return cls(name, np.linspace(first, last, n))

    def to_dict(self):
        """Return plain lists, for JSON; :meth:`from_dict` is the inverse, bit for bit."""
        return {"name": self.name, "centres": self.centres.tolist()}

    @classmethod
    def from_dict(cls, data):
        """Rebuild an axis from :meth:`to_dict`."""
        return cls(**data)
