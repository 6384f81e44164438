"""Magnetic CIF files written here: moments on every site, clashes, and the way to the chemical cell."""

import numpy as np
import pytest

from spinscape.errors import ConfigError, DataError, SymmetryError
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.magnetic_cif import read_mcif
from spinscape.hamiltonian.terms import BondTerm, heisenberg
from spinscape.lattice.bonds import shell_bond
from spinscape.lattice.cif import MagneticIon
from spinscape.lattice.magnetic_cif import read_ordered_crystal
from spinscape.lattice.parent_cell import read_in_parent_cell
from spinscape.lattice.spacegroup import space_group
from spinscape.lattice.symmetry import cartesian_rotations
from spinscape.lattice.triplets import triplet_from_operation
from spinscape.simulate.modes import modes
from spinscape.simulate.quadratic import quadratic_form

MANGANESE = {"Mn": MagneticIon("Mn3+", 2.0)}
PARENT = "_parent_space_group.name_H-M_alt 'P 4/m m m'\n_parent_space_group.child_transform_Pp_abc 'a-b,a+b,c;0,0,0'"


def mcif(tmp_path, *, cell, operations, atoms, moments, centering=("x,y,z,+1",), extra=PARENT, old=False):
    """Write a magnetic CIF; atoms are rows of label, type, x, y, z, and moments of label, mx, my, mz."""
    dot = "_" if old else "."
    lines = ["data_m"]
    lines += [f"_cell_length_{k} {v}" for k, v in zip("abc", cell, strict=False)]
    lines += [f"_cell_angle_{k} {v}" for k, v in zip(("alpha", "beta", "gamma"), cell[3:], strict=True)]
    tags = ("operation", "centering")
    for tag, rows in zip(tags, (operations, centering), strict=True):
        name = f"_space_group_symop{'.' if old else '_'}magn_{tag}{'_' if old else '.'}xyz"
        lines += ["loop_", name, *(f"'{row}'" for row in rows)] if rows else []
    lines += [extra, "loop_", *(f"_atom_site_{t}" for t in ("label", "type_symbol", "fract_x", "fract_y", "fract_z"))]
    lines += ["_atom_site_occupancy", *(f"{row} 1" for row in atoms), "loop_", f"_atom_site_moment{dot}label"]
    lines += [*(f"_atom_site_moment{dot}crystalaxis_{axis}" for axis in "xyz"), *moments]
    path = tmp_path / "test.mcif"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def along_c(group="P4/mmm"):
    """The operations of a tetragonal group, time reversed where they turn a moment along c round."""
    found = space_group(group)
    turns = cartesian_rotations(np.diag([1.0, 1.0, 2.0]), found.rotations)
    signs = np.round(np.linalg.det(turns) * turns[:, 2, 2]).astype(int)
    rows = zip(found.rotations, found.translations, signs, strict=True)
    return [f"{triplet_from_operation(W, t)},{sign:+d}" for W, t, sign in rows]


ANTI = ("x,y,z,+1", "x+1/2,y+1/2,z,-1")
EDGE = round(4.0 * np.sqrt(2.0), 9)


def square(tmp_path, **change):
    """A square antiferromagnet of edge 4 Å, in its magnetic cell, with ligands on the bonds of the square."""
    plain = {
        "cell": (EDGE, EDGE, 6, 90, 90, 90),
        "operations": along_c(),
        "centering": ANTI,
        "atoms": ("Mn1 Mn 0 0 0", "O1 O 0.25 0.25 0"),
        "moments": ("Mn1 0 0 3.9(1)",),
    }
    return mcif(tmp_path, **{**plain, **change})


@pytest.mark.parametrize("old", [False, True])
def test_an_anticentering_turns_moments_round(tmp_path, old):
    ordered = read_ordered_crystal(square(tmp_path, old=old), MANGANESE)
    assert ordered.crystal.n_site == 2
    np.testing.assert_allclose(ordered.crystal.positions, [[0, 0, 0], [0.5, 0.5, 0]])
    np.testing.assert_allclose(ordered.moment, [[0, 0, 3.9], [0, 0, -3.9]], atol=1e-12)
    np.testing.assert_array_equal(ordered.magnetic_cell, np.eye(3))
    # Sixteen operations and as many with the translation; time reversal is left out.
    assert len(ordered.crystal.rotations) == 32


