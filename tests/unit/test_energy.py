"""Classical energies and fields: closed forms, and a loop over bonds as the second method."""

import numpy as np
import pytest

from spinscape.errors import ShapeError
from spinscape.hamiltonian import terms
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.dipolar import DipolarTable
from spinscape.hamiltonian.dipole_sums import dipole_interaction
from spinscape.hamiltonian.energy import coupling_energies, effective_field, energy, pair_list, zeeman_field
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model
from spinscape.hamiltonian.terms import BondTerm, OnsiteTerm
from spinscape.lattice.bonds import Bond, neighbour_shells, shell_bond
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.supercell import supercell
from spinscape.lattice.symmetry import SiteSpec, crystal_from_sites, crystal_from_space_group
from spinscape.units import MU_B

ROUNDING = 1e-9
CUBIC = lattice_vectors(a=10.0, b=10.0, c=10.0)
HEXAGONAL = lattice_vectors(a=6.0, b=6.0, c=9.0, gamma=120.0)


def site(position, label="A", **changes):
    return SiteSpec(**{"label": label, "ion": "Ni2+", "position": position, "spin": 1.0, **changes})


def single(crystal, kind, coefficients, bond, **changes):
    return model_from_terms(crystal, tuple(coefficients), [BondTerm(kind, coefficients, bond, **changes)])


SQUARE = crystal_from_space_group(lattice_vectors(a=4.0, b=4.0, c=9.0), "P4/mmm", [site((0, 0, 0))])
PYROCHLORE = crystal_from_space_group(CUBIC, "Fd-3m", [site((0.5, 0.5, 0.5))])
HONEYCOMB = crystal_from_sites(HEXAGONAL, [site((1 / 3, 2 / 3, 0)), site((2 / 3, 1 / 3, 0))], find_symmetry=False)


def kitaev_heisenberg():
    """Return H = J Σ S·S + K Σ S^γ S^γ on the honeycomb, γ = x, y, z on the three bonds of a site."""
    names = ("J", "K")
    rows = []
    for axis, offset in zip("xyz", ((0, 0, 0), (-1, 0, 0), (0, 1, 0)), strict=True):
        rows.append(BondTerm("heisenberg", terms.heisenberg("J", names), Bond(0, 1, offset), symmetry=False))
        rows.append(BondTerm("kitaev", terms.kitaev("K", axis, names), Bond(0, 1, offset), symmetry=False))
    return model_from_terms(HONEYCOMB, names, rows)


def test_neel_order_on_the_square_lattice():
    names = ("J", "Jp")
    model = model_from_terms(
        SQUARE,
        names,
        [
            BondTerm("heisenberg", terms.heisenberg("J", names), Bond(0, 0, (1, 0, 0))),
            BondTerm("heisenberg", terms.heisenberg("Jp", names), Bond(0, 0, (1, 1, 0))),
        ],
    )
    cell = supercell((4, 4, 1), n_site=1)
    spins = np.zeros((16, 3))
    spins[:, 2] = 1.5 * (-1.0) ** cell.cells.sum(axis=1)
    # Two bonds of each kind for a site: −2 J S² and +2 J' S².
    assert coupling_energies(model, spins, cell=cell) == pytest.approx([-32 * 2.25, 32 * 2.25])
    assert energy(model, spins, [30.0, 2.0], cell=cell) == pytest.approx(-28 * 32 * 2.25)
    # Every spin lies along its field, h = (4J − 4J') S.
    field = effective_field(model, spins, [30.0, 2.0], cell=cell)
    assert field == pytest.approx(4 * 28.0 * spins, abs=ROUNDING)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Energies per site of the four classical phases (Chaloupka, Jackeli, Khaliullin 2010).
        ("neel", lambda J, K: -(3 * J + K) / 2),
        ("ferro", lambda J, K: (3 * J + K) / 2),
        ("zigzag", lambda J, K: (J - K) / 2),
        ("stripy", lambda J, K: (K - J) / 2),
    ],
)
def test_the_phases_of_the_kitaev_heisenberg_model(name, expected):
    model = kitaev_heisenberg()
    cell = supercell((2, 2, 1), n_site=2)
    # Signs along z; the z bond goes from A to B in the next cell along b.
    row = (-1.0) ** cell.cells[:, 1]
    a, b = {
        "neel": (1 + 0 * row, -1 + 0 * row),
        "ferro": (1 + 0 * row, 1 + 0 * row),
        "zigzag": (row, row),
        "stripy": (row, -row),
    }[name]
    spins = np.zeros((8, 3))
    spins[0::2, 2], spins[1::2, 2] = a, b
    for J, K in ((1.0, 0.3), (-0.7, 2.0)):
        assert energy(model, spins, [J, K], cell=cell) / 8 == pytest.approx(expected(J, K), abs=ROUNDING)


