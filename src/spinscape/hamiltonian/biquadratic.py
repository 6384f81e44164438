"""Biquadratic terms θ B (S_i·S_j)² between two sites, each bond once."""

from dataclasses import dataclass

import numpy as np

from ..errors import check_shape
from ..lattice.crystal import read_only


@dataclass(frozen=True, eq=False)
class BiquadraticTable:
    """Biquadratic terms, in the large-S form: spins are classical vectors, without factors of 1 - 1/(2S).

    Parameters
    ----------
    site_i, site_j : (n_bond,) int64
        Sites of the chemical cell.
    offset : (n_bond, 3) int64
        Lattice cell of site j relative to that of site i.
    parameter : (n_bond,) int64
        Index of the coupling that multiplies the row.
    factor : (n_bond,) float64, dimensionless
        B in θ B (S_i·S_j)².
    """

    site_i: np.ndarray
    site_j: np.ndarray
    offset: np.ndarray
    parameter: np.ndarray
    factor: np.ndarray

    def __post_init__(self):
        n = len(self.site_i)
        for name, shape, dtype in (
            ("site_i", (n,), np.int64),
            ("site_j", (n,), np.int64),
            ("offset", (n, 3), np.int64),
            ("parameter", (n,), np.int64),
            ("factor", (n,), np.float64),
        ):
            array = read_only(np.asarray(getattr(self, name)).reshape(shape), dtype)
            check_shape(name, array, shape)
            object.__setattr__(self, name, array)

    @property
    def n_bond(self):
        """Number of rows."""
        return len(self.site_i)
