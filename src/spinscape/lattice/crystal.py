"""The crystal: lattice vectors and magnetic sites."""

from dataclasses import dataclass, field

import numpy as np

from ..errors import ConfigError, check_shape

SPIN_KINDS = ("heisenberg", "xy", "ising")
"""Spins that point anywhere, in a plane, and along a line. Spin waves are about the first alone."""


def read_only(array, dtype=np.float64):
    """Return a contiguous read-only copy, as frozen data classes keep them."""
    out = np.array(array, dtype=dtype, order="C")
    out.setflags(write=False)
    return out


@dataclass(frozen=True, eq=False)
class Crystal:
    """A chemical unit cell and its magnetic sites.

    Parameters
    ----------
    vectors : (3, 3) float64, Å
        Lattice vectors a, b, c as rows, in the Cartesian frame that all spins and matrices use.
    positions : (n_site, 3) float64
        Fractional coordinates.
    labels : tuple of str, length n_site
        The label of the site's orbit; sites of one orbit share it.
    orbit : (n_site,) int64
        Index of the symmetry orbit that each site belongs to.
    spins : (n_site,) float64
        Spin lengths S (1 where the study says ``unit_spins``).
    ions : tuple of str, length n_site
        Ion names as in ``"Ni2+"``.
    g : (n_site, 3, 3) float64
        g tensors; the Zeeman term is + μ_B B·g·S (electrons).
    rotations : (n_operation, 3, 3) int64
        Rotation parts of the space group, acting on fractional coordinates.
    translations : (n_operation, 3) float64
    kind : tuple of str, length n_site
        How a classical spin may point: one of :data:`SPIN_KINDS`; left out, all are ``"heisenberg"``.
    axis : (n_site, 3) float64
        Unit vector of each site, Cartesian: the line of an Ising spin, the normal of an XY spin's plane; zero for a
        Heisenberg spin.
    """

    vectors: np.ndarray
    positions: np.ndarray
    labels: tuple[str, ...]
    orbit: np.ndarray
    spins: np.ndarray
    ions: tuple[str, ...]
    g: np.ndarray
    rotations: np.ndarray
    translations: np.ndarray
    kind: tuple[str, ...] = ()
    axis: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))

    def __post_init__(self):
        n = len(self.labels)
        object.__setattr__(self, "kind", tuple(self.kind) or ("heisenberg",) * n)
        object.__setattr__(self, "axis", np.zeros((n, 3)) if len(self.axis) == 0 else self.axis)
        shapes = {
            "vectors": ((3, 3), np.float64),
            "positions": ((n, 3), np.float64),
            "orbit": ((n,), np.int64),
            "spins": ((n,), np.float64),
            "g": ((n, 3, 3), np.float64),
            "rotations": (("n_operation", 3, 3), np.int64),
            "translations": (("n_operation", 3), np.float64),
            "axis": ((n, 3), np.float64),
        }
        for name, (shape, dtype) in shapes.items():
            array = read_only(getattr(self, name), dtype)
            check_shape(name, array, shape)
            if not np.all(np.isfinite(array)):
                raise ConfigError("a number of the crystal is not finite", where=f"crystal: {name}", got=array.tolist())
            object.__setattr__(self, name, array)
        self._check_kind()
        if abs(np.linalg.det(self.vectors)) < 1e-6:
            raise ConfigError(
                "the lattice vectors span no volume",
                where="crystal.lattice",
                got=self.vectors.tolist(),
                fix="check a, b, c and the angles",
            )

    def _check_kind(self):
        length = np.linalg.norm(self.axis, axis=1)
        wanted = np.array([kind != "heisenberg" for kind in self.kind], dtype=float)
        unknown = sorted(set(self.kind) - set(SPIN_KINDS))
        if unknown or len(self.kind) != len(length) or np.any(np.abs(length - wanted) > 1e-9):
            raise ConfigError(
                "kinds of spins and their axes do not fit",
                where="crystal: kind, axis",
                expected=f"one of {', '.join(SPIN_KINDS)} for each site, and a unit vector for each Ising or XY site",
                got=list(zip(self.kind, self.axis.tolist(), strict=False)),
                fix="give every Ising and XY site an axis that is not zero",
            )

    @property
    def n_site(self):
        """Number of magnetic sites in the chemical cell."""
        return len(self.labels)

    @property
    def reciprocal(self):
        """Reciprocal vectors as rows, 1/Å, with the factor 2π: Q = q_rlu @ reciprocal, shape (3, 3)."""
        return 2.0 * np.pi * np.linalg.inv(self.vectors).T

    def to_dict(self):
        """Return plain lists and strings, for JSON; :meth:`from_dict` is the inverse, bit for bit."""
        names = list(self.__dataclass_fields__)
        if all(kind == "heisenberg" for kind in self.kind):
            # Not written where it says nothing: the files of such crystals are what they always were.
            names = [name for name in names if name not in ("kind", "axis")]
        return {
            name: list(value) if isinstance(value, tuple) else value.tolist()
            for name, value in ((f, getattr(self, f)) for f in names)
        }

    @classmethod
    def from_dict(cls, data):
        """Rebuild a crystal from :meth:`to_dict`."""
        shaped = {"rotations": (-1, 3, 3), "translations": (-1, 3)}
        values = {k: np.asarray(v).reshape(shaped[k]) if k in shaped else v for k, v in data.items()}
        texts = {name: tuple(data[name]) for name in ("labels", "ions", "kind") if name in data}
        return cls(**{**values, **texts})


def lattice_vectors(*, a, b, c, alpha=90.0, beta=90.0, gamma=90.0):
    """Return lattice vectors as rows from lengths (Å) and angles (degrees), shape (3, 3).

    a lies along x and b in the xy plane, as in SpinW and Sunny.

    >>> lattice_vectors(a=2.0, b=3.0, c=4.0).round(12).tolist()
    [[2.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 4.0]]
    """
    ca, cb, cg = np.cos(np.radians([alpha, beta, gamma]))
    sg = np.sin(np.radians(gamma))
    flat = not abs(sg) > 1e-9
    cx, cy = cb, (ca - cb * cg) / (1.0 if flat else sg)
    cz2 = 1.0 - cx**2 - cy**2
    if min(a, b, c) <= 0 or flat or not cz2 > 1e-12:
        raise ConfigError(
            "these lengths and angles form no lattice",
            where="crystal.lattice",
            got=f"a, b, c = {a}, {b}, {c} Å; alpha, beta, gamma = {alpha}, {beta}, {gamma} deg",
            fix="lengths must be positive and the angles compatible",
        )
    out = np.array([[a, 0.0, 0.0], [b * cg, b * sg, 0.0], [c * cx, c * cy, c * np.sqrt(cz2)]])
    # cos 90° is 6e-17 in floating point: an orthogonal lattice should look orthogonal.
    out[np.abs(out) < 1e-14 * max(a, b, c)] = 0.0
    return out
