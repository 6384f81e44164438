"""Tetrahedra and triangles from the geometry alone."""

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.simplices import simplices
from spinscape.lattice.supercell import supercell
from spinscape.lattice.symmetry import SiteSpec, crystal_from_sites, crystal_from_space_group

CUBIC = lattice_vectors(a=10.0, b=10.0, c=10.0)
HEXAGONAL = lattice_vectors(a=6.0, b=6.0, c=9.0, gamma=120.0)


def site(position, label="A"):
    return SiteSpec(label, "Dy3+", position, 1.0)


def pyrochlore():
    return crystal_from_space_group(CUBIC, "Fd-3m", [site((0.5, 0.5, 0.5))])


def kagome():
    return crystal_from_space_group(HEXAGONAL, "P6/mmm", [site((0.5, 0.0, 0.0))])


def listed(vectors, positions):
    sites = [site(p, f"s{k}") for k, p in enumerate(positions)]
    return crystal_from_sites(vectors, sites, find_symmetry=False)


def check_corners(crystal, found, edge):
    """Each site in two simplices, all of whose edges have one length."""
    assert np.bincount(found.site.ravel(), minlength=crystal.n_site).tolist() == [2] * crystal.n_site
    corners = (crystal.positions[found.site] + found.cell) @ crystal.vectors
    steps = corners[:, :, None] - corners[:, None]
    length = np.linalg.norm(steps, axis=-1)[:, *np.triu_indices(found.n_corner, 1)]
    np.testing.assert_allclose(length, edge, atol=1e-9)
    np.testing.assert_allclose(corners.mean(axis=1), found.centre @ crystal.vectors, atol=1e-9)


def test_pyrochlore_has_eight_tetrahedra_of_two_kinds():
    crystal = pyrochlore()
    found = simplices(crystal)
    assert found.site.shape == (8, 4)
    assert sorted(found.sign.tolist()) == [-1] * 4 + [1] * 4
    check_corners(crystal, found, 10.0 / np.sqrt(8.0))


def test_kagome_has_two_triangles():
    crystal = kagome()
    found = simplices(crystal)
    assert found.site.shape == (2, 3)
    assert found.sign.tolist() == [1, -1]
    check_corners(crystal, found, 3.0)


def test_a_primitive_pyrochlore_cell_has_two_tetrahedra():
    fcc = 5.0 * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])
    crystal = listed(fcc, [(0.5, 0.5, 0.5), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0)])
    found = simplices(crystal)
    assert found.site.shape == (2, 4)
    check_corners(crystal, found, 10.0 / np.sqrt(8.0))


@pytest.mark.parametrize("shape", [(2, 2, 2), (1, 2, 3)])
def test_simplices_of_a_supercell(shape):
    crystal = pyrochlore()
    cell = supercell(shape, n_site=16)
    found = simplices(crystal)
    corners, of_spins = found.corners(cell), found.of_spins(cell)
    assert corners.shape == (8 * cell.n_cell, 4)
    for spin in (0, cell.n_spin - 1, 17):
        assert np.flatnonzero(np.any(corners == spin, axis=1)).tolist() == of_spins[spin].tolist()
    # Neighbouring tetrahedra are of opposite kinds.
    sign = np.tile(found.sign, cell.n_cell)
    assert np.all(sign[of_spins].sum(axis=1) == 0)


def test_breathing_lattices_need_a_distance():
    fcc = 5.0 * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])
    even = np.array([(0.5, 0.5, 0.5), (0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0)])
    crystal = listed(fcc, even.mean(axis=0) + 0.9 * (even - even.mean(axis=0)))
    with pytest.raises(ConfigError, match="not one of corner-sharing simplices"):
        simplices(crystal)
    assert simplices(crystal, r_max=1.1 * 10.0 / np.sqrt(8.0)).site.shape == (2, 4)


@pytest.mark.parametrize(
    "crystal",
    [
        listed(CUBIC, [(0, 0, 0)]),
        listed(HEXAGONAL, [(0, 0, 0)]),
        listed(HEXAGONAL, [(1 / 3, 2 / 3, 0), (2 / 3, 1 / 3, 0)]),
        listed(np.diag([3.0, 9.0, 9.0]), [(0, 0, 0)]),
    ],
    ids=["cubic", "triangular", "honeycomb", "chain"],
)
def test_other_lattices_are_refused(crystal):
    with pytest.raises(ConfigError, match="simplices"):
        simplices(crystal)
