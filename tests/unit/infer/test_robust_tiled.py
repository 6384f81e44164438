"""The robust likelihood with a tiled background: its kernel against plain numpy, derivatives, what it leaves out."""

import numpy as np
import pytest

from spinscape.errors import FitError
from spinscape.experiment.measurement import Measurement
from spinscape.infer.robust_tiled import CUT, NU, robust_tiled
from spinscape.infer.tiles import local_median, tile_labels
from spinscape.kernels.robust import STUDENT, TUKEY, reweighted_background
from spinscape.lattice.volumes import QGrid, edges_from_range

N = 12


def plane(n=N):
    edges = edges_from_range(first=0.0, last=2.0, n_bin=n)
    return QGrid("plane", np.zeros(3), np.eye(3), (edges, edges, np.array([-0.1, 0.1])))


def measured(signal, *, valid=None, std=None, counts_per_unit=None):
    grid, signal = plane(int(np.sqrt(signal.size))), signal.reshape(-1, 1)
    valid = np.ones(signal.shape, bool) if valid is None else valid.reshape(-1, 1)
    provenance = {} if counts_per_unit is None else {"counts_per_unit": counts_per_unit}
    std = None if std is None else np.full(signal.shape, std)
    return Measurement("plane", grid, None, signal, valid, std, provenance=provenance)


def hills(theta, n=N):
    x, y = np.meshgrid(*[np.linspace(0.0, 2.0, n)] * 2, indexing="ij")
    return 1.0 + np.exp(-((x - theta[0]) ** 2 + (y - theta[1]) ** 2) / 0.3).ravel()


def loss(r, law):
    if law == STUDENT:
        return (NU + 1.0) * np.log1p(r**2 / NU)
    return CUT**2 / 3.0 * (1.0 - np.maximum(1.0 - (r / CUT) ** 2, 0.0) ** 3)


@pytest.mark.parametrize("law", [STUDENT, TUKEY])
def test_the_kernel_finds_where_the_loss_has_no_slope(law):
    rng = np.random.default_rng(1)
    model, group = hills([0.7, 1.2]), rng.integers(0, 4, N * N)
    dense = np.stack([model, np.linspace(0.0, 1.0, N * N)])
    x = 2.0 * model + 0.5 * dense[1] + 0.1 * group + 0.1 * rng.standard_normal(N * N)
    x[:9] += 3.0
    std, count = np.full(N * N, 0.1), rng.integers(1, 3, N * N).astype(float)
    c, b, r = np.zeros(2), np.zeros(4), np.full(N * N, np.inf)
    if law == TUKEY:
        reweighted_background(x, dense, 1, group, std, count, STUDENT, NU, 60, 1e-5, c, b, r)
    shape = NU if law == STUDENT else CUT
    found = reweighted_background(x, dense, 1, group, std, count, law, shape, 200, 1e-9, c, b, r)

    def total(c, b):
        return float(np.sum(count * loss((x - c @ dense - b[group]) / std, law)))

    assert found == pytest.approx(total(c, b), rel=1e-12)
    h = 1e-5
    for k in range(2):
        step = h * np.eye(2)[k]
        assert abs(total(c + step, b) - total(c - step, b)) / (2 * h) < 1e-3 * found
    for k in range(4):
        step = h * np.eye(4)[k]
        assert abs(total(c, b + step) - total(c, b - step)) / (2 * h) < 1e-3 * found
    assert c[0] == pytest.approx(2.0, abs=0.1)


def test_the_scale_is_never_negative():
    model = hills([1.0, 1.0])
    objective = robust_tiled([measured(5.0 - model, std=0.05)])
    assert objective.inner((model[:, None],))[0][1].scales[0] == 0.0


@pytest.mark.parametrize("coarse", [False, True])
def test_derivatives_are_those_of_the_value(coarse):
    rng = np.random.default_rng(2)
    truth, here = np.array([0.8, 1.1]), np.array([0.84, 1.05])
    data = 3.0 * hills(truth) + 0.2 + 0.1 * rng.standard_normal(N * N)
    data[5:9] += 4.0
    objective = robust_tiled([measured(data, std=0.1)])
    objective = objective.coarse() if coarse else objective

    def value(theta):
        return objective.value((hills(theta)[:, None],))

    h = 1e-4
    steps = h * np.eye(2)
    jacobian = np.array([(hills(here + s) - hills(here - s)) / (2 * h) for s in steps])[:, :, None]
    numeric = np.array([(value(here + s) - value(here - s)) / (2 * h) for s in steps])
    gradient, matrix = objective.normal_equations((hills(here)[:, None],), (jacobian,))
    by_pixel = objective.derivative((hills(here)[:, None],))[1][0]
    assert gradient == pytest.approx(numeric, rel=1e-2)
    assert np.einsum("pij,ij->p", jacobian, by_pixel) == pytest.approx(numeric, rel=1e-2)
    assert np.linalg.eigvalsh(matrix)[0] > 0


