"""Interactions of a supercell as the kernels of dynamics take them: effective fields, energies, and bounds of both."""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.dipole_sums import dipole_couplings
from ..hamiltonian.links import Links, neighbour_table
from ..hamiltonian.zeeman import zeeman_field
from ..kernels.precession import fields, site_energies
from ..lattice.crystal import read_only
from .modes import checked_couplings
from .spin_system import SpinSystem


@dataclass(frozen=True, eq=False)
class Interactions:
    """The interactions of one system at one θ and field. Make it with :func:`interactions`.

    Parameters
    ----------
    system : SpinSystem
    links : Links
    neighbour : (n_spin, max_link) int64
    square_neighbour : (n_spin, max_square) int64
    dipole : (n_site, 3, n_site, 3, *shape) complex128, meV, or None
        Transform of the dipole couplings M_ij(R), R the way from the cell of i to that of j.
    """

    system: SpinSystem
    links: Links
    neighbour: np.ndarray
    square_neighbour: np.ndarray
    dipole: np.ndarray | None

    def __post_init__(self):
        for name in ("neighbour", "square_neighbour"):
            object.__setattr__(self, name, read_only(getattr(self, name), np.int64))

    @property
    def arguments(self):
        """The tables in the order of the kernels."""
        x = self.links
        return (
            self.neighbour, x.start, x.matrix, x.onsite, x.field,
            self.square_neighbour, x.square_start, x.square_turn, x.square_strength,
        )  # fmt: skip

    @property
    def has_quadratic(self):
        """Whether the energy of a spin among fixed neighbours is more than linear in it."""
        return bool(np.any(self.links.onsite) or np.any(self.links.square_strength))

    def fields(self, spins):
        """Return −∂E/∂S of every spin (n_spin, 3): (n_spin, 3) float64, meV."""
        out = np.empty_like(spins)
        fields(spins, *self.arguments, out)
        return out if self.dipole is None else out + self._dipole_field(spins)

    def energy(self, spins):
        """Return the energy of the supercell, meV, without the constant; sums are pairwise."""
        out = np.empty(len(spins))
        site_energies(spins, *self.arguments, out)
        dipoles = 0.0 if self.dipole is None else -0.5 * np.sum(self._dipole_field(spins) * spins)
        return float(np.sum(out) + dipoles)

    def _dipole_field(self, spins):
        """Return −Σ_j M_ij S_j by a convolution over the cells."""
        n_site, shape = self.system.cell.n_site, self.system.cell.shape
        grid = spins.reshape(*shape, n_site, 3).transpose(3, 4, 0, 1, 2)
        wave = np.fft.rfftn(grid, axes=(2, 3, 4))
        found = np.fft.irfftn(np.einsum("iajbxyz,jbxyz->iaxyz", self.dipole, wave), s=shape, axes=(2, 3, 4))
        return -found.transpose(2, 3, 4, 0, 1).reshape(-1, 3)


def interactions(system: SpinSystem, theta, conditions: Conditions | None = None) -> Interactions:
    """Return the interactions of a system.

    Parameters
    ----------
    system : SpinSystem
        All spins of kind ``heisenberg``: an Ising spin has no precession.
    theta : (n_parameter,) float64, meV
    conditions : Conditions, optional
        Of which the field.

    Returns
    -------
    Interactions
    """
    _check_kind(system)
    model, cell = system.model, system.cell
    theta = checked_couplings(theta, model.parameter_names)
    links = system.table.at(theta, field=zeeman_field(model, conditions or Conditions()))
    square = neighbour_table(cell, links.square_start, links.square_target, links.square_offset)
    return Interactions(
        system,
        links,
        neighbour_table(cell, links.start, links.target, links.offset),
        square,
        _dipole_transform(system, theta) if model.dipolar.n_row else None,
    )


def _check_kind(system):
    others = sorted({kind for kind in system.kind if kind != "heisenberg"})
    if others:
        raise ConfigError(
            "only spins that may point anywhere precess",
            where="dynamics: crystal.sites.kind",
            expected="heisenberg",
            got=", ".join(others),
            fix="leave the kind out, and describe the easy axis by an on-site term",
        )


def _dipole_transform(system, theta):
    """Return the transform over the cells of gᵀ A g θ f, of which a product with that of the spins is a convolution."""
    model, cell = system.model, system.cell
    if np.count_nonzero(cell.hermite - np.diag(np.diag(cell.hermite))):
        raise ConfigError(
            "dipole fields need a supercell along the axes of the chemical cell",
            where="dynamics.supercell",
            expected="three numbers",
            got=cell.matrix.tolist(),
        )
    table = model.dipolar
    strength = float(theta[table.parameter] @ table.factor)
    g = model.crystal.g
    couplings = np.einsum("iab,icjad,jde->ibjec", g, dipole_couplings(model.crystal, cell), g) * strength
    couplings = couplings.reshape(*couplings.shape[:-1], *cell.shape)
    # Σ_R M(R) S(r + R) is a correlation: the conjugate of the transform of a real tensor.
    return np.fft.rfftn(couplings, axes=(4, 5, 6)).conj()


def largest_field(of: Interactions) -> float:
    """Return a bound of |∂E/∂S| over all states, meV: no spin precesses faster about its field, in units of ħ.

    Notes
    -----
    The sum of the spectral norms of what meets a spin. A part of an on-site matrix that is a multiple of the unit turns
    nothing and does not count. Excitations of an ordered state have energies up to twice the bound (a ferromagnet).
    """
    links, length = of.links, of.system.lengths
    norm = np.linalg.norm(links.matrix, ord=2, axis=(1, 2)) * length[links.target]
    total = np.bincount(_source(links.start), weights=norm, minlength=len(length))
    total += np.linalg.norm(links.field, axis=1)
    total += 2.0 * onsite_range(links) * length
    square = 2.0 * np.abs(links.square_strength) * length[links.square_target] ** 2
    source = _source(links.square_start)
    total += np.bincount(source, weights=square * length[source], minlength=len(length))
    dipoles = 0.0 if of.dipole is None else _largest_wave(of.dipole, length)
    return float(np.max(total)) + dipoles


def onsite_range(links):
    """Return half of the range of the eigenvalues of each on-site matrix, (n_site,), meV."""
    values = np.linalg.eigvalsh(links.onsite)
    return 0.5 * (values[:, -1] - values[:, 0])


def _largest_wave(transform, length):
    n = 3 * len(length)
    matrices = np.moveaxis(transform.reshape(n, n, -1), -1, 0)
    return float(np.linalg.norm(matrices, ord=2, axis=(1, 2)).max() * length.max())


def _source(start):
    return np.repeat(np.arange(len(start) - 1), np.diff(start))
