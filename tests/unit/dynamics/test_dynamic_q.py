"""Wave vectors that supercells hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinscape.errors import ConfigError, ShapeError
from spinscape.lattice.supercell import supercell
from spinscape.observables.dynamic_q import allowed_q

CELLS = [(4, 6, 1), [[4, 1, 0], [0, 5, 0], [0, 1, 4]], [[2, 2, 0], [-2, 2, 0], [0, 0, 3]]]


@pytest.mark.parametrize("numbers", CELLS, ids=str)
@pytest.mark.parametrize("rule", ["nearest", "linear"])
def test_allowed_wave_vectors_fit_the_supercell(models, numbers, rule):
    crystal, cell = models.crystal(), supercell(numbers, n_site=1)
    points = np.random.default_rng(0).uniform(-2, 2, size=(30, 3))
    found = allowed_q(crystal, cell, points, rule=rule)
    turns = found.q @ cell.matrix.T
    np.testing.assert_allclose(turns, np.round(turns), atol=1e-9)
    np.testing.assert_allclose(found.q @ cell.hermite.T, found.number, atol=1e-9)
    np.testing.assert_allclose(found.weight.sum(axis=1), 1.0)
    assert np.all(found.weight >= 0)


@pytest.mark.parametrize("numbers", CELLS, ids=str)
def test_the_nearest_is_the_nearest(models, numbers):
    crystal, cell = models.crystal(), supercell(numbers, n_site=1)
    points = np.random.default_rng(1).uniform(-0.5, 0.5, size=(20, 3))
    found = allowed_q(crystal, cell, points)
    steps = np.stack(np.meshgrid(*[np.arange(-9, 10)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    every = steps @ np.linalg.inv(cell.matrix.astype(float)).T
    gaps = np.linalg.norm((every[None] - points[:, None]) @ crystal.reciprocal, axis=2).min(axis=1)
    np.testing.assert_allclose(found.distance, gaps, atol=1e-9)
    way = (found.interpolated(found.q) - points) @ crystal.reciprocal
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), gaps, atol=1e-9)


@given(seed=st.integers(0, 100), numbers=st.sampled_from(CELLS))
@settings(max_examples=20, deadline=None)
def test_linear_functions_are_interpolated_exactly(models, seed, numbers):
    cell = supercell(numbers, n_site=1)
    points = np.random.default_rng(seed).uniform(-1, 1, size=(10, 3))
    found = allowed_q(models.crystal(), cell, points, rule="linear")
    np.testing.assert_allclose(found.interpolated(found.q), points, atol=1e-9)
    error = found.interpolated_error(np.ones(len(found.q)))
    np.testing.assert_allclose(error, np.sqrt(np.sum(found.weight**2, axis=1)))


def test_allowed_points_are_themselves(models):
    cell = supercell((4, 6, 1), n_site=1)
    points = np.array([[0.25, 0.5, 0.0], [-0.75, 1 / 6, 2.0], [0.25, 0.5, 0.0]])
    for rule in ("nearest", "linear"):
        found = allowed_q(models.crystal(), cell, points, rule=rule)
        np.testing.assert_allclose(found.interpolated(found.q), points, atol=1e-12)
        np.testing.assert_allclose(found.distance, 0.0, atol=1e-12)


def test_bad_input_is_refused(models):
    cell = supercell((4, 6, 1), n_site=1)
    with pytest.raises(ConfigError, match="nearest, linear"):
        allowed_q(models.crystal(), cell, np.zeros((1, 3)), rule="cubic")
    with pytest.raises(ShapeError):
        allowed_q(models.crystal(), cell, np.zeros(3))
