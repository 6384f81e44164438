"""From terms to tables: which bonds, which matrices, and what is refused."""

import json

import numpy as np
import pytest

from spinscape.errors import ConfigError, SymmetryError
from spinscape.hamiltonian import terms
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.model import Model
from spinscape.hamiltonian.terms import BondTerm, OnsiteTerm
from spinscape.lattice.bonds import Bond, shell_bond
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.symmetry import SiteSpec, crystal_from_space_group

TOLERANCE = 1e-9


def site(position, label="A"):
    return SiteSpec(label, "Ni2+", position, 1.0)


SQUARE = crystal_from_space_group(lattice_vectors(a=4.0, b=4.0, c=9.0), "P4/mmm", [site((0, 0, 0))])
HONEYCOMB = crystal_from_space_group(
    lattice_vectors(a=6.0, b=6.0, c=9.0, gamma=120.0), "P-31m", [site((1 / 3, 2 / 3, 0))]
)
PYROCHLORE = crystal_from_space_group(lattice_vectors(a=10.0, b=10.0, c=10.0), "Fd-3m", [site((0.5, 0.5, 0.5))])
NAMES = ("J", "Jp")


def heisenberg(value, bond, names=NAMES, **changes):
    return BondTerm("heisenberg", terms.heisenberg(value, names), Bond(*bond), **changes)


def square(*more, names=NAMES):
    return model_from_terms(
        SQUARE,
        names,
        [heisenberg("J", (0, 0, (1, 0, 0)), names), heisenberg("Jp", (0, 0, (1, 1, 0)), names), *more],
    )


def test_the_square_lattice_has_two_bonds_of_each_kind():
    bonds = square().bonds
    assert bonds.parameter.tolist() == [0, 0, 1, 1]
    assert {tuple(n) for n in np.abs(bonds.offset[:2]).tolist()} == {(1, 0, 0), (0, 1, 0)}
    assert np.abs(bonds.offset[2:]).tolist() == [[1, 1, 0], [1, 1, 0]]
    assert np.array_equal(bonds.matrix, np.tile(np.eye(3), (4, 1, 1)))


def test_one_expression_makes_a_row_for_every_coupling():
    model = model_from_terms(SQUARE, NAMES, [heisenberg("J - 0.5*Jp", (0, 0, (1, 0, 0)))])
    assert model.bonds.parameter.tolist() == [0, 0, 1, 1]
    assert np.trace(model.bonds.matrix, axis1=1, axis2=2).tolist() == [3, 3, -1.5, -1.5]


def test_terms_on_one_bond_add_up():
    xxz = BondTerm("matrix", terms.matrix([[0, 0, 0], [0, 0, 0], [0, 0, "J"]], NAMES), Bond(0, 0, (0, 1, 0)))
    model = square(xxz)
    total = np.zeros((3, 3))
    for offset, parameter, matrix in zip(model.bonds.offset, model.bonds.parameter, model.bonds.matrix, strict=True):
        if parameter == 0 and abs(offset[0]) == 1:
            total += matrix
    assert total.tolist() == np.diag([1.0, 1.0, 2.0]).tolist()


def test_a_bond_that_symmetry_has_made_already_is_refused():
    with pytest.raises(ConfigError, match="two heisenberg terms give J to one bond") as caught:
        square(heisenberg("J", (0, 0, (0, -1, 0)), where="hamiltonian.2"))
    assert caught.value.where == "hamiltonian.2"
    assert "which hamiltonian has made" in caught.value.got


def test_without_symmetry_a_bond_is_taken_as_it_stands():
    forbidden = BondTerm("dm", terms.dm((0, 0, "J"), NAMES), Bond(0, 0, (1, 0, 0)), symmetry=False)
    model = model_from_terms(SQUARE, NAMES, [forbidden, heisenberg("Jp", (0, 0, (1, 0, 0)), symmetry=False)])
    assert model.bonds.n_bond == 2
    assert model.bonds.matrix[0].tolist() == [[0, 1, 0], [-1, 0, 0], [0, 0, 0]]
    chains = [heisenberg("J", (0, 0, n), symmetry=False) for n in ((1, 0, 0), (0, 1, 0))]
    assert model_from_terms(SQUARE, ("J",), chains).bonds.n_bond == 2


def test_a_forbidden_element_is_refused_with_the_place_and_the_allowed_form():
    bad = BondTerm("dm", terms.dm((0, 0, "J"), NAMES), Bond(0, 0, (1, 0, 0)), where="hamiltonian.1")
    with pytest.raises(SymmetryError, match="forbids the matrix of J") as caught:
        model_from_terms(SQUARE, NAMES, [bad])
    assert caught.value.where == "hamiltonian.1"
    assert caught.value.expected == "the form [[A, 0, 0], [0, B, 0], [0, 0, C]]"


