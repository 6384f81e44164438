"""Which operations a Hamiltonian has."""

import numpy as np
import pytest

from spinscape.hamiltonian import terms
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.energy import coupling_energies
from spinscape.hamiltonian.operations import axial_rotations, model_operations
from spinscape.hamiltonian.terms import BondTerm, OnsiteTerm
from spinscape.lattice.bonds import Bond, shell_bond
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.supercell import supercell
from spinscape.lattice.symmetry import SiteSpec, crystal_from_space_group, site_maps

CUBIC = lattice_vectors(a=10.0, b=10.0, c=10.0)


def pyrochlore():
    return crystal_from_space_group(CUBIC, "Fd-3m", [SiteSpec("A", "Cr3+", (0.5, 0.5, 0.5), 1.5)])


def square():
    vectors = lattice_vectors(a=4.0, b=4.0, c=9.0)
    return crystal_from_space_group(vectors, "P4/mmm", [SiteSpec("A", "Cr3+", (0, 0, 0), 1.5)])


def test_symmetric_models_keep_all_operations():
    crystal = pyrochlore()
    names = ("J", "A")
    model = model_from_terms(
        crystal,
        names,
        [
            BondTerm("heisenberg", terms.heisenberg("J", names), shell_bond(crystal, 1)),
            OnsiteTerm("anisotropy", terms.easy_axis("A", (1, 1, 1), names), 0),
        ],
    )
    assert len(model_operations(model)) == len(crystal.rotations) == 192


def single_bond_model():
    crystal = square()
    names = ("J", "Jx")
    rows = [
        BondTerm("heisenberg", terms.heisenberg("J", names), Bond(0, 0, (1, 0, 0))),
        BondTerm("heisenberg", terms.heisenberg("Jx", names), Bond(0, 0, (2, 0, 0)), symmetry=False),
    ]
    return model_from_terms(crystal, names, rows)


def test_a_single_bond_takes_the_fourfold_axis_away():
    model = single_bond_model()
    kept = model_operations(model)
    assert len(model.crystal.rotations) == 16
    assert len(kept) == 8
    assert np.all(model.crystal.rotations[kept][:, 0, 1] == 0)


@pytest.mark.parametrize(("field", "number"), [((0, 0, 1.0), 16), ((1.0, 0, 0), 8), ((1.0, 2.0, 3.0), 2)])
def test_a_field_keeps_what_keeps_its_line(field, number):
    crystal = square()
    model = model_from_terms(
        crystal, ("J",), [BondTerm("heisenberg", terms.heisenberg("J", ("J",)), Bond(0, 0, (1, 0, 0)))]
    )
    assert len(model_operations(model, field=field)) == number


def test_kept_operations_leave_the_energy_and_others_do_not():
    model = single_bond_model()
    crystal, cell = model.crystal, supercell((4, 4, 1), n_site=1)
    spins = np.random.default_rng(1).normal(size=(16, 3))
    energies = coupling_energies(model, spins, cell=cell)
    maps = site_maps(crystal.vectors, crystal.positions, crystal.rotations, crystal.translations)
    axial = axial_rotations(crystal)
    same = []
    for o in range(len(crystal.rotations)):
        where = cell.site_index(maps.site[o, 0], cell.cells @ crystal.rotations[o].T + maps.cell[o, 0])
        image = np.empty_like(spins)
        image[where] = spins @ axial[o].T
        if np.allclose(coupling_energies(model, image, cell=cell), energies):
            same.append(o)
    assert same == model_operations(model).tolist()
