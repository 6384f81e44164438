"""How many phases: maps with jumps, without, with crossovers, with noise, and with domains taken for phases."""

from functools import partial

import numpy as np
import pytest

from spinscape.errors import DataError, ShapeError
from spinscape.learn.boundaries import boundary_between, energy_difference, fit_energy
from spinscape.learn.hierarchy import agglomerative
from spinscape.learn.phase_count import CROSSOVER, CountRule, _is_rough, count_phases
from spinscape.learn.regions import extents, neighbour_pairs, regions_of


def circle(n, offset=0.0):
    angle = np.radians(offset + np.arange(n) * 360.0 / n)
    return np.degrees(angle), np.column_stack([np.cos(angle), np.sin(angle)])


def jumps(angle, edges, *, drift=0.2, noise=0.02, seed=0):
    """Features that jump at the edges, drift between, and are noisy."""
    kind = np.searchsorted(edges, angle % 360)
    kind[kind == len(edges)] = 0
    base = 3.0 * np.eye(len(edges) + 1)[kind]
    slow = drift * np.column_stack([np.sin(np.radians(angle)), np.cos(np.radians(angle))])
    rng = np.random.default_rng(seed)
    return kind, np.hstack([base, slow]) + noise * rng.normal(size=(len(angle), base.shape[1] + 2))


def test_neighbours_on_a_circle_and_on_a_grid():
    _, xy = circle(12)
    assert {tuple(p) for p in neighbour_pairs(xy)} == {tuple(sorted((k, (k + 1) % 12))) for k in range(12)}
    grid = np.stack(np.meshgrid(range(4), range(5), indexing="ij"), -1).reshape(-1, 2).astype(float)
    steps = grid[neighbour_pairs(grid)]
    assert len(steps) == 3 * 5 + 4 * 4 and np.all(np.abs(steps[:, 0] - steps[:, 1]).sum(axis=1) == 1)


def test_regions_are_connected_parts_of_clusters():
    line = np.arange(6.0)[:, None]
    found = regions_of([0, 0, 1, 0, 0, 0], neighbour_pairs(line))
    assert found.region.tolist() == [1, 1, 2, 0, 0, 0]
    assert found.size.tolist() == [3, 2, 1] and found.cluster.tolist() == [0, 0, 1]


@pytest.mark.parametrize("offset", [0.3, 2.5, 4.4])
def test_four_phases_on_a_circle(offset):
    angle, xy = circle(72, offset)
    kind, features = jumps(angle, [90, 135, 270, 315])
    found = count_phases(features, xy, seed=1)
    assert found.n_phase == 4 and found.reason.startswith("4 phases")
    assert len(set(zip(kind.tolist(), found.phase.tolist(), strict=True))) == 4
    assert len(found.borders) == 4 and all(border["kept"] for border in found.borders)


def test_a_small_region_is_a_crossover():
    angle, xy = circle(72, 1.0)
    kind, features = jumps(angle, [90, 97, 200])
    found = count_phases(features, xy, seed=1)
    assert found.n_phase == 2 and np.all(found.phase[kind == 1] == CROSSOVER)
    assert len(found.crossovers) == 1 and np.sum(found.phase == CROSSOVER) == 2
    assert np.all(found.nearest >= 0) and np.array_equal(found.nearest[kind != 1], found.phase[kind != 1])


def test_a_smooth_map_is_one_phase():
    angle, xy = circle(72)
    slow = np.column_stack([np.tanh(3 * np.sin(np.radians(angle))), np.cos(np.radians(angle))])
    features = slow + 0.01 * np.random.default_rng(0).normal(size=slow.shape)
    found = count_phases(features, xy, seed=1)
    assert found.n_phase <= 1 and not any(border["kept"] for border in found.borders)
    assert "one phase, crossovers only" in found.reason


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_an_ising_chain_has_crossovers_only(noise):
    """S(q) = (1 − t²)/(1 + t² − 2t cos q), t = tanh(J/T): a peak at 0 or π grows, and nothing ever happens."""
    coupling = np.linspace(-3.0, 3.0, 72)[:, None]
    t, q = np.tanh(coupling), 2 * np.pi * np.arange(64) / 64
    signal = (1 - t**2) / (1 + t**2 - 2 * t * np.cos(q))
    signal = signal * (1 + noise * np.random.default_rng(0).normal(size=signal.shape))
    found = count_phases(np.log1p(signal), coupling, seed=1)
    assert found.n_phase == 1 and "one phase, crossovers only" in found.reason
    assert found.label.max() > 0 and not any(border["kept"] for border in found.borders)


