"""Where a spectrum is seen: paths in reciprocal space and energy axes, with bin edges."""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, check_shape
from .crystal import read_only

MAX_ENERGY = 1_000_000


@dataclass(frozen=True, eq=False)
class QPath:
    """A path of straight segments in reciprocal space.

    Parameters
    ----------
    name : str
    points : (n_q, 3) float64, r.l.u. of the chemical cell
    segment : (n_q,) int64
        Segment that each point belongs to; corner points stand once in each of their segments.
    distance : (n_q,) float64, 1/Å
        Length travelled along the path; equal at a corner's two copies.
    ticks : tuple of (int, str)
        Index of a point and its label, for the figures.
    """

    name: str
    points: np.ndarray
    segment: np.ndarray
    distance: np.ndarray
    ticks: tuple[tuple[int, str], ...] = ()

    def __post_init__(self):
        points = read_only(self.points)
        check_shape("points", points, ("n_q", 3), hint="One row (h, k, l) for each point.")
        object.__setattr__(self, "points", points)
        object.__setattr__(self, "segment", read_only(self.segment, np.int64))
        object.__setattr__(self, "distance", read_only(self.distance))
        check_shape("segment", self.segment, (len(points),))
        check_shape("distance", self.distance, (len(points),))

    @property
    def shape(self):
        """Shape of an array over the path: (n_q,)."""
        return (len(self.points),)

    def to_dict(self):
        """Return plain lists, for JSON; :meth:`from_dict` is the inverse, bit for bit."""
        return {
            "name": self.name,
            "points": self.points.tolist(),
            "segment": self.segment.tolist(),
            "distance": self.distance.tolist(),
            "ticks": [list(tick) for tick in self.ticks],
        }

    @classmethod
    def from_dict(cls, data):
        """Rebuild a path from :meth:`to_dict`."""
        return cls(**{**data, "ticks": tuple((int(i), str(label)) for i, label in data["ticks"])})


@dataclass(frozen=True, eq=False)
class EnergyAxis:
    """A uniform axis of energy transfer.

    Parameters
    ----------
    centres : (n_energy,) float64, meV
        Bin centres; every energy label in the project is a centre.
    """

    centres: np.ndarray

    def __post_init__(self):
        centres = read_only(self.centres)
        check_shape("centres", centres, ("n_energy",))
        steps = np.diff(centres)
        if len(centres) < 2 or not np.all(steps > 0) or not np.ptp(steps) <= 1e-6 * steps[0]:
            raise ConfigError(
                "an energy axis must rise in equal steps",
                where="energy",
                got=centres[:6].tolist(),
                fix="give first, last and step",
            )
        object.__setattr__(self, "centres", centres)

    @property
    def step(self):
        """Bin width, meV."""
        return float(self.centres[-1] - self.centres[0]) / (len(self.centres) - 1)

    @property
    def edges(self):
        """Bin edges, (n_energy + 1,), meV."""
        half = 0.5 * self.step
        return np.append(self.centres - half, self.centres[-1] + half)

    @classmethod
    def from_range(cls, *, first, last, step):
        """Return the axis first, first + step, ..., last (bin centres, meV).

        >>> EnergyAxis.from_range(first=0.0, last=2.0, step=0.5).centres.tolist()
        [0.0, 0.5, 1.0, 1.5, 2.0]
        """
        span = (last - first) / step if step > 0 else 0.0
        if span > MAX_ENERGY:
            raise ConfigError(
                "an energy axis of no reasonable length",
                where="energy.step",
                expected=f"at most {MAX_ENERGY} bins",
                got=f"first {first}, last {last}, step {step} meV",
                fix="make the step larger",
            )
        n = round(span)
        if n < 1 or abs(first + n * step - last) > 1e-6 * step:
            raise ConfigError(
                "first, last and step of an energy axis do not fit together",
                where="energy",
                got=f"first {first}, last {last}, step {step} meV",
                fix="last − first must be a whole number of steps",
            )
        return cls(first + step * np.arange(n + 1))

    def to_dict(self):
        """Return plain lists, for JSON."""
        return {"centres": self.centres.tolist()}

    @classmethod
    def from_dict(cls, data):
        """Rebuild an axis from :meth:`to_dict`."""
        return cls(**data)


def path_through(vertices, *, n_point, reciprocal, name="path", labels=None, shift=(0.0, 0.0, 0.0)):
    """Return the path of straight segments through ``vertices``.

    Parameters
    ----------
    vertices : (n_vertex, 3) array, r.l.u.
    n_point : sequence of n_vertex − 1 int
        Points on each segment, both ends included.
    reciprocal : (3, 3) float64, 1/Å
        Reciprocal vectors as rows.
    labels : sequence of n_vertex str, optional
    shift : (3,) float64, r.l.u.
        Added to every vertex.

    Returns
    -------
    QPath
    """
    corners = np.asarray(vertices, dtype=np.float64) + np.asarray(shift, dtype=np.float64)
    check_shape("vertices", corners, ("n_vertex", 3))
    if len(corners) < 2 or len(n_point) != len(corners) - 1 or min(n_point) < 2:
        raise ConfigError(
            "a path needs one number of points (at least 2) for each of its segments",
            where=f"paths.{name}.points",
            expected=f"{len(corners) - 1} numbers",
            got=list(n_point),
        )
    points, segment, distance, ticks = [], [], [], []
    travelled, index = 0.0, 0
    for k, n in enumerate(n_point):
        start, end = corners[k], corners[k + 1]
        t = np.linspace(0.0, 1.0, n)
        length = float(np.linalg.norm((end - start) @ reciprocal))
        points.append(start + t[:, None] * (end - start))
        segment.append(np.full(n, k))
        distance.append(travelled + t * length)
        if labels is not None:
            ticks += [(index, labels[k])] if k == 0 else []
            ticks.append((index + n - 1, labels[k + 1]))
        travelled += length
        index += n
    return QPath(name, np.concatenate(points), np.concatenate(segment), np.concatenate(distance), tuple(ticks))
