"""The objective ``latent_chi2`` of a fit."""

from ..infer.latent_chi2 import latent_chi2
from ..learn.compressor_file import load_compressor
from .objective_likelihood import background_form
from .shown import Shown


def objective(declared, job, measurements):
    """Return the objective that a section declares, bound to measurements."""
    compressor, _ = load_compressor(job.files["compressor"])
    return latent_chi2(
        measurements,
        compressor=compressor,
        seed=job.seed,
        scale=None if declared.scale == "free" else float(declared.scale),
        background=background_form(declared, job, measurements),
        weights=declared.weights,
    )


def shown(declared, measurements):
    """Return what figures of each measurement show."""
    return [Shown("latent χ²", residual="data − model")] * len(measurements)
