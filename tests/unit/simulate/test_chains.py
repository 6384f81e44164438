import itertools
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from spinscape.observables.diffuse import PairSums, correlation_grid
from spinscape.simulate.annealing import advance, cool
from spinscape.simulate.chains import (
    Chain,
    Observer,
    Part,
    Sample,
    Series,
    add_tally,
    assembled,
    extended,
    joined,
    run_chain,
    sample,
)
from spinscape.simulate.diagnostics import Verdict
from spinscape.simulate.montecarlo_settings import Sampling, Step
from spinscape.simulate.moves import Move
from spinscape.simulate.schedule import filled_system
from spinscape.simulate.team import Team

LIMITS = Sampling(replicas=2, samples=10, extensions=2)


class Recorded:
    """An engine that changes nothing and remembers what it was asked."""

    def __init__(self, system):
        self.spins, self.calls, self.adapting, self.widths = (
            system.random_spins(np.random.default_rng(1)),
            [],
            False,
            {},
        )

    def run(self, moves, beta, n_round):
        self.calls.append((tuple(move.kind for move in moves), round(1.0 / beta, 6), n_round, self.adapting))
        return {moves[0].kind: (10, 4)}

    def coupling_energies(self):
        return np.array([2.0])

    def zeeman_energy(self):
        return 0.0


@pytest.fixture
def observer(small):
    settings = small.settings(sampling=LIMITS, annealing=(Step(8.0, 3), Step(3.5, 2, (Move("heat_bath"),))))
    system = filled_system(small.model("ising", n_dimension=2), settings.supercell)
    return Observer(system, settings, correlation_grid(system.model.crystal, system.cell))


@pytest.mark.parametrize("kind", ["heisenberg", "ising"])
def test_a_large_cold_magnet_is_not_taken_for_frozen(small, kind):
    """Energies of 32³ spins at T = 0.01 J differ by 2e-5 of the whole; Ising spins as close as this are frozen."""
    n_spin, kelvin, settings = 32**3, 0.01, small.settings(temperatures=(0.01,), correlations=None, orders=())
    system = filled_system(small.model(kind, n_dimension=3), (4, 4, 4))
    observer = Observer(system, settings, None)
    rows = np.zeros((4, 60, len(observer.columns.names)))
    noise = np.random.default_rng(3).normal(size=(4, 60))
    # In kelvin: −3 N + T √N noise, and one chain three of its spreads away.
    energies = -3.0 * n_spin + kelvin * np.sqrt(n_spin) * (noise + np.array([[0.0], [0.0], [0.0], [3.0]]))
    rows[..., observer.columns.names.index("energy_of_J")] = -energies
    verdict = observer.judged(small.theta(-1.0), kelvin, rows, np.zeros((4, 60, 0)))
    assert (verdict.r_hat > 1.3) == (kind == "heisenberg") and verdict.passed == (kind == "ising")
    # A wider tolerance is one that the study wants.
    wide = replace(settings, sampling=replace(settings.sampling, frozen=1e-3))
    assert Observer(system, wide, None).judged(small.theta(-1.0), kelvin, rows, np.zeros((4, 60, 0))).passed


def test_blocks_of_a_series_hold_every_sample_once(observer):
    rng = np.random.default_rng(2)
    spins = [observer.system.random_spins(rng) for _ in range(23)]
    series, sums = Series(observer, 2.5, 23), PairSums(observer.grid)
    for k, one in enumerate(spins):
        series.add(np.array([float(k)]), observer.configuration(one))
    rows, stars, pairs = series.result()
    sums.add(np.array(spins))
    assert rows[:, 0].tolist() == list(range(23)) and stars.shape == (23, observer.stars.n_star)
    assert pairs.weights.sum() == 23 and len(pairs.weights) == 10 and pairs.weights.max() <= 3
    np.testing.assert_allclose(pairs.mean, sums.correlations().mean, atol=1e-12)


def test_nothing_is_correlated_where_it_is_not_asked_for(observer):
    series = Series(observer, 3.0, 2)
    series.add(np.zeros(1), None)
    series.add(np.ones(1), None)
    rows, stars, pairs = series.result()
    assert rows.shape == (2, 1) and stars.shape == (2, 0) and pairs is None


def test_a_chain_notes_a_sample_after_its_rounds(observer):
    engine = Recorded(observer.system)
    part = run_chain(Chain(0, engine), observer, 2.5, 10)
    assert part.tally == {"flip": (100, 40)} and part.rows.shape == (10, len(observer.columns.names))
    assert len(engine.calls) == 10 and {call[2:] for call in engine.calls} == {(1, False)}
    np.testing.assert_array_equal(part.spins, engine.spins)


