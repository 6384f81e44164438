"""How well compressors do against the number of latent dimensions, by two measures.

    own      Σ (decode(encode(x)) − x)² / Σ (x − mean)²   over the training images: the paper's eq. 8, over the spread
    held out Σ (decode(encode(x)) − t)² / Σ (t − mean)²   over images that were not learnt from, t their truth

The first falls with every dimension, for noise is there to be fitted; only the second says which are needed. Where the
truth t is not known it is the mean of other runs of the same point. With m of them of variance s², the noise of that
mean, s²/m, is taken off both sums, which leaves the error against the noise-free truth without bias.
"""

import time
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..errors import ConfigError, DataError
from ..rng import stream
from .augment import Artefacts, AugmentSettings
from .autoencoder import KINDS, AutoencoderSettings
from .compressor import as_source, batches_of, fit_pca, truncated
from .images import Transform
from .train_compressor import fit_autoencoder

FLOOR = 1e-3
"""An error that counts as none: a thousandth of the spread of the images."""
TRIAL = AugmentSettings(rings=1.0, bragg=1.0, background=1.0, hot=1.0, share=1.0, missing=1.0)
"""Artefacts that every compressor is tried on: all kinds at once, at levels up to 1, and a block missing."""
SURE = 0.95
"""Probability of a phase above which a generator counts as sure of it."""
SLACK = 0.1
"""A number of dimensions suffices where its error is that near to the best one's."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Images that were not learnt from, with what is known of their truth.

    Parameters
    ----------
    source : ImageSource
    truth : (n_image, n_voxel) float64 or ImageSource, optional
        Exact; a source where images are too many to be held: of a simulation without noise the images themselves.
    groups : (n_image,) int, optional
        In place of the truth: images of one number are runs of one point with random numbers of their own, at least
        three each.
    """

    source: object
    truth: Any = None
    groups: np.ndarray | None = None

    def __post_init__(self):
        object.__setattr__(self, "source", as_source(self.source))
        if (self.truth is None) == (self.groups is None):
            raise ConfigError("images that are held out have a truth, or runs of one point", where="held_out")
        if self.groups is not None and np.min(np.unique(self.groups, return_counts=True)[1]) < 3:
            raise DataError(
                "too few runs of a point: one is compressed, two others tell the truth and its noise",
                where="held_out",
                expected="at least 3 runs of each point",
                got=np.unique(self.groups, return_counts=True)[1].min(),
                fix="raise replicas.n, or look at why runs have failed",
            )

    @property
    def n_point(self):
        """Number of points."""
        return self.source.n_image if self.groups is None else len(np.unique(self.groups))

    def points(self):
        """Yield values and truth of one point's runs, (n_run, n_voxel), and what the truth's noise adds to a square."""
        if self.groups is None:
            for k in range(self.source.n_image):
                yield self.source.read(np.array([k]))[0].astype(np.float64), self._truth(k), 0.0
            return
        for group in np.unique(self.groups):
            runs = self.source.read(np.flatnonzero(self.groups == group))[0].astype(np.float64)
            n_other = len(runs) - 1
            others = (runs.sum(axis=0) - runs) / n_other
            spread = np.sum((runs**2).sum(axis=0) - runs**2 - n_other * others**2) / (n_other - 1)
            yield runs, others, float(spread) / n_other

    def _truth(self, k):
        read = getattr(self.truth, "read", None)
        return self.truth[k : k + 1] if read is None else read(np.array([k]))[0].astype(np.float64)


def noise_of_runs(held_out):
    """Return the standard deviation of each voxel between runs of one point, pooled over points, (n_voxel,) float64.

    None is below a hundredth of their root mean square: voxels without noise would outweigh all others.
    """
    total, count = np.zeros(held_out.source.n_voxel), 0
    for runs, _, _ in held_out.points():
        total += ((runs - runs.mean(axis=0)) ** 2).sum(axis=0)
        count += len(runs) - 1
    noise = np.sqrt(total / max(count, 1))
    if not noise.any():
        raise DataError(
            "the runs of each point are all the same: they have no noise to standardise by",
            where="transform",
            fix="give noise as a number, or another transform",
        )
    return np.maximum(noise, 0.01 * np.sqrt(np.mean(noise**2)))


