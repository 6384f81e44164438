"""Chains on their way down: a ladder of temperatures, with samples taken at some of them."""

from ..observables.thermodynamics import beta_from_temperature
from .chains import Chain, Observer, Sample, sample


def cool(chains: list[Chain], observer: Observer, theta, steps, temperatures, *, team, how: str) -> dict:
    """Take chains down through steps, and sample at temperatures on the way.

    Parameters
    ----------
    chains : list of Chain
        Those of this rank.
    observer : Observer
    theta : (n_parameter,) float64, meV
    steps : tuple of Step
        Falling. Those above a sampled temperature are run before it.
    temperatures : sequence of float, K
        Falling.
    team : Team
    how : str

    Returns
    -------
    dict of float to Sample
        By temperature.
    """
    settings, left = observer.settings, list(steps)
    found: dict[float, Sample] = {}
    for temperature in temperatures:
        while left and left[0].temperature > temperature:
            step = left.pop(0)
            advance(chains, step.moves or settings.moves, step.temperature, step.rounds)
        how_here = settings.at(temperature, how)
        advance(chains, how_here.moves, temperature, how_here.equilibration)
        found[temperature] = sample(chains, observer, theta, temperature, team=team, how=how)
    return found


def advance(chains: list[Chain], moves, temperature, n_round):
    """Make rounds of moves that equilibrate: widths may adapt, and nothing is noted."""
    beta = beta_from_temperature(temperature)
    for chain in chains:
        chain.engine.adapting = True
        if n_round > 0:
            chain.engine.run(moves, beta, n_round)
        chain.engine.adapting = False
