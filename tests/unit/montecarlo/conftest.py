"""Small systems with everything in them, for the tests of Monte Carlo moves."""

import numpy as np
import pytest

from spinscape.hamiltonian.biquadratic import BiquadraticTable
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.model import BondTable, Model, OnsiteTable
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.symmetry import SiteSpec, crystal_from_sites
from spinscape.simulate.spin_system import block, spin_system


def two_sites(kinds, *, matrices, curved, seed):
    """A monoclinic cell of two sites of unlike lengths, bonds in all directions, three couplings."""
    rng = np.random.default_rng(seed)
    axes = [
        {} if kind == "heisenberg" else {"kind": kind, "axis": axis} for kind, axis in zip(kinds, AXES, strict=True)
    ]
    sites = [
        SiteSpec("A", "Ni2+", (0, 0, 0), 1.0, **axes[0]),
        SiteSpec("B", "Mn2+", (0.4, 0.3, 0.6), 2.5, **axes[1]),
    ]
    vectors = lattice_vectors(a=3.0, b=4.0, c=5.0, beta=80.0)
    crystal = crystal_from_sites(vectors, sites, find_symmetry=False)
    ends = np.array([[0, 0], [0, 0], [1, 1], [0, 1], [0, 1], [1, 0], [0, 1]])
    offset = [[1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 0], [-1, 0, 0], [1, 1, 0], [0, 0, -1]]
    full = rng.normal(size=(7, 3, 3)) if matrices else rng.normal(size=7)[:, None, None] * np.eye(3)
    bonds = BondTable(*ends.T, offset, rng.integers(0, 3, 7), full)
    if not curved:
        return Model(crystal, ("J", "K", "L"), bonds)
    onsite = OnsiteTable([0, 1], [1, 2], (lambda a: a + a.swapaxes(1, 2))(rng.normal(size=(2, 3, 3))))
    squares = BiquadraticTable([0, 1], [1, 1], [[0, 0, 0], [1, 0, 0]], [2, 0], [0.7, -0.4], "large_s")
    return Model(crystal, ("J", "K", "L"), bonds, onsite, biquadratic=squares)


AXES = [(1, 1, 0), (0, 1, -1)]
THETA = np.array([0.4, -0.3, 0.25])
FIELD = Conditions(2.0, (1.0, -3.0, 2.0))
SEED = np.array([5, 7], dtype=np.uint64)


@pytest.fixture
def make_system():
    """Return a function that makes a system of two sites; every ninth site is vacant on request."""

    def make(numbers=(4, 4, 4), *, kinds=("heisenberg",) * 2, matrices=True, curved=False, vacant=False, seed=3):
        model = two_sites(kinds, matrices=matrices, curved=curved, seed=seed)
        cell = block(model, numbers)
        return spin_system(model, cell, occupied=np.arange(cell.n_spin) % 9 != 4 if vacant else None)

    return make