def test_couplings_and_terms_must_match():
    with pytest.raises(ConfigError, match="a coupling without a term: D") as caught:
        square(names=("J", "D", "Jp"))
    assert caught.value.where == "couplings.D"
    with pytest.raises(ConfigError, match="unknown coupling: J3"):
        square(heisenberg("J3", (0, 0, (2, 0, 0)), ("J3",)))
    with pytest.raises(ConfigError, match="a term without a coupling"):
        square(heisenberg("0", (0, 0, (2, 0, 0))))
    with pytest.raises(ConfigError, match="two couplings have one name"):
        square(names=("J", "J", "Jp"))


def test_bonds_and_sites_that_are_not_there_are_refused():
    for bond, what in (((0, 0, (0, 0, 0)), "to itself"), ((0, 3, (0, 0, 0)), "not there")):
        with pytest.raises(ConfigError, match=what) as caught:
            square(heisenberg("J", bond, where="hamiltonian.2"))
        assert caught.value.where == "hamiltonian.2"
    with pytest.raises(ConfigError, match="not there"):
        square(OnsiteTerm("anisotropy", terms.easy_axis("J", (0, 0, 1), NAMES), 1))


def test_kitaev_bonds_turn_their_axis_with_the_bond():
    # The cubic axes seen from the trigonal cell: [111] along c, and the axis of the reference bond across it.
    bond = shell_bond(HONEYCOMB, 1)
    step = (HONEYCOMB.positions[bond.site_j] + bond.offset - HONEYCOMB.positions[bond.site_i]) @ HONEYCOMB.vectors
    across = np.cross([0, 0, 1], step / np.linalg.norm(step))
    z = np.sqrt(1 / 3) * np.array([0, 0, 1]) + np.sqrt(2 / 3) * across
    x = np.sqrt(1 / 3) * np.array([0, 0, 1]) - np.sqrt(1 / 6) * across + np.sqrt(1 / 2) * step / np.linalg.norm(step)
    frame = [x, np.cross(z, x), z]
    model = model_from_terms(HONEYCOMB, ("K",), [BondTerm("kitaev", terms.kitaev("K", "z", ("K",), frame=frame), bond)])
    assert model.bonds.n_bond == 3
    axes = [np.linalg.eigh(m)[1][:, 2] for m in model.bonds.matrix]
    # Three bonds, three mutually perpendicular axes.
    assert np.abs(np.array(axes) @ np.array(axes).T) == pytest.approx(np.eye(3), abs=1e-6)
    assert model.bonds.matrix.sum(axis=0) == pytest.approx(np.eye(3), abs=1e-6)


def test_local_axes_of_the_pyrochlore():
    names = ("D", "J")
    bond = shell_bond(PYROCHLORE, 1)
    model = model_from_terms(
        PYROCHLORE,
        names,
        [
            OnsiteTerm("anisotropy", terms.easy_axis("D", (1, 1, 1), names), 0),
            BondTerm("heisenberg", terms.heisenberg("J", names), bond),
        ],
    )
    assert (model.onsite.n_onsite, model.bonds.n_bond) == (16, 48)
    for i, j in zip(model.bonds.site_i, model.bonds.site_j, strict=True):
        product = np.trace(model.onsite.matrix[i] @ model.onsite.matrix[j])
        assert product == pytest.approx(1 / 9, abs=TOLERANCE)
    with pytest.raises(SymmetryError, match="site 0 forbids"):
        model_from_terms(PYROCHLORE, ("D",), [OnsiteTerm("anisotropy", terms.easy_axis("D", (0, 0, 1), ("D",)), 0)])
    alone = OnsiteTerm("anisotropy", terms.easy_axis("D", (0, 0, 1), ("D",)), 3, symmetry=False)
    assert model_from_terms(PYROCHLORE, ("D",), [alone]).onsite.site.tolist() == [3]


def test_a_model_comes_back_from_json_bit_for_bit():
    names = ("J", "Jp", "D")
    model = square(OnsiteTerm("anisotropy", terms.easy_axis("D", (0, 0, 1), names), 0), names=names)
    again = Model.from_dict(json.loads(json.dumps(model.to_dict())))
    assert again.parameter_names == names and again.n_parameter == 3
    for table in ("bonds", "onsite"):
        for name in getattr(model, table).__dataclass_fields__:
            one, two = getattr(getattr(model, table), name), getattr(getattr(again, table), name)
            assert one.tobytes() == two.tobytes() and one.dtype == two.dtype


def test_models_without_bonds_or_without_onsite_terms_have_empty_tables():
    assert square().onsite.n_onsite == 0
    lone = model_from_terms(SQUARE, ("D",), [OnsiteTerm("anisotropy", terms.easy_axis("D", (0, 0, 1), ("D",)), 0)])
    assert lone.bonds.n_bond == 0 and lone.bonds.matrix.shape == (0, 3, 3)
    assert Model.from_dict(json.loads(json.dumps(lone.to_dict()))).bonds.offset.shape == (0, 3)
