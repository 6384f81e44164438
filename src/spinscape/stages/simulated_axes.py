"""Which axes the simulations of a study have: measurements are compared with them bin by bin."""

import numpy as np

from ..infer.same_axes import require_same_axes
from ..lattice.momentum import momentum_from_dict


def check_axes(measurement, array, places):
    """Raise :class:`~spinscape.errors.FitError` unless a measurement lies on the bins of an array.

    Parameters
    ----------
    measurement : Measurement
        A table over the temperature has no such bins.
    array : str
    places : dict
        ``build.simulated_places``: ``axes`` of all arrays, ``energies``.
    """
    if measurement.momentum is None or array not in places["axes"]:
        return
    energies = places["energies"]
    momenta = momentum_from_dict(places["axes"][array])
    require_same_axes(measurement, momenta, None if energies is None else np.asarray(energies))
