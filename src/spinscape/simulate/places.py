"""Where spins that all interact stand in the arrays of the kernels, and how tables of their couplings are laid out."""

from typing import NamedTuple

import numpy as np

from ..errors import ConfigError
from ..lattice.supercell import Supercell

MAX_TABLE = 1 << 27
"""Numbers in a table of couplings."""
_FULL_ENOUGH = 0.75


class Places(NamedTuple):
    """Where the spins stand in the arrays of the kernels, and how the table of couplings is read.

    Parameters
    ----------
    of_spin : (n_spin,) int64
    width : int
        Places of a cell of the kernels, which may be several chemical cells.
    tiles : (n_cell, n_tile) int32
        As in ``kernels.long_range``.
    source : (n_used, n_spin) int64
        For the places of the first cell that are used: where the coupling with each spin stands in rows
        (n_site * n_spin) of the chemical cell's sites.
    n_place : int
        Length of arrays over spins in the kernels.
    """

    of_spin: np.ndarray
    width: int
    tiles: np.ndarray
    source: np.ndarray
    n_place: int


def places(cell: Supercell, *, wide: int, block: int, components: int = 1) -> Places:
    """Return the :class:`Places` of the spins of a supercell.

    Parameters
    ----------
    cell : Supercell
    wide : int
        Numbers side by side in the kernels.
    block : int
        Arrays over spins have a multiple of so many places; a multiple of ``wide``.
    components : int
        Numbers of one coupling.
    """
    group, shape = np.array(_grouping(cell, wide)), np.array(cell.shape)
    coarse = shape // group
    n_coarse, used = int(np.prod(coarse)), cell.n_site * int(np.prod(group))
    width = _rounded(used, wide)
    if components * width * n_coarse * width > MAX_TABLE:
        raise ConfigError(
            "the table of couplings would be too large",
            where="supercell",
            expected=f"at most {MAX_TABLE} numbers",
            got=f"{components} times {width} times {n_coarse * width}",
            fix="take a supercell with a diagonal matrix, whose table is smaller, or fewer cells",
        )
    cells = cell.cells
    outer = np.ravel_multi_index(tuple((cells // group).T), tuple(coarse))
    inner = np.ravel_multi_index(tuple((cells % group).T), tuple(group))
    of_spin = (outer * width + inner * cell.n_site)[:, None] + np.arange(cell.n_site)
    first = cells[np.argsort(outer * len(cells) + inner, kind="stable")[: used // cell.n_site]]
    # A row of the chemical cell's site, cells moved to that of the place.
    moved = cell.cell_index(cells[None] - first[:, None])
    rows = (np.arange(cell.n_site)[:, None, None] * cell.n_cell + moved[:, None, :, None]) * cell.n_site
    rows = rows.reshape(len(first), cell.n_site, cell.n_cell, 1) + np.arange(cell.n_site)
    tiles = _tiles(coarse, width, wide, block)
    return Places(of_spin.ravel(), width, tiles, rows.reshape(used, cell.n_spin), tiles.shape[1] * wide)


def _rounded(n, step):
    return -(-n // step) * step


def _grouping(cell, wide):
    """Return how many chemical cells along each axis make one of the kernels: as few as fill the vectors well."""
    shape = cell.shape
    if np.any(cell.hermite != np.diag(np.diag(cell.hermite))):
        return shape
    divisors = [[d for d in range(1, n + 1) if n % d == 0] for n in shape]
    groups = [(a, b, c) for a in divisors[0] for b in divisors[1] for c in divisors[2]]
    used = [cell.n_site * a * b * c for a, b, c in groups]
    filled = [n / _rounded(n, wide) for n in used]
    enough = min(_FULL_ENOUGH, max(filled))
    return min((n, group) for n, group, share in zip(used, groups, filled, strict=True) if share >= enough)[1]


def _tiles(coarse, width, wide, block):
    """Return where in a row each vector begins, (n_cell, n_tile) int32; those that fill up the last block are idle."""
    grid = np.stack([axis.ravel() for axis in np.indices(tuple(coarse))], axis=1)
    difference = np.ravel_multi_index(tuple(np.moveaxis((grid[None] - grid[:, None]) % coarse, -1, 0)), tuple(coarse))
    tiles = (difference[:, :, None] * width + np.arange(0, width, wide)).reshape(len(grid), -1)
    idle = _rounded(tiles.shape[1], block // wide) - tiles.shape[1]
    return np.pad(tiles, ((0, 0), (0, idle))).astype(np.int32)
