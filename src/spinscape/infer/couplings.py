"""Couplings as the parameters of a fit: which are free, and θ with the others filled in."""

import numpy as np

from ..errors import FitError


class OfCouplings:
    """What forward models have in common whose parameters are the free couplings alone.

    They have ``coupling_names`` (the free ones), ``fixed`` (n_coupling,), values of θ of which the free ones are
    overwritten, and ``free`` (n_free,), the indices of these in θ.
    """

    @property
    def parameter_names(self):
        """The free couplings."""
        return self.coupling_names

    @property
    def units(self):
        """Unit of each parameter."""
        return ("meV",) * len(self.coupling_names)

    def theta(self, parameters):
        """Return all couplings θ, the fixed ones filled in, from the parameters of the fit."""
        return full_theta(self.fixed, self.free, parameters)


def free_couplings(names, fixed):
    """Return the indices (n_free,) of the couplings that are not fixed, and θ (n_coupling,) with the fixed values."""
    unknown = sorted(set(fixed) - set(names))
    free = np.array([k for k, name in enumerate(names) if name not in fixed], dtype=np.int64)
    if unknown or len(free) == 0:
        raise FitError(
            f"unknown coupling {unknown[0]!r} is fixed" if unknown else "every coupling is fixed: nothing to fit",
            where="couplings",
            expected=f"some of {', '.join(names)}",
            got=", ".join(sorted(fixed)),
        )
    return free, np.array([float(fixed.get(name, 0.0)) for name in names])


def full_theta(fixed, free, parameters):
    """Return θ (n_coupling,): ``fixed``, with the leading ``parameters`` at the indices ``free``."""
    theta = fixed.copy()
    theta[free] = np.asarray(parameters, dtype=np.float64)[: len(free)]
    return theta
