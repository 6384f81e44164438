"""What is seen of diffuse scattering: S(Q) on paths, slices and volumes from correlations between sublattices.

Between the wave vectors that the supercell holds, values are those of the *nearest* one, or *linear* between the eight
around, both in coordinates along the supercell's reciprocal vectors. Phases, polarisation and form factor are those of
the allowed wave vectors; the rule is applied once, to the intensity.
"""

from dataclasses import asdict, dataclass

import numpy as np

from ..errors import ConfigError
from ..kernels.correlate import gather, interpolate, quadratic_forms
from ..lattice.volumes import QGrid
from .diffuse import CorrelationGrid
from .diffuse_average import Averager, stars
from .formfactor import magnetic_form_factor
from .structure_factor import COMPONENTS, polarisation_weights

RULES = ("nearest", "linear")
"""How values between allowed wave vectors are made."""
_MAX_BOX = 50_000_000
SCALAR = ("trace", "perp")
"""Components that a rotation of the crystal leaves as they are."""


@dataclass(frozen=True)
class DiffuseSettings:
    """How correlations become an intensity.

    Parameters
    ----------
    component : str
        One of :data:`spinscape.observables.structure_factor.COMPONENTS`.
    form_factor : bool
        Multiply the amplitude of each site with its ion's form factor, at the mean of its g tensor.
    moments : bool
        Correlate g·S in place of S.
    rule : str
        One of :data:`RULES`.
    symmetry : bool
        Average over the operations of the crystal.
    n_sub : int
        Points along each integrated axis of a slice.
    """

    component: str = "perp"
    form_factor: bool = False
    moments: bool = False
    rule: str = "nearest"
    symmetry: bool = True
    n_sub: int = 1

    def __post_init__(self):
        checks = {
            "component": (self.component in COMPONENTS, f"one of {', '.join(COMPONENTS)}"),
            "rule": (self.rule in RULES, f"one of {', '.join(RULES)}"),
            "n_sub": (1 <= self.n_sub <= 100, "1 to 100 points"),
        }
        for name, (fits, expected) in checks.items():
            if not fits:
                raise ConfigError(
                    f"{name} is out of range", where=f"diffuse.{name}", expected=expected, got=getattr(self, name)
                )

    def to_dict(self):
        """Return plain values, for JSON and for the metadata of a result; ``DiffuseSettings(**data)`` reads them."""
        return asdict(self)


def mode_vectors(crystal, site, position, direction, q, settings: DiffuseSettings) -> np.ndarray:
    """Return b of I(Q) = Σ_k b_k† C b_k, all that does not depend on the spins.

        b_km = f_m(Q) exp(−iQ·r_m) L_k·u_m,   W = L Lᵀ the polarisation factor

    Parameters
    ----------
    crystal : Crystal
    site : (n_mode,) int64
        Chemical site of each mode.
    position : (n_mode, 3) float64
        Fractional coordinates in the lattice whose sums C is made of.
    direction : (n_mode, 3) float64
        u.
    q : (n_q, 3) float64, r.l.u.
    settings : DiffuseSettings

    Returns
    -------
    (n_q, n_form, n_mode) complex128
        n_form: 3 of the trace, 2 across Q (3 where a Q is zero), 1 otherwise.
    """
    cartesian = np.asarray(q) @ crystal.reciprocal
    if settings.moments:
        direction = np.einsum("mxy,my->mx", crystal.g[site], direction)
    values, axes = np.linalg.eigh(polarisation_weights(settings.component, cartesian))
    kept = np.any(values > 1e-12, axis=0)
    factors = (axes * np.sqrt(np.maximum(values, 0.0))[:, None])[..., kept]
    phase = np.exp(-2j * np.pi * (np.asarray(q) @ np.asarray(position).T))
    if settings.form_factor:
        phase *= _form_factors(crystal, site, np.linalg.norm(cartesian, axis=1))
    return np.einsum("qxk,mx->qkm", factors, direction) * phase[:, None]


def _form_factors(crystal, site, length):
    """Return the form factor of each mode, (n_q, n_mode)."""
    known: dict = {}
    columns = []
    for s in site:
        g = round(float(np.trace(crystal.g[s])) / 3.0, 12)
        key = (crystal.ions[s], g)
        if key not in known:
            known[key] = magnetic_form_factor(length, ion=key[0], g=g)
        columns.append(known[key])
    return np.stack(columns, axis=1)


