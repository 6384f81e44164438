"""Training pixels, streamed from a store in blocks of points.

A pixel is one (point, momentum, energy). Half of each batch is drawn from pixels with signal, a small part of all, and
the pixels are weighted by what that does to their probability, so that the expected loss stays that of uniform
pixels. A map of the errors so far thins them further where the network is already right.
"""

from dataclasses import dataclass

import numpy as np

from ..rng import stream
from .dataset import CHUNK, read_log_spectra

_COUNT_CHUNK = 2**22
"""Pixels that are counted together."""


@dataclass(frozen=True, eq=False)
class PixelBatch:
    """Pixels for one step.

    Parameters
    ----------
    inputs : (n, n_input) float32
    target : (n,) float32
    weight : (n,) float32
        That makes the weighted mean over the batch the expected mean over all pixels.
    base : (n,) float32
        The weight without the error map.
    place : (n,) int64 or None
        Cell of the error map, where one was used.
    """

    inputs: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    base: np.ndarray
    place: np.ndarray | None = None


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
        self._n_pixel, self._census = n_q * n_energy, None
        self._threshold = np.float32(signal_level * domain.target_std)
        index_type = np.int32 if self._pixels.size < 2**31 else np.int64
        self._signal = np.flatnonzero(self._pixels > self._threshold).astype(index_type)
        # Each input depends on one of the three indices: tables, so that a batch is three look-ups.
        rows = np.empty((max(n_point, n_q, n_energy), 4 + theta.shape[1]))
        rows[:] = domain.centre
        rows[:n_q, :3], rows[:n_energy, 3], rows[:n_point, 4:] = domain.q_points, domain.energy, theta
        inputs = domain.standardise(rows)
        self._n_input = inputs.shape[1]
        kinds = np.array(domain.input_kinds)
        self._tables = [
            (kinds == kind, inputs[:n, kinds == kind])
            for kind, n in (("theta", n_point), ("q", n_q), ("energy", n_energy))
        ]

    @property
    def signal_fraction(self):
        """Part of the pixels that has signal."""
        return len(self._signal) / self._pixels.size

    def draw(self, rng, size, *, signal_share, errors=None):
        """Return a batch of ``size`` pixels, drawn independently.

        Parameters
        ----------
        rng : numpy.random.Generator
        size : int
        signal_share : float
            Part of the candidates that is drawn from pixels with signal only; the rest from all.
        errors : ErrorMap, optional
            Candidates are kept with its probabilities; all of them where left out.

        Notes
        -----
        With a part f of all pixels having signal and a share s, a candidate's probability relative to uniform drawing
        is p = (1 − s) + s/f with signal and p = 1 − s without. One that is kept with probability a has p·a/Z, where Z
        is the mean of p·a over all pixels; the weight is the inverse. With a = 1 everywhere, Z = 1.
        """
        f = self.signal_fraction
        share = signal_share if 0.0 < f < 1.0 else 0.0
        relative = np.array([1.0 - share, 1.0 - share + (share / f if share else 0.0)])
        if errors is None:
            index, value, signal = self._candidates(rng, size, share)
            return self._batch(index, value, 1.0 / relative[signal], 1.0 / relative[signal], None)
        keep = errors.acceptance
        z = float(np.sum(relative[:, None] * keep * self._pixels_per_cell(errors))) / self._pixels.size
        kept = []
        while sum(len(part[0]) for part in kept) < size:
            index, value, signal = self._candidates(rng, int(1.1 * size / z) + 16, share)
            place = errors.cell[index % self._n_pixel] + signal * keep.shape[1]
            good = np.flatnonzero(rng.random(len(index), dtype=np.float32) < keep.reshape(-1)[place])
            kept.append((index[good], value[good], place[good]))
        index, value, place = (np.concatenate(parts)[:size] for parts in zip(*kept, strict=True))
        base = 1.0 / relative[place // keep.shape[1]]
        return self._batch(index, value, base * z / keep.reshape(-1)[place], base, place)

    def _candidates(self, rng, size, share):
        """Return flat pixel indices (size,), their values, and whether each has signal."""
        index = rng.integers(0, self._pixels.size, size)
        if share:
            # As many as independent draws would give; shuffled, so that the first ones are like the last.
            n_signal = rng.binomial(size, share)
            index[:n_signal] = self._signal[rng.integers(0, len(self._signal), n_signal)]
            rng.shuffle(index)
        value = self._pixels[index]
        return index, value, (value > self._threshold).astype(np.int64)

    def _batch(self, index, value, weight, base, place):
        """Return the batch of flat pixel indices with their weights."""
        standardised = (value - np.float32(self._domain.target_mean)) / np.float32(self._domain.target_std)
        return PixelBatch(self._inputs(index), standardised, weight.astype(np.float32), base.astype(np.float32), place)

    def _pixels_per_cell(self, errors):
        """Return how many pixels without and with signal each cell has, (2, n_cell); counted once."""
        if self._census is None:
            n_cell = errors.acceptance.shape[1]
            signal = np.zeros(n_cell, dtype=np.int64)
            for start in range(0, len(self._signal), _COUNT_CHUNK):
                pixel = self._signal[start : start + _COUNT_CHUNK] % self._n_pixel
                signal += np.bincount(errors.cell[pixel], minlength=n_cell)
            everything = np.bincount(errors.cell, minlength=n_cell) * self._shape[0]
            self._census = np.stack([everything - signal, signal])
        return self._census

    def _inputs(self, index):
        """Return the inputs of flat pixel indices."""
        point, pixel = np.divmod(index, self._shape[1] * self._shape[2])
        out = np.empty((len(index), self._n_input), dtype=np.float32)
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
    The batch of a step is a pure function of (seed, step, error map): a training that is resumed goes on with the same
    batches.
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

    def batch(self, step, errors=None):
        """Return the batch of a step, drawn by an error map where one is given."""
        rng = stream(self.seed, "batch", step)
        return self._block_of(step).draw(rng, self.batch_size, signal_share=self.signal_share, errors=errors)

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
        for start in range(0, len(indices), CHUNK):
            rows = slice(start, start + CHUNK)
            spectra[rows] = read_log_spectra(self.store, self.layout, indices[rows])
        return PixelBlock(spectra, self.store.theta[indices], self.domain, signal_level=self.signal_level)
