"""Primitive cells of centred lattices, and the waves of supercells of any shape."""

import numpy as np
import pytest

from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.primitive import diagonal_form, primitive_cell, wave_grid
from spinscape.lattice.supercell import supercell
from spinscape.lattice.symmetry import SiteSpec, crystal_from_sites, crystal_from_space_group

ROUNDING = 1e-10
CUBIC = lattice_vectors(a=10.0, b=10.0, c=10.0)


def site(position, label="A"):
    return SiteSpec(label, "Dy3+", position, 1.0)


CRYSTALS = {
    "pyrochlore": crystal_from_space_group(CUBIC, "Fd-3m", [site((0.5, 0.5, 0.5))]),
    "body": crystal_from_space_group(CUBIC, "Im-3m", [site((0, 0, 0)), site((0.25, 0.25, 0.25), "B")]),
    "plain": crystal_from_space_group(CUBIC, "Pm-3m", [site((0, 0, 0))]),
    "hexagonal": crystal_from_space_group(
        lattice_vectors(a=5.0, b=5.0, c=13.0, gamma=120.0), "R-3m", [site((0, 0, 0))]
    ),
}
COPIES = {"pyrochlore": 4, "body": 2, "plain": 1, "hexagonal": 3}
CELLS = [(2, 3, 1), (3, 2, 2), [[1, 1, 0], [1, -1, 0], [0, 1, 3]], [[2, 1, 0], [0, 1, 1], [1, 0, 2]]]


@pytest.mark.parametrize("name", list(CRYSTALS))
def test_primitive_cells(name):
    crystal = CRYSTALS[name]
    found = primitive_cell(crystal)
    assert found.n_copy == COPIES[name]
    assert abs(np.linalg.det(found.vectors)) == pytest.approx(1 / COPIES[name])
    np.testing.assert_allclose(found.vectors @ found.matrix, np.eye(3), atol=ROUNDING)
    # Every site is a copy of its representative.
    place = crystal.positions[found.representative[found.site]] + found.cell @ found.vectors
    np.testing.assert_allclose(place, crystal.positions, atol=1e-6)


def test_chosen_operations_leave_translations_out():
    crystal = CRYSTALS["pyrochlore"]
    identity = np.flatnonzero(
        np.all(crystal.rotations == np.eye(3), axis=(1, 2)) & ~np.any(crystal.translations, axis=1)
    )
    assert primitive_cell(crystal, identity).n_copy == 1


def test_translations_that_are_no_lattice_centring_by_name():
    # A doubled cell: the translation by half of it is found by comparing sites.
    crystal = crystal_from_sites(np.diag([6.0, 4.0, 5.0]), [site((0, 0, 0)), site((0.5, 0, 0))])
    found = primitive_cell(crystal)
    assert (found.n_copy, found.n_site) == (2, 1)


@pytest.mark.parametrize(
    "matrix", [np.diag([4, 4, 4]), [[1, 1, 0], [1, -1, 0], [0, 1, 3]], [[0, 2, 4], [6, 0, 2], [1, 5, 0]]]
)
def test_diagonal_form(matrix):
    left, diagonal, right = diagonal_form(matrix)
    np.testing.assert_array_equal(left @ np.array(matrix) @ right, np.diag(diagonal))
    assert np.all(diagonal > 0)
    for turn in (left, right):
        assert abs(np.linalg.det(turn)) == pytest.approx(1.0)


@pytest.mark.parametrize("matrix", CELLS)
@pytest.mark.parametrize("name", list(CRYSTALS))
def test_transforms_are_direct_sums(name, matrix):
    crystal = CRYSTALS[name]
    cell = supercell(matrix, n_site=crystal.n_site)
    waves = wave_grid(crystal, cell)
    rng = np.random.default_rng(1)
    values = rng.normal(size=cell.n_spin)
    box = values[waves.order].reshape(-1, *waves.shape)
    transform = np.fft.rfftn(box, axes=(1, 2, 3)).reshape(len(box), -1)
    numbers = rng.integers(-7, 8, size=(20, 3))
    q = numbers @ np.linalg.inv(cell.matrix).T
    index, mirrored = waves.index(numbers)
    amplitude = np.where(mirrored, transform[:, index].conj(), transform[:, index])
    corner = crystal.positions[waves.primitive.representative]
    found = np.sum(np.exp(-2j * np.pi * corner @ q.T) * amplitude, axis=0)
    place = (cell.cells[:, None] + crystal.positions[None]).reshape(-1, 3)
    np.testing.assert_allclose(found, np.exp(-2j * np.pi * q @ place.T) @ values, atol=ROUNDING)


def test_waves_know_their_own_index():
    crystal = CRYSTALS["pyrochlore"]
    waves = wave_grid(crystal, supercell((4, 4, 4), n_site=16))
    assert waves.shape == (4, 8, 8)
    index, mirrored = waves.index(waves.numbers)
    assert index.tolist() == list(range(waves.n_half))
    assert not mirrored.any()
    np.testing.assert_allclose(waves.q * 4, np.round(waves.q * 4), atol=ROUNDING)
    # The opposite wave is the complex conjugate of a kept one, unless it is kept itself.
    opposite, mirrored = waves.index(-waves.numbers)
    assert np.all(mirrored == (opposite == index) & np.array([not own(waves, n) for n in waves.numbers]))


def own(waves, numbers):
    """Tell whether the opposite of a wave is kept as such."""
    k = (-numbers @ waves.to_wave.T) % waves.shape
    return k[2] <= waves.shape[2] // 2
