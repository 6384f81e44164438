"""Magnets that the tests of dynamics share."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from spinscape.hamiltonian.biquadratic import BiquadraticTable, empty_biquadratic
from spinscape.hamiltonian.model import BondTable, Model, OnsiteTable, empty_onsite
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.symmetry import SiteSpec, crystal_from_sites
from spinscape.simulate.spin_system import block, spin_system

VECTORS = lattice_vectors(a=3.0, b=3.0, c=3.0)


def crystal(positions=((0, 0, 0),), spins=(1.0,), vectors=VECTORS):
    sites = [
        SiteSpec(label=f"A{k}", ion="Mn2+", position=p, spin=s)
        for k, (p, s) in enumerate(zip(positions, spins, strict=True))
    ]
    return crystal_from_sites(vectors, sites, find_symmetry=False)


def isotropic(offsets, spin=1.0, vectors=VECTORS):
    """Return E = J Σ S·S over bonds to some neighbouring cells, one site."""
    n = len(offsets)
    bonds = BondTable([0] * n, [0] * n, offsets, [0] * n, np.tile(np.eye(3), (n, 1, 1)))
    return Model(crystal(spins=(spin,), vectors=vectors), ("J",), bonds)


def cubic(spin=1.0):
    return isotropic([(1, 0, 0), (0, 1, 0), (0, 0, 1)], spin)


def square(spin=1.0):
    return isotropic([(1, 0, 0), (0, 1, 0)], spin, lattice_vectors(a=3.0, b=3.0, c=12.0))


def chain(spin=1.0):
    return isotropic([(0, 0, 1)], spin, lattice_vectors(a=12.0, b=12.0, c=3.0))


def dimers():
    """Return pairs of spins, far from each other."""
    bonds = BondTable([0], [1], [(0, 0, 0)], [0], [np.eye(3)])
    return Model(crystal([(0, 0, 0), (0, 0, 0.3)], (1.0, 1.0)), ("J",), bonds)


def general(*, onsite=True, squares=True, seed=5):
    """Return two sites of different lengths with bonds of any matrix, and two kinds of terms that are not linear."""
    rng = np.random.default_rng(seed)
    bonds = BondTable(
        [0, 0, 1, 0],
        [1, 1, 1, 0],
        [(0, 0, 0), (-1, 0, 0), (0, 1, 0), (0, 0, 1)],
        [0, 0, 1, 1],
        rng.normal(size=(4, 3, 3)),
    )
    matrices = 0.2 * rng.normal(size=(2, 3, 3))
    single = OnsiteTable([0, 1], [1, 1], matrices + matrices.swapaxes(1, 2)) if onsite else empty_onsite()
    turn = Rotation.random(2, random_state=1).as_matrix()
    pairs = BiquadraticTable([0, 1], [1, 1], [(0, 1, 0), (0, 0, 1)], [1, 1], [0.3, 0.2], "large_s", turn)
    return Model(
        crystal([(0, 0, 0), (0.5, 0.4, 0.3)], (1.0, 1.5)),
        ("A", "B"),
        bonds,
        single,
        biquadratic=pairs if squares else empty_biquadratic(),
    )


@pytest.fixture(scope="session")
def models():
    """Return the functions of this file that make models, and ``system(model, numbers)``."""
    return SimpleNamespace(
        cubic=cubic,
        square=square,
        chain=chain,
        dimers=dimers,
        general=general,
        isotropic=isotropic,
        crystal=crystal,
        system=lambda model, numbers: spin_system(model, block(model, numbers)),
    )
