"""The map of a network's errors: its probabilities, its memory, and what drawing by it does to the noise."""

import json

import numpy as np
import pytest

from spinscape.errors import TrainingError
from spinscape.learn.attention import ErrorMap
from spinscape.learn.dataset import domain_from_store, layout_from_store, read_log_spectra
from spinscape.learn.pixels import PixelBlock

ALL = np.arange(24)


def test_cells_are_blocks_of_neighbours():
    errors = ErrorMap((4, 5), block=(2, 2))
    assert errors.cell.reshape(4, 5).tolist() == [[0, 0, 1, 1, 2]] * 2 + [[3, 3, 4, 4, 5]] * 2
    assert errors.acceptance.shape == (2, 6) and np.all(errors.acceptance == 1)


def test_probabilities_follow_the_errors_within_their_bounds():
    errors = ErrorMap((8, 40), block=(8, 8), lowest=0.1)
    place = np.repeat(np.arange(10), 100_000)
    # Errors of 1 to 10: probabilities in their ratio, up to the quantile at which they are cut.
    errors.add(place, (1.0 + place) ** 2)
    errors.refresh()
    flat = errors.acceptance.reshape(-1)
    assert flat[9] == 1.0 and flat.min() >= 0.1
    np.testing.assert_allclose(flat[1:8] / flat[1], np.arange(2, 9) / 2, rtol=1e-3)


def test_nothing_seen_changes_nothing_and_a_cell_without_pixels_is_average():
    errors = ErrorMap((8, 24), block=(8, 8))
    errors.refresh()
    assert np.all(errors.acceptance == 1)
    errors.add(np.array([0] * 1000), np.ones(1000))
    errors.refresh()
    np.testing.assert_allclose(errors.acceptance, 1.0)


def test_older_errors_fade():
    errors = ErrorMap((8, 16), block=(8, 8))
    errors.add(np.repeat([0, 1, 2, 3], 10_000), np.repeat([9.0, 1.0, 1.0, 1.0], 10_000))
    errors.refresh()
    before = errors.acceptance[0, 1] / errors.acceptance[0, 0]
    for _ in range(60):
        errors.add(np.repeat([0, 1, 2, 3], 10_000), np.ones(40_000))
        errors.refresh()
    assert before < 0.4 and errors.acceptance[0, 1] / errors.acceptance[0, 0] > 0.95


def test_state_goes_through_json_bit_for_bit():
    errors = ErrorMap((8, 16), block=(8, 8))
    errors.add(np.array([0, 3, 3]), np.array([0.1, 1 / 3, 2.0]))
    errors.refresh()
    back = ErrorMap((8, 16), block=(8, 8))
    back.restore(json.loads(json.dumps(errors.state())))
    for e in (errors, back):
        e.add(np.array([1]), np.array([0.7]))
        e.refresh()
    assert back.acceptance.tobytes() == errors.acceptance.tobytes()
    with pytest.raises(TrainingError, match="other spectra"):
        ErrorMap((8, 40)).restore(errors.state())


@pytest.fixture
def block(store):
    layout = layout_from_store(store)
    domain = domain_from_store(store, layout, ALL)
    return PixelBlock(read_log_spectra(store, layout, ALL), store.theta, domain, signal_level=1.0)


def uneven(seed):
    """A map as training makes it, with errors of all sizes."""
    errors = ErrorMap((20, 25), block=(4, 4))
    rng = np.random.default_rng(seed)
    errors.add(rng.integers(0, errors.acceptance.size, 50_000), rng.exponential(1.0, 50_000) ** 4)
    errors.acceptance = np.clip(rng.exponential(0.4, errors.acceptance.shape), 0.1, 1.0)
    return errors


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_batches_stay_unbiased_whatever_the_map(block, share):
    rng = np.random.default_rng(1)
    by_map = block.draw(rng, 300_000, signal_share=share, errors=uneven(3))
    plain = block.draw(rng, 300_000, signal_share=share)
    for function in (np.ones_like, np.square, np.abs):
        terms = [b.weight.astype(np.float64) * function(b.target) for b in (by_map, plain)]
        error = np.hypot(*(np.std(t) / np.sqrt(len(t)) for t in terms))
        # Five standard errors of the difference, and what single precision leaves.
        assert abs(terms[0].mean() - terms[1].mean()) < 5 * error + 1e-5


def test_each_pixel_is_drawn_in_proportion_to_its_probability(block):
    """Weights times counts are flat over the cells: a chi-squared test of the sampler."""
    errors = uneven(5)
    batch = block.draw(np.random.default_rng(2), 400_000, signal_share=0.5, errors=errors)
    census = block._pixels_per_cell(errors).reshape(-1)
    got = np.bincount(batch.place, minlength=len(census))
    total = np.bincount(batch.place, batch.weight, len(census)) / len(batch.weight)
    seen = census > 0
    deviation = total[seen] / (census[seen] / census.sum()) - 1.0
    assert np.all(got[~seen] == 0)
    assert np.mean(deviation**2 * got[seen]) == pytest.approx(1.0, abs=0.5)


def test_drawing_by_the_errors_lowers_the_noise_of_the_gradient(block, store):
    """Errors that live in one corner of the pixels: the weighted mean of their squares scatters less."""
    layout = layout_from_store(store)
    errors = ErrorMap(layout.shape, block=(4, 4))
    rng = np.random.default_rng(0)
    large = errors.cell.max() // 3

    def square(batch, place):
        return np.where(place % errors.acceptance.shape[1] == large, 100.0, 1.0) * rng.uniform(0.5, 1.5, len(place))

    for _ in range(20):
        batch = block.draw(rng, 4000, signal_share=0.5, errors=errors)
        errors.add(batch.place, batch.base**2 * square(batch, batch.place))
        errors.refresh()
    informed = block.draw(rng, 100_000, signal_share=0.5, errors=errors)
    blind = block.draw(rng, 100_000, signal_share=0.5, errors=ErrorMap(layout.shape, block=(4, 4)))
    noise = [np.mean(b.weight.astype(np.float64) ** 2 * square(b, b.place)) for b in (informed, blind)]
    assert noise[0] < 0.5 * noise[1]
