"""The stage that fits: windows, the arrays of its figures, and what it refuses."""

import numpy as np
import pytest

from spinscape.config.fits import Window
from spinscape.errors import FitError, StoreError
from spinscape.experiment.measurement import Measurement
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.stages import fit_arrays
from spinscape.stages.fit_job import inside
from spinscape.store.files import hdf5_bytes, write_whole

PATH = path_through([[0, 0, 0], [1, 0, 0], [1, 1, 0]], n_point=[4, 3], reciprocal=np.eye(3), labels=["A", "B", "C"])
AXIS = EnergyAxis.from_range(first=0.0, last=10.0, step=1.0)
SHAPE = (7, 11)


def measurement(valid=None):
    signal = np.arange(77.0).reshape(SHAPE)
    return Measurement("m", PATH, AXIS, signal, np.ones(SHAPE, bool) if valid is None else valid)


def test_a_window_masks_what_lies_outside_and_adds_nothing():
    valid = np.ones(SHAPE, bool)
    valid[2, 5] = False
    masked = inside(measurement(valid), Window(energy=("3 meV", "7 meV"), momentum=(1, 4)))
    assert masked.valid.sum() == 4 * 5 - 1
    assert not masked.valid[0].any() and not masked.valid[:, 8:].any() and not masked.valid[2, 5]
    np.testing.assert_array_equal(inside(measurement(valid), Window()).valid, valid)


def test_a_window_without_pixels_is_refused():
    with pytest.raises(FitError, match="no measured pixel"):
        inside(measurement(), Window(energy=("30 meV", "70 meV")))


def arrays():
    rng = np.random.default_rng(1)
    images = {name: rng.normal(size=SHAPE) for name in ("data", "fitted", "residual")}
    spectrum = fit_arrays.FittedSpectrum(
        "m", PATH, AXIS, **images, valid=rng.random(SHAPE) < 0.5, bands=rng.normal(size=(7, 2)), simulated=True
    )
    values = rng.normal(size=(3, 4))
    values[0, 0] = np.inf
    landscape = fit_arrays.Landscape(("J", "K"), ("meV", "meV"), np.arange(3.0), np.arange(4.0), values, np.eye(2))
    return spectrum, landscape


def test_arrays_come_back_bit_for_bit(tmp_path):
    spectrum, landscape = arrays()
    fit_arrays.write(tmp_path / "sub" / "fit.h5", [spectrum], landscape)
    (back,), surface = fit_arrays.read(tmp_path / "sub" / "fit.h5")
    for name in ("data", "fitted", "residual", "valid", "bands"):
        np.testing.assert_array_equal(getattr(back, name), getattr(spectrum, name))
    assert back.momentum.to_dict() == PATH.to_dict() and back.simulated and back.name == "m"
    np.testing.assert_array_equal(surface.values, landscape.values)
    assert surface.names == ("J", "K")


def test_a_fit_of_one_parameter_has_no_landscape(tmp_path):
    spectrum, _ = arrays()
    fit_arrays.write(tmp_path / "fit.h5", [spectrum], None)
    assert fit_arrays.read(tmp_path / "fit.h5")[1] is None


@pytest.mark.parametrize("damage", ["truncated", "foreign", "absent", "incomplete"])
def test_damaged_arrays_are_refused(tmp_path, damage):
    file = tmp_path / "fit.h5"
    spectrum, landscape = arrays()
    fit_arrays.write(file, [spectrum], landscape)
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif damage == "foreign":
        write_whole(file, hdf5_bytes(lambda f: f.attrs.__setitem__("contract", "measurement/1")))
    elif damage == "incomplete":
        write_whole(file, hdf5_bytes(lambda f: f.attrs.__setitem__("contract", fit_arrays.CONTRACT)))
    else:
        file.unlink()
    with pytest.raises(StoreError) as caught:
        fit_arrays.read(file)
    assert str(file) in str(caught.value)


def test_a_file_is_the_old_one_or_the_new_one(tmp_path, monkeypatch):
    file = tmp_path / "a.json"
    write_whole(file, "old")
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(StoreError, match="No space left"):
        write_whole(file, "new")
    assert file.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["a.json"]