def test_the_parent_cell_holds_one_site_and_the_structure_two(tmp_path):
    ordered = read_in_parent_cell(square(tmp_path), MANGANESE)
    np.testing.assert_allclose(ordered.crystal.vectors, np.diag([4.0, 4.0, 6.0]), atol=1e-8)
    assert ordered.crystal.n_site == 1
    assert len(ordered.crystal.rotations) == 16
    np.testing.assert_array_equal(ordered.magnetic_cell, [[1, -1, 0], [1, 1, 0], [0, 0, 1]])
    np.testing.assert_array_equal(ordered.cell, [[0, 0, 0], [1, 0, 0]])
    np.testing.assert_allclose(ordered.moment, [[0, 0, 3.9], [0, 0, -3.9]], atol=1e-12)


def test_moments_turn_with_the_frame_of_the_parent(tmp_path):
    # Along a of the file's cell, which is a - b of the parent.
    path = square(tmp_path, operations=("x,y,z,+1",), moments=("Mn1 2 0 0",), atoms=("Mn1 Mn 0 0 0",))
    ordered = read_in_parent_cell(path, MANGANESE)
    along = np.array([1.0, -1.0, 0.0]) * np.sqrt(2.0)
    np.testing.assert_allclose(ordered.moment, [along, -along], atol=1e-7)


def test_g_tensors_turn_too(tmp_path):
    path = square(tmp_path, operations=("x,y,z,+1", "-x,-y,z,+1"), moments=("Mn1 0 0 1",), atoms=("Mn1 Mn 0 0 0",))
    ions = {"Mn": MagneticIon("Mn3+", 2.0, np.diag([1.0, 3.0, 2.0]))}
    with pytest.raises(SymmetryError, match="forbids its g tensor"):  # the parent's fourfold axis does
        read_in_parent_cell(path, ions)
    extra = PARENT.replace("P 4/m m m", "P 1")
    path = square(tmp_path, operations=("x,y,z,+1",), moments=("Mn1 0 0 1",), atoms=("Mn1 Mn 0 0 0",), extra=extra)
    g = read_in_parent_cell(path, ions).crystal.g[0]
    along, across = np.array([1.0, -1.0, 0.0]) / np.sqrt(2), np.array([1.0, 1.0, 0.0]) / np.sqrt(2)
    np.testing.assert_allclose([along @ g @ along, across @ g @ across, g[2, 2]], [1, 3, 2], atol=1e-7)


def test_spins_are_against_their_moments(tmp_path):
    crystal, structure = read_mcif(square(tmp_path), MANGANESE)
    np.testing.assert_array_equal(structure.direction, [[0, 0, -1], [0, 0, 1]])
    assert (structure.n_sublattice, crystal.ions[0]) == (2, "Mn3+")
    # m = -g S with an anisotropic g: the spin is not antiparallel to the moment.
    ions = {"Mn": MagneticIon("Mn3+", 2.0, np.diag([1.0, 1.0, 4.0]))}
    path = square(tmp_path, operations=("x,y,z,+1",), moments=("Mn1 1 0 4",), centering=("x,y,z,+1",))
    _, structure = read_mcif(path, ions)
    np.testing.assert_allclose(structure.direction, [[-np.sqrt(0.5), 0, -np.sqrt(0.5)]], atol=1e-12)
    with pytest.raises(ConfigError, match="without inverse"):
        read_mcif(path, {"Mn": MagneticIon("Mn3+", 2.0, np.diag([1.0, 1.0, 0.0]))})


def test_both_cells_have_the_same_spin_waves(tmp_path):
    q = np.array([[0.5, 0.5, 0.0], [0.3, 0.1, 0.2], [0.25, 0.25, 0.5]])  # r.l.u. of the parent
    energies = []
    for parent in (True, False):
        crystal, structure = read_mcif(square(tmp_path), MANGANESE, parent_cell=parent)
        term = BondTerm("heisenberg", heisenberg("J", ("J",)), shell_bond(crystal, 1))
        model = model_from_terms(crystal, ("J",), [term])
        there = q if parent else q @ np.array([[1, 1, 0], [-1, 1, 0], [0, 0, 1]])
        energies.append(modes(quadratic_form(model, structure, there), [1.0]).energies)
    np.testing.assert_allclose(energies[0], energies[1], atol=1e-7)
    # E = 4 J S sqrt(1 - γ²) of the square antiferromagnet.
    gamma = 0.5 * (np.cos(2 * np.pi * q[1, 0]) + np.cos(2 * np.pi * q[1, 1]))
    np.testing.assert_allclose(energies[0][1], 8 * np.sqrt(1 - gamma**2), rtol=1e-9)


