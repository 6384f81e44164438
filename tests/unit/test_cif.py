"""Crystals from CIF files written here: what they hold, and what is refused."""

import numpy as np
import pytest

from spinscape.errors import ConfigError, DataError, SymmetryError
from spinscape.lattice.cif import MagneticIon, read_cif
from spinscape.lattice.cif_file import fitting_settings, number, read_block
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.spacegroup import space_group
from spinscape.lattice.symmetry import SiteSpec, crystal_from_space_group
from spinscape.lattice.triplets import triplet_from_operation

NICKEL = {"Ni": MagneticIon("Ni2+", 1.0)}
CELL = {"a": "5.43(1)", "b": 5.43, "c": 5.43, "alpha": 90, "beta": "90.", "gamma": 90}
HEADER = ("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")
ATOMS = ("Ni1 Ni 0.125 0.125 0.125 1", "O1 O2- 0.2500 0.3(1) 0.4 1.000(5)")


def operations_text(group, tag="_space_group_symop_operation_xyz"):
    found = space_group(group)
    rows = [f"'{triplet_from_operation(W, t)}'" for W, t in zip(found.rotations, found.translations, strict=True)]
    return "\n".join(["loop_", tag, *rows])


def cif(tmp_path, *, cell=None, symmetry="P1", header=HEADER, atoms=ATOMS, extra="", name="data_test"):
    """Write a CIF; ``symmetry`` is a group whose operations are listed, or text of its own."""
    lines = [name]
    for key, value in {**CELL, **(cell or {})}.items():
        tag = "length" if len(key) == 1 else "angle"
        lines += [f"_cell_{tag}_{key} {value}"] if value is not None else []
    lines += [symmetry if symmetry.startswith(("_", "loop_")) else operations_text(symmetry), extra, "loop_"]
    lines += [f"_atom_site_{tag}" for tag in header]
    path = tmp_path / "test.cif"
    path.write_text("\n".join([*lines, *atoms]) + "\n", encoding="utf-8")
    return path


def test_a_diamond_lattice_has_its_sites_and_group(tmp_path):
    path = cif(tmp_path, symmetry="Fd-3m")
    crystal = read_cif(path, {"Ni": MagneticIon("Ni2+", 1.0, 2.2 * np.eye(3))})
    same = crystal_from_space_group(
        lattice_vectors(a=5.43, b=5.43, c=5.43), "Fd-3m", [SiteSpec("Ni1", "Ni2+", (0.125,) * 3, 1.0, 2.2 * np.eye(3))]
    )
    assert crystal.n_site == 8
    for name in ("vectors", "positions", "spins", "g", "orbit"):
        np.testing.assert_allclose(getattr(crystal, name), getattr(same, name), atol=1e-12, err_msg=name)
    assert (crystal.labels, crystal.ions) == (same.labels, same.ions)
    assert len(crystal.rotations) == 192


@pytest.mark.parametrize("group", ["P2_1/c", "Pbnm", "R-3m:R", "R-3m:H", "P6_3/mmc", "Fd-3m:1", "I4_1/amd"])
def test_listed_operations_and_named_settings_give_the_same_crystal(tmp_path, group):
    cell = {
        "P2_1/c": {"b": 6, "c": 7, "beta": 101},
        "Pbnm": {"b": 6, "c": 7},
        "R-3m:R": {"alpha": 57.1, "beta": 57.1, "gamma": 57.1},
        "I4_1/amd": {"c": 7},
    }.get(group, {"c": 9, "gamma": 120} if group[0] in "PR" else {})
    cell = {"a": 5.43, **cell}
    crystal = read_cif(cif(tmp_path, cell=cell, symmetry=group), NICKEL)
    numbers = {**{key: float(value) for key, value in CELL.items() if key != "a"}, **cell}
    vectors = lattice_vectors(**numbers)
    same = crystal_from_space_group(vectors, group, [SiteSpec("Ni1", "Ni2+", (0.125,) * 3, 1.0)])
    np.testing.assert_allclose(crystal.positions, same.positions, atol=1e-12)
    if group not in ("Fd-3m:1", "I4_1/amd"):
        named = read_cif(cif(tmp_path, cell=cell, symmetry=f"_space_group_name_H-M_alt '{group}'"), NICKEL)
        np.testing.assert_allclose(named.positions, same.positions, atol=1e-12)


