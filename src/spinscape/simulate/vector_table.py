"""Couplings of vector spins that all interact: made once for a geometry, for all points of a grid and replicas."""

from dataclasses import dataclass

import numpy as np

from ..hamiltonian.dipole_sums import commensurate_waves, dipole_couplings
from ..hamiltonian.links import Links
from ..kernels.simd import LANES
from ..lattice.crystal import read_only
from .places import Places, places
from .spin_system import SpinSystem


@dataclass(frozen=True, eq=False)
class VectorTable:
    """Dipole couplings of a supercell at strength 1, in real space and by waves. :func:`vector_table` makes it.

    Parameters
    ----------
    system : SpinSystem
    places : Places
    own : (n_site, 3, 3) float64, 1/Å³
        A spin with its own images, g included, its trace left out: S·own·S is in E as an anisotropy.
    dipole : (n_site, n_spin, 3, 3) float64, 1/Å³
        gᵀ A g from each site of the first cell to every spin, own images included.
    by_wave : (n_cell, 3 * n_site, 3 * n_site) complex128
        Complex conjugate of its Fourier transform.
    strength_unit : (n_parameter,) float64
    """

    system: SpinSystem
    places: Places
    own: np.ndarray
    dipole: np.ndarray
    by_wave: np.ndarray
    strength_unit: np.ndarray

    def __post_init__(self):
        for name in ("own", "dipole", "by_wave", "strength_unit"):
            array = getattr(self, name)
            object.__setattr__(self, name, read_only(array, array.dtype))

    def fields(self, spins):
        """Return Σ_j g_iᵀ A_ij g_j S_j of every spin by Fourier transforms, (n_spin, 3) float64."""
        cell = self.system.cell
        seen = _transformed(cell, np.asarray(spins).reshape(cell.n_cell, -1))
        felt = np.matmul(self.by_wave, seen[:, :, None])[:, :, 0]
        # The inverse transform of what is real, by the forward one.
        return _transformed(cell, felt.conj()).real.reshape(-1, 3) / cell.n_cell

    def energy(self, spins):
        """Return the dipole energy at strength 1."""
        return 0.5 * float(np.sum(spins * self.fields(spins)))

    def rows(self, links: Links, strength):
        """Return −M of every pair as the kernels read it.

        Parameters
        ----------
        links : Links
        strength : float, meV
            Of the dipoles.

        Returns
        -------
        rows : (width * 9 * n_row_tile, LANES) float64
        tiles : (n_cell, n_tile) int32
        width : int
        """
        cell, place = self.system.cell, self.places
        matrix = strength * self.dipole
        source = np.repeat(np.arange(cell.n_site), np.diff(links.start))
        np.add.at(matrix, (source, cell.site_index(links.target, links.offset)), links.matrix)
        matrix[np.arange(cell.n_site), np.arange(cell.n_site)] = 0.0
        n_row = len(place.tiles) * place.width
        out = np.zeros((place.width, 3, 3, n_row))
        # Spin j feels −Mᵀ S_i of the spin i whose row it is.
        flat = -matrix.reshape(-1, 3, 3).swapaxes(1, 2)
        out[: len(place.source), :, :, place.of_spin] = np.moveaxis(flat[place.source], 1, -1)
        return out.reshape(-1, LANES), place.tiles // np.int32(LANES), place.width


def _transformed(cell, values):
    """Return Σ_R values(R) exp(−iq·R) for each wave of the supercell, (n_cell, ...)."""
    values = np.asarray(values)
    if not np.any(cell.hermite != np.diag(np.diag(cell.hermite))):
        whole = np.fft.fftn(values.reshape(*cell.shape, -1), axes=(0, 1, 2))
        return whole.reshape(cell.n_cell, -1)
    turns = commensurate_waves(cell) @ cell.cells.T.astype(np.float64)
    return np.exp(-2j * np.pi * (turns - np.round(turns))) @ values.reshape(cell.n_cell, -1)


def vector_table(system: SpinSystem, *, demagnetisation=None) -> VectorTable:
    """Return the :class:`VectorTable` of a system.

    Parameters
    ----------
    system : SpinSystem
    demagnetisation : (3, 3) float64, optional
        As in :func:`spinscape.hamiltonian.dipole_sums.dipole_couplings`.
    """
    crystal, cell, model = system.model.crystal, system.cell, system.model
    tensor = dipole_couplings(crystal, cell, demagnetisation=demagnetisation)
    dressed = np.einsum("iba,icjbd,jde->icjae", crystal.g, tensor, crystal.g, optimize=True)
    own = 0.5 * dressed[np.arange(cell.n_site), 0, np.arange(cell.n_site)]
    own = own - np.trace(own, axis1=1, axis2=2)[:, None, None] * np.eye(3) / 3.0
    small = np.abs(own).max() <= 1e-12 * np.abs(dressed).max()
    n = 3 * cell.n_site
    by_cell = dressed.transpose(1, 0, 3, 2, 4).reshape(cell.n_cell, n * n)
    strength_unit = np.bincount(model.dipolar.parameter, model.dipolar.factor, model.n_parameter)
    return VectorTable(
        system,
        places(cell, wide=LANES, block=LANES, components=9),
        np.zeros_like(own) if small else own,
        dressed.reshape(cell.n_site, cell.n_spin, 3, 3),
        _transformed(cell, by_cell).reshape(cell.n_cell, n, n).conj(),
        strength_unit.astype(np.float64),
    )
