"""Training pixels: unbiased batches, a function of the step, in blocks that fit into memory."""

import numpy as np
import pytest

from spinscape.learn.dataset import domain_from_store, layout_from_store, read_log_spectra
from spinscape.learn.pixels import PixelBlock, PixelStream

ALL = np.arange(24)


@pytest.fixture
def layout(store):
    return layout_from_store(store)


@pytest.fixture
def domain(store, layout, box):
    return domain_from_store(store, layout, ALL, box=box)


def stream_of(store, domain, **changes):
    settings = {"seed": 3, "batch_size": 64, **changes}
    return PixelStream(store, layout_from_store(store), ALL, domain, **settings)


def test_a_drawn_pixel_is_the_one_that_its_inputs_say(store, layout, domain):
    spectra = read_log_spectra(store, layout, ALL)
    block = PixelBlock(spectra, store.theta, domain, signal_level=0.5)
    batch = block.draw(np.random.default_rng(0), 200, signal_share=0.5)
    table = np.empty((*spectra.shape, 6))
    table[..., :3], table[..., 3] = layout.q_points[:, None], layout.energy
    table[..., 4:] = store.theta[:, None, None]
    inputs = domain.standardise(table.reshape(-1, 6))
    # (h, k, energy, gap, band): l does not vary.
    assert inputs.shape[1] == batch.inputs.shape[1] == 5
    row = {tuple(x): value for x, value in zip(inputs, spectra.reshape(-1), strict=True)}
    want = np.array([row[tuple(x)] for x in batch.inputs])
    np.testing.assert_allclose(batch.target * domain.target_std + domain.target_mean, want, atol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.8])
def test_weighted_batches_are_unbiased(store, layout, domain, share):
    """The weighted mean of any function of a pixel is its mean over all pixels, whatever the share."""
    spectra = read_log_spectra(store, layout, ALL)
    block = PixelBlock(spectra, store.theta, domain, signal_level=1.0)
    batch = block.draw(np.random.default_rng(1), 200_000, signal_share=share)
    standardised = (spectra - domain.target_mean) / domain.target_std
    for function in (np.ones_like, np.square, np.abs):
        terms = batch.weight * function(batch.target)
        error = np.std(terms) / np.sqrt(len(terms))
        # Five standard errors, and what float32 leaves of a sum of ones.
        assert abs(terms.mean(dtype=np.float64) - function(standardised).mean()) < 5 * error + 1e-5


def test_half_of_a_batch_has_signal_where_a_tenth_of_the_pixels_has(store, layout, domain):
    block = PixelBlock(read_log_spectra(store, layout, ALL), store.theta, domain, signal_level=2.0)
    batch = block.draw(np.random.default_rng(2), 1000, signal_share=0.5)
    assert block.signal_fraction < 0.2
    threshold = 2.0 - domain.target_mean / domain.target_std
    # At least a half on average; five standard deviations of a binomial below it.
    assert np.sum(batch.target > threshold) >= 500 - 5 * np.sqrt(250)


@pytest.mark.parametrize("level", [-10.0, 1e6])
def test_without_a_distinction_drawing_is_uniform(store, layout, domain, level):
    block = PixelBlock(read_log_spectra(store, layout, ALL), store.theta, domain, signal_level=level)
    batch = block.draw(np.random.default_rng(2), 100, signal_share=0.5)
    np.testing.assert_array_equal(batch.weight, np.ones(100, dtype=np.float32))


def test_a_batch_is_a_function_of_seed_and_step(store, domain):
    one, other = stream_of(store, domain), stream_of(store, domain)
    other.batch(8)
    np.testing.assert_array_equal(one.batch(9).inputs, other.batch(9).inputs)
    assert np.any(one.batch(9).inputs != one.batch(10).inputs)
    assert np.any(one.batch(9).inputs != stream_of(store, domain, seed=4).batch(9).inputs)


def test_blocks_bound_the_memory_and_visit_every_point(store, layout, domain):
    pixels = stream_of(store, domain, max_bytes=8 * layout.n_pixel * 5, block_steps=2, batch_size=512)
    assert pixels.n_block == 5
    store.reads.clear()
    seen, turn = [], []
    for step in range(20):
        gaps = pixels.batch(step).inputs[:, 3]
        if step % 2 == 0:
            turn.append(set(np.unique(gaps).tolist()))
        if step % 10 == 9:
            seen.append(turn)
            turn = []
    assert max(n for _, n in store.reads) <= 5
    for turn in seen:
        assert len(set().union(*turn)) == 24 == sum(len(block) for block in turn)
    assert seen[0] != seen[1]


def test_a_stream_that_starts_late_draws_what_one_from_the_start_draws(store, layout, domain):
    settings = {"max_bytes": 8 * layout.n_pixel * 7, "block_steps": 3}
    early, late = stream_of(store, domain, **settings), stream_of(store, domain, **settings)
    batches = [early.batch(step) for step in range(14)]
    np.testing.assert_array_equal(batches[13].inputs, late.batch(13).inputs)
    np.testing.assert_array_equal(batches[13].target, late.batch(13).target)
