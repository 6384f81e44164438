"""A fit's data, model and residual, written for Mantid and read back."""

import h5py
import numpy as np
import pytest

from spinscape.cli import main
from spinscape.errors import StoreError
from spinscape.experiment.file import write_measurement
from spinscape.experiment.mantid import read_histogram
from spinscape.experiment.mantid_measurement import measurement_from_histogram
from spinscape.experiment.measurement import Measurement
from spinscape.lattice.qspace import EnergyAxis
from spinscape.lattice.volumes import QGrid
from spinscape.stages import export, fit_arrays

GRID = QGrid("m", np.zeros(3), np.eye(3), (np.linspace(0, 1, 4), np.linspace(0, 1, 3), np.array([-1.0, 1.0])))
ENERGY = EnergyAxis([1.0, 2.0, 3.0])


@pytest.fixture
def fit(tmp_path):
    rng = np.random.default_rng(5)
    counts, valid = rng.poisson(4.0, (6, 3)).astype(float), rng.uniform(size=(6, 3)) > 0.2
    exposure = np.full((6, 3), 2.0)
    signal = np.where(valid, counts / exposure, 0.0)
    std = np.sqrt(np.maximum(counts, 1)) / exposure
    measured = Measurement("m", GRID, ENERGY, signal, valid, std, exposure=exposure)
    for name in ("fits", "measurements"):
        (tmp_path / name).mkdir()
    write_measurement(tmp_path / "measurements" / "m.h5", measured)
    fitted = rng.uniform(1, 2, (6, 3))
    spectrum = fit_arrays.FittedSpectrum(
        name="m", momentum=GRID, energy=ENERGY, data=signal, fitted=fitted, residual=(signal - fitted) / std,
        valid=valid, bands=np.zeros((6, 0)), simulated=True,
    )  # fmt: skip
    fit_arrays.write(tmp_path / "fits" / "f.h5", [spectrum], None)
    return tmp_path / "fits" / "f.h5", measured, fitted


def test_data_model_and_residual_side_by_side(fit, tmp_path, capsys):
    arrays, measured, fitted = fit
    assert main(["export", str(arrays), str(tmp_path / "out")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    found = {n: read_histogram(tmp_path / "out" / f"m_{n}.nxs") for n in ("data", "model", "residual")}
    for name, image in (("data", measured.signal), ("model", fitted), ("residual", measured.signal - fitted)):
        rows = found[name].signal.reshape(6, 3)
        np.testing.assert_array_equal(rows, np.where(measured.valid, image, np.nan))
    again = measurement_from_histogram(found["data"], name="m")
    np.testing.assert_array_equal(again.valid, measured.valid)
    here = measured.valid & (measured.signal > 0)
    np.testing.assert_allclose(again.std[here], measured.std[here])
    np.testing.assert_array_equal(found["data"].events.reshape(6, 3), 2 * measured.signal)


def test_the_layout_is_that_of_a_real_file(fit, tmp_path):
    """What Mantid's LoadMD asks for, as a file of SaveMD has it: names, shapes, types and attributes."""
    export.export_fit(fit[0], tmp_path)
    with h5py.File(tmp_path / "m_data.nxs") as file:
        assert file["MDHistoWorkspace"].attrs["SaveMDVersion"] == 2
        assert file["MDHistoWorkspace"].attrs["NX_class"] == b"NXentry"
        data = file["MDHistoWorkspace/data"]
        assert data.attrs["NX_class"] == b"NXdata" and data["signal"].attrs["axes"] == b"D3:D2:D1:D0"
        for name, kind in (("signal", "f8"), ("errors_squared", "f8"), ("num_events", "f8"), ("mask", "i1")):
            assert data[name].shape == (3, 1, 2, 3) and data[name].dtype == np.dtype(kind)
        for k, n in enumerate((4, 3, 2, 4)):
            assert data[f"D{k}"].shape == (n,)
            assert all(isinstance(data[f"D{k}"].attrs[a], bytes) for a in ("long_name", "units", "frame"))


def test_a_fit_of_tables_alone_has_no_place_in_the_layout(tmp_path):
    column = np.ones((2, 1))
    table = fit_arrays.FittedSpectrum(
        name="t", momentum=None, energy=None, data=column, fitted=column, residual=column, valid=column.astype(bool),
        bands=np.zeros((2, 0)), simulated=False, quantity="susceptibility", temperatures=np.array([1.0, 2.0]),
    )  # fmt: skip
    fit_arrays.write(tmp_path / "f.h5", [table], None)
    with pytest.raises(StoreError, match="nothing"):
        export.export_fit(tmp_path / "f.h5", tmp_path)