def held_out_error(predict, held_out, mean):
    """Return the error against the truth and its standard deviation from the scatter between points.

    Parameters
    ----------
    predict : callable
        Images (n, n_voxel) to what stands for them, (n, n_voxel).
    held_out : HeldOut
    mean : (n_voxel,) float64
        Of the training images.

    Returns
    -------
    float, float
    """
    error, spread = [], []
    for values, truth, noise in held_out.points():
        error.append(float(np.sum((predict(values) - truth) ** 2)) - noise)
        spread.append(float(np.sum((truth - mean) ** 2)) - noise)
    return ratio_with_std(np.array(error), np.array(spread))


def ratio_with_std(above, below):
    """Return Σ above/Σ below and its standard deviation, points being independent.

    >>> ratio_with_std(np.array([1.0, 1.0]), np.array([2.0, 2.0]))
    (0.5, 0.0)
    """
    if not below.sum() > 0:
        raise DataError("images that are held out are all like the mean", where="held_out", got=float(below.sum()))
    ratio = above.sum() / below.sum()
    return float(ratio), float(np.sqrt(np.sum((above - ratio * below) ** 2)) / below.sum())


def generator_error(generator, theta, held_out, mean, *, settled=None):
    """Return the error of generated images beside that of simulations.

    Parameters
    ----------
    generator : Generator
    theta : (n_point, n_parameter) float64
        Couplings of the points that are held out, in their order; those outside of the generator's box are left out.
    held_out : HeldOut
    mean : (n_voxel,) float64
        Of the training images.
    settled : (n_point,) bool, optional
        Points all of whose runs came to equilibrium: of the others the mean of the runs is not the truth.

    Returns
    -------
    dict
        ``error`` and its ``std``; ``four_runs`` and ``one_run``, the errors of the mean of so many simulations, from
        the scatter of the runs; ``n_point``. ``median`` and ``p90``, of the points' errors, each over its own spread.
        ``sure``, the share of points of whose phase the gate is sure (p > :data:`SURE`), and ``sure_error`` on these.
        ``n_settled``, ``settled_error`` and ``settled_four_runs``, where it is told which points are.
    """
    inside = np.all((theta >= generator.box[0]) & (theta <= generator.box[1]), axis=1)
    error, spread, noise = [], [], []
    for row, (values, truth, _), known in zip(theta, held_out.points(), inside, strict=True):
        if not known:
            continue
        exact = held_out.groups is None
        best = truth[0] if exact else values.mean(axis=0)
        left = 0.0 if exact else float(values.var(axis=0, ddof=1).sum()) / len(values)
        error.append(float(np.sum((generator.predict(row)[0] - best) ** 2)) - left)
        spread.append(float(np.sum((best - mean) ** 2)) - left)
        noise.append(float(np.sum((values[0] - best) ** 2)) if exact else left * len(values))
    if not error:
        raise DataError("no point that is held out lies inside the generator's box", where="theta", got=theta.shape)
    below = np.array(spread)
    found, std = ratio_with_std(np.array(error), below)
    single = ratio_with_std(np.array(noise), below)[0]
    top = generator.probability(theta[inside]).max(axis=1) > SURE
    own = np.array(error) / np.maximum(below, 1e-300)
    known = None if settled is None else np.asarray(settled)[inside]
    return {
        "error": found,
        "std": std,
        "one_run": single,
        "four_runs": single / 4.0,
        "n_point": len(error),
        "median": float(np.median(own)),
        "p90": float(np.quantile(own, 0.9)),
        "sure": float(top.mean()),
        "sure_error": _part(error, below, top),
        "n_settled": None if known is None else int(known.sum()),
        "settled_error": None if known is None else _part(error, below, known),
        "settled_four_runs": None if known is None else _part(np.array(noise) / 4.0, below, known),
    }


