"""What a fit is made from: its section of the study, its measurements, its model, and the modules of its kinds."""

import logging
from copy import copy
from dataclasses import replace
from functools import cached_property
from importlib import import_module

import numpy as np

from ..config.fits import FitSection
from ..errors import FitError
from ..experiment.background import without_savitzky_golay
from ..experiment.file import read_measurement
from ..infer.box import Box
from ..infer.noise import with_estimated_std
from ..infer.problem import Problem
from .model_file import read_model

_log = logging.getLogger(__name__)


class Job:
    """What the problems of a fit and of its variants are made from; modules of kinds read it.

    A module of a forward model has ``forward(declared, job, measurements)`` and ``intervals(declared)`` (bounds of what
    it fits beside couplings); one of an objective has ``objective(declared, job, measurements)``. ``declared`` is
    their section of the study. docs/decisions/0008-kinds-of-fits.md says more.

    Parameters
    ----------
    section : dict
        ``build.fit_section``.
    model : str or Path
        File of the stage ``model``.
    measurements : list of str or Path
    files : dict of str to (str or Path)
        What parts of the fit read of other stages, by the names of their ``files``.
    seed : int
        Of the study.

    Attributes
    ----------
    fit : FitSection
    forward_settings, objective_settings : dict
        Of the parts' ``settings``.
    couplings : dict of str to (float or None)
        In the order of θ; None for the free ones.
    fixed : dict of str to float
    model, structure : Model, MagneticStructure or None
    """

    def __init__(self, section, model, measurements, files=None, seed=0):
        self.fit = FitSection.model_validate(section["fit"])
        self.forward_settings, self.objective_settings = section["forward"], section["objective"]
        self.couplings = section["couplings"]
        self.fixed = {name: value for name, value in self.couplings.items() if value is not None}
        self.files, self.seed = dict(files or {}), seed
        self.model, self.structure = read_model(model)
        self._paths = list(measurements)

    @cached_property
    def measured(self):
        """The measurements, with the noise that their files do not give.

        It is estimated before any background is taken off: it is that of the counts.
        """
        return tuple(_with_noise(read_measurement(path)) for path in self._paths)

    def with_measured(self, measurements):
        """Return the job with other states of its measurements."""
        job = copy(self)
        job.__dict__["measured"] = tuple(_with_noise(m) for m in measurements)
        return job

    def problem(self, fit):
        """Return the problem and the box of a fit, or of a variant of it."""
        measurements = self.prepared(fit)
        forward = self._holding(fit.fixed).forward(fit.forward, measurements)
        objective = self.objective(fit.objective, measurements)
        module = import_module(fit.objective.module)
        if hasattr(module, "bound_forward"):
            forward = module.bound_forward(forward, objective)
        intervals = {**fit.box, **import_module(fit.forward.module).intervals(fit.forward)}
        return Problem(forward, objective), _box(intervals, forward)

    def _holding(self, values):
        """Return the job with more couplings held."""
        job = copy(self)
        job.fixed = {**self.fixed, **values}
        return job

    def prepared(self, fit):
        """Return the measurements with the fit's background taken off, and masked outside its window."""
        measured = self.measured
        if fit.background is not None:
            recipe = fit.background.model_dump(exclude={"kind"})
            measured = tuple(without_savitzky_golay(m, **recipe) for m in measured)
        return tuple(inside(m, fit.window) for m in measured)

    def forward(self, declared, measurements):
        """Return the forward model on the measurements' axes."""
        return import_module(declared.module).forward(declared, self, tuple(measurements))

    def objective(self, declared, measurements, *, settings=None):
        """Return the objective, bound to measurements; ``settings`` are its own where it is a term of a sum."""
        job = self if settings is None else copy(self)
        if settings is not None:
            job.objective_settings = settings
        return import_module(declared.module).objective(declared, job, tuple(measurements))


def _box(intervals, forward):
    """Return the declared box; its part that a surrogate has learnt from, whose points may not reach the edges."""
    declared = Box.from_intervals(intervals, names=forward.parameter_names)
    if not hasattr(forward, "known"):
        return declared
    box = declared.within(*forward.known)
    for name, interval in box.to_dict().items():
        if interval != declared.to_dict()[name]:
            _log.warning("%s: nothing is simulated beyond %.6g to %.6g, where the search stays", name, *interval)
    return box


def _with_noise(measurement):
    """Return a spectrum with standard deviations; what has no neighbours in energy is left as it is.

    So are few counts, whose neighbours are alike: an objective of counts needs none, others say so themselves.
    """
    if measurement.quantity != "spectrum":
        return measurement
    try:
        return with_estimated_std(measurement)
    except FitError:
        return measurement


def inside(measurement, window):
    """Return the measurement with the pixels outside the window masked."""
    keep = np.ones(measurement.shape, dtype=bool)
    if window.energy is not None and measurement.energy is not None:
        centres = measurement.energy.centres
        keep &= (centres >= window.energy[0]) & (centres <= window.energy[1])
    if window.momentum is not None and measurement.momentum is not None:
        index = np.arange(measurement.shape[0])
        keep &= ((index >= window.momentum[0]) & (index <= window.momentum[1]))[:, None]
    valid = measurement.valid & keep
    if not valid.any():
        raise FitError(
            "the window of the fit holds no measured pixel",
            where=f"measurement {measurement.name}, window",
            got=window.model_dump(mode="json"),
            fix="widen the window",
        )
    return replace(measurement, valid=valid)
