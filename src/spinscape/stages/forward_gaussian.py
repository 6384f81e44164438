"""The forward model ``gaussian`` of a fit."""

from ..infer.gaussian_forward import gaussian_forward
from ..simulate.gaussian import GaussianSettings


def intervals(declared):
    """Nothing is fitted beside couplings."""
    return {}


def forward(declared, job, measurements):
    """Return the :class:`~spinscape.infer.gaussian_forward.GaussianForward` of a ``GaussianForwardSection``."""
    settings = GaussianSettings(**job.forward_settings)
    return gaussian_forward(job.model, measurements, settings=settings, fixed=job.fixed)
