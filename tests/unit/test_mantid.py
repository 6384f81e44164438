"""Histograms of Mantid: the layout's traps, counts recovered, there and back, and a real file to the last digit."""

import os
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from spinscape.errors import DataError
from spinscape.experiment.mantid import Histogram, HistogramAxis, projection, read_histogram
from spinscape.experiment.mantid_measurement import check_lattice, measurement_from_histogram
from spinscape.experiment.mantid_write import histogram_from_grid, histograms_from_rows, write_histogram
from spinscape.infer.counts import counts_of
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.powder_axis import PowderAxis
from spinscape.lattice.qspace import EnergyAxis, path_through

REAL = Path(os.environ.get("SPINSCAPE_DATA", "../shared/data")) / "mantid" / "1Dcut_sym_0p00T_K.nxs"


def axes():
    return (
        HistogramAxis("[H,0,0]", "r.l.u.", "HKL", np.linspace(-1, 1, 5)),
        HistogramAxis("[-0.5K,K,0]", "r.l.u.", "HKL", np.linspace(0, 3, 4)),
        HistogramAxis("[0,0,L]", "r.l.u.", "HKL", [-0.5, 0.5]),
        HistogramAxis("DeltaE", "DeltaE", "General Frame", np.linspace(0, 10, 6)),
    )


@pytest.fixture
def histogram():
    rng = np.random.default_rng(1)
    events = rng.poisson(1.5, (4, 3, 1, 5)).astype(float)
    norm = rng.uniform(0.5, 2.0, events.shape)
    signal = events / norm
    signal[0, 0] = np.nan
    masked = np.zeros(events.shape, bool)
    masked[1, 1, 0, 2] = True
    return Histogram(axes(), signal, events / norm**2, events, masked)


def test_there_and_back(histogram, tmp_path):
    write_histogram(tmp_path / "h.nxs", histogram)
    again = read_histogram(tmp_path / "h.nxs")
    for name in ("signal", "variance", "events", "masked"):
        np.testing.assert_array_equal(getattr(again, name), getattr(histogram, name))
    assert [(a.label, a.unit, a.frame) for a in again.axes] == [(a.label, a.unit, a.frame) for a in histogram.axes]


def test_axes_in_any_order_are_followed(histogram, tmp_path):
    write_histogram(tmp_path / "h.nxs", histogram)
    with h5py.File(tmp_path / "h.nxs", "r+") as file:
        data = file["MDHistoWorkspace/data"]
        turned = {n: data[n][()].transpose(1, 3, 0, 2) for n in ("signal", "errors_squared", "num_events", "mask")}
        for name, array in turned.items():
            del data[name]
            data[name] = array
        # Slowest first: D3 D2 D1 D0 was there before.
        data["signal"].attrs["axes"] = "D2,D0,D3,D1"
    np.testing.assert_array_equal(read_histogram(tmp_path / "h.nxs").signal, histogram.signal)


def test_counts_are_recovered_only_where_errors_are_those_of_counting(histogram):
    counts = histogram.counts
    np.testing.assert_array_equal(counts[histogram.valid], histogram.events[histogram.valid])
    assert np.all(counts[~histogram.valid] == 0) and np.any((counts == 0) & histogram.valid)
    assert replace(histogram, variance=histogram.variance * 1.01).counts is None


def test_a_histogram_as_a_measurement(histogram):
    found = measurement_from_histogram(histogram, name="m")
    assert found.shape == (12, 5) and found.momentum.basis.tolist() == [[1, 0, 0], [-0.5, 1, 0], [0, 0, 1]]
    np.testing.assert_array_equal(found.valid, histogram.valid.reshape(12, 5))
    np.testing.assert_allclose(found.signal[4], histogram.signal[1, 1, 0] * (histogram.valid[1, 1, 0]))
    assert np.all(found.std > 0) and found.energy.centres.tolist() == [1, 3, 5, 7, 9]
    # Without counting errors a voxel of error zero says nothing.
    other = measurement_from_histogram(replace(histogram, variance=histogram.variance * 1.01), name="m")
    assert np.array_equal(other.valid, found.valid & (histogram.events.reshape(12, 5) > 0))


def test_a_measurement_goes_back_to_a_histogram(histogram, tmp_path):
    found = measurement_from_histogram(histogram, name="m")
    made = histogram_from_grid(found.momentum, found.energy, found.signal, found.std**2, valid=found.valid)
    write_histogram(tmp_path / "m.nxs", made)
    again = measurement_from_histogram(read_histogram(tmp_path / "m.nxs"), name="m")
    np.testing.assert_array_equal(again.signal, found.signal)
    np.testing.assert_array_equal(again.valid, found.valid)
    np.testing.assert_allclose(again.energy.centres, found.energy.centres, rtol=1e-15)
    np.testing.assert_array_equal(again.momentum.basis, found.momentum.basis)


