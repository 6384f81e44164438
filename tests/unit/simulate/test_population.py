"""Population annealing: resampling is unbiased, and a population finds what single ways down do not."""

import numpy as np
import pytest

from spinscape.observables.thermodynamics import beta_from_temperature
from spinscape.simulate.montecarlo_settings import Step
from spinscape.simulate.population import copies, settled


def test_copies_are_as_many_as_there_were_and_right_on_the_average():
    generator = np.random.default_rng(1)
    weight = np.array([0.1, 2.0, 0.7, 0.0, 1.2])
    counts = np.array([copies(weight, u) for u in generator.random(4000)])
    wanted = 5 * weight / weight.sum()
    assert np.all(counts.sum(axis=1) == 5)
    assert np.all(np.abs(counts - wanted) < 1.0)
    assert np.allclose(counts.mean(axis=0), wanted, atol=4 * 0.5 / np.sqrt(4000))


@pytest.mark.parametrize("number", [0.0, 0.5, np.nextafter(1.0, 0.0)])
def test_one_of_one(number):
    assert copies(np.array([3.0]), number).tolist() == [1]


class TwoWells:
    """Levels 0 and 1 that nothing connects; ``run`` stays where it is, or forgets where it is hot."""

    def __init__(self, generator, level=0.4):
        self.generator, self.level, self.adapting = generator, level, False
        self.spins = generator.random() < 0.5

    @property
    def energy(self):
        return self.level * float(self.spins)

    def set_spins(self, spins):
        self.spins = spins

    def run(self, moves, beta, n_round):
        assert self.adapting
        if beta < 1.0:
            self.spins = self.generator.random() < 0.5


def test_a_population_has_the_weights_of_states_that_nothing_connects():
    generator = np.random.default_rng(2)
    temperatures = [20.0, 9.0, 6.0, 4.0]
    beta = beta_from_temperature(3.0)
    steps, seen = [Step(t) for t in temperatures], []
    for _ in range(600):
        engines = [TwoWells(generator) for _ in range(20)]
        seen.append(float(settled(engines, steps, 3.0, (), generator).spins))
    exact = np.exp(-0.4 * beta) / (1.0 + np.exp(-0.4 * beta))
    # A single way down would end in either well as often; a population of R misses the weights by some 1/R.
    assert abs(np.mean(seen) - exact) < 4 * np.sqrt(exact * (1 - exact) / len(seen)) + 0.02
    assert exact < 0.25