def test_artefacts_are_left_out_and_said_to_be():
    rng = np.random.default_rng(3)
    truth = np.array([0.8, 1.1])
    clean = 3.0 * hills(truth, 24) + 0.1 * rng.standard_normal(24**2)
    spoilt = clean.copy()
    spoilt[rng.choice(24**2, 60, replace=False)] += 5.0
    for data, least, most in ((clean, 0.0, 0.01), (spoilt, 0.09, 0.12)):
        objective = robust_tiled([measured(data, std=0.1)], model_error=0.0)
        model = hills(truth, 24)[:, None]
        assert least <= objective.down_weighted((model,)) <= most
        assert objective.inner((model,))[0][1].scales[0] == pytest.approx(3.0, abs=0.05)
    everywhere = clean + 5.0 * (rng.random(24**2) < 0.45)
    assert not robust_tiled([measured(everywhere, std=0.1)]).quality((model,))["trusted"]


def test_artefacts_below_the_cut_everywhere_are_seen_in_the_scatter():
    """Noise alone leaves a mean square of 1 less what the cut at 3.3 takes (1 %) and the background fits (2 %)."""
    rng = np.random.default_rng(5)
    truth = np.array([0.8, 1.1])
    model = hills(truth, 24)[:, None]
    clean = 3.0 * hills(truth, 24) + 0.1 * rng.standard_normal(24**2)
    found = []
    for data in (clean, clean + 0.3 * rng.random(24**2) * (rng.random(24**2) < 0.7)):
        quality = robust_tiled([measured(data, std=0.1)], model_error=0.0).quality((model,))
        assert quality["down_weighted"] < 0.1
        found.append((quality["scatter"], quality["trusted"]))
    assert found[0][0] == pytest.approx(0.97, abs=4 * np.sqrt(2 / 576)) and found[0][1]
    assert found[1][0] > 1.75 and not found[1][1]


def test_masked_pixels_are_never_read():
    data = hills([1.0, 1.0])
    valid = np.ones(N * N, bool)
    valid[10:30] = False
    other = np.where(valid, data, 1e6)
    values = [robust_tiled([measured(x, valid=valid, std=0.1)]).value((data[:, None],)) for x in (data, other)]
    assert values[0] == values[1] == pytest.approx(0.0, abs=1e-9)


def test_the_local_median_is_that_of_the_valid_neighbours():
    rng = np.random.default_rng(4)
    image, valid = rng.random((N * N, 1)), rng.random((N * N, 1)) < 0.6
    found = local_median(image, valid, (N, N)).reshape(N, N)
    shaped, known = image.reshape(N, N), valid.reshape(N, N)
    for i, j in ((0, 5), (5, 7), (11, 3)):
        rows, columns = slice(max(i - 1, 0), i + 2), slice(max(j - 1, 0), j + 2)
        assert found[i, j] == np.median(shaped[rows, columns][known[rows, columns]])


def test_tiles_cut_every_axis():
    labels = tile_labels(measured(hills([1.0, 1.0])), 3).reshape(N, N)
    assert np.array_equal(np.unique(labels), np.arange(9))
    assert np.all(labels[:4, :4] == 0) and labels[0, 4] == 1 and labels[4, 0] == 3


def test_more_tiles_than_pixels_are_refused():
    valid = np.zeros(N * N, bool)
    valid[:8] = True
    with pytest.raises(FitError, match="more freedom"):
        robust_tiled([measured(hills([1.0, 1.0]), valid=valid, std=0.1)], tiles=12)


def hot_and_cold(share, *, seed=6, backgrounds=(0.4, 0.4), scales=(3.0, 3.0)):
    """Two temperatures of one crystal: the objective, their models, and the coefficients found."""
    rng = np.random.default_rng(seed)
    models = [hills([0.8, 1.1]), 1.0 + 0.3 * hills([0.8, 1.1])]
    noise = 0.05 * rng.standard_normal((2, N * N))
    data = [a * m + b + e for a, m, b, e in zip(scales, models, backgrounds, noise, strict=True)]
    objective = robust_tiled([measured(x, std=0.05) for x in data], model_error=0.0, share=share, tiles=2)
    return objective, tuple(m[:, None] for m in models)


@pytest.mark.parametrize(("share", "n_scale", "n_constant"), [((), 2, 8), (("scale",), 1, 8), (("background",), 2, 4),
                                                             (("scale", "background"), 1, 4)])  # fmt: skip
def test_measurements_share_scale_and_background_as_asked(share, n_scale, n_constant):
    objective, models = hot_and_cold(share)
    found = [f for _, f in objective.inner(models)]
    scales = np.concatenate([f.scales for f in found])
    assert (len(scales), sum(len(f.constants) for f in found)) == (n_scale, n_constant)
    assert objective.dof == 2 * N * N - n_scale - n_constant - (1 if "background" in share else 2)
    assert scales == pytest.approx(3.0, abs=0.25)
    assert objective.value(models) / objective.dof == pytest.approx(1.0, abs=4 * np.sqrt(2 / objective.dof))
    assert [image.shape for image in objective.fitted(models)] == [(N * N, 1)] * 2


