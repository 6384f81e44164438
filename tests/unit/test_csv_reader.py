"""Text tables: right files in every allowed form, and each way in which a file can be wrong."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinscape.errors import DataError, SpinscapeError
from spinscape.experiment.background import without_savitzky_golay
from spinscape.experiment.csv_reader import read_csv_spectrum, read_csv_table, read_table
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.powder_axis import PowderAxis
from spinscape.lattice.qspace import EnergyAxis, path_through

REPOSITORY = Path(__file__).parents[2]
DATA = Path(os.environ.get("SPINSCAPE_DATA", REPOSITORY.parent / "shared" / "data")) / "la2nio4"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the measured La2NiO4 data are not at hand (SPINSCAPE_DATA)")
CORNERS = [[0.75, 0.25, 0], [0.5, 0.5, 0], [0.5, 0, 0], [0.75, 0.25, 0], [1, 0, 0], [0.5, 0, 0]]

PATH = path_through([[0, 0, 0], [0.5, 0, 0], [0.5, 0.5, 0]], n_point=[3, 2], reciprocal=np.eye(3), name="short")
SIGNAL = np.arange(20.0).reshape(5, 4) + 0.125
ENERGY = np.array([10.0, 12.5, 15.0, 17.5])


def rows(values, delimiter=","):
    return "\n".join(delimiter.join(repr(float(x)) for x in row) for row in np.atleast_2d(values)) + "\n"


@pytest.fixture
def files(tmp_path):
    """Three right files; ``read`` reads them with one of them, or a setting, changed."""
    right = {"signal": rows(SIGNAL.T), "momentum": rows(PATH.points.T), "energy": rows(ENERGY[:, None])}

    class Files:
        texts = right

        def read(self, layout="energy_rows", missing="none", **changed):
            settings_ = {k: changed.pop(k) for k in list(changed) if k not in self.texts}
            for name, text in {**self.texts, **changed}.items():
                data = text if isinstance(text, bytes) else text.encode()
                (tmp_path / f"{name}.csv").write_bytes(data)
            return read_csv_spectrum(
                tmp_path / "signal.csv",
                momentum=tmp_path / "momentum.csv",
                energy=tmp_path / "energy.csv",
                path=PATH,
                layout=layout,
                missing=missing,
                **settings_,
            )

    return Files()


def test_numbers_and_axes_come_back_exactly(files):
    m = files.read(provenance={"sha256": "ab"})
    assert m.signal.tobytes() == SIGNAL.tobytes() and m.energy.centres.tobytes() == ENERGY.tobytes()
    assert m.valid.all() and m.std is None and not m.simulated and m.name == "short"
    assert m.provenance == {"reader": "csv", "layout": "energy_rows", "missing": "none", "sha256": "ab"}


@pytest.mark.parametrize(
    "changed",
    [
        {"signal": rows(SIGNAL), "layout": "momentum_rows"},
        {"momentum": rows(PATH.points), "energy": rows(ENERGY)},
        {"signal": rows(SIGNAL.T, " "), "momentum": rows(PATH.points.T, "\t")},
        {"signal": rows(SIGNAL.T).replace("\n", "\r\n\r\n").encode("utf-8-sig")},
        {"signal": "# counts per monitor\n" + rows(SIGNAL.T, ";").replace(";", " ; "), "delimiter": None},
        {"energy": rows(ENERGY / 1000), "energy_unit": "eV"},
    ],
    ids=["momentum rows", "columns", "white space", "Windows and BOM", "semicolons", "eV"],
)
def test_forms_of_the_same_files(files, changed):
    if ";" in str(changed.get("signal")):
        semicolons = {k: v.replace(",", ";") for k, v in {**files.texts, "signal": changed["signal"]}.items()}
        changed = {**semicolons, "delimiter": ";"}
    m = files.read(**changed)
    assert np.array_equal(m.signal, SIGNAL)
    np.testing.assert_allclose(m.energy.centres, ENERGY, rtol=1e-15)


def with_cell(value, row=1, column=2):
    """The signal's text with one cell replaced: energy row 1, momentum 2."""
    lines = [line.split(",") for line in rows(SIGNAL.T).splitlines()]
    lines[row][column] = value
    return "\n".join(",".join(line) for line in lines)


