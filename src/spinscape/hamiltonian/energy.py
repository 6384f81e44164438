"""Classical energy and effective field of a spin configuration: the plain reference that kernels are tested against.

E(S; θ) = Σ_k θ_k E_k(S) + μ_B Σ_i B·g_i·S_i,   h_i = −∂E/∂S_i

Dipoles are those of the infinite lattice of copies of the supercell, without demagnetising field.
"""

from typing import NamedTuple

import numpy as np

from ..errors import check_shape
from ..lattice.supercell import Supercell
from .biquadratic import biquadratic_parts
from .conditions import Conditions
from .dipole_sums import dipole_couplings
from .model import Model
from .zeeman import zeeman_field

__all__ = ["PairList", "bond_pairs", "coupling_energies", "effective_field", "energy", "pair_list", "zeeman_field"]


class PairList(NamedTuple):
    """Every bond of a model in a supercell.

    Parameters
    ----------
    first, second : (n_pair,) int64
        Indices of the two spins.
    parameter : (n_pair,) int64
    matrix : (n_pair, 3, 3) float64
    """

    first: np.ndarray
    second: np.ndarray
    parameter: np.ndarray
    matrix: np.ndarray


def pair_list(model: Model, cell: Supercell) -> PairList:
    """Return every bond of a model in a supercell, each once: :class:`PairList`."""
    model.check_bilinear("a list of pairs of spins")
    return bond_pairs(model, cell)


def bond_pairs(model: Model, cell: Supercell) -> PairList:
    """Return :class:`PairList` of the bonds of a model that may have other terms too."""
    bonds = model.bonds
    first, second = cell.bond_ends(bonds.site_i, bonds.site_j, bonds.offset)
    return PairList(
        first.ravel(),
        second.ravel(),
        np.repeat(bonds.parameter, cell.n_cell),
        np.repeat(bonds.matrix, cell.n_cell, axis=0),
    )


def _single_list(model, cell):
    """Return spin index, coupling and matrix of every on-site term in a supercell."""
    onsite = model.onsite
    spin = np.arange(cell.n_cell)[None, :] * cell.n_site + onsite.site[:, None]
    return spin.ravel(), np.repeat(onsite.parameter, cell.n_cell), np.repeat(onsite.matrix, cell.n_cell, axis=0)


class _BiquadraticPairs(NamedTuple):
    """Every biquadratic bond of a model in a supercell: quartic (S_i·R·S_j)² + bilinear S_i·R·S_j + constant."""

    first: np.ndarray
    second: np.ndarray
    parameter: np.ndarray
    turn: np.ndarray
    quartic: np.ndarray
    bilinear: np.ndarray
    constant: np.ndarray

    def product(self, spins):
        """Return S_i·R·S_j of each bond."""
        return np.einsum("na,nab,nb->n", spins[self.first], self.turn, spins[self.second])


def _biquadratic_pairs(model, cell):
    table, parts = model.biquadratic, biquadratic_parts(model.biquadratic, model.crystal.spins)
    first, second = cell.bond_ends(table.site_i, table.site_j, table.offset)
    columns = (table.parameter, table.turn, parts.quartic, parts.bilinear, parts.constant)
    return _BiquadraticPairs(first.ravel(), second.ravel(), *(np.repeat(x, cell.n_cell, axis=0) for x in columns))


def _dipole_pull(model, spins, cell):
    """Return Σ_j M_ij S_j of dipoles of unit strength, (n_spin, 3)."""
    crystal = model.crystal
    moments = np.einsum("jab,cjb->cja", crystal.g, spins.reshape(cell.n_cell, cell.n_site, 3))
    tensors = dipole_couplings(crystal, cell)
    out = np.zeros_like(moments)
    for r, step in enumerate(cell.cells):
        neighbours = moments[cell.cell_index(cell.cells + step)]
        out += np.einsum("ijab,cjb->cia", tensors[:, r], neighbours)
    return np.einsum("iab,cia->cib", crystal.g, out).reshape(-1, 3)


