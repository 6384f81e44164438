"""Posterior sampling: an ensemble of walkers on a likelihood, run until it has forgotten where it began."""

from dataclasses import dataclass

import emcee
import numpy as np

from ..errors import FitError
from ..rng import stream
from .uncertainty import Covariance

LENGTHS = 50
"""A chain is this many autocorrelation times long before it counts as converged."""
BURN_IN = 5
"""Autocorrelation times that are thrown away."""
MAX_R_HAT = 1.05
"""Largest ratio of the spread of all to that within parts of the chain."""
SETTLED = 0.05
"""Relative change of the autocorrelation time between two checks."""


@dataclass(frozen=True, eq=False)
class Posterior:
    """Samples of the parameters.

    Parameters
    ----------
    names : tuple of str
    samples : (n_sample, n_parameter) float64
        After burn-in, thinned to about half an autocorrelation time.
    log_density : (n_sample,) float64
    autocorrelation : (n_parameter,) float64
        Steps.
    r_hat : (n_parameter,) float64
    n_effective : (n_parameter,) float64
        Independent samples that the chain is worth.
    acceptance : float
    n_call : int
        Evaluations of the likelihood, those of points outside the box not counted.
    converged : bool
    warnings : tuple of str
    """

    names: tuple[str, ...]
    samples: np.ndarray
    log_density: np.ndarray
    autocorrelation: np.ndarray
    r_hat: np.ndarray
    n_effective: np.ndarray
    acceptance: float
    n_call: int
    converged: bool
    warnings: tuple[str, ...]

    def interval(self, level=0.95):
        """Return the central interval of each parameter, (n_parameter, 2)."""
        tail = 0.5 - 0.5 * level
        return np.quantile(self.samples, [tail, 1.0 - tail], axis=0).T

    def covariance(self):
        """Return the :class:`~spinscape.infer.uncertainty.Covariance` of the samples."""
        matrix = np.atleast_2d(np.cov(self.samples, rowvar=False))
        return Covariance(self.names, matrix, (), "posterior")

    def of(self, quantity):
        """Return a quantity (parameters → float) of every sample, (n_sample,)."""
        return np.array([float(quantity(sample)) for sample in self.samples])


class _LogDensity:
    """−½ D inside the box, −∞ outside; counts its calls."""

    def __init__(self, deviance, box, temper, log_prior):
        self.deviance, self.box, self.temper, self.log_prior = deviance, box, temper, log_prior
        self.n_call = 0

    def __call__(self, parameters):
        if np.any(parameters < self.box.lower) or np.any(parameters > self.box.upper):
            return -np.inf
        prior = 0.0 if self.log_prior is None else float(self.log_prior(parameters))
        if not np.isfinite(prior):
            return -np.inf
        self.n_call += 1
        value = self.deviance(parameters)
        return -0.5 * value / self.temper + prior if np.isfinite(value) else -np.inf


def sample_posterior(
    deviance, best, box, *, seed, covariance=None, noise_scale=1.0, log_prior=None, n_walker=None,
    max_step=20_000, check_every=200, key=(),
):  # fmt: skip
    """Sample exp(−D/2) over a box.

    Parameters
    ----------
    deviance : callable (n_parameter,) → float
        A :class:`~spinscape.infer.problem.Problem` whose objective is a likelihood or χ²: through the simulator, a
        network, or a :class:`~spinscape.infer.surrogate.QuadraticSurrogate`. +inf where the model is unstable.
    best : (n_parameter,) float64
        The walkers start about it.
    box : Box
        The prior is flat inside it.
    seed : int
    covariance : Covariance, optional
        How far the walkers start apart; 1 % of the box without it.
    noise_scale : float
        Divides D: that of the objective, where the noise was estimated.
    log_prior : callable, optional
        Beside the box; −inf where a point is impossible.
    n_walker : int, optional
        Four for each parameter, at least 16, by default.
    max_step, check_every : int
        Steps of every walker, and how often convergence is asked for.
    key : tuple
        What the data are known by.

    Returns
    -------
    Posterior
        Whether it converged is in it: the chain is as long as 50 autocorrelation times, they have settled, and parts of
        the chain agree (R̂ < 1.05).
    """
    best = np.asarray(best, dtype=np.float64)
    n = len(box.names)
    n_walker = max(16, 4 * n) if n_walker is None else n_walker
    if n_walker < 2 * n:
        raise FitError("too few walkers", where="posterior.n_walker", expected=f"at least {2 * n}", got=n_walker)
    generator = stream(seed, "posterior", best, *key)
    density = _LogDensity(deviance, box, noise_scale, log_prior)
    start = _start(density, best, box, covariance, n_walker, generator)
    sampler = emcee.EnsembleSampler(n_walker, n, density)
    # emcee takes the state of the old generator only.
    words = generator.integers(0, 2**32, size=8, dtype=np.uint64).astype(np.uint32)
    sampler.random_state = np.random.RandomState(words).get_state()
    tau, converged = _run(sampler, start, max_step, check_every)
    return _collected(sampler, density, box.names, tau, converged)


