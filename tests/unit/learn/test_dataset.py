"""Spectra to learn from: layout, split, moments, and numbers that no intensity can have."""

import numpy as np
import pytest

from spinscape.errors import TrainingError
from spinscape.learn.dataset import (
    domain_from_store,
    layout_from_store,
    read_log_spectra,
    split_points,
)

ALL = np.arange(24)


@pytest.fixture
def layout(store):
    return layout_from_store(store)


@pytest.fixture
def domain(store, layout, box):
    return domain_from_store(store, layout, ALL, box=box)


def test_layout_takes_axes_from_the_store(store, layout):
    assert layout.names == ("signal_a", "signal_b") and layout.shape == (20, 25)
    np.testing.assert_array_equal(layout.q_points[11], [0.1, 0.0, 0.0])
    assert layout_from_store(store, ["signal_b"]).shape == (9, 25)


def test_arrays_that_are_no_spectra_are_left_out_or_refused_by_name(store):
    store.template["energy_of_state"] = {"dims": ["state"], "shape": [3], "coords": {}}
    assert layout_from_store(store).names == ("signal_a", "signal_b")
    with pytest.raises(TrainingError, match="energy_of_state"):
        layout_from_store(store, ["energy_of_state"])


def test_diffuse_scattering_has_one_energy(store):
    """Beside spectra it is learnt by name, alone by itself; its energy is no input of a network."""
    images = {name: store.read_many(name, ALL)[..., 0] for name in ("signal_a", "signal_b")}
    del store.template["signal_b"]["coords"]["energy"]
    assert layout_from_store(store).names == ("signal_a",)
    del store.template["signal_a"]["coords"]["energy"]
    layout = layout_from_store(store)
    assert layout.shape == (20, 1) and layout.energy.tolist() == [0.0]
    store.read_many = lambda name, indices: images[name][np.asarray(indices)]
    read = read_log_spectra(store, layout, ALL[:3])
    np.testing.assert_allclose(read[:, :11, 0], np.log1p(images["signal_a"][:3]), rtol=1e-6)
    assert "energy" not in domain_from_store(store, layout, ALL).input_kinds


def test_spectra_must_share_the_energy_axis(store):
    store.template["signal_b"]["coords"]["energy"]["values"][3] += 1e-9
    with pytest.raises(TrainingError, match="one energy axis"):
        layout_from_store(store)


def test_split_is_reproducible_disjoint_and_knows_points_by_their_couplings(store):
    chosen, held_out = split_points(store.theta, n_train=18, seed=5)
    assert sorted([*chosen, *held_out]) == list(range(24)) and len(chosen) == 18
    order = np.random.default_rng(0).permutation(24)
    shuffled, _ = split_points(store.theta[order], n_train=18, seed=5)
    assert set(order[shuffled]) == set(chosen)
    assert set(split_points(store.theta, n_train=18, seed=6)[0]) != set(chosen)


@pytest.mark.parametrize("n_train", [0, 24, 99])
def test_split_needs_points_on_both_sides(store, n_train):
    with pytest.raises(TrainingError, match="not enough"):
        split_points(store.theta, n_train=n_train, seed=0)


def test_log_spectra_stack_both_paths(store, layout):
    got = read_log_spectra(store, layout, [4, 2])
    want = np.log1p(np.concatenate([store.arrays["signal_a"][[4, 2]], store.arrays["signal_b"][[4, 2]]], axis=1))
    np.testing.assert_array_equal(got, want.astype(np.float32))


@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0, -3.0])
def test_a_number_that_no_intensity_can_have_is_named(store, layout, value):
    store.arrays["signal_b"][5, 2, 3] = value
    with pytest.raises(TrainingError, match="signal_b, point 5"):
        read_log_spectra(store, layout, [1, 5, 6])


def test_moments_and_box_against_numpy(store, layout, domain):
    target = read_log_spectra(store, layout, ALL).astype(np.float64)
    assert domain.target_mean == pytest.approx(target.mean(), rel=1e-6)
    assert domain.target_std == pytest.approx(target.std(), rel=1e-5)
    assert domain.theta_lower.tolist() == [1.0, 2.0] and domain.theta_upper.tolist() == [3.0, 6.0]
    undeclared = domain_from_store(store, layout, ALL)
    np.testing.assert_array_equal(undeclared.theta_lower, store.theta.min(0))


@pytest.mark.parametrize("level", [0.0, 0.37])
def test_a_constant_target_is_refused(store, layout, level):
    for array in store.arrays.values():
        array[:] = level
    with pytest.raises(TrainingError, match="constant"):
        domain_from_store(store, layout, ALL)
