"""Stage ``fit``: measurements and a forward model to couplings with intervals."""

import json
import logging
from importlib import import_module

import numpy as np

from ..config.fits import changed_fit
from ..infer.fit import Clip, Fit, FitVariant, UncertaintyOptions, run_fit
from ..infer.strategies import strategy_by_name
from ..lattice.qspace import QPath
from ..store.files import write_whole
from ..store.provenance import provenance
from . import fit_arrays
from .fit_job import Job

_log = logging.getLogger(__name__)


def run(section, name, model, measurements, files, seed, output, arrays, *, code=None):
    """Do one fit and write its result and the arrays of its figures.

    Parameters
    ----------
    section : dict
        ``build.fit_section``.
    name : str
    model : str or Path
    measurements : list of str or Path
        Measurement files.
    files : dict of str to (str or Path)
        What the fit's parts read of other stages, by name (``build.fit_files``).
    seed : int
        Of the study.
    output, arrays : str or Path
        JSON and HDF5 file.
    code : str, optional
        Fingerprint of the code.
    """
    job = Job(section, model, measurements, files, seed)
    fit = job.fit
    problem, box = job.problem(fit)
    variants = [(v.label, *job.problem(changed_fit(fit, v.change))) for v in fit.variants]
    prepared = job.prepared(fit)
    result, _ = run_fit(
        Fit(
            name=name,
            problem=problem,
            strategy=strategy_by_name(**fit.strategy.model_dump()),
            box=box,
            measurements=prepared,
            modes=dict(fit.modes),
            uncertainty=_uncertainty(fit, job, prepared),
            clip=None if fit.clip is None else Clip(**fit.clip.model_dump()),
            variants=tuple(FitVariant(*one) for one in variants),
        ),
        seed=seed,
        provenance=provenance(code=code, seed=seed, data={m.name: m.provenance for m in prepared}),
    )
    document = result.to_dict()
    shown = import_module(fit.objective.module).shown(fit.objective, prepared)
    document["objective"]["label"] = shown[0].label
    document["objective"]["shown"] = {m.name: s.to_dict() for m, s in zip(prepared, shown, strict=True)}
    write_whole(output, json.dumps(document, indent=1, ensure_ascii=False))
    best = np.array([result.values[parameter] for parameter in box.names])
    landscape = _landscape(problem, box, best, document["correlation"], result, fit.landscape)
    fit_arrays.write(arrays, _spectra(problem, prepared, best), landscape, result.region)
    _log.info("fit %s: %s", name, {n: round(e.value, 4) for n, e in result.parameters.items()})


def _uncertainty(fit, job, prepared):
    """Return the options of ``infer.methods`` that a fit's section says."""
    said = fit.uncertainty
    freer = None
    if said.freer_background is not None:
        module = import_module(fit.objective.module)
        freer = module.freer(fit.objective, job, prepared, said.freer_background)
    bootstrap = (
        {} if said.bootstrap is None else {"bootstrap": said.bootstrap.block, "n_replica": said.bootstrap.n_replica}
    )
    return UncertaintyOptions(
        hessian=said.hessian,
        information=said.information,
        **bootstrap,
        jackknife=said.jackknife,
        profile=said.profile,
        simulated=said.simulated,
        posterior=0 if said.posterior is None else said.posterior.max_step,
        freer=freer,
        line_shape=None if said.line_shape is None else said.line_shape.fwhm,
        region=fit.region,
    )


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
                quantity=m.quantity,
                momentum=m.momentum,
                energy=m.energy,
                temperatures=getattr(m, "temperatures", None),
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
