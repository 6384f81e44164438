"""The search for ground states: keys of its randomness, its minima, its refusals."""

import numpy as np
import pytest

from spinscape.errors import ConfigError, ShapeError, UnstableError
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.energy import energy
from spinscape.hamiltonian.model import BondTable, Model, OnsiteTable
from spinscape.lattice.crystal import Crystal
from spinscape.simulate.groundstate import minimise_energy

CHAIN = Crystal(
    vectors=np.eye(3) * 4.0,
    positions=np.zeros((1, 3)),
    labels=("a",),
    orbit=[0],
    spins=[1.5],
    ions=("",),
    g=2.0 * np.eye(3)[None],
    rotations=np.eye(3)[None],
    translations=np.zeros((1, 3)),
)
EASY = OnsiteTable([0], [1], np.diag([0.0, 0.0, -1.0])[None])
CUBIC = OnsiteTable([0], [0], np.diag([-1.0, -0.5, 0.3])[None])


def chain(onsite=EASY):
    """E = J Σ S·S - D Σ (S^z)² along a."""
    return Model(CHAIN, ("J", "D"), BondTable([0], [0], [[1, 0, 0]], [0], np.eye(3)[None]), onsite)


def test_an_ising_like_chain_has_its_closed_form_at_every_coupling():
    theta = np.array([[1.0, 0.2], [-1.0, 0.2], [0.5, 0.0], [0.0, 1.0]])
    found = minimise_energy(chain(), (2, 1, 1), theta, n_start=6)
    np.testing.assert_allclose(found.energy, -2.25 * (np.abs(theta[:, 0]) + theta[:, 1]), rtol=1e-12)
    assert np.all(found.converged) and np.all(found.found) and found.n_point == 4
    assert np.all(found.torques <= 1e-10)
    np.testing.assert_allclose(np.linalg.norm(found.spins, axis=-1), 1.5, rtol=1e-12)


def test_the_energy_of_the_stored_spins_is_the_stored_energy():
    conditions = Conditions(field=(1.0, 5.0, -2.0))
    theta = np.array([[1.0, 0.3], [0.7, -0.4]])
    found = minimise_energy(chain(), (3, 1, 1), theta, conditions=conditions, n_start=4)
    for p in range(2):
        value = energy(chain(), found.spins[p], theta[p], cell=found.cell, conditions=conditions)
        assert value / 3 == pytest.approx(found.energy[p], abs=1e-12)
        assert found.minima[p][0].energy == pytest.approx(found.energy[p], abs=1e-12)


def test_same_bits_twice_and_no_dependence_on_neighbours_or_number_of_starts():
    theta = np.array([[1.0, 0.2], [0.3, -0.5]])
    both = minimise_energy(chain(), (3, 1, 1), theta, n_start=4, seed=3)
    again = minimise_energy(chain(), (3, 1, 1), theta[::-1], n_start=4, seed=3)
    alone = minimise_energy(chain(), (3, 1, 1), theta[1], n_start=7, seed=3)
    assert np.array_equal(both.spins, again.spins[::-1]) and np.array_equal(both.energies, again.energies[::-1])
    assert np.array_equal(both.energies[1], alone.energies[0, :4])
    other = minimise_energy(chain(), (3, 1, 1), theta, n_start=4, seed=4)
    assert not np.array_equal(both.spins, other.spins)


def test_minima_are_counted_up_to_symmetry():
    """Up and down the easy axis are one minimum; the other axes are saddles, and no start stays there."""
    alone = Model(CHAIN, ("D",), BondTable([], [], np.zeros((0, 3)), [], np.zeros((0, 3, 3))), CUBIC)
    found = minimise_energy(alone, (1, 1, 1), [1.0], n_start=12)
    assert [m.count for m in found.minima[0]] == [12]
    assert found.energy[0] == pytest.approx(-2.25)


def test_metastable_minima_are_listed_above_the_ground_state():
    """Three Ising-like spins in a small field, not coupled: each up or down, four energies."""
    model, field = chain(), Conditions(field=(0.0, 0.0, 0.5))
    found = minimise_energy(model, (3, 1, 1), [0.0, 1.0], conditions=field, n_start=200)
    energies, counts = zip(*((m.energy, m.count) for m in found.minima[0]), strict=True)
    step = 2 * 0.5 * 2.0 * 0.0578838 * 1.5 / 3
    np.testing.assert_allclose(np.diff(energies), step, rtol=1e-5)
    assert len(counts) == 4 and sum(counts) == 200 and min(counts) > 5
    assert all(found.energies[0, m.start] == pytest.approx(m.energy) for m in found.minima[0])


def test_given_starts_come_first():
    down = np.tile([0.0, 0.0, -1.0], (1, 3, 1))
    model, field = chain(), Conditions(field=(0.0, 0.0, -0.5))
    kept = minimise_energy(model, (3, 1, 1), [0.0, 1.0], conditions=field, n_start=0, first=-down)
    np.testing.assert_allclose(kept.spins[0], 1.5 * -down[0], atol=1e-12)
    other = minimise_energy(model, (3, 1, 1), [0.0, 1.0], conditions=field, n_start=0, first=down)
    assert other.energy[0] > kept.energy[0] + 0.05


def test_the_structure_lists_every_spin_of_the_cell():
    found = minimise_energy(chain(), [[2, 0, 0], [0, 1, 0], [0, 0, 1]], [1.0, 0.5], n_start=3)
    structure = found.structure()
    assert structure.cell.tolist() == [[0, 0, 0], [1, 0, 0]] and structure.site.tolist() == [0, 0]
    assert structure.direction[0] @ structure.direction[1] == pytest.approx(-1.0)
    assert abs(structure.direction[0, 2]) == pytest.approx(1.0)


def test_a_state_that_does_not_come_to_rest_is_not_called_a_ground_state():
    found = minimise_energy(chain(), (40, 1, 1), [1.0, 1e-5], n_start=2, rounds=[(0, 1)])
    assert not np.any(found.converged) and not found.found[0] and found.minima == ((),)
    assert np.all(np.isfinite(found.energies)) and np.all(np.isfinite(found.spins))
    with pytest.raises(UnstableError, match="did not come to rest"):
        found.structure()


def test_no_coupling_at_all_is_no_trouble():
    found = minimise_energy(chain(), (2, 1, 1), [0.0, 0.0], n_start=3)
    assert found.energy[0] == 0.0 and found.minima[0][0].count == 3


def test_bad_requests_are_refused():
    model = chain()
    with pytest.raises(ConfigError, match="not finite"):
        minimise_energy(model, (1, 1, 1), [np.inf, 0.0])
    with pytest.raises(ShapeError, match="theta"):
        minimise_energy(model, (1, 1, 1), [1.0])
    with pytest.raises(ConfigError, match="not a supercell"):
        minimise_energy(model, (1, 0, 1), [1.0, 0.0])
    with pytest.raises(ConfigError, match="nothing to start from"):
        minimise_energy(model, (1, 1, 1), [1.0, 0.0], n_start=0)
    with pytest.raises(ConfigError, match="no round"):
        minimise_energy(model, (1, 1, 1), [1.0, 0.0], rounds=())
    with pytest.raises(ShapeError, match="first"):
        minimise_energy(model, (2, 1, 1), [1.0, 0.0], first=np.ones((1, 3, 3)))
    with pytest.raises(ShapeError, match="no direction"):
        minimise_energy(model, (1, 1, 1), [1.0, 0.0], first=np.zeros((1, 1, 3)))
