"""The classical spins of a supercell and what holds them: all of a simulation that does not depend on the couplings."""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, check_shape
from ..hamiltonian.links import LinkTable, link_table
from ..hamiltonian.model import Model
from ..lattice.crystal import read_only
from ..lattice.supercell import Supercell, supercell

_SAME_LENGTH = 1e-6
"""Å. Two lengths that differ by less are equal."""


@dataclass(frozen=True, eq=False)
class SpinSystem:
    """The spins of a periodic supercell. Make it with :func:`spin_system`.

    Parameters
    ----------
    model : Model
    cell : Supercell
    table : LinkTable
        Interactions of each coupling, dipoles left out.
    occupied : (n_spin,) bool
        False at a vacancy: its spin is zero and is never moved.
    """

    model: Model
    cell: Supercell
    table: LinkTable
    occupied: np.ndarray

    def __post_init__(self):
        object.__setattr__(self, "occupied", read_only(self.occupied, bool))
        check_shape("occupied", self.occupied, (self.cell.n_spin,), hint="one for each spin of the supercell")

    @property
    def kind(self):
        """How the spin of each chemical site may point: tuple of str, length n_site."""
        return self.model.crystal.kind

    @property
    def axis(self):
        """Axis of each chemical site, (n_site, 3): see :class:`~spinscape.lattice.crystal.Crystal`."""
        return self.model.crystal.axis

    @property
    def lengths(self):
        """Spin length of each chemical site, (n_site,)."""
        return self.model.crystal.spins

    @property
    def n_spin(self):
        """Number of sites of the supercell, vacancies among them."""
        return self.cell.n_spin

    @property
    def n_occupied(self):
        """Number of spins."""
        return int(self.occupied.sum())

    @property
    def site(self):
        """Chemical site of every spin, (n_spin,) int64."""
        return np.tile(np.arange(self.cell.n_site), self.cell.n_cell)

    @property
    def positions(self):
        """Cartesian position of every spin, (n_spin, 3) float64, Å."""
        crystal = self.model.crystal
        return ((self.cell.cells[:, None] + crystal.positions[None]).reshape(-1, 3)) @ crystal.vectors

    def random_spins(self, generator):
        """Return spins drawn evenly from what each may be, (n_spin, 3) float64; vacancies are zero."""
        spins = generator.normal(size=(self.n_spin, 3))
        axis = self.axis[self.site]
        along = np.sum(spins * axis, axis=1, keepdims=True)
        kind = np.array(self.kind)[self.site][:, None]
        spins = np.where(kind == "ising", np.where(along < 0, -axis, axis), spins)
        spins = np.where(kind == "xy", spins - along * axis, spins)
        spins *= (self.lengths[self.site] / np.linalg.norm(spins, axis=1))[:, None]
        return spins * self.occupied[:, None]

    def check_spins(self, spins):
        """Return spins as (n_spin, 3) float64, or raise where they are not what this system may hold."""
        spins = np.array(spins, dtype=np.float64)
        check_shape("spins", spins, (self.n_spin, 3), hint="Spins are rows, with the index cell * n_site + site.")
        length = np.where(self.occupied, self.lengths[self.site], 0.0)
        off = np.abs(np.linalg.norm(spins, axis=1) - length)
        along = np.abs(np.sum(spins * self.axis[self.site], axis=1))
        kind = np.array(self.kind)[self.site]
        off = np.where(kind == "ising", np.maximum(off, np.abs(along - length)), off)
        off = np.where(kind == "xy", np.maximum(off, along), off)
        worst = int(np.argmax(off))
        if not off[worst] <= 1e-8 * max(float(length.max()), 1.0):
            raise ConfigError(
                "a spin is not what its site may hold",
                where=f"spin {worst}",
                expected=f"{kind[worst]}, length {length[worst]:g}",
                got=spins[worst].tolist(),
            )
        return spins


def spin_system(model: Model, cell: Supercell, *, occupied=None) -> SpinSystem:
    """Return the spins of a supercell that is large enough for the exchange.

    Parameters
    ----------
    model : Model
    cell : Supercell
    occupied : (n_spin,) bool, optional
        False where a site is vacant; all are occupied where left out.

    Returns
    -------
    SpinSystem

    Raises
    ------
    ConfigError
        Where a spin would meet an image of its neighbour, or of itself: a bond longer than half of the shortest
        vector of the supercell.
    """
    table = link_table(model)
    reach = exchange_range(model, table)
    shortest = shortest_vector(cell.matrix @ model.crystal.vectors)
    if 2.0 * reach > shortest + _SAME_LENGTH:
        raise ConfigError(
            "the supercell is smaller than twice the range of the exchange",
            where="supercell",
            expected=f"no two images of a site nearer than {2.0 * reach:.4g} Å, twice the longest bond",
            got=f"{cell.matrix.tolist()}, in which they are {shortest:.4g} Å apart",
            fix=f"the smallest block of cells that fits is {list(smallest_block(model.crystal.vectors, 2.0 * reach))}",
        )
    full = np.ones(cell.n_spin, dtype=bool)
    return SpinSystem(model, cell, table, full if occupied is None else occupied)


def exchange_range(model, table):
    """Return the length of the longest bond of any coupling, Å; dipoles are not counted."""
    position = model.crystal.positions
    ways = [(table.source, table.target, table.offset)]
    ways.append((table.square_source, table.square_target, table.square_offset))
    length = [np.linalg.norm((position[t] + o - position[s]) @ model.crystal.vectors, axis=1) for s, t, o in ways]
    return float(np.concatenate(length).max(initial=0.0))


def shortest_vector(vectors):
    """Return the length of the shortest vector of a lattice that is not zero, Å; ``vectors`` (3, 3) are rows."""
    # No shortest vector is longer than the shortest row, which bounds its coefficients by the dual lattice.
    bound = float(np.linalg.norm(vectors, axis=1).min())
    reach = np.floor(bound * np.linalg.norm(np.linalg.inv(vectors), axis=0) + 1e-9).astype(np.int64)
    steps = np.stack(np.meshgrid(*[np.arange(-n, n + 1) for n in reach], indexing="ij"), axis=-1).reshape(-1, 3)
    return float(np.linalg.norm(steps[np.any(steps != 0, axis=1)] @ vectors, axis=1).min())


def smallest_block(vectors, length):
    """Return the least numbers of cells along each axis whose block has no vector shorter than ``length``, (3,) int.

    >>> smallest_block(np.eye(3), 2.8)
    (3, 3, 3)
    """
    # Along an axis at least this many, whatever the others are; a skew cell may need more.
    numbers = np.maximum(np.ceil((length - _SAME_LENGTH) / np.linalg.norm(vectors, axis=1)), 1).astype(np.int64)
    while shortest_vector(numbers[:, None] * vectors) < length - _SAME_LENGTH:
        numbers[np.argmin(np.linalg.norm(numbers[:, None] * vectors, axis=1))] += 1
    return tuple(int(n) for n in numbers)


def block(model: Model, numbers) -> Supercell:
    """Return the supercell of a model: three numbers of cells, or a 3×3 integer matrix."""
    return supercell(numbers, n_site=model.crystal.n_site)