@pytest.mark.parametrize(
    ("missing", "cell", "invalid"),
    [
        ("nan", "nan", [(2, 1)]),
        ("nan", "NaN", [(2, 1)]),
        ("zero", "0", [(2, 1)]),
        ("zero", "-0.0", [(2, 1)]),
        ({"value": -1e4}, "-10000", [(2, 1)]),
        ({"momentum": (2, 3)}, "nan", [(q, e) for q in (2, 3) for e in range(4)]),
        ({"momentum": [(0, 0), (2, 2)]}, "inf", [(q, e) for q in (0, 2) for e in range(4)]),
    ],
)
def test_rules_for_missing_values(files, missing, cell, invalid):
    m = files.read(signal=with_cell(cell), missing=missing)
    assert sorted(map(tuple, np.argwhere(~m.valid))) == invalid


BAD = {
    "header": ({"signal": "a,b,c,d,e\n" + rows(SIGNAL.T)}, ["line 1, column 1", "'a'", "headers"]),
    "text cell": ({"signal": with_cell("12.5x")}, ["line 2, column 3", "'12.5x'"]),
    "empty cell": ({"signal": with_cell("")}, ["line 2, column 3"]),
    "underscore": ({"signal": with_cell("1_0")}, ["line 2, column 3", "'1_0'"]),
    "ragged": ({"signal": with_cell("1,2")}, ["line 2", "5 numbers", "6 numbers"]),
    "nan": ({"signal": with_cell("nan")}, ["line 2, column 3", "missing: nan"]),
    "nan under zero": ({"signal": with_cell("nan"), "missing": "zero"}, ["line 2, column 3"]),
    "infinite": ({"signal": with_cell("1e999"), "missing": "nan"}, ["line 2, column 3", "inf"]),
    "empty": ({"signal": "\n# nothing\n"}, ["empty", "signal.csv"]),
    "binary": ({"signal": b"\x89HDF\xff\xfe"}, ["not text"]),
    "too few rows": ({"signal": rows(SIGNAL.T[:3])}, ["4 rows of 5", "3 rows of 5"]),
    "too few columns": ({"signal": rows(SIGNAL[:4].T)}, ["4 rows of 5", "4 rows of 4", "belong together"]),
    "transposed": ({"signal": rows(SIGNAL)}, ["5 rows of 4", "layout: momentum_rows"]),
    "layout": ({"layout": "rows"}, ["energy_rows, momentum_rows"]),
    "rule": ({"missing": "none?"}, ["unknown rule", "none, nan, zero"]),
    "range": ({"missing": {"momentum": (3, 5)}}, ["≤ 4", "[3, 5]"]),
    "all masked": ({"missing": {"momentum": (0, 4)}}, ["no pixel"]),
    "energy steps": ({"energy": rows(np.array([[10.0], [12.5], [15.1], [17.5]]))}, ["energy.csv, line 3", "2.5"]),
    "energy falls": ({"energy": rows(ENERGY[::-1, None])}, ["equal steps"]),
    "energy nan": ({"energy": "10\nnan\n15\n17.5\n"}, ["equal steps"]),
    "energy table": ({"energy": rows(SIGNAL)}, ["one row or one column"]),
    "energy unit": ({"energy_unit": "meter"}, ["meV"]),
    "short path": ({"momentum": rows(PATH.points[:4].T)}, ["3 rows or 3 columns", "3 rows of 4", "paths.short"]),
    "shifted path": ({"momentum": rows(PATH.points.T + 0.07)}, ["point 0", "paths.short.shift", "0.07"]),
    "no bytes": ({"signal": b""}, ["empty"]),
}


@pytest.mark.parametrize(("changed", "told"), BAD.values(), ids=BAD)
def test_bad_files_are_told_apart(files, changed, told):
    with pytest.raises(SpinscapeError) as caught:
        files.read(**changed)
    message = str(caught.value)
    assert all(text in message for text in told), message


def test_first_momentum_that_differs_is_shown(files):
    points = PATH.points.copy()
    points[3] += [0.0, 0.0, 3e-6]
    with pytest.raises(DataError, match=r"point 3 \(from 0\), 1 of 5") as caught:
        files.read(momentum=rows(points.T))
    assert str(PATH.points[3].tolist()) in str(caught.value) and str(points[3].tolist()) in str(caught.value)
    points[3, 2] = 5e-7  # rounding of seven digits
    assert files.read(momentum=rows(points.T)).shape == (5, 4)


