"""Studies whose crystal, and structure, are read from CIF files below the data folder."""

import copy
from pathlib import Path

import numpy as np
import pytest
import yaml

from spinscape.config import build
from spinscape.config.load import load_study, study_from_data
from spinscape.config.model_sections import ModelSections
from spinscape.config.summary import summary
from spinscape.errors import ConfigError, DataError, SpinscapeError, SymmetryError
from spinscape.experiment.fetch import sha256_of

PLAIN = """data_square
_cell_length_a 4
_cell_length_b 4
_cell_length_c 6
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_space_group_name_H-M_alt 'P 4/m m m'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Mn1 Mn 0 0 0 1
O1 O 0.5 0 0 1
"""
EDGE = 4.0 * np.sqrt(2.0)
MAGNETIC = f"""data_square
_cell_length_a {EDGE:.9f}
_cell_length_b {EDGE:.9f}
_cell_length_c 6
_parent_space_group.name_H-M_alt 'P 4/m m m'
_parent_space_group.child_transform_Pp_abc 'a-b,a+b,c;0,0,0'
loop_
_space_group_symop_magn_operation.xyz
x,y,z,+1
-x,-y,z,+1
loop_
_space_group_symop_magn_centering.xyz
x,y,z,+1
x+1/2,y+1/2,z,-1
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
Mn1 Mn 0 0 0 1
O1 O 0.25 0.25 0 1
O2 O 0.25 0.75 0 1
loop_
_atom_site_moment.label
_atom_site_moment.crystalaxis_x
_atom_site_moment.crystalaxis_y
_atom_site_moment.crystalaxis_z
Mn1 0 0 3.9
"""
IONS = {"Mn": {"ion": "Mn3+", "spin": 2, "g": 2.0}}
STUDY = {
    "study": "square",
    "seed": 1,
    "crystal": {"file": "deep/square.mcif", "magnetic_ions": IONS, "parent_cell": True},
    "couplings": {"J": {}},
    "hamiltonian": [{"kind": "heisenberg", "value": "J", "bond": {"from": "Mn1", "to": "Mn1", "offset": [1, 0, 0]}}],
    "structure": {"kind": "file"},
    "paths": {"p": {"vertices": [[0.1, 0, 0], [0.5, 0.5, 0]], "points": [5]}},
    "grid": {"kind": "lattice", "axes": {"J": {"first": "1 meV", "last": "2 meV", "n": 2}}},
    "simulate": {
        "kind": "spinwave",
        "paths": ["p"],
        "energy": {"first": "0 meV", "last": "20 meV", "step": "1 meV"},
        "resolution": {"kind": "gaussian", "fwhm": [1]},
    },
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The data folder with both files."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "square.mcif").write_text(MAGNETIC)
    (tmp_path / "square.cif").write_text(PLAIN)
    monkeypatch.setenv("SPINSCAPE_DATA", str(tmp_path))
    return tmp_path


def study(**crystal):
    data = copy.deepcopy(STUDY)
    data["crystal"] |= crystal
    return data


def test_a_magnetic_cif_gives_crystal_and_structure(folder):
    found = study_from_data(study())
    model, structure = build.build_model(found)
    np.testing.assert_allclose(model.crystal.vectors, np.diag([4.0, 4.0, 6.0]), atol=1e-7)
    assert model.crystal.labels == ("Mn1",) and structure.n_sublattice == 2
    np.testing.assert_allclose(structure.direction, [[0, 0, -1], [0, 0, 1]], atol=1e-12)
    assert "deep/square.mcif, a b c = 4 4 6" in summary(found)
    assert build.path(found, "p").distance[-1] > 0


def test_the_cell_of_the_file_may_be_kept(folder):
    found = study_from_data(study(parent_cell=False))
    model, structure = build.build_model(found)
    assert model.crystal.n_site == structure.n_sublattice == 2


def test_a_plain_cif_gives_the_crystal_alone(folder):
    data = study(file="square.cif", parent_cell=False, unit_spins=True)
    with pytest.raises(ConfigError, match="no magnetic structure"):
        build.build_model(study_from_data(data))
    data["structure"] = {
        "kind": "spiral",
        "k": ["1/2", "1/2", 0],
        "axis": [1, 0, 0],
        "magnetic_cell": [[1, 1, 0], [1, -1, 0], [0, 0, 1]],
        "moments": [{"site": "Mn1", "direction": [0, 0, 1]}],
    }
    model, structure = build.build_model(study_from_data(data))
    assert model.crystal.spins.tolist() == [1.0] and structure.n_sublattice == 2
    assert len(model.crystal.rotations) == 16


def test_the_sum_of_the_file_is_part_of_the_study(folder):
    """What depends on the crystal changes with the content of its file, and only with it."""
    found = study_from_data(study())
    assert found.crystal.sha256 == sha256_of(folder / "deep" / "square.mcif")
    header = build.plan_header(found)
    again = ModelSections.model_validate(build.model_section(found))
    assert build.build_model(again)[0].to_dict() == build.build_model(found)[0].to_dict()
    (folder / "deep" / "square.mcif").write_text(MAGNETIC + "# corrected\n")
    assert build.plan_header(study_from_data(study())) != header
    with pytest.raises(ConfigError, match="sha256"):
        build.build_model(found)
    with pytest.raises(ConfigError, match="sha256"):
        study_from_data(study(sha256="0" * 64))


BAD = {
    "no occupancy": (("_atom_site_occupancy\n", ""), "no occupancy", "assume_full_occupancy"),
    "disorder": (("Mn1 Mn 0 0 0 1", "Mn1 Mn 0 0 0 0.8"), "disordered", "0.8"),
    "disorder elsewhere": (("O1 O 0.25 0.25 0 1", "O1 O 0.25 0.25 0 0.5"), "disordered", "allow_disorder_elsewhere"),
    "moment against the symmetry": (("Mn1 0 0 3.9", "Mn1 3.9 0 0"), "clashes with the magnetic symmetry", "Mn1"),
    "no moment": (("Mn1 0 0 3.9", "O1 0 0 0"), "no moment", "Mn1"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_with_place_and_reason(folder, name):
    change, what, told = BAD[name]
    text = MAGNETIC.replace(*change)
    if name == "no occupancy":
        text = (
            text.replace("Mn1 Mn 0 0 0 1", "Mn1 Mn 0 0 0")
            .replace("0.25 0.25 0 1", "0.25 0.25 0")
            .replace("0.75 0 1", "0.75 0")
        )
    (folder / "deep" / "square.mcif").write_text(text)
    file = folder / "study.yaml"
    file.write_text(yaml.safe_dump(study()))
    with pytest.raises((DataError, SymmetryError), match=what) as caught:
        load_study(file)
    assert str(caught.value.where).startswith(f"{file}: crystal: ")
    assert told in str(caught.value)


def test_switches_of_the_reader_reach_it(folder):
    text = MAGNETIC.replace("O1 O 0.25 0.25 0 1", "O1 O 0.25 0.25 0 0.5")
    (folder / "deep" / "square.mcif").write_text(text)
    found = study_from_data(study(allow_disorder_elsewhere=True))
    assert build.build_model(found)[0].crystal.n_site == 1
    with pytest.raises(ConfigError, match="no atom of the CIF"):
        study_from_data(study(magnetic_ions={"Fe": IONS["Mn"]}))


def test_files_elsewhere_and_none_are_refused(folder, monkeypatch):
    for name in ("../square.cif", str(Path(folder) / "square.cif"), "none.cif"):
        with pytest.raises(SpinscapeError) as caught:
            study_from_data(study(file=name))
        assert "crystal.file" in str(caught.value.where)
    monkeypatch.delenv("SPINSCAPE_DATA")
    with pytest.raises(ConfigError, match="SPINSCAPE_DATA"):
        study_from_data(study())


def test_a_plain_cif_has_no_parent_cell(folder):
    with pytest.raises(ConfigError, match="no parent cell"):
        study_from_data(study(file="square.cif"))