def _part(error, spread, chosen):
    """Return the error of some points over their spread; None where there are none."""
    return float(np.array(error)[chosen].sum() / spread[chosen].sum()) if chosen.any() else None


def own_error(compressor, source, mean):
    """Return the error on the training images, over their spread."""
    error = spread = 0.0
    for values, _ in batches_of(as_source(source)):
        x = values.astype(np.float64)
        error += float(np.sum((compressor.decode(compressor.encode(x)) - x) ** 2))
        spread += float(np.sum((x - mean) ** 2))
    return error / spread


@dataclass(frozen=True)
class Method:
    """A way of compressing, and how far it is tried.

    Parameters
    ----------
    name : str
    kind : str
        ``"pca"`` or a kind of :class:`~spinscape.learn.autoencoder.AutoencoderSettings`.
    dimensions : tuple of int
    transform : Transform
    network : dict
        Settings of a network that differ from the defaults.
    augment : AugmentSettings, optional
        Artefacts that the encoder is taught to see through; it then sees voxels and their mask.
    """

    name: str
    kind: str
    dimensions: tuple[int, ...]
    transform: Transform = field(default_factory=Transform)
    network: dict = field(default_factory=dict)
    augment: AugmentSettings | None = None

    def __post_init__(self):
        object.__setattr__(self, "dimensions", tuple(sorted(set(self.dimensions))))
        if self.kind not in ("pca", *KINDS) or not self.dimensions:
            raise ConfigError(
                "no such compressor", where=self.name, expected=f"pca, {', '.join(KINDS)}, with dimensions", got=self
            )


@dataclass(frozen=True)
class Row:
    """One trained compressor: its errors by both measures, the standard deviation of the second, its CPU seconds.

    ``spoilt`` is the held-out error where the images to be compressed have artefacts and missing blocks of level 1.
    """

    method: str
    n_latent: int
    seed: int
    own: float
    held_out: float
    std: float
    seconds: float
    spoilt: float | None = None

    def to_dict(self):
        """Return plain values; ``Row(**data)`` is the inverse."""
        return asdict(self)