@pytest.mark.parametrize(
    "symmetry",
    [
        operations_text("Pnma", "_symmetry_equiv_pos_as_xyz"),
        operations_text("Pnma", "_space_group_symop.operation_xyz"),
        operations_text("Pnma") + "\n_symmetry_Int_Tables_number 62",
        "_symmetry_space_group_name_H-M 'P n m a'",
        "_space_group_name_H-M_alt 'P 21/n 21/m 21/a'\n",
    ],
)
def test_old_and_new_tags_of_the_symmetry(tmp_path, symmetry):
    crystal = read_cif(cif(tmp_path, cell={"b": 7, "c": 8}, symmetry=symmetry), NICKEL)
    assert crystal.n_site == 8
    assert len(crystal.rotations) == 8


def test_older_files_name_the_setting_behind_the_symbol():
    cubic, hexagonal = np.eye(3) * 5, lattice_vectors(a=5, b=5, c=9, gamma=120)
    assert [g.hall_number for g in fitting_settings("F d -3 m S", cubic)] == [525]
    assert [g.hall_number for g in fitting_settings("F d -3 m Z", cubic)] == [526]
    assert [g.name for g in fitting_settings("R -3 m H", hexagonal)] == ["R-3m:H"]
    assert [g.name for g in fitting_settings("R -3 m", hexagonal)] == ["R-3m:H"]
    assert len(fitting_settings("F d -3 m", cubic)) == 2


def test_atoms_are_named_by_label_type_or_element_the_special_name_first(tmp_path):
    atoms = ("Ni1 Ni2+ 0.1 0 0 1", "Ni2 Ni2+ 0.4 0 0 1", "Ni3 Ni3+ 0.7 0 0 1", "Xx1 Xx ? ? ? .")
    ions = {"Ni2": MagneticIon("Ni2+", 0.5), "Ni": MagneticIon("Ni2+", 1.0), "Ni3+": MagneticIon("Ni3+", 1.5)}
    crystal = read_cif(cif(tmp_path, atoms=atoms[:3]), ions)
    assert crystal.spins.tolist() == [1.0, 0.5, 1.5]
    assert crystal.labels == ("Ni1", "Ni2", "Ni3")
    # A dummy atom has no place.
    dummy = tuple(f"{row} {flag}" for row, flag in zip(atoms, (".", ".", ".", "dum"), strict=True))
    assert read_cif(cif(tmp_path, header=(*HEADER, "calc_flag"), atoms=dummy), ions).n_site == 3


def test_types_come_from_labels_where_the_file_has_none(tmp_path):
    header, atoms = ("label", "fract_x", "fract_y", "fract_z", "occupancy"), ("Ni1A 0 0 0 1", "O2 0.5 0.5 0 1")
    assert read_cif(cif(tmp_path, header=header, atoms=atoms), NICKEL).labels == ("Ni1A",)


def test_one_of_several_blocks_is_named(tmp_path):
    path = cif(tmp_path)
    once = path.read_text(encoding="utf-8")
    path.write_text(once + once.replace("data_test", "data_other") + "data_text\n_a 1\n", encoding="utf-8")
    with pytest.raises(DataError, match="not one block"):
        read_cif(path, NICKEL)
    assert read_cif(path, NICKEL, block="other").n_site == 1
    with pytest.raises(DataError, match="no block 'text'"):
        read_cif(path, NICKEL, block="text")


@pytest.mark.parametrize(
    ("atom", "flaw"),
    [
        ("Ni1 Ni 0 0 0 0.95(2) .", "occupancy 0.95(2)"),
        ("Ni1 Ni 0 0 0 1.5 .", "occupancy 1.5"),
        ("Ni1 Ni 0 0 0 1 2", "disorder group 2"),
        ("Ni1 Ni 0 0 0 1 -1", "disorder group -1"),
        ("Ni1 Ni 0 0 0 ? .", "no occupancy"),
    ],
)
def test_disorder_names_the_atom(tmp_path, atom, flaw):
    header = (*HEADER, "disorder_group")
    with pytest.raises(DataError, match="atom Ni1") as caught:
        read_cif(cif(tmp_path, header=header, atoms=(atom,)), NICKEL)
    assert caught.value.got == flaw
    # Elsewhere it may be accepted, by a word.
    other = atom.replace("Ni1 Ni 0 0 0", "La1 La .5 .5 .5")
    path = cif(tmp_path, header=header, atoms=("Ni1 Ni 0 0 0 1 .", other))
    with pytest.raises(DataError, match="atom La1"):
        read_cif(path, NICKEL)
    assert read_cif(path, NICKEL, allow_disorder_elsewhere=True).n_site == 1


