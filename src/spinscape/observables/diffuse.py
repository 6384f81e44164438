"""Static correlations between sublattices on the wave vectors that a supercell holds, accumulated over configurations.

    A_m(q) = Σ_cells s_m(c) exp(−iq·R_c),   C_mn(q) = ⟨A_m(q)* A_n(q)⟩ / n_cell

c runs over primitive cells; a mode m is a site of the primitive cell with a direction: the axis of an Ising spin, or
x, y and z. Everything that is seen follows from C (``observables.diffuse_projection``):

    S^αβ(Q) = Σ_mn u_m^α u_n^β Re[exp(iQ·(r_m − r_n)) C_mn(Q)]

per chemical cell, as S(Q, ω) is.
"""

from dataclasses import dataclass

import numpy as np
import scipy.fft

from ..errors import ShapeError, check_shape
from ..lattice.crystal import Crystal, read_only
from ..lattice.primitive import WaveGrid, wave_grid
from ..lattice.supercell import Supercell

_CHUNK = 4_000_000
"""Complex amplitudes that are held at a time: 64 MB."""


@dataclass(frozen=True, eq=False)
class CorrelationGrid:
    """What correlations are kept of a supercell. Make it with :func:`correlation_grid`.

    Parameters
    ----------
    crystal : Crystal
    cell : Supercell
    waves : WaveGrid
    operations : (n_operation,) int64
        Operations of the crystal over which correlations may be averaged: those that the Hamiltonian has and that map
        the supercell to itself.
    direction : (n_primitive, n_component, 3) float64
        Unit vectors of the components of each site of the primitive cell: its Ising axis, or x, y and z.
    """

    crystal: Crystal
    cell: Supercell
    waves: WaveGrid
    operations: np.ndarray
    direction: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, "operations", read_only(self.operations, np.int64))
        object.__setattr__(self, "direction", read_only(self.direction))

    @property
    def n_component(self):
        """1 for Ising spins, 3 otherwise."""
        return self.direction.shape[1]

    @property
    def n_mode(self):
        """Modes: sites of the primitive cell times components."""
        return self.direction.shape[0] * self.direction.shape[1]

    @property
    def shape(self):
        """Shape of the correlations, (n_wave, n_mode, n_mode)."""
        return (self.waves.n_half, self.n_mode, self.n_mode)

    def amplitudes(self, spins):
        """Return A_m(q) of configurations.

        Parameters
        ----------
        spins : (n_config, n_spin, 3) float, or (n_config, n_spin) int or float
            Vectors of length S; of Ising spins also the components along the sites' axes.

        Returns
        -------
        (n_config, n_mode, n_wave) complex128
        """
        values = self._components(np.asarray(spins))
        n_config = len(values)
        box = values.reshape(n_config, self.n_mode, *self.waves.shape)
        return scipy.fft.rfftn(box, axes=(2, 3, 4)).reshape(n_config, self.n_mode, -1)

    def _components(self, spins):
        """Return the components of spins in the order of the transform, (n_config, n_mode, n_cell) float64."""
        scalar = spins.ndim == 2
        if scalar and self.n_component != 1:
            raise ShapeError(
                "numbers along axes are given for spins that have no axis", where="spins", got=spins.shape,
                expected=("n_config", self.cell.n_spin, 3),
            )  # fmt: skip
        check_shape("spins", spins, ("n_config", self.cell.n_spin, 3)[: spins.ndim if scalar else 3])
        order = self.waves.order
        if not scalar:
            along = np.einsum("npcx,pax->npac", spins[:, order], self.direction, optimize=True)
            return along.reshape(len(spins), self.n_mode, order.shape[1])
        # The axes of copies of a site may have opposite signs.
        axis = self.crystal.axis
        sign = np.sign(np.sum(axis * self.direction[self.waves.primitive.site, 0], axis=1))
        return spins[:, order] * np.tile(sign, self.cell.n_cell)[order]


def correlation_grid(crystal: Crystal, cell: Supercell, *, operations=None) -> CorrelationGrid:
    """Return the :class:`CorrelationGrid` of a supercell.

    Parameters
    ----------
    crystal : Crystal
    cell : Supercell
    operations : (n,) int, optional
        Operations that the Hamiltonian has, from :func:`spinscape.hamiltonian.operations.model_operations`; all of the
        crystal's by default. Those that do not map the supercell's lattice to itself are left out.

    Returns
    -------
    CorrelationGrid
    """
    chosen = np.arange(len(crystal.rotations)) if operations is None else np.asarray(operations, dtype=np.int64)
    waves = wave_grid(crystal, cell, chosen)
    # Wave vectors Q with integer M·Q go to W⁻ᵀ·Q: M W⁻ᵀ M⁻¹ must be a matrix of integers.
    turned = cell.matrix @ np.linalg.inv(crystal.rotations[chosen]).swapaxes(1, 2) @ np.linalg.inv(cell.matrix)
    fits = np.all(np.abs(turned - np.round(turned)) < 1e-6, axis=(1, 2))
    direction = np.tile(np.eye(3), (waves.primitive.n_site, 1, 1))
    if all(kind == "ising" for kind in crystal.kind):
        direction = crystal.axis[waves.primitive.representative][:, None]
    return CorrelationGrid(crystal, cell, waves, chosen[fits], direction)


