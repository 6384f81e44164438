"""Charges of tetrahedra and triangles."""

import numpy as np
import pytest

from spinscape.errors import ConfigError, ShapeError
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.simplices import simplices
from spinscape.lattice.supercell import supercell
from spinscape.lattice.symmetry import SiteSpec, crystal_from_space_group
from spinscape.observables.charges import Charges

CUBIC = lattice_vectors(a=10.0, b=10.0, c=10.0)


def pyrochlore(**changes):
    spec = {"kind": "ising", "axis": (1, 1, 1), **changes}
    return crystal_from_space_group(CUBIC, "Fd-3m", [SiteSpec("A", "Dy3+", (0.5, 0.5, 0.5), 1.0, **spec)])


def charges(shape=(2, 1, 1), **changes):
    crystal = pyrochlore(**changes)
    return Charges(crystal, simplices(crystal), supercell(shape, n_site=16))


def test_all_in_all_out_has_charges_of_two_in_turn():
    found = charges()
    # Axes that all point out of the tetrahedra of one kind.
    values = found.of(np.ones(32, dtype=np.int8))
    assert sorted(set(values.tolist())) == [-2.0, 2.0]
    assert values.sum() == 0


def test_flips_make_pairs_of_monopoles():
    found = charges()
    ice = ice_state(found)
    assert np.all(found.of(ice) == 0)
    assert found.density(ice) == 0
    spin = 5
    ice[spin] *= -1
    values = found.of(ice)
    touched = np.flatnonzero(np.any(found.corners == spin, axis=1))
    assert sorted(values[touched].tolist()) == [-1.0, 1.0]
    assert np.abs(values).sum() == 2


def ice_state(found):
    """Two in and two out: all spins with a positive component along one cubic axis."""
    axis = np.tile(found.crystal.axis, (found.cell.n_cell, 1))
    return np.sign(axis[:, 2]).astype(np.int8)


def test_vectors_of_any_length_are_read_by_their_axis():
    found = charges()
    sigma = np.where(np.random.default_rng(1).random((3, 32)) < 0.5, -1, 1)
    spins = 3.5 * sigma[..., None] * np.tile(found.crystal.axis, (2, 1))
    np.testing.assert_array_equal(found.of(spins), found.of(sigma))
    assert found.of(spins).shape == (3, 16)


def test_the_sign_of_the_declared_axis_does_not_matter():
    one, other = charges(), charges(axis=(-1, -1, -1))
    sigma = np.where(np.random.default_rng(2).random(32) < 0.5, -1, 1)
    spins = sigma[:, None] * np.tile(one.crystal.axis, (2, 1))
    np.testing.assert_array_equal(one.of(spins), other.of(spins))


def test_charges_lie_in_the_middle_of_their_corners():
    found = charges((2, 2, 2))
    site = found.crystal.positions[found.corners % 16]
    cell = found.cell.cells[found.corners // 16]
    steps = (site + cell) - found.positions[:, None] @ np.linalg.inv(CUBIC)
    steps -= 2 * np.round(steps / 2)
    np.testing.assert_allclose(np.linalg.norm(steps @ CUBIC, axis=2), 10.0 * np.sqrt(3) / 8, atol=1e-9)


def test_a_kagome_ice_and_its_vacancies():
    vectors = lattice_vectors(a=6.0, b=6.0, c=9.0, gamma=120.0)
    spec = SiteSpec("A", "Dy3+", (0.5, 0.0, 0.0), 1.0, kind="ising", axis=(1, 0, 0))
    crystal = crystal_from_space_group(vectors, "P6/mmm", [spec])
    # The line along x passes between the triangles.
    with pytest.raises(ConfigError, match="neither into nor out"):
        Charges(crystal, simplices(crystal), supercell((1, 1, 1), n_site=3))
    across = crystal_from_space_group(vectors, "P6/mmm", [SiteSpec(**{**spec.__dict__, "axis": (0, 1, 0)})])
    found = Charges(across, simplices(across), supercell((1, 1, 1), n_site=3))
    assert set(np.abs(found.of(np.array([1, 1, -1])))) <= {0.5, 1.5}
    assert found.of(np.array([1, 1, 0])).sum() == 0


def test_bad_input():
    with pytest.raises(ConfigError, match="Ising"):
        charges(kind="heisenberg", axis=None)
    with pytest.raises(ShapeError):
        charges().of(np.ones(31))
