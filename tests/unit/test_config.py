"""A study becomes the package's own objects, and its sections survive the way through a rule's parameters."""

import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from spinscape.cli import main
from spinscape.config import build
from spinscape.config.axes import PathSection
from spinscape.config.fits import changed_fit
from spinscape.config.load import load_study, study_from_data
from spinscape.config.schema import ModelSections, Study
from spinscape.config.summary import dm_words, summary
from spinscape.errors import ConfigError

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "config" / "studies" / "la2nio4.yaml"


@pytest.fixture(scope="module")
def study():
    return load_study(STUDY)


def test_sections_read_back_to_the_same_bits(study):
    dumped = json.loads(json.dumps(study.model_dump(mode="json", by_alias=True)))
    assert Study.model_validate(dumped) == study


def test_the_schema_file_is_fresh():
    stored = json.loads((ROOT / "config" / "schema.json").read_text())
    assert stored == Study.model_json_schema(), "run: spinscape schema > config/schema.json"


def test_points_fill_the_box_and_keep_when_the_grid_grows(study):
    points = build.grid_points(study)
    assert points.shape == (1200, 2)
    assert points[:, 0].min() >= 20 and points[:, 0].max() <= 75
    larger = study_from_data(study.model_dump(mode="json", by_alias=True) | {
        "grid": study.section("grid") | {"n_point": 1210}
    })  # fmt: skip
    np.testing.assert_array_equal(build.grid_points(larger)[:1200], points)


def test_fixed_couplings_are_filled_in(study):
    data = study.model_dump(mode="json", by_alias=True)
    data["couplings"]["Jp"]["value"] = "2 meV"
    data["grid"] = {"kind": "lattice", "axes": {"J": {"first": "20 meV", "last": "30 meV", "n": 3}}}
    data |= {"measurements": {}, "fits": {}, "comparisons": {}, "learn": {}}
    np.testing.assert_array_equal(build.grid_points(study_from_data(data)), [[20, 2], [25, 2], [30, 2]])


def test_a_map_gives_couplings_on_a_circle(study):
    data = study.model_dump(mode="json", by_alias=True)
    data["grid"] = {
        "kind": "map", "unit": "1 meV", "axes": {"phi": {"first": 0.0, "last": 6.0, "n": 7}},
        "couplings": {"J": "cos(phi)", "Jp": "sin(phi)"},
    }  # fmt: skip
    data["learn"]["siren"]["n_train"] = 6
    points = build.grid_points(study_from_data(data))
    np.testing.assert_allclose(np.hypot(*points.T), 1.0, rtol=1e-14)
    np.testing.assert_allclose(points[1], [np.cos(1.0), np.sin(1.0)], rtol=1e-14)


def test_the_model_is_the_square_lattice(study):
    model, structure = build.build_model(study)
    assert model.parameter_names == ("J", "Jp")
    assert np.bincount(model.bonds.parameter).tolist() == [2, 2]
    assert structure.n_sublattice == 2
    again, _ = build.build_model(ModelSections.model_validate(build.model_section(study)))
    assert again.to_dict() == model.to_dict()


def test_a_shifted_path_is_shifted(study):
    one, two = build.path(study, "path1"), build.path(study, "path2")
    assert one.shape == (217,)
    np.testing.assert_allclose(two.points - one.points, np.broadcast_to([-0.07, 0.03, 0], (217, 3)), atol=1e-12)
    assert dict(two.ticks)[0] == "P1"


def test_the_plan_header_depends_on_the_model_and_not_on_the_fits(study):
    data = study.model_dump(mode="json", by_alias=True)
    header = build.plan_header(study)
    other_fit = study_from_data({**data, "fits": {}, "comparisons": {}})
    assert build.plan_header(other_fit) == header
    data["crystal"]["sites"][0]["spin"] = 1.5
    assert build.plan_header(study_from_data(data))["settings"]["model"] != header["settings"]["model"]


def test_a_variant_is_a_fit_of_its_own(study):
    fit = study.fits["direct"]
    changed = changed_fit(fit, {"forward": {"fwhm_factor": 0.9}})
    assert changed.forward.fwhm_factor == 0.9 and changed.forward.nuisances == fit.forward.nuisances


