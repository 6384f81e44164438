"""Parallel tempering: replicas at a ladder of temperatures that they exchange.

    P(exchange of i and j) = min(1, exp((β_i − β_j)(E_i − E_j)))

Temperatures move, configurations stay where they are: with many ranks, only energies are sent. Who does a replica, and
how many ranks there are, does not matter to any number that is drawn.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ..observables.thermodynamics import beta_from_temperature
from .chains import Chain, Observer, Part, Sample, Series, add_tally, assembled, extended, joined
from .montecarlo_settings import Tempering

_FLAT = 1e-3
"""Part of the largest step in −dE dβ that the ladder takes every step to have at least: nothing is left out."""


def first_ladder(tempering: Tempering, wanted):
    """Return a falling geometric ladder down to the last of some falling temperatures that holds them all, (n,) K."""
    return with_pins(np.geomspace(tempering.highest, wanted[-1], tempering.n), wanted)


def with_pins(ladder, wanted):
    """Return a falling ladder in which the nearest rungs have been moved onto wanted temperatures.

    Each wanted temperature takes a rung of its own, the top stays; where there are too few rungs, some are added.
    """
    ladder, taken = [float(t) for t in ladder], {0}
    for temperature in wanted:
        free = [k for k in range(len(ladder)) if k not in taken]
        if free:
            near = min(free, key=lambda k: abs(np.log(ladder[k] / temperature)))
            ladder[near] = float(temperature)
            taken.add(near)
        else:
            ladder.append(float(temperature))
            taken.add(len(ladder) - 1)
    return np.array(sorted(set(ladder), reverse=True))


def adapted_ladder(ladder, energies, wanted):
    """Return a ladder whose steps all have about the same chance of exchange.

    The chance falls with −ΔE Δβ = ∫∫ of the heat capacity; its root is a length along the ladder, which is divided
    evenly.

    Parameters
    ----------
    ladder : (n,) float64, K
        Falling.
    energies : (n,) float64, meV
        Mean energy at each.
    wanted : sequence of float, K
        Temperatures that must remain.

    Returns
    -------
    (n,) float64, K
    """
    beta = np.array([beta_from_temperature(t) for t in ladder])
    step = np.maximum(-np.diff(energies) * np.diff(beta), 0.0)
    step = np.sqrt(np.maximum(step, max(_FLAT * float(step.max(initial=0.0)), 1e-300)))
    length = np.concatenate([[0.0], np.cumsum(step)])
    even = np.interp(np.linspace(0.0, length[-1], len(ladder)), length, np.log(ladder))
    return with_pins(np.exp(even), wanted)


@dataclass
class Trips:
    """Where replicas are on the ladder, and how often each went from the top to the bottom and back.

    Parameters
    ----------
    rung : (n_set, n_rung) int64
        Rung of each replica.
    heading : (n_set, n_rung) int64
        −1 for one that was last at the top, +1 for one that was last at the bottom after that, 0 before the first.
    round_trips : int
    attempted, accepted : (n_rung - 1,) int64
        Exchanges between neighbouring rungs.
    """

    rung: np.ndarray
    heading: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    round_trips: int = 0
    attempted: np.ndarray = field(default_factory=lambda: np.zeros(0))
    accepted: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self):
        self.forget()

    def forget(self):
        """Begin to count anew."""
        n = self.rung.shape[1]
        self.heading = np.zeros(self.rung.shape, dtype=np.int64)
        self.round_trips = 0
        self.attempted, self.accepted = np.zeros(n - 1, dtype=np.int64), np.zeros(n - 1, dtype=np.int64)
        self.note()

    def note(self):
        """Follow the replicas that are at an end of the ladder."""
        top, bottom = self.rung == 0, self.rung == self.rung.shape[1] - 1
        self.round_trips += int(np.sum(top & (self.heading == 1)))
        self.heading[bottom & (self.heading == -1)] = 1
        self.heading[top] = -1

    def exchange(self, energies, beta, parity, numbers):
        """Exchange rungs between neighbours.

        Parameters
        ----------
        energies : (n_set, n_rung) float64, meV
            Of each replica.
        beta : (n_rung,) float64, 1/meV
        parity : int
            0 for the pairs (0, 1), (2, 3), ...; 1 for (1, 2), ...
        numbers : (n_set, n_rung) float64
            Random, in [0, 1).
        """
        n_set, n_rung = self.rung.shape
        for k in range(n_set):
            at = np.argsort(self.rung[k])
            for low in range(parity, n_rung - 1, 2):
                i, j = at[low], at[low + 1]
                gain = (beta[low] - beta[low + 1]) * (energies[k, i] - energies[k, j])
                self.attempted[low] += 1
                if gain >= 0.0 or numbers[k, low] < np.exp(gain):
                    self.rung[k, i], self.rung[k, j] = low + 1, low
                    self.accepted[low] += 1
        self.note()


class Ladder:
    """Several sets of replicas on one ladder of temperatures, shared among the ranks of a point.

    Parameters
    ----------
    make : callable
        ``make(index)`` returns the engine of replica ``index``: set * n_rung + place in the set.
    observer : Observer
    theta : (n_parameter,) float64, meV
    wanted : sequence of float, K
        Temperatures that are sampled.
    team : Team
    generator : numpy Generator
        For exchanges; equal on all ranks.
    """

    def __init__(self, make: Callable, observer: Observer, theta, wanted, *, team, generator):
        self.observer, self.theta, self.team, self._generator = observer, theta, team, generator
        self.settings = observer.settings
        assert self.settings.tempering is not None
        self.tempering = self.settings.tempering
        self.moves = self.tempering.moves or self.settings.moves
        self.wanted = tuple(sorted(wanted, reverse=True))
        self.temperatures = first_ladder(self.tempering, self.wanted)
        n_set, n_rung = self.settings.sampling.replicas, len(self.temperatures)
        self.trips = Trips(np.tile(np.arange(n_rung), (n_set, 1)))
        self.chains = [Chain(index, make(index)) for index in team.own(n_set * n_rung)]
        self._steps = any(move.kind == "small_step" and move.width is None for move in self.settings.all_moves)
        self._parity = 0

    @property
    def beta(self):
        """1/(k_B T) of every rung, (n_rung,) 1/meV."""
        return np.array([beta_from_temperature(t) for t in self.temperatures])

    def step(self, tally=None):
        """Make rounds of moves in every replica, then exchange; return the energies, (n_set, n_rung) meV."""
        rung, beta = self.trips.rung.ravel(), self.beta
        for chain in self.chains:
            at = int(rung[chain.number])
            done = chain.engine.run(self.moves, beta[at], self.tempering.rounds)
            if tally is not None:
                add_tally(tally.setdefault(at, {}), done)
        energies = self.team.gather({c.number: c.engine.energy for c in self.chains}, rung.size)
        energies = np.array(energies).reshape(self.trips.rung.shape)
        before = self.trips.rung.ravel().copy()
        self.trips.exchange(energies, beta, self._parity, self._generator.random(energies.shape))
        self._parity ^= 1
        if self._steps:
            self._pass_widths(before)
        return energies

    def _pass_widths(self, before):
        """Leave the widths of steps with their temperatures."""
        widths = self.team.merge({int(before[c.number]): dict(c.engine.widths) for c in self.chains if c.engine.widths})
        after = self.trips.rung.ravel()
        for chain in self.chains:
            if after[chain.number] != before[chain.number]:
                chain.engine.widths.update(widths.get(int(after[chain.number]), {}))

    def equilibrate(self):
        """Let the replicas settle, and set the ladder anew a few times."""
        n = max(self.settings.equilibration, 4)
        for chain in self.chains:
            chain.engine.adapting = True
        for _ in range(self.tempering.adaptations):
            sums = np.zeros(len(self.temperatures))
            for _ in range(n):
                before = self.trips.rung.ravel().copy()
                sums += np.bincount(before, weights=self.step().ravel(), minlength=len(sums))
            means = sums / (n * len(self.trips.rung))
            ladder = adapted_ladder(self.temperatures, means, self.wanted)
            # A ladder of another length would need other replicas.
            self.temperatures = ladder if len(ladder) == len(self.temperatures) else self.temperatures
        for _ in range(n):
            self.step()
        for chain in self.chains:
            chain.engine.adapting = False
        self.trips.forget()

    def sample(self) -> dict[float, Sample]:
        """Return the samples at the wanted temperatures, of every set as a chain."""

        def attempt(n_sample):
            return self._attempt(n_sample)

        join = partial(joined, observer=self.observer, theta=self.theta)
        return extended(attempt, self.settings.sampling, self.team, join)

    def _attempt(self, n_sample):
        n_set, n_rung = self.trips.rung.shape
        at = {int(np.argmin(np.abs(self.temperatures - t))): t for t in self.wanted}
        series = {(k, r): Series(self.observer, t, n_sample) for r, t in at.items() for k in range(n_set)}
        tally: dict[int, dict] = {}
        last: dict = {}
        for _ in range(n_sample):
            for _ in range(self.settings.sampling.rounds):
                self.step(tally)
            last = self._collect(at, n_rung)
            # Rank 0 keeps the samples; the others have what they need from it in the end.
            for key, (row, configuration, _) in last.items() if self.team.rank == 0 else ():
                series[key].add(row, configuration)
        tallies = self.team.gather({self.team.rank: tally}, self.team.size)
        found = None
        if self.team.rank == 0:
            found = {t: self._assembled(t, r, series, tallies, last) for r, t in at.items()}
        return self.team.agree(found)

    def _collect(self, at, n_rung):
        """Return row, configuration and spins of each set at each wanted rung, by (set, rung), on every rank."""
        rung, own = self.trips.rung.ravel(), {}
        for chain in self.chains:
            here = int(rung[chain.number])
            if here in at:
                spins = chain.engine.spins
                row = self.observer.columns.row(chain.engine, spins)
                own[chain.number // n_rung, here] = row, self.observer.configuration(spins), spins
        return self.team.merge(own)

    def _assembled(self, temperature, rung, series, tallies, last):
        parts = []
        for k in range(len(self.trips.rung)):
            tally: dict[str, tuple[int, int]] = {}
            for one in tallies if k == 0 else ():
                add_tally(tally, one.get(rung, {}))
            rows, stars, correlations = series[k, rung].result()
            parts.append(Part(rows, stars, correlations, tally, last[k, rung][2]))
        return assembled(parts, self.observer, self.theta, temperature, "tempered")
