"""Objectives by name, as studies name them."""

from ..errors import FitError
from .chi2 import Chi2Profiled, chi2_profiled
from .correlation import Correlation, correlation

OBJECTIVES = {"correlation": correlation, "chi2_profiled": chi2_profiled}
"""Name in a study → function of the measurements (and the objective's own settings)."""

__all__ = ["OBJECTIVES", "Chi2Profiled", "Correlation", "chi2_profiled", "correlation", "objective_by_name"]


def objective_by_name(kind, measurements, **settings):
    """Return the objective ``kind`` bound to ``measurements``.

    Parameters
    ----------
    kind : str
        A key of :data:`OBJECTIVES`.
    measurements : sequence of Measurement
    **settings
        ``c_data`` and ``c_model`` for the correlation.
    """
    if kind not in OBJECTIVES:
        raise FitError("unknown objective", where="objective.kind", expected=sorted(OBJECTIVES), got=kind)
    return OBJECTIVES[kind](tuple(measurements), **settings)
