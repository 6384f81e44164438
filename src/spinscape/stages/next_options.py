"""``spinscape next``: which of a study's options for a further measurement would shrink the intervals most."""

from dataclasses import replace
from importlib import import_module

import numpy as np

from ..config.axes import energy_axis, path, powder, volume
from ..errors import FitError, SpinscapeError
from ..hamiltonian.conditions import Conditions
from ..infer.counts import counts_of
from ..infer.planning import expected_measurement, full_information, gains, noise_scale
from ..infer.problem import Problem
from ..lattice.momentum import n_momentum
from .open_fit import counted_pixels, open_fit

_AXES = {"paths": path, "powders": powder, "volumes": volume}


def run(study, *, at=None, data_folder=None):
    """Return what each option of the section ``next`` would bring.

    Parameters
    ----------
    study : Study
    at : dict of str to float, meV, optional
        Couplings to judge at; those of the section's fit by default, which is then done.
    data_folder : str or Path, optional

    Returns
    -------
    before : Gain
    list of Gain
        The most telling option first.
    dict of str to str
        Options that cannot be judged, and why: a structure that a field makes unstable, for instance.

    Notes
    -----
    An option is expected to see the best fit: its scale, its background (of each energy; of another axis by
    interpolation) and its counting time for each pixel; the spectrum at the option's own axes and conditions.
    """
    section = study.next
    if section is None:
        raise FitError("the study declares no options", where="next", fix="add a section next: with a fit and options")
    like = next(iter(section.options.values())).like
    one = open_fit(study, section.fit, like, data_folder=data_folder)
    problem, names = one.problem(), one.forward.coupling_names
    if not hasattr(problem.objective, "noise_scale"):
        raise FitError(
            "this objective says nothing of errors", where=f"fits.{section.fit}.objective",
            expected="a likelihood or χ²", got=problem.objective.kind,
        )  # fmt: skip
    best = _best(one, problem, at, study.seed)
    predictions = problem.forward.predict(best)
    present, scale = full_information(problem, best, one.box), noise_scale(problem, predictions)
    fitted = problem.objective.fitted(predictions)
    options, impossible = [], {}
    for label, option in section.options.items():
        try:
            options.append((label, *_option(study, one, label, option, best, fitted, scale)))
        except SpinscapeError as error:
            impossible[label] = str(error).splitlines()[0]
    before, found = gains(present, options, names=names, wanted=section.couplings or None)
    return before, found, impossible


def _best(one, problem, at, seed):
    if at is None:
        return one.strategy.minimise(problem.counting(), one.box, seed).best.parameters
    best = np.array(one.box.from_unit(np.full(len(one.box.names), 0.5)))
    for name, value in at.items():
        if name not in one.forward.coupling_names:
            raise FitError(
                "no such free coupling", where="at", expected=", ".join(one.forward.coupling_names), got=name
            )
        best[one.box.names.index(name)] = value
    return best


def _option(study, one, label, option, best, fitted, noise):
    """Return the expected information on all parameters, and the expected counts, of one option."""
    k = one.measurements.index(option.like)
    seen, image = one.job.prepared(one.job.fit)[k], fitted[k]
    blank = _axes(study, option, seen)
    prediction = _forward(one, blank).predict(best)[0]
    intensity, background = _levels(one.forward.predict(best)[k], image, seen.valid)
    expected = intensity * prediction + _on_energies(background, seen, blank)
    exposure, known = _exposure(one, seen, label)
    exposure *= option.time
    measurement = expected_measurement(blank, np.maximum(expected, 0.0), exposure)
    problem = Problem(_forward(one, measurement), one.job.objective(_of_files(one.job.fit.objective), (measurement,)))
    counts = float((exposure * expected)[measurement.valid].sum())
    # Errors of counts are known; those that were estimated are as far off as the fit found them to be.
    return full_information(problem, best, one.box, scale=1.0 if known else noise), counts


def _forward(one, measurement):
    declared = one.job.fit.forward
    return import_module(declared.module).forward(declared, one.job, (measurement,))


