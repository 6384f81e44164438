"""Stage ``fit``: measurements and a forward model to couplings with intervals."""

import json
import logging
from dataclasses import replace

import numpy as np

from ..config.crosscheck import changed_fit
from ..config.fits import FitSection
from ..errors import FitError
from ..experiment.background import without_savitzky_golay
from ..experiment.file import read_measurement
from ..infer.box import Box
from ..infer.fit import Fit, FitVariant, UncertaintyOptions, run_fit
from ..infer.forward import siren_forward, spinwave_forward
from ..infer.noise import with_estimated_std
from ..infer.objectives import objective_by_name
from ..infer.problem import Problem
from ..infer.strategies import strategy_by_name
from ..lattice.qspace import QPath
from ..simulate.spinwave import SpinwaveSettings
from ..store.files import write_whole
from ..store.provenance import provenance
from . import fit_arrays
from .model_file import read_model

LABELS = {"correlation": "1 − r (log)", "chi2_profiled": "χ²", "squared_error": "squared error"}

_log = logging.getLogger(__name__)


class Job:
    """What the problems of a fit and of its variants are made from.

    Parameters
    ----------
    section : dict
        ``build.fit_section``.
    model, siren : str or Path
        Files of the stages ``model`` and ``learn``; the latter None where the forward is no network.
    measurements : list of str or Path
    seed : int
        Of the study: a ground state may be searched for.
    """

    def __init__(self, section, model, measurements, siren, seed=0):
        self.fit = FitSection.model_validate(section["fit"])
        self.settings = SpinwaveSettings.from_dict(section["spinwave"])
        self.how = {"relax": section["relax"], "reference": section["reference"], "seed": seed}
        self.couplings, self.tolerance = section["couplings"], section["tolerance"]
        self.fixed = {name: value for name, value in section["couplings"].items() if value is not None}
        self.model, self.structure = read_model(model)
        # The noise is that of the counts: estimated before any background is taken off.
        self.measured = [with_estimated_std(read_measurement(path)) for path in measurements]
        self.siren = siren

    def problem(self, fit):
        """Return the problem and the box of a fit, or of a variant of it."""
        measurements = self.prepared(fit)
        forward = self.forward(fit.forward, measurements)
        settings = fit.objective.model_dump(exclude={"kind"})
        objective = objective_by_name(fit.objective.kind, measurements, **settings)
        intervals = {**fit.box, **_nuisances(fit.forward)}
        return Problem(forward, objective), Box.from_intervals(intervals, names=forward.parameter_names)

    def prepared(self, fit):
        """Return the measurements with the fit's background taken off, and masked outside its window."""
        measured = self.measured
        if fit.background is not None:
            recipe = fit.background.model_dump(exclude={"kind"})
            measured = [without_savitzky_golay(m, **recipe) for m in measured]
        return tuple(inside(m, fit.window) for m in measured)

    def forward(self, declared, measurements):
        """Return the forward model on the measurements' axes."""
        settings = self.settings
        if declared.kind == "siren":
            # Here, so that torch and the learning code count only for fits through a network.
            from ..learn.checkpoint import load_siren

            bands = self._spinwave(measurements, settings)
            return siren_forward(load_siren(self.siren), measurements, fixed=self.fixed, bands=bands)
        if declared.q_smear != "simulate":
            settings = replace(settings, q_smear=0.0 if declared.q_smear == "none" else declared.q_smear)
        settings = replace(settings, fwhm_factor=declared.fwhm_factor)
        how = {"nuisances": tuple(_nuisances(declared)), "tolerance": declared.powder_tolerance or self.tolerance}
        if declared.reference is not None:
            known = {**self.fixed, **declared.reference}
            how["reference"] = [known[name] for name in self.couplings]
        return self._spinwave(measurements, settings, **how)

    def _spinwave(self, measurements, settings, **how):
        how = {"fixed": self.fixed, "tolerance": self.tolerance, **self.how, **how}
        return spinwave_forward(self.model, self.structure, measurements, settings=settings, **how)


