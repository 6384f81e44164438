"""The objectives ``likelihood``, ``poisson``, ``gaussian`` and ``student`` of a fit."""

import numpy as np

from ..errors import FitError
from ..experiment.file import read_measurement
from ..infer.background_terms import BackgroundForm
from ..infer.noise import estimate_noise
from ..infer.poisson import gaussian_likelihood, likelihood, poisson_likelihood, student_likelihood
from .shown import Shown

MAKERS = {
    "likelihood": likelihood,
    "poisson": poisson_likelihood,
    "gaussian": gaussian_likelihood,
    "student": student_likelihood,
}


def objective(declared, job, measurements, *, background=None):
    """Return the :class:`~spinscape.infer.poisson.Likelihood` that a section declares.

    ``background`` replaces what the section says of it (a :class:`BackgroundForm`).
    """
    how = {"scale": None if declared.scale == "free" else float(declared.scale)}
    how["background"] = background or background_form(declared, job, measurements)
    if declared.kind == "poisson":
        how["counts_per_unit"] = _counts_per_unit(declared, measurements)
    if declared.kind == "student":
        how["nu"] = declared.nu
    return MAKERS[declared.kind](measurements, **how)


def freer(declared, job, measurements, constant):
    """Return the same likelihood with a background that has more freedom: other groups of constants."""
    form = background_form(declared, job, measurements)
    return objective(declared, job, measurements, background=form.with_constant(constant))


def background_form(declared, job, measurements):
    """Return the background that a section declares, measured ones read from their files."""
    said = declared.background
    empty = tuple(_empty(name, job, measurements) for name in said.empty)
    return BackgroundForm(
        constant=said.constant, degree=said.degree, decays=said.decays, empty=empty, least_counts=said.least_counts
    )


def shown(declared, measurements):
    """Return what figures of each measurement show."""
    return [
        Shown("deviance", "signal" if m.energy is not None or m.momentum is not None else m.quantity.replace("_", " "),
              getattr(m, "unit", "arb. units"))
        for m in measurements
    ]  # fmt: skip


def _counts_per_unit(declared, measurements):
    if declared.counts_per_unit == "file":
        return None
    if declared.counts_per_unit == "estimate":
        return [_estimated(m) for m in measurements]
    return [float(declared.counts_per_unit)] * len(measurements)


def _estimated(measurement):
    """Return counts per unit of intensity: the inverse of the gain that the noise was estimated with."""
    noise = measurement.provenance.get("noise", {})
    return 1.0 / (noise["gain"] if "gain" in noise else estimate_noise(measurement).gain)


def _empty(name, job, measurements):
    """Return the image of a measured background on the axes of the measurements it stands under."""
    can = read_measurement(job.files[f"empty:{name}"])
    for one in measurements:
        if can.shape != one.shape or not np.all(can.valid[one.valid]):
            raise FitError(
                "a measured background does not cover a measurement",
                where=f"objective.background.empty: {name}",
                expected=f"the axes of measurement {one.name}, {one.shape}, and coverage wherever it has some",
                got=f"{can.shape}, {int((one.valid & ~can.valid).sum()) if can.shape == one.shape else 'other axes'}",
                fix="measure it on the same axes, or mask the rest",
            )
    return np.where(can.valid, can.signal, 0.0)
