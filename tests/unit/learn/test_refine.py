"""Points for the next round: where the maps disagree, in one coordinate and two, and what a boundary costs."""

import numpy as np
import pytest

from spinscape.errors import DataError, ShapeError
from spinscape.learn.map_borders import map_borders
from spinscape.learn.phase_map import _wrong, kernel_widths, predicted_label, voted_map
from spinscape.learn.refine import next_points

BOX = np.array([[-0.6, -0.5], [0.9, 0.7]])


def ordering_vector(theta):
    """Phase of the classical square lattice, J1 = 1, J2 and J3: which of four q has the least J(q).

    J = 2 (cos x + cos y) + 4 J2 cos x cos y + 2 J3 (cos 2x + cos 2y), minimised in closed form at (π, π), (0, π),
    (q, q) and (q, π).
    """
    a, b = np.asarray(theta).T
    with np.errstate(all="ignore"):
        c, d = -1 / (2 * (a + 2 * b)), (2 * a - 1) / (4 * b)
        along = np.where((a + 2 * b > 0) & (np.abs(c) < 1), 4 * c + 4 * a * c**2 + 4 * b * (2 * c**2 - 1), np.inf)
        edge = np.where((b > 0) & (np.abs(d) < 1), 2 * d - 2 - 4 * a * d + 4 * b * d**2, np.inf)
    return np.argmin([-4 + 4 * a + 4 * b, 4 * b - 4 * a, along, edge], axis=0)


def unit(theta):
    return (theta - BOX[0]) / (BOX[1] - BOX[0])


def even_grid(n, offset=(0.5, 0.5)):
    u, v = ((np.arange(n) + part) / n for part in offset)
    return BOX[0] + np.stack(np.meshgrid(u, v, indexing="ij"), axis=-1).reshape(-1, 2) * (BOX[1] - BOX[0])


def refined(theta, rounds, n):
    for k in range(rounds):
        new = next_points(theta, ordering_vector(theta), box=BOX, n=np.broadcast_to(n, rounds)[k], seed=k)
        theta = np.concatenate([theta, new])
    return theta


def boundary_error(theta, at):
    """Share of the box on the wrong side of the map's boundaries."""
    return np.mean(predicted_label(unit(theta), ordering_vector(theta), unit(at)) != ordering_vector(at))


@pytest.fixture(scope="module")
def places():
    return BOX[0] + np.random.default_rng(0).random((20_000, 2)) * (BOX[1] - BOX[0])


def test_the_labels_are_those_of_the_least_exchange():
    q = np.linspace(0, np.pi, 181)
    x, y = np.meshgrid(q, q, indexing="ij")
    stars = [lambda x, y: (x > 3.1) & (y > 3.1), lambda x, y: (np.minimum(x, y) < 0.1) & (np.maximum(x, y) > 3.1)]
    stars += [lambda x, y: np.abs(x - y) < 0.1, lambda x, y: np.maximum(x, y) > 3.1]
    for theta in np.random.default_rng(3).uniform(BOX[0], BOX[1], (40, 2)):
        j = 2 * (np.cos(x) + np.cos(y)) + 4 * theta[0] * np.cos(x) * np.cos(y)
        j = j + 2 * theta[1] * (np.cos(2 * x) + np.cos(2 * y))
        k = np.unravel_index(np.argmin(j), j.shape)
        assert stars[ordering_vector(theta[None])[0]](q[k[0]], q[k[1]])


def test_points_of_the_next_round_lie_at_the_boundaries(places):
    coarse = even_grid(10)
    label = ordering_vector(coarse)
    new = next_points(coarse, label, box=BOX, n=40, seed=1)
    assert new.shape == (40, 2) and np.all((new >= BOX[0]) & (new <= BOX[1]))

    def to_border(at):
        # Distance to the nearest place of another phase.
        near = places[:3000]
        other = ordering_vector(near)[None] != ordering_vector(at)[:, None]
        distance = np.linalg.norm(unit(at)[:, None] - unit(near)[None], axis=-1)
        return np.where(other, distance, np.inf).min(axis=1)

    assert np.median(to_border(new)) < 0.3 * np.median(to_border(places[:500]))
    gaps = np.linalg.norm(unit(new)[:, None] - unit(np.concatenate([coarse, new]))[None], axis=-1)
    gaps = np.sort(gaps, axis=1)[:, 1]
    assert gaps.min() > 0.002 and np.median(gaps) > 0.01
    again = next_points(coarse, label, box=BOX, n=40, seed=1)
    assert again.tobytes() == new.tobytes()


def test_a_twelfth_of_the_points_gives_the_boundaries_of_an_even_grid(places):
    """The grid of 1,600 points, its map made in the same way; grids are moved at random."""
    rng = np.random.default_rng(21)
    errors = []
    for _ in range(2):
        even, found = (
            even_grid(40, rng.random(2)),
            refined(even_grid(6, rng.random(2)), rounds=12, n=(8,) * 8 + (7,) * 4),
        )
        assert len(found) == 128
        errors.append([boundary_error(even, places), boundary_error(found, places)])
    assert np.sum(errors, axis=0)[1] <= np.sum(errors, axis=0)[0]


@pytest.mark.slow
def test_a_twelfth_of_the_points_gives_the_boundaries_of_a_fine_even_grid(places):
    """The grid of 10,000 points: at most 8 % of them."""
    found = refined(even_grid(10), rounds=7, n=100)
    assert len(found) == 800 and boundary_error(found, places) <= boundary_error(even_grid(100), places)


