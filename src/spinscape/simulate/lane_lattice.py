"""Spins of a supercell dealt out to the lanes of a vector register.

The cells of a periodic supercell are a group under translation. Its subgroups of LANES elements (or fewer) that hold no
offset of an interaction are what is looked for: the cells of one coset never meet, so that their spins are one vector
and move at once. The neighbours of a coset by one offset are again a coset, its lanes permuted by an element of the
subgroup; vectors that are needed in permuted order are kept as copies. This holds for any lattice, any basis, any
supercell, diagonal or not, that has such a subgroup.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..kernels.lane_field import BLOCK, LaneLattice
from ..kernels.simd import LANES
from ..lattice.supercell import Supercell, supercell
from .spin_system import SpinSystem

FEWEST = 4
"""Lanes in use below which vectors do not pay."""


@dataclass(frozen=True, eq=False)
class LaneLayout:
    """How spins are dealt out: :func:`lane_layout` makes it.

    Parameters
    ----------
    lattice : LaneLattice
        For the kernels.
    member : (n_group, LANES) int64
        Index of the spin in each lane; −1 in lanes that idle.
    n_row : int
        Rows of the spin array: groups and copies.
    """

    lattice: LaneLattice
    member: np.ndarray
    n_row: int

    @property
    def order(self):
        """The order in which spins are moved, (n_spin,) int64: spins of a group are in no order among themselves."""
        return self.member[self.member >= 0]


@lru_cache(maxsize=8)
def lane_layout(system: SpinSystem) -> LaneLayout | None:
    """Return the best layout for a system, or None where it has none: small or odd supercells.

    Kept for the systems seen last: all replicas and points of a study share one.
    """
    table, cell = system.table, system.cell
    ends = [(table.source, table.target, table.offset), (table.square_source, table.square_target, table.square_offset)]
    source, target, offset = (np.concatenate(column) for column in zip(*ends, strict=True))
    coarse = _coarse_cell(cell, offset, offset[source == target])
    if coarse is None:
        return None
    return _Dealer(system, coarse).layout()


def _coarse_cell(cell, offset, forbidden):
    """Return the superlattice that the cosets repeat on, with the fewest copies; None where there is none."""
    offset = np.unique(np.concatenate([np.zeros((1, 3), dtype=np.int64), offset]), axis=0)
    for n_lane in range(LANES, FEWEST - 1, -1):
        found = [coarse for coarse in _finer_lattices(cell, n_lane) if not _holds(coarse, forbidden)]
        if found:
            return min(found, key=lambda coarse: _copies(coarse, cell, offset))
    return None


def _finer_lattices(cell, index):
    """Yield the lattices that hold the supercell's with a given index, and are integer."""
    for a in range(1, index + 1):
        for b in range(1, index // a + 1):
            if index % (a * b):
                continue
            c = index // (a * b)
            for p in range(a):
                for q in range(a):
                    for r in range(b):
                        # Rows of the supercell = (upper triangular) · rows of the finer lattice, whose basis is free:
                        # entries of a row below its diagonal one.
                        inverse = np.array([[b * c, -p * c, p * r - q * b], [0, a * c, -a * r], [0, 0, a * b]])
                        rows = inverse @ cell.hermite
                        if not np.any(rows % index):
                            yield supercell(rows // index, n_site=cell.n_site)


def _holds(coarse, offsets):
    """Return whether any of the offsets is a vector of a lattice."""
    return len(offsets) > 0 and bool(np.any(coarse.cell_index(offsets) == 0))


def _copies(coarse, cell, offsets):
    """Return about how many copies a group has, and the size of a plane of groups, to choose by."""
    sizes, straight = np.array(coarse.shape), np.count_nonzero(coarse.hermite) + np.count_nonzero(cell.hermite) == 6
    # Around an axis that is not divided among lanes, neighbours are groups as they are.
    split = (sizes < np.array(cell.shape)) | (not straight)
    crossing = np.where(split, np.minimum(np.abs(offsets) / sizes, 1.0), 0.0)
    return round(float(np.sum(1.0 - np.prod(1.0 - crossing, axis=1))), 6), sizes[1] * sizes[2]


class _Dealer:
    """Deals the spins of a supercell out to cosets of a finer lattice."""

    def __init__(self, system: SpinSystem, coarse: Supercell):
        self.system, self.cell, self.coarse = system, system.cell, coarse
        # The supercell's lattice in terms of the finer one: the lanes are the cells of this small supercell.
        inside = np.rint(self.cell.hermite @ np.linalg.inv(coarse.hermite)).astype(np.int64)
        self.inner = supercell(inside, n_site=1)
        table = system.table
        self.links = self._far_ends(table.start, table.target, table.offset)
        self.squares = self._far_ends(table.square_start, table.square_target, table.square_offset)
        self.ends = np.concatenate([self.links[0], self.squares[0]], axis=1)
        self.order = self._update_order()

    def _update_order(self):
        """Return the order of (cell, site): plane by plane, colour by colour, so that neighbours are rarely in turn.

        Groups of one plane and colour are a batch: their fields are made together, and none waits for another.
        """
        cells, n_site = np.repeat(self.coarse.cells, self.cell.n_site, axis=0), self.cell.n_site
        site = np.tile(np.arange(n_site), self.coarse.n_cell)
        colour = _colours(self.ends, cells[:, 0])
        return np.lexsort((cells[:, 2], cells[:, 1], site, colour, cells[:, 0]))

    def _members(self):
        """Return the spin in each lane of each group in the order of updates, (n_group, LANES)."""
        member = np.full((self.coarse.n_cell, self.cell.n_site, LANES), -1, dtype=np.int64)
        for lane, step in enumerate(self.inner.cells):
            shifted = self.coarse.cells + step @ self.coarse.hermite
            member[:, :, lane] = self.cell.site_index(np.arange(self.cell.n_site), shifted[:, None, :])
        return member.reshape(-1, LANES)[self.order]

    def _turns(self):
        """Return the permutation of lanes by each translation, (LANES, LANES); idle lanes stay."""
        turn = np.tile(np.arange(LANES), (LANES, 1))
        steps = self.inner.cells
        turn[: len(steps), : len(steps)] = self.inner.cell_index(steps[:, None] + steps[None, :])
        return turn

    def _far_ends(self, start, target, offset):
        """Return coset and turn of the neighbours of every coset, (n_group, max_link) each, padded with −1 and 0."""
        count = np.diff(start)
        coset = np.full((self.coarse.n_cell, self.cell.n_site, int(count.max(initial=0))), -1, dtype=np.int64)
        turn = np.zeros_like(coset)
        inverse = np.linalg.inv(self.coarse.hermite)
        for s in range(self.cell.n_site):
            for at, link in enumerate(range(start[s], start[s + 1])):
                there = self.coarse.cells + offset[link]
                index = self.coarse.cell_index(there)
                crossed = np.rint((there - self.coarse.cells[index]) @ inverse).astype(np.int64)
                coset[:, s, at] = index * self.cell.n_site + target[link]
                turn[:, s, at] = self.inner.cell_index(crossed)
        shape = (self.coarse.n_cell * self.cell.n_site, coset.shape[2])
        return coset.reshape(shape), turn.reshape(shape)

    def _ordered(self, ends):
        """Return groups and turns of neighbours with rows and groups in the order of updates."""
        rank = np.empty(len(self.order), dtype=np.int64)
        rank[self.order] = np.arange(len(self.order))
        coset, turn = ends
        return np.where(coset >= 0, rank[coset], 0)[self.order], turn[self.order]

    def layout(self):
        """Return the :class:`LaneLayout`."""
        n_group, member = len(self.order), self._members()
        links, squares = self._ordered(self.links), self._ordered(self.squares)
        wanted = np.concatenate([(group * LANES + turn).ravel() for group, turn in (links, squares)])
        copies = np.unique(wanted[wanted % LANES != 0])
        # A copy of a group is a row after all groups; without a turn it is the group itself.
        slot, square_slot = (
            np.where(turn == 0, group, n_group + np.searchsorted(copies, group * LANES + turn))
            for group, turn in (links, squares)
        )
        lengths = np.where(self.system.occupied, self.system.lengths[self.system.site], 0.0)
        lattice = LaneLattice(
            site=self.order % self.cell.n_site,
            length=np.where(member >= 0, lengths[member], 0.0),
            slot=slot,
            square_slot=square_slot,
            batch_start=_batches(self.ends, self.order),
            copy_start=np.searchsorted(copies // LANES, np.arange(n_group + 1)).astype(np.int64),
            copy_origin=copies // LANES,
            copy_slot=np.arange(n_group, n_group + len(copies)),
            copy_turn=copies % LANES,
            turn=self._turns(),
        )
        return LaneLayout(lattice, member, n_group + len(copies))


def _colours(ends, plane):
    """Return numbers for groups such that no two neighbours in one plane have the same, given each one's neighbours."""
    colour = np.full(len(ends), -1, dtype=np.int64)
    inside = [row[(row >= 0) & (plane[row] == at)] for row, at in zip(ends, plane, strict=True)]
    for group, row in enumerate(inside):
        used = set(colour[row].tolist())
        colour[group] = next(k for k in range(len(used) + 1) if k not in used)
    return colour


def _batches(ends, order):
    """Return where batches start in an order: no neighbours within one, and BLOCK groups at most."""
    starts, batch, rows = [0], set(), ends.tolist()
    for at, group in enumerate(order.tolist()):
        if len(batch) == BLOCK or not batch.isdisjoint(rows[group]):
            starts.append(at)
            batch = set()
        batch.add(group)
    return np.array([*starts, len(order)], dtype=np.int64)
