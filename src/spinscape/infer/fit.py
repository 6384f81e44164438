"""A whole fit: search, errors by several methods, variants, derived quantities, warnings."""

import logging
from dataclasses import dataclass, field

import numpy as np

from ..errors import FitError, SpinscapeError
from .clip import clipped_fit
from .derived import combinations, mode_gradients, mode_values
from .gauss_newton import gauss_newton
from .identify import coupling_information, identifiability
from .intervals import information_covariance, interval_width, moved_warnings
from .methods import LEVELS, STATISTICAL, UncertaintyOptions, errors_of
from .result import Estimate, FitResult, VariantResult

__all__ = ["Clip", "Fit", "FitVariant", "UncertaintyOptions", "run_fit"]

_log = logging.getLogger(__name__)

NOTHING = 1e-9
"""Errors below this part of a parameter's interval are those of rounding."""
GOOD_CHI2 = 1.3
"""χ²/dof above which the model or its line shape is called incomplete."""
MOVED = 2.0
"""Shifts beyond this many standard deviations are warned of."""


@dataclass(frozen=True)
class Clip:
    """Leave out what stands out of the residuals, and refit: settings of :func:`~spinscape.infer.clip.clipped_fit`."""

    threshold: float = 3.5
    window: int = 5
    n_refit: int = 3


@dataclass(frozen=True, eq=False)
class FitVariant:
    """The same fit with something changed: its own problem, over its own box (whose names may be fewer)."""

    label: str
    problem: object
    box: object


@dataclass(frozen=True, eq=False)
class Fit:
    """A fit to be done.

    Parameters
    ----------
    name : str
    problem : Problem
        Forward × objective.
    strategy : Strategy
    box : Box
        Names in the order of ``problem.forward.parameter_names``.
    measurements : tuple of Measurement
    modes : dict of str to (h, k, l)
        Wave vectors, r.l.u., whose lowest mode's energy is reported.
    uncertainty : UncertaintyOptions
    variants : tuple of FitVariant
    clip : Clip or None
        The answer, and all errors, are then those of the pixels that are left.
    """

    name: str
    problem: object
    strategy: object
    box: object
    measurements: tuple
    modes: dict = field(default_factory=dict)
    uncertainty: UncertaintyOptions = field(default_factory=UncertaintyOptions)
    variants: tuple[FitVariant, ...] = ()
    clip: Clip | None = None

    @property
    def is_real(self):
        """Whether any measurement was measured: models of real data are never the whole truth."""
        return any(not m.simulated for m in self.measurements)

    def __post_init__(self):
        if self.box.names != tuple(self.problem.forward.parameter_names):
            raise FitError(
                "the box does not fit the forward model",
                where=f"fit {self.name}, box",
                expected=self.problem.forward.parameter_names,
                got=self.box.names,
            )


def run_fit(fit, *, seed, provenance=None):
    """Search, estimate errors, refit the variants.

    Parameters
    ----------
    fit : Fit
    seed : int
        Of the study; equal seeds give equal results.
    provenance : dict, optional
        Plain values that are passed on into the result.

    Returns
    -------
    FitResult
    SearchResult
        For the picture of the landscape.
    """
    problem = fit.problem.counting()
    search = fit.strategy.minimise(problem, fit.box, seed)
    best = search.best.parameters
    _require_overlap(fit, best)
    _log.info("fit %s: %d minima, the best %.6g after %d calls", fit.name, len(search.minima), search.best.objective,
              search.n_call)  # fmt: skip
    warnings, details = [], {}
    if fit.clip is not None:
        problem, best, details["clip"] = _clipped(fit, problem, best, warnings)
    errors = errors_of(fit.uncertainty, problem, best, fit.box, measurements=fit.measurements, seed=seed)
    variants = tuple(_refit(v, fit, best) for v in fit.variants)
    leading = _leading(errors.covariances, _quoted(fit, errors.covariances))
    known = _identified(problem, best, fit.box, leading, warnings)
    estimates, modes = _estimates(fit, best, errors, variants, known)
    couplings = tuple(fit.problem.forward.coupling_names)
    values = {name: e.value for name, e in estimates.items()}
    quality = problem.objective.quality(problem.forward.predict(best))
    warnings += errors.warnings + [_outside(what) for what in _asked_outside(fit.problem.forward, best)]
    warnings += _warnings(search, estimates, modes, quality, variants)
    details |= errors.details | ({} if known is None else {"identifiability": known.to_dict()})
    n_call = {"n_call": search.n_call, "n_call_errors": max(problem.calls.n_call - search.n_call, 0)}
    result = FitResult(
        fit=fit.name,
        measurements=tuple(m.name for m in fit.measurements),
        parameters={n: e for n, e in estimates.items() if n in couplings},
        nuisances={n: e for n, e in estimates.items() if n not in couplings},
        modes=modes,
        correlation=_correlation(leading),
        combinations=() if leading is None else combinations(leading, values, names=couplings, unit="meV"),
        objective={"kind": fit.problem.objective.kind, "value": search.best.objective, **_settings(fit)},
        strategy={**search.strategy, **n_call, "n_infinite": search.n_infinite, "seed": int(seed)},
        quality=quality,
        minima=tuple(m.to_dict(fit.box.names) for m in search.minima),
        variants=variants,
        warnings=tuple(dict.fromkeys(warnings)),
        provenance={**(provenance or {}), "uncertainty": fit.uncertainty.to_dict(), "box": fit.box.to_dict()},
        details=details,
        region=errors.region,
    )
    return result, search


