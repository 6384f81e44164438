"""What the engines of short-ranged interactions hand to their kernels, made from a system at given couplings."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from ..errors import ConfigError
from ..hamiltonian.links import Links, neighbour_table
from ..kernels.lane_field import Couplings
from ..kernels.single_spin import PlainLattice
from .spin_system import SpinSystem


@lru_cache(maxsize=8)
def plain_lattice(system: SpinSystem) -> PlainLattice:
    """Return the neighbours of every spin; kept for the systems seen last."""
    table, cell = system.table, system.cell
    return PlainLattice(
        order=np.flatnonzero(system.occupied),
        site=system.site,
        length=np.where(system.occupied, system.lengths[system.site], 0.0),
        near=neighbour_table(cell, table.start, table.target, table.offset),
        square_near=neighbour_table(cell, table.square_start, table.square_target, table.square_offset),
    )


def couplings_from_links(links: Links, system: SpinSystem) -> Couplings:
    """Return the interactions as the kernels of vector spins take them, in the energy unit of the links."""
    strength = np.trace(links.matrix, axis1=1, axis2=2) / 3.0
    even = strength[:, None, None] * np.eye(3)
    curved = (np.diff(links.square_start) > 0) | np.any(links.onsite != 0.0, axis=(1, 2))
    return Couplings(
        start=links.start,
        strength=strength,
        matrix=np.ascontiguousarray(links.matrix),
        # To rounding: couplings that are sums of three diagonal terms count as even too.
        scalar=bool(np.all(np.abs(links.matrix - even) <= 1e-15 * np.abs(strength)[:, None, None])),
        onsite=links.onsite,
        field=links.field,
        square_start=links.square_start,
        square_turn=np.ascontiguousarray(links.square_turn),
        square_strength=links.square_strength,
        curved=curved,
        any_curved=bool(curved.any()),
        planar=np.array([kind == "xy" for kind in system.kind]),
        line=np.array([kind == "ising" for kind in system.kind]),
        frame=np.stack([_frame(axis) for axis in system.axis]),
    )


def _frame(axis):
    """Return two directions across an axis, and the axis; the Cartesian ones where there is none."""
    if not np.any(axis):
        return np.eye(3)
    side = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis))])
    side /= np.linalg.norm(side)
    return np.stack([side, np.cross(axis, side), axis])


class LinkHalves(NamedTuple):
    """Each link in one of its two directions, and the strengths of couplings in it.

    Parameters
    ----------
    keep : (n_link,) bool
    unit : (n_parameter, n_link * 9) float64
        Unit matrices, flat; zero in links that are not kept.
    onsite : (n_parameter, n_site * 9) float64
    constant : (n_parameter,) float64
        Of the whole supercell.
    """

    keep: np.ndarray
    unit: np.ndarray
    onsite: np.ndarray
    constant: np.ndarray


@lru_cache(maxsize=8)
def link_halves(system: SpinSystem) -> LinkHalves:
    """Return one direction of every link; kept for the systems seen last."""
    table = system.table
    rows = np.column_stack([table.source, table.target, table.offset]).tolist()
    back = np.column_stack([table.target, table.source, -table.offset]).tolist()
    keep = np.array([row <= reverse for row, reverse in zip(rows, back, strict=True)], dtype=bool)
    n_parameter = len(table.unit)
    unit = np.where(keep[:, None, None], table.unit, 0.0).reshape(n_parameter, 9 * len(keep))
    onsite = table.onsite_unit.reshape(n_parameter, -1)
    return LinkHalves(keep, unit, onsite, system.cell.n_cell * table.constant_unit)


@lru_cache(maxsize=8)
def ising_units(system: SpinSystem):
    """Return what the couplings are to Ising spins at unit strength; kept for the systems seen last.

    A biquadratic term is a constant: (S_i·R·S_j)² does not know of signs; so is a single-site term.

    Returns
    -------
    strength : (n_parameter, n_link) float64, dimensionless
        Of σ_i σ_j in each link.
    constant : (n_parameter,) float64, dimensionless
        Of the whole supercell.
    """
    table, axis = system.table, system.axis * system.lengths[:, None]
    strength = np.einsum("la,klab,lb->kl", axis[table.source], table.unit, axis[table.target])
    occupied = system.occupied.reshape(system.cell.n_cell, -1)
    onsite = np.einsum("ksab,sa,sb,s->k", table.onsite_unit, axis, axis, occupied.sum(axis=0).astype(np.float64))
    product = np.einsum("la,lab,lb->l", axis[table.square_source], table.square_turn, axis[table.square_target])
    lattice, there = plain_lattice(system), system.occupied
    pairs = np.zeros(len(product))
    for row, site in enumerate(table.square_source):
        spin = np.flatnonzero(system.site == site)
        far = lattice.square_near[spin, row - table.square_start[site]]
        pairs[row] = np.count_nonzero(there[spin] & there[far])
    square = 0.5 * table.square_unit @ (pairs * product**2)
    return strength, onsite + square + system.cell.n_cell * table.constant_unit


def check_short_ranged(system: SpinSystem, where: str):
    """Raise :class:`ConfigError` where a system has dipoles, which reach all spins."""
    n_row = system.model.dipolar.n_row
    if n_row:
        raise ConfigError(
            "dipoles reach beyond the neighbours",
            where=where,
            expected="bonds and on-site terms only",
            got=f"{n_row} rows of dipoles",
            fix="take the engine of long-ranged interactions",
        )


def check_moves(moves, supports, where: str):
    """Raise :class:`ConfigError` where one of some moves is not among those that an engine makes."""
    for move in moves:
        if move.kind not in supports:
            raise ConfigError(
                "spins of this system do not move like this",
                where=f"{where}: move {move.kind}",
                expected=f"one of {', '.join(sorted(supports))}",
                got=move.kind,
            )


def run_seed(seed):
    """Return two 64-bit words as an array; raise :class:`ConfigError` where they are not."""
    words = np.asarray(seed)
    if words.shape != (2,) or words.dtype.kind not in "iu":
        raise ConfigError("a seed is two 64-bit words", where="seed", expected="(2,) uint64", got=words.tolist())
    return words.astype(np.uint64)


def count_moves(moves, n_spin, n_round, accepted):
    """Return attempted and accepted moves by kind."""
    out: dict[str, tuple[int, int]] = {}
    for move, done in zip(moves, accepted, strict=True):
        tried, so_far = out.get(move.kind, (0, 0))
        out[move.kind] = (tried + n_spin * move.n * n_round, so_far + int(done))
    return out