HEXAGON = (5 * np.sqrt(3.0), 5 * np.sqrt(3.0), 7, 90, 90, 120)
TRIPLE = (
    "_parent_space_group.name_H-M_alt 'P 6/m m m'\n_parent_space_group.child_transform_Pp_abc '2a+b,-a+b,c;0,0,1/2'"
)


def test_three_sublattices_at_120_degrees_become_one_orbit(tmp_path):
    atoms = ("Mn1 Mn 0 0 0", "Mn2 Mn 0.33333 0.66667 0", "Mn3 Mn 0.66667 0.33333 0")
    # Components along a and b at 120°: (1, 0), (0, 1) and (-1, -1) have equal lengths and sum to zero.
    moments = ("Mn1 2 0 0", "Mn2 0 2 0", "Mn3 -2 -2 0")
    path = mcif(tmp_path, cell=HEXAGON, operations=("x,y,z,+1",), atoms=atoms, moments=moments, extra=TRIPLE)
    ordered = read_in_parent_cell(path, MANGANESE)
    assert ordered.crystal.n_site == 1
    np.testing.assert_allclose(ordered.crystal.positions, [[0, 0, 0.5]], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(ordered.crystal.vectors, axis=1), [5, 5, 7], atol=1e-9)
    np.testing.assert_array_equal(ordered.magnetic_cell, [[2, 1, 0], [-1, 1, 0], [0, 0, 1]])
    np.testing.assert_allclose(ordered.moment @ ordered.moment.T, 4 * (1.5 * np.eye(3) - 0.5), atol=1e-9)
    # Atom 2 lies at (1/3)(2a + b) + (2/3)(-a + b) = b.
    np.testing.assert_array_equal(ordered.cell, [[0, 0, 0], [0, 1, 0], [1, 1, 0]])


def test_a_threefold_axis_turns_moments_in_its_plane(tmp_path):
    operations = ("x,y,z,+1", "-y,x-y,z,+1", "-x+y,-x,z,+1")
    path = mcif(tmp_path, cell=HEXAGON, operations=operations, atoms=("Mn1 Mn 0.3 0 0",), moments=("Mn1 0.5 0 1",))
    ordered = read_ordered_crystal(path, MANGANESE)
    positions, moments = ordered.crystal.positions @ ordered.crystal.vectors, ordered.moment
    # The moment keeps its angle to the way from the axis, here along it.
    middle = np.round(ordered.crystal.positions / 1.0)
    way = positions - middle @ ordered.crystal.vectors
    np.testing.assert_allclose(np.cross(way, moments)[:, 2], 0.0, atol=1e-9)
    np.testing.assert_allclose(moments[:, 2], 1.0)
    np.testing.assert_allclose(np.linalg.norm(moments[:, :2], axis=1), 0.5)


def test_a_mirror_keeps_the_axial_vector_across_it(tmp_path):
    operations = ("x,y,z,+1", "x,y,-z,+1", "-x,y,z,-1", "-x,y,-z,-1")
    path = square(tmp_path, operations=operations, centering=(), atoms=("Mn1 Mn 0.2 0 0.3",), moments=("Mn1 1 2 3",))
    ordered = read_ordered_crystal(path, MANGANESE)
    expected = {(0.2, 0.3): (1, 2, 3), (0.2, 0.7): (-1, -2, 3), (0.8, 0.3): (-1, 2, 3), (0.8, 0.7): (1, -2, 3)}
    for position, moment in zip(ordered.crystal.positions, ordered.moment, strict=True):
        np.testing.assert_allclose(moment, expected[tuple(np.round(position[[0, 2]], 6))], atol=1e-12)


def test_rounded_moments_are_made_to_fit(tmp_path):
    # Along [210] of a hexagonal cell: (2, 1) printed as (1.15, 0.58).
    operations = ("x,y,z,+1", "x,x-y,-z,+1")
    path = mcif(tmp_path, cell=HEXAGON, operations=operations, atoms=("Mn1 Mn 0 0 0",), moments=("Mn1 1.15 0.58 0",))
    moment = read_ordered_crystal(path, MANGANESE).moment[0]
    np.testing.assert_allclose(moment, [0.8625, 0.575 * np.sqrt(0.75), 0], atol=5e-3)
    turned = cartesian_rotations(
        read_ordered_crystal(path, MANGANESE).crystal.vectors, np.array([[[1, 0, 0], [1, -1, 0], [0, 0, -1]]])
    )[0]
    np.testing.assert_allclose(turned @ moment, moment, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"moments": ("Mn1 1 0 3.9",)}, "clashes with the magnetic symmetry"),
        ({"operations": [f"{row[:-2]}+1" for row in along_c()]}, "clashes with the magnetic symmetry"),
        ({"centering": ("x,y,z,+1", "x,y,z,-1")}, "clashes with the magnetic symmetry"),  # a grey group
        ({"moments": ("Mn1 0 0 0",)}, "moment of Mn1 is zero"),
        ({"operations": along_c()[:-1]}, "form no group"),
        ({"cell": (EDGE, 4, 6, 90, 90, 90)}, "lattice of a file contradicts"),
    ],
)
def test_clashes_with_the_symmetry(tmp_path, change, match):
    with pytest.raises(SymmetryError, match=match):
        read_ordered_crystal(square(tmp_path, **change), MANGANESE)


