"""Population annealing: several copies go down together, and what is likely at the next temperature multiplies.

    n_i of R copies:  ⟨n_i⟩ = R w_i/Σ_j w_j,   w_i = exp(−(β' − β) E_i)

Where ways down end in many states that nothing connects at low temperature, one chain stays in the first it meets; a
population keeps those that weigh most. It is exact for many copies; that populations agree which share nothing is the
test of whether there were enough. Source: K. Hukushima and Y. Iba, AIP Conf. Proc. 690, 200 (2003); J. Machta, PRE 82,
026704 (2010).
"""

import numpy as np

from ..observables.thermodynamics import beta_from_temperature
from .montecarlo_settings import Step
from .moves import Engine, Move


def settled(engines: list[Engine], steps: list[Step], temperature, moves: tuple[Move, ...], generator) -> Engine:
    """Take copies down through steps; return one of them, drawn from the population at a temperature.

    Parameters
    ----------
    engines : list of Engine
        At spins of their own; all are changed.
    steps : list of Step
        Falling, above the temperature.
    temperature : float, K
    moves : tuple of Move
        Of steps that have none of their own.
    generator : numpy Generator
    """
    for k, step in enumerate(steps):
        beta = beta_from_temperature(step.temperature)
        for engine in engines:
            engine.adapting = True
            engine.run(step.moves or moves, beta, step.rounds)
            engine.adapting = False
        below = steps[k + 1].temperature if k + 1 < len(steps) else temperature
        _resample(engines, beta_from_temperature(below) - beta, generator)
    return engines[int(generator.integers(len(engines)))]


def _resample(engines, step, generator):
    """Replace copies by others, for a step in β (1/meV)."""
    energies = np.array([engine.energy for engine in engines])
    weight = np.exp(-step * (energies - energies.min()))
    counts = copies(weight, generator.random())
    free = [k for k, n in enumerate(counts) if n == 0]
    for k, n in enumerate(counts):
        for _ in range(n - 1):
            engines[free.pop()].set_spins(engines[k].spins)


def copies(weight, number):
    """Return how often each of some copies is taken, as many in all as there are.

    Systematic resampling: n_i is R w_i/Σw rounded up or down, and that on the average.

    Parameters
    ----------
    weight : (n,) float64
    number : float
        Random, in [0, 1).

    Returns
    -------
    (n,) int64
    """
    n = len(weight)
    edges = np.cumsum(weight[:-1]) * (n / np.sum(weight))
    return np.bincount(np.searchsorted(edges, np.arange(n) + number, side="right"), minlength=n)