@dataclass(frozen=True, eq=False)
class PairCorrelations:
    """Correlations between sublattices, in blocks of configurations.

    Parameters
    ----------
    grid : CorrelationGrid
    blocks : (n_block, n_wave, n_mode, n_mode) complex128
        C_mn(q) of each block: the mean over its configurations, per chemical cell.
    amplitudes : (n_block, n_mode, n_wave) complex128
        Mean of A_m(q) in each block.
    weights : (n_block,) int64
        Configurations in each block.
    """

    grid: CorrelationGrid
    blocks: np.ndarray
    amplitudes: np.ndarray
    weights: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, "blocks", read_only(self.blocks, np.complex128))
        object.__setattr__(self, "amplitudes", read_only(self.amplitudes, np.complex128))
        object.__setattr__(self, "weights", read_only(self.weights, np.int64))
        check_shape("blocks", self.blocks, ("n_block", *self.grid.shape))

    @property
    def mean(self):
        """C_mn(q) of all configurations, (n_wave, n_mode, n_mode)."""
        return np.average(self.blocks, axis=0, weights=self.weights)

    @property
    def connected(self):
        """C_mn(q) without the mean moments, ⟨A* A⟩ − ⟨A*⟩⟨A⟩: (n_wave, n_mode, n_mode)."""
        mean = np.average(self.amplitudes, axis=0, weights=self.weights)
        return self.mean - mean.conj().T[:, :, None] * mean.T[:, None, :] / self.grid.cell.n_cell

    @property
    def error(self):
        """Standard error of the mean of each C_mn(q) from the scatter of the blocks, (n_wave, n_mode, n_mode) float64.

        Of the complex number: its real and imaginary parts together.
        """
        n = len(self.blocks)
        if n < 2:
            raise ShapeError("errors need at least two blocks", where="blocks", got=n, fix="close more blocks")
        share = self.weights / self.weights.sum()
        scatter = np.tensordot(share, np.abs(self.blocks - self.mean) ** 2, 1)
        return np.sqrt(scatter / (n - 1))


class PairSums:
    """Sums of correlations while configurations come in: :meth:`add` them, and close a block now and then.

    Parameters
    ----------
    grid : CorrelationGrid
    """

    def __init__(self, grid: CorrelationGrid):
        self.grid = grid
        self._closed: list[tuple[np.ndarray, np.ndarray, int]] = []
        self._clear()

    def _clear(self):
        self._pairs = np.zeros(self.grid.shape, dtype=np.complex128)
        self._mean = np.zeros((self.grid.n_mode, self.grid.waves.n_half), dtype=np.complex128)
        self._count = 0

    def add(self, spins):
        """Take configurations, as :meth:`CorrelationGrid.amplitudes` does."""
        spins = np.asarray(spins)
        step = max(1, _CHUNK // max(self.grid.n_mode * self.grid.waves.n_half, 1))
        for start in range(0, len(spins), step):
            self.add_amplitudes(self.grid.amplitudes(spins[start : start + step]))

    def add_amplitudes(self, amplitudes):
        """Take configurations by what :meth:`CorrelationGrid.amplitudes` makes of them, (n_config, n_mode, n_wave)."""
        self._mean += amplitudes.sum(axis=0)
        # One product of matrices for each wave.
        rows = np.ascontiguousarray(amplitudes.transpose(2, 1, 0))
        self._pairs += rows.conj() @ rows.swapaxes(1, 2)
        self._count += len(amplitudes)

    def close_block(self):
        """End a block; blocks should be longer than the autocorrelation time. An empty one is not counted."""
        if self._count:
            scale = 1.0 / (self._count * self.grid.cell.n_cell)
            self._closed.append((self._pairs * scale, self._mean / self._count, self._count))
            self._clear()

    def correlations(self) -> PairCorrelations:
        """Return what has been gathered, the open block closed: :class:`PairCorrelations`."""
        self.close_block()
        if not self._closed:
            raise ShapeError("no configuration has been taken", where="correlations", fix="add configurations first")
        pairs, means, counts = zip(*self._closed, strict=True)
        return PairCorrelations(self.grid, np.array(pairs), np.array(means), np.array(counts))