def test_the_points_say_how_smooth_boundaries_are_along_each_coordinate():
    points, at = (np.random.default_rng(k).random((n, 2)) for k, n in ((5, 400), (6, 5000)))

    def waves(x):
        return (x[:, 0] > 0.5 + 0.1 * np.sin(20 * x[:, 1])).astype(int)

    smooth, bent = kernel_widths(points, points[:, 0] > 0.4), kernel_widths(points, waves(points))
    assert smooth.max() <= 4 and bent[1] >= 16 and bent[0] <= 4
    stiff, found = (np.mean(predicted_label(points, waves(points), at, width=w) != waves(at)) for w in ([4, 4], bent))
    assert found < 0.5 * stiff


@pytest.mark.parametrize("width", [1.0, 4.0, 16.0, 256.0])
def test_left_out_points_are_foretold_by_a_bound(width):
    wrong, bound = 0, 0.0
    for k in range(2):
        points = np.random.default_rng(k).random((60, 2))
        label = (points[:, 1] > 0.3 + 0.4 * points[:, 0] ** 2).astype(int)
        for p in range(60):
            rest = np.delete(np.arange(60), p)
            wrong += predicted_label(points[rest], label[rest], points[[p]], width=np.full(2, width))[0] != label[p]
        bound += _wrong(np.sqrt(width) * points, label, np.ones(60), [(0, 1)])
    # Exact where every point is a support vector.
    assert wrong <= bound <= (4 * wrong if width < 100 else wrong)


def test_a_border_is_where_it_is_and_may_lie_as_far_off_as_it_does():
    """Over many draws the true border lies within 2 s/|∇f| of the map's at most places."""
    pulls = []
    for k in range(8):
        points = np.random.default_rng(k).random((60, 2))
        label = (points[:, 0] > 0.3 + 0.4 * points[:, 1] ** 2).astype(int)
        (border,) = map_borders(points, label, width=np.array([1.0, 4.0]), seed=k)
        steep = np.linalg.norm(border.slope, axis=1)
        off = (0.3 + 0.4 * border.places[:, 1] ** 2 - border.places[:, 0]) / np.hypot(1, 0.8 * border.places[:, 1])
        pulls.append(np.abs(off) / (np.sqrt(np.diag(border.covariance)) / steep))
        assert border.pair == (0, 1) and np.all(border.slope[:, 0] > 0)
    assert np.mean(np.concatenate(pulls) < 2) > 0.8 and np.median(np.concatenate(pulls)) > 0.1


@pytest.mark.parametrize("n", [10, 14])
def test_a_band_holds_what_the_map_says_wrongly(places, n):
    theta = even_grid(n)
    phase, share = voted_map(theta, ordering_vector(theta), places, box=BOX, seed=3)
    wrong, band = phase != ordering_vector(places), share < 1 - 1e-9
    assert wrong.mean() < 0.05 and band.mean() < 0.35 and band[wrong].mean() > 0.95


def test_an_angle_has_no_edge():
    angle = np.arange(36)[:, None] * 10.0
    label = ((angle[:, 0] > 105) & (angle[:, 0] < 354)).astype(int)
    new = next_points(angle, label, box=[[0.0], [360.0]], n=8, seed=1, period=[360.0])
    assert np.sum((new > 350) | (new < 5)) >= 2 and np.sum(np.abs(new - 105) < 10) >= 3
    phase, share = voted_map(angle, label, [[1.0], [359.0], [50.0]], box=[[0.0], [360.0]], seed=1, period=[360.0])
    assert phase.tolist() == [0, 0, 0] and share[2] == pytest.approx(1.0)


def test_classes_of_one_member_are_refined_too():
    points = np.random.default_rng(1).random((12, 2))
    new = next_points(points, np.arange(12), box=[[0, 0], [1, 1]], n=5, seed=1)
    assert new.shape == (5, 2) and len(np.unique(new, axis=0)) == 5
    phase, share = voted_map(points, np.arange(12), points, box=[[0, 0], [1, 1]], seed=1)
    assert phase.tolist() == list(range(12)) and np.all((share >= 0) & (share <= 1))


def test_one_coordinate_is_bisected():
    points = np.linspace(0, 1, 9)[:, None]
    for k in range(3):
        label = (points[:, 0] > 0.437).astype(int)
        points = np.concatenate([points, next_points(points, label, box=[[0.0], [1.0]], n=4, seed=k)])
    below, above = points[points <= 0.437].max(), points[points > 0.437].min()
    assert above - below < 0.02


def test_where_there_is_no_border_the_emptiest_place_is_next():
    points = np.random.default_rng(0).random((60, 2))
    new = next_points(0.5 * points, np.zeros(60, int), box=[[0, 0], [1, 1]], n=1, seed=1)
    assert new.min() > 0.9
    # A third of the points likewise, where that is asked for.
    sides = (points[:, 0] > 0.5).astype(int)
    new = next_points(points, sides, box=[[0, 0], [1, 1]], n=6, seed=1, spread=1 / 3)
    away = np.abs(new[:, 0] - 0.5)
    assert np.sum(away < 0.1) == 4 and np.sum(away > 0.2) == 2
    assert np.all(np.abs(next_points(points, sides, box=[[0, 0], [1, 1]], n=6, seed=1)[:, 0] - 0.5) < 0.1)


def test_what_cannot_be_refined_is_refused():
    with pytest.raises(DataError, match="chosen"):
        next_points([[0.1], [0.2]], [0, 1], box=[[0.0], [0.0]], n=1, seed=1)
    with pytest.raises(ShapeError):
        next_points([[0.1], [0.2]], [0, 1], box=[[0.0, 1.0], [0.0, 1.0]], n=1, seed=1)
