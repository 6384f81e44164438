"""Mistakes in measurements, and in fits by the Gaussian approximation: one error with place, before anything runs."""

import copy
from pathlib import Path

import pytest
import yaml

from spinscape.config.load import study_from_data
from spinscape.errors import ConfigError

STUDIES = Path(__file__).parents[2] / "config" / "studies"
GOOD = {name: yaml.safe_load((STUDIES / f"{name}.yaml").read_text()) for name in ("mgcr2o4", "la2nio4")}
MANTID = {"kind": "mantid", "histogram": {"file": "m.nxs"}}
NXSPE = {"kind": "nxspe", "runs": [{"file": "p.nxspe"}], "volume": "hk0", "u": [1, 0, 0], "v": [0, 1, 0]}
COLUMNS = {"kind": "columns", "volume": "hk0", "signal": {"file": "c"}, "columns": ["h", "k", "l", "signal"]}
COUPLINGS = dict.fromkeys(("J1", "J2", "J3a", "J3b"), "1 K")
POWDER = {**GOOD["mgcr2o4"]["measurements"]["diffuse"], "volume": None, "powder": "p", "symmetrised_by": []}
DELETE = object()

# study, changes, text that the error must hold: its place first, then what it says
BAD = {
    "unit of no susceptibility": ("mgcr2o4", {"measurements/chi/unit": "emu/g"}, "measurements.chi.unit", "emu/mol"),
    "column of nothing": ("mgcr2o4", {"measurements/chi/columns": ["T", "value"]}, "measurements.chi.columns", "temp"),
    "negative error": ("mgcr2o4", {"measurements/chi/errors/relative": -1}, "measurements.chi.errors", "greater"),
    "layout of a spectrum": ("mgcr2o4", {"measurements/diffuse/layout": "energy_rows"}, "measurements.diffuse", "axes"),
    "two axes": ("mgcr2o4", {"measurements/diffuse/path": "p"}, "measurements.diffuse", "one momentum axis"),
    "unknown volume": ("mgcr2o4", {"measurements/diffuse/volume": "hkl"}, "measurements.diffuse.volume", "'hk0'"),
    "unknown key": ("mgcr2o4", {"measurements/diffuse/symetrised_by": []}, "measurements.diffuse", "symmetrised_by"),
    "kind of no file": ("mgcr2o4", {"measurements/diffuse/kind": "nexus"}, "measurements.diffuse", "nxspe"),
    "column twice named": ("mgcr2o4", {"measurements/x": COLUMNS | {"columns": ["h", "g"]}}, "measurements.x", ""),
    "crystal without its plane": ("mgcr2o4", {"measurements/x": NXSPE | {"v": None}}, "measurements.x", "u and v"),
    "powder with a plane": ("mgcr2o4", {"measurements/x": NXSPE | {"volume": None, "powder": "p"}}, "measurements", ""),
    "no run": ("mgcr2o4", {"measurements/x": NXSPE | {"runs": []}}, "measurements.x.runs", "at least 1"),
    "psi without a unit": (
        "mgcr2o4", {"measurements/x": NXSPE | {"runs": [{"file": "p", "psi": 30}]}}, "measurements.x.runs.0", "unit",
    ),
    "lattice without units": (
        "mgcr2o4", {"measurements/x": MANTID | {"lattice": {"a": 8, "b": 8, "c": 8}}}, "measurements.x.lattice", "",
    ),
    "stand-in without its energies": (
        "mgcr2o4",
        {"measurements/x": MANTID | {"simulated": {"volume": "hk0", "couplings": COUPLINGS, "counts": 1}}},
        "measurements.x", "simulated.energy",
    ),
    "stand-in of another kind": (
        "la2nio4",
        {"volumes": {"v": {"axes": [{"first": 0, "last": 1, "n": 4}] * 3}}, "measurements/x": {
            **MANTID, "energy": "integrated",
            "simulated": {"volume": "v", "couplings": {"J": "1 K", "Jp": "1 K"}, "counts": 1}}},
        "measurements.x.simulated", "kind: gaussian",
    ),
    "stand-in without a coupling": (
        "mgcr2o4", {"measurements/chi/simulated/couplings/J2": DELETE}, "measurements.chi.simulated.couplings", "J2",
    ),
    "Gaussian fit of a spectrum": (
        "la2nio4", {"fits": {"x": {**GOOD["la2nio4"]["fits"]["correlation"], "forward": {"kind": "gaussian"}}}},
        "fits.x.forward.kind", "susceptibility",
    ),
    "Gaussian fit of a powder": (
        "mgcr2o4",
        {"powders": {"p": {"first": "1 1/Å", "last": "2 1/Å", "n": 5}}, "measurements/diffuse": POWDER},
        "fits.joint.forward.kind", "paths, volumes",
    ),
    "Gaussian fit without a temperature": (
        "mgcr2o4",
        {"conditions": {}, "simulate/volumes": [], "measurements/diffuse/simulated": None},
        "measurements.diffuse.conditions.temperature", "temperature",
    ),
    "spin waves of a susceptibility": (
        "mgcr2o4", {"fits/joint/forward": {"kind": "spinwave"}}, "fits.joint.forward.kind", "spectrum",
    ),
}  # fmt: skip


def edited(name, changes):
    data = copy.deepcopy(GOOD[name])
    for place, value in changes.items():
        *parents, last = place.split("/")
        node = data
        for key in parents:
            node = node[key]
        if value is DELETE:
            del node[last]
        else:
            node[last] = copy.deepcopy(value)
    return data


@pytest.mark.parametrize("name", BAD)
def test_a_bad_measurement_is_refused_with_place_and_reason(name):
    study, changes, place, text = BAD[name]
    with pytest.raises(ConfigError) as caught:
        study_from_data(edited(study, changes), source="bad.yaml")
    told = str(caught.value)
    assert f"where: bad.yaml: {place}" in told and text in told, told
    assert "expected:" in told or "got:" in told or "fix:" in told


@pytest.mark.parametrize("name", GOOD)
def test_the_good_studies_are_good(name):
    study_from_data(GOOD[name])