@pytest.mark.parametrize(
    "label, expected",
    [
        ("[H,H,0]", (1, 1, 0)),
        ("[H,-H,0]", (1, -1, 0)),
        ("[0,0,-2.5L]", (0, 0, -2.5)),
        ("[ 1e-1K , K,0.0]", (0.1, 1, 0)),
    ],
)
def test_projections(label, expected):
    np.testing.assert_array_equal(projection(label), expected)


@pytest.mark.parametrize("label", ["Q_sample_x", "[H,K,0]", "[H,0]", "[1,0,0]", "[0,0,0]", "[H,0,2]", "[H+1,0,0]"])
def test_labels_that_name_no_direction_are_refused(label):
    with pytest.raises(DataError):
        projection(label)


def spoilt(path, change):
    with h5py.File(path, "r+") as file:
        change(file["MDHistoWorkspace/data"])


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda data: data["errors_squared"].write_direct(np.full((5, 1, 3, 4), -1.0)), "negative"),
        (lambda data: data["signal"].attrs.modify("axes", np.bytes_("D0:D1:D2")), "does not name"),
        (lambda data: data["signal"].attrs.modify("axes", np.bytes_("D0:D1:D2:D3")), "do not fit"),
        (lambda data: data.__delitem__("D1"), "no edges"),
        (lambda data: data.__delitem__("errors_squared"), "not a histogram"),
        (lambda data: data["D0"].write_direct(np.zeros(5)), "must rise"),
    ],
)
def test_files_that_contradict_themselves_are_refused(histogram, tmp_path, change, message):
    write_histogram(tmp_path / "h.nxs", histogram)
    spoilt(tmp_path / "h.nxs", change)
    with pytest.raises(DataError, match=message):
        read_histogram(tmp_path / "h.nxs")


def test_other_files_are_refused(tmp_path):
    (tmp_path / "t.nxs").write_text("no")
    with pytest.raises(DataError, match="HDF5"):
        read_histogram(tmp_path / "t.nxs")
    h5py.File(tmp_path / "e.nxs", "w").close()
    with pytest.raises(DataError, match="not a histogram"):
        read_histogram(tmp_path / "e.nxs")


def test_histograms_without_a_grid_are_refused(histogram):
    short = replace(histogram, axes=(*axes()[:3], HistogramAxis("T", "K", "", np.linspace(0, 10, 6))))
    with pytest.raises(DataError, match="three axes"):
        measurement_from_histogram(short, name="m")
    uneven = replace(histogram, axes=(*axes()[:3], replace(axes()[3], edges=[0.0, 1, 2, 3, 4, 9])))
    with pytest.raises(DataError, match="widths"):
        measurement_from_histogram(uneven, name="m")
    nothing = replace(histogram, signal=np.full(histogram.signal.shape, np.nan))
    with pytest.raises(DataError, match="no voxel"):
        measurement_from_histogram(nothing, name="m")


def test_a_grid_with_an_origin_is_refused(histogram):
    grid = replace(measurement_from_histogram(histogram, name="m").momentum, origin=np.array([0.5, 0, 0]))
    with pytest.raises(DataError, match="origin"):
        histogram_from_grid(grid, EnergyAxis([0.0, 1.0]), np.zeros((12, 2)), np.ones((12, 2)))


def test_voxels_that_saw_nothing_are_counts_of_zero(histogram):
    """One exposure for all: also the voxels without events get it. A smooth one: to what it changes over a voxel."""
    even = replace(histogram, signal=histogram.events / 0.5, variance=histogram.events / 0.25)
    found = measurement_from_histogram(even, name="m")
    np.testing.assert_allclose(found.exposure[found.valid], 0.5)
    counted = counts_of(found)
    np.testing.assert_allclose(counted.counts[found.valid], even.events.reshape(12, 5)[found.valid])
    assert not counted.estimated and np.any(counted.counts[found.valid] == 0)
    h, k, _, e = np.meshgrid(*(np.arange(n) for n in histogram.events.shape), indexing="ij")
    smooth = 1.0 + 0.02 * (h + k + e)
    found = measurement_from_histogram(
        replace(histogram, signal=histogram.events / smooth, variance=histogram.events / smooth**2), name="m"
    )
    here = found.valid
    np.testing.assert_allclose(found.exposure[here], smooth.reshape(12, 5)[here], rtol=0.06)
    assert measurement_from_histogram(replace(histogram, variance=histogram.variance * 1.01), name="m").exposure is None


