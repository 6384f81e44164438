"""The Zeeman term μ_B Σ_i B·g_i·S_i: the moment of an electron is antiparallel to its spin."""

import numpy as np

from ..units import MU_B
from .conditions import Conditions
from .model import Model


def zeeman_field(model: Model, conditions: Conditions) -> np.ndarray:
    """Return the Zeeman part of the effective field on the chemical sites, −μ_B B·g_i, (n_site, 3) meV."""
    return -MU_B * np.einsum("a,iab->ib", np.asarray(conditions.field, dtype=np.float64), model.crystal.g)
