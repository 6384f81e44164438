"""The strategies ``grid_start`` and ``particle_swarm``: right basins, counted calls, equal results for equal seeds."""

import numpy as np
import pytest

from spinscape.errors import FitError
from spinscape.infer.box import Box
from spinscape.infer.grid_start import GridStart, grid_points
from spinscape.infer.objectives import chi2_profiled
from spinscape.infer.problem import Problem
from spinscape.infer.strategies import strategy_by_name
from spinscape.infer.swarm import ParticleSwarm

BOX = Box.from_intervals({"a": (4.0, 25.0), "b": (-9.0, 9.0), "width": (1.0, 4.0)})
SQUARE = Box(("x", "y"), [-5.0, -5.0], [5.0, 5.0])


def problem(band, measure, truth, seed):
    forward, rng = band(), np.random.default_rng(seed)
    image = forward.predict(truth)[0]
    return Problem(
        forward, chi2_profiled([measure(image + 0.02 * rng.normal(size=image.shape), std=np.full(image.shape, 0.02))])
    )


@pytest.mark.parametrize("strategy", [GridStart(n_point=100), ParticleSwarm(n_particle=20, n_step=60)])
def test_the_right_basin_from_any_truth(band, measure, strategy):
    rng = np.random.default_rng(8)
    for seed in range(6):
        truth = np.array([rng.uniform(8, 20), rng.uniform(-6, 6), rng.uniform(1.5, 3.0)])
        one = problem(band, measure, truth, seed)
        found = strategy.minimise(one, BOX, seed)
        assert np.abs(found.best.parameters - truth).max() < 0.3
        # Calls are those of the forward model, derivatives by differences and the scan included.
        assert found.n_call > 100 and found.strategy["kind"] == strategy.kind


def test_equal_seeds_give_equal_swarms_and_others_do_not(band, measure):
    one = problem(band, measure, np.array([12.0, 4.0, 2.0]), 1)
    swarm = ParticleSwarm(n_swarm=1, n_step=5)
    a, b, c = (swarm.minimise(one.counting(), BOX, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(a.best.parameters, b.best.parameters)
    assert a.n_call == b.n_call and not np.array_equal(a.best.parameters, c.best.parameters)


def test_a_swarm_finishes_a_plain_function_by_a_simplex():
    found = ParticleSwarm(n_swarm=4).minimise(
        lambda p: (p[0] ** 2 + p[1] - 11) ** 2 + (p[0] + p[1] ** 2 - 7) ** 2, SQUARE, 1
    )
    assert found.best.objective < 1e-6
    assert sum(m.n_start for m in found.minima) == 4


def test_particles_stop_at_the_walls():
    found = ParticleSwarm(n_swarm=1).minimise(lambda p: float(p[0] + p[1]), SQUARE, 2)
    assert found.best.parameters == pytest.approx([-5, -5], abs=1e-3) and set(found.best.at_bound) == {"x", "y"}


def test_a_grid_has_the_points_asked_for_and_the_instrument_in_the_middle():
    points = grid_points(BOX, n_coupling=2, n_point=100)
    assert points.shape == (100, 3) and np.all(points[:, 2] == 2.5)
    # Centres of cells: no point on a wall, the outer ones half a cell away.
    assert np.unique(points[:, 0])[0] == pytest.approx(4.0 + 21.0 / 20) and len(np.unique(points[:, 1])) == 10


def test_a_grid_needs_a_problem_and_a_stable_point(band, measure):
    with pytest.raises(FitError, match="forward model and an objective"):
        GridStart().minimise(lambda p: 0.0, SQUARE, 1)
    one = problem(band, measure, np.array([12.0, 4.0, 2.0]), 1)
    unstable = Box.from_intervals({"a": (-9.0, -1.0), "b": (-9.0, 9.0), "width": (1.0, 4.0)})
    for kind in ("grid_start", "particle_swarm"):
        with pytest.raises(FitError, match="unstable at every start"):
            strategy_by_name(kind).minimise(one, unstable, 1)
