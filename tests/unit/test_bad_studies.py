"""Every mistake in a study ends with one error: what, where (file and key), expected or got, and the fix."""

import copy
from pathlib import Path

import pytest
import yaml

from spinscape.cli import main
from spinscape.config.load import load_study, study_from_data
from spinscape.errors import ConfigError

STUDY = Path(__file__).parents[2] / "config" / "studies" / "la2nio4.yaml"
GOOD = yaml.safe_load(STUDY.read_text())


def edited(changes):
    """Return the good study with some places changed; the value DELETE removes a key."""
    data = copy.deepcopy(GOOD)
    for place, value in changes.items():
        *parents, last = place.split("/")
        node = data
        for key in parents:
            node = node[int(key) if isinstance(node, list) else key]
        if value is DELETE:
            del node[last]
        else:
            node[int(last) if isinstance(node, list) else last] = copy.deepcopy(value)
    return data


DELETE = object()
COPPER = copy.deepcopy({**GOOD["crystal"]["sites"][0], "label": "Cu"})
THIRD = {"kind": "heisenberg", "value": "J3", "bond": {"from": "Ni", "to": "Ni", "offset": [2, 0, 0]}}
DM = {"kind": "dm", "value": [0, 0, "J"], "bond": {"from": "Ni", "to": "Ni", "offset": [1, 0, 0]}}
SPIRAL = {
    "kind": "spiral",
    "k": ["1/3", "1/3", 0],
    "axis": [0, 0, 1],
    "moments": [{"site": "Ni", "direction": [1, 0, 0]}],
}
NO_CELL = {"simulate/unstable": "own_ground_state", "structure": SPIRAL}
VOLUME = {"v": {"axes": [{"first": 0, "last": 1, "n": 4}] * 3}}
SMEARED = {"volumes": VOLUME, "simulate/volumes": ["v"]}
POWDER = {"powders": {"p": {"first": "1 1/Å", "last": "2 1/Å", "n": 5}}, "simulate/powders": ["p"]}
MANY = {"kind": "about", "axis": [0, 0, 1], "angles": ["0 deg", "90 deg"], "weights": [1]}
OPERATION = {"kind": "operations", "operations": ["z,y,x"]}
CIF = {"file": "none.cif", "magnetic_ions": {"Ni": {"ion": "Ni2+", "spin": 1}}}
TABLE = {"energy": ["0 meV", "9 meV", "5 meV"], "fwhm": ["1 meV", "1 meV", "1 meV"]}
FIXED = {
    "couplings/J/value": "29 meV", "couplings/Jp/value": "17 meV", "grid": {"kind": "list", "points": [{}]},
    "fits": {}, "comparisons": {}, "learn": {}, "measurements": {},
}  # fmt: skip
OWN = {"simulate/relax": True, "structure": {"kind": "ground_state", "max_cell": 2}}

