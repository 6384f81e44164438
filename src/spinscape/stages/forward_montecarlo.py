"""The forward model ``montecarlo`` of a fit."""

import numpy as np

from ..errors import FitError
from ..infer.corrected_forward import CorrectedForward, CorrectedPart, fit_correction
from ..infer.gaussian_forward import DiffuseImage, ThermalColumn, gaussian_forward
from ..simulate.gaussian import GaussianSettings
from ..store.read import StudyStore
from .simulated_axes import check_axes


def intervals(declared):
    """Nothing is fitted beside couplings."""
    return {}


def forward(declared, job, measurements):
    """Return the :class:`~spinscape.infer.corrected_forward.CorrectedForward` of a ``MonteCarloForwardSection``."""
    places = job.forward_settings
    settings = GaussianSettings(n_mesh=declared.n_mesh, **places["gaussian"])
    arrays = [_array(one, places) for one in measurements]
    for one, array in zip(measurements, arrays, strict=True):
        check_axes(one, array, places)
    plain = gaussian_forward(job.model, measurements, settings=settings, fixed=job.fixed)
    with StudyStore(job.files["index"]) as store:
        parts = tuple(
            _corrected(part, one, array, store, declared.degree)
            for part, one, array in zip(plain.parts, measurements, arrays, strict=True)
        )
        lower, upper = store.theta.min(axis=0), store.theta.max(axis=0)
    return CorrectedForward(parts, plain.coupling_names, plain.fixed, plain.free, lower=lower, upper=upper)


def _array(measurement, places):
    """Return the array of the simulations that a measurement is of; None of a table over the temperature."""
    if measurement.momentum is None:
        return None
    return places["arrays"].get(measurement.name, f"signal_{measurement.momentum.name}")


def _corrected(part, measurement, array, store, degree):
    if isinstance(part, DiffuseImage):
        return _corrected_image(part, array, store, degree)
    return _corrected_column(part, measurement, store, degree)


def _corrected_image(part, array, store, degree):
    names = array, f"signal_error_{array.removeprefix('signal_')}"
    values, error = (_at_temperature(store, name, part.temperature) for name in names)
    plain = np.array([part.predict(theta)[part.rows, 0] for theta in store.theta])
    values, error = values[:, part.rows], error[:, part.rows]
    correction = fit_correction(store.theta, values / plain, error / plain, degree=degree)
    return CorrectedPart(part, correction.spread(part.rows, part.n_row))


def _at_temperature(store, name, temperature):
    """Return an array of all points at a temperature, a row for each, (n_point, n_row) float64."""
    known = _temperatures(store, name, "temperature_of_signal")
    near = np.nonzero(np.abs(known - temperature) <= 1e-6 * temperature)[0]
    if len(near) == 0:
        raise FitError(
            "no S(Q) was simulated at the temperature of a measurement", where=f"forward montecarlo: {name}",
            expected=f"one of {', '.join(f'{t:g}' for t in known)} K", got=f"{temperature:g} K",
        )  # fmt: skip
    found = store.read_many(name, np.arange(store.n_point))[:, near[0]]
    return found.reshape(len(found), -1).astype(np.float64)


def _temperatures(store, name, axis):
    if name not in store.template:
        raise FitError("the study does not simulate what was measured", where="forward montecarlo",
                       expected=sorted(store.template), got=name)  # fmt: skip
    return np.asarray(store.template[name]["coords"][axis]["values"], dtype=np.float64)


def _corrected_column(part, measurement, store, degree):
    """Correct a table over the temperature: at the simulated temperatures, straight lines between them."""
    known = _temperatures(store, part.quantity, "temperature")
    order = np.argsort(known)
    inside = measurement.temperatures[measurement.valid[:, 0]]
    step = np.diff(known[order]).max(initial=0.0)
    if inside.min() < known.min() - step or inside.max() > known.max() + step:
        raise FitError(
            "a table lies beyond the simulated temperatures", where=f"measurement {measurement.name}",
            expected=f"within {known.min():g} to {known.max():g} K", got=f"{inside.min():g} to {inside.max():g} K",
        )  # fmt: skip
    plain = ThermalColumn(part.gaussian, part.quantity, known[order], part.direction)
    every = np.arange(store.n_point)
    values = plain.seen(store.read_many(part.quantity, every)[:, order])[..., 0]
    error = plain.seen_error(store.read_many(f"{part.quantity}_error", every)[:, order])[..., 0]
    base = np.array([plain.predict(theta)[:, 0] for theta in store.theta])
    correction = fit_correction(store.theta, values / base, error / base, degree=degree)
    return CorrectedPart(part, correction.mixed(_lines(known[order], measurement.temperatures)))


def _lines(known, wanted):
    """Return the weights (n_wanted, n_known) of straight lines between known places; beyond them the ends hold."""
    return np.stack([np.interp(wanted, known, row) for row in np.eye(len(known))], axis=1)
