"""What a study says of spin waves reaches the simulator; what it leaves out is not written."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from spinscape.config import build
from spinscape.config.load import study_from_data
from spinscape.config.spinwave import spinwave_settings
from spinscape.config.summary import summary
from spinscape.hamiltonian.spiral import SpiralStructure
from spinscape.hamiltonian.structures import GroundStateSearch, structure_from_spiral
from spinscape.simulate.spectrum_settings import SpinwaveSettings

GOOD = yaml.safe_load((Path(__file__).parents[2] / "config" / "studies" / "la2nio4.yaml").read_text())
GOOD |= {"learn": {}, "measurements": {}, "fits": {}, "comparisons": {}}
VOLUME = {"v": {"axes": [{"first": 0, "last": 1, "n": 4}, {"first": 0, "last": 1, "n": 3}, {"first": -1, "last": 1}]}}


def study(structure=None, volumes=None, **simulate):
    data = copy.deepcopy(GOOD)
    data["simulate"] |= simulate
    return study_from_data(data | {"structure": structure or data["structure"], "volumes": volumes or {}})


def settings(**simulate):
    found = study(**simulate)
    plain = json.loads(json.dumps(spinwave_settings(found.simulate, found)))
    return plain, SpinwaveSettings.from_dict(plain)


def test_what_is_left_out_is_not_written():
    plain = study().simulate.settings(study())
    assert set(plain) == {"paths", "energy", "spinwave"}
    assert set(plain["spinwave"]) == {"energy_factor", "component", "cap", "fwhm", "q_smear"}


def test_lines_and_widths():
    table = {"energy": ["0 meV", "1 eV"], "fwhm": ["1 meV", "20 meV"]}
    _, read = settings(resolution={"kind": "pseudo_voigt", "mixing": 0.3, "table": table})
    assert (read.line, read.mixing, read.fwhm_table) == ("pseudo_voigt", 0.3, ((0.0, 1000.0), (1.0, 20.0)))
    plain, read = settings(resolution={"kind": "lorentzian", "fwhm": [2, 0.1]})
    assert (read.line, read.fwhm) == ("lorentzian", (2.0, 0.1)) and "fwhm_table" not in plain


def test_intensities():
    own = {"j0": [0.1, 1, 0.2, 2, 0.3, 3, 0.4], "j2": [1, 2, 0, 0, 0, 0, 0], "source": "a table"}
    form = {"g": {"Ni2+": 2.2}, "coefficients": {"Ni2+": own}}
    _, read = settings(intensity={"form_factor": form, "thermal": True, "units": "cross_section"})
    assert (read.thermal, read.units, read.component) == (True, "cross_section", "perp")
    assert read.form_factor == {"g": {"Ni2+": 2.2}, "coefficients": {"Ni2+": {"j0": own["j0"], "j2": own["j2"]}}}
    assert settings(intensity={"form_factor": True})[1].form_factor == {"g": "spin_only", "coefficients": {}}
    assert settings(intensity={"form_factor": False})[1].form_factor is None


def test_spreads_in_q_become_a_cartesian_covariance():
    spreads = [{"along": [2, 0, 0], "sigma": "0.1 1/Å"}, {"along": [0, 0, 1], "sigma": "0.2 1/Å"}]
    intervals = [{"along": [0, 0, 1], "low": -0.5, "high": 1, "order": 4}]
    plain, read = settings(q_smear={"kind": "gaussian", "spreads": spreads, "order": 3}, integrate=intervals)
    np.testing.assert_allclose(read.spread["covariance"], np.diag([0.01, 0, 0.04]), atol=1e-15)
    assert read.spread["order"] == 3 and plain["q_smear"] == 0.0
    assert read.ranges == ({"axis": [0, 0, 1], "low": -0.5, "high": 1.0, "order": 4},)


@pytest.mark.parametrize(
    "twins",
    [
        {"kind": "about", "axis": [0, 0, 2], "angles": ["0 deg", "90 deg"]},
        {"kind": "operations", "operations": ["x,y,z", "-y,x,z"], "weights": [2, 2]},
        {"kind": "rotations", "rotations": [np.eye(3).tolist(), [[0, -1, 0], [1, 0, 0], [0, 0, 1]]], "weights": [1, 1]},
    ],
)
def test_twins_in_three_ways(twins):
    read = settings(twins=twins)[1].twins
    np.testing.assert_allclose(read["rotations"], [np.eye(3), [[0, -1, 0], [1, 0, 0], [0, 0, 1]]], atol=1e-15)
    assert read["weights"] == [0.5, 0.5]


def test_volumes_and_points():
    data = copy.deepcopy(GOOD) | {"volumes": VOLUME}
    data["simulate"] |= {"volumes": ["v"], "paths": [], "q_smear": "none", "relax": True, "empty": "keep"}
    found = study_from_data(data)
    plain = found.simulate.settings(found)
    assert plain["grids"][0]["name"] == "v" and plain["relax"] and plain["keep_empty"] and plain["paths"] == []
    assert "v (4 × 3 bins)" in summary(found)
    assert study(stability="points").simulate.settings(study())["check"] is False


def test_powders():
    data = copy.deepcopy(GOOD) | {"powders": {"p": {"first": "0.5 1/Å", "last": "2 1/Å", "n": 4}}}
    data["simulate"] |= {"powders": ["p"], "paths": [], "q_smear": "none"}
    found = study_from_data(data)
    plain = found.simulate.settings(found)
    assert plain["powders"] == [{"name": "p", "centres": [0.5, 1.0, 1.5, 2.0]}]
    assert plain["powder"] == {"tolerance": 0.02, "reference": None} and "p (4 |Q|)" in summary(found)
    data["simulate"]["powder"] = {"tolerance": 0.01, "reference": {"Jp": "2 meV", "J": "29 meV"}}
    found = study_from_data(data)
    assert found.simulate.settings(found)["powder"] == {"tolerance": 0.01, "reference": [29.0, 2.0]}


def test_unstable_points_get_a_search():
    cell = [[1, 1, 0], [1, -1, 0], [0, 0, 1]]
    for unstable, expected in (
        ("own_ground_state", {"magnetic_cell": tuple(map(tuple, cell)), "max_cell": None, "n_start": 32}),
        (
            {"kind": "own_ground_state", "max_cell": 3, "starts": 8},
            {"magnetic_cell": None, "max_cell": 3, "n_start": 8},
        ),
    ):
        found = study(unstable=unstable)
        search = GroundStateSearch.from_dict(found.simulate.settings(found)["unstable"])
        assert vars(search) == expected


def test_structures_of_every_kind():
    moment = [{"site": "Ni", "direction": [0, 0, 1]}]
    spiral = {"kind": "spiral", "k": ["1/2", 0.5, 0], "axis": [1, 0, 0], "moments": moment}
    found = build.build_model(study(structure=spiral))[1]
    assert isinstance(found, SpiralStructure) and found.k.tolist() == [0.5, 0.5, 0.0]
    cell = [[1, 1, 0], [1, -1, 0], [0, 0, 1]]
    there = build.build_model(study(structure=spiral | {"magnetic_cell": cell}))[1]
    np.testing.assert_array_equal(there.direction, structure_from_spiral(found, cell).direction)
    search = study(structure={"kind": "ground_state", "max_cell": 2, "starts": 5})
    assert build.build_model(search)[1] == GroundStateSearch(max_cell=2, n_start=5)
    assert "k = (0.5 0.5 0)" in summary(study(structure=spiral)) and "5 starts" in summary(search)


def test_sections_read_back_to_the_same_bits():
    form = {"coefficients": {"Ni2+": {"j0": [0.1] * 7, "source": "a table"}}}
    found = study(intensity={"form_factor": form}, twins={"kind": "about", "axis": [0, 0, 1], "angles": ["0 deg"]})
    dumped = json.loads(json.dumps(found.model_dump(mode="json", by_alias=True)))
    assert study_from_data(dumped) == found


def test_a_study_of_given_couplings_says_how_stable_it_is():
    data = copy.deepcopy(GOOD) | {"grid": {"kind": "list", "points": [{}]}}
    data["couplings"] = {"J": {"value": "29 meV"}, "Jp": {"value": "1.7 meV"}}
    assert "stable at the couplings given: lowest eigenvalue 0 meV" in summary(study_from_data(data))