def test_spin_ice_states():
    model = single(PYROCHLORE, "heisenberg", terms.heisenberg("J", ("J",)), shell_bond(PYROCHLORE, 1))
    cell = supercell((1, 1, 1), n_site=16)
    # Every site points to the middle of its tetrahedron of one kind, along one of four local axes.
    corner = np.array([0.375, 0.375, 0.375])
    middles = corner + np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    steps = middles[None] - PYROCHLORE.positions[:, None]
    steps -= np.round(steps)
    inward = np.array([row[np.linalg.norm(row, axis=1).argmin()] for row in steps])
    inward /= np.linalg.norm(inward, axis=1, keepdims=True)
    kinds, sublattice = np.unique(np.round(inward * np.sqrt(3)).astype(int), axis=0, return_inverse=True)
    assert len(kinds) == 4
    # ẑ_i·ẑ_j = −1/3, so that J_nn = −J/3: all in costs 3 J_nn a site, two in and two out −J_nn.
    assert energy(model, inward, [-3.0], cell=cell) / 16 == pytest.approx(3.0, abs=ROUNDING)
    ice = inward * np.where(sublattice.ravel() < 2, 1.0, -1.0)[:, None]
    assert energy(model, ice, [-3.0], cell=cell) / 16 == pytest.approx(-1.0, abs=ROUNDING)


def test_a_dm_dimer():
    crystal = crystal_from_sites(CUBIC, [site((0, 0, 0)), site((0.3, 0, 0), "B")], find_symmetry=False)
    model = single(crystal, "dm", terms.dm((0, 0, "D"), ("D",)), Bond(0, 1, (0, 0, 0)))
    cell = supercell((1, 1, 1), n_site=2)
    for phi in (0.3, np.pi / 2, 2.0):
        spins = np.array([[1.0, 0, 0], [np.cos(phi), np.sin(phi), 0]])
        assert energy(model, spins, [0.8], cell=cell) == pytest.approx(0.8 * np.sin(phi), abs=ROUNDING)


def test_anisotropy_and_its_field():
    names = ("D",)
    model = model_from_terms(SQUARE, names, [OnsiteTerm("anisotropy", terms.easy_axis("D", (0, 0, 1), names), 0)])
    cell = supercell((2, 1, 1), n_site=1)
    spins = np.array([[0.6, 0.0, 0.8], [1.0, 0.0, 0.0]])
    assert energy(model, spins, [-0.5], cell=cell) == pytest.approx(-0.5 * 0.64)
    assert effective_field(model, spins, [-0.5], cell=cell) == pytest.approx(np.array([[0, 0, 0.8], [0, 0, 0]]))


def test_a_moment_turns_into_the_field_and_its_spin_against_it():
    crystal = crystal_from_sites(CUBIC, [site((0, 0, 0), g=np.diag([2.0, 2.0, 3.0]))])
    names = ("D",)
    model = model_from_terms(crystal, names, [OnsiteTerm("anisotropy", terms.easy_axis("D", (0, 0, 1), names), 0)])
    conditions = Conditions(field=(0.0, 0.0, 5.0))
    cell = supercell((1, 1, 1), n_site=1)
    up, down = np.array([[0, 0, 1.0]]), np.array([[0, 0, -1.0]])
    gap = energy(model, up, [0.0], cell=cell, conditions=conditions) - energy(
        model, down, [0.0], cell=cell, conditions=conditions
    )
    assert gap == pytest.approx(2 * 3 * MU_B * 5)
    assert zeeman_field(model, conditions) == pytest.approx(np.array([[0, 0, -15 * MU_B]]))
    assert energy(model, up, [0.0], cell=cell) == 0.0


