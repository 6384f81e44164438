"""Spins seen in reciprocal space, sample after sample: C^α(Q, t) = Σ_i exp(−iQ·r_i) S_i^α(t).

The transform over the cells runs in single precision, as does the record of it: a relative error of 1e-7 of the
largest amplitude, far below any statistical one.
"""

import numpy as np
import scipy.fft

from ..errors import ConfigError
from ..lattice.crystal import Crystal
from ..lattice.supercell import Supercell
from .formfactor import magnetic_form_factor

_WHOLE = 0.3
"""Part of all wave vectors from which on all of them are kept, which spares picking them."""
_FEW = 0.125
"""Products along the last axis, for each cell, below which wave vectors are summed one by one along it."""


class SpatialTransform:
    """What to make of the spins at one time; it holds no spins.

    Parameters
    ----------
    crystal : Crystal
    cell : Supercell
    number : (n_q, 3) int64
        Allowed wave vectors, H·q (see :class:`~spinscape.observables.dynamic_q.AllowedQ`).
    moments : bool
        See g·S in place of S.
    form_factor : bool
        Multiply the amplitude of each site by the form factor of its ion.

    Attributes
    ----------
    shape : (n_site or 1, 3, n_wave)
        Of the waves of one sample as they are kept, complex64.
    row : (n_q,) int64
        The wave of each wave vector.
    beyond : (n_q,) bool
        Whether the conjugate of that wave is meant.
    phase : (n_site or 1, n_q) complex64
        exp(−iQ·r_s) and the form factor of each site; ones where sites are put together at once.
    g : (n_site or 1, 3, 3) float32, or None
    """

    def __init__(self, crystal: Crystal, cell: Supercell, number, *, moments=False, form_factor=False):
        number = np.asarray(number, dtype=np.int64)
        reduced, row = np.unique(_reduced(cell, number), axis=0, return_inverse=True)
        self._waves = _waves_of(cell, reduced)
        self.row, self.beyond = row.reshape(-1), np.zeros(len(number), dtype=bool)
        if self._waves.whole:
            self.row, self.beyond = self._waves.pick[self.row], self._waves.beyond[self.row]
        self.phase = site_factors(crystal, cell, number, form_factor=form_factor)
        self.g = crystal.g.astype(np.float32) if moments else None
        self.shape = (cell.n_site, 3, self._waves.n_wave)
        # Where sites outnumber the zones that are looked at, they are put together at once.
        self._together = None
        if cell.n_site > 1 and not self._waves.whole and len(number) <= cell.n_site * len(reduced):
            self._together = (self.phase, self.row, self.g)
            self.row = np.arange(len(number))
            self.phase, self.g = np.ones((1, len(number)), dtype=np.complex64), None
            self.shape = (1, 3, len(number))

    def sample(self, grid, weight, out):
        """Write the waves of a grid (n_site, 3, *shape) float32, times ``weight``, into ``out``, of ``shape``."""
        waves = self._waves(grid)
        if self._together is None:
            np.multiply(waves, np.float32(weight), out=out)
            return
        phase, row, g = self._together
        if g is not None:
            waves = np.matmul(g, waves)
        np.einsum("sq,saq->aq", phase * np.float32(weight), waves[:, :, row], out=out[0])


class _DirectSums:
    """Waves of a supercell that is no block of cells."""

    whole = False

    def __init__(self, cell, reduced):
        q = reduced @ np.linalg.inv(cell.hermite.astype(np.float64)).T
        phase = np.exp(-2j * np.pi * (cell.cells @ q.T))
        self._sums = np.concatenate([phase.real, phase.imag], axis=1).astype(np.float32)
        self.n_wave = len(reduced)

    def __call__(self, grid):
        """Return (n_site, 3, n_wave) complex64 of (n_site, 3, *shape) float32."""
        flat = grid.reshape(*grid.shape[:2], -1) @ self._sums
        return flat[..., : self.n_wave] + np.complex64(1j) * flat[..., self.n_wave :]