def test_noise_has_no_number_of_phases():
    _, xy = circle(72)
    found = count_phases(np.random.default_rng(3).normal(size=(72, 8)), xy, seed=1)
    assert found.n_phase == 0 and "not known" in found.reason


def test_domains_of_one_order_are_not_phases():
    angle, xy = circle(72)
    kind, features = jumps(angle, [90, 270])
    domain = np.random.default_rng(5).integers(0, 3, len(angle))
    mixed = np.hstack([features, 3.0 * np.eye(3)[domain] * (kind == 1)[:, None]])
    found = count_phases(mixed, xy, seed=1)
    assert found.n_phase == 0 and "not known" in found.reason


@pytest.mark.parametrize(("size", "n_phase"), [(0.0, 4), (1.5, 0)])
def test_domains_inside_a_phase_are_seen_though_its_borders_are_sharp(size, n_phase):
    """Two phases of four hold a domain of its own at each point; domains differ half as much as phases do."""
    angle, xy = circle(72, 2.5)
    kind, features = jumps(angle, [90, 135, 270, 315])
    domain = np.random.default_rng(8).normal(size=(len(angle), 30))
    domain *= size / np.linalg.norm(domain, axis=1, keepdims=True)
    found = count_phases(np.hstack([features, domain * (kind % 2 == 1)[:, None]]), xy, seed=1, dimension=1)
    assert found.n_phase == n_phase and ("rough regions" in found.reason) == (n_phase == 0)
    assert len(found.borders) == 4


def test_a_region_that_changes_much_but_smoothly_is_not_rough():
    rng = np.random.default_rng(3)
    u = np.linspace(0.0, 2.0, 12)
    slow = np.column_stack([2.5 * u, u**2, np.zeros(12)])
    domains = np.eye(3)[rng.integers(0, 3, 12)]
    for members, rough in ((slow, False), (domains, True), (slow + 0.1 * domains, False), (0.1 * slow + domains, True)):
        assert _is_rough(members, np.linalg.norm(np.diff(members, axis=0), axis=1)) == rough