# changes, text that the error must hold: its place first, then what it says
BAD = {
    "unknown section": ({"grids": {}}, "grids", "did you mean 'grid'"),
    "unknown key": ({"simulate/energy_facto": 1.0}, "simulate.energy_facto", "did you mean 'energy_factor'"),
    "unknown key deep inside": ({"fits/direct/strategy/n_sobl": 3}, "fits.direct.strategy.n_sobl", "n_sobol"),
    "unknown key, with those that there are": ({"hamiltonian/0/shell": 1}, "hamiltonian.0.shell", "one of bond, "),
    "several mistakes": ({"grid/n_pont": 3, "paths/path1/points": 60}, "grid.n_pont", "wrong at paths.path1.points"),
    "a number in place of a list": ({"paths/path1/points": 60}, "paths.path1.points", "expected: a list"),
    "missing section": ({"crystal": DELETE}, "crystal", "missing"),
    "missing unit": ({"crystal/lattice/a": 3.89}, "crystal.lattice.a", "without a unit"),
    "missing unit in a range": ({"grid/box/J": [20, "75 meV"]}, "grid.box.J.0", "without a unit"),
    "unit of another dimension": ({"crystal/lattice/a": "3.89 meV"}, "crystal.lattice.a", "not a unit of length"),
    "negative length": ({"crystal/lattice/a": "-3.89 Å"}, "crystal.lattice", "no lattice"),
    "impossible angles": ({"crystal/lattice/alpha": "170 deg"}, "crystal.lattice", "correct the lattice"),
    "lattice against the space group": ({"crystal/lattice/b": "4.2 Å"}, "crystal", "P4/mmm"),
    "no such space group": ({"crystal/space_group": "P4/nonsense"}, "crystal.space_group", "P4/nonsense"),
    "two sites in one place": ({"crystal/sites": [*GOOD["crystal"]["sites"], COPPER]}, "crystal.sites", "coincide"),
    "spin of zero": ({"crystal/sites/0/spin": 0}, "crystal.sites.0.spin", "greater than 0"),
    "coupling without bond": ({"couplings/J3": {}}, "couplings.J3", "without a bond"),
    "bond without coupling": ({"hamiltonian": [*GOOD["hamiltonian"], THIRD]}, "hamiltonian.2.value", "J3"),
    "grid names an unknown coupling": ({"grid/box/J9": ["0 meV", "1 meV"]}, "grid.box", "J9"),
    "grid forgets a coupling": ({"grid/box/Jp": DELETE}, "grid.box", "Jp"),
    "empty range": ({"grid/box/J": ["75 meV", "20 meV"]}, "grid.box.J", "empty range"),
    "forbidden exchange element": ({"hamiltonian": [*GOOD["hamiltonian"], DM]}, "hamiltonian", "allowed"),
    "bond to an unknown site": ({"hamiltonian/0/bond/to": "Nj"}, "hamiltonian.0.bond.to", "one of Ni"),
    "bond from a site to itself": ({"hamiltonian/0/bond/offset": [0, 0, 0]}, "hamiltonian.0", "itself"),
    "unknown kind of term": ({"hamiltonian/0/kind": "heisenburg"}, "hamiltonian.0", "heisenberg"),
    "product of couplings": ({"hamiltonian/0/value": "J*Jp"}, "hamiltonian.0.value", "linear"),
    "code in an expression": ({"hamiltonian/0/value": "__import__('os')"}, "hamiltonian.0.value", ""),
    "expression without end": ({"hamiltonian/0/value": "(" * 150}, "hamiltonian.0.value", ""),
    "too few moments": ({"structure/moments": GOOD["structure"]["moments"][:1]}, "structure.moments", "2 moments"),
    "magnetic cell without volume": ({"structure/magnetic_cell": [[1, 1, 0], [1, 1, 0], [0, 0, 1]]}, "structure", ""),
    "moment without direction": ({"structure/moments/0/direction": [0, 0, 0]}, "structure.moments", "direction"),
    "moment on an unknown site": ({"structure/moments/0/site": "Co"}, "structure.moments.0.site", "unknown site"),
    "path without enough counts": ({"paths/path1/points": [37, 53]}, "paths.path1.points", "5 numbers"),
    "path like an unknown one": ({"paths/path2/like": "path9"}, "paths.path2.like", "did you mean"),
    "simulation on an unknown path": ({"simulate/paths": ["path1", "pth2"]}, "simulate.paths", "did you mean 'path2'"),
    "energy steps that do not fit": ({"simulate/energy/step": "3 meV"}, "energy", "whole number of steps"),
    "no points": ({"grid/n_point": 0}, "grid.n_point", "greater than or equal"),
    "download without a sum": ({"measurements/path1/signal/sha256": DELETE}, "measurements.path1.signal", "sha256"),
    "fit of an unknown measurement": ({"fits/direct/measurements": ["path7"]}, "fits.direct.measurements", "path7"),
    "fit through an unknown model": ({"fits/siren/forward/model": "sirene"}, "fits.siren.forward.model", "'siren'"),
    "fit box forgets a coupling": ({"fits/direct/box/Jp": DELETE}, "fits.direct.box", "Jp"),
    "adam without a network": ({"fits/direct/strategy": {"kind": "adam"}}, "fits.direct.strategy.kind", "siren"),
    "window shorter than its order": ({"fits/correlation/background/order": 60}, "fits.correlation.background", "long"),
    "variant of what is not there": ({"fits/direct/variants/0/change": {"forwrd": 1}}, "fits.direct.variants", ""),
    "study name that is a path": ({"study": "../../etc"}, "study", "pattern"),
}  # fmt: skip

