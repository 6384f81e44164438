import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinscape.simulate.montecarlo_settings import Sampling, Tempering
from spinscape.simulate.protocol import StreamKey
from spinscape.simulate.tempering import Trips, adapted_ladder, first_ladder, with_pins


@given(
    top=st.floats(3.0, 10.0),
    wanted=st.lists(st.floats(0.1, 2.9), min_size=1, max_size=6, unique_by=lambda t: round(t, 3)),
    n=st.integers(2, 12),
)
def test_a_ladder_falls_and_holds_what_is_wanted(top, wanted, n):
    wanted = sorted(wanted, reverse=True)
    ladder = first_ladder(Tempering(top, n), wanted)
    assert set(wanted) <= set(ladder.tolist()) and ladder[0] == top and np.all(np.diff(ladder) < 0)
    assert ladder[-1] == wanted[-1] and len(ladder) == max(n, len(wanted) + 1)


def test_rungs_of_a_constant_heat_capacity_are_geometric():
    """dE = C dT: −dE dβ = C dT²/(k T²), so that equal steps are equal ratios."""
    ladder = np.linspace(5.0, 1.0, 40)
    adapted = adapted_ladder(ladder, 2.0 * ladder, (1.0,))
    np.testing.assert_allclose(adapted[1:] / adapted[:-1], 5.0 ** (-1 / 39), rtol=2e-3)


def test_more_rungs_where_the_heat_capacity_is():
    ladder = np.linspace(4.0, 1.0, 13)
    energies = np.tanh((ladder - 2.0) / 0.2)
    adapted = adapted_ladder(ladder, energies, (1.0,))
    near = lambda t: np.sum(np.abs(t - 2.0) < 0.5)  # noqa: E731
    assert near(adapted) >= 2 * near(ladder) and adapted[0] == pytest.approx(4.0) and adapted[-1] == 1.0


def test_pins_take_rungs_of_their_own():
    assert with_pins([4.0, 2.0, 1.0], (1.9, 1.1)).tolist() == [4.0, 1.9, 1.1]
    assert with_pins([4.0, 1.0], (2.0, 1.5)).tolist() == [4.0, 2.0, 1.5]


def test_exchanges_keep_both_boltzmann_distributions():
    """Two systems of two levels: after many exchanges and fresh draws, the share of exchanged pairs is exact."""
    beta, rng, n = np.array([0.5, 2.0]), np.random.default_rng(3), 20_000
    up = rng.random((n, 2)) < 1.0 / (1.0 + np.exp(beta))
    trips = Trips(np.tile(np.arange(2), (n, 1)))
    energies = up.astype(float)
    trips.exchange(energies, beta, 0, rng.random((n, 2)))
    at = np.take_along_axis(energies, np.argsort(trips.rung, axis=1), axis=1).mean(axis=0)
    exact = 1.0 / (1.0 + np.exp(beta))
    assert np.all(np.abs(at - exact) < 4 * np.sqrt(exact * (1 - exact) / n))
    wrong = Trips(np.tile(np.arange(2), (n, 1)))
    wrong.exchange(energies, beta[::-1], 0, rng.random((n, 2)))
    off = np.take_along_axis(energies, np.argsort(wrong.rung, axis=1), axis=1).mean(axis=0)
    assert np.any(np.abs(off - exact) > 8 * np.sqrt(exact * (1 - exact) / n))


def test_round_trips_are_counted_from_the_top_to_the_bottom_and_back():
    trips = Trips(np.arange(3)[None])
    for rung in ([1, 0, 2], [2, 0, 1], [1, 0, 2], [0, 1, 2]):
        trips.rung[:] = rung
        trips.note()
    assert trips.round_trips == 1  # the first replica: from the top by the bottom to the top
    trips.forget()
    assert trips.round_trips == 0 and trips.attempted.tolist() == [0, 0]


def test_tempering_gives_the_energies_that_annealing_gives(small):
    limits = Sampling(replicas=4, samples=300, extensions=2)
    key, theta = StreamKey(9, "b"), small.theta(-1.0)
    annealed = small.simulator(small.settings(sampling=limits)).run(theta, key)
    tempered = small.simulator(small.settings(sampling=limits, tempering=Tempering(5.0, 6))).run(theta, key)
    assert tempered.diagnostics["tempered"] == 3 and tempered.diagnostics["round_trips"] > 0
    assert min(tempered.diagnostics["exchange"]) > 0.1
    for name in ("energy", "order_m"):
        a, b = annealed.arrays, tempered.arrays
        error = np.hypot(a[f"{name}_error"], b[f"{name}_error"])
        assert np.all(np.abs(a[name] - b[name]) < 4 * error), name
