"""The objective ``robust_tiled`` of a fit."""

from ..infer.robust_tiled import robust_tiled
from .shown import Shown


def objective(declared, job, measurements):
    """Return the objective that a section declares, bound to measurements."""
    how = {"tiles": declared.tiles, "model_error": declared.model_error, "share": declared.share}
    return robust_tiled(measurements, **how)


def shown(declared, measurements):
    """Return what figures of each measurement show."""
    return [Shown("robust deviance")] * len(measurements)
