"""Couplings of a study by name and in order."""

import numpy as np


def parameter_names(study):
    """Return the names of θ: all couplings, in the order of the file."""
    return tuple(study.couplings)


def theta_from_couplings(study, values):
    """Return θ (n_parameter,) from the free couplings' values, the fixed ones filled in."""
    return np.array([values[n] if c.value is None else c.value for n, c in study.couplings.items()])
