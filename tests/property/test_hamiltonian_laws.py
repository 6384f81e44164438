"""Laws that hold for any model on any crystal and any state of its spins.

The models are drawn at random: a space group, a generic or special site, bonds of the nearest shells with every matrix
that symmetry allows, an on-site term, a g tensor and a field. So each law tests the symmetry expansion and the energy
together.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.energy import coupling_energies, effective_field, energy
from spinscape.hamiltonian.model import BondTable, Model, OnsiteTable
from spinscape.hamiltonian.terms import BondTerm, OnsiteTerm
from spinscape.lattice.bonds import neighbour_shells
from spinscape.lattice.crystal import Crystal, lattice_vectors
from spinscape.lattice.orbits import allowed_exchange, allowed_onsite
from spinscape.lattice.supercell import supercell
from spinscape.lattice.symmetry import SiteSpec, cartesian_rotations, crystal_from_space_group, site_maps
from spinscape.units import MU_B

RELATIVE = 1e-10
"""Rounding of sums of some thousand terms."""

few = settings(max_examples=30)

CASES = {
    "P1": ({"a": 4, "b": 5, "c": 6, "alpha": 80, "beta": 95, "gamma": 100}, (0.1, 0.2, 0.3)),
    "P-1": ({"a": 4, "b": 5, "c": 6, "alpha": 80, "beta": 95, "gamma": 100}, (0.1, 0.2, 0.3)),
    "P2_1/c": ({"a": 5, "b": 6, "c": 7, "beta": 104}, (0.12, 0.23, 0.34)),
    "Pbnm": ({"a": 5.2, "b": 5.6, "c": 7.6}, (0, 0.5, 0)),
    "P4/mmm": ({"a": 4, "b": 4, "c": 9}, (0, 0, 0)),
    "P4_32_12": ({"a": 5, "b": 5, "c": 7}, (0.3, 0.3, 0)),
    "P-31m": ({"a": 5, "b": 5, "c": 6, "gamma": 120}, (1 / 3, 2 / 3, 0)),
    "P6/mmm": ({"a": 5, "b": 5, "c": 6, "gamma": 120}, (0.5, 0, 0)),
    "R-3m:R": ({"a": 5, "b": 5, "c": 5, "alpha": 70, "beta": 70, "gamma": 70}, (0.5, 0, 0)),
    "P2_13": ({"a": 4.6, "b": 4.6, "c": 4.6}, (0.14, 0.14, 0.14)),
    "Fd-3m": ({"a": 10, "b": 10, "c": 10}, (0.5, 0.5, 0.5)),
}


class Case(NamedTuple):
    """A model with couplings, spins of a 2×2×2 supercell, and a field."""

    model: Model
    theta: np.ndarray
    spins: np.ndarray
    conditions: Conditions

    @property
    def cell(self):
        return supercell((2, 2, 2), n_site=self.model.crystal.n_site)

    def energy(self, spins=None):
        spins = self.spins if spins is None else spins
        return energy(self.model, spins, self.theta, cell=self.cell, conditions=self.conditions)


@cache
def expanded(group):
    """Return a crystal, its nearest bonds with their allowed matrices, and the allowed on-site matrices."""
    lattice, position = CASES[group]
    vectors = lattice_vectors(**lattice)
    plain = crystal_from_space_group(vectors, group, [SiteSpec("A", "Ni2+", position, 1.0)])
    onsite = allowed_onsite(plain, 0)
    # A general g tensor that the site allows.
    g = 2 * np.eye(3) + np.einsum("k,kab->ab", np.linspace(0.1, 0.5, len(onsite)), onsite)
    crystal = crystal_from_space_group(vectors, group, [SiteSpec("A", "Ni2+", position, 1.0, g)])
    shells = neighbour_shells(crystal, n_shell=2)[:3]
    return crystal, [(s.bond, allowed_exchange(crystal, *s.bond)) for s in shells], onsite


@st.composite
def cases(draw, groups=tuple(CASES)):
    crystal, bonds, onsite = expanded(draw(st.sampled_from(groups)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    names = (*(f"J{k}" for k in range(len(bonds))), "D")
    terms = [
        BondTerm("matrix", {f"J{k}": np.einsum("n,nab->ab", rng.normal(size=len(basis)), basis)}, bond)
        for k, (bond, basis) in enumerate(bonds)
    ]
    terms.append(OnsiteTerm("matrix", {"D": np.einsum("n,nab->ab", rng.normal(size=len(onsite)), onsite)}, 0))
    model = model_from_terms(crystal, names, terms)
    spins = rng.normal(size=(8 * crystal.n_site, 3))
    return Case(model, rng.normal(size=len(names)), spins, Conditions(field=tuple(rng.normal(size=3) * 10)))


def scale(case):
    """Return the size of the energies that cancel, for tolerances."""
    return np.abs(case.theta).sum() * np.sum(case.spins**2) * 50 + 1.0


@few
@given(cases(), st.integers(0, 2**32))
def test_the_field_is_minus_the_gradient(case, seed):
    direction = np.random.default_rng(seed).normal(size=case.spins.shape)
    field = effective_field(case.model, case.spins, case.theta, cell=case.cell, conditions=case.conditions)
    # The energy is quadratic, so that a central difference with any step is exact.
    slope = 0.5 * (case.energy(case.spins + direction) - case.energy(case.spins - direction))
    assert -np.sum(field * direction) == pytest.approx(slope, abs=RELATIVE * scale(case))


@few
@given(cases())
def test_the_energy_is_linear_in_the_couplings(case):
    parts = coupling_energies(case.model, case.spins, cell=case.cell)
    g = np.tile(case.model.crystal.g, (8, 1, 1))
    zeeman = MU_B * np.einsum("a,nab,nb->", np.array(case.conditions.field), g, case.spins)
    assert case.energy() == pytest.approx(case.theta @ parts + zeeman, abs=RELATIVE * scale(case))


@few
@given(cases())
def test_every_operation_of_the_space_group_keeps_the_energy(case):
    crystal, cell = case.model.crystal, case.cell
    maps = site_maps(crystal.vectors, crystal.positions, crystal.rotations, crystal.translations)
    R = cartesian_rotations(crystal.vectors, crystal.rotations)
    axial = np.linalg.det(R)[:, None, None] * R
    old = case.spins.reshape(cell.n_cell, crystal.n_site, 3)
    for o in range(0, len(R), max(1, len(R) // 8)):
        moved = np.empty_like(case.spins)
        for i in range(crystal.n_site):
            cells = cell.cells @ crystal.rotations[o].T + maps.cell[o, i]
            moved[cell.site_index(maps.site[o, i], cells)] = old[:, i] @ axial[o].T
        field = Conditions(field=tuple(axial[o] @ case.conditions.field))
        assert case._replace(spins=moved, conditions=field).energy() == pytest.approx(
            case.energy(), abs=RELATIVE * scale(case)
        )


@few
@given(cases(), st.integers(0, 2**32))
def test_turning_everything_together_keeps_the_energy(case, seed):
    R = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
    crystal, bonds, onsite = case.model.crystal, case.model.bonds, case.model.onsite
    turned = Crystal.from_dict({**crystal.to_dict(), "vectors": crystal.vectors @ R.T, "g": R @ crystal.g @ R.T})
    model = Model(
        turned,
        case.model.parameter_names,
        BondTable(bonds.site_i, bonds.site_j, bonds.offset, bonds.parameter, R @ bonds.matrix @ R.T),
        OnsiteTable(onsite.site, onsite.parameter, R @ onsite.matrix @ R.T),
    )
    field = Conditions(field=tuple(R @ case.conditions.field))
    again = Case(model, case.theta, case.spins @ R.T, field)
    assert again.energy() == pytest.approx(case.energy(), abs=RELATIVE * scale(case))


@few
@given(cases(), st.integers(0, 2**32))
def test_a_bond_met_in_reverse_has_the_transpose(case, seed):
    b = case.model.bonds
    flip = np.random.default_rng(seed).random(b.n_bond) < 0.5
    turned = BondTable(
        np.where(flip, b.site_j, b.site_i),
        np.where(flip, b.site_i, b.site_j),
        np.where(flip[:, None], -b.offset, b.offset),
        b.parameter,
        np.where(flip[:, None, None], b.matrix.transpose(0, 2, 1), b.matrix),
    )
    model = Model(case.model.crystal, case.model.parameter_names, turned, case.model.onsite)
    again = case._replace(model=model)
    assert again.energy() == pytest.approx(case.energy(), abs=RELATIVE * scale(case))
    fields = [
        effective_field(m, case.spins, case.theta, cell=case.cell, conditions=case.conditions)
        for m in (model, case.model)
    ]
    assert fields[0] == pytest.approx(fields[1], abs=RELATIVE * scale(case))


@few
@given(cases(), st.lists(st.integers(-3, 3), min_size=3, max_size=3))
def test_a_translation_keeps_the_energy(case, step):
    order = case.cell.cell_index(case.cell.cells + step)
    moved = case.spins.reshape(8, -1, 3)[order].reshape(-1, 3)
    assert case.energy(moved) == pytest.approx(case.energy(), abs=RELATIVE * scale(case))


@few
@given(cases(groups=("P1", "P2_1/c", "P4/mmm", "P-31m")))
def test_a_repeated_state_has_the_energy_of_its_cell_as_often(case):
    one, big = case.cell, supercell([[4, 2, 0], [0, 2, 0], [2, 0, 4]], n_site=case.model.crystal.n_site)
    spins = case.spins.reshape(8, -1, 3)[one.cell_index(big.cells)].reshape(-1, 3)
    total = energy(case.model, spins, case.theta, cell=big, conditions=case.conditions)
    assert total == pytest.approx(case.energy() * big.n_cell / 8, abs=RELATIVE * scale(case))


@few
@given(cases())
def test_the_declared_bond_does_not_matter(case):
    # The model declared on another bond of each orbit, with that bond's matrix, is the same model.
    crystal, names, b = case.model.crystal, case.model.parameter_names, case.model.bonds
    terms = []
    for k in range(len(names) - 1):
        row = np.flatnonzero(b.parameter == k)[-1]
        bond = (int(b.site_i[row]), int(b.site_j[row]), tuple(b.offset[row].tolist()))
        terms.append(BondTerm("matrix", {names[k]: b.matrix[row]}, bond))
    onsite = case.model.onsite
    terms.append(OnsiteTerm("matrix", {"D": onsite.matrix[-1]}, int(onsite.site[-1])))
    again = case._replace(model=model_from_terms(crystal, names, terms))
    assert again.energy() == pytest.approx(case.energy(), abs=RELATIVE * scale(case))
