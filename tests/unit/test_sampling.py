"""Points and their means: paths, grids with integrated axes, spreads; and how rows are dealt out in blocks."""

import numpy as np

from spinscape.lattice.crystal import Crystal
from spinscape.lattice.qspace import path_through
from spinscape.lattice.volumes import QGrid
from spinscape.observables.integration import OffsetRule
from spinscape.simulate.sampling import Means, RuleSampling, axes_sampling, merged_samples
from spinscape.simulate.spectrum_settings import SpinwaveSettings


def crystal():
    return Crystal(
        vectors=[[4.0, 0, 0], [-2.0, 3.0, 0], [0, 0, 7.0]],
        positions=[[0, 0, 0]],
        labels=("a",),
        orbit=[0],
        spins=[1.0],
        ions=("Ni2+",),
        g=2.0 * np.eye(3)[None],
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )


def value(q):
    """Two smooth functions of Q in r.l.u., (n, 2)."""
    return np.stack([q[:, 0] ** 2 + q[:, 1] * q[:, 2], np.cos(q @ [1.0, 2.0, 3.0])], axis=1)


def averaged(sampling, n_row):
    samples = sampling.at(0, n_row)
    assert sampling.counts.sum() >= len(samples.q)
    return samples.means(value(samples.q))


def test_corners_of_a_path_are_calculated_once():
    path = path_through([[0, 0, 0], [1, 0, 0], [1, 1, 0]], n_point=(5, 4), reciprocal=crystal().reciprocal)
    sampling = axes_sampling(path, SpinwaveSettings(), crystal())
    samples = sampling.at(0, 9)
    assert len(samples.q) == 8
    # Equal to twelve digits is equal.
    np.testing.assert_allclose(samples.q[samples.means.chosen], path.points, atol=1e-12)
    np.testing.assert_allclose(averaged(sampling, 9), value(path.points), atol=1e-11)


def test_an_integrated_axis_is_a_mean_over_its_bin():
    grid = QGrid("g", [0.1, 0, 0], np.eye(3), (np.linspace(0, 1, 5), np.array([-0.3, 0.5]), np.linspace(0, 2, 4)))
    found = averaged(axes_sampling(grid, SpinwaveSettings(), crystal()), 12)
    q = grid.points
    np.testing.assert_allclose(found[:, 0], q[:, 0] ** 2 + q[:, 1] * q[:, 2], atol=1e-12)
    phase = q @ [1.0, 2.0, 3.0]
    np.testing.assert_allclose(found[:, 1], np.cos(phase) * np.sin(0.8) / 0.8, atol=1e-12)


def test_spreads_and_intervals_act_together():
    """Cosines under a Gaussian shrink by exp(-σ²k²/2), under an interval by sin(x)/x; in 1/Å and in r.l.u."""
    sigma, along = 0.05, np.array([0.0, 0.0, 1.0])
    settings = SpinwaveSettings(
        spread={"covariance": (sigma**2 * np.eye(3)).tolist(), "order": 6},
        ranges=({"axis": along.tolist(), "low": -0.2, "high": 0.4, "order": 6},),
    )
    path = path_through([[0.1, 0, 0], [0.7, 0.3, 0]], n_point=(4,), reciprocal=crystal().reciprocal)
    found = averaged(axes_sampling(path, settings, crystal()), 4)[:, 1]
    wave = np.linalg.inv(crystal().reciprocal) @ [1.0, 2.0, 3.0]
    shrink = np.exp(-0.5 * sigma**2 * wave @ wave) * np.sin(0.9) / 0.9
    np.testing.assert_allclose(found, shrink * np.cos(path.points @ [1, 2, 3] + 0.3), atol=1e-9)


def test_blocks_hold_the_same_means():
    sampling = RuleSampling(np.arange(12.0).reshape(4, 3), OffsetRule([[0, 0, 0], [0.1, 0, 0]], [0.25, 0.75]))
    whole = averaged(sampling, 4)
    parts = [sampling.at(a, b) for a, b in ((0, 1), (1, 4))]
    np.testing.assert_allclose(np.concatenate([p.means(value(p.q)) for p in parts]), whole, rtol=1e-14)


def test_means_and_their_transpose():
    rng = np.random.default_rng(0)
    for samples in (
        merged_samples(rng.integers(0, 2, (20, 3)), rng.integers(0, 5, 20), rng.uniform(size=20), n_row=5),
        merged_samples(rng.integers(0, 2, (5, 3)), np.arange(5), np.ones(5), n_row=5),
    ):
        here, there = rng.normal(size=(len(samples.q), 3)), rng.normal(size=(5, 3))
        np.testing.assert_allclose(np.sum(samples.means(here) * there), np.sum(here * samples.means.back(there)))
        np.testing.assert_allclose(samples.means.scaled(0.3)(here), 0.3 * samples.means(here))


def test_a_plain_choice_needs_weights_of_one_in_order():
    assert Means(np.arange(2), np.array([1, 0]), np.ones(2), (2, 2)).chosen is not None
    assert Means(np.array([1, 0]), np.arange(2), np.ones(2), (2, 2)).chosen is None
    assert Means(np.arange(2), np.arange(2), np.array([1.0, 0.5]), (2, 2)).chosen is None
