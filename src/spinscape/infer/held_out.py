"""The error of a network that stands in for the simulator, from simulations that it has not learnt from."""

from dataclasses import dataclass, replace

import numpy as np

from ..errors import FitError
from .box import Box
from .gauss_newton import gauss_newton
from .problem import Problem
from .uncertainty import Covariance

N_NEAR = 16
"""Simulations that are asked, those nearest to the best fit."""
LEAST = 4
"""Fewer say nothing of an error."""
TOLERANCE = 0.03
"""How near to their minima they are fitted, in standard deviations."""
DARK = 1e-9
"""Least expectation of a pixel, in counts of the mean one."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Simulations that a forward model has not learnt from, on the axes of the measurements.

    Parameters
    ----------
    theta : (n, n_coupling) float64, meV
        All couplings.
    width : (n_coupling,) float64, meV
        Of the box that was learnt.
    images : callable
        From rising places (m,) among them to a tuple of (m, n_q, n_energy), one for each measurement.
    """

    theta: np.ndarray
    width: np.ndarray
    images: object

    def near(self, theta):
        """Return the places (m,) of the simulations nearest to couplings, rising."""
        distance = np.linalg.norm((self.theta - theta) / np.where(self.width > 0, self.width, 1.0), axis=1)
        return np.sort(np.argsort(distance, kind="stable")[:N_NEAR])


def held_out_covariance(problem, best, box):
    """Return the covariance that the network's own error gives the minimum.

        Σ = mean over simulations k of δ_k δ_kᵀ,   δ_k = argmin D_k(Φ) - θ_k

    D_k is the measurement's own likelihood of data without noise, which are just what simulation k says with the scale,
    background and exposure of the best fit; Φ is the network. The first order alone, (JᵀWJ)⁻¹ JᵀW (S_k - Φ(θ_k)), is
    a quarter too small where the network is poor. What noise the simulations have is in it.

    Parameters
    ----------
    problem : Problem
        Its forward model has ``held_out``; its objective is a likelihood.
    best : (n_parameter,) float64
        Parameters at a bound of the box are held.
    box : Box

    Returns
    -------
    Covariance
    """
    forward = problem.forward
    fixed = box.at_bound(best)
    free = np.array([name not in fixed for name in box.names])
    chosen = forward.held_out.near(forward.theta(best))
    if len(chosen) < LEAST:
        raise FitError("too few simulations were held out to tell the network's error", where="learn: n_train",
                       expected=f"at least {LEAST} held out", got=len(chosen), fix="lower n_train")  # fmt: skip
    simulated, here = forward.held_out.images(chosen), forward.predict(best)
    shifts = np.zeros((len(chosen), len(free)))
    for row, k in enumerate(chosen if free.any() else ()):
        objective = _expecting(problem.objective, here, tuple(one[row] for one in simulated))
        shifts[row, free] = _off(forward, objective, forward.held_out.theta[k], free, box)
    return Covariance(box.names, shifts.T @ shifts / len(chosen), fixed, "surrogate")


def _off(forward, objective, theta, free, box):
    """Return how far from its couplings a simulation is fitted through the network; those not free are held at them."""
    names = tuple(name for name, kept in zip(box.names, free, strict=True) if kept)
    own = replace(forward, coupling_names=names, free=forward.free[free], fixed=np.asarray(theta, dtype=np.float64))
    truth, width = own.fixed[own.free], box.width[free]
    around = Box(names, truth - width, truth + width)
    return gauss_newton(Problem(own, objective), truth, box=around, max_step=60, tolerance=TOLERANCE).parameters - truth


def _expecting(objective, here, images):
    """Return the likelihood of data that are just what images would give, with scale and background of the best fit."""
    sets = []
    for one, (vector, found), image in zip(objective.sets, objective.inner(here), images, strict=True):
        mu = found.mu + found.scale * one.exposure * (one.pixels.gather(image) - vector)
        sets.append(replace(one, data=np.maximum(mu, DARK * np.abs(found.mu).mean()) if one.law.positive else mu))
    return replace(objective, sets=tuple(sets))
