"""The forward model ``siren`` of a fit."""

from ..infer.forward import siren_forward
from ..learn.checkpoint import load_siren
from ..simulate.spectrum_settings import SpinwaveSettings
from .forward_spinwave import on_measurements


def intervals(declared):
    """A network has couplings alone."""
    return {}


def forward(declared, job, measurements):
    """Return the :class:`~spinscape.infer.forward.SirenForward`; mode energies are those of the study's spin waves."""
    bands = None
    if job.forward_settings:
        settings = SpinwaveSettings.from_dict(job.forward_settings["spinwave"])
        bands = on_measurements(job, measurements, settings)
    return siren_forward(load_siren(job.files["siren"]), measurements, fixed=job.fixed, bands=bands)
