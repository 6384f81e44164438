"""Artefacts: where they are, how strong, what the seed and the level do, and masks apart from values."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinscape.errors import DataError, ShapeError
from spinscape.experiment import artefacts
from spinscape.rng import stream
from spinscape.simulate.spinwave import SpinwaveSettings

SIDE = 40
X, Y = np.meshgrid(np.linspace(-2, 2, SIDE), np.linspace(-2, 2, SIDE), indexing="ij")
Q = np.column_stack([X.ravel(), Y.ravel()])
MODULUS = np.linalg.norm(Q, axis=1)
ADDED = {
    "rings": lambda level, g: artefacts.powder_rings(MODULUS, level=level, generator=g),
    "ellipse": lambda level, g: artefacts.elliptic_ring(Q, level=level, generator=g),
    "bragg": lambda level, g: artefacts.bragg_leakage(Q, level=level, generator=g, width=0.05),
    "smooth": lambda level, g: artefacts.smooth_background(MODULUS, level=level, generator=g),
    "blob": lambda level, g: artefacts.blob(Q, level=level, generator=g),
    "step": lambda level, g: artefacts.step(Q, level=level, generator=g),
    "fan": lambda level, g: artefacts.fan(Q, level=level, generator=g),
}
LOST = {
    "sector": lambda g: artefacts.dead_sector(Q, generator=g),
    "gaps": lambda g: artefacts.detector_gaps(Q, generator=g),
}


@pytest.mark.parametrize("name", ADDED)
@settings(max_examples=10, deadline=None)
@given(level=st.floats(0.01, 10.0), seed=st.integers(0, 1000))
def test_every_artefact_is_positive_linear_in_its_level_and_pure_in_its_seed(name, level, seed):
    make = ADDED[name]
    one, again = (make(level, stream(seed, "artefact", name)) for _ in range(2))
    assert one.shape == (SIDE**2,) and one.min() >= 0 and np.isfinite(one).all()
    assert np.array_equal(one, again)
    assert make(2.0 * level, stream(seed, "artefact", name)) == pytest.approx(2.0 * one, rel=1e-9)
    assert not np.any(make(0.0, stream(seed, "artefact", name)))


@pytest.mark.parametrize("name", [*ADDED, *LOST])
def test_another_seed_gives_another_artefact(name):
    def make(seed):
        generator = stream(seed, "artefact", name)
        return ADDED[name](1.0, generator) if name in ADDED else LOST[name](generator)

    assert not np.array_equal(make(1), make(2))


def test_declared_rings_are_those_of_the_reference_model():
    at = artefacts.powder_rings(np.array([0.62, 1.24, 1.75, 0.65, 3.0]), level=2.0)
    assert at == pytest.approx([4.0, 6.0, 4.0, 4.0 * np.exp(-0.5), 0.0], abs=1e-6)


def test_bragg_peaks_stand_on_lattice_points():
    points = np.array([[0.0, 1.0], [0.5, 0.0], [2.0, 2.0], [1.0, 1.05]])
    assert artefacts.bragg_leakage(points, level=0.5).tolist() == [20.0, 0.0, 20.0, 0.0]
    assert artefacts.bragg_leakage(points, level=1.0, width=0.05)[3] == pytest.approx(40 * np.exp(-0.5))


def test_the_declared_background_rises_to_the_edge():
    assert artefacts.smooth_background(np.array([0.0, 2.8]), level=1.0).tolist() == [0.3, 0.6]


def test_a_step_has_two_levels_and_a_fan_has_blades():
    values, share = np.unique(artefacts.step(Q, level=1.0, generator=stream(3, "artefact")), return_counts=True)
    assert values.tolist() == [0.0, 0.6] and share.min() >= 0.2 * SIDE**2
    ring = np.column_stack([np.cos(a := np.linspace(0, 2 * np.pi, 1000, endpoint=False)), np.sin(a)])
    blades = artefacts.fan(ring, level=1.0, generator=stream(3, "artefact"), n_blade=7) > 0
    assert np.count_nonzero(blades & ~np.roll(blades, 1)) == 7


@pytest.mark.parametrize("name", LOST)
def test_masks_lose_a_part(name):
    shares = [LOST[name](stream(seed, "artefact")).mean() for seed in range(20)]
    assert all(0 < share < 0.3 for share in shares)
    assert LOST[name](stream(1, "artefact")).dtype == bool


def test_a_dead_wedge_is_a_wedge():
    angles = np.linspace(-np.pi, np.pi, 2000, endpoint=False)
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    lost = artefacts.dead_sector(circle, generator=stream(5, "artefact"), width=0.5)
    assert lost.mean() == pytest.approx(0.5 / (2 * np.pi), abs=0.002)
    assert np.count_nonzero(lost & ~np.roll(lost, 1)) == 1


def test_a_contaminated_image_keeps_masks_and_values_apart():
    image, lost = np.linspace(1.0, 3.0, 1600), np.arange(1600) < 100
    found = artefacts.contaminated(image, added=[np.ones(1600)], lost=[lost, np.zeros(1600, bool)])
    assert found.values == pytest.approx(image + 2.0)
    assert np.array_equal(found.valid, ~lost)


def test_counting_and_gamma_noise_have_their_variances():
    image = np.full(40_000, 2.0)
    counted = artefacts.contaminated(image, counts_per_mean=50.0, generator=stream(1, "artefact", "counts"))
    assert counted.values.mean() == pytest.approx(2.0, abs=4 * 2 / np.sqrt(50 * 40_000))
    assert counted.values.std() / 2.0 == pytest.approx(1 / np.sqrt(50), rel=0.02)
    grainy = artefacts.contaminated(image, gamma_shape=20.0, generator=stream(1, "artefact", "gamma"))
    assert grainy.values.std() / 2.0 == pytest.approx(1 / np.sqrt(20), rel=0.02)


def test_a_wrong_resolution_is_a_change_of_settings():
    changed = replace(SpinwaveSettings(), **artefacts.wrong_resolution(stream(1, "artefact"), tails=0.3))
    assert 0.9 <= changed.fwhm_factor <= 1.1 and (changed.line, changed.mixing) == ("pseudo_voigt", 0.3)
    assert "line" not in artefacts.wrong_resolution(stream(1, "artefact"))


def test_bad_images_are_named():
    with pytest.raises(DataError, match="negative"):
        artefacts.contaminated(np.array([1.0, -1.0]))
    with pytest.raises(DataError, match="generator"):
        artefacts.contaminated(np.ones(3), counts_per_mean=10.0)
    with pytest.raises(ShapeError):
        artefacts.contaminated(np.ones((2, 2)))
    with pytest.raises(ShapeError):
        artefacts.fan(np.ones((4, 3)), level=1.0, generator=stream(1, "artefact"))


def test_a_wider_resolution_broadens_a_peak_and_keeps_its_intensity():
    image = np.zeros((41, 31))
    image[20, 15] = 1.0
    seen = artefacts.smeared(image.ravel(), shape=(41, 31), generator=np.random.default_rng(3)).reshape(41, 31)
    again = artefacts.smeared(image.ravel(), shape=(41, 31), generator=np.random.default_rng(3)).reshape(41, 31)
    assert np.array_equal(seen, again) and seen.sum() == pytest.approx(1.0)
    widths = np.random.default_rng(3).uniform(0.5, 2.0, 2)
    x, y = np.arange(41) - 20, np.arange(31) - 15
    assert np.sqrt(seen.sum(axis=1) @ x**2) == pytest.approx(widths[0], rel=0.03)
    assert np.sqrt(seen.sum(axis=0) @ y**2) == pytest.approx(widths[1], rel=0.03)
