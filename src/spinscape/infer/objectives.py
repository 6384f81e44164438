"""Objectives by name, as studies name them."""

from ..errors import FitError
from .chi2 import Chi2Profiled, chi2_profiled
from .correlation import Correlation, correlation
from .squared_error import SquaredError, squared_error

OBJECTIVES = {"correlation": correlation, "chi2_profiled": chi2_profiled, "squared_error": squared_error}
"""Name in a study → function of the measurements (and the objective's own settings)."""

__all__ = [
    "OBJECTIVES",
    "Chi2Profiled",
    "Correlation",
    "SquaredError",
    "chi2_profiled",
    "correlation",
    "objective_by_name",
    "squared_error",
]


def objective_by_name(kind, measurements, **settings):
    """Return the objective ``kind`` bound to ``measurements``.

    Parameters
    ----------
    kind : str
        A key of :data:`OBJECTIVES`.
    measurements : sequence of Measurement
    **settings
        ``c_data`` and ``c_model`` for the correlation, ``leak`` for the squared error, ``free_background`` for χ².
    """
    if kind not in OBJECTIVES:
        raise FitError("unknown objective", where="objective.kind", expected=sorted(OBJECTIVES), got=kind)
    return OBJECTIVES[kind](tuple(measurements), **settings)