class _FastTransform:
    """Waves of a block of cells: all of them, or some.

    Real numbers have a transform half as long along one axis. Where few waves are wanted, the last axis is summed for
    each of them.
    """

    def __init__(self, cell, reduced):
        shape = np.array(cell.shape)
        order = sorted((a for a in range(3) if shape[a] > 1), key=lambda a: (-shape[a], -a)) or [2]
        half = order[0]
        self.beyond = reduced[:, half] > shape[half] // 2
        where = np.where(self.beyond[:, None], -reduced, reduced) % shape
        size = shape.copy()
        size[half] = shape[half] // 2 + 1
        self.pick = np.ravel_multi_index(tuple(where.T), tuple(size))
        self.whole = len(reduced) > _WHOLE * np.prod(size)
        self.n_wave = int(np.prod(size)) if self.whole else len(reduced)
        few = not self.whole and len(order) == 3 and len(reduced) * shape[order[2]] <= _FEW * cell.n_cell
        self._sum_axis = order[2] if few else None
        self._axes = tuple(2 + a for a in reversed(order[: 2 if few else 3]))
        if few:
            self._prepare_sums(shape, size, where, order[2])

    def _prepare_sums(self, shape, size, where, axis):
        others = [a for a in range(3) if a != axis]
        self._pick_others = np.ravel_multi_index(tuple(where[:, others].T), tuple(size[others]))
        turns = np.arange(shape[axis])[:, None] * where[:, axis] / shape[axis]
        self._sum_phase = np.exp(-2j * np.pi * turns).astype(np.complex64)

    def __call__(self, grid):
        """Return (n_site, 3, n_wave) complex64 of (n_site, 3, *shape) float32."""
        found = scipy.fft.rfftn(grid, axes=self._axes)
        if self.whole:
            return found.reshape(*grid.shape[:2], -1)
        if self._sum_axis is None:
            picked = found.reshape(*grid.shape[:2], -1)[:, :, self.pick]
        else:
            found = np.moveaxis(found, 2 + self._sum_axis, 2)
            picked = found.reshape(*found.shape[:3], -1)[..., self._pick_others]
            picked = np.einsum("xq,saxq->saq", self._sum_phase, picked)
        np.conjugate(picked, out=picked, where=self.beyond)
        return picked


def _waves_of(cell, reduced):
    diagonal = not np.count_nonzero(cell.hermite - np.diag(np.diag(cell.hermite)))
    return (_FastTransform if diagonal else _DirectSums)(cell, reduced)


class Probes:
    """Single spins in place of wave vectors: their mean spectrum is that summed over the zone.

    Parameters
    ----------
    cell : Supercell
    n_probe : int
        Spins to follow: whole cells, spread evenly; at least one.

    Attributes
    ----------
    shape, row, beyond, phase, g : as of :class:`SpatialTransform`
    """

    def __init__(self, cell: Supercell, n_probe: int):
        n = min(max(1, n_probe // cell.n_site), cell.n_cell)
        self._cells = np.unique(np.linspace(0, cell.n_cell - 1, n).round().astype(np.int64))
        n_row = cell.n_site * len(self._cells)
        self.shape, self.row, self.beyond = (1, 3, n_row), np.arange(n_row), np.zeros(n_row, dtype=bool)
        self.phase, self.g = np.ones((1, n_row), dtype=np.complex64), None

    def sample(self, grid, weight, out):
        """Write the chosen spins of a grid (n_site, 3, *shape), times ``weight``, into ``out``, of ``shape``."""
        flat = grid.reshape(*grid.shape[:2], -1)[:, :, self._cells]
        out[0] = np.float32(weight) * flat.transpose(1, 0, 2).reshape(self.shape[1:])


def site_factors(crystal, cell, number, *, form_factor):
    """Return exp(−iQ·r_s) of each site within its cell, times its form factor where asked for: (n_site, n_q) c64."""
    q = number @ np.linalg.inv(cell.hermite.astype(np.float64)).T
    phase = np.exp(-2j * np.pi * (crystal.positions @ q.T))
    if form_factor:
        length = np.linalg.norm(q @ crystal.reciprocal, axis=1)
        for s, ion in enumerate(crystal.ions):
            phase[s] *= magnetic_form_factor(length, ion=ion, g=float(np.trace(crystal.g[s])) / 3.0)
    return phase.astype(np.complex64)


def _reduced(cell, number):
    """Return the numbers of the waves of the cells: q and q + G are one for a reciprocal lattice vector G.

    Column k of the triangular H is what the k-th unit vector adds to H·q; its last entry is on the diagonal.
    """
    number = number.copy()
    for axis in range(2, -1, -1):
        number -= (number[:, axis] // cell.hermite[axis, axis])[:, None] * cell.hermite[:, axis]
    return number


def check_memory(transform: SpatialTransform, n_sample, *, memory):
    """Raise where the record of one trajectory would not fit into ``memory`` bytes."""
    size = 8 * int(np.prod(transform.shape)) * n_sample
    if size > memory:
        raise ConfigError(
            "the record of a trajectory takes more memory than there is",
            where="dynamics.memory",
            expected=f"at most {memory / 1e6:.0f} MB",
            got=f"{size / 1e6:.0f} MB: {n_sample} samples of {transform.shape}",
            fix="ask for fewer wave vectors, wider energy bins or a smaller window",
        )
