"""Peak positions: what is found, what is not, and fits by SpinW's R value with a particle swarm."""

import numpy as np
import pytest

from spinscape.errors import FitError
from spinscape.experiment.measurement import Measurement
from spinscape.infer.box import Box
from spinscape.infer.fit import Fit, UncertaintyOptions, run_fit
from spinscape.infer.peaks import PeakForward, find_peaks, peaks
from spinscape.infer.problem import Problem
from spinscape.infer.strategies import strategy_by_name
from spinscape.lattice.qspace import EnergyAxis, QPath

TRUTH = np.array([14.0, 5.0])
ENERGY = EnergyAxis(np.arange(30.0))
FWHM = 4.7


def measured(band, *, noise=0.02, seed=1, slope=0.01, height=1.0, valid=None):
    """Return the band of ``conftest`` on the momenta that its modes are at, over a sloping background."""
    n_q = 24
    path = QPath("toy", np.arange(n_q)[:, None] / n_q * np.eye(3)[:1], np.zeros(n_q), np.arange(n_q) / n_q)
    image = height * band(("a", "b"), ("meV", "meV")).predict(TRUTH)[0] + 0.3 + slope * ENERGY.centres
    image = image + noise * np.random.default_rng(seed).normal(size=image.shape)
    seen = np.ones(image.shape, bool) if valid is None else valid
    return Measurement("toy", path, ENERGY, image, seen, std=np.full(image.shape, noise), simulated=True)


def test_every_cut_has_its_peak_where_the_line_is(band):
    table = find_peaks(measured(band), fwhm=FWHM, n_row=1)
    assert len(table.energy) == 24 and len(np.unique(table.row)) == 24
    line = TRUTH[0] + TRUTH[1] * np.cos(2 * np.pi * table.q[:, 0])
    pulls = (table.energy - line) / table.std
    assert np.abs(pulls).max() < 4.0 and 0.6 < np.sqrt(np.mean(pulls**2)) < 1.5
    assert np.all(np.abs(ENERGY.centres[table.column] - table.energy) <= 0.5)


def test_a_sloping_background_has_no_peaks_and_noise_few(band):
    for seed in range(3):
        with pytest.raises(FitError, match="no peak stands out"):
            find_peaks(measured(band, height=0.0, slope=0.05, seed=seed), fwhm=FWHM, threshold=5.0)


def test_gaps_make_no_peaks(band):
    valid = np.ones((24, 30), bool)
    valid[:, 3:6] = False
    valid[5] = False
    table = find_peaks(measured(band, valid=valid), fwhm=FWHM, n_row=1)
    assert 5 not in table.row and len(table.energy) == 23


def test_the_derivative_is_that_of_differences(band):
    table = find_peaks(measured(band), fwhm=FWHM, n_row=1)
    forward, objective = PeakForward(band(("a", "b"), ("meV", "meV")), (table,)), peaks([table])
    images = forward.predict([13.5, 4.5])
    move = 1e-6 * np.random.default_rng(3).normal(size=images[0].shape)
    _, (slope,) = objective.derivative(images)
    difference = objective.value((images[0] + move,)) - objective.value((images[0] - move,))
    assert float((slope * move).sum()) == pytest.approx(difference / 2, rel=1e-4)


@pytest.mark.parametrize("kind", ["particle_swarm", "grid_start"])
def test_a_swarm_finds_the_couplings_by_their_r_value(band, kind):
    one = measured(band)
    table = find_peaks(one, fwhm=FWHM, n_row=1)
    forward = PeakForward(band(), (table,))
    assert forward.parameter_names == ("a", "b") and forward.units == ("meV", "meV")
    # Below a = 10 the second mode, at twice the energy, would meet the same peaks.
    box = Box.from_intervals({"a": (10.0, 25.0), "b": (-9.0, 9.0)})
    errors = UncertaintyOptions(hessian=True, jackknife=2)
    result, _ = run_fit(
        Fit("peaks", Problem(forward, peaks([table])), strategy_by_name(kind), box, (one,), uncertainty=errors), seed=1
    )
    for name, truth in zip(("a", "b"), TRUTH, strict=True):
        estimate = result.parameters[name]
        assert abs(estimate.value - truth) < 4 * estimate.std < 0.5
    assert 0.5 < result.quality["R"] < 1.6 and result.quality["n_peak"] == 24
