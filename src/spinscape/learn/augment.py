"""Artefacts for an encoder to see while it learns, so that it learns not to look at them.

A measured image is S(Q) times a scale, with powder rings, Bragg peaks, hot voxels and a background on top, and with
blocks of voxels missing. Patterns of each kind are drawn once, then dealt out to the images of every batch anew, each
with a level of its own: exact artefacts for a sum of products.
"""

from dataclasses import asdict, dataclass, fields

import numpy as np

from ..errors import ConfigError, check_shape
from ..experiment import artefacts
from ..lattice.crystal import read_only
from ..rng import digest_words, stream

ADDED = ("rings", "bragg", "background", "hot")
"""Kinds of added intensity."""
_MAX_NUMBER = 2**26
"""Numbers that the patterns of one kind may hold: of large images there are fewer."""
_LEAST = 32


@dataclass(frozen=True)
class AugmentSettings:
    """How strong artefacts are drawn; level 1 of a kind is what ``experiment.artefacts`` calls bad.

    Parameters
    ----------
    rings, bragg, background, hot : float
        Largest level of each kind; 0 for none. Most draws are far below.
    share : float
        Share of the images that a kind is added to.
    missing : float
        Share of the images that lose a block, a sector or gaps.
    scale : float
        Largest factor that an image is multiplied or divided by; 1 for none.
    n_pattern : int
        Patterns of each kind, fewer where images are large.
    ring_radius, ring_width : (float, float), optional
        Between which radii and widths (standard deviations) of rings are drawn, in the unit of the modulus: those of a
        sample holder are known. Left out, radii are anywhere, widths 0.7 to 2.8 % of the modulus's range.
    """

    rings: float = 4.0
    bragg: float = 4.0
    background: float = 4.0
    hot: float = 4.0
    share: float = 0.8
    missing: float = 0.5
    scale: float = 1.0
    n_pattern: int = 512
    ring_radius: tuple[float, float] | None = None
    ring_width: tuple[float, float] | None = None

    def __post_init__(self):
        for name in ("ring_radius", "ring_width"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, tuple(float(x) for x in getattr(self, name)))
        bad = [name for name in ADDED if not 0 <= getattr(self, name) < np.inf]
        bad += [name for name in ("share", "missing") if not 0 <= getattr(self, name) <= 1]
        bad += [] if 1 <= self.scale < np.inf else ["scale"]
        bad += [] if self.n_pattern >= 1 else ["n_pattern"]
        bad += [n for n, low in (("ring_radius", 0.0), ("ring_width", 1e-12)) if not _rises(getattr(self, n), low)]
        if bad:
            raise ConfigError(
                "settings of artefacts are out of range",
                where="augment",
                expected="levels of at least 0, shares between 0 and 1, a scale of at least 1, ranges that rise",
                got={name: getattr(self, name) for name in bad},
            )

    def to_dict(self):
        """Return plain values, for JSON; ``AugmentSettings(**data)`` is the inverse."""
        return asdict(self)


def _rises(pair, low):
    """Tell whether a range is one, from ``low`` on; none is."""
    return pair is None or low <= pair[0] <= pair[1] < np.inf


@dataclass(frozen=True, eq=False)
class Momenta:
    """Where the voxels of an image lie.

    Parameters
    ----------
    hkl : (n_voxel, n) float64, r.l.u.
    modulus : (n_voxel,) float64
        |Q| in any unit: rings are circles of it, their widths parts of its range.
    """

    hkl: np.ndarray
    modulus: np.ndarray

    def __post_init__(self):
        for name in ("hkl", "modulus"):
            object.__setattr__(self, name, read_only(getattr(self, name)))
        check_shape("hkl", self.hkl, (len(self.modulus), "n"))
        check_shape("modulus", self.modulus, ("n_voxel",))

    @property
    def spanned(self):
        """Coordinates within the line, plane or space that the voxels fill, (n_voxel, 1 to 3)."""
        away = self.hkl - self.hkl.mean(axis=0)
        size, axes = np.linalg.eigh(away.T @ away)
        rank = max(1, int(np.sum(size > 1e-6 * max(size[-1], 1e-300))))
        return away @ axes[:, ::-1][:, :rank]


def momenta_from_store(store, names, reciprocal):
    """Return where the voxels of a store's arrays lie, side by side; None where one has no momenta.

    Parameters
    ----------
    store : StudyStore
    names : sequence of str
    reciprocal : (3, 3) float64, 1/Å
        Rows, with the factor 2π.

    Returns
    -------
    Momenta or None
    """
    parts = [_hkl(store.template[name]) for name in names]
    if any(part is None for part in parts):
        return None
    hkl = np.concatenate(parts)
    return Momenta(hkl, np.linalg.norm(hkl @ np.asarray(reciprocal), axis=1))


