"""Averages over the sphere: exact up to the degree, inverted points, closed forms, and what does not converge."""

import numpy as np
import pytest
from scipy.special import sph_harm_y, spherical_jn

from spinscape.errors import ConfigError, ShapeError
from spinscape.observables.powder import powder_average, powder_map, sphere_average, sphere_rule
from spinscape.observables.structure_factor import polarisation_weights


def angles(directions):
    return np.arccos(directions[:, 2]), np.arctan2(directions[:, 1], directions[:, 0])


@pytest.mark.parametrize("degree", [1, 2, 5, 8, 11, 23])
def test_every_spherical_harmonic_up_to_the_degree_averages_exactly(degree):
    rule = sphere_rule(degree)
    theta, phi = angles(rule.directions)
    for order in range(degree + 1):
        for m in range(-order, order + 1):
            mean = rule.weights @ sph_harm_y(order, m, theta, phi)
            assert abs(mean - (order == 0) / np.sqrt(4 * np.pi)) < 1e-14, (order, m)


@pytest.mark.parametrize("degree", [1, 2, 4, 7, 8, 11])
def test_half_the_points_do_for_even_functions(degree):
    whole, half = sphere_rule(degree), sphere_rule(degree, even=True)
    assert half.n_direction == whole.n_direction // 2
    theta, phi = angles(half.directions)
    for order in range(0, degree + 1, 2):
        for m in range(-order, order + 1):
            mean = half.weights @ sph_harm_y(order, m, theta, phi)
            assert abs(mean - (order == 0) / np.sqrt(4 * np.pi)) < 1e-14, (order, m)
    distance = np.array([0.4, 1.7, 3.1])
    seen = powder_average(lambda k: np.cos(k @ distance), 1.0, tolerance=1e-12, even=True).value
    assert seen == pytest.approx(spherical_jn(0, np.linalg.norm(distance)), abs=1e-13)


@pytest.mark.parametrize("degree", [4, 11])
def test_the_degree_is_not_understated(degree):
    rule = sphere_rule(degree)
    theta, phi = angles(rule.directions)
    beyond = [abs(rule.weights @ sph_harm_y(n, m, theta, phi)) for n in range(degree + 1, degree + 4) for m in (0, n)]
    assert max(beyond) > 1e-3


@pytest.mark.parametrize("degree", [1, 2, 11, 95])
def test_rules_are_normalised_positive_and_inverted(degree):
    rule = sphere_rule(degree)
    np.testing.assert_allclose(np.linalg.norm(rule.directions, axis=1), 1.0, rtol=1e-14)
    assert rule.weights.sum() == pytest.approx(1.0, rel=1e-14)
    assert rule.weights.min() > 0
    points = {tuple(np.round(p, 10) + 0.0) for p in rule.directions}
    assert points == {tuple(np.round(-p, 10) + 0.0) for p in rule.directions}
    assert len(points) == rule.n_direction


def test_plane_waves_average_to_bessel_functions():
    distance = np.array([0.4, 1.7, 3.1])
    for q in (0.0, 0.5, 4.0):
        found = powder_average(lambda k: np.cos(k @ distance), q, tolerance=1e-12)
        assert found.value == pytest.approx(spherical_jn(0, q * np.linalg.norm(distance)), abs=1e-13)
    odd = powder_average(lambda k: 1.0 + np.sin(k @ distance), 2.0, tolerance=1e-12)
    assert odd.value == pytest.approx(1.0, abs=1e-13)


def test_the_part_across_q_of_any_tensor_is_two_thirds_of_its_trace():
    tensor = np.random.default_rng(0).normal(size=(3, 3))
    seen = powder_average(lambda q: np.einsum("qab,ab->q", polarisation_weights("perp", q), tensor), 1.3)
    assert seen.value == pytest.approx(2 / 3 * np.trace(tensor), rel=1e-13)


def test_anisotropic_gaussian():
    # ∫ exp(-κ cos²θ) over the sphere is √π erf(√κ) / 2√κ.
    found = powder_average(lambda q: np.exp(-30.0 * q[:, 2] ** 2), 1.0, tolerance=1e-10)
    assert found.value == pytest.approx(0.5 * np.sqrt(np.pi / 30.0), rel=1e-10)
    assert found.change <= 1e-10 * found.value


def test_a_spectrum_converges_as_a_whole_and_the_change_bounds_the_error():
    energy = np.linspace(0.0, 4.0, 41)

    def spectrum(q):
        mode = 2.0 - np.cos(q[:, 0]) - 0.5 * np.cos(q[:, 1] + q[:, 2])
        return np.exp(-0.5 * ((energy - mode[:, None]) / 0.15) ** 2)

    fine = sphere_average(spectrum, 3.0, rule=sphere_rule(383))
    for tolerance in (1e-2, 1e-4):
        found = powder_average(spectrum, 3.0, tolerance=tolerance, chunk=500)
        assert found.value.shape == (41,)
        assert np.abs(found.value - fine).max() <= found.change <= tolerance * found.value.max()
    rows = powder_map(spectrum, [3.0, 1.0], tolerance=1e-2)
    np.testing.assert_array_equal(rows[0], powder_average(spectrum, 3.0, tolerance=1e-2).value)


def test_the_same_bits_for_any_repetition_and_nearly_for_any_chunk():
    def function(q):
        return np.cos(q @ np.array([1.0, 2.0, 0.3]))

    first, again = (powder_average(function, 2.0, tolerance=1e-8).value for _ in range(2))
    assert first == again
    assert powder_average(function, 2.0, tolerance=1e-8, chunk=17).value == pytest.approx(first, abs=1e-14)


def test_what_does_not_converge_says_so():
    with pytest.raises(ConfigError, match="has not converged") as caught:
        powder_average(lambda q: np.cos(1e4 * q[:, 0]), 1.0, tolerance=1e-6, max_degree=50)
    assert "degree 50" in caught.value.expected


@pytest.mark.parametrize("bad", [{"q_modulus": -1.0}, {"q_modulus": np.nan}, {"tolerance": 0.0}, {"first_degree": 0}])
def test_bad_input(bad):
    with pytest.raises(ConfigError):
        powder_average(lambda q: q[:, 0], **{"q_modulus": 1.0, **bad})


def test_bad_functions():
    with pytest.raises(ConfigError, match="not finite"):
        powder_average(lambda q: np.log(np.zeros(len(q)), out=np.full(len(q), np.nan), where=False), 1.0)
    with pytest.raises(ShapeError):
        powder_average(lambda q: np.ones(3), 1.0)
