"""Dipole couplings of a supercell in real space: against the Ewald sums of the whole supercell, and what is refused."""

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.hamiltonian.dipole_sums import (
    SPHERE,
    checked_demagnetisation,
    commensurate_waves,
    dipole_couplings,
    dipole_sums,
)
from spinscape.lattice.crystal import Crystal
from spinscape.lattice.supercell import supercell

SKEW = [[2, 1, 0], [0, 3, 1], [1, 0, 2]]
ROUNDING = 1e-12


def crystal(vectors=None, seed=1):
    rng = np.random.default_rng(seed)
    return Crystal(
        vectors=np.diag([3.0, 4.0, 5.0]) + rng.uniform(-0.6, 0.6, (3, 3)) if vectors is None else vectors,
        positions=[[0, 0, 0], [0.4, 0.3, 0.6]],
        labels=("a", "a"),
        orbit=[0, 1],
        spins=[1.0, 1.0],
        ions=("", ""),
        g=np.tile(2 * np.eye(3), (2, 1, 1)),
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )


def whole_supercell(lattice, cell):
    """Return the sums of every pair of spins at q = 0 of the supercell as one cell, (n_spin, n_spin, 3, 3)."""
    positions = (lattice.positions[None] + cell.cells[:, None]).reshape(-1, 3) @ lattice.vectors
    return dipole_sums(cell.matrix @ lattice.vectors, positions, np.zeros((1, 3)))[0].real


@pytest.mark.parametrize("matrix", [(2, 3, 1), SKEW])
def test_couplings_are_the_sums_of_the_whole_supercell(matrix):
    lattice, cell = crystal(), supercell(matrix, n_site=2)
    found = dipole_couplings(lattice, cell).reshape(2, cell.n_spin, 3, 3)
    whole = whole_supercell(lattice, cell)
    np.testing.assert_allclose(found, whole[:2], atol=ROUNDING)
    # And from any other cell by translation.
    here = np.array([1, 2, 0])
    row = cell.site_index(1, here)
    shifted = found[1, cell.site_index(np.tile([0, 1], cell.n_cell), np.repeat(cell.cells - here, 2, axis=0))]
    np.testing.assert_allclose(shifted, whole[row], atol=ROUNDING)


@pytest.mark.parametrize("matrix", [(2, 3, 1), SKEW])
def test_waves_of_a_supercell_are_different_and_periodic_in_it(matrix):
    cell = supercell(matrix, n_site=1)
    waves = commensurate_waves(cell)
    turns = waves @ cell.matrix.T
    np.testing.assert_allclose(turns, np.round(turns), atol=ROUNDING)
    # Characters of a group are orthogonal: no wave is there twice.
    phase = np.exp(2j * np.pi * waves @ cell.cells.T)
    np.testing.assert_allclose(phase @ phase.conj().T, cell.n_cell * np.eye(cell.n_cell), atol=1e-10)


def test_a_sphere_cancels_the_trace():
    lattice, cell = crystal(), supercell((2, 2, 1), n_site=2)
    bare, sphere = dipole_couplings(lattice, cell), dipole_couplings(lattice, cell, demagnetisation=SPHERE)
    volume = 4 * abs(np.linalg.det(lattice.vectors))
    np.testing.assert_allclose(np.einsum("icjaa->icj", bare), -4 * np.pi / volume, atol=ROUNDING)
    np.testing.assert_allclose(np.einsum("icjaa->icj", sphere), 0.0, atol=ROUNDING)
    rod = dipole_couplings(lattice, cell, demagnetisation=np.diag([0.5, 0.5, 0.0]))
    np.testing.assert_allclose((rod - bare)[0, 3, 1], 2 * np.pi / volume * np.diag([1, 1, 0]), atol=ROUNDING)


@pytest.mark.parametrize(
    "tensor",
    [np.eye(3), np.diag([1.5, -0.5, 0.0]), [[1 / 3, 0.2, 0], [0, 1 / 3, 0], [0, 0, 1 / 3]], np.ones(3), np.nan],
)
def test_no_demagnetisation_tensor(tensor):
    with pytest.raises(ConfigError, match="no demagnetisation tensor"):
        checked_demagnetisation(tensor)


@pytest.mark.parametrize("vectors", [np.ones((3, 3)), np.diag([1.0, 2.0, 0.0]), np.diag([1.0, 1.0, np.nan])])
def test_a_cell_without_a_volume_is_refused(vectors):
    with pytest.raises(ConfigError, match="without a volume"):
        dipole_sums(vectors, np.zeros((1, 3)), np.zeros((1, 3)))
