"""Noise read off neighbours."""

import numpy as np
import pytest

from spinscape.errors import FitError
from spinscape.infer.noise import estimate_noise, has_estimated_std, smoothed, with_estimated_std, with_fitted_std


def counted(measure, *, per_unit, seed=0, line=1.0, shape=(120, 60)):
    """Poisson counts of a sloping signal; a tenth of the momenta has a line, ``line`` times as bright."""
    q, energy = np.meshgrid(np.linspace(0, 1, shape[0]), np.linspace(0, 1, shape[1]), indexing="ij")
    image = 4.0 * (1 + q) * (2 - energy)
    image[(q * 10).astype(int) == 3] *= line
    return measure(np.random.default_rng(seed).poisson(per_unit * image) / per_unit), image


@pytest.mark.parametrize("per_unit", [2.0, 7.0, 50.0])
def test_the_gain_of_poisson_counts_is_found(measure, per_unit):
    measurement, image = counted(measure, per_unit=per_unit)
    noise = estimate_noise(measurement)
    # 7,000 triples, neighbours sharing pixels; the median of χ²₁ has 1.7 times the error of a mean: 4 % at 1.5 sigma.
    assert noise.gain * per_unit == pytest.approx(1.0, abs=0.05)
    assert np.median(noise.std**2 / (image / per_unit)) == pytest.approx(1.0, abs=0.05)


def test_the_edges_of_a_line_hardly_matter(measure):
    """Edges in 3 % of the triples, six times brighter: a mean of squares would be off by a factor."""
    measurement, _ = counted(measure, per_unit=7.0, line=6.0)
    second = np.diff(measurement.signal, n=2, axis=0)
    naive = (second**2).sum() / (6.0 * measurement.signal[1:-1].sum())
    assert estimate_noise(measurement).gain * 7.0 == pytest.approx(1.0, abs=0.12)
    assert naive * 7.0 > 2.0


def test_scaled_data_have_scaled_noise(measure):
    measurement, _ = counted(measure, per_unit=7.0)
    scaled = measure(100.0 * measurement.signal)
    assert np.allclose(estimate_noise(scaled).std, 100.0 * estimate_noise(measurement).std, rtol=1e-12)


def test_masked_pixels_and_other_segments_do_not_enter(measure):
    measurement, _ = counted(measure, per_unit=7.0)
    valid = np.ones(measurement.shape, bool)
    valid[40:60, 20:30] = False
    spoiled = measurement.signal.copy()
    spoiled[~valid] = 1e30
    clean = estimate_noise(measure(measurement.signal, valid=valid))
    dirty = estimate_noise(measure(spoiled, valid=valid))
    assert clean.gain == dirty.gain
    assert np.array_equal(clean.std, dirty.std)
    segment = np.repeat(np.arange(40), 3)
    assert estimate_noise(measure(measurement.signal, segment=segment)).n_triple < clean.n_triple / 2


def test_smoothing_is_the_mean_of_a_loop():
    rng = np.random.default_rng(3)
    signal, valid = rng.normal(size=(7, 6)), rng.random((7, 6)) < 0.5
    mean, known = smoothed(signal, valid, window=3)
    for q in range(7):
        for e in range(6):
            box = (slice(max(q - 1, 0), q + 2), slice(max(e - 1, 0), e + 2))
            inside = signal[box][valid[box]]
            assert known[q, e] == (len(inside) > 0)
            if len(inside):
                assert mean[q, e] == pytest.approx(inside.mean(), abs=1e-12)


def test_own_standard_deviations_are_kept_and_estimated_ones_are_marked(measure):
    measurement, _ = counted(measure, per_unit=7.0)
    own = measure(measurement.signal, std=np.ones(measurement.shape))
    assert with_estimated_std(own) is own
    estimated = with_estimated_std(measurement)
    assert has_estimated_std(estimated) and not has_estimated_std(own)
    assert np.array_equal(estimated.std, estimate_noise(measurement).std)


def test_data_without_noise_or_neighbours_are_refused(measure):
    with pytest.raises(FitError, match="do not differ"):
        estimate_noise(measure(np.ones((20, 20))))
    with pytest.raises(FitError, match="too few neighbouring"):
        estimate_noise(measure(np.ones((20, 20)), segment=np.arange(20)))


def test_noise_of_counts_that_a_fit_expects(noisy):
    data = noisy(with_std=False)
    fitted = np.full(data.shape, 4.0)
    fitted[0] = 0.001
    got = with_fitted_std(data, fitted, gain=0.25)
    np.testing.assert_allclose(got.std[1], 1.0)
    # Below one count the variance is that of one.
    np.testing.assert_allclose(got.std[0], 0.25)
    assert not has_estimated_std(got) and got.provenance["noise"] == {"std": "fitted", "gain": 0.25}
    with pytest.raises(FitError, match="not positive"):
        with_fitted_std(data, fitted, gain=0.0)
