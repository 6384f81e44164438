"""The prepared form of the classical energy against the plain energy of the Hamiltonian layer, for any model."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from spinscape.errors import ConfigError, ShapeError
from spinscape.hamiltonian.biquadratic import BiquadraticTable
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.dipolar import DipolarTable
from spinscape.hamiltonian.energy import coupling_energies, effective_field, energy
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model, OnsiteTable
from spinscape.kernels.minimise import gradient
from spinscape.lattice.crystal import Crystal
from spinscape.lattice.supercell import supercell
from spinscape.simulate.classical_form import checked_grid, classical_form
from spinscape.simulate.directed import directed_bonds
from spinscape.simulate.spiral_search import minimise_spiral

FIELD = Conditions(field=(3.0, -2.0, 5.0))
TOL = 1e-10
CELLS = st.sampled_from([(1, 1, 1), (2, 1, 1), (1, 3, 2), ((1, 1, 0), (1, -1, 0), (0, 0, 1))])


def random_model(seed):
    """Two sites, two couplings, any exchange, dipoles and biquadratic terms; a spin meets its own image too."""
    rng = np.random.default_rng(seed)
    crystal = Crystal(
        vectors=np.eye(3) * 4.0,
        positions=rng.uniform(size=(2, 3)),
        labels=("a", "b"),
        orbit=[0, 1],
        spins=[0.5, 2.0],
        ions=("", ""),
        g=2.0 * np.eye(3) + rng.uniform(-0.5, 0.5, (2, 3, 3)),
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )
    offset = rng.integers(-1, 2, (6, 3))
    offset[:, 0] = 1
    bonds = BondTable(*rng.integers(0, 2, (2, 6)), offset, rng.integers(0, 2, 6), rng.normal(size=(6, 3, 3)))
    a = rng.normal(size=(2, 3, 3))
    turn = Rotation.random(3, random_state=rng).as_matrix()
    squares = BiquadraticTable(
        [0, 1, 0], [1, 0, 0], offset[:3], [0, 1, 1], rng.normal(size=3), ("large_s", "renormalised", "large_s"), turn
    )
    onsite = OnsiteTable([0, 1], [0, 1], a + a.transpose(0, 2, 1))
    return Model(crystal, ("P", "R"), bonds, onsite, DipolarTable([1, 0], [3.0, -1.0]), squares)


@given(st.integers(0, 10_000), CELLS)
@settings(max_examples=20)
def test_energy_and_gradient_are_the_hamiltonians(seed, shape):
    model, cell = random_model(seed), supercell(shape, n_site=2)
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=(2, 2))
    n = rng.normal(size=(cell.n_spin, 3))
    n /= np.linalg.norm(n, axis=1, keepdims=True)
    form = classical_form(model, cell=cell, conditions=FIELD)
    at, spins = form.at(theta), form.lengths[:, None] * n
    for p in range(2):
        out = np.empty_like(n)
        value = gradient(n, *arguments(form, at, p), out) + at.constant[p]
        assert value == pytest.approx(energy(model, spins, theta[p], cell=cell, conditions=FIELD), abs=TOL)
        # ∂E/∂n = S ∂E/∂S.
        expected = effective_field(model, spins, theta[p], cell=cell, conditions=FIELD)
        np.testing.assert_allclose(out, -form.lengths[:, None] * expected, atol=TOL)
        np.testing.assert_allclose(form.fields(at, p, n), out, atol=TOL)
        assert np.all(np.linalg.norm(out, axis=1) <= at.scale[p])


def arguments(form, at, p):
    """Arguments of one point for the kernel ``gradient``."""
    start, head, between, own, linear, squares, *_ = form.kernel_arguments(at)
    return start, head, between[p], own[p], linear[p], (*squares[:2], squares[2][0], squares[3][p])


@given(st.integers(0, 10_000), CELLS)
@settings(max_examples=10)
def test_the_second_derivative_is_that_of_differences_and_below_its_bound(seed, shape):
    model, cell = random_model(seed), supercell(shape, n_site=2)
    rng = np.random.default_rng(seed)
    form = classical_form(model, cell=cell, conditions=FIELD)
    at, n, v = form.at(np.array([[0.7, -1.1]])), rng.normal(size=(cell.n_spin, 3)), rng.normal(size=(cell.n_spin, 3))
    n /= np.linalg.norm(n, axis=1, keepdims=True)
    hessian = form.hessian(at, 0, n)
    slope = (form.fields(at, 0, n + 1e-5 * v) - form.fields(at, 0, n - 1e-5 * v)) / 2e-5
    np.testing.assert_allclose(np.einsum("ijab,jb->ia", hessian, v), slope, atol=1e-7 * at.scale[0])
    site = np.arange(cell.n_spin)
    assert np.all(np.linalg.eigvalsh(hessian[site, site])[:, -1] <= at.shift[0] + TOL)


@given(st.integers(0, 10_000), CELLS)
@settings(max_examples=10)
def test_pulls_are_the_fields_of_unit_couplings(seed, shape):
    model, cell = random_model(seed), supercell(shape, n_site=2)
    n = np.random.default_rng(seed).normal(size=(cell.n_spin, 3))
    n /= np.linalg.norm(n, axis=1, keepdims=True)
    form = classical_form(model, cell=cell)
    pulls, spins = form.pulls(n), form.lengths[:, None] * n
    assert form.squares.strengths(np.ones((1, 2))).shape == (1, 6 * cell.n_cell)
    for k, unit in enumerate(np.eye(2)):
        expected = -effective_field(model, spins, unit, cell=cell) * form.lengths[:, None]
        np.testing.assert_allclose(pulls[k], expected, atol=TOL)
    # A quadratic form: half of n·f; a quarter for the squares.
    quartic = form.squares.factor * np.sum(form.squares.rows(n)[0] * form.squares.pulls(n), axis=1)
    total = 0.5 * np.einsum("ia,kia->k", n, pulls) + form.constant
    total -= 0.25 * np.bincount(form.squares.parameter, weights=quartic, minlength=2)
    np.testing.assert_allclose(total, coupling_energies(model, spins, cell=cell), atol=TOL)


def test_spins_that_are_bound_to_a_line_are_refused():
    model = random_model(0)
    crystal = replace(model.crystal, kind=("heisenberg", "ising"), axis=[[0, 0, 0], [0, 0, 1.0]])
    bound = replace(model, crystal=crystal)
    one = MagneticStructure(np.eye(3), [0, 1], np.zeros((2, 3)), [[0, 0, 1.0]] * 2)
    for question in (
        lambda: classical_form(bound, cell=supercell((1, 1, 1), n_site=2)),
        lambda: directed_bonds(bound, one),
        lambda: minimise_spiral(bound, [1.0, 1.0]),
    ):
        with pytest.raises(ConfigError, match="of ising spins: they are not free vectors") as caught:
            question()
        assert caught.value.where == "site b (index 1)"


def test_too_many_spins_with_dipoles_are_refused():
    with pytest.raises(ConfigError, match="too many spins for the dipole matrix"):
        classical_form(random_model(0), cell=supercell((10, 10, 6), n_site=2))


def test_two_bonds_of_one_pair_of_spins_are_one_entry():
    model = random_model(0)
    form = classical_form(model, cell=supercell((1, 1, 1), n_site=2))
    assert form.head.tolist() == [1, 0] and form.start.tolist() == [0, 1, 2]
    np.testing.assert_allclose(*(m @ np.eye(3) for m in swapped(form.at(np.ones((1, 2))).between[0])), atol=TOL)


def swapped(pair):
    return pair[0], pair[1].T


def test_couplings_without_number_or_of_wrong_shape_are_refused():
    with pytest.raises(ConfigError, match="point 1"):
        checked_grid([[1.0, 2.0], [np.nan, 1.0]], ("P", "R"))
    with pytest.raises(ShapeError, match="theta"):
        checked_grid([[1.0, 2.0, 3.0]], ("P", "R"))
    assert checked_grid([1.0, 2.0], ("P", "R")).shape == (1, 2)
