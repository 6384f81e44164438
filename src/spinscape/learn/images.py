"""Volumes, slices or maps as flat rows of voxels: where compressors read them from, and how they are transformed."""

from dataclasses import asdict, dataclass
from typing import Protocol

import numpy as np

from ..errors import ConfigError, DataError, check_shape

TRANSFORMS = ("none", "log1p", "standardised")


def no_spread(where):
    """Return the error of images that are all alike."""
    return DataError(
        "all training images are the same",
        where=where,
        expected="images that change with the couplings",
        got="the same number in each voxel",
        fix="check what is simulated: the range of the couplings, the temperature, where the voxels lie",
    )


class ImageSource(Protocol):
    """Many images of the same voxels, read a few at a time."""

    n_image: int
    n_voxel: int

    def read(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return values (n, n_voxel) float32 and which are measured (n, n_voxel) bool, or None where all are."""
        ...


@dataclass(frozen=True, eq=False)
class ArrayImages:
    """Images in memory.

    Parameters
    ----------
    values : (n_image, n_voxel) float32
        Values at masked voxels are never used.
    valid : (n_image, n_voxel) bool, optional
        False where nothing is known; a single row (n_voxel,) holds for all images.
    """

    values: np.ndarray
    valid: np.ndarray | None = None

    def __post_init__(self):
        values = np.ascontiguousarray(self.values, dtype=np.float32)
        check_shape("values", values, ("n_image", "n_voxel"))
        object.__setattr__(self, "values", values)
        if self.valid is not None:
            valid = np.broadcast_to(np.asarray(self.valid, dtype=bool), values.shape)
            object.__setattr__(self, "valid", valid)
        known = values if self.valid is None else values[self.valid]
        if not np.all(np.isfinite(known)):
            raise DataError(
                "a voxel that counts as known is not finite",
                where="images",
                fix="mask it: a missing voxel is False in valid, not a number",
            )

    @property
    def n_image(self):
        """Number of images."""
        return len(self.values)

    @property
    def n_voxel(self):
        """Number of voxels of each."""
        return self.values.shape[1]

    def read(self, index):
        """Return values and mask of some images."""
        return self.values[index], None if self.valid is None else self.valid[index]


class StoreImages:
    """Images of simulated points, streamed from the store of a study.

    Parameters
    ----------
    store : StudyStore
    names : sequence of str
        Arrays whose voxels stand side by side in a row.
    points : (n_image,) int, optional
        Points of the store; all where left out.
    """

    def __init__(self, store, names, points=None):
        self._store, self._names = store, tuple(names)
        unknown = sorted(set(self._names) - set(store.template))
        if unknown:
            raise DataError(
                f"the simulations have no array {unknown[0]!r}",
                where="arrays",
                expected=f"some of {', '.join(sorted(store.template))}",
                got=list(self._names),
                fix="name arrays that the study simulates",
            )
        self.points = np.arange(store.n_point) if points is None else np.asarray(points, dtype=np.int64)
        if not len(self.points):
            raise DataError(
                "no point has a result",
                where="store",
                expected="simulated points",
                got="none that is done",
                fix="run the simulations; where they have failed, their logs say why",
            )
        self.n_image = len(self.points)
        self.n_voxel = self.read(np.zeros(1, dtype=np.int64))[0].shape[1]

    def read(self, index):
        """Return values (n, n_voxel) of some images; simulations have no masked voxels."""
        rows = [self._store.read_many(name, self.points[index]).reshape(len(index), -1) for name in self._names]
        for name, values in zip(self._names, rows, strict=True):
            bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
            if bad.size:
                raise DataError(
                    "an image holds numbers that are not finite",
                    where=f"{name}, point {self.points[index][bad[0]]}",
                    expected="numbers at every voxel",
                    got=f"{int(np.sum(~np.isfinite(values[bad[0]])))} of {values.shape[1]} voxels",
                    fix="find out why the simulation made them; a failed point must have a result code",
                )
        return np.concatenate(rows, axis=1, dtype=np.float32), None


@dataclass(frozen=True)
class Transform:
    """What a compressor sees of an intensity S.

    Parameters
    ----------
    kind : str
        ``"none"``, ``"log1p"`` for log(1 + c S), ``"standardised"`` for S over its noise.
    c : float
        Of ``"log1p"``, in the inverse unit of S.
    noise : float or sequence of n_voxel floats
        Of ``"standardised"``: standard deviation of S, the same at all voxels or one for each.
    """

    kind: str = "none"
    c: float = 1.0
    noise: float | tuple[float, ...] = 1.0

    def __post_init__(self):
        noise = np.asarray(self.noise, dtype=np.float64)
        if self.kind not in TRANSFORMS or not 0 < self.c < np.inf or not np.all((noise > 0) & (noise < np.inf)):
            raise ConfigError(
                "no such transform",
                where="transform",
                expected=f"{', '.join(TRANSFORMS)}; c, noise > 0",
                got=f"{self.kind}, c = {self.c}, noise from {noise.min():.3g} to {noise.max():.3g}",
            )
        object.__setattr__(self, "noise", float(noise) if noise.ndim == 0 else tuple(noise.tolist()))
        object.__setattr__(self, "_noise", noise)

    def forward(self, values):
        """Return what a compressor sees; values below 0 count as 0 under a logarithm."""
        if self.kind == "log1p":
            return np.log1p(self.c * np.maximum(values, 0.0))
        return values / self._noise if self.kind == "standardised" else values

    def inverse(self, seen):
        """Return intensities."""
        if self.kind == "log1p":
            return np.expm1(seen) / self.c
        return seen * self._noise if self.kind == "standardised" else seen

    def slope(self, seen):
        """Return dS/d(seen) at what a compressor sees."""
        if self.kind == "log1p":
            return np.exp(seen) / self.c
        return np.broadcast_to(self._noise if self.kind == "standardised" else 1.0, seen.shape)

    def to_dict(self):
        """Return plain values, for JSON; ``Transform(**data)`` is the inverse."""
        return asdict(self)


def check_intensities(values, transform, *, where):
    """Raise where a logarithm is asked of what is no intensity: numbers below zero would all count as zero.

    A little below zero is noise; a tenth of all, by size, is not.
    """
    below = float(np.sum(np.maximum(-values, 0.0, dtype=np.float64)))
    if transform.kind == "log1p" and below > 0.1 * float(np.sum(np.abs(values), dtype=np.float64)):
        raise DataError(
            "a logarithm is for intensities, and these numbers are not",
            where=f"{where}, transform",
            expected="numbers of at least zero",
            got=f"{np.mean(values < 0):.0%} of them below zero, the least {float(np.min(values)):.3g}",
            fix="give transform: {kind: none}",
        )


def split_points(ids, *, seed, held_out):
    """Return indices of points to learn from and of points held out, by a hash of their ids.

    A point stays on its side when others come or go, so that no held-out point is ever learnt from.

    Parameters
    ----------
    ids : sequence of str
    seed : int
    held_out : float
        Share that is held out, between 0 and 1.

    Returns
    -------
    train, test : (n,) int64

    >>> train, test = split_points([f"p{k}" for k in range(1000)], seed=1, held_out=0.2)
    >>> len(train) + len(test), abs(len(test) - 200) < 40
    (1000, True)
    """
    from ..rng import digest_words

    share = np.array([digest_words("split", int(seed), str(name))[0] for name in ids]) / 2.0**32
    return np.flatnonzero(share >= held_out), np.flatnonzero(share < held_out)
