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
    shape : tuple of int
        Of the amplitudes of one sample as they are kept, complex64.
    """

    def __init__(self, crystal: Crystal, cell: Supercell, number, *, moments=False, form_factor=False):
        self._cell = cell
        number = np.asarray(number, dtype=np.int64)
        q = number @ np.linalg.inv(cell.hermite.astype(np.float64)).T
        self._site_factor = site_factors(crystal, q, form_factor=form_factor)
        self._g = crystal.g.astype(np.complex64) if moments else None
        self._diagonal = not np.count_nonzero(cell.hermite - np.diag(np.diag(cell.hermite)))
        reduced, self._row = np.unique(_reduced(cell, number), axis=0, return_inverse=True)
        self._row = self._row.reshape(-1)
        self._prepare(reduced)
        # Sites are put together at once, unless there are many more Q than waves of the cells.
        self._combined = len(number) <= cell.n_site * len(reduced) and not self._whole
        n = len(number) if self._combined else self._n_wave
        self.shape = (3, n) if self._combined else (cell.n_site, 3, n)

    def _prepare(self, reduced):
        """Decide how waves of the cells are had: all by a fast transform, some of these, or direct sums."""
        if not self._diagonal:
            q = reduced @ np.linalg.inv(self._cell.hermite.astype(np.float64)).T
            phase = np.exp(-2j * np.pi * (self._cell.cells @ q.T))
            self._sums = np.concatenate([phase.real, phase.imag], axis=1).astype(np.float32)
            self._whole, self._pick, self._n_wave = False, None, len(reduced)
            return
        shape = self._cell.shape
        long = [a for a in range(3) if shape[a] > 1] or [2]
        # The transform of real numbers is half as long along its last axis.
        self._half = max(long, key=lambda a: (shape[a], a))
        self._axes = (*(2 + a for a in long if a != self._half), 2 + self._half)
        size = list(shape)
        size[self._half] = shape[self._half] // 2 + 1
        beyond = reduced[:, self._half] > shape[self._half] // 2
        where = np.where(beyond[:, None], -reduced, reduced) % np.array(shape)
        index = np.ravel_multi_index(tuple(where.T), size)
        n_half = int(np.prod(size))
        self._whole = len(index) > _WHOLE * n_half
        self._n_wave = n_half if self._whole else len(index)
        self._pick, self._beyond = index, beyond

    def waves(self, grid):
        """Return Σ_R exp(−iq·R) S(R) of each site, as many as are kept: (n_site, 3, n_wave) complex64.

        Parameters
        ----------
        grid : (n_site, 3, *shape) float32
        """
        if not self._diagonal:
            flat = grid.reshape(*grid.shape[:2], -1) @ self._sums
            n = flat.shape[2] // 2
            return (flat[..., :n] + 1j * flat[..., n:]).astype(np.complex64)
        found = scipy.fft.rfftn(grid, axes=self._axes).reshape(*grid.shape[:2], -1)
        if self._whole:
            return found
        picked = found[:, :, self._pick]
        np.conjugate(picked, out=picked, where=self._beyond)
        return picked

    def sample(self, grid, out):
        """Write the amplitudes of the spins (n_site, 3, *shape) float32 into ``out``, of the shape ``shape``."""
        waves = self.waves(grid)
        if not self._combined:
            out[...] = waves
        elif self._cell.n_site == 1 and self._g is None:
            np.multiply(waves[0][:, self._row], self._site_factor[0], out=out)
        else:
            out[...] = self._together(waves[:, :, self._row], slice(None))

    def _together(self, waves, block):
        """Return C of waves (n_site, 3, n, ...) of a block of wave vectors, (3, n, ...)."""
        factor = self._site_factor[:, block].reshape(self._site_factor.shape[0], -1, *[1] * (waves.ndim - 3))
        if self._g is not None:
            waves = np.einsum("sab,sb...->sa...", self._g, waves)
        return np.einsum("sq...,saq...->aq...", factor, waves)

    def amplitudes(self, series, block):
        """Return C of a block of wave vectors from a record of samples.

        Parameters
        ----------
        series : (n_sample, *shape) complex64
        block : slice
            Of the wave vectors that the transform was made for.

        Returns
        -------
        (3, n, n_sample) complex64
        """
        if self._combined:
            return np.ascontiguousarray(series[:, :, block].transpose(1, 2, 0))
        row = self._row[block]
        if self._whole:
            waves = series[..., self._pick[row]].transpose(1, 2, 3, 0)
            beyond = np.broadcast_to(self._beyond[row][:, None], waves.shape[2:])
            waves = np.where(beyond, waves.conj(), waves)
        else:
            waves = series[..., row].transpose(1, 2, 3, 0)
        return self._together(waves, block)


class Probes:
    """Single spins in place of wave vectors: their mean spectrum is that summed over the zone.

    Parameters
    ----------
    cell : Supercell
    n_probe : int
        Spins to follow: whole cells, spread evenly; at least one.

    Attributes
    ----------
    shape : tuple of int
    """

    def __init__(self, cell: Supercell, n_probe: int):
        n = min(max(1, n_probe // cell.n_site), cell.n_cell)
        self._cells = np.unique(np.linspace(0, cell.n_cell - 1, n).round().astype(np.int64))
        self.shape = (3, cell.n_site * len(self._cells))

    def sample(self, grid, out):
        """Write the chosen spins of a grid (n_site, 3, *shape) into ``out``, of the shape ``shape``."""
        flat = grid.reshape(*grid.shape[:2], -1)[:, :, self._cells]
        out[...] = flat.transpose(1, 0, 2).reshape(self.shape)

    def amplitudes(self, series, block):
        """Return the record of some spins, (3, n, n_sample) complex64."""
        return np.ascontiguousarray(series[:, :, block].transpose(1, 2, 0))


def site_factors(crystal, q, *, form_factor):
    """Return exp(−iQ·r_s) of each site within its cell, times its form factor where asked for: (n_site, n_q) c64."""
    phase = np.exp(-2j * np.pi * (crystal.positions @ q.T))
    if form_factor:
        length = np.linalg.norm(q @ crystal.reciprocal, axis=1)
        for s, ion in enumerate(crystal.ions):
            phase[s] *= magnetic_form_factor(length, ion=ion, g=float(np.trace(crystal.g[s])) / 3.0)
    return phase.astype(np.complex64)


def _reduced(cell, number):
    """Return the numbers of the waves of the cells: without reciprocal vectors of the chemical lattice.

    q and q + G are one wave for integer G; H·G is a column lattice of H, lower triangular in the last coordinate first.
    """
    number = number.copy()
    for axis in range(2, -1, -1):
        column = cell.hermite[:, axis]
        # Column k of H has its last non-zero entry on the diagonal.
        number -= (number[:, axis] // cell.hermite[axis, axis])[:, None] * column
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
