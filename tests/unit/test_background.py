"""Backgrounds taken off before a fit: the filter, its laws, and masks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinscape.errors import ConfigError, DataError, ShapeError
from spinscape.experiment.background import savitzky_golay_background, subtract, without_savitzky_golay
from spinscape.experiment.measurement import Measurement
from spinscape.lattice.qspace import EnergyAxis, path_through

N_Q, N_ENERGY = 12, 31
ROUNDING = 1e-11  # of polynomials of third order over 31 points


def make(signal, valid=None):
    path = path_through([[0, 0, 0], [1, 0, 0]], n_point=[N_Q], reciprocal=np.eye(3))
    energy = EnergyAxis.from_range(first=0.0, last=N_ENERGY - 1.0, step=1.0)
    return Measurement("m", path, energy, signal, np.ones(signal.shape, bool) if valid is None else valid)


@pytest.fixture
def noisy():
    return make(np.random.default_rng(3).normal(5.0, 1.0, (N_Q, N_ENERGY)))


def reference(mean, window, order):
    """A polynomial is fitted to every window; at the ends to the first and the last one."""
    half = window // 2
    out = np.empty_like(mean)
    for i in range(len(mean)):
        centre = min(max(i, half), len(mean) - 1 - half)
        x = np.arange(centre - half, centre + half + 1)
        out[i] = np.polyval(np.polyfit(x - centre, mean[x], order), i - centre)
    return out


@pytest.mark.parametrize(("window", "order", "momentum"), [(11, 3, (2, 6)), (31, 3, (0, 11)), (5, 0, (4, 4))])
def test_against_polynomials_fitted_one_by_one(noisy, window, order, momentum):
    background = savitzky_golay_background(noisy, momentum=momentum, window=window, order=order)
    mean = noisy.signal[momentum[0] : momentum[1] + 1].mean(axis=0)
    np.testing.assert_allclose(background, reference(mean, window, order), rtol=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-2.0, 2.0), min_size=4, max_size=4), st.sampled_from([5, 11, 21]))
def test_a_cubic_background_is_found_exactly(coefficients, window):
    cubic = np.polyval(coefficients, np.linspace(-1.0, 1.0, N_ENERGY))
    m = make(np.tile(cubic, (N_Q, 1)))
    background = savitzky_golay_background(m, momentum=(3, 8), window=window, order=3)
    np.testing.assert_allclose(background, cubic, atol=ROUNDING)
    np.testing.assert_allclose(subtract(m, background).signal, 0.0, atol=ROUNDING)


@pytest.mark.parametrize("hidden", [np.nan, np.inf, 1e30, -7.0])
def test_what_stands_in_masked_pixels_changes_no_bit(noisy, hidden):
    valid = np.ones(noisy.shape, bool)
    valid[3:6, 10:20] = False
    clean = make(np.where(valid, noisy.signal, 0.0), valid)
    dirty = make(np.where(valid, noisy.signal, hidden), valid)
    recipe = {"momentum": (2, 7), "window": 11}
    a, b = (savitzky_golay_background(m, **recipe) for m in (clean, dirty))
    assert a.tobytes() == b.tobytes()
    c, d = (subtract(m, a, clip_negative=True) for m in (clean, dirty))
    assert c.signal[valid].tobytes() == d.signal[valid].tobytes()
    assert np.array_equal(d.signal[~valid], dirty.signal[~valid], equal_nan=True)
    mean = [noisy.signal[2:8, e][valid[2:8, e]].mean() for e in range(N_ENERGY)]
    np.testing.assert_allclose(a, reference(np.array(mean), 11, 3), rtol=1e-9)


def test_clipping_sets_negative_pixels_to_zero_and_no_other(noisy):
    background = np.full(N_ENERGY, 5.0)
    raw, clipped = subtract(noisy, background), subtract(noisy, background, clip_negative=True)
    assert raw.signal.min() < 0.0 and np.array_equal(clipped.signal, np.maximum(noisy.signal - 5.0, 0.0))
    assert np.array_equal(clipped.valid, noisy.valid)


def test_the_recipe_is_kept_and_the_standard_deviation_stays(noisy):
    with_std = replace(noisy, std=np.full(noisy.shape, 0.5), provenance={"reader": "csv"})
    out = without_savitzky_golay(with_std, momentum=(2, 6), window=11, clip_negative=True)
    recipe = {"kind": "savitzky_golay", "momentum": [2, 6], "window": 11, "order": 3}
    assert out.provenance == {"reader": "csv", "background": {**recipe, "subtracted": True, "clip_negative": True}}
    assert np.all(out.std == 0.5)
    background = savitzky_golay_background(with_std, momentum=(2, 6), window=11)
    assert np.array_equal(out.signal, subtract(with_std, background, clip_negative=True).signal)


@pytest.mark.parametrize(
    ("recipe", "told"),
    [
        ({"momentum": (8, 12)}, ["background.momentum", "≤ 11", "[8, 12]"]),
        ({"momentum": (6, 5)}, ["background.momentum"]),
        ({"momentum": (-1, 5)}, ["background.momentum"]),
        ({"momentum": (2, 5), "window": 10}, ["background.window", "odd"]),
        ({"momentum": (2, 5), "window": 51}, ["background.window", "31 energies"]),
        ({"momentum": (2, 5), "window": 5, "order": 5}, ["background.order", "less than the window"]),
    ],
)
def test_recipes_that_do_not_fit_are_told(noisy, recipe, told):
    with pytest.raises(ConfigError) as caught:
        savitzky_golay_background(noisy, **{"window": 11, **recipe})
    assert all(text in str(caught.value) for text in told), str(caught.value)


def test_an_energy_without_a_measured_pixel_is_told(noisy):
    valid = np.ones(noisy.shape, bool)
    valid[2:7, 4] = False
    with pytest.raises(DataError, match="none at 1 energies, the first 4 meV"):
        savitzky_golay_background(make(noisy.signal, valid), momentum=(2, 6), window=11)


def test_backgrounds_of_another_shape_or_not_finite_are_refused(noisy):
    with pytest.raises(ShapeError, match="background"):
        subtract(noisy, np.zeros(N_Q))
    with pytest.raises(DataError, match="not finite"):
        subtract(noisy, np.full(N_ENERGY, np.nan))
