"""The objective ``latent_chi2`` of a fit."""

from ..infer.latent_chi2 import latent_chi2
from ..learn.compressor_file import load_compressor
from .objective_likelihood import background_form
from .shown import Shown
from .simulated_axes import check_axes


def objective(declared, job, measurements):
    """Return the objective that a section declares, bound to measurements."""
    compressor, about = load_compressor(job.files["compressor"])
    places = job.objective_settings
    for one in measurements:
        array = places["arrays"].get(one.name)
        check_axes(one, array if array in about["arrays"] else None, places)
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
