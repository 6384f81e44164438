"""Errors of correlated samples: autocorrelation times, blocks, effective sample sizes, R̂ and the jackknife.

Samples are arrays (n_chain, n_sample, ...) throughout: independent chains of equal length, then axes of observables.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy.fft
import scipy.special
import scipy.stats

from ..errors import ShapeError

WINDOW = 6.0
"""The sum over autocorrelations ends at this many autocorrelation times (Sokal)."""
N_BLOCK = 20
"""Blocks of all chains together that errors are taken from."""


class Estimate(NamedTuple):
    """A value and its standard error, of one shape."""

    value: Any
    error: Any


def checked_samples(samples, *, name="samples", least=4):
    """Return samples as float64 (n_chain, n_sample, ...), or raise where they are too few or not finite."""
    array = np.asarray(samples, dtype=np.float64)
    if array.ndim < 2 or array.shape[0] < 1 or array.shape[1] < least:
        raise ShapeError(
            "too few samples", where=name, expected=f"(n_chain, n_sample >= {least}, ...)", got=array.shape,
            fix="sample longer; one chain is samples[None]",
        )  # fmt: skip
    if not np.all(np.isfinite(array)):
        raise ShapeError("samples that are not finite", where=name, got=int(np.sum(~np.isfinite(array))))
    return array


def autocorrelations(samples) -> np.ndarray:
    """Return the normalised autocorrelations of samples about the mean of all chains.

        ρ(t) = ⟨(x_s − x̄)(x_{s+t} − x̄)⟩ / ⟨(x − x̄)²⟩

    Parameters
    ----------
    samples : (n_chain, n_sample, ...) float

    Returns
    -------
    (n_sample, ...) float64
        1 at t = 0; 1 there and 0 beyond for what does not change at all.
    """
    x = checked_samples(samples)
    n = x.shape[1]
    size = 1e-12 * np.maximum(np.abs(x).max(axis=(0, 1)), 1e-150)
    x = x - x.mean(axis=(0, 1))
    length = scipy.fft.next_fast_len(2 * n, real=True)
    wave = scipy.fft.rfft(x, n=length, axis=1)
    power = np.mean(wave.real**2 + wave.imag**2, axis=0)
    raw = scipy.fft.irfft(power, n=length, axis=0)[:n]
    raw /= (n - np.arange(n)).reshape(-1, *[1] * (raw.ndim - 1))
    moving = raw[0] > size**2
    out = np.zeros_like(raw)
    out[0] = 1.0
    np.divide(raw, raw[0], out=out, where=np.broadcast_to(moving, raw.shape))
    return out


def autocorrelation_time(samples, *, window: float = WINDOW) -> np.ndarray:
    """Return the integrated autocorrelation time, in samples.

        τ = ½ + Σ_{t=1}^{W} ρ(t),   W the least t >= window · τ(t);   variance of the mean = 2 τ σ²/n

    Parameters
    ----------
    samples : (n_chain, n_sample, ...) float
    window : float

    Returns
    -------
    (...) float64
        At least ½, that of independent samples. Where W is never reached the chains are too short, and what is given
        is the sum over half of their length: a lower bound.

    Notes
    -----
    Relative error about sqrt(2 (2W + 1)/n). Source: A. Sokal, Monte Carlo methods in statistical mechanics (1996).
    """
    rho = autocorrelations(samples)
    n = len(rho)
    tau = np.cumsum(rho, axis=0) - 0.5
    lag = np.arange(n).reshape(-1, *[1] * (rho.ndim - 1))
    reached = lag >= window * tau
    end = np.where(reached.any(axis=0), reached.argmax(axis=0), n // 2)
    return np.maximum(np.take_along_axis(tau, end[None], axis=0)[0], 0.5)


def effective_sample_size(samples, *, window: float = WINDOW) -> np.ndarray:
    """Return how many independent samples the chains together are worth, n_chain n_sample/(2 τ): (...) float64."""
    x = checked_samples(samples)
    return x.shape[0] * x.shape[1] / (2.0 * autocorrelation_time(x, window=window))


def block_means(samples, *, n_block: int = N_BLOCK) -> np.ndarray:
    """Return means over blocks of consecutive samples, none of which spans two chains.

    Parameters
    ----------
    samples : (n_chain, n_sample, ...) float
    n_block : int
        Blocks wanted of all chains together; each chain has as many, at least one and at most one for each sample.
        Samples left over at the beginning of a chain are not used.

    Returns
    -------
    (n_block, ...) float64
    """
    x = checked_samples(samples, least=1)
    n_chain, n_sample = x.shape[:2]
    each = min(max(1, -(-n_block // n_chain)), n_sample)
    length = n_sample // each
    kept = x[:, n_sample - each * length :]
    return kept.reshape(n_chain * each, length, *x.shape[2:]).mean(axis=1)


def mean_estimate(samples, *, n_block: int = N_BLOCK) -> Estimate:
    """Return the mean of samples (n_chain, n_sample, ...) and its error from the scatter of blocks, each (...)."""
    blocks = block_means(samples, n_block=n_block)
    if len(blocks) < 2:
        raise ShapeError("errors need two blocks", where="samples", got=len(blocks), fix="more samples or more blocks")
    return Estimate(blocks.mean(axis=0), blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks)))


def jackknife(function, samples, *, n_block: int = N_BLOCK) -> Estimate:
    """Return a function of means, corrected for its bias to first order, with its error.

    Parameters
    ----------
    function : callable
        Takes the means (...) and returns a number or an array.
    samples : (n_chain, n_sample, ...) float
        What the means are taken of: powers and products of observables.
    n_block : int

    Returns
    -------
    Estimate
    """
    blocks = block_means(samples, n_block=n_block)
    n = len(blocks)
    if n < 2:
        raise ShapeError("errors need two blocks", where="samples", got=n, fix="more samples or more blocks")
    total = blocks.sum(axis=0)
    whole = np.asarray(function(total / n))
    left = np.array([function((total - block) / (n - 1)) for block in blocks])
    mean = left.mean(axis=0)
    error = np.sqrt((n - 1) / n * np.sum((left - mean) ** 2, axis=0))
    return Estimate(n * whole - (n - 1) * mean, error)


def split_rhat(samples, *, tolerance: float = 0.0) -> np.ndarray:
    """Return the rank-normalised split-chain R̂, the larger of those of location and of scale.

    Parameters
    ----------
    samples : (n_chain, n_sample, ...) float
    tolerance : float
        Samples whose standard deviation, over all chains, is not larger are taken for equal, with R̂ = 1: what is
        frozen agrees, or it does not.

    Returns
    -------
    (...) float64
        1 for chains that agree, infinite for chains that stand still at different values.

    Notes
    -----
    Source: A. Vehtari et al., Bayesian Analysis 16, 667 (2021), equations 3, 4 and 14.
    """
    x = checked_samples(samples)
    half = x.shape[1] // 2
    x = np.concatenate([x[:, :half], x[:, x.shape[1] - half :]], axis=0)
    flat = x.reshape(*x.shape[:2], -1)
    spread = flat.std(axis=(0, 1))
    folded = np.abs(flat - np.median(flat, axis=(0, 1)))
    out = np.maximum(_rhat(_normal_scores(flat)), _rhat(_normal_scores(folded)))
    return np.where(spread <= max(tolerance, 0.0), 1.0, out).reshape(x.shape[2:])


def _normal_scores(x):
    """Return the normal quantiles of the ranks of samples (n_chain, n_sample, n_observable) among all chains."""
    rank = scipy.stats.rankdata(x.reshape(-1, x.shape[2]), axis=0)
    return scipy.special.ndtri((rank - 0.375) / (len(rank) + 0.25)).reshape(x.shape)


def _rhat(z):
    """Return sqrt((n − 1)/n + variance between chain means / mean variance within) of each observable."""
    n = z.shape[1]
    between = z.mean(axis=1).var(axis=0, ddof=1)
    within = z.var(axis=1, ddof=1).mean(axis=0)
    still = within <= 1e-24
    ratio = np.divide(between, within, out=np.zeros_like(between), where=~still)
    apart = still & (between > 1e-24)
    return np.where(apart, np.inf, np.where(still, 1.0, np.sqrt((n - 1) / n + ratio)))