def test_the_way_down(observer):
    """Steps come before the first sampled temperature below them; widths adapt on the way and nowhere else."""
    engines = [Recorded(observer.system) for _ in range(2)]
    chains = [Chain(k, engine) for k, engine in enumerate(engines)]
    settings = observer.settings
    found = cool(chains, observer, np.array([1.0]), settings.annealing, (4.0, 3.0), team=Team(), how="annealed")
    assert list(found) == [4.0, 3.0] and {one.how for one in found.values()} == {"annealed"}
    calls = engines[0].calls
    kinds = [call for call in calls if call[3]]
    k = 0.08617333262
    expected = [(8.0, 3, "flip"), (4.0, 20, "flip"), (3.5, 2, "heat_bath"), (3.0, 20, "flip")]
    assert [(round(t / k, 3), n, kind[0]) for kind, t, n, _ in kinds] == expected
    # Equal and frozen, the chains agree; but 20 and 40 samples are fewer than the 50 asked for.
    assert all(one.verdict.passed and one.extensions == 2 for one in found.values())


def last(_, second):
    return second


def test_attempts_double_until_one_is_enough():
    asked = []

    def attempt(n_sample):
        asked.append(n_sample)
        verdict = Verdict(n_sample >= 20, 1.0, 1.0, 0.5, "energy")
        return {1.0: Sample(1.0, None, None, None, {}, None, verdict, 0, "annealed")}

    assert extended(attempt, LIMITS, Team(), last)[1.0].extensions == 1 and asked == [10, 20]


def test_each_extension_doubles_what_is_kept():
    asked = []

    def never(n_sample):
        asked.append(n_sample)
        return {1.0: Sample(1.0, None, None, None, {}, None, Verdict(False, 1.2, 1.0, 0.5, "energy"), 0, "annealed")}

    limits = Sampling(replicas=2, samples=10, extensions=4)
    assert extended(never, limits, Team(), last)[1.0].extensions == 4
    # The first counts as equilibration.
    assert asked == [10, 20, 20, 40, 80] and np.cumsum(asked[1:]).tolist() == [20, 40, 80, 160]


def test_chains_that_are_far_apart_are_not_sampled_longer():
    def attempt(n_sample):
        verdict = Verdict(False, 2.0, 1.0, 0.5, "energy")
        return {1.0: Sample(1.0, None, None, None, {}, None, verdict, 0, "annealed")}

    assert extended(attempt, Sampling(extensions=5, hopeless=1.5), Team(), last)[1.0].extensions == 0
    assert extended(attempt, Sampling(extensions=5, hopeless=3.0), Team(), last)[1.0].extensions == 5


def test_attempts_after_the_first_are_joined(observer):
    """Of 10, 20 and 20 samples the last 40 stay, in their order, with their correlations and moves."""
    spins, theta, count = np.random.default_rng(3), np.array([1.0]), itertools.count(1)

    def attempt(n_sample):
        parts, number = [], float(next(count))
        for _ in range(2):
            series = Series(observer, 2.5, n_sample)
            for _ in range(n_sample):
                one = observer.system.random_spins(spins)
                series.add(np.arange(len(observer.columns.names)) * number, observer.configuration(one))
            rows, stars, pairs = series.result()
            parts.append(Part(rows, stars, pairs, {"flip": (n_sample, 1)}, one))
        sample = assembled(parts, observer, theta, 2.5, "annealed")
        return {2.5: sample._replace(verdict=sample.verdict._replace(passed=False))}

    limits = Sampling(replicas=2, samples=10, extensions=2, hopeless=1e9)
    found = extended(attempt, limits, Team(), partial(joined, observer=observer, theta=theta))[2.5]
    assert found.rows.shape[:2] == found.stars.shape[:2] == (2, 40) and found.extensions == 2
    assert found.rows[0, 19, 1] == 2.0 and found.rows[0, 20, 1] == 3.0
    assert found.correlations.weights.sum() == 80 and found.tally == {"flip": (80, 4)}
    assert found.verdict == observer.judged(theta, 2.5, found.rows, found.stars)


def test_tallies_add_up():
    tally = {}
    for more in ({"flip": (4, 1)}, {"flip": (4, 2), "loop": (1, 1)}):
        add_tally(tally, more)
    assert tally == {"flip": (8, 3), "loop": (1, 1)}


def test_no_rounds_are_no_call(observer):
    engine = Recorded(observer.system)
    advance([Chain(0, engine)], observer.settings.moves, 1.0, 0)
    assert engine.calls == [] and engine.adapting is False


def test_samples_of_all_chains_are_one(observer):
    chains = [Chain(k, Recorded(observer.system)) for k in range(2)]
    found = sample(chains, observer, np.array([1.0]), 2.5, team=Team(), how="slow")
    assert found.rows.shape[:2] == found.stars.shape[:2] and len(found.spins) == 2 and found.how == "slow"
    assert found.correlations.weights.sum() == found.rows.shape[0] * found.rows.shape[1]
