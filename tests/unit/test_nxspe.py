"""NXSPE: files in the layout of its NeXus definition, kinematics in closed form, and bins against a count by hand."""

import h5py
import numpy as np
import pytest

from spinscape.errors import DataError, UnitError
from spinscape.experiment.nxspe import read_nxspe
from spinscape.experiment.rebin import crystal_measurement, grid_row, powder_measurement, rlu_from_laboratory
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.powder_axis import PowderAxis
from spinscape.lattice.qspace import EnergyAxis
from spinscape.lattice.volumes import QGrid
from spinscape.units import NEUTRON_ENERGY

RECIPROCAL = 2 * np.pi * np.linalg.inv(lattice_vectors(a=4.0, b=5.0, c=6.0, gamma=100.0)).T


def write(path, *, signal, std=None, edges=None, polar=None, azimuthal=None, incident=50.0, psi=np.nan, scaled=1):
    """Write an NXSPE file, degrees and meV, as Mantid's SaveNXSPE and Horace lay it out."""
    signal = np.asarray(signal, dtype=np.float64)
    n_detector, n_energy = signal.shape
    with h5py.File(path, "w") as file:
        entry = file.create_group("run_1")
        entry.attrs["NX_class"] = np.bytes_("NXentry")
        entry["program_name"], entry["definition"] = np.bytes_("test"), np.bytes_("NXSPE")
        entry["definition"].attrs["version"] = np.bytes_("1.3")
        info = entry.create_group("NXSPE_info")
        info["fixed_energy"], info["psi"], info["ki_over_kf_scaling"] = [incident], [psi], [scaled]
        info["fixed_energy"].attrs["units"], info["psi"].attrs["units"] = np.bytes_("meV"), np.bytes_("degrees")
        data = entry.create_group("data")
        data["data"] = signal
        data["error"] = np.ones(signal.shape) if std is None else std
        data["energy"] = np.linspace(-5, 45, n_energy + 1) if edges is None else edges
        data["energy"].attrs["units"] = np.bytes_("meV")
        data["polar"] = np.linspace(5, 120, n_detector) if polar is None else polar
        data["azimuthal"] = np.zeros(n_detector) if azimuthal is None else azimuthal
        for name in ("polar_width", "azimuthal_width", "distance"):
            data[name] = np.ones(n_detector)
    return path


@pytest.fixture
def powder(tmp_path):
    rng = np.random.default_rng(3)
    signal = rng.uniform(0, 2, (40, 20))
    signal[7] = np.nan
    return write(tmp_path / "p.nxspe", signal=signal, std=rng.uniform(0.1, 0.2, (40, 20))), signal


def test_a_file_as_it_stands(powder):
    path, signal = powder
    run = read_nxspe(path)
    with h5py.File(path) as file:
        data = file["run_1/data"]
        np.testing.assert_array_equal(run.signal, signal)
        np.testing.assert_array_equal(run.std[:7], data["error"][:7])
        np.testing.assert_array_equal(run.edges, data["energy"][()])
        np.testing.assert_allclose(np.degrees(run.polar), data["polar"][()], rtol=1e-15)
    assert run.incident == 50.0 and run.psi is None


def test_elastic_and_forward_scattering_in_closed_form(powder):
    run = read_nxspe(powder[0])
    k_i, k_f = run.wave_numbers
    assert k_i == pytest.approx(np.sqrt(50.0 / NEUTRON_ENERGY))
    np.testing.assert_allclose(NEUTRON_ENERGY, 2.0721, rtol=1e-4)
    at = int(np.argmin(abs(run.energies - 1.25)))
    np.testing.assert_allclose(k_f[at], np.sqrt((50.0 - run.energies[at]) / NEUTRON_ENERGY))
    np.testing.assert_allclose(run.modulus(), np.linalg.norm(run.transfer(), axis=-1), rtol=1e-12)