def test_the_summary_names_bonds_grid_and_fits(study):
    text = summary(study)
    for part in ("bonds     4", "1200 points", "path1: la2nio4/Sqw_path1.csv", "direct: spinwave × chi2_profiled"):
        assert part in text


def antisymmetric(*vectors):
    """D·(S_i × S_j) = S_i·M·S_j."""
    return np.array([[[0, z, -y], [-z, 0, x], [y, -x, 0]] for x, y, z in vectors], dtype=float)


@pytest.mark.parametrize(
    ("basis", "words"),
    [
        (np.eye(3)[None], "no DM"),
        (np.concatenate([np.eye(3)[None], antisymmetric((0, 0, -2.0))]), "DM along (0 0 1)"),
        (antisymmetric((1, -2, 0)), "DM along (-0.5 1 0)"),
        (antisymmetric((1, 1, 0), (0, 0, 1)), "DM across (-1 1 0)"),
        (antisymmetric(*np.eye(3)), "any DM"),
    ],
)
def test_where_a_dm_vector_may_point(basis, words):
    assert dm_words(basis).replace("(1 -1 0)", "(-1 1 0)") == words


def test_show_symmetry_prints_the_allowed_form_of_each_shell(capsys):
    assert main(["show", str(STUDY), "--symmetry", "--shells", "2"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 6
    # A bond along a with inversion at its centre and mirrors: three numbers on the diagonal, no DM vector.
    assert "3.8900 Å      2" in rows[1] and "[[A, 0, 0], [0, B, 0], [0, 0, C]]" in rows[1]
    assert rows[1].endswith("no DM") and rows[5].split(maxsplit=1) == ["Ni0", "[[A, 0, 0], [0, A, 0], [0, 0, B]]"]
    # Across the square the mirrors stand at 45 degrees.
    assert "[[A, C, 0], [C, A, 0], [0, 0, B]]" in rows[2]


def test_show_draws_a_png(tmp_path, capsys):
    assert main(["show", str(STUDY), "--output", str(tmp_path / "a.png")]) == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_dipoles_and_biquadratic_terms_are_rows_of_their_own_tables(study):
    data = study.model_dump(mode="json", by_alias=True)
    bond = {"from": "Ni", "to": "Ni", "offset": [1, 0, 0]}
    data["couplings"] |= {"B": {"value": "0.2 meV"}, "D": {"value": "0.05368 meV"}}
    data["hamiltonian"] += [
        {"kind": "biquadratic", "value": "2*B", "bond": bond, "form": "renormalised"},
        {"kind": "dipolar", "value": "D"},
    ]
    changed = study_from_data(data)
    model, _ = build.build_model(changed)
    assert model.biquadratic.n_bond == 2 and model.biquadratic.factor.tolist() == [2.0, 2.0]
    assert model.biquadratic.form == ("renormalised", "renormalised")
    assert model.parameter_names[model.dipolar.parameter[0]] == "D" and model.dipolar.factor.tolist() == [1.0]
    assert "dipoles of all spins" in summary(changed) and "2 (S·S)², renormalised" in summary(changed)
    assert type(model).from_dict(json.loads(json.dumps(model.to_dict()))).to_dict() == model.to_dict()


def test_a_biquadratic_term_twice_on_one_bond_is_refused(study):
    data = study.model_dump(mode="json", by_alias=True)
    data["couplings"]["B"] = {"value": "0.2 meV"}
    for offset in ([1, 0, 0], [0, 1, 0]):
        bond = {"from": "Ni", "to": "Ni", "offset": offset}
        data["hamiltonian"].append({"kind": "biquadratic", "value": "B", "bond": bond, "form": "large_s"})
    with pytest.raises(ConfigError, match="two biquadratic terms"):
        build.build_model(study_from_data(data))


def test_vectors_may_hold_fractions(study):
    path = PathSection.model_validate({"vertices": [["1/3", "-1/3", 0], [0.5, "1 / 2", 1]], "points": [3]})
    assert path.vertices == ((1 / 3, -1 / 3, 0.0), (0.5, 0.5, 1.0))
    with pytest.raises(ValidationError, match="a fraction such as 1/3"):
        PathSection.model_validate({"vertices": [["1/3/5", 0, 0], [0, 0, 0]], "points": [3]})