def test_a_loop_over_bonds_gives_the_same():
    crystal = crystal_from_space_group(HEXAGONAL, "P-31m", [site((1 / 3, 2 / 3, 0))])
    rng = np.random.default_rng(4)
    names = tuple(f"J{k}" for k in range(4))
    rows = []
    for name, shell in zip(names, neighbour_shells(crystal, n_shell=4)[:4], strict=True):
        rows.append(BondTerm("heisenberg", terms.heisenberg(name, names), shell.bond))
    model = model_from_terms(crystal, names, rows)
    cell, theta = supercell([[2, 1, 0], [0, 3, 1], [0, 0, 2]], n_site=2), rng.normal(size=4)
    spins = rng.normal(size=(cell.n_spin, 3))
    total, field = 0.0, np.zeros_like(spins)
    b = model.bonds
    for n in cell.cells:
        for i, j, offset, k, M in zip(b.site_i, b.site_j, b.offset, b.parameter, b.matrix, strict=True):
            p, q = cell.site_index(i, n), cell.site_index(j, n + offset)
            total += theta[k] * spins[p] @ M @ spins[q]
            field[p] -= theta[k] * M @ spins[q]
            field[q] -= theta[k] * M.T @ spins[p]
    assert energy(model, spins, theta, cell=cell) == pytest.approx(total)
    assert effective_field(model, spins, theta, cell=cell) == pytest.approx(field, abs=ROUNDING)
    assert len(pair_list(model, cell).first) == b.n_bond * cell.n_cell


def test_wrong_shapes_are_refused():
    model, cell = kitaev_heisenberg(), supercell((1, 1, 1), n_site=2)
    with pytest.raises(ShapeError, match="spins"):
        energy(model, np.zeros((3, 2)), [1.0, 1.0], cell=cell)
    with pytest.raises(ShapeError, match="theta"):
        effective_field(model, np.zeros((2, 3)), [1.0], cell=cell)


def test_dipoles_of_a_supercell_are_those_of_its_lattice():
    """Second method: the Ewald sums of the supercell as one large cell, between all of its sites."""
    turned = np.diag([2.0, 2.2, 1.7]) + 0.1
    sites = [site((0, 0, 0), g=turned), site((0.4, 0.3, 0.1), "B", spin=1.5)]
    crystal = crystal_from_sites(CUBIC, sites, find_symmetry=False)
    bonds = BondTable([0], [1], [[0, 0, 0]], [0], [np.eye(3)])
    model = Model(crystal, ("J", "D"), bonds, dipolar=DipolarTable([1, 0], [500.0, 20.0]))
    cell, rng = supercell([[1, 1, 0], [0, 2, 0], [0, 0, 2]], n_site=2), np.random.default_rng(0)
    spins = rng.normal(size=(8, 3))
    structure = MagneticStructure(cell.matrix, [0, 1] * 4, np.repeat(cell.cells, 2, axis=0), spins)
    between = dipole_interaction(crystal, structure, np.zeros((1, 3)))[0].real
    whole = 0.5 * np.einsum("ia,ijab,jb->", spins, between, spins)
    exchange = np.sum(spins[0::2] * spins[1::2])
    expected = [exchange + 20.0 * whole, 500.0 * whole]
    assert coupling_energies(model, spins, cell=cell) == pytest.approx(expected, rel=1e-10)
    theta = np.array([0.7, -1.3])
    field = effective_field(model, spins, theta, cell=cell)
    steps = 1e-5 * np.eye(24).reshape(24, 8, 3)
    slope = [energy(model, spins + d, theta, cell=cell) - energy(model, spins - d, theta, cell=cell) for d in steps]
    assert field.ravel() == pytest.approx(-np.array(slope) / 2e-5, abs=1e-6)