def _require_overlap(fit, best):
    """Raise where the model has nothing to say about a measurement: its axes lie outside of what is simulated."""
    predictions = fit.problem.forward.predict(best)
    for measurement, image in zip(fit.measurements, predictions, strict=True):
        image = np.asarray(image)
        # What is no spectrum (mode energies for peaks) has other axes.
        if image.shape == measurement.shape and not np.any(np.abs(image[measurement.valid]) > 0.0):
            raise FitError(
                "the model has no intensity where the measurement is",
                where=f"fit {fit.name}, measurement {measurement.name}",
                expected="axes that overlap what the model simulates, at some couplings of the box",
                got="zero in every measured pixel at the best couplings",
                fix="check units and offsets of the measurement's axes, the window, and the box",
            )


def _clipped(fit, problem, best, warnings):
    """Return the problem of the pixels that do not stand out, its minimum, and what happened as plain values."""
    clip = fit.clip
    found = clipped_fit(problem, best, fit.box, threshold=clip.threshold, window=clip.window, n_refit=clip.n_refit)
    moved = found.parameters - best
    try:
        std = information_covariance(found.problem, found.parameters, fit.box).std
        warnings += moved_warnings(fit.box, moved, std, "leaving out what stands out")
    except FitError:
        pass  # the errors of the fit say what is wrong
    plain = {"share": found.share, "moved": dict(zip(fit.box.names, moved.tolist(), strict=True))}
    return found.problem, found.parameters, plain


def _identified(problem, best, box, leading, warnings):
    """Return what the data tell of the couplings; None of an objective that has no information.

    The information says whether they tell anything; how well, the covariance that is quoted.
    """
    names = tuple(problem.forward.coupling_names)
    if not hasattr(problem.objective, "noise_scale"):
        return None
    n = len(names)
    try:
        information = coupling_information(problem, best, box)
        known = identifiability(information, best[:n], names=names, widths=box.width[:n])
    except (FitError, np.linalg.LinAlgError) as error:
        warnings.append(f"what the data determine cannot be told: {error}".splitlines()[0])
        return None
    quoted = None if leading is None else leading.matrix[:n, :n]
    if not known.unidentifiable and quoted is not None and np.linalg.eigvalsh(quoted)[0] > 0:
        known = identifiability(np.linalg.inv(quoted), best[:n], names=names, widths=box.width[:n])
    if known.unidentifiable:
        warnings += known.sentences[-2 if len(names) > 1 else -1 :]
    return known


def _settings(fit):
    objective = fit.problem.objective
    return {name: getattr(objective, name) for name in ("c_data", "c_model") if hasattr(objective, name)}


def _quoted(fit, covariances):
    """Return the methods that the quoted error is the largest of."""
    named = (*STATISTICAL, "jackknife") if fit.is_real else STATISTICAL
    return tuple(name for name in named if name in covariances)


