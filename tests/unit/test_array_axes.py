"""What a figure shows of an array of the simulations: slices, paths, volumes, temperatures, arrays without axes."""

import numpy as np
import pytest

from spinscape.lattice.qspace import QPath
from spinscape.lattice.volumes import QGrid
from spinscape.observables.diffuse_template import signal_layout
from spinscape.plot.phases import representatives_figure
from spinscape.stages.array_axes import drawn_part

TEMPERATURE = {"temperature_of_signal": {"dims": ["temperature_of_signal"], "values": [5.0, 0.5, 2.0], "unit": "K"}}
ENERGY = {"energy": {"dims": ["energy"], "values": [1.0, 2.0, 3.0, 4.0], "unit": "meV"}}
EDGES = np.linspace(-1, 1, 4), np.linspace(0, 2, 6), np.array([-0.1, 0.1])
BASIS = np.array([[1.0, 1, 0], [0, 0, 1], [1, -1, 0]])
SLICE = QGrid("hhl", np.zeros(3), BASIS, EDGES)


def spec(where, *, before=(), after=()):
    """The template of an array over a path or grid, with further axes (name, length, coords) around."""
    dims, shape, coords = signal_layout(where)
    plain = {n: {"dims": list(d), "values": np.asarray(v).tolist(), "unit": u} for n, (d, v, u) in coords.items()}
    for _, _, more in (*before, *after):
        plain |= more
    names = [*(b[0] for b in before), *dims, *(a[0] for a in after)]
    return {"dims": names, "shape": [*(b[1] for b in before), *shape, *(a[1] for a in after)], "coords": plain}


def values_of(one, n=2):
    return np.arange(n * int(np.prod(one["shape"])), dtype=float).reshape(n, *one["shape"])


def test_a_slice_at_the_lowest_temperature():
    one = spec(SLICE, before=[("temperature_of_signal", 3, TEMPERATURE)])
    values = values_of(one)
    found = drawn_part(one, values)
    np.testing.assert_array_equal(found.values, values[:, 1])
    assert [axis["label"] for axis in found.axes] == ["along (1 1 0) (r.l.u.)", "along (0 0 1) (r.l.u.)"]
    np.testing.assert_allclose(found.axes[1]["values"], [0.2, 0.6, 1.0, 1.4, 1.8])
    assert found.text == "temperature (K) = 0.5"


def test_a_volume_is_cut_in_its_middle():
    one = spec(QGrid("cube", np.zeros(3), BASIS, (*EDGES[:2], np.linspace(-2, 2, 5))))
    values = values_of(one)
    found = drawn_part(one, values)
    np.testing.assert_array_equal(found.values, values[..., 2])
    assert found.text == "along (1 -1 0) (r.l.u.) = 0.5" and len(found.axes) == 2


def test_spectra_along_a_path():
    path = QPath("gm", np.array([[0.0, 0, 0], [0.5, 0, 0], [0.5, 0.5, 0]]), np.zeros(3), np.array([0.0, 1.0, 2.5]))
    found = drawn_part(one := spec(path, after=[("energy", 4, ENERGY)]), values_of(one))
    assert found.axes[0] == {"label": "distance along the path gm (1/Å)", "values": [0.0, 1.0, 2.5]}
    assert found.axes[1]["label"] == "energy (meV)" and found.text == "" and found.values.shape == (2, 3, 4)


def test_tables_and_arrays_without_coordinates():
    at = {"temperature": {"dims": ["temperature"], "values": [5.0, 0.5, 2.0], "unit": "K"}}
    table = {"dims": ["temperature", "one"], "shape": [3, 1], "coords": at}
    found = drawn_part(table, values_of(table))
    assert found.axes == [{"label": "temperature (K)", "values": [5.0, 0.5, 2.0]}] and found.text == ""
    assert found.values.tolist() == [[0, 1, 2], [3, 4, 5]]
    wave = {"wave": {"dims": ["wave", "hkl"], "values": np.zeros((6, 3)).tolist(), "unit": "r.l.u."}}
    bare = {"dims": ["wave", "other_mode"], "shape": [6, 2], "coords": wave}
    found = drawn_part(bare, values_of(bare))
    assert found.axes[0] == {"label": "wave", "values": [0, 1, 2, 3, 4, 5]} and found.axes[1]["label"] == "other mode"


@pytest.mark.parametrize("angle", [90.0, 60.0])
def test_slices_are_drawn_where_they_lie(angle):
    """Across axes in r.l.u.; skewed ones as they lie in space, a parallelogram."""
    plane = QGrid("hk0", np.zeros(3), np.eye(3), (np.linspace(0, 1, 5), np.linspace(0, 2, 9), np.array([-0.1, 0.1])))
    skew = np.array([[2.0, 0, 0], [2 * np.cos(np.radians(angle)), 2 * np.sin(np.radians(angle)), 0], [0, 0, 1]])
    shown = drawn_part(spec(plane), values_of(spec(plane)))
    how = {"images": shown.values, "titles": ["a", "b"], "axes": shown.axes, "grid": plane, "reciprocal": skew}
    panel = representatives_figure(**how).axes[0]
    corners = panel.collections[0].get_coordinates().reshape(-1, 2)
    far = [2.0 * (1 + 2 * np.cos(np.radians(angle))), 4 * np.sin(np.radians(angle))] if angle < 90 else [1.0, 2.0]
    np.testing.assert_allclose(corners.max(axis=0), far, atol=1e-9)
    assert ("(1/Å)" in panel.get_xlabel()) == (angle < 90) and "(1 0 0)" in panel.get_xlabel() and panel.get_ylabel()


def test_every_kind_of_image_has_words_beside_its_axes():
    axes = [{"label": "distance (1/Å)", "values": [0.0, 1.0, 3.0]}, {"label": "energy (meV)", "values": [1.0, 2.0]}]
    line = representatives_figure(images=np.ones((2, 3)), titles=["a", "b"], axes=axes[:1], label="C").axes
    assert [a.get_xlabel() for a in line] == ["distance (1/Å)"] * 2 and line[0].get_ylabel() == "log(1 + C)"
    np.testing.assert_array_equal(line[0].lines[0].get_xdata(), [0.0, 1.0, 3.0])
    drawn = representatives_figure(images=np.ones((2, 3, 2)), titles=["a", "b"], axes=axes).axes[0]
    assert (drawn.get_xlabel(), drawn.get_ylabel()) == ("distance (1/Å)", "energy (meV)")
    assert representatives_figure(images=np.ones(2), titles=["a", "b"], axes=[]).axes[0].get_ylabel()
