"""Which spins may turn at once, and rows of spins in memory that turn together.

Colours are found on the quotient of the lattice by a small period: a class is a site and a cell modulo the period.
Where no period divides the supercell, the whole graph is coloured.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from ..hamiltonian.links import Links
from ..kernels.colouring import MAX_COLOUR, colour_graph
from ..kernels.precession_lanes import LANES
from ..lattice.crystal import read_only
from ..lattice.supercell import Supercell

_PERIODS = (1, 2, 3, 4)
_MAX_CLASS = 400


@dataclass(frozen=True, eq=False)
class Colouring:
    """Colours of the spins of a supercell, no two neighbours alike.

    Parameters
    ----------
    colour : (n_spin,) int64
    n_colour : int
    period : tuple of 3 int, or None
        Cells along each axis after which the colours repeat; None for colours of the whole graph.
    """

    colour: np.ndarray
    n_colour: int
    period: tuple[int, int, int] | None

    def __post_init__(self):
        object.__setattr__(self, "colour", read_only(self.colour, np.int64))

    @property
    def chosen(self):
        """Spins in the order of their colours, (n_spin,) int64, and where each colour begins, (n_colour + 1,)."""
        order = np.argsort(self.colour, kind="stable").astype(np.int64)
        return order, np.searchsorted(self.colour[order], np.arange(self.n_colour + 1)).astype(np.int64)


def colouring(cell: Supercell, links: Links, neighbour) -> Colouring:
    """Return colours with as few of them as were found.

    Parameters
    ----------
    cell : Supercell
    links : Links
    neighbour : (n_spin, m) int64
        Spins at the far ends of links and squares, padded with −1.

    Raises
    ------
    ConfigError
        Where a spin meets itself.
    """
    rows = _all_links(links)
    best = None
    for period in _periods(cell, len(links.start) - 1):
        colour, n_colour = _colours(_quotient(period, len(links.start) - 1, *rows))
        if n_colour and (best is None or n_colour < best[1]):
            best = (colour, n_colour, period)
        if best and best[1] <= 2:
            break
    if best is not None:
        classes = _class_of(cell.cells[:, None], np.arange(cell.n_site)[None], best[2], cell.n_site)
        return Colouring(best[0][classes.ravel()], best[1], best[2])
    colour, n_colour = _colours(neighbour)
    if not n_colour:
        raise ConfigError(
            "the spins cannot be divided into sets that turn at once",
            where="dynamics.integrator: suzuki_trotter",
            expected=f"no spin that meets itself, at most {MAX_COLOUR} sets",
            fix="take a larger supercell, or the integrator 'midpoint'",
        )
    return Colouring(colour, n_colour, None)


def _all_links(links):
    """Return source, target and offset of links and squares together."""
    n_site = len(links.start) - 1
    source = [np.repeat(np.arange(n_site), np.diff(s)) for s in (links.start, links.square_start)]
    return (
        np.concatenate(source),
        np.concatenate([links.target, links.square_target]),
        np.concatenate([links.offset, links.square_offset]),
    )


def _periods(cell, n_site):
    """Return periods that divide a supercell with a diagonal basis, small ones first."""
    if np.count_nonzero(cell.hermite - np.diag(np.diag(cell.hermite))):
        return []
    choices = [[p for p in _PERIODS if n % p == 0] for n in cell.shape]
    fit = [p for p in itertools.product(*choices) if np.prod(p) * n_site <= max(_MAX_CLASS, 8 * n_site)]
    return sorted(fit, key=lambda p: (np.prod(p), p))


def _class_of(cells, site, period, n_site):
    wrapped = np.moveaxis(np.asarray(cells) % np.array(period), -1, 0)
    return np.ravel_multi_index(tuple(wrapped), period) * n_site + site


def _quotient(period, n_site, source, target, offset):
    """Return the classes that each class meets, (n_class, m) int64, padded with −1."""
    cells = np.stack([axis.ravel() for axis in np.indices(period)], axis=1)
    first = _class_of(cells[:, None], source[None], period, n_site).ravel()
    second = _class_of(cells[:, None] + offset[None], target[None], period, n_site).ravel()
    pairs = np.unique(np.stack([first, second], axis=1), axis=0)
    column = np.arange(len(pairs)) - np.searchsorted(pairs[:, 0], pairs[:, 0])
    out = np.full((len(cells) * n_site, int(column.max(initial=-1)) + 1), -1, dtype=np.int64)
    out[pairs[:, 0], column] = pairs[:, 1]
    return out


def _colours(neighbour):
    colour = np.empty(len(neighbour), dtype=np.int64)
    return colour, colour_graph(np.ascontiguousarray(neighbour), colour)


@dataclass(frozen=True, eq=False)
class RowLayout:
    """Where the spins lie in rows; see :mod:`spinscape.kernels.precession_rows`.

    Parameters
    ----------
    axis : int
        Axis of the supercell that rows run along.
    period : int
        Cells from one spin of a row to the next.
    n, halo, width : int
    rows : (n_row,) int64
        In the order of their colours.
    colour_start : (n_colour + 1,) int64
    begin : (n_row, n_link) int64
    kind : (n_row,) int64
        Chemical site of each row.
    place : (n_spin,) int64
        Where the x component of each spin is.
    """

    axis: int
    period: int
    n: int
    halo: int
    width: int
    rows: np.ndarray
    colour_start: np.ndarray
    begin: np.ndarray
    kind: np.ndarray
    place: np.ndarray

    @property
    def size(self):
        """Number of doubles."""
        return len(self.rows) * 3 * self.width


def row_layout(cell: Supercell, links: Links, colours: Colouring) -> RowLayout | None:
    """Return the rows of a supercell, or None where there are none: colours without a period, squares, short rows."""
    if colours.period is None or len(links.square_target):
        return None
    counts = np.array(cell.shape) // np.array(colours.period)
    axis = int(2 - np.argmax(counts[::-1]))
    period, n = colours.period[axis], int(counts[axis])
    halo = int(np.max(-(-np.abs(links.offset[:, axis]) // period), initial=0))
    if n < max(halo, 2):
        return None
    width = -(-n // LANES) * LANES + 2 * halo
    row, k = _row_of(cell, axis, period, cell.cells[:, None], np.arange(cell.n_site)[None])
    place = (row * 3 * width + halo + k).ravel()
    n_row = cell.n_spin // n
    first = np.zeros(n_row, dtype=np.int64)
    heads = np.flatnonzero(k.ravel() == 0)
    first[row.ravel()[heads]] = heads
    colour = colours.colour[first]
    rows = np.argsort(colour, kind="stable").astype(np.int64)
    start = np.searchsorted(colour[rows], np.arange(colours.n_colour + 1)).astype(np.int64)
    begin = _link_begins(cell, links, axis, period, first, width, halo)
    return RowLayout(axis, period, n, halo, width, rows, start, begin, first % cell.n_site, place.astype(np.int64))


def _row_of(cell, axis, period, cells, site):
    """Return the row of a site in cells (..., 3), and its number in the row, which may lie beyond its ends."""
    others = [a for a in range(3) if a != axis]
    index = (cells[..., others[0]] % cell.shape[others[0]]) * cell.shape[others[1]]
    index = index + cells[..., others[1]] % cell.shape[others[1]]
    along = cells[..., axis]
    row = (index * cell.n_site + site) * period + along % period
    return row, np.broadcast_to(along // period, row.shape)


def _link_begins(cell, links, axis, period, first, width, halo):
    """Return where each link of each row begins; links that a site lacks begin at the row itself."""
    count = np.diff(links.start)
    cells, site = cell.cells[first // cell.n_site], first % cell.n_site
    row, _ = _row_of(cell, axis, period, cells, site)
    out = np.repeat((row * 3 * width + halo)[:, None], max(int(count.max(initial=0)), 1), axis=1)
    for s in range(cell.n_site):
        here = np.flatnonzero(site == s)
        for column, link in enumerate(range(links.start[s], links.start[s + 1])):
            where = cells[here] + links.offset[link]
            target, shift = _row_of(cell, axis, period, where, links.target[link])
            out[here, column] = target * 3 * width + halo + shift
    return out