def _leading(covariances, quoted):
    """Return the covariance that ``std`` is mostly from: of those that count, the one with the largest trace."""
    counted = [covariances[name] for name in quoted]
    if not counted:
        return None
    scale = np.max([np.where(c.std > 0, c.std, 0.0) for c in counted], axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    return max(counted, key=lambda c: float(np.sum((c.std / scale) ** 2)))


def _estimates(fit, best, errors, variants, known):
    """Return name → Estimate of the parameters, and of the modes."""
    source, covariances = fit.problem.forward, errors.covariances
    gradients = mode_gradients(source, best, fit.modes, fit.box) if covariances else {}
    here = mode_values(source, best, fit.modes)
    at_bound, lost = fit.box.at_bound(best), () if known is None else known.unidentifiable
    quoted, out, modes = _quoted(fit, covariances), {}, {}
    for k, name in enumerate(fit.box.names):
        axis = np.eye(len(fit.box.names))[k]
        # What sits at a bound in all replicas has an error of rounding: none.
        least = NOTHING * fit.box.width[k]
        stds = {m: c.along(axis) for m, c in covariances.items() if name not in c.fixed and c.along(axis) > least}
        intervals = {m: pairs[name] for m, pairs in errors.intervals.items() if name in pairs}
        bounds = (float(fit.box.lower[k]), float(fit.box.upper[k]))
        spread = _systematic(best[k], [v.parameters.get(name) for v in variants])
        how = {"at_bound": name in at_bound, "intervals": intervals, "identifiable": name not in lost}
        unit = source.units[k]
        out[name] = _estimate(best[k], unit, stds, quoted, errors.n_group, systematic=spread, bounds=bounds, **how)
    for name, value in here.items():
        stds = {m: c.along(gradients[name]) for m, c in covariances.items()}
        spread = _systematic(value, [v.modes.get(name) for v in variants])
        modes[name] = _estimate(value, "meV", stds, quoted, errors.n_group, systematic=spread)
    return out, modes


def _estimate(value, unit, stds, quoted, n_group, *, systematic, bounds=(-np.inf, np.inf), identifiable=True, **how):
    """Return an estimate whose error is the largest of the methods that count, by their half-widths at 95 %.

    That of a profile, where it was asked for, is half of its interval of 68 %.
    """
    half = {m: stds[m] * interval_width(LEVELS["95"], n_group=n_group.get(m)) for m in quoted if m in stds}
    method = max(half, key=lambda m: half[m]) if half and identifiable else None
    # The error of a surrogate is none of the data's: it comes on top.
    std = None if method is None else float(np.hypot(stds[method], stds.get("surrogate", 0.0)))

    def interval(level):
        if method is None:
            return None
        reach = std * interval_width(level, n_group=n_group.get(method))
        return max(bounds[0], float(value - reach)), min(bounds[1], float(value + reach))

    pair = interval(LEVELS["68"]), interval(LEVELS["95"])
    profile = how.get("intervals", {}).get("profile")
    if profile and method is not None and np.ptp(profile["95"]) > np.ptp(pair[1]):
        # Few counts: the likelihood is no parabola, and its profile is the wider.
        more = stds.get("surrogate", 0.0)
        pair = tuple(_stretched(profile[text], value, more * interval_width(LEVELS[text])) for text in ("68", "95"))
        method, std = "profile", 0.5 * float(np.ptp(pair[0]))
    return Estimate(float(value), unit, std, *pair, systematic, stds, method=method, identifiable=identifiable, **how)


def _stretched(pair, value, more):
    """Return an interval with another error in quadrature at both ends."""
    return tuple(float(value + np.sign(end - value) * np.hypot(end - value, more)) for end in pair)


def _systematic(value, others):
    """Return half of (largest − smallest) over the fit and those of its variants that have the quantity."""
    known = [v for v in others if v is not None]
    return 0.5 * float(np.ptp([value, *known])) if known else None


def _refit(variant, fit, best):
    """Refit a variant from the fit's optimum; parameters that it has not are left out."""
    start = np.array([best[fit.box.names.index(name)] for name in variant.box.names])
    try:
        refit = gauss_newton(variant.problem, start, box=variant.box, max_step=50)
        parameters = dict(zip(variant.box.names, refit.parameters.tolist(), strict=True))
        modes = mode_values(variant.problem.forward, refit.parameters, fit.modes)
    except SpinscapeError as error:
        return VariantResult(variant.label, {}, {}, None, str(error))
    doubt = None if refit.converged else f"not converged after {refit.n_step} steps"
    return VariantResult(variant.label, parameters, modes, refit.value, doubt)


def _correlation(covariance):
    if covariance is None:
        return {"names": [], "matrix": [], "method": None}
    matrix = covariance.correlation.tolist()
    return {"names": list(covariance.names), "matrix": matrix, "method": covariance.method}


def _warnings(search, estimates, modes, quality, variants):
    out = [f"{name} sits at a bound of its interval" for name, e in estimates.items() if e.at_bound]
    if quality.get("chi2_per_dof", 0.0) > GOOD_CHI2:
        out.append(
            f"χ²/dof is {quality['chi2_per_dof']:.2f}: the data hold more than model and noise, "
            "and the curvature alone says too little"
        )
    if not quality.get("trusted", True):
        share, scatter = 100 * quality["down_weighted"], quality["scatter"]
        out.append(
            f"{share:.0f} % of the pixels are left out as artefacts and the others scatter by {scatter:.2f} times the "
            "variance of the noise: too much to trust the couplings and their errors"
        )
    out += [
        f"the profiled {k} is zero: the model is absent" for k, v in quality.items() if k.startswith("scale") and v == 0
    ]
    for name, e in {**estimates, **modes}.items():
        wide = e.std_by_method.get("jackknife")
        narrow = max((s for m, s in e.std_by_method.items() if m != "jackknife"), default=0.0)
        if wide and narrow and wide > MOVED * narrow:
            out.append(f"groups of pixels disagree on {name}: jackknife {wide:.2g}, statistical {narrow:.2g} {e.unit}")
        if e.std and e.systematic and e.systematic > MOVED * e.std:
            out.append(f"variants move {name} by ± {e.systematic:.2g} {e.unit}, quoted error {e.std:.2g}")
    if len(search.minima) > 1 and search.minima[1].n_start > search.best.n_start:
        out.append("more starts lead to a false minimum than to the best one")
    return out + [f"variant {v.label!r}: {v.error.splitlines()[0]}" for v in variants if v.error]


def _asked_outside(forward, parameters):
    return forward.outside(parameters) if hasattr(forward, "outside") else ()


def _outside(what):
    words = {"q": "momenta", "energy": "energies", "theta": "couplings"}[what]
    return f"the network was asked at {words} outside of its training: it extrapolates there"
