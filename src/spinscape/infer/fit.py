"""A whole fit: search, errors by several methods, variants, derived quantities, warnings."""

import logging
from dataclasses import asdict, dataclass, field

import numpy as np

from ..errors import FitError, SpinscapeError
from .derived import combinations, mode_gradients, mode_values
from .gauss_newton import gauss_newton
from .result import Estimate, FitResult, VariantResult
from .uncertainty import block_bootstrap, group_jackknife, hessian_covariance

_log = logging.getLogger(__name__)

NORMAL_95 = 1.959963984540054
GOOD_CHI2 = 1.3
"""χ²/dof above which the model or its line shape is called incomplete."""
MOVED = 2.0
"""Shifts beyond this many standard deviations are warned of."""


@dataclass(frozen=True)
class UncertaintyOptions:
    """How errors are found.

    Parameters
    ----------
    hessian : bool
    bootstrap : (int, int) or None
        Block in pixels along momentum and energy.
    n_replica : int
    jackknife : int
        Bands of energy; each band of each segment is left out in turn. 0 for no jackknife.
    """

    hessian: bool = True
    bootstrap: tuple[int, int] | None = None
    n_replica: int = 200
    jackknife: int = 0


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
    """

    name: str
    problem: object
    strategy: object
    box: object
    measurements: tuple
    modes: dict = field(default_factory=dict)
    uncertainty: UncertaintyOptions = UncertaintyOptions()
    variants: tuple[FitVariant, ...] = ()

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
    _log.info("fit %s: %d minima, the best %.6g after %d calls", fit.name, len(search.minima), search.best.objective,
              search.n_call)  # fmt: skip
    warnings = []
    covariances = _covariances(fit, problem, best, seed, warnings)
    variants = tuple(_refit(v, fit, best) for v in fit.variants)
    estimates, modes = _estimates(fit, best, covariances, variants)
    leading = _leading(covariances)
    couplings = tuple(fit.problem.forward.coupling_names)
    values = {name: e.value for name, e in estimates.items()}
    quality = fit.problem.objective.quality(fit.problem.forward.predict(best))
    warnings += [_outside(what) for what in _asked_outside(fit.problem.forward, best)]
    warnings += _warnings(search, estimates, modes, quality, variants)
    result = FitResult(
        fit=fit.name,
        measurements=tuple(m.name for m in fit.measurements),
        parameters={n: e for n, e in estimates.items() if n in couplings},
        nuisances={n: e for n, e in estimates.items() if n not in couplings},
        modes=modes,
        correlation=_correlation(leading),
        combinations=() if leading is None else combinations(leading, values, names=couplings, unit="meV"),
        objective={"kind": fit.problem.objective.kind, "value": search.best.objective, **_settings(fit)},
        strategy={**search.strategy, "n_call": search.n_call, "n_infinite": search.n_infinite, "seed": int(seed)},
        quality=quality,
        minima=tuple(m.to_dict(fit.box.names) for m in search.minima),
        variants=variants,
        warnings=tuple(warnings),
        provenance={**(provenance or {}), "uncertainty": asdict(fit.uncertainty), "box": fit.box.to_dict()},
    )
    return result, search


def _settings(fit):
    objective = fit.problem.objective
    return {name: getattr(objective, name) for name in ("c_data", "c_model") if hasattr(objective, name)}


def _covariances(fit, problem, best, seed, warnings):
    """Return method → Covariance; a method that fails is a warning, since the fit itself stands."""
    options, common = fit.uncertainty, {"measurements": fit.measurements}
    methods = {}
    if options.hessian:
        methods["hessian"] = lambda: hessian_covariance(problem, best, fit.box)
    if options.bootstrap is not None:
        block, n = options.bootstrap, options.n_replica
        methods["bootstrap"] = lambda: block_bootstrap(
            problem, best, fit.box, block=block, n_replica=n, seed=seed, **common
        ).covariance()
    if options.jackknife > 0:
        n_band = options.jackknife
        methods["jackknife"] = lambda: group_jackknife(problem, best, fit.box, n_band=n_band, **common).covariance()
    out = {}
    for name, method in methods.items():
        try:
            out[name] = method()
        except FitError as error:
            warnings.append(f"no {name} error: {error.what}")
    return out


def _leading(covariances):
    """Return the covariance that ``std`` is mostly from: of curvature and bootstrap, the one with the larger trace."""
    statistical = [covariances[name] for name in ("hessian", "bootstrap") if name in covariances]
    if not statistical:
        return None
    scale = np.max([np.where(c.std > 0, c.std, 0.0) for c in statistical], axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    return max(statistical, key=lambda c: float(np.sum((c.std / scale) ** 2)))


def _estimates(fit, best, covariances, variants):
    """Return name → Estimate of the parameters, and of the modes."""
    source = fit.problem.forward
    gradients = mode_gradients(source, best, fit.modes, fit.box) if covariances else {}
    here = mode_values(source, best, fit.modes)
    at_bound = fit.box.at_bound(best)
    out = {}
    for k, name in enumerate(fit.box.names):
        axis = np.eye(len(fit.box.names))[k]
        stds = {m: c.along(axis) for m, c in covariances.items() if name not in c.fixed}
        bounds = (float(fit.box.lower[k]), float(fit.box.upper[k]))
        spread = _systematic(best[k], [v.parameters.get(name) for v in variants])
        unit = fit.problem.forward.units[k]
        out[name] = _estimate(best[k], unit, stds, spread, bounds, name in at_bound)
    modes = {}
    for name, value in here.items():
        stds = {m: c.along(gradients[name]) for m, c in covariances.items()}
        spread = _systematic(value, [v.modes.get(name) for v in variants])
        modes[name] = _estimate(value, "meV", stds, spread, (-np.inf, np.inf), False)
    return out, modes


def _estimate(value, unit, stds, systematic, bounds, at_bound):
    statistical = [stds[m] for m in ("hessian", "bootstrap") if m in stds]
    std = max(statistical) if statistical else None

    def interval(width):
        if std is None:
            return None
        return max(bounds[0], float(value - width * std)), min(bounds[1], float(value + width * std))

    return Estimate(float(value), unit, std, interval(1.0), interval(NORMAL_95), systematic, stds, at_bound)


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
    out += [
        f"the profiled {k} is zero: the model is absent" for k, v in quality.items() if k.startswith("scale") and v == 0
    ]
    for name, e in {**estimates, **modes}.items():
        wide = e.std_by_method.get("jackknife")
        if e.std and wide and wide > MOVED * e.std:
            out.append(f"groups of pixels disagree on {name}: jackknife {wide:.2g}, statistical {e.std:.2g} {e.unit}")
        if e.std and e.systematic and e.systematic > MOVED * e.std:
            out.append(f"variants move {name} by ± {e.systematic:.2g} {e.unit}, statistical error {e.std:.2g}")
    if len(search.minima) > 1 and search.minima[1].n_start > search.best.n_start:
        out.append("more starts lead to a false minimum than to the best one")
    return out + [f"variant {v.label!r}: {v.error.splitlines()[0]}" for v in variants if v.error]


def _asked_outside(forward, parameters):
    return forward.outside(parameters) if hasattr(forward, "outside") else ()


def _outside(what):
    words = {"q": "momenta", "energy": "energies", "theta": "couplings"}[what]
    return f"the network was asked at {words} outside of its training: it extrapolates there"
