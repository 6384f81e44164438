"""Whether chains have come to agree: R̂, autocorrelation times and effective sample sizes of what is followed."""

from typing import NamedTuple

import numpy as np

from ..observables.statistics import autocorrelation_time, split_rhat
from .montecarlo_settings import Sampling

_ROUNDING = 1e-12


class Verdict(NamedTuple):
    """What the samples at one temperature say of themselves.

    Parameters
    ----------
    passed : bool
        R̂ and sample size are within what the study asks for.
    r_hat : float
        Largest split-chain R̂ of all that is followed; ``inf`` where chains stand still at different values.
    sample_size : float
        Least effective sample size of what moves.
    tau : float
        Integrated autocorrelation time of the energy, in samples.
    worst : str
        Name of what has the largest R̂.
    """

    passed: bool
    r_hat: float
    sample_size: float
    tau: float
    worst: str


def followed(columns, theta, rows, stars):
    """Return the observables that chains are judged by, and their names.

    Energy, square of the moment, squares of order parameters, and S(Q) of stars: sums over equivalent domains.

    Parameters
    ----------
    columns : Columns
    theta : (n_parameter,) float64, meV
    rows : (n_chain, n_sample, n_column) float64
    stars : (n_chain, n_sample, n_star) float64

    Returns
    -------
    values : (n_chain, n_sample, n_observable) float64
    names : list of str
    """
    energy = columns.coupling_energies(rows) @ theta + columns.zeeman(rows)
    parts = [energy, np.sum(columns.moment(rows) ** 2, axis=-1)]
    names = ["energy", "moment"]
    for index, order in enumerate(columns.orders):
        parts.append(np.sum(columns.order(rows, index) ** 2, axis=-1))
        names.append(order.name)
    names += [f"star_{k}" for k in range(stars.shape[2])]
    return np.concatenate([np.stack(parts, axis=-1), stars], axis=-1), names


def scales(columns, theta, rows, stars):
    """Return the size of each observable of :func:`followed`, and the spread of each that is rounding.

    That of one star is the largest mean of all stars: beside Bragg peaks a weak star does not count. That of M² is at
    least Σ m², what spins without correlations have: of an antiferromagnet it is next to nothing.

    Returns
    -------
    size, floor : (n_observable,) float64
    """
    values, names = followed(columns, theta, rows, stars)
    size = np.abs(values.mean(axis=(0, 1)))
    size[1] = max(size[1], columns.moment_square)
    n_star = stars.shape[2]
    if n_star:
        size[-n_star:] = size[-n_star:].max()
    floor = np.full(len(names), _ROUNDING)
    # Rounding of the energy goes with the size of its parts.
    floor[0] *= 1.0 + np.abs(columns.coupling_energies(rows) * theta).sum(axis=-1).max()
    return size, floor


def judge(values, names, sampling: Sampling, *, size=0.0, floor=0.0) -> Verdict:
    """Return the :class:`Verdict` on samples of several observables, the energy first.

    Parameters
    ----------
    values : (n_chain, n_sample, n_observable) float64
    names : sequence of str
    sampling : Sampling
    size : float or (n_observable,) float64
        What is frozen where its spread is below ``sampling.frozen`` of it.
    floor : float or (n_observable,) float64
        Spread that is rounding.
    """
    level = np.maximum(sampling.frozen * size, floor)
    moving = values.std(axis=(0, 1)) > level
    r_hat = np.ones(len(names))
    tau = np.full(len(names), 0.5)
    if np.any(moving):
        r_hat[moving] = split_rhat(values[..., moving])
        tau[moving] = autocorrelation_time(values[..., moving])
    worst = int(np.argmax(r_hat))
    n = values.shape[0] * values.shape[1]
    size = n / (2.0 * float(tau.max()))
    passed = bool(r_hat[worst] <= sampling.r_hat and size >= sampling.sample_size)
    return Verdict(passed, float(r_hat[worst]), size, float(tau[0]), names[worst])
