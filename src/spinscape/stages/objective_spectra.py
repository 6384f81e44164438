"""The objectives ``correlation``, ``chi2_profiled`` and ``squared_error`` of a fit."""

from ..infer.objectives import objective_by_name
from .shown import Shown


def objective(declared, job, measurements):
    """Return the objective that a section declares, bound to measurements."""
    return objective_by_name(declared.kind, measurements, **declared.model_dump(exclude={"kind"}))


SHOWN = {
    "correlation": Shown("1 − r (log)", "log(1 + c·signal)", "", "residual / its standard deviation"),
    "chi2_profiled": Shown("χ²"),
    "squared_error": Shown("squared error", residual="residual / its root mean square"),
}


def shown(declared, measurements):
    """Return what figures of each measurement show."""
    return [SHOWN[declared.kind]] * len(measurements)
