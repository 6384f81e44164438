"""The average of correlations between sublattices over the operations of the crystal, and the stars of wave vectors."""

from typing import NamedTuple

import numpy as np

from ..kernels.correlate import average_pairs
from ..lattice.crystal import Crystal
from ..lattice.symmetry import cartesian_rotations, site_maps
from .diffuse import CorrelationGrid


class Averager:
    """The average over the operations of a grid, planned once for all points of a study.

        S(Q) → mean over o of R_o S(W_o^T Q) R_o^T

    Parameters
    ----------
    grid : CorrelationGrid
    """

    def __init__(self, grid: CorrelationGrid):
        crystal, waves = grid.crystal, grid.waves
        # Operations that differ by a translation of the primitive cell do the same to correlations.
        first = np.unique(crystal.rotations[grid.operations], axis=0, return_index=True)[1]
        chosen = grid.operations[np.sort(first)]
        primitive = waves.primitive
        rotations = crystal.rotations[chosen]
        maps = site_maps(crystal.vectors, crystal.positions, rotations, crystal.translations[chosen])
        image = maps.site[:, primitive.representative]
        where = maps.cell[:, primitive.representative] @ primitive.matrix + primitive.cell[image]
        self.grid = grid
        self.site = primitive.site[image]
        axial = _axial(crystal, chosen)
        self.turn = np.einsum("opax,oxy,pby->opab", grid.direction[self.site], axial, grid.direction)
        # W in Q' = W⁻ᵀ Q: the wave that comes to q' is Wᵀ q' (columns of r.l.u.), in integers N = M Q.
        back = _integer_maps(grid, rotations.swapaxes(1, 2))
        numbers = np.einsum("oij,qj->oqi", back, waves.numbers)
        self.wave, self.mirrored = waves.index(numbers)
        q_primitive = waves.q @ primitive.vectors.T
        self.phase = np.exp(-2j * np.pi * np.einsum("qx,opx->oqp", q_primitive, where))

    def __call__(self, pairs) -> np.ndarray:
        """Return averaged correlations, (..., n_wave, n_mode, n_mode) complex128, of such an array."""
        pairs = np.asarray(pairs, dtype=np.complex128)
        flat = np.ascontiguousarray(pairs.reshape(-1, *self.grid.shape))
        out = np.empty_like(flat)
        for one, averaged in zip(flat, out, strict=True):
            average_pairs(one, self.wave, self.mirrored, self.phase, self.site, self.turn, averaged)
        return out.reshape(pairs.shape)


def _axial(crystal: Crystal, chosen):
    """Return det(R) R of the chosen operations, (n, 3, 3)."""
    rotations = cartesian_rotations(crystal.vectors, crystal.rotations[chosen])
    return rotations * np.round(np.linalg.det(rotations))[:, None, None]


def _integer_maps(grid, maps):
    """Return maps of r.l.u. (n, 3, 3) as maps of the integers N = M Q, (n, 3, 3) int64."""
    matrix = grid.cell.matrix
    return np.round(matrix @ maps @ np.linalg.inv(matrix)).astype(np.int64)


class Stars(NamedTuple):
    """Wave vectors that symmetry makes alike, by one of each.

    Parameters
    ----------
    numbers : (n_star, 3) int64
        N = M Q of the one, of a wave that is kept itself.
    star : (n,) int64
        Star of each of the wave vectors asked for.
    """

    numbers: np.ndarray
    star: np.ndarray


def stars(grid: CorrelationGrid, numbers, *, symmetry: bool) -> Stars:
    """Return the stars of allowed wave vectors.

    Parameters
    ----------
    grid : CorrelationGrid
    numbers : (n, 3) int64
        N = M Q.
    symmetry : bool
        Take those together that operations of the grid connect; otherwise Q and −Q alone.

    Returns
    -------
    Stars
    """
    numbers = np.asarray(numbers, dtype=np.int64)
    maps = np.eye(3, dtype=np.int64)[None]
    if symmetry:
        every = _integer_maps(grid, grid.crystal.rotations[grid.operations].swapaxes(1, 2))
        maps = np.unique(np.concatenate([every, -every]), axis=0)
    reach = 1 + int(np.abs(maps).sum(axis=2).max()) * int(np.abs(numbers).max(initial=0))
    radix = np.array([(2 * reach + 1) ** 2, 2 * reach + 1, 1], dtype=np.int64)
    lowest = np.minimum(numbers @ radix, -numbers @ radix)
    for one in maps:
        code = (numbers @ one.T) @ radix
        np.minimum(lowest, code, out=lowest)
        np.minimum(lowest, -code, out=lowest)
    codes, star = np.unique(lowest, return_inverse=True)
    chosen = _decoded(codes, reach)
    mirrored = grid.waves.index(chosen)[1]
    return Stars(np.where(mirrored[:, None], -chosen, chosen), star.reshape(-1))


def _decoded(codes, reach):
    """Return the integers (n, 3) behind codes Σ N_j radix_j with |N_j| <= reach."""
    base = 2 * reach + 1
    out = np.empty((len(codes), 3), dtype=np.int64)
    rest = codes
    for axis in (2, 1, 0):
        out[:, axis] = (rest + reach) % base - reach
        rest = (rest - out[:, axis]) // base
    return out