def test_a_clash_says_which_operation_and_what_is_allowed(tmp_path):
    with pytest.raises(SymmetryError) as caught:
        read_ordered_crystal(square(tmp_path, moments=("Mn1 1 0 3.9",)), MANGANESE)
    assert caught.value.expected == "a moment such as (0, 0, 3.9) μ_B (Cartesian)"
    assert "(1, 0, 3.9) μ_B, whose image under" in caught.value.got


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"operations": ("x,y,z",)}, "no time reversal"),
        ({"operations": ("x,y,z,2",)}, "no time reversal"),
        ({"operations": ()}, "no magnetic operations"),
        ({"moments": ("Mn1 0 ? 1",)}, "number of a CIF"),
        ({"moments": ("Mn1 0 0 1", "Mn1 0 0 1")}, "two moments"),
        ({"moments": ("O1 0 0 1", "Mn1 0 0 1")}, "O1 has a moment but is not declared"),
        ({"moments": ("O1 0 0 0",)}, "Mn1 has no moment"),
        ({"extra": "_cell_modulation_dimension 1"}, "modulated"),
        ({"atoms": ("Mn1 Mn 0 0 ?",)}, "number of a CIF"),
    ],
)
def test_files_that_lack_something(tmp_path, change, match):
    with pytest.raises(DataError, match=match):
        read_ordered_crystal(square(tmp_path, **change), MANGANESE)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"extra": ""}, DataError, "how its cell follows"),
        ({"extra": PARENT.replace("a-b,a+b", "1/2a,b")}, DataError, "no supercell"),
        ({"extra": PARENT.replace("a-b,a+b", "a+b,a-b")}, DataError, "no supercell"),
        ({"extra": PARENT.replace("a-b,a+b", "a,x")}, DataError, "cannot be read"),
        ({"extra": PARENT.split("\n")[1]}, DataError, "does not name the parent"),
        ({"extra": PARENT.replace("P 4/m m m", "P 6/m m m")}, SymmetryError, "symmetry of the parent"),
        (
            {"operations": ["x,y,z,+1"], "atoms": ("Mn1 Mn 0 0 0", "O1 O 0.25 0.2 0")},
            SymmetryError,
            "symmetry of the parent",
        ),
        ({"extra": PARENT.replace("0,0,0", "1/4,0,0")}, SymmetryError, "symmetry of the parent"),
    ],
)
def test_parents_that_do_not_fit(tmp_path, change, error, match):
    with pytest.raises(error, match=match):
        read_in_parent_cell(square(tmp_path, **change), MANGANESE)


def test_equivalent_ions_of_the_parent_are_declared_alike(tmp_path):
    atoms, moments = ("Mn1 Mn 0 0 0", "Mn2 Mn 0.5 0.5 0"), ("Mn1 0 0 1", "Mn2 0 0 -2")
    path = square(tmp_path, centering=(), atoms=atoms, moments=moments)
    ordered = read_in_parent_cell(path, MANGANESE)
    np.testing.assert_allclose(ordered.moment[:, 2], [1, -2])
    with pytest.raises(SymmetryError, match="do not fill the sites"):
        read_in_parent_cell(path, {"Mn1": MagneticIon("Mn3+", 2.0), "Mn2": MagneticIon("Mn2+", 2.5)})
    # A missing ion leaves a hole.
    path = square(tmp_path, centering=(), moments=("Mn1 0 0 1",))
    with pytest.raises(SymmetryError):
        read_in_parent_cell(path, MANGANESE)


def test_a_space_group_of_ones_own_for_the_parent(tmp_path):
    ordered = read_in_parent_cell(square(tmp_path), MANGANESE, space_group="P4")
    assert len(ordered.crystal.rotations) == 4