def _hkl(spec):
    """Return the momentum of each voxel of an array (n_voxel, 3), the same along axes of other kinds; or None."""
    values = {name: np.asarray(c["values"], dtype=np.float64) for name, c in spec["coords"].items()}
    rows = [(c["dims"][0], values[name]) for name, c in spec["coords"].items() if list(c["dims"])[1:] == ["hkl"]]
    along = [(dim, points) for dim, points in rows if dim in spec["dims"]]
    if along:
        dims, hkl = [along[0][0]], along[0][1]
    else:
        origin = next((values[name] for name in values if name.startswith("origin_")), None)
        if origin is None:
            return None
        place = next(name for name in values if name.startswith("origin_")).removeprefix("origin_")
        axis = {f"{letter}_{place}": k for k, letter in enumerate("uvw")}
        dims = [dim for dim in spec["dims"] if dim in axis]
        basis = values[f"basis_{place}"][[axis[dim] for dim in dims]]
        hkl = np.stack(np.meshgrid(*[values[dim] for dim in dims], indexing="ij"), axis=-1) @ basis + origin
    shape = [n if dim in dims else 1 for dim, n in zip(spec["dims"], spec["shape"], strict=True)]
    return np.broadcast_to(hkl.reshape(*shape, 3), (*spec["shape"], 3)).reshape(-1, 3)


class Artefacts:
    """Spoils images: ``artefacts(values, generator)`` returns them with artefacts, and which voxels are left.

    Parameters
    ----------
    where : Momenta
    settings : AugmentSettings
    seed : int
        Of the patterns. What each image gets is drawn by the generator.
    """

    def __init__(self, where, settings, *, seed):
        self.where, self.settings, self.seed = where, settings, int(seed)
        room = max(_LEAST, _MAX_NUMBER // len(where.modulus))
        self._n = min(settings.n_pattern, room)
        self._added = {name: self._patterns(name) for name in ADDED if getattr(settings, name) > 0}
        self._lost = self._patterns("lost").astype(bool) if settings.missing > 0 else None

    @property
    def key(self):
        """Words that tell other artefacts."""
        plain = [getattr(self.settings, f.name) for f in fields(self.settings)]
        return digest_words("artefacts", self.seed, plain, self.where.hkl, self.where.modulus)

    def __call__(self, values, generator):
        """Return images (n, n_voxel) float32 with artefacts, and a mask (n, n_voxel) bool, or None where all is there.

        Lost voxels hold zeros, for nobody to look at.
        """
        values = np.asarray(values, dtype=np.float32)
        check_shape("values", values, ("n", len(self.where.modulus)))
        n, mean, out = len(values), values.mean(axis=1, keepdims=True), values.copy()
        for name, patterns in self._added.items():
            here = generator.random(n) < self.settings.share
            level = getattr(self.settings, name) * here * generator.random(n) ** 1.5
            out += (mean * level[:, None]).astype(np.float32) * patterns[generator.integers(self._n, size=n)]
        if self.settings.scale > 1:
            reach = np.log(self.settings.scale)
            out *= np.exp(generator.uniform(-reach, reach, (n, 1))).astype(np.float32)
        if self._lost is None:
            return out, None
        lost = self._lost[generator.integers(self._n, size=n)] & (generator.random(n) < self.settings.missing)[:, None]
        out[lost] = 0.0
        return out, ~lost

    def _patterns(self, name):
        draw = {"rings": self._rings, "bragg": _bragg, "background": _background, "hot": _hot, "lost": _lost}[name]
        rows = [draw(self.where, stream(self.seed, "artefact", name, k)) for k in range(self._n)]
        return np.array(rows, dtype=bool if name == "lost" else np.float32)

    def _rings(self, where, generator):
        n, span = int(generator.integers(1, 5)), float(np.ptp(where.modulus))
        heights, typical = 2.0 * generator.exponential(size=n), 0.014 * span
        anywhere = (where.modulus.min(), where.modulus.max())
        radii = generator.uniform(*(self.settings.ring_radius or anywhere), size=n)
        widths = typical * np.exp(generator.uniform(-0.7, 0.7, size=n))
        if self.settings.ring_width is not None:
            widths = generator.uniform(*self.settings.ring_width, size=n)
        heights = heights * np.exp(generator.uniform(-0.7, 0.7, size=n))
        return artefacts.powder_rings(where.modulus, level=1.0, radii=radii, widths=widths, heights=heights)


def _bragg(where, generator):
    width = generator.choice([0.0, generator.uniform(0.01, 0.06)])
    return artefacts.bragg_leakage(where.hkl, level=1.0, generator=generator, width=float(width))


def _background(where, generator):
    slow = artefacts.smooth_background(where.modulus, level=1.0, generator=generator)
    return slow + artefacts.blob(where.spanned, level=generator.choice([0.0, 0.5]), generator=generator)


def _hot(where, generator):
    n = len(where.modulus)
    return (generator.random(n) < generator.uniform(0.0, 0.02)) * generator.exponential(20.0, n)


def _lost(where, generator):
    """Return a block, gaps, or in a plane and in space also a sector, True where a voxel is lost."""
    q = where.spanned
    kind = generator.choice(["block", "gaps", "sector"] if q.shape[1] > 1 else ["block", "gaps"])
    if kind == "sector":
        lost = artefacts.dead_sector(q[:, :2], generator=generator, width=generator.uniform(0.1, 0.8))
    elif kind == "gaps":
        lost = artefacts.detector_gaps(q, generator=generator)
    else:
        span = np.ptp(q, axis=0)
        half = span * generator.uniform(0.05, 0.3, size=q.shape[1])
        centre = q.min(axis=0) + span * generator.uniform(size=q.shape[1])
        lost = np.all(np.abs(q - centre) < half, axis=1)
    # Something must be left to encode.
    return lost if lost.mean() < 0.9 else np.zeros(len(q), bool)