def _start(density, best, box, covariance, n_walker, generator):
    """Draw walkers about the best point, inside the box and of finite density."""
    matrix = np.diag((0.01 * box.width) ** 2)
    if covariance is not None:
        free = covariance.std > 0
        matrix = np.where(np.outer(free, free), covariance.matrix, matrix)
    factor, out = np.linalg.cholesky(matrix), []
    for _ in range(100 * n_walker):
        trial = best + factor @ generator.standard_normal(len(best))
        if np.isfinite(density(trial)):
            out.append(trial)
        if len(out) == n_walker:
            return np.array(out)
    raise FitError(
        "no walkers can be started: the likelihood is zero about the best point",
        where="posterior", expected=f"{n_walker} points with a finite likelihood", got=len(out),
        fix="check that the best point is stable and inside the box",
    )  # fmt: skip


def _run(sampler, start, max_step, check_every):
    """Step until the autocorrelation time has settled and the chain is long enough; return it and whether it is."""
    before, state = np.full(start.shape[1], np.inf), start
    for done in range(check_every, max_step + 1, check_every):
        state = sampler.run_mcmc(state, check_every, progress=False)
        tau = sampler.get_autocorr_time(tol=0, quiet=True)
        settled = np.all(np.isfinite(tau)) and np.all(np.abs(tau - before) < SETTLED * tau)
        if settled and done > LENGTHS * tau.max():
            return tau, True
        before = tau
    return before, False


def _collected(sampler, density, names, tau, settled):
    finite = np.where(np.isfinite(tau), tau, len(sampler.get_chain()) / 10.0)
    burn = min(int(BURN_IN * finite.max()), len(sampler.get_chain()) // 2)
    thin = max(1, int(0.5 * finite.min()))
    chain = sampler.get_chain(discard=burn)
    r_hat = split_r_hat(chain)
    n_effective = chain.shape[0] * chain.shape[1] / np.maximum(finite, 1.0)
    warnings = []
    if not settled:
        warnings.append(f"the chain is shorter than {LENGTHS} autocorrelation times: intervals may be too narrow")
    if r_hat.max() > MAX_R_HAT:
        warnings.append(f"parts of the chain disagree: R̂ = {r_hat.max():.3f}")
    acceptance = float(np.mean(sampler.acceptance_fraction))
    if acceptance < 0.1:
        warnings.append(f"few steps are accepted: {acceptance:.2f}")
    samples = sampler.get_chain(discard=burn, thin=thin, flat=True)
    values = sampler.get_log_prob(discard=burn, thin=thin, flat=True)
    good = settled and bool(r_hat.max() <= MAX_R_HAT)
    return Posterior(
        tuple(names), samples, values, finite, r_hat, n_effective, acceptance, density.n_call, good, tuple(warnings)
    )


def split_r_hat(chain, *, n_part=4):
    """Return R̂ of an ensemble: the spread of everything over the mean spread within consecutive parts of the chain.

    Parameters
    ----------
    chain : (n_step, n_walker, n_parameter) float64
    n_part : int

    Notes
    -----
    Walkers of an ensemble move together, so that parts in time are compared, all walkers pooled, and not walkers.
    Source: Gelman et al., Bayesian Data Analysis, 3rd ed., sec. 11.4.
    """
    length = len(chain) // n_part
    if length < 2:
        return np.full(chain.shape[2], np.inf)
    parts = chain[: n_part * length].reshape(n_part, -1, chain.shape[2])
    within = parts.var(axis=1, ddof=1).mean(axis=0)
    between = parts.mean(axis=1).var(axis=0, ddof=1)
    return np.sqrt(1.0 + between / np.where(within > 0, within, np.inf))