class Trainer:
    """Compressors of one set of training images; components are found once for all that see them.

    Parameters
    ----------
    source : ImageSource
    threads : int
        Of torch.
    where : Momenta, optional
        Where the voxels lie: needed for artefacts.
    progress : bool
        A bar for each training.
    device : str
    """

    def __init__(self, source, *, threads=1, where=None, progress=False, device="cpu"):
        self.source, self.threads, self.where = as_source(source), threads, where
        self._options = {"threads": threads, "progress": progress, "device": device}
        self._known, self._artefacts = {}, {}
        total = np.zeros(self.source.n_voxel)
        for values, _ in batches_of(self.source):
            total += values.sum(axis=0, dtype=np.float64)
        self.mean = total / self.source.n_image

    def components(self, transform, n):
        """Return at least ``n`` leading components of the images as a transform shows them."""
        found = self._known.get(transform)
        if found is None or found.n_latent < n:
            self._known[transform] = found = fit_pca(self.source, n_latent=n, transform=transform)
        return found

    def trained(self, method, n_latent, seed, *, checkpoint=None):
        """Return one compressor."""
        if method.kind == "pca":
            return truncated(self.components(method.transform, max(method.dimensions)), n_latent)
        sees = {} if method.augment is None else {"sees": "voxels"}
        settings = AutoencoderSettings(**{**method.network, **sees, "kind": method.kind, "n_latent": n_latent})
        n = min(settings.n_component, self.source.n_image - 1, self.source.n_voxel)
        front = self.components(method.transform, n) if n else None
        augment = None if method.augment is None else self.artefacts(method.augment)
        options = {"transform": method.transform, "front": front, "augment": augment, "checkpoint": checkpoint}
        return fit_autoencoder(self.source, settings, seed=seed, **options, **self._options)[0]

    def artefacts(self, settings):
        """Return the artefacts of some settings; their patterns are drawn once."""
        self.check_momenta()
        if settings not in self._artefacts:
            self._artefacts[settings] = Artefacts(self.where, settings, seed=0)
        return self._artefacts[settings]

    def check_momenta(self):
        """Raise where it is not known where voxels lie: artefacts cannot be drawn."""
        if self.where is None:
            raise ConfigError(
                "artefacts need to know where voxels lie",
                where="augment",
                expected="arrays over momenta",
                got="an array without any",
                fix="compress arrays over paths or volumes, or leave augment out",
            )

    def row(self, method, n_latent, seed, held_out, *, checkpoint=None):
        """Train one compressor and return its :class:`Row`."""
        clock = time.process_time()
        made = self.trained(method, n_latent, seed, checkpoint=checkpoint)
        seconds = time.process_time() - clock
        found, std = held_out_error(lambda values: made.decode(made.encode(values)), held_out, self.mean)
        own = own_error(made, self.source, self.mean)
        return Row(method.name, n_latent, seed, own, found, std, seconds, self._spoilt(made, held_out))

    def _spoilt(self, made, held_out):
        """Return the held-out error of images with artefacts, the same for every compressor."""
        if self.where is None:
            return None
        artefacts = self.artefacts(TRIAL)
        generator = stream(0, "artefact", "trial")
        return held_out_error(lambda x: made.decode(made.encode(*artefacts(x, generator))), held_out, self.mean)[0]


def planned(methods, seeds):
    """Return all (method, n_latent, seed) of the curves; principal components have no seed but the first."""
    return [(m, d, s) for m in methods for d in m.dimensions for s in (seeds[:1] if m.kind == "pca" else seeds)]


def median_curve(rows, method, measure):
    """Return dimensions and the median of a measure (``"own"`` or ``"held_out"``) over the seeds, both (n,)."""
    mine = [row for row in rows if row.method == method]
    dimensions = np.array(sorted({row.n_latent for row in mine}))
    values = [np.median([getattr(row, measure) for row in mine if row.n_latent == d]) for d in dimensions]
    return dimensions, np.array(values)


def sufficient(rows, method, measure):
    """Return the smallest number of dimensions whose error is as good as the best, and that error.

    As good: within :data:`SLACK` of it, or :data:`FLOOR` above it.
    """
    dimensions, values = median_curve(rows, method, measure)
    k = np.flatnonzero(values <= max(values.min() * (1.0 + SLACK), values.min() + FLOOR))[0]
    return int(dimensions[k]), float(values[k])


def best_row(rows, method=None):
    """Return the row to be used: of the method of the least held-out error, at its sufficient D, the best seed.

    ``method`` names one to be used in its place.
    """
    methods = sorted({row.method for row in rows})
    method = method or min(methods, key=lambda name: sufficient(rows, name, "held_out")[1])
    d = sufficient(rows, method, "held_out")[0]
    return min((row for row in rows if row.method == method and row.n_latent == d), key=lambda row: row.held_out)


def statement(rows, method):
    """Return in words which D suffices by each measure."""
    parts = []
    for measure, what in (("own", "the error on its training images"), ("held_out", "the held-out error")):
        d, value = sufficient(rows, method, measure)
        dimensions, values = median_curve(rows, method, measure)
        if d == dimensions[-1] and len(dimensions) > 1:
            parts.append(f"by {what} not converged at D = {d} ({values[-1]:.3g})")
        else:
            parts.append(f"by {what} D = {d} suffices ({value:.3g}; {values[-1]:.3g} at D = {dimensions[-1]})")
    return f"{method}: {', '.join(parts)}"