def coupling_energies(model: Model, spins, *, cell: Supercell) -> np.ndarray:
    """Return the energy of each coupling at unit strength, E_k in E = Σ_k θ_k E_k + E_Zeeman.

    Parameters
    ----------
    model : Model
    spins : (n_spin, 3) float64
        Vectors of length S, in the order of :class:`~spinscape.lattice.supercell.Supercell`.
    cell : Supercell

    Returns
    -------
    (n_parameter,) float64, dimensionless
        Of the whole supercell.
    """
    spins = _checked_spins(spins, cell)
    pairs = bond_pairs(model, cell)
    bond = np.einsum("na,nab,nb->n", spins[pairs.first], pairs.matrix, spins[pairs.second])
    spin, parameter, matrix = _single_list(model, cell)
    single = np.einsum("na,nab,nb->n", spins[spin], matrix, spins[spin])
    more = _biquadratic_pairs(model, cell)
    product = more.product(spins)
    far = model.dipolar
    dipoles = 0.5 * np.sum(spins * _dipole_pull(model, spins, cell)) * far.factor if far.n_row else np.zeros(0)
    quartic = more.quartic * product**2 + more.bilinear * product + more.constant
    return np.bincount(
        np.concatenate([pairs.parameter, parameter, more.parameter, far.parameter]),
        weights=np.concatenate([bond, single, quartic, dipoles]),
        minlength=model.n_parameter,
    )


def energy(model: Model, spins, theta, *, cell: Supercell, conditions: Conditions | None = None) -> float:
    """Return the classical energy of a supercell.

    Parameters
    ----------
    model : Model
    spins : (n_spin, 3) float64
    theta : (n_parameter,) float64, meV
    cell : Supercell
    conditions : Conditions, optional

    Returns
    -------
    float, meV
    """
    spins, theta = _checked_spins(spins, cell), _checked_theta(model, theta)
    zeeman = -np.tile(zeeman_field(model, conditions or Conditions()), (cell.n_cell, 1))
    return float(theta @ coupling_energies(model, spins, cell=cell) + np.sum(zeeman * spins))


def effective_field(model: Model, spins, theta, *, cell: Supercell, conditions: Conditions | None = None) -> np.ndarray:
    """Return the effective field −∂E/∂S on every spin; arguments as of :func:`energy`.

    Returns
    -------
    (n_spin, 3) float64, meV
        The spin i of a bond feels −M S_j, the spin j feels −Mᵀ S_i.
    """
    spins, theta = _checked_spins(spins, cell), _checked_theta(model, theta)
    field = np.tile(zeeman_field(model, conditions or Conditions()), (cell.n_cell, 1))
    pairs = bond_pairs(model, cell)
    scaled = theta[pairs.parameter, None, None] * pairs.matrix
    np.subtract.at(field, pairs.first, np.einsum("nab,nb->na", scaled, spins[pairs.second]))
    np.subtract.at(field, pairs.second, np.einsum("nab,na->nb", scaled, spins[pairs.first]))
    spin, parameter, matrix = _single_list(model, cell)
    both = theta[parameter, None, None] * (matrix + matrix.transpose(0, 2, 1))
    np.subtract.at(field, spin, np.einsum("nab,nb->na", both, spins[spin]))
    more = _biquadratic_pairs(model, cell)
    slope = theta[more.parameter] * (2.0 * more.quartic * more.product(spins) + more.bilinear)
    turned = slope[:, None, None] * more.turn
    np.subtract.at(field, more.first, np.einsum("nab,nb->na", turned, spins[more.second]))
    np.subtract.at(field, more.second, np.einsum("nab,na->nb", turned, spins[more.first]))
    strength = float(np.sum(theta[model.dipolar.parameter] * model.dipolar.factor))
    return field - strength * _dipole_pull(model, spins, cell) if strength else field


def _checked_spins(spins, cell):
    spins = np.asarray(spins, dtype=np.float64)
    check_shape("spins", spins, (cell.n_spin, 3), hint="Spins are rows, with the index cell * n_site + site.")
    return spins


def _checked_theta(model, theta):
    theta = np.asarray(theta, dtype=np.float64)
    check_shape("theta", theta, (model.n_parameter,), hint=f"couplings {', '.join(model.parameter_names)}")
    return theta