def _axes(study, option, seen):
    """Return an empty measurement on the option's axes and at its conditions; the mask is kept where they are kept."""
    temperature = seen.conditions.temperature if option.temperature is None else option.temperature
    conditions = Conditions(temperature, seen.conditions.field if option.field is None else option.field)
    if option.place is None and option.energy is None:
        return replace(seen, conditions=conditions)
    kind, name = option.place or (None, None)
    momentum = seen.momentum if kind is None else _AXES[kind](study, name)
    energy = seen.energy if option.energy is None else energy_axis(option.energy)
    rows = len(seen.valid) if kind is None else n_momentum(momentum)
    shape = rows, 1 if energy is None else len(energy.centres)
    return replace(
        seen, momentum=momentum, energy=energy, signal=np.zeros(shape), std=None, valid=np.ones(shape, bool),
        conditions=conditions,
    )  # fmt: skip


def _levels(prediction, image, valid):
    """Return scale and background (n_energy,) of a fitted image: the slope on the prediction inside each energy."""
    weight = valid.astype(np.float64)
    n = np.maximum(weight.sum(axis=0), 1.0)
    mean, level = (weight * prediction).sum(axis=0) / n, (weight * image).sum(axis=0) / n
    apart = weight * (prediction - mean)
    norm = float((apart * prediction).sum())
    scale = float((apart * (image - level)).sum()) / norm if norm > 0 else 0.0
    return scale, np.maximum(level - scale * mean, 0.0)


def _on_energies(background, seen, blank):
    if seen.energy is None or blank.energy is None:
        return np.full((1, blank.shape[1]), background.mean())
    return np.interp(blank.energy.centres, seen.energy.centres, background)[None, :]


def _of_files(declared):
    """Return an objective's section that takes counts as a measurement says: a measurement to come says how many."""
    if hasattr(declared, "terms"):
        terms = tuple(t.model_copy(update={"objective": _of_files(t.objective)}) for t in declared.terms)
        return declared.model_copy(update={"terms": terms})
    return declared.model_copy(update={"counts_per_unit": "file"} if hasattr(declared, "counts_per_unit") else {})


def _exposure(one, measurement, label):
    """Return counts of an intensity of one, and whether they were counted: else as many as would have the errors."""
    counted = counted_pixels(one.objective, measurement.name)
    if counted is not None:
        return float(np.median(counted.exposure)), not counted.estimated
    try:
        return float(np.median(counts_of(measurement).exposure[measurement.valid])), True
    except FitError:
        pass
    here = measurement.valid & (measurement.signal > 0)
    if measurement.std is None or not here.any() or measurement.quantity not in ("spectrum", "diffuse"):
        raise FitError(
            "the counting time of a measurement without counts or errors is not known",
            where=f"next.options.{label}.like", got=measurement.name, fix="choose a measurement of counts",
        )  # fmt: skip
    return float(np.median(measurement.signal[here] / measurement.std[here] ** 2)), False


def couplings_from_text(words):
    """Return couplings in meV from words like ``J=29.1``.

    >>> couplings_from_text(["J=29.1", "Jp=1.7"])
    {'J': 29.1, 'Jp': 1.7}
    """
    out = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            out[name] = float(value)
        except ValueError:
            raise FitError("no coupling and value", where="--at", expected="J=29.1, in meV", got=word) from None
    return out


def table(before, options, impossible):
    """Return the options as lines of text, the most telling first."""
    names = list(before.stds)
    rows = [["option", "expected counts", *(f"± {n} (meV)" for n in names), "intervals shrink to"]]
    for gain in (before, *options):
        counts = "" if np.isnan(gain.counts) else f"{gain.counts:.3g}"
        stds = [f"{gain.stds[n]:.3g}" if np.isfinite(gain.stds[n]) else "open" for n in names]
        rows.append([gain.label, counts, *stds, "" if gain is before else f"{100 * gain.factor:.0f} %"])
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines += [f"{label}: cannot be judged: {why}" for label, why in impossible.items()]
    return "\n".join([*lines, f"most telling: {options[0].label}"])
