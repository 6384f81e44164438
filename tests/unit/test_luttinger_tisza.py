"""Luttinger and Tisza: ordering vectors, the bound and when it is met."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinscape.errors import ConfigError
from spinscape.hamiltonian.biquadratic import BiquadraticTable
from spinscape.hamiltonian.dipolar import DipolarTable
from spinscape.hamiltonian.energy import energy
from spinscape.hamiltonian.model import BondTable, Model, OnsiteTable
from spinscape.lattice.crystal import Crystal
from spinscape.lattice.supercell import supercell
from spinscape.simulate.exchange import exchange
from spinscape.simulate.groundstate import minimise_energy
from spinscape.simulate.luttinger_tisza import luttinger_tisza

TOL = 1e-10


def crystal_of(spins):
    n = len(spins)
    return Crystal(
        vectors=np.eye(3) * 4.0,
        positions=np.linspace(0, 0.7, n)[:, None] * np.ones(3),
        labels=tuple(f"s{k}" for k in range(n)),
        orbit=range(n),
        spins=spins,
        ions=("",) * n,
        g=np.tile(2.0 * np.eye(3), (n, 1, 1)),
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )


def model_of(spins, rows, names=("J",), onsite=()):
    """Rows (i, j, offset, parameter, matrix or number)."""
    i, j, offset, parameter, matrix = zip(*rows, strict=True)
    table = BondTable(i, j, offset, parameter, [m * np.eye(3) for m in matrix])
    single = OnsiteTable(*zip(*onsite, strict=True)) if onsite else OnsiteTable([], [], np.zeros((0, 3, 3)))
    return Model(crystal_of(spins), names, table, single)


def j1j2_chain():
    return model_of([1.5], [(0, 0, (1, 0, 0), 0, 1.0), (0, 0, (2, 0, 0), 1, 1.0)], ("J1", "J2"))


def random_model(seed):
    """General exchange, anisotropy, dipoles, and biquadratic terms of both signs."""
    rng = np.random.default_rng(seed)
    offset = rng.integers(-1, 2, (5, 3))
    offset[:, 0] = 1
    table = BondTable(*rng.integers(0, 2, (2, 5)), offset, np.zeros(5), rng.normal(size=(5, 3, 3)))
    a = rng.normal(size=(2, 3, 3))
    onsite = OnsiteTable([0, 1], [0, 0], a + a.transpose(0, 2, 1))
    form = ("large_s", "renormalised", "large_s")
    squares = BiquadraticTable([0, 1, 0], [0, 1, 1], offset[:3], [0, 0, 0], rng.uniform(-0.5, 0.5, 3), form)
    dipoles = DipolarTable([0], [rng.uniform(-1, 1) * 10])
    return Model(crystal_of([0.5, 2.0]), ("P",), table, onsite, dipoles, squares)


@given(st.integers(0, 10_000))
@settings(max_examples=8)
def test_no_state_lies_below_the_bound(seed):
    model = random_model(seed)
    plain, best = luttinger_tisza(model, [1.0], n_mesh=6), luttinger_tisza(model, [1.0], n_mesh=6, multipliers=True)
    found = minimise_energy(model, (2, 2, 1), [1.0], n_start=4).energy[0]
    size = exchange(model, [1.0]).size
    assert plain.bound <= best.bound + 1e-9 * size
    # Cutting planes end short of the best multipliers, never beyond; the mesh's minima are refined.
    assert best.bound <= found + 1e-9 * size


@pytest.mark.parametrize(("ratio", "closed"), [(0.2, 0.5), (-1.0, 0.5), (1.0, None), (0.3, None)])
def test_j1j2_chain(ratio, closed):
    """cos 2πq = -J1/4J2 where J2 > J1/4, Néel order otherwise; one site always meets the constraint."""
    found = luttinger_tisza(j1j2_chain(), [1.0, ratio])
    q = np.arccos(-1 / (4 * ratio)) / (2 * np.pi) if closed is None else closed
    (order,) = found.orders
    assert abs(order.vector[0]) == pytest.approx(q, abs=1e-7) and order.degeneracy == 3
    expected = 2.25 * (np.cos(2 * np.pi * q) + ratio * np.cos(4 * np.pi * q))
    assert found.bound == pytest.approx(expected, rel=1e-12) and found.exact


def test_states_of_the_eigenvectors_have_unit_length_and_the_energy_of_the_bound():
    model = j1j2_chain()
    ratio = 1 / (4 * np.cos(2 * np.pi / 5))
    found = luttinger_tisza(model, [-1.0, ratio])  # q = 1/5
    assert abs(found.orders[0].vector[0]) == pytest.approx(0.2, abs=1e-7)
    cell = supercell((5, 1, 1), n_site=1)
    n = found.orders[0].directions(cell.cells).reshape(-1, 3)
    np.testing.assert_allclose(np.linalg.norm(n, axis=1), 1.0, atol=1e-6)
    assert energy(model, 1.5 * n, [-1.0, ratio], cell=cell) / 5 == pytest.approx(found.bound, abs=1e-6)


def ferrimagnet():
    """Lengths 5/2 and 1/2, bonds of two strengths, and a bond among the long ones: multipliers are needed."""
    return model_of(
        [2.5, 0.5], [(0, 1, (0, 0, 0), 0, 1.0), (0, 1, (-1, 0, 0), 0, 1.0), (0, 0, (1, 0, 0), 1, 1.0)], "JK"
    )


def test_unequal_spins_need_multipliers():
    """Néel order of two lengths, E = -2 J S s - |K| S² per cell, is the ground state; the plain bound is lower."""
    theta = [1.0, -0.3]
    exact = -(2 * 2.5 * 0.5 + 0.3 * 2.5**2) / 2
    plain = luttinger_tisza(ferrimagnet(), theta)
    assert plain.bound < exact - 0.1 and not plain.exact
    best = luttinger_tisza(ferrimagnet(), theta, multipliers=True)
    assert best.bound == pytest.approx(exact, abs=1e-6) and best.bound <= exact + TOL
    assert best.exact and best.orders[0].vector.tolist() == [0.0, 0.0, 0.0]
    assert best.multipliers.sum() == pytest.approx(0.0, abs=1e-9) and abs(best.multipliers[0]) > 0.1
    assert minimise_energy(ferrimagnet(), (2, 1, 1), theta).energy[0] == pytest.approx(exact)


def test_an_easy_axis_leaves_one_eigenvector_and_an_incommensurate_one_fails_the_constraint():
    """A sine wave along the easy axis has spins of unequal lengths: the bound is not reached by one wave vector."""
    easy = model_of(
        [1.0],
        [(0, 0, (1, 0, 0), 0, 1.0), (0, 0, (2, 0, 0), 0, 0.6)],
        onsite=[(0, 0, np.diag([0.0, 0.0, -0.3]))],
    )
    (order,) = luttinger_tisza(easy, [1.0]).orders
    assert order.degeneracy == 1 and not order.meets_constraint
    with pytest.raises(ConfigError, match="equal length"):
        order.directions([[0, 0, 0]])


def test_a_flat_band_says_that_it_selects_nothing():
    """Two spins that do not talk to other cells, but for bonds that cancel."""
    flat = model_of([1.0, 1.0], [(0, 1, (0, 0, 0), 0, 1.0), (0, 0, (1, 0, 0), 0, 0.0)])
    found = luttinger_tisza(flat, [1.0])
    assert found.flat == 1.0 and found.exact and found.bound == pytest.approx(-0.5)
    assert found.orders[0].vector.tolist() == [0.0, 0.0, 0.0] and len(found.orders) > 3
