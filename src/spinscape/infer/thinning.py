"""What fewer counts would have said: a measurement thinned, fitted again and again, and compared with the truth."""

from dataclasses import asdict, dataclass, replace

import numpy as np
from scipy.stats import chi2 as chi2_law

from ..errors import FitError, SpinscapeError
from ..rng import stream
from .counts import counts_of
from .gauss_newton import gauss_newton
from .held import held_problem
from .intervals import few_counts, information_covariance, interval_width
from .simulated_ratio import ratio_law
from .weighted_sum import as_likelihood

LEVELS = (0.95, 0.68)
N_EXPERIMENT = 8
"""Simulated at each fit of few counts: enough, as their own noise is allowed for."""


def thinned(measurement, counts, generator, *, counts_per_unit=None):
    """Return the measurement as it would have been with fewer counts: each count kept with one probability.

    A Poisson variable thinned binomially is one again, of the smaller mean: nothing is assumed of the model.

    Parameters
    ----------
    measurement : Measurement
        Whose counts are known (:func:`~spinscape.infer.counts.counts_of`); counts that are not whole, where the
        exposure was read off the noise, are rounded first.
    counts : float
        Expected in all valid pixels, at most as many as there are.
    generator : numpy Generator
    counts_per_unit : float or (n_q, n_energy), optional

    Returns
    -------
    Measurement
        Of the same intensity, with the standard deviations of its counts (of one count where there is none).

    Raises
    ------
    FitError
        Where there are fewer counts than asked for.
    """
    counted = counts_of(measurement, counts_per_unit=counts_per_unit)
    whole = np.round(np.where(measurement.valid, counted.counts, 0.0)).astype(np.int64)
    total = int(whole.sum())
    if not 0 < counts <= total:
        raise FitError(
            "a measurement can only be thinned to fewer counts",
            where=f"measurement {measurement.name}", expected=f"more than 0, at most {total}", got=f"{counts:g}",
            fix="ask for fewer counts, or simulate a longer measurement",
        )  # fmt: skip
    share = counts / total
    kept = generator.binomial(whole, share).astype(np.float64)
    exposure = share * counted.exposure
    provenance = {**measurement.provenance, "thinned_to": float(counts)}
    provenance.pop("counts_per_unit", None)
    here = exposure[measurement.valid]
    if np.ptp(here) == 0:
        provenance["counts_per_unit"] = float(here[0])
    return replace(
        measurement,
        signal=np.where(measurement.valid, kept / exposure, 0.0),
        std=np.sqrt(np.maximum(kept, 1.0)) / exposure,
        provenance=provenance,
    )


@dataclass(frozen=True)
class ThinnedFits:
    """Fits at one number of counts, against the truth; tuples in the order of the couplings.

    Parameters
    ----------
    counts : float
    n_fit, n_failed : int
    basin : float
        Share of the fits whose couplings all lie within the given distances of the truth.
    rms, bias, std : tuple of float, meV
        Errors of the fits in the right basin, and the median of what they say of themselves.
    covered, profile : dict of str to tuple of float
        Share of intervals of 95 and 68 % that hold the truth, all fits counted: those of the information, and those of
        the profile likelihood.
    """

    counts: float
    n_fit: int
    n_failed: int
    basin: float
    rms: tuple[float, ...]
    bias: tuple[float, ...]
    std: tuple[float, ...]
    covered: dict[str, tuple[float, ...]]
    profile: dict[str, tuple[float, ...]]

    def to_dict(self):
        """Return plain values, for JSON."""
        return asdict(self)


