"""Slices and volumes of reciprocal space: regular bins along three axes, any of which may be integrated over."""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, check_shape
from .crystal import read_only

MAX_BIN = 50_000_000


@dataclass(frozen=True, eq=False)
class QGrid:
    """Bins in reciprocal space, Q = origin + u·basis[0] + v·basis[1] + w·basis[2].

    An axis with one bin is integrated over: a slice has one such axis, a volume none. Like a path, a grid has a
    ``name``, ``points`` (n_q, 3), a ``shape`` and a way to and from plain lists.

    Parameters
    ----------
    name : str
    origin : (3,) float64, r.l.u.
    basis : (3, 3) float64, r.l.u.
        Rows: the directions of the axes; a coordinate of 1 is one such vector.
    edges : tuple of 3 arrays (n_k + 1,) float64
        Rising bin edges of each coordinate.
    """

    name: str
    origin: np.ndarray
    basis: np.ndarray
    edges: tuple[np.ndarray, np.ndarray, np.ndarray]

    def __post_init__(self):
        object.__setattr__(self, "origin", read_only(self.origin))
        object.__setattr__(self, "basis", read_only(self.basis))
        object.__setattr__(self, "edges", tuple(read_only(edges) for edges in self.edges))
        check_shape("origin", self.origin, (3,))
        check_shape("basis", self.basis, (3, 3), hint="one row (h, k, l) for each axis")
        self._check_basis()
        if np.prod([float(len(edges)) for edges in self.edges]) > MAX_BIN:
            raise ConfigError("too many bins", where=self.name, expected=f"at most {MAX_BIN}", fix="make them wider")
        for axis, edges in enumerate(self.edges):
            check_shape(f"edges {axis}", edges, ("n_edge",))
            if len(edges) < 2 or not np.all(np.isfinite(edges)) or np.any(np.diff(edges) <= 0):
                raise ConfigError(
                    "bin edges must rise", where=f"{self.name}: edges of axis {axis}", got=edges[:6].tolist()
                )

    def _check_basis(self):
        size = np.prod(np.linalg.norm(self.basis, axis=1))
        if len(self.edges) != 3 or not np.isfinite(size) or not abs(np.linalg.det(self.basis)) > 1e-9 * size:
            raise ConfigError(
                "three independent axes with edges are needed", where=f"{self.name}: basis", got=self.basis.tolist()
            )

    @property
    def integrated(self):
        """Which axes are integrated over: tuple of 3 bool."""
        return tuple(len(edges) == 2 for edges in self.edges)

    @property
    def shape(self):
        """Shape of an array over the grid: the number of bins of each axis that is not integrated over."""
        return tuple(len(edges) - 1 for edges in self.edges if len(edges) > 2)

    @property
    def centres(self):
        """Bin centres of each coordinate: tuple of 3 arrays (n_k,)."""
        return tuple(0.5 * (edges[1:] + edges[:-1]) for edges in self.edges)

    @property
    def points(self):
        """Centres of all bins, (n_q, 3) float64, r.l.u., the last axis running fastest."""
        return self._points(self.centres)

    def _points(self, coordinates):
        axes = np.meshgrid(*coordinates, indexing="ij")
        return self.origin + np.stack([axis.ravel() for axis in axes], axis=1) @ self.basis

    def integration_points(self, n_sub):
        """Return points that sample the integrated axes evenly, to be averaged over the second axis.

        Parameters
        ----------
        n_sub : int
            Points along each integrated axis, at the midpoints of as many parts.

        Returns
        -------
        (n_q, n_sub ** n_integrated, 3) float64, r.l.u.
        """
        fraction = (np.arange(n_sub) + 0.5) / n_sub - 0.5
        offsets = [fraction * np.ptp(e) if i else np.zeros(1) for e, i in zip(self.edges, self.integrated, strict=True)]
        return self.points[:, None] + (self._points(offsets) - self.origin)[None]

    def to_dict(self):
        """Return plain lists, for JSON; :meth:`from_dict` is the inverse, bit for bit."""
        return {
            "name": self.name,
            "origin": self.origin.tolist(),
            "basis": self.basis.tolist(),
            "edges": [edges.tolist() for edges in self.edges],
        }

    @classmethod
    def from_dict(cls, data):
        """Rebuild a grid from :meth:`to_dict`."""
        return cls(**{**data, "edges": tuple(data["edges"])})


def edges_from_range(*, first, last, n_bin):
    """Return the edges of ``n_bin`` equal bins between two outer edges, (n_bin + 1,).

    >>> edges_from_range(first=-1.0, last=1.0, n_bin=4).tolist()
    [-1.0, -0.5, 0.0, 0.5, 1.0]
    """
    if n_bin < 1 or not last > first or n_bin > MAX_BIN:
        raise ConfigError("no such bins", expected="first < last, at least one bin", got=f"{first} .. {last}, {n_bin}")
    return np.linspace(first, last, n_bin + 1)
