"""A fit of a study outside of the workflow, opened for one of its measurements to change."""

import tempfile
from pathlib import Path

import numpy as np

from ..config import build
from ..errors import ConfigError, FitError
from ..experiment.file import write_measurement
from ..infer.counts import counts_of
from ..infer.noise_laws import Poisson
from ..infer.problem import Problem
from ..infer.strategies import strategy_by_name
from ..infer.weighted_sum import terms_of
from . import measurement as measurement_stage
from . import model as model_stage
from .fit_job import Job


class OpenFit:
    """A fit with everything but the data of one measurement made.

    Parameters
    ----------
    study : Study
    name : str
        Of the fit.
    job : Job
    measurement : str
        Name of the measurement that changes.
    data_folder : str or Path, optional

    Attributes
    ----------
    forward : Forward
    box : Box
    strategy : Strategy
    """

    def __init__(self, study, name, job, measurement, data_folder=None):
        self.study, self.name, self.job, self.data_folder = study, name, job, data_folder
        self.measurements = tuple(m.name for m in job.measured)
        self.index = self.measurements.index(measurement)
        problem, self.box = job.problem(job.fit)
        self.forward, self.objective = problem.forward, problem.objective
        self.strategy = strategy_by_name(**job.fit.strategy.model_dump())

    def state(self, file):
        """Return the measurement that a file holds now; raises ``DataError`` where it cannot be read."""
        name = self.measurements[self.index]
        return measurement_stage.read_file(build.measurement_section(self.study, name), name, file, self.data_folder)

    def counts(self, measurement):
        """Return the counts in a state's pixels: those that the objective counts, else those behind its errors.

        Where the errors are not those of counts: Σ (signal/std)², as many as would have such errors.
        """
        counted = counted_pixels(self.problem(measurement).objective, measurement.name)
        if counted is not None:
            return float(counted.data.sum())
        try:
            return float(counts_of(measurement).counts.sum())
        except FitError:
            if measurement.std is None:
                raise
        here = measurement.valid & (measurement.std > 0)
        return float(np.square(measurement.signal[here] / measurement.std[here]).sum())

    @property
    def current(self):
        """The changing measurement as it was when the fit was opened."""
        return self.job.measured[self.index]

    def problem(self, measurement=None):
        """Return the problem with another state of the measurement, on the same axes."""
        if measurement is None:
            return Problem(self.forward, self.objective)
        here = self.current
        if measurement.shape != here.shape:
            raise FitError(
                "the axes of a measurement have changed", where=f"measurement {here.name}", expected=here.shape,
                got=measurement.shape, fix="start anew for a file with other axes",
            )  # fmt: skip
        measured = list(self.job.measured)
        measured[self.index] = measurement
        job = self.job.with_measured(measured)
        return Problem(self.forward, job.objective(job.fit.objective, job.prepared(job.fit)))


def open_fit(study, fit=None, measurement=None, *, data_folder=None, file=None):
    """Open a fit of a study: its model and measurements are made in a folder that is gone afterwards.

    Parameters
    ----------
    study : Study
    fit, measurement : str, optional
        The only ones by default.
    data_folder : str or Path, optional
        Where measured files lie; what is not there is simulated, where the study says how.
    file : str or Path, optional
        Read in place of the measurement's own main file.

    Returns
    -------
    OpenFit
    """
    name = _only(study.fits, fit, "fit")
    names = build.measurements_of(study, name, data_folder)
    changing = _only(dict.fromkeys(names), measurement, "measurement of the fit")
    if build.fit_files(study, name):
        raise ConfigError(
            "this fit reads what other stages of the workflow have made", where=f"fits.{name}",
            expected="a forward model and an objective without files", got=sorted(build.fit_files(study, name)),
            fix="choose a fit with the forward model spinwave or gaussian",
        )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="spinscape-") as folder:
        model, paths = Path(folder) / "model.json", []
        model_stage.run(build.model_section(study), model)
        for one in names:
            paths.append(Path(folder) / f"{one}.h5")
            section = build.measurement_section(study, one)
            if file is not None and one == changing:
                write_measurement(paths[-1], measurement_stage.read_file(section, one, file, data_folder))
            else:
                measurement_stage.run(section, one, model, study.seed, data_folder, paths[-1])
        job = Job(build.fit_section(study, name), model, paths, seed=study.seed)
        return OpenFit(study, name, job, changing, data_folder)


def counted_pixels(objective, name):
    """Return the pixels of a measurement as a likelihood of counts has them; None where no objective counts."""
    for part in (objective, *(term.objective for term in terms_of(objective))):
        for pixels in getattr(part, "sets", ()):
            if getattr(pixels, "law", None) == Poisson() and pixels.name == name:
                return pixels
    return None


def _only(known, name, what):
    if name is None and len(known) == 1:
        return next(iter(known))
    if name not in known:
        raise ConfigError(
            f"which {what}?" if name is None else f"the study has no {what} {name!r}",
            where=what, expected=", ".join(known) or "at least one", got=name or "no name",
        )  # fmt: skip
    return name
