"""Valid pixels, taken out and put back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinscape.errors import FitError, ShapeError
from spinscape.infer.pixels import EnergyRows, PixelSet


def random_mask(seed, shape=(6, 5)):
    return np.random.default_rng(seed).random(shape) < 0.6


@given(st.integers(0, 1000))
def test_spread_undoes_gather_where_valid(seed):
    valid = random_mask(seed)
    if not valid.any():
        return
    image = np.random.default_rng(seed + 1).normal(size=valid.shape)
    pixels = PixelSet.from_mask(valid)
    assert pixels.n_pixel == valid.sum()
    assert np.array_equal(pixels.spread(pixels.gather(image), fill=-7.0), np.where(valid, image, -7.0))


def test_pixels_come_energy_by_energy_and_stacks_of_images_are_gathered_alike():
    pixels = PixelSet.from_mask(np.array([[True, False, True], [True, True, False]]))
    assert pixels.energy.tolist() == [0, 0, 1, 2]
    assert pixels.momentum.tolist() == [0, 1, 1, 0]
    stack = np.arange(12.0).reshape(2, 2, 3)
    assert np.array_equal(pixels.gather(stack), np.stack([pixels.gather(stack[0]), pixels.gather(stack[1])]))
    with pytest.raises(ShapeError):
        pixels.gather(np.zeros((3, 2)))


def test_no_valid_pixel_is_an_error():
    with pytest.raises(FitError, match="all masked"):
        PixelSet.from_mask(np.zeros((2, 3), bool), name="measurement m")


@given(st.integers(0, 1000))
def test_row_means_are_those_of_a_loop(seed):
    valid = random_mask(seed)
    valid[0, 0] = True
    rng = np.random.default_rng(seed)
    values, weights = rng.normal(size=valid.shape), rng.integers(0, 3, valid.shape).astype(float)
    pixels = PixelSet.from_mask(valid)
    rows = EnergyRows.from_pixels(pixels)
    v, w = pixels.gather(values), pixels.gather(weights)
    means = rows.mean(v, w, rows.total(w))
    for energy, mean in zip(rows.energy, means, strict=True):
        ok = valid[:, energy]
        total = weights[ok, energy].sum()
        expected = (weights[ok, energy] * values[ok, energy]).sum() / total if total else 0.0
        assert mean == pytest.approx(expected, abs=1e-12)
    assert np.allclose(rows.total(w * rows.centred(v, w, rows.total(w))), 0.0, atol=1e-12)


def test_a_subset_keeps_order():
    pixels = PixelSet.from_mask(np.ones((3, 2), bool))
    sub = pixels.subset(np.array([0, 2, 5]))
    assert sub.index.tolist() == pixels.index[[0, 2, 5]].tolist()
