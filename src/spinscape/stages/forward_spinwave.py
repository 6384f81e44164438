"""The forward model ``spinwave`` of a fit."""

from dataclasses import replace

from ..infer.forward import spinwave_forward
from ..simulate.spectrum_settings import SpinwaveSettings


def intervals(declared):
    """Return the bounds of what is fitted of the instrument: name → (lower, upper)."""
    return {name: interval for name, interval in declared.nuisances if interval is not None}


def forward(declared, job, measurements):
    """Return the :class:`~spinscape.infer.forward.SpinwaveForward` of a ``SpinwaveForwardSection``."""
    settings = SpinwaveSettings.from_dict(job.forward_settings["spinwave"])
    if declared.q_smear != "simulate":
        settings = replace(settings, q_smear=0.0 if declared.q_smear == "none" else declared.q_smear)
    settings = replace(settings, fwhm_factor=declared.fwhm_factor)
    how = {"nuisances": tuple(intervals(declared))}
    if declared.powder_tolerance is not None:
        how["tolerance"] = declared.powder_tolerance
    if declared.reference is not None:
        known = {**declared.reference, **job.fixed}
        how["reference"] = [known[name] for name in job.couplings]
    return on_measurements(job, measurements, settings, **how)


def on_measurements(job, measurements, settings, **how):
    """Return the spin-wave forward of the study's model; ``how`` replaces what the study says of its spectra."""
    said = {name: job.forward_settings[name] for name in ("relax", "reference", "tolerance")}
    how = {"fixed": job.fixed, "seed": job.seed, **said, **how}
    return spinwave_forward(job.model, job.structure, measurements, settings=settings, **how)