def thinning(measurement, fit, *, levels, truth, distances, n_replica, seed, truth_std=None):
    """Thin a measurement to several numbers of counts, fit each, and say how far off they are and what they say.

    Parameters
    ----------
    measurement : Measurement
    fit : callable
        From a measurement and the truth to (values, stds, excess) of the couplings, (n,) each
        (:func:`fitted_couplings`); may raise :class:`SpinscapeError`.
    levels : sequence of float
        Numbers of counts.
    truth : (n,) float64, meV
        The couplings of a simulation; for measured data those of the fit of all counts.
    distances : (n,) float64, meV
        Further off than this a fit is in another basin.
    n_replica : int
        Fits for each level.
    seed : int
    truth_std : (n,) float64, meV, optional
        Of the fit of all counts: the thinned ones are part of these, so that the variance of the difference is that of
        the thinned fit less this one's.

    Returns
    -------
    list of ThinnedFits
    """
    truth, distances = np.asarray(truth, dtype=np.float64), np.asarray(distances, dtype=np.float64)
    known = np.zeros_like(truth) if truth_std is None else np.asarray(truth_std, dtype=np.float64)
    out = []
    for counts in levels:
        found, failed = [], 0
        for replica in range(n_replica):
            generator = stream(seed, "counting", measurement.name, "thinned", float(counts), replica=replica)
            try:
                found.append(np.array(fit(thinned(measurement, counts, generator), truth), dtype=np.float64))
            except SpinscapeError:
                failed += 1
        out.append(_summary(float(counts), np.array(found).reshape(-1, 3, len(truth)), failed, truth, distances, known))
    return out


def _summary(counts, found, failed, truth, distances, known):
    miss, stds, excess = found[:, 0] - truth, found[:, 1], found[:, 2]
    near = (np.abs(miss) < distances).all(axis=1)
    n = len(found) + failed
    spread = np.sqrt(np.maximum(stds**2 - known**2, 1e-300))
    inside = {level: np.abs(miss) <= interval_width(level) * spread for level in LEVELS}
    below = {level: excess <= chi2_law.ppf(level, 1) for level in LEVELS}

    def of_near(values):
        return tuple(np.asarray(values).tolist()) if near.any() else (float("nan"),) * len(truth)

    return ThinnedFits(
        counts, n, failed, float(near.sum() / n),
        rms=of_near(np.sqrt((miss[near] ** 2).mean(axis=0)) if near.any() else 0),
        bias=of_near(miss[near].mean(axis=0) if near.any() else 0),
        std=of_near(np.median(stds[near], axis=0) if near.any() else 0),
        covered=_shares(inside, n),
        profile=_shares(below, n),
    )  # fmt: skip


def _shares(hits, n):
    return {f"{level:g}": tuple((hit.sum(axis=0) / n).tolist()) for level, hit in hits.items()}


def fitted_couplings(problem, box, strategy, *, seed, truth, n_experiment=N_EXPERIMENT):
    """Search a box, and ask how far the truth is from what was found.

    ``n_experiment`` are simulated at the fit where there are few counts, for the law of the likelihood ratio.

    Returns
    -------
    values, stds : (n,) float64, meV
        Of the couplings; standard deviations of the information.
    excess : (n,) float64
        Of the profile likelihood: what the deviance rises by where a coupling is held at its truth and all else is at
        its best; by its law for few counts as that value of χ²₁ which is as rare. Up to χ²₁(level) the interval of the
        profile holds the truth, however crooked the valley.
    """
    problem = replace(problem, objective=as_likelihood(problem.objective))
    best = strategy.minimise(problem.counting(), box, seed).best.parameters
    n = len(problem.forward.coupling_names)
    lowest, _ = problem.evaluate(best)
    scale = problem.objective.noise_scale(lowest, n_parameter=len(best))
    excess = [(_held_at(problem, best, box, k, truth) - lowest) / scale for k in range(n)]
    if few_counts(problem.objective) and not problem.objective.estimated and n_experiment:
        excess = ratio_law(problem, best, box, n_experiment=n_experiment, seed=seed).as_chi2(np.maximum(excess, 0.0))
    return best[:n], information_covariance(problem, best, box).std[:n], np.array(excess)


def _held_at(problem, best, box, k, truth):
    """Return the deviance with coupling k at its truth, the others starting from theirs: along the valley."""
    held, small = held_problem(problem, box, k, truth[k])
    start = np.array([*truth, *best[len(truth) :]])
    return gauss_newton(held, np.delete(start, k), box=small, max_step=60).value
