"""The dipole-dipole interaction as a table; ``hamiltonian.dipole_sums`` does the sums.

    E = θ f ½ Σ_i≠j m_i·(1/r³ - 3 r r/r⁵)·m_j,   m_i = g_i·S_i, r from i to j in Å

Moments are in units of the Bohr magneton: in nature θ f is :data:`DIPOLE_STRENGTH`. The sum is that of a sample without
demagnetising field (tin-foil).
"""

from dataclasses import dataclass

import numpy as np
from scipy import constants

from ..errors import check_shape
from ..lattice.crystal import read_only
from ..units import MEV_IN_JOULE

DIPOLE_STRENGTH = constants.mu_0 * constants.value("Bohr magneton") ** 2 / (4e-30 * np.pi) / MEV_IN_JOULE
"""μ0 μ_B²/(4π Å³) in meV: the energy scale of two Bohr magnetons at 1 Å."""


@dataclass(frozen=True, eq=False)
class DipolarTable:
    """Dipole-dipole terms, each between all spins.

    Parameters
    ----------
    parameter : (n_row,) int64
        Index of the coupling that multiplies the row.
    factor : (n_row,) float64, dimensionless
        f in θ f; 1 for a coupling that is the strength itself.
    """

    parameter: np.ndarray
    factor: np.ndarray

    def __post_init__(self):
        n = len(self.parameter)
        for name, dtype in (("parameter", np.int64), ("factor", np.float64)):
            array = read_only(getattr(self, name), dtype)
            check_shape(name, array, (n,))
            object.__setattr__(self, name, array)

    @property
    def n_row(self):
        """Number of rows."""
        return len(self.parameter)


def empty_dipolar():
    """Return a table without rows."""
    return DipolarTable(np.zeros(0), np.zeros(0))