class Projector:
    """S(Q) on some bins, planned once for a geometry and used for every point of a study.

    Parameters
    ----------
    grid : CorrelationGrid
    where : QGrid, QPath or (n_q, 3) array
        Bins or wave vectors, r.l.u.
    settings : DiffuseSettings

    Attributes
    ----------
    q : (n_star, 3) float64, r.l.u.
        One allowed wave vector of each star; the intensity there is all that the bins are made of.
    star : (n_bin, n_part) int32, or None
        Star that each part of a bin has its value from, by the rule "nearest".
    shape : tuple of int
        Of an array over the bins.
    """

    def __init__(self, grid: CorrelationGrid, where, settings: DiffuseSettings):
        self.grid, self.settings = grid, settings
        points = where.integration_points(settings.n_sub) if isinstance(where, QGrid) else _points(where)[:, None]
        self.shape = where.shape if isinstance(where, QGrid) else (len(points),)
        self._averager = Averager(grid) if settings.symmetry else None
        place = points @ grid.cell.matrix.T
        corner, high = self._corners(place)
        self._box = _Box(corner.min(axis=(0, 1)), high.max(axis=(0, 1)))
        self._index = self._box.index(corner)
        if settings.rule == "linear":
            self._fraction = (place - corner).astype(np.float32)
        used = self._box.used(self._index, settings.rule)
        found = stars(grid, self._box.numbers(used), symmetry=settings.symmetry and settings.component in SCALAR)
        self._table = np.zeros(self._box.size, dtype=np.int32)
        self._table[used] = found.star
        self.star = self._table[self._index] if settings.rule == "nearest" else None
        self.q = found.numbers @ np.linalg.inv(grid.cell.matrix).T
        self._wave = grid.waves.index(found.numbers)[0]
        self._vectors = self._mode_vectors()

    def _corners(self, place):
        """Return the integers of the allowed wave vector to take, and the highest ones that are needed."""
        if self.settings.rule == "nearest":
            near = np.round(place).astype(np.int64)
            return near, near
        # A point on a plane of the grid to rounding is on it.
        low = np.floor(place + 1e-9).astype(np.int64)
        return low, low + 1

    def _mode_vectors(self):
        site = np.repeat(self.grid.waves.primitive.representative, self.grid.n_component)
        crystal = self.grid.crystal
        return mode_vectors(
            crystal, site, crystal.positions[site], self.grid.direction.reshape(-1, 3), self.q, self.settings
        )

    def star_intensity(self, pairs) -> np.ndarray:
        """Return the intensity at :attr:`q` per chemical cell, (..., n_star) float64.

        Parameters
        ----------
        pairs : (..., n_wave, n_mode, n_mode) complex128
            As :class:`~spinscape.observables.diffuse.PairCorrelations` holds them: mean, connected part, or blocks.
        """
        pairs = np.asarray(pairs, dtype=np.complex128)
        pairs = self._averager(pairs) if self._averager is not None else pairs
        flat = np.ascontiguousarray(pairs.reshape(-1, *self.grid.shape))
        out = np.empty((len(flat), len(self._wave)))
        for one, row in zip(flat, out, strict=True):
            quadratic_forms(one, self._wave, self._vectors, row)
        return out.reshape(*pairs.shape[:-3], -1)

    def bins(self, intensity) -> np.ndarray:
        """Return intensities at :attr:`q`, (n_star,), as an array over the bins, float32."""
        values = np.ascontiguousarray(intensity, dtype=np.float64)
        out = np.empty(len(self._index), dtype=np.float32)
        if self.star is not None:
            gather(values, self.star, out)
        else:
            interpolate(values[self._table], self._index, self._fraction, self._box.stride, out)
        return out.reshape(self.shape)

    def __call__(self, pairs) -> np.ndarray:
        """Return S(Q) over the bins, float32, from correlations (n_wave, n_mode, n_mode)."""
        return self.bins(self.star_intensity(pairs))


def structure_tensor(grid: CorrelationGrid, pairs, q) -> np.ndarray:
    """Return S^αβ(Q) = ⟨S^α(Q)* S^β(Q)⟩ per chemical cell at wave vectors that the supercell holds.

    Parameters
    ----------
    grid : CorrelationGrid
    pairs : (n_wave, n_mode, n_mode) complex128
    q : (n_q, 3) float64, r.l.u.

    Returns
    -------
    (n_q, 3, 3) complex128, Hermitian
    """
    q = _points(q)
    numbers = np.round(q @ grid.cell.matrix.T)
    if np.abs(numbers - q @ grid.cell.matrix.T).max() > 1e-6:
        raise ConfigError(
            "a wave vector that the supercell does not hold",
            where="q",
            expected=f"{grid.cell.matrix.tolist()} · Q of integers",
            got=q[np.abs(numbers - q @ grid.cell.matrix.T).max(axis=1).argmax()].tolist(),
        )
    wave, mirrored = grid.waves.index(numbers.astype(np.int64))
    site = np.repeat(grid.waves.primitive.representative, grid.n_component)
    phase = np.exp(-2j * np.pi * q @ grid.crystal.positions[site].T)
    c = np.asarray(pairs)[wave]
    c = np.where(mirrored[:, None, None], c.conj(), c) * phase.conj()[:, :, None] * phase[:, None, :]
    u = grid.direction.reshape(-1, 3)
    return u.T @ c @ u


def _points(where):
    """Return the points of a path or an array, (n_q, 3)."""
    points = np.asarray(getattr(where, "points", where), dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or not np.all(np.isfinite(points)) or len(points) == 0:
        raise ConfigError("wave vectors are rows of three finite numbers", where="q", got=points.shape)
    return points


class _Box:
    """A block of allowed wave vectors, by integers from ``low`` to ``high`` along each axis."""

    def __init__(self, low, high):
        self.low = low
        self.shape = tuple(int(n) for n in high - low + 1)
        self.size = int(np.prod(np.array(self.shape, dtype=np.float64)))
        if self.size > _MAX_BOX:
            raise ConfigError(
                "too many allowed wave vectors", where="q", expected=f"at most {_MAX_BOX}", got=self.size,
                fix="ask for a smaller part of reciprocal space, or take a smaller supercell",
            )  # fmt: skip
        self.stride = np.array([self.shape[1] * self.shape[2], self.shape[2], 1], dtype=np.int64)

    def index(self, numbers):
        return ((numbers - self.low) @ self.stride).astype(np.int32)

    def numbers(self, index):
        return np.stack(np.unravel_index(index, self.shape), axis=1) + self.low

    def used(self, index, rule):
        """Return the flat indices that the rule reads, sorted."""
        flags = np.zeros(self.size, dtype=bool)
        corners = np.indices((1, 1, 1) if rule == "nearest" else (2, 2, 2)).reshape(3, -1)
        steps = self.stride @ corners
        for step in steps:
            flags[index + step] = True
        return np.flatnonzero(flags)