def run(section, name, model, measurements, siren, seed, output, arrays, *, code=None):
    """Do one fit and write its result and the arrays of its figures.

    Parameters
    ----------
    section : dict
        ``build.fit_section``.
    name : str
    model : str or Path
    measurements : list of str or Path
        Measurement files.
    siren : str, Path or None
        Trained network, where the forward is one.
    seed : int
        Of the study.
    output, arrays : str or Path
        JSON and HDF5 file.
    code : str, optional
        Fingerprint of the code.
    """
    job = Job(section, model, measurements, siren, seed)
    fit = job.fit
    problem, box = job.problem(fit)
    variants = [(v.label, *job.problem(changed_fit(fit, v.change))) for v in fit.variants]
    prepared = job.prepared(fit)
    bootstrap = fit.uncertainty.bootstrap
    result, search = run_fit(
        Fit(
            name=name,
            problem=problem,
            strategy=strategy_by_name(**fit.strategy.model_dump()),
            box=box,
            measurements=prepared,
            modes=dict(fit.modes),
            uncertainty=UncertaintyOptions(
                hessian=fit.uncertainty.hessian,
                bootstrap=None if bootstrap is None else bootstrap.block,
                n_replica=200 if bootstrap is None else bootstrap.n_replica,
                jackknife=fit.uncertainty.jackknife,
            ),
            variants=tuple(FitVariant(*one) for one in variants),
        ),
        seed=seed,
        provenance=provenance(code=code, seed=seed, data={m.name: m.provenance for m in prepared}),
    )
    document = result.to_dict()
    document["objective"]["label"] = LABELS[fit.objective.kind]
    write_whole(output, json.dumps(document, indent=1, ensure_ascii=False))
    best = search.best.parameters
    landscape = _landscape(problem, box, best, document["correlation"], result, fit.landscape)
    fit_arrays.write(arrays, _spectra(problem, prepared, best), landscape)
    _log.info("fit %s: %s", name, {n: round(e.value, 4) for n, e in result.parameters.items()})


def inside(measurement, window):
    """Return the measurement with the pixels outside the window masked."""
    keep = np.ones(measurement.shape, dtype=bool)
    if window.energy is not None:
        centres = measurement.energy.centres
        keep &= (centres >= window.energy[0]) & (centres <= window.energy[1])
    if window.momentum is not None:
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


def _nuisances(forward):
    """Return the declared nuisances and their intervals, those that are given."""
    declared = getattr(forward, "nuisances", None)
    return {} if declared is None else {name: interval for name, interval in declared if interval is not None}


def _spectra(problem, measurements, best):
    """Return data beside the best fit, on the scale that the objective compares."""
    forward, objective = problem.forward, problem.objective
    predictions = forward.predict(best)
    fitted, residuals = objective.fitted(predictions), objective.residuals(predictions)
    c_data = getattr(objective, "c_data", None)
    out = []
    for k, m in enumerate(measurements):
        signal = np.where(m.valid, m.signal, 0.0)
        on_path = isinstance(m.momentum, QPath) and hasattr(forward, "mode_energies")
        bands = forward.mode_energies(best, m.momentum.points) if on_path else None
        out.append(
            fit_arrays.FittedSpectrum(
                name=m.name,
                momentum=m.momentum,
                energy=m.energy,
                data=signal if c_data is None else np.log1p(c_data * signal),
                fitted=fitted[k],
                residual=residuals[k],
                valid=m.valid,
                bands=np.zeros((m.shape[0], 0)) if bands is None else bands,
                simulated=m.simulated,
            )
        )
    return out


def _landscape(problem, box, best, correlation, result, n_point):
    """Return the objective over the first two parameters, the others held at the best fit."""
    if len(box.names) < 2 or n_point < 2:
        return None
    x, y = (np.linspace(box.lower[k], box.upper[k], n_point) for k in (0, 1))
    values = np.empty((len(x), len(y)))
    at = np.array(best)
    for i, first in enumerate(x):
        for j, second in enumerate(y):
            at[0], at[1] = first, second
            values[i, j] = problem(at)
    names = box.names[:2]
    units = tuple(problem.forward.units[:2])
    return fit_arrays.Landscape(names, units, x, y, values, _covariance(names, correlation, result))


def _covariance(names, correlation, result):
    """Return the 2×2 covariance of two parameters; NaN where an error is not known."""
    estimates = {**result.parameters, **result.nuisances}
    std = np.array([estimates[name].std or np.nan for name in names])
    if not set(names) <= set(correlation["names"]):
        return np.full((2, 2), np.nan)
    index = [correlation["names"].index(name) for name in names]
    return np.outer(std, std) * np.array(correlation["matrix"])[np.ix_(index, index)]