def test_points_that_were_added_at_a_boundary_do_not_make_a_phase_of_it():
    angle, _ = circle(72, 2.5)
    angle = np.concatenate([angle, 90 + np.linspace(-1.2, 1.2, 12)])
    xy = np.column_stack([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    kind, features = jumps(angle, [88.8, 91.2, 200])
    pairs = neighbour_pairs(xy)
    share = extents(xy, pairs, dimension=1)
    assert share.sum() == pytest.approx(1.0) and share[72:].sum() < 0.015 < 12 / 84
    found = count_phases(features, xy, seed=1, dimension=1)
    assert found.n_phase == 2 and np.all(found.phase[kind == 1] == CROSSOVER) and found.label.max() == 2
    # All cells of an even grid are alike.
    grid = np.stack(np.meshgrid(range(4), range(5), indexing="ij"), -1).reshape(-1, 2).astype(float)
    np.testing.assert_allclose(extents(grid, neighbour_pairs(grid)), 1 / 20)


@pytest.mark.parametrize(("linkage", "width"), [("ward", 0.08), ("average", 0.06)])
def test_points_that_were_added_do_not_change_the_clusters(linkage, width):
    """Two orders with a border of some width, and two hundred points in it."""
    place = np.concatenate([np.linspace(0, 1, 60), np.linspace(0.42, 0.58, 201)])[:, None]
    step = np.tanh((place - 0.5) / width)
    features = np.hstack([step, 0.8 / np.cosh((place - 0.5) / width)])
    even, rule = np.arange(len(place)) < 60, CountRule(n_bootstrap=5)
    cluster = partial(agglomerative, linkage=linkage)
    alone = count_phases(features[even], place[even], seed=1, rule=rule, cluster=cluster)
    every = count_phases(features, place, seed=1, rule=rule, cluster=cluster, spread=even)
    assert alone.label.max() == 1 and np.array_equal(every.label[even], alone.label)
    # Added points go to the side that they are like: the border stays between the same two even points.
    last, first = (place[even & (every.label == k), 0] for k in (0, 1))
    assert np.all(every.label[place[:, 0] <= last.max()] == 0) and np.all(every.label[place[:, 0] >= first.min()] == 1)
    drawn = count_phases(features, place, seed=1, rule=rule, cluster=cluster)
    assert drawn.label.max() > 1
    with pytest.raises(ShapeError):
        count_phases(features, place, seed=1, spread=even[:5])


def test_a_cluster_of_one_point_and_features_that_say_nothing():
    angle, xy = circle(72, 2.5)
    kind, features = jumps(angle, [90, 200])
    features[10] += 30.0
    found = count_phases(features, xy, seed=1, dimension=1)
    # The odd point is the only cluster that silhouette sees; what is left is one phase, and it is in none.
    assert found.phase[10] == CROSSOVER and found.n_phase <= 1
    for bad in (np.ones_like(features), np.where(kind[:, None] == 1, np.nan, features)):
        with pytest.raises(DataError):
            count_phases(bad, xy, seed=1)


def test_the_rule_is_reproducible_and_its_numbers_count():
    angle, xy = circle(72, 1.0)
    _, features = jumps(angle, [90, 97, 200])
    first, again = count_phases(features, xy, seed=1), count_phases(features, xy, seed=1)
    np.testing.assert_array_equal(first.stability, again.stability)
    assert count_phases(features, xy, seed=1, rule=CountRule(min_points=1, min_share=0.0)).n_phase == 3
    with pytest.raises(DataError):
        count_phases(features[:4], xy[:4], seed=1)


def on_circle(u):
    return np.array([np.cos(u), np.sin(u)])


def test_a_boundary_from_noisy_energies_is_inside_its_band():
    rng = np.random.default_rng(2)
    slope_1, slope_2, truth = np.array([-1.5, -0.5]), np.array([0.5, -0.5]), np.pi / 2
    inside = []
    for _ in range(100):
        left, right = truth + rng.uniform(0.05, 0.7, 10), truth - rng.uniform(0.05, 0.7, 10)
        sides = [
            fit_energy(t := np.array([on_circle(u) for u in side]), t @ a + 0.01 + 1e-3 * rng.normal(size=10))
            for side, a in ((right, slope_1), (left, slope_2))
        ]
        found = boundary_between(*sides, on_circle, truth - 0.3, truth + 0.3)
        inside.append(found.band[0] <= truth <= found.band[1])
        assert abs(found.place - truth) < 6 * found.std and abs(found.slope) == pytest.approx(2.0, rel=0.05)
    # 95 % of a hundred, give or take three binomial errors.
    assert 88 <= sum(inside) <= 100


def test_energies_that_do_not_cross_and_too_few_points_are_refused():
    theta = np.random.default_rng(0).normal(size=(8, 2))
    low, high = fit_energy(theta, theta @ [1.0, 2.0]), fit_energy(theta, theta @ [1.0, 2.0] + 1.0)
    np.testing.assert_allclose(energy_difference(low, high, theta)[0], -1.0)
    with pytest.raises(DataError, match="do not cross"):
        boundary_between(low, high, on_circle, 0.0, 1.0)
    with pytest.raises(DataError, match="too few"):
        fit_energy(theta[:3], np.zeros(3))