FACTOR = "simulate/intensity/form_factor"


def own(ion, n):
    """Return form factors with n coefficients of <j0>."""
    return {"coefficients": {ion: {"j0": [0] * n, "source": "none"}}}


BAD |= {
    "unstable structure": (FIXED, "Q = (0.5, 0, 0)", "lowest eigenvalue -20"),
    "k against its cell": (
        {"structure": SPIRAL | {"magnetic_cell": [[2, 0, 0], [0, 3, 0], [0, 0, 1]]}},
        "structure.k",
        "0.666667 turns",
    ),
    "k that is no number": ({"structure": SPIRAL | {"k": ["1/0", 0, 0]}}, "structure.k.0", "fraction"),
    "spiral without a site": ({"structure": SPIRAL | {"moments": SPIRAL["moments"] * 2}}, "structure.moments", "once"),
    "spiral about nothing": ({"structure": SPIRAL | {"axis": [0, 0, 0]}}, "structure.axis", "no direction"),
    "moments of no file": ({"structure": {"kind": "file"}}, "structure.kind", "magnetic CIF"),
    "unknown kind of structure": ({"structure/kind": "spirl"}, "structure", "spiral"),
    "search without a cell": ({"structure": {"kind": "ground_state"}}, "structure", "max_cell"),
    "own ground state without a cell": (NO_CELL, "simulate.unstable", "max_cell"),
    "own ground state of its own": (OWN, "simulate.relax", "already"),
    "crystal of an absent file": ({"crystal": CIF}, "crystal.file", "none.cif"),
    "crystal of a file elsewhere": ({"crystal": CIF | {"file": "../x.cif"}}, "crystal.file", "'..'"),
    "crystal of a file and a lattice": ({"crystal/file": "x.cif"}, "crystal.lattice", "unknown key"),
    "ion without form factor": ({"crystal/sites/0/ion": "Pr4+", FACTOR: True}, FACTOR.replace("/", "."), "Pr4+"),
    "form factor of no site": ({FACTOR: own("Cu2+", 7)}, FACTOR.replace("/", "."), "Cu2+"),
    "form factor of six numbers": (
        {FACTOR: own("Ni2+", 6)},
        "simulate.intensity.form_factor.coefficients.Ni2+.j0",
        "7",
    ),
    "warm without a temperature": (
        {"conditions": {}, "simulate/intensity/thermal": True},
        "simulate.intensity.thermal",
        "temperature",
    ),
    "unknown line": ({"simulate/resolution/kind": "lorenzian"}, "simulate.resolution", "lorentzian"),
    "pseudo-Voigt without mixing": (
        {"simulate/resolution/kind": "pseudo_voigt"},
        "simulate.resolution.mixing",
        "missing",
    ),
    "widths twice": ({"simulate/resolution/table": TABLE | {"energy": TABLE["fwhm"]}}, "simulate.resolution", "rising"),
    "widths of energies that fall": (
        {"simulate/resolution": {"kind": "gaussian", "table": TABLE}},
        "simulate.resolution.table",
        "rising",
    ),
    "smear along a volume": (SMEARED, "simulate.q_smear.kind", "gaussian"),
    "simulation on an unknown volume": ({"simulate/volumes": ["v"]}, "simulate.volumes", "unknown volume"),
    "spread along nothing": (
        {"simulate/q_smear": {"kind": "gaussian", "spreads": [{"along": [0, 0, 0], "sigma": "1 1/Å"}]}},
        "simulate.q_smear.spreads.0",
        "direction",
    ),
    "simulation on an unknown powder": ({"simulate/powders": ["p"]}, "simulate.powders", "unknown powder"),
    "powder of falling Q": (
        {"powders": {"p": {"first": "2 1/Å", "last": "1 1/Å", "n": 5}}},
        "powders.p",
        "first < last",
    ),
    "powder smeared along a path": (POWDER, "simulate.q_smear.kind", "none"),
    "a relaxed spiral in a field across its axis": (
        {"simulate/relax": True, "structure": SPIRAL, "conditions": {"field": ["1 T", "0 T", "0 T"]}},
        "simulate.relax",
        "may be any",
    ),
    "numbers of another kind of bins": ({"simulate/bins": "sums"}, "simulate.bins", "means"),
    "powder of twins": (
        POWDER | {"simulate/q_smear": "none", "simulate/twins": MANY | {"weights": [1, 1]}},
        "simulate.powders",
        "all directions",
    ),
    "powder at half a point": (
        POWDER | {"simulate/q_smear": "none", "simulate/powder": {"reference": {"J": "29 meV"}}},
        "simulate.powder.reference",
        "Jp",
    ),
    "unknown smear": ({"simulate/q_smear": {"kind": "along_pth"}}, "simulate.q_smear", "along_path"),
    "smear that is negative": ({"simulate/q_smear/sigma": "-1 1/Å"}, "simulate.q_smear.sigma", "greater than"),
    "interval without width": (
        {"simulate/integrate": [{"along": [0, 0, 1], "low": 1, "high": 1}]},
        "simulate.integrate.0",
        "low < high",
    ),
    "twins with too few weights": ({"simulate/twins": MANY}, "simulate.twins.weights", "2 volume fractions"),
    "twins that the lattice does not have": ({"simulate/twins": OPERATION}, "simulate.twins", "keep the lattice"),
    "nothing to simulate": ({"simulate/paths": []}, "simulate", "paths, volumes or powders"),
}