def test_powder_bins_against_a_loop(powder):
    path, signal = powder
    axis = PowderAxis.from_range(first=0.5, last=6.5, n=7, name="p")
    found = powder_measurement([read_nxspe(path)], axis, name="p")
    run = read_nxspe(path)
    modulus = run.modulus()
    for q in range(7):
        for e in range(20):
            inside = (modulus[:, e] >= axis.edges[q]) & (modulus[:, e] < axis.edges[q + 1]) & np.isfinite(signal[:, e])
            assert found.valid[q, e] == inside.any()
            if inside.any():
                assert found.signal[q, e] == pytest.approx(signal[inside, e].mean())
                assert found.std[q, e] == pytest.approx(np.sqrt((run.std[inside, e] ** 2).sum()) / inside.sum())
    np.testing.assert_allclose(found.energy.centres, run.energies)


def test_two_runs_and_wider_bins_are_means(powder):
    run = read_nxspe(powder[0])
    axis = PowderAxis.from_range(first=0.5, last=6.5, n=7, name="p")
    once = powder_measurement([run], axis, name="p", energy=EnergyAxis(np.arange(-2.5, 45, 5)))
    twice = powder_measurement([run, run], axis, name="p", energy=EnergyAxis(np.arange(-2.5, 45, 5)))
    np.testing.assert_allclose(twice.signal, once.signal, rtol=1e-12)
    np.testing.assert_allclose(twice.std[twice.valid], once.std[once.valid] / np.sqrt(2), rtol=1e-12)
    with pytest.raises(DataError, match="finer"):
        powder_measurement([run], axis, name="p", energy=EnergyAxis(np.arange(0, 40, 1.0)))


def test_unscaled_data_are_multiplied_by_the_wave_numbers(tmp_path):
    run = read_nxspe(write(tmp_path / "a", signal=np.ones((2, 10)), scaled=0))
    k_i, k_f = run.wave_numbers
    np.testing.assert_allclose(run.signal, np.broadcast_to(k_i / k_f, (2, 10)))
    np.testing.assert_allclose(run.std, run.signal)


@pytest.mark.parametrize("psi", [0.0, 30.0, -110.0])
def test_bragg_peaks_of_a_turned_crystal(psi, tmp_path):
    """Detectors are put where peaks of known indices scatter to; their pixels must land on the indices."""
    u, v = np.array([1.0, 0.0, 0.0]), np.array([1.0, 1.0, 0.0])
    first, up = u @ RECIPROCAL, np.cross(u @ RECIPROCAL, v @ RECIPROCAL)
    first, up = first / np.linalg.norm(first), up / np.linalg.norm(up)
    frame = np.array([first, np.cross(up, first), up])
    c, s = np.cos(np.radians(psi)), np.sin(np.radians(psi))
    k_i = np.sqrt(50.0 / NEUTRON_ENERGY)
    peaks = np.array([(h, k, m) for h in range(-3, 4) for k in range(-3, 4) for m in range(-2, 3) if h or k or m])
    along, beside, above = (peaks @ RECIPROCAL @ frame.T).T
    # From the crystal's frame to the laboratory: psi against the clock.
    laboratory = np.stack([c * along - s * beside, s * along + c * beside, above], axis=1)
    k_f = np.array([k_i, 0, 0]) - laboratory
    energy = 50.0 - NEUTRON_ENERGY * (k_f**2).sum(axis=1)
    seen = (energy > -4) & (energy < 44)
    assert seen.sum() >= 4
    peaks, k_f, energy = peaks[seen], k_f[seen], energy[seen]
    polar = np.degrees(np.arccos(k_f[:, 0] / np.linalg.norm(k_f, axis=1)))
    azimuthal = np.degrees(np.arctan2(k_f[:, 2], k_f[:, 1]))
    edges = np.linspace(-5, 45, 5001)
    signal = np.zeros((len(peaks), 5000))
    signal[np.arange(len(peaks)), np.searchsorted(edges, energy) - 1] = 1.0
    path = write(tmp_path / "x", signal=signal, edges=edges, polar=polar, azimuthal=azimuthal, psi=psi)
    run = read_nxspe(path)
    grid = QGrid("g", np.zeros(3), np.eye(3), tuple(np.arange(-3.5, 4) for _ in range(3)))
    # One bin of all energies but one: where the peaks are is where there is signal.
    found = crystal_measurement(
        [run], grid, reciprocal=RECIPROCAL, u=u, v=v, name="x", energy=EnergyAxis(np.linspace(-4.95, 44.95, 500))
    )
    hit = np.unique(np.nonzero(found.signal)[0])
    expected = np.unique(np.ravel_multi_index((peaks + 3).T, (7, 7, 7)))
    np.testing.assert_array_equal(hit, expected)


