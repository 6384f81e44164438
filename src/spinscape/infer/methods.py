"""The errors of a fit by the methods that were asked for; one that fails is a warning, as the fit itself stands."""

from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import FitError
from .generator_forward import surrogate_covariance
from .held_out import held_out_covariance
from .intervals import (
    few_counts,
    freer_shift,
    information_covariance,
    instrument_warnings,
    moved_warnings,
    profile_interval,
    widened,
)
from .line_shape_test import LEVEL, line_shape_test
from .poisson import Likelihood
from .posterior import sample_posterior
from .region import acceptable_region
from .simulated_ratio import RatioLaw, ratio_law
from .uncertainty import block_bootstrap, group_jackknife, hessian_covariance
from .weighted_sum import as_likelihood

LEVELS = {"68": 0.6826894921370859, "95": 0.95}
STATISTICAL = ("hessian", "information", "bootstrap", "posterior", "robust", "shaped")
"""Methods that a quoted error is the largest of; that of real data also of the group jackknife."""
STANDS_IN = ("siren", "generator")
"""Forward models with an error of their own."""


@dataclass(frozen=True, eq=False)
class UncertaintyOptions:
    """How errors are found.

    Parameters
    ----------
    hessian : bool
        Curvature of the objective itself.
    information : bool
        Of a likelihood: the expected information, scale and background eliminated.
    bootstrap : (int, int) or None
        Block in pixels along momentum and energy.
    n_replica : int
    jackknife : int
        Bands of energy; each band of each segment is left out in turn. 0 for no jackknife.
    profile : bool or None
        Intervals in which the best objective of all other parameters stays below its threshold. None: of counts, where
        there are fewer than :data:`~spinscape.infer.intervals.FEW_COUNTS`.
    simulated : int
        Experiments simulated at the best fit, by which the profile's threshold is set where there are few counts.
    posterior : int
        Steps of every walker at most; 0 for no sampling.
    freer : Objective or None
        The same data with a background of more freedom: what it moves widens the information (``robust``).
    line_shape : float or None, meV
        FWHM of a typical line: a test of its shape, and what tails move widens the information (``shaped``).
    region : int
        Points along each of the first two couplings of the map of acceptable ones; 0 for none.
    """

    hessian: bool = True
    information: bool = False
    bootstrap: tuple[int, int] | None = None
    n_replica: int = 200
    jackknife: int = 0
    profile: bool | None = None
    simulated: int = 16
    posterior: int = 0
    freer: object = None
    line_shape: float | None = None
    region: int = 0

    def to_dict(self):
        """Return plain values, for JSON."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "freer"}
        return {**plain, "freer": self.freer is not None}


@dataclass(eq=False)
class Errors:
    """What the methods found; each adds its part.

    Parameters
    ----------
    covariances : dict of str to Covariance
    n_group : dict of str to int
        Of methods whose standard deviation is that of few groups: their intervals are Student's.
    intervals : dict of str to dict
        Method → parameter → {"68": (lower, upper), "95": ...}, of methods that are more than a standard deviation.
    details : dict
        Plain values of single methods, for JSON.
    warnings : list of str
    region : Region or None
    """

    covariances: dict
    n_group: dict = field(default_factory=dict)
    intervals: dict = field(default_factory=dict)
    details: dict = field(default_factory=dict)
    warnings: list = field(default_factory=list)
    region: object = None


def errors_of(options, problem, best, box, *, measurements, seed):
    """Return the :class:`Errors` of a fit.

    Parameters
    ----------
    options : UncertaintyOptions
    problem : Problem
    best : (n_parameter,) float64
    box : Box
    measurements : sequence of Measurement
    seed : int
    """
    out = Errors({})
    jobs = {
        "hessian": options.hessian and _hessian,
        "information": options.information and _information,
        "bootstrap": options.bootstrap is not None and _bootstrap,
        "jackknife": options.jackknife > 0 and _jackknife,
        "robust": options.freer is not None and _robust,
        "shaped": options.line_shape is not None and _shaped,
        "profile": _wants_profile(options, problem.objective, out.warnings) and _profile,
        "posterior": options.posterior > 0 and _posterior,
        "region": options.region > 1 and len(box.names) > 1 and _region,
    }
    jobs["surrogate"] = getattr(problem.forward, "kind", None) in STANDS_IN and _surrogate
    common = {"options": options, "measurements": tuple(measurements), "seed": seed}
    for name, job in jobs.items():
        if not job:
            continue
        try:
            job(out, problem, np.asarray(best), box, **common)
        except FitError as error:
            what = "map of acceptable couplings" if name == "region" else f"{name} error"
            out.warnings.append(f"no {what}: {error.what}")
    out.warnings.extend(w for w in instrument_warnings(box, best) if "sits at" not in w)
    return out


def _hessian(out, problem, best, box, **_):
    out.covariances["hessian"] = hessian_covariance(problem, best, box)


def _surrogate(out, problem, best, box, **_):
    """Add what a forward model that stands in for the simulator does not know itself."""
    forward, objective = problem.forward, problem.objective
    if hasattr(forward, "error_images") and hasattr(objective, "shift_of"):
        out.covariances["surrogate"] = surrogate_covariance(problem, best, box)
    elif getattr(forward, "held_out", None) is not None and isinstance(objective, Likelihood):
        out.covariances["surrogate"] = held_out_covariance(problem, best, box)
    else:
        raise FitError(f"what the {forward.kind} itself is off by is not in the intervals", where="fit, uncertainty",
                       got=objective.kind, fix="fit a likelihood, on axes that are simulated")  # fmt: skip


def _information(out, problem, best, box, **_):
    out.covariances["information"] = information_covariance(problem, best, box)


def _bootstrap(out, problem, best, box, *, options, measurements, seed):
    replicas = block_bootstrap(
        problem, best, box, measurements=measurements, block=options.bootstrap, n_replica=options.n_replica, seed=seed
    )
    out.covariances["bootstrap"] = replicas.covariance()


def _jackknife(out, problem, best, box, *, options, measurements, **_):
    replicas = group_jackknife(problem, best, box, measurements=measurements, n_band=options.jackknife)
    out.covariances["jackknife"] = replicas.covariance()
    out.n_group["jackknife"] = len(replicas.parameters)


def _robust(out, problem, best, box, *, options, **_):
    """Add the square of what a background with more freedom moves to the information."""
    plain = out.covariances.get("information") or information_covariance(problem, best, box)
    shift = freer_shift(problem, best, box, freer=options.freer)
    out.covariances["robust"] = widened(plain, shift, method="robust")
    out.details["freer_background"] = {"shift": _named(box, np.where(plain.std > 0, shift, 0.0))}
    out.warnings.extend(moved_warnings(box, shift, plain.std, "a background with more freedom"))


def _shaped(out, problem, best, box, *, options, measurements, **_):
    """Test the line shape, and add the square of what tails would move to the information, or to ``robust``."""
    test = line_shape_test(problem, best, box, measurements=measurements, fwhm=options.line_shape)
    plain = out.covariances.get("robust") or out.covariances.get("information")
    plain = plain or information_covariance(problem, best, box)
    out.covariances["shaped"] = widened(plain, test.shift, method="shaped")
    out.details["line_shape"] = {
        "p_value": test.p_value,
        "level": LEVEL,
        "fits": not test.fires(),
        "amplitudes": dict(test.amplitudes),
        "shift": _named(box, test.shift),
    }
    if test.fires():
        sizes = ", ".join(f"{name} {size:+.1f}" for name, size in test.amplitudes.items())
        out.warnings.append(
            f"the lines do not have the shape that the model says (chance {test.p_value:.1g}; in standard deviations: "
            f"{sizes}): quote the group jackknife"
        )


def _wants_profile(options, objective, warnings):
    """Return whether the profile is asked for: by default of few counts, where there is a likelihood."""
    if options.profile is not None:
        return options.profile
    few = few_counts(objective)
    if few and not hasattr(as_likelihood(objective), "sets"):
        what = "few counts in a sum with weights, or with terms that are no likelihoods of known noise"
        warnings.append(f"{what}: its intervals are those of the curvature, which few counts make too narrow")
        return False
    return few


def _profile(out, problem, best, box, *, options, seed, **_):
    problem = replace(problem, objective=as_likelihood(problem.objective))
    information_covariance(problem, best, box)  # of a flat likelihood nothing is simulated: it raises
    law = RatioLaw()
    if options.simulated and few_counts(problem.objective) and not problem.objective.estimated:
        law = ratio_law(problem, best, box, n_experiment=options.simulated, seed=seed)
        out.details["likelihood_ratio"] = law.to_dict()
    found = {}
    for name in box.names:
        if name in box.at_bound(best):
            continue
        found[name] = {
            text: profile_interval(problem, best, box, name, level=level, tolerance=0.02, law=law)
            for text, level in LEVELS.items()
        }
    out.intervals["profile"] = found


def _posterior(out, problem, best, box, *, options, seed, **_):
    start = out.covariances.get("information") or out.covariances.get("hessian")
    scale = problem.objective.noise_scale(problem(best), n_parameter=len(box.names))
    sampled = sample_posterior(
        problem, best, box, seed=seed, covariance=start, noise_scale=scale, max_step=options.posterior
    )
    out.covariances["posterior"] = sampled.covariance()
    limits = {text: sampled.interval(level) for text, level in LEVELS.items()}
    out.intervals["posterior"] = {
        name: {text: tuple(map(float, pairs[k])) for text, pairs in limits.items()} for k, name in enumerate(box.names)
    }
    out.details["posterior"] = {
        "n_call": sampled.n_call,
        "n_sample": len(sampled.samples),
        "acceptance": sampled.acceptance,
        "converged": sampled.converged,
        "autocorrelation": _named(box, sampled.autocorrelation),
        "r_hat": _named(box, sampled.r_hat),
        "n_effective": _named(box, sampled.n_effective),
    }
    out.warnings.extend(f"posterior: {text}" for text in sampled.warnings)


def _region(out, problem, best, box, *, options, **_):
    start = out.covariances.get("information") or out.covariances.get("hessian")
    if start is None or not hasattr(problem.objective, "noise_scale"):
        raise FitError("it needs a likelihood or χ², and its hessian or information", where="fit, region")
    out.region = acceptable_region(problem, best, box, start, n_point=options.region)


def _named(box, values):
    return dict(zip(box.names, np.asarray(values, dtype=np.float64).tolist(), strict=True))
