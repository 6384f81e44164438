"""Text files of bins: slices of diffuse scattering, rows of columns, copies of symmetrised data."""

import numpy as np
import pytest

from spinscape.errors import ConfigError, DataError
from spinscape.experiment.column_reader import read_columns, read_diffuse_table
from spinscape.experiment.copies import without_copies
from spinscape.hamiltonian.conditions import Conditions
from spinscape.lattice.powder_axis import PowderAxis
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.lattice.volumes import QGrid

SLICE = QGrid("s", np.zeros(3), np.eye(3), (np.linspace(0, 3, 4), np.linspace(0, 2, 3), np.array([-0.5, 0.5])))
SQUARE = QGrid("s", np.zeros(3), np.eye(3), (np.arange(-2.5, 3), np.arange(-2.5, 3), np.array([-0.5, 0.5])))


def write(path, rows, fmt="%.17g", **how):
    np.savetxt(path, np.asarray(rows), fmt=fmt, **how)
    return path


def test_a_slice_by_rows_and_by_columns(tmp_path):
    image = np.arange(6.0).reshape(3, 2)
    image[1, 1] = np.nan
    for layout, stored in (("axes_rows", image), ("axes_columns", image.T)):
        path = write(tmp_path / layout, stored, delimiter=",", header="h", comments="")
        found = read_diffuse_table(
            path, momentum=SLICE, name="d", layout=layout, skip=1, errors=(0.1, 0.5), conditions=Conditions(20.0)
        )
        assert found.quantity == "diffuse" and found.energy is None and found.shape == (6, 1)
        np.testing.assert_array_equal(found.signal[found.valid], image.ravel()[np.isfinite(image.ravel())])
        np.testing.assert_allclose(found.std[found.valid], np.hypot(0.1, 0.5 * found.signal[found.valid]))
        assert not found.valid[3, 0] and found.conditions.temperature == 20.0


def test_a_slice_of_another_shape_is_refused(tmp_path):
    path = write(tmp_path / "t", np.ones((2, 3)))
    with pytest.raises(DataError, match="another shape"):
        read_diffuse_table(path, momentum=SLICE, name="d")


def test_columns_on_a_grid_a_powder_and_a_path(tmp_path):
    energy = EnergyAxis([1.0, 2.0])
    rng = np.random.default_rng(1)
    signal, std = rng.uniform(1, 2, (6, 2)), rng.uniform(0.1, 0.2, (6, 2))
    q, e = np.repeat(SLICE.points, 2, axis=0), np.tile(energy.centres, 6)
    rows = np.column_stack([np.zeros(12), q, e, signal.ravel(), std.ravel()])[rng.permutation(12)][:-1]
    columns = ("skip", "h", "k", "l", "energy", "signal", "std")
    found = read_columns(write(tmp_path / "g", rows), columns=columns, momentum=SLICE, energy=energy, name="g")
    assert found.valid.sum() == 11
    np.testing.assert_array_equal(found.signal[found.valid], signal[found.valid])
    np.testing.assert_array_equal(found.std[found.valid], std[found.valid])
    powder = PowderAxis.from_range(first=1.0, last=2.0, n=3, name="p")
    path = write(tmp_path / "p", np.column_stack([[2.05, 1.0], [4.0, np.nan]]))
    found = read_columns(path, columns=("q", "signal"), momentum=powder, name="p")
    assert found.signal.ravel().tolist() == [0, 0, 4.0] and found.valid.ravel().tolist() == [False, False, True]
    line = path_through([[0, 0, 0], [1, 0, 0]], n_point=[3], reciprocal=np.eye(3), name="l")
    path = write(tmp_path / "l", [[0.5, 0, 0, 7.0, 0.3]])
    found = read_columns(path, columns=("h", "k", "l", "signal", "std"), momentum=line, name="l")
    assert found.signal.ravel().tolist() == [0, 7.0, 0] and found.valid.sum() == 1


@pytest.mark.parametrize(
    "rows, columns, message",
    [
        ([[0.5, 0.5, 0, 1.0], [0.6, 0.5, 0, 1.0]], ("h", "k", "l", "signal"), "into one bin"),
        ([[9.0, 0.5, 0, 1.0]], ("h", "k", "l", "signal"), "outside the declared axes"),
        ([[0.5, 0.5, 0, 1.0, -0.1]], ("h", "k", "l", "signal", "std"), "negative"),
        ([[0.5, 0.5, 1.0]], ("h", "k", "signal"), "do not place"),
        ([[0.5, 0.5, 0, 1.0]], ("h", "k", "l", "signal", "std"), "not those declared"),
        ([[0.5, 0.5, 0, 1.0, 0.0]], ("h", "k", "l", "signal", "std"), "no bin was measured"),
    ],
)
def test_rows_that_do_not_fit_are_refused(tmp_path, rows, columns, message):
    with pytest.raises(DataError, match=message):
        read_columns(write(tmp_path / "c", rows), columns=columns, momentum=SLICE, name="c")


def test_copies_of_symmetrised_data_are_left_out(tmp_path):
    """Of a square by its eight operations one octant is left: 6 of 25 bins; what the first lacks the next has."""
    rng = np.random.default_rng(2)
    image = rng.uniform(size=(5, 5))
    image = sum(np.rot90(image, k) for k in range(4))
    image = image + image.T
    image[0, 0] = np.nan
    data = read_diffuse_table(write(tmp_path / "s", image), momentum=SQUARE, name="s")
    found = without_copies(data, ["-y,x,z", "y,x,z"])
    kept = image.ravel()[found.valid[:, 0]]
    assert len(kept) == 6 and found.provenance["copies"] == 18
    np.testing.assert_allclose(np.unique(np.round(kept, 9)), np.unique(np.round(image[np.isfinite(image)], 9)))
    line = path_through([[0, 0, 0], [1, 0, 0]], n_point=[3], reciprocal=np.eye(3), name="l")
    path = write(tmp_path / "l", [[1.0, 2.0, 3.0]])
    with pytest.raises(ConfigError, match="grid"):
        without_copies(read_diffuse_table(path, momentum=line, name="l"), ["y,x,z"])