def test_a_file_without_occupancies_needs_a_word(tmp_path):
    path = cif(tmp_path, header=HEADER[:-1], atoms=("Ni1 Ni 0 0 0",))
    with pytest.raises(DataError, match="no occupancy") as caught:
        read_cif(path, NICKEL)
    assert "assume_full_occupancy" in caught.value.fix
    assert read_cif(path, NICKEL, assume_full_occupancy=True).n_site == 1


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"cell": {"a": None}}, DataError, "number of a CIF"),
        ({"cell": {"a": "5,43"}}, DataError, "number of a CIF"),
        ({"cell": {"a": "-5"}}, DataError, "out of range"),
        ({"cell": {"gamma": "1e999"}}, DataError, "out of range"),
        ({"cell": {"alpha": 20, "beta": 20, "gamma": 60}}, DataError, "form no lattice"),
        ({"atoms": ("Ni1 Ni 1e300 0 0 1",)}, DataError, "out of range"),
        ({"cell": {"c": 5.5}, "symmetry": "Fd-3m"}, SymmetryError, "lattice of a file contradicts"),
        ({"symmetry": "_space_group_name_H-M_alt ?"}, DataError, "names no symmetry"),
        ({"symmetry": "_space_group_name_H-M_alt 'F d -3 m'"}, SymmetryError, "leaves the setting open"),
        ({"symmetry": "_space_group_IT_number 194"}, SymmetryError, "no setting of the symbol fits"),
        ({"symmetry": "_space_group_name_H-M_alt 'Q 1'"}, SymmetryError, "unknown space group"),
        ({"symmetry": operations_text("Pnma").rsplit("\n", 1)[0]}, SymmetryError, "form no group"),
        ({"symmetry": operations_text("P4").replace("'y", "'-y")}, SymmetryError, "form no group"),
        ({"symmetry": operations_text("Pnma") + "\n_symmetry_Int_Tables_number 61"}, SymmetryError, "not those of its"),
        ({"symmetry": operations_text("P1").replace("z'", "z+'")}, DataError, "operation cannot be read"),
        ({"atoms": ("Ni1 Ni ? 0 0 1",)}, DataError, "number of a CIF"),
        ({"atoms": ("Ni1 Ni 0 0 0 1", "Ni1 Ni .5 0 0 1")}, DataError, "labels of their own"),
        ({"atoms": ("Ni1 Ni .1 0 0 1", "Ni2 Ni .1 0 0 1")}, SymmetryError, "two sites coincide"),
        ({"atoms": ("O1 O .1 0 0 1",)}, ConfigError, "no atom of the CIF is called 'Ni'"),
        ({"atoms": ("Ni1 Ni 0 0",)}, DataError, "CIF cannot be read"),
        ({"extra": "_dot 1\n_dot 2"}, DataError, "CIF cannot be read"),
        ({"name": "<html>"}, DataError, "CIF cannot be read"),
    ],
)
def test_bad_files(tmp_path, change, error, match):
    with pytest.raises(error, match=match):
        read_cif(cif(tmp_path, **change), NICKEL)


def test_files_that_are_none(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_cif(tmp_path / "absent.cif", NICKEL)
    (tmp_path / "noise.cif").write_bytes(bytes(range(256)) * 10)
    (tmp_path / "empty.cif").write_bytes(b"")
    for name in ("noise.cif", "empty.cif"):
        with pytest.raises(DataError):
            read_cif(tmp_path / name, NICKEL)
    with pytest.raises(ConfigError, match="no magnetic ions"):
        read_cif(cif(tmp_path), {})


def test_a_file_in_latin_letters_is_read(tmp_path):
    path = cif(tmp_path, extra="_publ_author_name 'N\u00e9el, L.'")
    path.write_bytes(path.read_text(encoding="utf-8").encode("latin-1"))
    assert read_cif(path, NICKEL).n_site == 1
    assert read_block(path).value("_publ_author_name") == "N\u00e9el, L."


@pytest.mark.parametrize(("text", "value"), [("1", 1.0), ("-.5(12)", -0.5), ("1.5e-3", 0.0015), ("2.(3)", 2.0)])
def test_numbers_lose_their_uncertainty(text, value):
    assert number(text, where="here") == value


@pytest.mark.parametrize("text", ["", None, "1.2.3", "nan", "inf", "1(2", "one"])
def test_what_is_no_number(text):
    with pytest.raises(DataError, match="number of a CIF"):
        number(text, where="here")