def test_diffuse_scattering_has_no_axis_of_energy_or_one_bin(histogram):
    three = Histogram(axes()[:3], *(getattr(histogram, n)[..., 1] for n in ("signal", "variance", "events", "masked")))
    one = replace(three, axes=(*axes()[:3], replace(axes()[3], edges=[-1.0, 1.0])),
                  **{n: getattr(three, n)[..., None] for n in ("signal", "variance", "events", "masked")})  # fmt: skip
    for found in (measurement_from_histogram(h, name="d", integrated=True) for h in (three, one)):
        assert found.quantity == "diffuse" and found.shape == (12, 1)
        np.testing.assert_array_equal(found.valid.ravel(), three.valid.ravel())
    for wrong, integrated in ((histogram, True), (one, False), (three, False)):
        with pytest.raises(DataError, match="energy"):
            measurement_from_histogram(wrong, name="d", integrated=integrated)


def test_the_lattice_is_that_of_the_study(histogram):
    vectors = lattice_vectors(a=4.0, b=4.0, c=6.0)
    check_lattice(histogram, given=vectors, expected=vectors, where="f")
    check_lattice(replace(histogram, vectors=vectors * 1.005), given=None, expected=vectors, where="f")
    with pytest.raises(DataError, match="holds no lattice"):
        check_lattice(histogram, given=None, expected=vectors, where="f")
    for other in (vectors * 1.02, lattice_vectors(a=4.0, b=4.0, c=6.0, gamma=120.0)):
        with pytest.raises(DataError, match="not that of the study"):
            check_lattice(replace(histogram, vectors=other), given=vectors, expected=vectors, where="f")


def test_paths_powders_and_planes_in_the_layout_of_mantid(tmp_path):
    """Read back, edges are what Mantid makes of first, last and number; NaN is what was not measured."""
    rng = np.random.default_rng(4)
    energy = EnergyAxis([1.0, 2.0, 3.0])
    path = path_through([[0, 0, 0], [1, 0, 0], [1, 1, 0]], n_point=[5, 3], reciprocal=np.eye(3), name="p")
    powder = PowderAxis.from_range(first=1.0, last=2.0, n=6, name="q")
    for axis, n, names in ((path, 8, ["_0", "_1"]), (powder, 6, [""])):
        signal, variance = rng.uniform(size=(n, 3)), rng.uniform(size=(n, 3))
        valid = rng.uniform(size=(n, 3)) > 0.3
        made = histograms_from_rows(axis, energy, signal, variance, valid=valid, events=4 * signal)
        assert list(made) == names
        write_histogram(tmp_path / "x.nxs", made[names[-1]])
        again = read_histogram(tmp_path / "x.nxs")
        rows = path.segment == 1 if axis is path else slice(None)
        np.testing.assert_array_equal(again.signal, np.where(valid, signal, np.nan)[rows])
        np.testing.assert_array_equal(again.variance, variance[rows])
        np.testing.assert_array_equal(again.events, 4 * signal[rows])
        for edges in (a.edges for a in again.axes):
            np.testing.assert_allclose(edges, np.linspace(edges[0], edges[-1], len(edges)), rtol=1e-12)
        assert again.axes[-1].is_energy
    with pytest.raises(DataError, match="equal bins"):
        uneven = HistogramAxis("|Q|", "", "", [0.0, 1.0, 3.0])
        write_histogram(tmp_path / "u", Histogram((uneven,), *np.zeros((3, 2)), np.zeros(2, bool)))


def test_a_truncated_file_is_refused(histogram, tmp_path):
    write_histogram(tmp_path / "h.nxs", histogram)
    whole = (tmp_path / "h.nxs").read_bytes()
    (tmp_path / "h.nxs").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="HDF5"):
        read_histogram(tmp_path / "h.nxs")


@pytest.mark.skipif(not REAL.is_file(), reason="the measured file is not at hand")
def test_a_real_file_to_the_last_digit():
    found = read_histogram(REAL)
    with h5py.File(REAL) as file:
        data = file["MDHistoWorkspace/data"]
        for name, array in (("signal", found.signal), ("errors_squared", found.variance), ("num_events", found.events)):
            np.testing.assert_array_equal(array, data[name][()].transpose())
        for k, axis in enumerate(found.axes):
            np.testing.assert_array_equal(axis.edges, data[f"D{k}"][()])
    measurement = measurement_from_histogram(found, name="cut")
    assert measurement.shape == (1, 88) and measurement.momentum.basis[1].tolist() == [-0.5, 1.0, 0.0]
    assert measurement.momentum.integrated == (True, True, True)
    assert np.all(measurement.std[measurement.valid] > 0)