class _WithoutAliases(yaml.SafeDumper):
    """Writes a list twice where it stands twice: aliases are refused."""

    def ignore_aliases(self, data):
        return True


TABLE = {
    "kind": "table",
    "powder": "shell",
    "energy": {"first": "20 meV", "last": "140 meV", "n": 121},
    "layout": "energy_rows",
    "signal": {"file": "x.csv"},
}
SHELL = {"shell": {"first": "0.5 1/Å", "last": "2 1/Å", "n": 16}}
POWDER = {"measurements/path1": {**TABLE, "missing": "nan"}, "powders": SHELL}
BAD |= {
    "table without an axis": (
        {"measurements/path1": {**TABLE, "powder": None, "missing": "nan"}},
        "measurements.path1",
        "one momentum axis",
    ),
    "table on an unknown powder": (
        {"measurements/path1": {**TABLE, "missing": "nan"}},
        "measurements.path1.powder",
        "shell",
    ),
    "powder through a network": (
        {**POWDER, "comparisons": {}}
        | {f"fits/{name}": DELETE for name in ("direct", "correlation", "robust", "robust_without_jp")},
        "fits.siren.forward.kind",
        "paths",
    ),
    "powder without couplings to begin with": (POWDER, "fits.correlation.forward.reference", "simulate.powder"),
    "reference forgets a coupling": (
        {**POWDER, "fits/correlation/forward/reference": {"J": "30 meV"}},
        "fits.correlation.forward.reference",
        "Jp",
    ),
    "coupling both free and held": (
        {"fits/robust/fixed": {"Jp": "0 meV"}},
        "fits.robust.fixed",
        "free and held",
    ),
    "coupling neither free nor held": (
        {"fits/robust_without_jp/fixed": {}},
        "fits.robust_without_jp.box",
        "Jp",
    ),
    "sum that forgets a measurement": (
        {
            "fits/siren_check/objective": {
                "kind": "weighted_sum",
                "terms": [{"measurements": ["path1"], "objective": {"kind": "gaussian"}}],
            }
        },
        "fits.siren_check.objective.terms",
        "path2",
    ),
    "sum with a weight of zero": (
        {
            "fits/siren_check/objective": {
                "kind": "weighted_sum",
                "terms": [{"measurements": ["path1", "path2"], "objective": {"kind": "gaussian"}, "weight": 0}],
            }
        },
        "fits.siren_check.objective.terms.0.weight",
        "greater than 0",
    ),
    "clip without a likelihood": ({"fits/direct/clip": {}}, "fits.direct.clip", "likelihood"),
    "information without a likelihood": (
        {"fits/direct/uncertainty/information": True},
        "fits.direct.uncertainty.information",
        "likelihood",
    ),
    "empty can that is not declared": (
        {"fits/robust/objective/background/empty": ["cann"]},
        "fits.robust.objective.background.empty",
        "cann",
    ),
    "negative scale": ({"fits/robust/objective/scale": -1.0}, "fits.robust.objective.scale", "positive"),
    "comparison of unlike objectives": (
        {"fits/robust_without_jp/objective/background/constant": "row_segment"},
        "comparisons.second_neighbours.fits",
        "objective",
    ),
    "comparison of an unknown fit": (
        {"comparisons/second_neighbours/fits": ["robust", "robus"]},
        "comparisons.second_neighbours.fits",
        "'robust'",
    ),
    "comparison without likelihoods": (
        {"comparisons/second_neighbours/fits": ["direct", "correlation"]},
        "comparisons.second_neighbours.fits",
        "likelihood",
    ),
    "descents through a network": (
        {"fits/siren/strategy": {"kind": "descents"}},
        "fits.siren.strategy.kind",
        "multistart",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_study_is_refused_with_place_and_reason(name, tmp_path, capsys):
    changes, place, text = BAD[name]
    file = tmp_path / "bad.yaml"
    file.write_text(yaml.dump(edited(changes), Dumper=_WithoutAliases, allow_unicode=True))
    assert main(["check", str(file)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ") and told.count("error: ") == 1
    assert f"where: {file}: {place}" in told, told
    assert text in told, told
    assert "expected:" in told or "got:" in told or "fix:" in told


RAW = {
    "duplicate key": ("study: a\nstudy: b\n", "stands twice"),
    "alias bomb": ("a: &a [1, 1]\nb: *a\n", "aliases"),
    "python object": ("study: !!python/object/apply:os.system ['true']\n", "not valid YAML"),
    "broken YAML": ("study: [1, 2\n", "not valid YAML"),
    "a list": ("- study\n", "mapping of sections"),
    "empty": ("", "mapping of sections"),
}


@pytest.mark.parametrize("name", RAW)
def test_bad_yaml_is_refused(name, tmp_path):
    text, told = RAW[name]
    file = tmp_path / "bad.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=told) as caught:
        load_study(file)
    assert str(file) in str(caught.value)


def test_an_absent_and_a_huge_study_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="no such study"):
        load_study(tmp_path / "none.yaml")
    (tmp_path / "huge.yaml").write_text("#" * 2_000_000)
    with pytest.raises(ConfigError, match="too large"):
        load_study(tmp_path / "huge.yaml")


def test_a_binary_file_is_refused(tmp_path):
    (tmp_path / "bad.yaml").write_bytes(bytes(range(256)))
    with pytest.raises(ConfigError):
        load_study(tmp_path / "bad.yaml")


def test_the_good_study_is_good():
    assert study_from_data(GOOD) == load_study(STUDY)
