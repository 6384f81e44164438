"""Training pixels of simulated spectra, streamed from a store in blocks of points.

A pixel is one (point, momentum, energy). Half of each batch is drawn from pixels with signal, a small part of all, and
the pixels are weighted by what that does to their probability, so that the expected loss stays that of uniform pixels.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import TrainingError
from ..lattice.crystal import read_only
from ..rng import stream
from .domain import TrainingDomain

_CHUNK = 64
"""Points that are read together."""


@dataclass(frozen=True, eq=False)
class SpectrumLayout:
    """Which arrays of a store are learnt, and where their pixels lie.

    Parameters
    ----------
    names : tuple of str
        Arrays (n_q, n_energy) of a point; their rows stand one after the other.
    q_points : (n_q, 3) float64, r.l.u.
        Momenta of all rows.
    energy : (n_energy,) float64, meV
        The energy axis that they share.
    """

    names: tuple[str, ...]
    q_points: np.ndarray
    energy: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "q_points", read_only(self.q_points))
        object.__setattr__(self, "energy", read_only(self.energy))

    @property
    def shape(self):
        """(n_q, n_energy) of one point, all arrays together."""
        return (len(self.q_points), len(self.energy))

    @property
    def n_pixel(self):
        """Number of pixels of one point."""
        return self.shape[0] * self.shape[1]


def layout_from_store(store, names=None):
    """Return the layout of a store's spectra, from the coordinates that it declares.

    Parameters
    ----------
    store : StudyStore
    names : sequence of str, optional
        Arrays to learn; all that have momenta and an energy axis where left out.
    """
    momenta = {}
    for name, spec in store.template.items():
        for coordinate in spec["coords"].values():
            if list(coordinate["dims"]) == [spec["dims"][0], "hkl"]:
                momenta[name] = np.asarray(coordinate["values"], dtype=np.float64)
    names = tuple(momenta) if names is None else tuple(names)
    unknown = [name for name in names if name not in momenta or "energy" not in store.template[name]["coords"]]
    if unknown or not names:
        raise TrainingError(
            "the store has no such spectra",
            where=f"training data: {', '.join(unknown) or 'names'}",
            expected=f"arrays with momenta and energies: {', '.join(momenta) or 'none is there'}",
            got=list(names),
        )
    axes = [np.asarray(store.template[name]["coords"]["energy"]["values"], dtype=np.float64) for name in names]
    if any(axis.tobytes() != axes[0].tobytes() for axis in axes):
        raise TrainingError("the spectra do not share one energy axis", where=", ".join(names))
    return SpectrumLayout(names, np.concatenate([momenta[name] for name in names]), axes[0])


def split_points(theta, *, n_train, seed):
    """Return the indices of the training points and of the held-out points, each rising.

    Parameters
    ----------
    theta : (n_point, n_parameter) float64
    n_train : int
    seed : int

    Notes
    -----
    A point's place in the split is drawn from its couplings, not from its place in the store: the same points fall on
    the same side whatever their order.
    """
    if not 1 <= n_train < len(theta):
        raise TrainingError(
            "there are not enough simulated spectra to learn from",
            where="training data",
            expected=f"at least {n_train + 1}: {n_train} to learn from and one to be held out",
            got=f"{len(theta)} spectra",
            fix="simulate more points, or lower n_train",
        )
    draw = np.array([stream(seed, "split", row).random() for row in np.asarray(theta, dtype=np.float64)])
    order = np.argsort(draw, kind="stable")
    return np.sort(order[:n_train]), np.sort(order[n_train:])


def read_log_spectra(store, layout, indices):
    """Return log(1 + S) of points, (n, n_q, n_energy) float32.

    Raises
    ------
    TrainingError
        Where a spectrum holds a number that is not finite, or S ≤ −1.
    """
    out = np.empty((len(indices), *layout.shape), dtype=np.float32)
    row = 0
    for name in layout.names:
        spectra = store.read_many(name, indices)
        if spectra.shape[2] != layout.shape[1] or row + spectra.shape[1] > layout.shape[0]:
            raise TrainingError("a spectrum does not have the declared axes", where=name, got=spectra.shape)
        low = spectra.min(axis=(1, 2))
        # Written so that NaN, which compares with nothing, is caught.
        bad = np.flatnonzero(~((low > -1.0) & np.isfinite(spectra.max(axis=(1, 2)))))
        if bad.size:
            raise TrainingError(
                "a spectrum holds numbers that no intensity can have",
                where=f"{name}, point {int(np.asarray(indices)[bad[0]])}",
                expected="finite numbers above −1",
                got=f"lowest {low[bad[0]]:.3g}",
                fix="find out why the simulation made it; a failed point must have a result code, not such numbers",
            )
        np.log1p(spectra, out=out[:, row : row + spectra.shape[1]], casting="same_kind")
        row += spectra.shape[1]
    return out


def domain_from_store(store, layout, indices, *, box=None):
    """Return the domain that the chosen points span, and the moments of their log(1 + S).

    Parameters
    ----------
    store : StudyStore
    layout : SpectrumLayout
    indices : (n,) int
        The training points.
    box : dict of str to (float, float), optional
        Declared bounds of the couplings; those of the training points where left out.
    """
    theta = store.theta[indices]
    bounds = [
        (theta[:, k].min(), theta[:, k].max()) if box is None or name not in box else box[name]
        for k, name in enumerate(store.parameter_names)
    ]
    lower, upper = np.array(bounds, dtype=np.float64).T
    total = square = 0.0
    for start in range(0, len(indices), _CHUNK):
        spectra = read_log_spectra(store, layout, indices[start : start + _CHUNK])
        total += spectra.sum(dtype=np.float64)
        square += np.einsum("i,i", spectra.ravel(), spectra.ravel(), dtype=np.float64)
    mean = total / (len(indices) * layout.n_pixel)
    std = np.sqrt(max(square / (len(indices) * layout.n_pixel) - mean**2, 0.0))
    if not std > 1e-9 * (1.0 + abs(mean)):
        raise TrainingError(
            "the spectra to learn from are constant",
            where="training data",
            expected="a signal that varies",
            got=f"log(1 + S) of mean {mean:.3g} and standard deviation {std:.3g}",
            fix="check the simulation: its intensity, energy window and paths",
        )
    return TrainingDomain(store.parameter_names, layout.q_points, layout.energy, lower, upper, float(mean), float(std))


@dataclass(frozen=True, eq=False)
class PixelBatch:
    """Pixels for one step: inputs (n, n_input), target (n,), weight (n,), all float32."""

    inputs: np.ndarray
    target: np.ndarray
    weight: np.ndarray


class PixelBlock:
    """All pixels of a few points in memory, to draw batches from.

    Parameters
    ----------
    spectra : (n, n_q, n_energy) float32
        log(1 + S).
    theta : (n, n_parameter) float64
    domain : TrainingDomain
    signal_level : float
        A pixel has signal where log(1 + S) is above this, in units of the domain's target_std.
    """

    def __init__(self, spectra, theta, domain, *, signal_level):
        n_point, n_q, n_energy = spectra.shape
        self._shape, self._pixels, self._domain = spectra.shape, spectra.reshape(-1), domain
        self._threshold = np.float32(signal_level * domain.target_std)
        index_type = np.int32 if self._pixels.size < 2**31 else np.int64
        self._signal = np.flatnonzero(self._pixels > self._threshold).astype(index_type)
        # Each input depends on one of the three indices: tables, so that a batch is three look-ups.
        rows = np.empty((max(n_point, n_q, n_energy), 4 + theta.shape[1]))
        rows[:] = domain.centre
        rows[:n_q, :3], rows[:n_energy, 3], rows[:n_point, 4:] = domain.q_points, domain.energy, theta
        inputs = domain.standardise(rows)
        kinds = np.array(domain.input_kinds)
        self._tables = [
            (kinds == kind, inputs[:n, kinds == kind])
            for kind, n in (("theta", n_point), ("q", n_q), ("energy", n_energy))
        ]

    @property
    def signal_fraction(self):
        """Part of the pixels that has signal."""
        return len(self._signal) / self._pixels.size

    def draw(self, rng, size, *, signal_share):
        """Return a batch of ``size`` pixels.

        Parameters
        ----------
        rng : numpy.random.Generator
        size : int
        signal_share : float
            Part that is drawn from pixels with signal only; the rest from all.

        Notes
        -----
        With a part f of all pixels having signal and a share s, a pixel's probability relative to uniform drawing is
        (1 − s) + s/f with signal and 1 − s without; the weight is its inverse.
        """
        n_signal = round(size * signal_share) if 0 < len(self._signal) < self._pixels.size else 0
        index = np.concatenate(
            [
                self._signal[rng.integers(0, max(len(self._signal), 1), n_signal)] if n_signal else [],
                rng.integers(0, self._pixels.size, size - n_signal),
            ]
        ).astype(np.int64)
        target, share = self._pixels[index], n_signal / size
        dense = 1.0 / (1.0 - share + (share / self.signal_fraction if n_signal else 0.0))
        thin = 1.0 / (1.0 - share) if share < 1 else 0.0
        weight = np.where(target > self._threshold, np.float32(dense), np.float32(thin))
        standardised = (target - np.float32(self._domain.target_mean)) / np.float32(self._domain.target_std)
        return PixelBatch(self._inputs(index), standardised, weight)

    def _inputs(self, index):
        """Return the inputs of flat pixel indices."""
        point, pixel = np.divmod(index, self._shape[1] * self._shape[2])
        out = np.empty((len(index), len(self._domain.active)), dtype=np.float32)
        for (columns, table), row in zip(self._tables, (point, *np.divmod(pixel, self._shape[2])), strict=True):
            out[:, columns] = table[row]
        return out


class PixelStream:
    """Batches by step, from a store of any size, holding one block of points at a time.

    Parameters
    ----------
    store : StudyStore
    layout : SpectrumLayout
    indices : (n,) int
        Points to draw from.
    domain : TrainingDomain
    seed : int
    batch_size : int
    signal_share, signal_level : float
        See :meth:`PixelBlock.draw` and :class:`PixelBlock`.
    max_bytes : int
        Memory for a block. Where all points fit there is one block; else points are shuffled into blocks, anew in each
        round, and each block serves ``block_steps`` steps.
    block_steps : int

    Notes
    -----
    The batch of a step is a pure function of (seed, step): a training that is resumed goes on with the same batches.
    """

    def __init__(
        self,
        store,
        layout,
        indices,
        domain,
        *,
        seed,
        batch_size,
        signal_share=0.5,
        signal_level=0.12,
        max_bytes=2**30,
        block_steps=500,
    ):
        self.store, self.layout, self.indices, self.domain = store, layout, np.asarray(indices), domain
        self.seed, self.batch_size, self.block_steps = seed, batch_size, block_steps
        self.signal_share, self.signal_level = signal_share, signal_level
        # A pixel costs its value, and its index where it has signal.
        points = max(1, int(max_bytes) // (8 * layout.n_pixel))
        self.n_block = -(-len(self.indices) // points)
        self._key, self._block = None, None

    def batch(self, step):
        """Return the batch of a step."""
        rng = stream(self.seed, "batch", step)
        return self._block_of(step).draw(rng, self.batch_size, signal_share=self.signal_share)

    def _block_of(self, step):
        """Return the block of points that serves a step, reading it where it is not the one in memory."""
        key = (0, 0) if self.n_block == 1 else divmod(step // self.block_steps, self.n_block)
        if key != self._key:
            self._block = None
            self._block, self._key = self._load(*key), key
        return self._block

    def _load(self, turn, number):
        """Return block ``number`` of a round."""
        order = stream(self.seed, "dataset", turn).permutation(len(self.indices))
        indices = np.sort(self.indices[np.array_split(order, self.n_block)[number]])
        spectra = np.empty((len(indices), *self.layout.shape), dtype=np.float32)
        for start in range(0, len(indices), _CHUNK):
            rows = slice(start, start + _CHUNK)
            spectra[rows] = read_log_spectra(self.store, self.layout, indices[rows])
        return PixelBlock(spectra, self.store.theta[indices], self.domain, signal_level=self.signal_level)
