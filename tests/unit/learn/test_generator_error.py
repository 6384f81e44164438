"""A generator's error measured at held-out points: a known factor is found, and the errors then cover fresh truths."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from spinscape.errors import DataError
from spinscape.learn.generator_error import with_measured_error

N, TRUE = 60, 2.5
X = np.linspace(0.0, 1.0, N)


@dataclass(frozen=True)
class Waves:
    """Images 3 + θ·waves that are off along two more waves: by ``TRUE`` times what they say."""

    error_factor: float = 1.0
    box: object = ((0.0, 0.0), (1.0, 1.0))
    slope = np.stack([np.sin(7.0 * X), np.cos(9.0 * X)])
    wrong = 0.02 * np.stack([np.sin(6.0 * X), np.cos(10.0 * X)])

    def predict(self, theta):
        return 3.0 + np.atleast_2d(theta) @ self.slope

    def gradient(self, theta):
        return self.slope[None]

    def error_columns(self, theta):
        return self.error_factor * self.wrong

    def truth(self, theta, rng):
        return self.predict(theta)[0] + TRUE * rng.standard_normal(2) @ self.wrong


def held_out(seed, n=200, n_run=1, noise=0.0):
    rng = np.random.default_rng(seed)
    theta = rng.uniform(size=(n, 2))
    runs = [Waves().truth(row, rng) + noise * rng.standard_normal((n_run, N)) for row in theta]
    return theta, runs


def test_the_factor_is_found():
    # Two errors a point: the square is known to 1/√n of itself.
    assert with_measured_error(Waves(), *held_out(1)).error_factor == pytest.approx(TRUE, rel=4 * 0.5 / np.sqrt(200))


def test_the_noise_of_runs_is_taken_off():
    found = with_measured_error(Waves(), *held_out(2, n_run=4, noise=0.1)).error_factor
    assert found == pytest.approx(TRUE, rel=0.2)


def test_fresh_truths_lie_within_its_errors_and_not_within_those_before():
    generator = with_measured_error(Waves(), *held_out(3))
    inside = {1.0: [], generator.error_factor: []}
    for factor, hits in inside.items():
        rng = np.random.default_rng(4)
        for _ in range(400):
            theta = rng.uniform(size=2)
            off = np.linalg.lstsq(Waves.slope.T, generator.truth(theta, rng) - generator.predict(theta)[0], rcond=None)
            shifts = np.linalg.lstsq(Waves.slope.T, replace(generator, error_factor=factor).error_columns(theta).T)[0]
            hits.append(np.abs(off[0]) < 1.96 * np.sqrt(np.sum(shifts**2, axis=1)))
    assert np.mean(inside[generator.error_factor]) == pytest.approx(0.95, abs=0.03)
    assert np.mean(inside[1.0]) < 0.7


def test_few_points_measure_nothing():
    theta, runs = held_out(5, n=10)
    with pytest.raises(DataError, match="too few held-out points"):
        with_measured_error(Waves(), theta + 0.7, runs)