def test_three_points_may_stand_in_rows_or_columns(tmp_path):
    path = path_through([[0, 0, 0], [0.5, 0, 0.25]], n_point=[3], reciprocal=np.eye(3))
    (tmp_path / "e").write_text("1\n2\n")
    (tmp_path / "s").write_text(rows(np.ones((2, 3))))
    for points in (path.points, path.points.T):
        (tmp_path / "q").write_text(rows(points))
        read_csv_spectrum(
            tmp_path / "s", momentum=tmp_path / "q", energy=tmp_path / "e", path=path, layout="energy_rows"
        )


def test_absent_file_names_itself(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        read_table(tmp_path / "nowhere.csv")


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2), min_size=1, max_size=6
    ),
    st.sampled_from([",", "\t", "  "]),
)
def test_tables_round_trip(tmp_path_factory, values, delimiter):
    file = tmp_path_factory.mktemp("t") / "t.csv"
    file.write_text(rows(values, delimiter))
    assert read_table(file).values.tobytes() == np.array(values).tobytes()


@pytest.fixture(scope="module")
def measured():
    reciprocal = 2 * np.pi * np.linalg.inv(lattice_vectors(a=3.89, b=3.89, c=12.55)).T
    path = path_through(CORNERS, n_point=[37, 53, 37, 37, 53], reciprocal=reciprocal, name="path1")
    names = {"momentum": DATA / "Qlist_path1.csv", "energy": DATA / "Elist_path1.csv"}
    return read_csv_spectrum(DATA / "Sqw_path1.csv", path=path, layout="energy_rows", **names)


@needs_data
def test_real_data(measured):
    raw = np.loadtxt(DATA / "Sqw_path1.csv", delimiter=",")
    assert measured.shape == (217, 121)
    assert np.array_equal(measured.signal, raw.T)
    assert measured.energy.centres[[0, -1]].tolist() == [20.0, 140.0]


@needs_data
def test_recipe_of_the_paper(measured):
    """r of the published fit by the recipe of the data's own description: 0.533 at J 29.23, Jp 1.585 meV."""
    data = without_savitzky_golay(measured, momentum=(160, 169), clip_negative=True)
    h, k = 2 * np.pi * measured.momentum.points[:, 0], 2 * np.pi * measured.momentum.points[:, 1]
    a = 4 * (29.23 - 1.585 * (1 - np.cos(h) * np.cos(k)))
    b = 2 * 29.23 * (np.cos(h) + np.cos(k))
    bare = np.sqrt(np.maximum(a * a - b * b, 1e-12))
    mode = 1.09 * bare
    sigma = np.polyval([1.4858e-7, 1.2873e-4, -0.084492, 14.324], mode) / np.sqrt(8 * np.log(2))
    gauss = np.exp(-0.5 * ((measured.energy.centres - mode[:, None]) / sigma[:, None]) ** 2)
    model = (0.833 * np.minimum((a - b) / bare, 20.0) / sigma / np.sqrt(2 * np.pi))[:, None] * gauss
    r = np.corrcoef(np.log1p(data.signal).ravel(), np.log1p(model).ravel())[0, 1]
    assert r == pytest.approx(0.533, abs=0.003)


POWDER, ENERGIES = PowderAxis("shell", [0.5, 1.0, 1.5]), EnergyAxis([0.0, 0.5])


def test_a_table_on_declared_axes(tmp_path):
    (tmp_path / "s.csv").write_text("1,2,3\n4,NaN,6\n")
    found = read_csv_table(
        tmp_path / "s.csv", momentum=POWDER, energy=ENERGIES, layout="energy_rows", missing="nan", name="m"
    )
    assert found.momentum is POWDER and found.shape == (3, 2) and found.name == "m"
    assert found.valid.tolist() == [[True, True], [True, False], [True, True]]
    assert found.signal[found.valid].tolist() == [1.0, 4.0, 2.0, 3.0, 6.0]


@pytest.mark.parametrize(
    ("text", "layout", "told"),
    [
        ("1,2,3\n4,5,6\n", "momentum_rows", ["energy_rows", "3 rows of 2"]),
        ("1,2,3\n4,nan,6\n", "energy_rows", ["line 2, column 2", "not finite"]),
        ("1,2\n", "energy_rows", ["2 rows of 3"]),
    ],
)
def test_a_table_that_does_not_fit_its_axes(tmp_path, text, layout, told):
    (tmp_path / "s.csv").write_text(text)
    with pytest.raises(DataError) as caught:
        read_csv_table(tmp_path / "s.csv", momentum=POWDER, energy=ENERGIES, layout=layout)
    assert all(word in str(caught.value) for word in told), str(caught.value)
