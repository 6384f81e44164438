"""The fused kernel of sine and cosine against numpy in double precision."""

import numpy as np
import pytest

from spinscape.kernels.sine import LARGEST, sine_and_cosine

SINGLE = 2e-7
"""Three units in the last place of 1 in single precision."""


def both(x):
    x = np.asarray(x, dtype=np.float32)
    sine, cosine = np.empty_like(x), np.empty_like(x)
    sine_and_cosine(x, sine, cosine)
    return x.astype(np.float64), sine, cosine


@pytest.mark.parametrize("largest", [1.0, 30.0, 1000.0, LARGEST])
def test_against_double_precision(largest):
    x, sine, cosine = both(np.random.default_rng(0).uniform(-largest, largest, 20001))
    np.testing.assert_allclose(sine, np.sin(x), atol=SINGLE)
    np.testing.assert_allclose(cosine, np.cos(x), atol=SINGLE)


def test_at_the_quarter_turns_where_the_polynomials_change():
    turns = np.arange(-40, 41) * (np.pi / 4)
    x, sine, cosine = both(np.concatenate([np.nextafter(turns, -99), turns, np.nextafter(turns, 99)]))
    np.testing.assert_allclose(sine, np.sin(x), atol=SINGLE)
    np.testing.assert_allclose(cosine, np.cos(x), atol=SINGLE)


def test_circle_and_parity():
    _, sine, cosine = both(np.linspace(-50, 50, 1001))
    np.testing.assert_allclose(sine.astype(float) ** 2 + cosine.astype(float) ** 2, 1.0, atol=4 * SINGLE)
    np.testing.assert_array_equal(sine, -sine[::-1])
    np.testing.assert_array_equal(cosine, cosine[::-1])


def test_what_is_not_finite_stays_not_finite():
    _, sine, cosine = both([np.nan, np.inf, -np.inf])
    assert np.isnan(sine).all() and np.isnan(cosine).all()
