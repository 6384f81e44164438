"""The type of spectra: shapes, masks, immutability."""

from dataclasses import replace

import numpy as np
import pytest

from spinscape.errors import DataError, ShapeError
from spinscape.experiment.measurement import Measurement
from spinscape.lattice.qspace import EnergyAxis, path_through


@pytest.fixture
def measurement():
    path = path_through([[0, 0, 0], [1, 0, 0]], n_point=[4], reciprocal=np.eye(3), labels=["A", "B"])
    energy = EnergyAxis.from_range(first=1.0, last=3.0, step=1.0)
    return Measurement("m", path, energy, np.arange(12.0).reshape(4, 3), np.ones((4, 3), bool))


def test_arrays_are_owned_and_read_only(measurement):
    assert measurement.shape == (4, 3)
    with pytest.raises(ValueError, match="read-only"):
        measurement.signal[0, 0] = 1.0
    source = np.ones((4, 3))
    copy = replace(measurement, signal=source)
    source[:] = 7.0
    assert np.all(copy.signal == 1.0)


@pytest.mark.parametrize("name", ["signal", "valid", "std"])
def test_every_array_has_the_shape_of_the_axes(measurement, name):
    with pytest.raises(ShapeError, match=name):
        replace(measurement, **{name: np.ones((3, 4))})


def test_what_counts_as_measured_is_finite(measurement):
    signal = measurement.signal.copy()
    signal[2, 1] = np.nan
    with pytest.raises(DataError, match="measurement m"):
        replace(measurement, signal=signal)
    masked = replace(measurement, signal=signal, valid=np.isfinite(signal))
    assert np.isnan(masked.signal[2, 1]) and masked.valid.sum() == 11
