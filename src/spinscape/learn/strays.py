"""Simulated points that belong to no phase, and what they say of couplings near them.

A run that ended between two phases, or in an order too rare to be a phase, is not learnt from: none foretells it. But
where such runs are, a generator must not be sure. Of the K points that lie nearest to some couplings, each that belongs
to no phase stands for one chance in K that an image is like its own.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from ..lattice.crystal import read_only

NEAREST = 8
"""K."""


@dataclass(frozen=True, eq=False)
class Strays:
    """Points of no phase among all that were simulated. Make them with :func:`fit_strays`.

    Parameters
    ----------
    points : (n_point, n_parameter) float64
        All, in units of ``span``.
    span : (n_parameter,) float64
        Range of each coupling.
    which : (n_stray,) int64
    latent : (n_stray, n_latent) float64
    """

    points: np.ndarray
    span: np.ndarray
    which: np.ndarray
    latent: np.ndarray

    def chances(self, theta):
        """Return with which chance couplings (m, n_parameter) give an image like that of each, (m, n_stray)."""
        k = min(NEAREST, len(self.points))
        near = cKDTree(self.points).query(theta / self.span, k)[1].reshape(len(theta), k)
        return np.stack([np.any(near == point, axis=1) for point in self.which], axis=1) / k


def fit_strays(theta, latent, label):
    """Return the :class:`Strays` among points whose ``label`` is negative; None where there are none."""
    which = np.flatnonzero(label < 0)
    if not len(which):
        return None
    span = np.where(np.ptp(theta, axis=0) > 0, np.ptp(theta, axis=0), 1.0)
    return Strays(read_only(theta / span), read_only(span), read_only(which, np.int64), read_only(latent[which]))
