"""Images as polynomials of the couplings: exact where they are, the degree by points left out, the error as it is."""

import numpy as np
import pytest

from spinscape.errors import DataError, FitError
from spinscape.infer.polynomial_model import basis_slope, polynomial_model, polynomial_terms, unit_couplings

NAMES = ("x", "held", "y")


def couplings(n, seed=1):
    theta = np.random.default_rng(seed).uniform([-1.0, 0.5, 2.0], [1.0, 0.5, 4.0], (n, 3))
    return theta


def roots(theta):
    """A polynomial of degree three in x and y for each of five voxels, well above zero."""
    u = unit_couplings(theta, np.array([[-1.0, 0.5, 2.0], [1.0, 0.5, 4.0]]))
    x, y = u[:, 0], u[:, 2]
    return 5.0 + np.stack([x, y, x * y, x**2 * y, 1.0 + x - 0.5 * y**3], axis=1)


def test_a_polynomial_is_found_again_with_its_derivatives():
    theta = couplings(60)
    model = polynomial_model(theta, roots(theta) ** 2, parameter_names=NAMES)
    assert model.degree == 3 and len(model.terms) == 10
    inside = couplings(8, seed=2) * [0.9, 1.0, 1.0]
    inside = np.clip(inside, theta.min(axis=0), theta.max(axis=0))
    assert model.predict(inside) == pytest.approx(roots(inside) ** 2, rel=1e-9)
    h = 1e-6
    for k, name in enumerate(NAMES):
        step = h * np.eye(3)[k]
        expected = 0.0 if name == "held" else (roots(inside + step) ** 2 - roots(inside - step) ** 2) / (2 * h)
        assert model.gradient(inside)[:, k] == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_slopes_of_products():
    u, terms = np.random.default_rng(3).random((4, 3)), polynomial_terms([0, 2], 3)
    for k in range(3):
        expected = [[t.count(k) * row[k] ** (t.count(k) - 1) * np.prod([row[j] for j in t if j != k]) if k in t else 0.0
                     for t in terms] for row in u]  # fmt: skip
        assert basis_slope(u, terms, k) == pytest.approx(np.array(expected))


def test_the_degree_is_that_of_least_error_at_points_that_are_left_out():
    theta, rng = couplings(40), np.random.default_rng(4)
    images = (roots(theta) + 0.05 * rng.standard_normal((40, 5))) ** 2
    model = polynomial_model(theta, images, parameter_names=NAMES)
    assert model.degree == 3
    by_degree = dict(model.left_out)
    assert min(by_degree, key=by_degree.get) == 3
    misses = []
    for k in range(40):
        rest = np.delete(np.arange(40), k)
        u = unit_couplings(theta, model.box)
        phi = np.stack([np.prod(u[:, list(t)], axis=1) for t in polynomial_terms([0, 2], 2)], axis=1)
        held = np.linalg.lstsq(phi[rest], np.sqrt(images[rest]), rcond=None)[0]
        misses.append(phi[k] @ held - np.sqrt(images[k]))
    assert by_degree[2] == pytest.approx(np.mean(np.square(misses)), rel=1e-6)


def test_its_error_is_the_scatter_of_its_images_and_that_of_voxels_goes_together():
    theta, rng, here = couplings(50), np.random.default_rng(5), np.array([[0.3, 0.5, 2.5]])
    found, stated = [], []
    for _ in range(200):
        common = rng.standard_normal((50, 1)) * [1.0, 1.0, 0.0, 0.0, 0.0]
        noisy = roots(theta) + 0.01 * (common + rng.standard_normal((50, 5)))
        model = polynomial_model(theta, noisy**2, parameter_names=NAMES, degree=3)
        found.append(model.predict(here)[0])
        columns = model.error_columns(here[0])
        stated.append(columns.T @ columns)
    scatter, mean = np.cov(np.array(found).T), np.mean(stated, axis=0)
    assert np.diag(scatter) == pytest.approx(np.diag(mean), rel=4 * np.sqrt(2 / 200))
    assert scatter[0, 1] == pytest.approx(mean[0, 1], abs=4 * mean[0, 0] / np.sqrt(200))
    assert mean[0, 1] > 0.3 * mean[0, 0]


def test_what_it_cannot_know_is_refused():
    theta = couplings(60)
    model = polynomial_model(theta, roots(theta) ** 2, parameter_names=NAMES)
    with pytest.raises(DataError, match="outside of the simulated points"):
        model.predict(np.array([[2.0, 0.5, 3.0]]))
    with pytest.raises(FitError, match="too few simulated points"):
        polynomial_model(theta[:8], roots(theta[:8]) ** 2, parameter_names=NAMES, degree=4)


def test_a_slope_that_is_noise_in_all_voxels_is_no_slope():
    """Ten thousand noisy voxels of which a hundred change with x and none with y."""
    theta, rng = couplings(80), np.random.default_rng(6)
    u = unit_couplings(theta, np.array([[-1.0, 0.5, 2.0], [1.0, 0.5, 4.0]]))
    pattern = (np.arange(10_000) < 100) * 0.5
    noisy = 5.0 + u[:, :1] * pattern + 0.1 * rng.standard_normal((80, 10_000))
    model = polynomial_model(theta, noisy**2, parameter_names=NAMES, degree=2)
    slope = model.gradient(np.array([[0.0, 0.5, 3.0]]))[0] / 10.0  # of the root: its square is 25
    plain = np.linalg.lstsq(np.column_stack([np.ones(80), u[:, [0, 2]]]), noisy, rcond=None)[0]
    assert slope[0] @ pattern / (pattern @ pattern) == pytest.approx(1.0, abs=0.05)
    assert np.sum(slope[2] ** 2) < 0.02 * np.sum(plain[2] ** 2)
