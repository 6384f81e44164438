"""The interactions as one spin meets them: every bond from both of its ends, those between the same two sites as one.

    E = ½ Σ_i Σ_links S_i·M·S_j + Σ_i S_i·A·S_i − Σ_i f_i·S_i + ½ Σ_i Σ_squares b (S_i·R·S_j)² + constant

What simulations of classical spins run on, linear in the couplings like the table it is made from. Dipoles are not
among the links: they reach all spins.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..errors import check_shape
from ..lattice.crystal import read_only
from ..lattice.supercell import Supercell
from .biquadratic import biquadratic_parts
from .conditions import Conditions
from .model import Model
from .zeeman import zeeman_field


class Links(NamedTuple):
    """Interactions of the sites of one chemical cell at given couplings and field.

    The links of site s are the rows ``start[s]`` to ``start[s + 1]``; likewise the squares.

    Parameters
    ----------
    start : (n_site + 1,) int64
    target : (n_link,) int64
        Site at the other end.
    offset : (n_link, 3) int64
        Its chemical cell relative to that of site s.
    matrix : (n_link, 3, 3) float64, meV
        M in S_s·M·S_target.
    onsite : (n_site, 3, 3) float64, meV
        A, symmetric.
    field : (n_site, 3) float64, meV
        f = −μ_B B·g.
    square_start : (n_site + 1,) int64
    square_target : (n_square,) int64
    square_offset : (n_square, 3) int64
    square_turn : (n_square, 3, 3) float64
        R.
    square_strength : (n_square,) float64, meV
        b.
    constant : float, meV
        For each chemical cell.
    """

    start: np.ndarray
    target: np.ndarray
    offset: np.ndarray
    matrix: np.ndarray
    onsite: np.ndarray
    field: np.ndarray
    square_start: np.ndarray
    square_target: np.ndarray
    square_offset: np.ndarray
    square_turn: np.ndarray
    square_strength: np.ndarray
    constant: float


@dataclass(frozen=True, eq=False)
class LinkTable:
    """:class:`Links` of every coupling at unit strength; :func:`link_table` makes it, :meth:`at` contracts it.

    Parameters
    ----------
    start, target, offset : as in :class:`Links`
    unit : (n_parameter, n_link, 3, 3) float64, dimensionless
    onsite_unit : (n_parameter, n_site, 3, 3) float64, dimensionless
    square_start, square_target, square_offset, square_turn : as in :class:`Links`
    square_unit : (n_parameter, n_square) float64, dimensionless
    constant_unit : (n_parameter,) float64, dimensionless
    """

    start: np.ndarray
    target: np.ndarray
    offset: np.ndarray
    unit: np.ndarray
    onsite_unit: np.ndarray
    square_start: np.ndarray
    square_target: np.ndarray
    square_offset: np.ndarray
    square_turn: np.ndarray
    square_unit: np.ndarray
    constant_unit: np.ndarray

    def __post_init__(self):
        for name in self.__dataclass_fields__:
            array = np.asarray(getattr(self, name))
            object.__setattr__(self, name, read_only(array, array.dtype))

    @property
    def n_site(self):
        """Number of sites of the chemical cell."""
        return len(self.start) - 1

    @property
    def source(self):
        """Site at the near end of each link, (n_link,) int64."""
        return np.repeat(np.arange(self.n_site), np.diff(self.start))

    @property
    def square_source(self):
        """Site at the near end of each square, (n_square,) int64."""
        return np.repeat(np.arange(self.n_site), np.diff(self.square_start))

    def at(self, theta, *, field=None) -> Links:
        """Return the links at given couplings.

        Parameters
        ----------
        theta : (n_parameter,) float64, meV
        field : (n_site, 3) float64, optional, meV
            As :func:`spinscape.hamiltonian.zeeman.zeeman_field` gives it; zero where left out.

        Returns
        -------
        Links
        """
        theta = np.asarray(theta, dtype=np.float64)
        check_shape("theta", theta, (len(self.unit),))
        return Links(
            self.start,
            self.target,
            self.offset,
            np.tensordot(theta, self.unit, 1),
            np.tensordot(theta, self.onsite_unit, 1),
            np.zeros((self.n_site, 3)) if field is None else np.array(field, dtype=np.float64),
            self.square_start,
            self.square_target,
            self.square_offset,
            self.square_turn,
            theta @ self.square_unit,
            float(theta @ self.constant_unit),
        )


def link_table(model: Model) -> LinkTable:
    """Return the :class:`LinkTable` of a model; dipoles are left to those who sum them."""
    squares = model.biquadratic
    parts = biquadratic_parts(squares, model.crystal.spins)
    bonds = model.bonds
    start, target, offset, unit = _both_ends(
        model,
        np.concatenate([bonds.site_i, squares.site_i]),
        np.concatenate([bonds.site_j, squares.site_j]),
        np.concatenate([bonds.offset, squares.offset]),
        np.concatenate([bonds.parameter, squares.parameter]),
        np.concatenate([bonds.matrix, parts.bilinear[:, None, None] * squares.turn]),
    )
    onsite = np.zeros((model.n_parameter, model.crystal.n_site, 3, 3))
    symmetric = 0.5 * (model.onsite.matrix + model.onsite.matrix.swapaxes(1, 2))
    np.add.at(onsite, (model.onsite.parameter, model.onsite.site), symmetric)
    constant = np.bincount(squares.parameter, weights=parts.constant, minlength=model.n_parameter)
    squares_of = _square_ends(model, parts)
    return LinkTable(start, target, offset, unit, onsite, **squares_of, constant_unit=constant)


def _both_ends(model, site_i, site_j, offset, parameter, matrix):
    """Return start, target, offset and unit matrices of bonds seen from both ends, equal links merged."""
    source = np.concatenate([site_i, site_j])
    rows = np.column_stack([source, np.concatenate([site_j, site_i]), np.concatenate([offset, -offset])])
    found, index = np.unique(rows, axis=0, return_inverse=True)
    unit = np.zeros((model.n_parameter, len(found), 3, 3))
    both = np.concatenate([matrix, matrix.swapaxes(1, 2)])
    np.add.at(unit, (np.tile(parameter, 2), index.reshape(-1)), both)
    keep = np.any(unit != 0, axis=(0, 2, 3))
    found, unit = found[keep].astype(np.int64), unit[:, keep]
    return _starts(found[:, 0], model.crystal.n_site), found[:, 1], found[:, 2:], unit


def _square_ends(model, parts):
    """Return the columns of the squares seen from both ends, by name."""
    table = model.biquadratic
    n = table.n_bond
    source = np.concatenate([table.site_i, table.site_j])
    order = np.argsort(source, kind="stable")
    unit = np.zeros((model.n_parameter, 2 * n))
    unit[np.tile(table.parameter, 2), np.arange(2 * n)] = np.tile(parts.quartic, 2)
    return {
        "square_start": _starts(source[order], model.crystal.n_site),
        "square_target": np.concatenate([table.site_j, table.site_i])[order],
        "square_offset": np.concatenate([table.offset, -table.offset])[order],
        "square_turn": np.concatenate([table.turn, table.turn.swapaxes(1, 2)])[order],
        "square_unit": unit[:, order],
    }


def _starts(source, n_site):
    """Return where the rows of each site begin in a sorted column of sites, (n_site + 1,)."""
    return np.searchsorted(source, np.arange(n_site + 1)).astype(np.int64)


def links_at(model: Model, theta, conditions: Conditions | None = None) -> Links:
    """Return the :class:`Links` of a model at couplings and field; for one use (:func:`link_table` for many)."""
    return link_table(model).at(theta, field=zeeman_field(model, conditions or Conditions()))


def neighbour_table(cell: Supercell, start, target, offset) -> np.ndarray:
    """Return the spin at the far end of every link of every spin of a supercell.

    Parameters
    ----------
    cell : Supercell
    start, target, offset : as in :class:`Links` (those of the squares likewise)

    Returns
    -------
    (n_spin, max_link) int64
        In the order of the site's links, padded with −1.
    """
    count = np.diff(start)
    out = np.full((cell.n_cell, cell.n_site, int(count.max(initial=0))), -1, dtype=np.int64)
    source = np.repeat(np.arange(cell.n_site), count)
    column = np.arange(len(target)) - np.asarray(start)[source]
    for link, (site, at) in enumerate(zip(source, column, strict=True)):
        out[:, site, at] = cell.site_index(target[link], cell.cells + offset[link])
    return out.reshape(cell.n_spin, -1)