def test_what_is_shared_is_known_better_and_wrong_where_it_differs():
    values = []
    for share in (("scale",), ("background",), ("scale", "background")):
        objective, models = hot_and_cold(share, backgrounds=(0.0, 3.0))
        values.append(objective.value(models) / objective.dof)
    assert values[0] == pytest.approx(1.0, abs=4 * np.sqrt(1 / N**2)) and values[2] > 2.0 > 1.2 > values[0]
    free, models = hot_and_cold(())
    shared, _ = hot_and_cold(("scale", "background"))
    jacobians = tuple(np.stack([0.1 * m, np.sin(m)]) for m in models)
    information = [o.normal_equations(models, jacobians)[1] for o in (free, shared)]
    assert np.linalg.eigvalsh(information[1] - information[0]).min() > 0


ALL = ("scale", "background", "artefacts")


@pytest.mark.parametrize("share", [("scale",), ("background",), ("scale", "background"), ALL])
def test_derivatives_of_shared_coefficients_are_those_of_the_value(share):
    objective, _ = hot_and_cold(share)

    def images(theta):
        return hills(theta)[:, None], (1.0 + 0.3 * hills(theta))[:, None]

    here, h = np.array([0.84, 1.05]), 1e-4
    ends = [[images(here + sign * h * step) for sign in (1, -1)] for step in np.eye(2)]
    jacobians = tuple(np.array([(up[k] - down[k]) / (2 * h) for up, down in ends]) for k in range(2))
    numeric = np.array([(objective.value(up) - objective.value(down)) / (2 * h) for up, down in ends])
    gradient, _ = objective.normal_equations(images(here), jacobians)
    by_pixel = objective.derivative(images(here))[1]
    assert gradient == pytest.approx(numeric, rel=1e-2)
    assert sum(np.einsum("pij,ij->p", j, d) for j, d in zip(jacobians, by_pixel, strict=True)) == pytest.approx(
        numeric, rel=1e-2
    )


def test_means_and_differences_are_independent_and_differences_have_no_background():
    rng = np.random.default_rng(7)
    data = [hills([0.8, 1.1]) + 0.1 * rng.standard_normal(N * N) for _ in range(3)]
    valid = rng.random((3, N * N)) < 0.7
    stds = (0.1, 0.2, 0.05)
    parts = [measured(x, valid=v, std=e) for x, v, e in zip(data, valid, stds, strict=True)]
    (block,) = robust_tiled(parts, model_error=0.0, share=ALL).blocks
    means = block.tile >= 0
    assert means.sum() == valid.any(axis=0).sum() and len(means) == valid.sum()
    covariance = (block.mixing @ np.diag(block.of.std**2) @ block.mixing.T).round(12)
    assert covariance == pytest.approx(np.diag(block.std**2), abs=1e-12)
    constant = block.gather([np.ones((N * N, 1))] * 3)
    assert constant[means] == pytest.approx(1.0) and constant[~means] == pytest.approx(0.0, abs=1e-12)
    assert np.array_equal(block.counted([2.0 * np.ones((N * N, 1))] * 3), np.full(len(means), 2.0))


def test_artefacts_that_are_the_same_at_all_temperatures_are_seen_through():
    """Half of the pixels are spoilt, a little each: no loss can leave them out, their differences need not."""
    rng = np.random.default_rng(8)
    truth, n = np.array([0.8, 1.1]), 24
    spoilt = 0.5 * rng.random(n * n) * (rng.random(n * n) < 0.5)

    def images(theta):
        return hills(theta, n)[:, None], (1.0 + 0.3 * hills(theta, n))[:, None]

    found = {}
    for share in (ALL[:2], ALL):
        data = [3.0 * m[:, 0] + spoilt + 0.05 * rng.standard_normal(n * n) for m in images(truth)]
        objective = robust_tiled([measured(x, std=0.05) for x in data], model_error=0.0, share=share)
        found[share] = objective.quality(images(truth))
        assert found[share]["scale_0"] == pytest.approx(3.0, abs=0.1)
        assert [i.shape for i in objective.residuals(images(truth))] == [(n * n, 1)] * 2
    assert found[ALL]["deviance"] < 0.8 * found[ALL[:2]]["deviance"]


def test_a_background_is_shared_on_the_same_axes_alone():
    small, large = (measured(hills([1.0, 1.0], n), std=0.1) for n in (N, 2 * N))
    robust_tiled([small, large], share=("scale",))
    with pytest.raises(FitError, match="different axes"):
        robust_tiled([small, large], share=("background",))
    with pytest.raises(FitError, match="where they share scale and background"):
        robust_tiled([small, small], share=("artefacts",))
    with pytest.raises(FitError, match="cannot share this"):
        robust_tiled([small], share=("sample",))