def test_the_laboratory_and_back():
    matrix = rlu_from_laboratory(RECIPROCAL, u=[1, 1, 0], v=[0, 0, 1], psi=0.7)
    np.testing.assert_allclose(np.linalg.norm(np.linalg.inv(matrix), axis=1), np.linalg.norm(RECIPROCAL, axis=1))
    along = np.array([np.cos(0.7), np.sin(0.7), 0.0]) @ matrix
    np.testing.assert_allclose(along / along[0], [1, 1, 0], atol=1e-12)
    with pytest.raises(DataError, match="plane"):
        rlu_from_laboratory(RECIPROCAL, u=[1, 1, 0], v=[2, 2, 0], psi=0.0)


def test_rows_of_a_grid():
    grid = QGrid("g", [0.5, 0, 0], [[1, 1, 0], [1, -1, 0], [0, 0, 1]], (np.arange(4), np.arange(3), np.array([-1, 1])))
    np.testing.assert_array_equal(grid_row(grid, grid.points), np.arange(6))
    assert grid_row(grid, np.array([9.0, 0, 0])) == -1


def changed(path, change):
    with h5py.File(path, "r+") as file:
        change(file["run_1"])
    return path


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda e: e["data/error"].write_direct(np.full((40, 20), -1.0)), "negative"),
        (lambda e: e.__delitem__("NXSPE_info"), "not an NXSPE"),
        (lambda e: e["data"].__delitem__("polar"), "missing"),
        (lambda e: e["data/energy"].attrs.modify("units", np.bytes_("mil")), "mil"),
        (lambda e: e["data/energy"].write_direct(np.zeros(21)), "must rise"),
        (lambda e: e["NXSPE_info/fixed_energy"].write_direct(np.array([-1.0])), "positive"),
        (lambda e: e["data/energy"].attrs.modify("units", np.bytes_("eV")), "so much energy"),
    ],
)
def test_files_that_contradict_themselves_are_refused(powder, change, message):
    path = changed(powder[0], change)
    if message == "so much energy":
        changed(path, lambda e: e["data/energy"].write_direct(np.linspace(1, 2, 21)))
    with pytest.raises((DataError, UnitError), match=message) as caught:
        read_nxspe(path)
    assert str(path) in str(caught.value)


def test_truncated_and_other_files_are_refused(powder, tmp_path):
    whole = powder[0].read_bytes()
    (tmp_path / "t").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "n").write_text("no")
    for name in "tn":
        with pytest.raises(DataError, match="HDF5"):
            read_nxspe(tmp_path / name)


def test_axes_beyond_the_detectors_and_a_crystal_without_psi_are_refused(powder):
    run = read_nxspe(powder[0])
    with pytest.raises(DataError, match="declared axes"):
        powder_measurement([run], PowderAxis.from_range(first=50, last=60, n=3, name="p"), name="p")
    grid = QGrid("g", np.zeros(3), np.eye(3), tuple(np.arange(-3.5, 4) for _ in range(3)))
    with pytest.raises(DataError, match="psi"):
        crystal_measurement([run], grid, reciprocal=RECIPROCAL, u=[1, 0, 0], v=[0, 1, 0], name="x")
