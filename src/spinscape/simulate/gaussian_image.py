"""S(Q) of the self-consistent Gaussian approximation on the bins of an axis, once for all waves that are alike."""

import numpy as np

from ..lattice.equivalent import equivalent_waves
from ..lattice.volumes import QGrid
from ..observables.diffuse_projection import SCALAR
from .gaussian import GaussianModel

_KEEP = 100_000
"""Wave vectors up to which what does not depend on the couplings is kept between points."""


class GaussianImage:
    """S(Q) on the bins of one path or grid, with derivatives.

    Parameters
    ----------
    gaussian : GaussianModel
    axis : QPath or QGrid
    rows : (n_row,) int64, optional
        The only bins that are asked for, rising.
    """

    def __init__(self, gaussian: GaussianModel, axis, *, rows=None):
        points = axis.integration_points(gaussian.settings.n_sub) if isinstance(axis, QGrid) else axis.points[:, None]
        points = points if rows is None else points[rows]
        self.gaussian, self._parts = gaussian, points.shape[:2]
        q = points.reshape(-1, 3)
        self._group = None
        if gaussian.settings.component in SCALAR:
            rotations = gaussian.model.crystal.rotations[gaussian.matrix.operations]
            first, self._group = equivalent_waves(q, rotations)
            q = q[first]
        self._q = gaussian.view(q) if len(q) <= _KEEP else q

    def values(self, theta, temperature, state=None):
        """Return S(Q), (n_row,), at couplings (n_parameter,) in meV and a temperature in K."""
        return self._binned(self.gaussian.predict_structure_factor(theta, temperature, self._q, state=state))

    def gradient(self, theta, temperature):
        """Return the derivatives of S(Q) by the couplings, (n_parameter, n_row), per meV."""
        slopes = self.gaussian.structure_factor_gradient(theta, temperature, self._q).by_theta
        return np.array([self._binned(slope) for slope in slopes])

    def _binned(self, values):
        values = values if self._group is None else values[self._group]
        return values.reshape(self._parts).mean(axis=1)
