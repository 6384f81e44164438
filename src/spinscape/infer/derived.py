"""Quantities derived from a fit: mode energies, and the combinations of couplings that the data determine."""

import numpy as np

from ..errors import UnstableError
from .protocols import ModeForward
from .result import Combination

RELATIVE_STEP = 1e-4


def mode_values(forward, parameters, modes):
    """Return the energy of the lowest mode at each named wave vector, meV; empty where the forward knows no modes.

    Parameters
    ----------
    forward : Forward
    parameters : (n_parameter,)
    modes : dict of str to (h, k, l)
    """
    if not modes or not isinstance(forward, ModeForward):
        return {}
    energies = forward.mode_energies(np.asarray(parameters, dtype=np.float64), np.array(list(modes.values())))
    return dict(zip(modes, energies.min(axis=1).tolist(), strict=True))


def mode_gradients(forward, parameters, modes, box):
    """Return d energy / d parameter of each named mode, dict of str to (n_parameter,).

    Central differences inside the box, one-sided at its edge and at that of stability.
    """
    here = mode_values(forward, parameters, modes)
    columns = [_slope(forward, parameters, modes, box, k, here) for k in range(len(box.names))]
    return {name: np.array([column[name] for column in columns]) for name in here}


def _slope(forward, parameters, modes, box, k, here):
    ends, offsets = [], []
    for sign in (1.0, -1.0):
        moved = np.array(parameters, dtype=np.float64)
        moved[k] = np.clip(moved[k] + sign * RELATIVE_STEP * box.width[k], box.lower[k], box.upper[k])
        try:
            ends.append(mode_values(forward, moved, modes))
            offsets.append(moved[k] - parameters[k])
        except UnstableError:
            ends.append(here)
            offsets.append(0.0)
    span = offsets[0] - offsets[1]
    return {name: (ends[0][name] - ends[1][name]) / span if span else 0.0 for name in here}


def combinations(covariance, values, *, names, unit):
    """Return the independent combinations of couplings, the best determined first.

    Parameters
    ----------
    covariance : Covariance
    values : dict of str to float
    names : sequence of str
        Couplings of one unit; those held at a bound are left out.

    Returns
    -------
    tuple of Combination
        Eigenvectors of the covariance of the couplings (the nuisances free), each scaled so that its largest
        coefficient is 1; their errors are uncorrelated.
    """
    kept = [name for name in names if name not in covariance.fixed]
    if not kept:
        return ()
    index = [covariance.names.index(name) for name in kept]
    _, vectors = np.linalg.eigh(covariance.matrix[np.ix_(index, index)])
    point = np.array([values[name] for name in kept])
    out = []
    for vector in vectors.T:
        vector = vector / vector[np.argmax(np.abs(vector))]
        gradient = np.zeros(len(covariance.names))
        gradient[index] = vector
        coefficients = dict(zip(kept, vector.tolist(), strict=True))
        out.append(Combination(coefficients, float(vector @ point), covariance.along(gradient), unit))
    return tuple(out)
