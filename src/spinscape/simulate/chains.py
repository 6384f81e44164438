"""Chains of samples: what is noted of each configuration, and when there is enough of them."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from ..observables.diffuse import CorrelationGrid, PairCorrelations, PairSums
from ..observables.statistics import N_BLOCK
from ..observables.thermodynamics import beta_from_temperature
from .diagnostics import Verdict, followed, judge, scales
from .montecarlo_settings import MonteCarloSettings, Sampling
from .moves import Engine
from .sampling_columns import Columns, StarColumns
from .spin_system import SpinSystem
from .team import Team

BUFFER = 64
"""Configurations that are transformed at a time, at most."""
LARGEST = 1000.0
"""Energies of vector spins, in k_B T, beyond which the part of them that counts as frozen does not grow."""


class Sample(NamedTuple):
    """What was sampled at one temperature.

    Parameters
    ----------
    temperature : float, K
    rows : (n_chain, n_sample, n_column) float64
        See :class:`~spinscape.simulate.sampling_columns.Columns`.
    stars : (n_chain, n_sample, n_star) float64
        S_perp per spin of stars of wave vectors; no columns where no correlations are gathered.
    correlations : PairCorrelations or None
    tally : dict of str to tuple of 2 int
        Attempted and accepted moves by kind.
    spins : (n_chain, n_spin, 3) float64
        Last configurations.
    verdict : Verdict
    extensions : int
        How often sampling began anew.
    how : str
        ``"annealed"``, ``"slow"`` or ``"tempered"``.
    """

    temperature: float
    rows: np.ndarray
    stars: np.ndarray
    correlations: PairCorrelations | None
    tally: dict
    spins: np.ndarray
    verdict: Verdict
    extensions: int
    how: str


class Observer:
    """What is looked at in every sample of one system.

    Parameters
    ----------
    system : SpinSystem
    settings : MonteCarloSettings
    grid : CorrelationGrid or None
    """

    def __init__(self, system: SpinSystem, settings: MonteCarloSettings, grid: CorrelationGrid | None):
        self.system, self.settings, self.grid = system, settings, grid
        self.columns = Columns(system, settings.orders)
        self.stars = StarColumns(grid, system.n_occupied) if grid is not None else None
        kept = settings.correlations
        self._correlated = frozenset(kept.temperatures if kept is not None and grid is not None else ())
        self._axes = system.axis[system.site] if grid is not None and grid.n_component == 1 else None

    def correlates(self, temperature):
        """Tell whether correlations are gathered at a temperature."""
        return temperature in self._correlated

    def configuration(self, spins):
        """Return a configuration as it is handed on: numbers along the axes of Ising spins, or the vectors."""
        return spins if self._axes is None else np.einsum("ix,ix->i", spins, self._axes)

    def judged(self, theta, temperature, rows, stars) -> Verdict:
        """Return the verdict on the samples of all chains at one temperature."""
        values, names = followed(self.columns, theta, rows, stars)
        size, floor = scales(self.columns, theta, rows, stars)
        limits = self.settings.at(temperature).sampling
        if set(self.system.kind) != {"ising"} and limits.frozen <= Sampling.frozen:
            # Spins that turn freely are never still: their energy spreads by k_B T √N, however little of the whole.
            # A wider tolerance is one that the study wants.
            size[0] = min(size[0], LARGEST / beta_from_temperature(temperature))
        return judge(values, names, limits, size=size, floor=floor)


class Series:
    """The samples of one chain at one temperature while they come in.

    Parameters
    ----------
    observer : Observer
    temperature : float, K
    n_sample : int
        How many will come.
    """

    def __init__(self, observer: Observer, temperature, n_sample: int):
        self._observer = observer
        self._rows: list[np.ndarray] = []
        self._stars: list[np.ndarray] = []
        grid = observer.grid if observer.correlates(temperature) else None
        self._pairs = None if grid is None else PairSums(grid)
        self._waiting: list[np.ndarray] = []
        # All chains together have the blocks that errors want.
        n_block = min(max(2, -(-N_BLOCK // observer.settings.sampling.replicas)), n_sample)
        self._ends = set(np.linspace(0, n_sample, n_block + 1).astype(int)[1:].tolist())

    def add(self, row, configuration):
        """Take a sample: its row, and its configuration as :meth:`Observer.configuration` gives it."""
        self._rows.append(row)
        if self._pairs is None:
            return
        self._waiting.append(configuration)
        end = len(self._rows) in self._ends
        if end or len(self._waiting) == BUFFER:
            amplitudes = self._observer.grid.amplitudes(np.array(self._waiting))
            self._pairs.add_amplitudes(amplitudes)
            self._stars.append(self._observer.stars(amplitudes))
            self._waiting.clear()
        if end:
            self._pairs.close_block()

    def result(self):
        """Return rows, stars and :class:`PairCorrelations` (or None) of all samples that were to come."""
        rows = np.array(self._rows)
        if self._pairs is None:
            return rows, np.zeros((len(rows), 0)), None
        return rows, np.concatenate(self._stars), self._pairs.correlations()


class Chain(NamedTuple):
    """One replica: its number among those of its stage, and its engine."""

    number: int
    engine: Engine


class Part(NamedTuple):
    """What one chain has sampled: a row of each field of :class:`Sample`."""

    rows: np.ndarray
    stars: np.ndarray
    correlations: PairCorrelations | None
    tally: dict
    spins: np.ndarray


def run_chain(chain: Chain, observer: Observer, temperature, n_sample, *, way="annealed") -> Part:
    """Return what one chain samples at a temperature that it came to by some way (:attr:`Sample.how`)."""
    how, engine = observer.settings.at(temperature, way), chain.engine
    beta, series = beta_from_temperature(temperature), Series(observer, temperature, n_sample)
    tally: dict[str, tuple[int, int]] = {}
    spins = engine.spins
    for _ in range(n_sample):
        add_tally(tally, engine.run(how.moves, beta, how.sampling.rounds))
        spins = engine.spins
        series.add(observer.columns.row(engine, spins), observer.configuration(spins))
    rows, stars, correlations = series.result()
    return Part(rows, stars, correlations, tally, spins)


def add_tally(tally, more):
    """Add attempted and accepted moves to those counted so far."""
    for kind, (attempted, accepted) in more.items():
        before = tally.get(kind, (0, 0))
        tally[kind] = (before[0] + attempted, before[1] + accepted)


def sample(chains, observer: Observer, theta, temperature, *, team: Team, how: str) -> Sample:
    """Sample at one temperature until the chains agree, or the study's limit is reached.

    Parameters
    ----------
    chains : list of Chain
        Those of this rank, at equilibrium as far as one knows.
    observer : Observer
    theta : (n_parameter,) float64, meV
    temperature : float, K
    team : Team
    how : str
        How the chains got here.

    Returns
    -------
    Sample
    """

    def attempt(n_sample):
        own = {chain.number: run_chain(chain, observer, temperature, n_sample, way=how) for chain in chains}
        parts = team.gather(own, observer.settings.sampling.replicas)
        return {temperature: assembled(parts, observer, theta, temperature, how)}

    join = partial(joined, observer=observer, theta=theta)
    return extended(attempt, observer.settings.at(temperature).sampling, team, join)[temperature]


def extended(
    attempt: Callable[[int], dict[float, Sample]], limits, team: Team, join: Callable[[Sample, Sample], Sample]
) -> dict[float, Sample]:
    """Return samples in which all chains agree, or as many as the study allows.

    The first attempt, where it does not do, counts as equilibration: the second is twice as long. All that follow are
    joined to it, each as long as what is there, so that at most half of the samples are more than were needed.

    Parameters
    ----------
    attempt : callable
        Takes the number of samples of each chain.
    limits : Sampling
    team : Team
    join : callable
        Makes one sample of two that follow each other, as :func:`joined` does.
    """
    found = attempt(limits.samples)
    for extension in range(1, limits.extensions + 1):
        if team.agree(_ended(found.values(), limits)):
            break
        more = attempt(limits.samples * 2 ** max(extension - 1, 1))
        more = more if extension == 1 else {t: join(found[t], one) for t, one in more.items()}
        found = {t: one._replace(extensions=extension) for t, one in more.items()}
    return found


def joined(first: Sample, second: Sample, *, observer: Observer, theta) -> Sample:
    """Return two samples, the second of which follows the first in every chain, as one."""
    rows, stars = (
        np.concatenate([getattr(one, name) for one in (first, second)], axis=1) for name in ("rows", "stars")
    )
    tally = dict(first.tally)
    add_tally(tally, second.tally)
    return second._replace(
        rows=rows,
        stars=stars,
        correlations=_merged([first.correlations, second.correlations]),
        tally=tally,
        verdict=observer.judged(theta, second.temperature, rows, stars),
    )


def _ended(found, limits):
    """Tell whether samples agree, or are so far apart that more of them are of no use."""
    return all(one.verdict.passed for one in found) or any(one.verdict.r_hat > limits.hopeless for one in found)


def assembled(parts, observer: Observer, theta, temperature, how) -> Sample:
    """Return the :class:`Part` of each chain, in their order, as one :class:`Sample`."""
    rows, stars = np.array([part.rows for part in parts]), np.array([part.stars for part in parts])
    tally: dict[str, tuple[int, int]] = {}
    for part in parts:
        add_tally(tally, part.tally)
    return Sample(
        temperature,
        rows,
        stars,
        _merged([part.correlations for part in parts]),
        tally,
        np.array([part.spins for part in parts]),
        observer.judged(theta, temperature, rows, stars),
        0,
        how,
    )


def _merged(parts):
    """Return several :class:`PairCorrelations` as one, in their order; None of none."""
    if parts[0] is None:
        return None
    joined = [np.concatenate([getattr(part, name) for part in parts]) for name in ("blocks", "amplitudes", "weights")]
    return PairCorrelations(parts[0].grid, *joined)
