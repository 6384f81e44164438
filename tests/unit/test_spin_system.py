"""Systems of classical spins: how spins may point, and supercells that are too small."""

import numpy as np
import pytest

from spinscape.errors import ConfigError, ShapeError
from spinscape.hamiltonian.model import BondTable, Model
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.symmetry import SiteSpec, crystal_from_sites
from spinscape.simulate.moves import MOVES, Move
from spinscape.simulate.spin_system import block, shortest_vector, smallest_block, spin_system


def model(offset=(1, 0, 0), **lattice):
    sites = [
        SiteSpec("H", "Ni2+", (0, 0, 0), 1.0),
        SiteSpec("X", "Ni2+", (0.5, 0, 0), 1.5, kind="xy", axis=(0, 0, 2)),
        SiteSpec("I", "Ni2+", (0, 0.5, 0), 2.0, kind="ising", axis=(1, 1, 1)),
    ]
    vectors = lattice_vectors(**{"a": 3.0, "b": 4.0, "c": 5.0, **lattice})
    crystal = crystal_from_sites(vectors, sites, find_symmetry=False)
    return Model(crystal, ("J",), BondTable([0], [0], [offset], [0], [np.eye(3)]))


def test_random_spins_are_what_sites_may_hold():
    system = spin_system(model(), block(model(), (2, 2, 2)), occupied=np.arange(24) != 4)
    spins = system.random_spins(np.random.default_rng(1))
    np.testing.assert_array_equal(system.check_spins(spins), spins)
    assert system.n_occupied == 23 and not spins[4].any()
    assert np.abs(spins[1::3, 2]).max() < 1e-15
    assert set(np.sign(spins[2::3, 0])) == {-1.0, 1.0}


@pytest.mark.parametrize("spin, vector", [(0, (2, 0, 0)), (1, (0, 0, 1.5)), (2, (2, 0, 0))])
def test_spins_of_another_kind_are_refused(spin, vector):
    system = spin_system(model(), block(model(), (2, 2, 2)))
    spins = system.random_spins(np.random.default_rng(1))
    spins[spin] = vector
    with pytest.raises(ConfigError, match=f"spin {spin}"):
        system.check_spins(spins)
    with pytest.raises(ShapeError):
        system.check_spins(spins[:5])


def test_a_small_supercell_is_refused_and_the_smallest_named():
    with pytest.raises(ConfigError, match=r"\[4, 3, 3\]"):
        spin_system(model((2, 0, 0)), block(model(), (3, 3, 3)))
    assert spin_system(model((2, 0, 0)), block(model(), (4, 3, 3))).n_spin == 108


def test_the_smallest_block_of_a_skew_lattice_is_minimal():
    vectors = lattice_vectors(a=3.0, b=3.0, c=8.0, gamma=120.0)
    numbers = np.array(smallest_block(vectors, 5.9))
    assert shortest_vector(numbers[:, None] * vectors) >= 5.9 - 1e-6
    for axis in range(3):
        fewer = numbers - np.eye(3, dtype=int)[axis]
        assert fewer.min() == 0 or shortest_vector(fewer[:, None] * vectors) < 5.9


def test_shortest_vector_sees_beyond_the_rows():
    assert shortest_vector(np.array([[1.0, 0, 0], [0.9, 0.3, 0], [0, 0, 2.0]])) == pytest.approx(np.hypot(0.1, 0.3))


def test_an_axis_of_zero_is_refused():
    with pytest.raises(ConfigError, match="no axis"):
        crystal_from_sites(np.eye(3), [SiteSpec("I", "Ni2+", (0, 0, 0), 1.0, kind="ising", axis=(0, 0, 0))])


@pytest.mark.parametrize("change", [{"kind": "jump"}, {"n": 0}, {"width": 0.1}, {"kind": "small_step", "width": -1.0}])
def test_bad_moves_are_refused(change):
    with pytest.raises(ConfigError):
        Move(**{"kind": "flip", **change})


def test_moves_go_through_plain_values():
    move = Move("small_step", 3, 0.2)
    assert Move(**move.to_dict()) == move and set(MOVES) >= {"flip", "heat_bath"}
