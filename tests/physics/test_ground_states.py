"""Ground states of known magnets: closed forms, laws over random models, and second methods."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from spinscape.hamiltonian import terms
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.energy import coupling_energies, energy
from spinscape.hamiltonian.model import BondTable, Model, OnsiteTable
from spinscape.hamiltonian.terms import BondTerm
from spinscape.lattice.bonds import Bond, shell_bond
from spinscape.lattice.crystal import Crystal, lattice_vectors
from spinscape.lattice.symmetry import SiteSpec, crystal_from_sites, crystal_from_space_group
from spinscape.simulate.groundstate import minimise_energy
from spinscape.simulate.luttinger_tisza import luttinger_tisza
from spinscape.simulate.spiral_search import minimise_spiral

HEXAGONAL = lattice_vectors(a=6.0, b=6.0, c=9.0, gamma=120.0)
ROOT_THREE = [[1, -1, 0], [1, 2, 0], [0, 0, 1]]
# The energy is second order in torques of 1e-12: what remains is rounding.
EXACT = 1e-11


def site(position, spin=1.0):
    return SiteSpec(label="A", ion="Ni2+", position=position, spin=spin)


def heisenberg(crystal, bond):
    return model_from_terms(crystal, ("J",), [BondTerm("heisenberg", terms.heisenberg("J", ("J",)), bond)])


def honeycomb(*kinds):
    """One coupling of each kind on the three bonds x, y, z of a honeycomb."""
    crystal = crystal_from_sites(HEXAGONAL, [site((1 / 3, 2 / 3, 0)), site((2 / 3, 1 / 3, 0))], find_symmetry=False)
    make = {
        "J": lambda axis: ("heisenberg", terms.heisenberg("J", kinds)),
        "K": lambda axis: ("kitaev", terms.kitaev("K", axis, kinds)),
        "G": lambda axis: ("gamma", terms.gamma("G", axis, kinds)),
    }
    rows = []
    for axis, offset in zip("xyz", ((0, 0, 0), (-1, 0, 0), (0, 1, 0)), strict=True):
        rows += [BondTerm(*make[kind](axis), Bond(0, 1, offset), symmetry=False) for kind in kinds]
    return model_from_terms(crystal, kinds, rows)


def test_triangular_antiferromagnet():
    """-3/2 J S², 120°; all three methods."""
    crystal = crystal_from_space_group(HEXAGONAL, "P6/mmm", [site((0, 0, 0), spin=1.5)])
    model = heisenberg(crystal, Bond(0, 0, (1, 0, 0)))
    found = minimise_energy(model, ROOT_THREE, [[1.0], [2.5]], n_start=8)
    np.testing.assert_allclose(found.energy, [-3.375, -2.5 * 3.375], rtol=EXACT)
    n = found.spins[0] / 1.5
    np.testing.assert_allclose(n @ n.T, 1.5 * np.eye(3) - 0.5, atol=1e-6)
    bound = luttinger_tisza(model, [1.0])
    assert bound.bound == pytest.approx(-3.375, rel=EXACT) and bound.exact and len(bound.orders) == 1
    np.testing.assert_allclose(np.abs(bound.orders[0].vector), [1 / 3, 1 / 3, 0], atol=1e-9)
    spiral = minimise_spiral(model, [1.0])
    assert spiral.energy == pytest.approx(-3.375, rel=EXACT)
    again = spiral.in_cell(ROOT_THREE)
    kept = minimise_energy(model, ROOT_THREE, [1.0], n_start=0, first=again.direction[None])
    assert kept.energy[0] == pytest.approx(-3.375, rel=EXACT) and kept.steps[0, 0] <= 2


def test_pyrochlore_antiferromagnet_has_every_tetrahedron_at_zero():
    """-J per site from every start, in a manifold of states; a flat band in the zone."""
    crystal = crystal_from_space_group(lattice_vectors(a=10.0, b=10.0, c=10.0), "Fd-3m", [site((0.5, 0.5, 0.5))])
    model = heisenberg(crystal, shell_bond(crystal, "1"))
    found = minimise_energy(model, (2, 1, 1), [1.0], n_start=6)
    assert np.all(found.converged)
    np.testing.assert_allclose(found.energies, -1.0, atol=EXACT)
    assert [m.count for m in found.minima[0]] == [6]
    bound = luttinger_tisza(model, [1.0], n_mesh=2)
    assert bound.bound == pytest.approx(-1.0, rel=EXACT) and bound.flat == 1.0


@pytest.mark.parametrize("sign", [1, -1])
def test_kitaev_and_gamma_models_on_the_honeycomb(sign):
    """-|K|/2 and -|Γ| per site, each the bound of Luttinger and Tisza."""
    for kind, expected in (("K", -0.5), ("G", -1.0)):
        model = honeycomb(kind)
        found = minimise_energy(model, (2, 2, 1), [float(sign)], n_start=12)
        assert found.energy[0] == pytest.approx(expected, abs=EXACT)
        bound = luttinger_tisza(model, [float(sign)])
        assert bound.bound == pytest.approx(expected, abs=EXACT)


def test_phases_of_the_kitaev_heisenberg_model():
    """Néel, zigzag, ferromagnet, stripy: -(3J + K)/2, (J - K)/2, (3J + K)/2, (K - J)/2 per site, J = cos φ, K = sin φ.

    The four wave vectors of the phases fit into 2×2 cells; no phase lies below all of them.
    """
    phi = np.radians(np.arange(-40, 320, 15))
    j, k = np.cos(phi), np.sin(phi)
    closed = np.stack([-(3 * j + k) / 2, (j - k) / 2, (3 * j + k) / 2, (k - j) / 2])
    theta = np.stack([j, k], axis=1)
    model = honeycomb("J", "K")
    found = minimise_energy(model, (2, 2, 1), theta, n_start=16)
    np.testing.assert_allclose(found.energy, closed.min(axis=0), atol=EXACT)
    borders = np.searchsorted(np.degrees(phi), [90, 135, 270])
    phase = np.repeat([0, 1, 2, 3], np.diff([0, *borders, len(phi)]))
    assert np.argmin(closed, axis=0).tolist() == phase[: len(phi)].tolist()
    bounds = [luttinger_tisza(model, row, n_mesh=2).bound for row in theta[::6]]
    np.testing.assert_allclose(bounds, found.energy[::6], atol=EXACT)


def test_square_antiferromagnet_in_a_field():
    """-2 J S² - h²/16 J per site up to the saturation h = 8 J S, then 2 J S² - h S, h = g μ_B B (Zeeman)."""
    crystal = crystal_from_space_group(lattice_vectors(a=4.0, b=4.0, c=9.0), "P4/mmm", [site((0, 0, 0))])
    model = heisenberg(crystal, Bond(0, 0, (1, 0, 0)))
    for field in (20.0, 50.0, 100.0):
        h = 2.0 * 5.7883818060e-2 * field
        expected = -2.0 - h**2 / 16 if h < 8 else 2.0 - h
        direction = np.array([1.0, -2.0, 2.0]) / 3
        conditions = Conditions(field=tuple(field * direction))
        found = minimise_energy(model, (2, 2, 1), [1.0], conditions=conditions, n_start=4)
        assert found.energy[0] == pytest.approx(expected, rel=1e-8)
        moment = found.spins[0].mean(axis=0)
        np.testing.assert_allclose(moment, -min(h / 8, 1.0) * direction, atol=1e-7)


def random_model(seed):
    """Two sites of unequal spins, two couplings of general exchange, anisotropy."""
    rng = np.random.default_rng(seed)
    crystal = Crystal(
        vectors=np.eye(3) * 4.0,
        positions=rng.uniform(size=(2, 3)),
        labels=("a", "b"),
        orbit=[0, 1],
        spins=[0.5, 1.5],
        ions=("", ""),
        g=2.0 * np.eye(3) + rng.uniform(-0.3, 0.3, (2, 3, 3)),
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )
    offset = rng.integers(-1, 2, (5, 3))
    offset[:, 0] = 1
    bonds = BondTable(*rng.integers(0, 2, (2, 5)), offset, rng.integers(0, 2, 5), rng.normal(size=(5, 3, 3)))
    a = rng.normal(size=(2, 3, 3))
    return Model(crystal, ("P", "R"), bonds, OnsiteTable([0, 1], [0, 1], a + a.transpose(0, 2, 1)))


SEEDS = st.integers(0, 10_000)
FEW = settings(max_examples=8)
THETA = np.array([1.0, -0.6])
FIELD = Conditions(field=(4.0, -3.0, 6.0))


@given(SEEDS)
@settings(max_examples=3)
def test_another_minimiser_finds_nothing_lower(seed):
    """Second method: angles, difference quotients, the plain energy and scipy, from four starts."""
    model = random_model(seed)
    found = minimise_energy(model, (2, 1, 1), THETA, conditions=FIELD, n_start=24)
    lengths = np.tile(model.crystal.spins, 2)

    def value(angles):
        polar, around = angles.reshape(2, -1)
        n = np.stack([np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)], axis=1)
        return energy(model, lengths[:, None] * n, THETA, cell=found.cell, conditions=FIELD) / 4

    rng = np.random.default_rng(seed)
    others = [minimize(value, rng.uniform(0, 3, 8), method="BFGS").fun for _ in range(4)]
    assert found.energy[0] <= min(others) + 1e-9
    # Each of its minima is also one of ours.
    listed = np.array([m.energy for m in found.minima[0]])
    assert np.min(np.abs(listed - min(others))) < 1e-6


@given(SEEDS)
@FEW
def test_larger_cells_and_turned_couplings(seed):
    """A larger cell never has a higher ground state; turning spins and couplings changes nothing."""
    model = random_model(seed)
    small = minimise_energy(model, (1, 1, 1), THETA, n_start=24).energy[0]
    large = minimise_energy(model, (2, 1, 1), THETA, n_start=24).energy[0]
    assert large <= small + EXACT * abs(small)
    turn = Rotation.random(random_state=seed).as_matrix()
    bonds, onsite = model.bonds, model.onsite
    turned = Model(
        model.crystal,
        model.parameter_names,
        BondTable(bonds.site_i, bonds.site_j, bonds.offset, bonds.parameter, turn @ bonds.matrix @ turn.T),
        OnsiteTable(onsite.site, onsite.parameter, turn @ onsite.matrix @ turn.T),
    )
    again = minimise_energy(turned, (1, 1, 1), THETA, n_start=24)
    assert again.energy[0] == pytest.approx(small, rel=1e-9)


@given(SEEDS)
@FEW
def test_the_energy_moves_with_the_couplings_as_the_terms_say(seed):
    """dE/dθ_k = E_k of the ground state: the state moves, but that counts in second order."""
    model, h = random_model(seed), 1e-5
    theta = THETA + h * np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
    found = minimise_energy(model, (1, 1, 1), THETA, conditions=FIELD, n_start=12)
    first = found.structure().direction[None]
    moved = minimise_energy(model, (1, 1, 1), theta, conditions=FIELD, n_start=0, first=first).energy
    expected = coupling_energies(model, found.spins[0], cell=found.cell) / 2
    differences = [(moved[1] - moved[2]) / (2 * h), (moved[3] - moved[4]) / (2 * h)]
    np.testing.assert_allclose(differences, expected, atol=1e-6)
