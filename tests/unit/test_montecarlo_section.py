"""Monte Carlo and the Gaussian approximation in a study: settings, and every mistake one error before anything runs."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from spinscape.config.axes import volume
from spinscape.config.build import build_model, plan_header, report_section
from spinscape.config.load import study_from_data
from spinscape.config.montecarlo import montecarlo_settings
from spinscape.errors import SpinscapeError
from spinscape.simulate.gaussian_simulator import GaussianSimulator
from spinscape.simulate.montecarlo import MonteCarloSimulator
from spinscape.simulate.montecarlo_settings import MonteCarloSettings
from spinscape.stages.simulate import SIMULATORS

FOLDER = Path(__file__).parents[2] / "config"
DY = yaml.safe_load((FOLDER / "test" / "dy2ti2o7.yaml").read_text())
ISING = yaml.safe_load((FOLDER / "test" / "ising2d.yaml").read_text())
CUBIC = yaml.safe_load((FOLDER / "test" / "heisenberg_cubic.yaml").read_text())
GAUSSIAN = {"kind": "gaussian", "paths": ["main"], "temperatures": {"first": "4 K", "last": "2 K", "n": 3}}
DELETE = object()


def edited(base, changes):
    data = copy.deepcopy(base)
    for place, value in changes.items():
        *parents, last = place.split("/")
        node = data
        for key in parents:
            node = node[int(key) if isinstance(node, list) else key]
        if value is DELETE:
            del node[last]
        else:
            node[int(last) if isinstance(node, list) else last] = value
    return data


# base, changes, text that the error must hold: its place first, then what it says
BAD = {
    "a supercell too small": (CUBIC, {"simulate/supercell": [2, 2, 2]}, "simulate: supercell", "[3, 3, 3]"),
    "a supercell without volume": (CUBIC, {"simulate/supercell": [0, 4, 4]}, "supercell", "not a supercell"),
    "a cell without volume": (DY, {"crystal/lattice/gamma": "0 deg"}, "crystal.lattice", "no lattice"),
    "an axis that is no number": (DY, {"crystal/sites/0/axis": [0, 0, np.nan]}, "crystal.sites.0.axis.2", "finite"),
    "a spin without end": (ISING, {"crystal/sites/0/spin": np.inf}, "crystal.sites.0.spin", "finite"),
    "a demagnetisation of another unit": (
        DY,
        {"simulate/demagnetisation": np.eye(3).tolist()},
        "simulate: demagnetisation",
        "trace 1",
    ),
    "a demagnetisation of no dipoles": (
        ISING,
        {"simulate/demagnetisation": "sphere"},
        "simulate.demagnetisation",
        "without dipoles",
    ),
    "an axis of zero": (DY, {"crystal/sites/0/axis": [0, 0, 0]}, "crystal.sites: axis", "zero"),
    "no axis": (DY, {"crystal/sites/0/axis": DELETE}, "crystal.sites: axis", "no axis"),
    "a temperature of zero": (DY, {"simulate/temperatures/4": "0 K"}, "simulate.temperatures", "positive"),
    "a negative temperature": (DY, {"simulate/annealing/0/temperature": "-1 K"}, "annealing", "positive"),
    "no temperatures": (DY, {"simulate/temperatures": []}, "simulate.temperatures", "no temperature is named"),
    "a temperature that is nearly zero": (DY, {"simulate/temperatures/4": "1e-300 K"}, "temperatures", "positive"),
    "a temperature that is no number": (DY, {"simulate/temperatures/4": "nan K"}, "temperatures.4", "not finite"),
    "a temperature beyond all numbers": (DY, {"simulate/temperatures/0": "1e400 K"}, "temperatures.0", "finite"),
    "a temperature in meV": (DY, {"simulate/temperatures/4": "0.06 meV"}, "temperatures.4", "one of K, mK"),
    "a temperature twice, in two units": (
        ISING,
        {"simulate/temperatures": ["2 K", "2000 mK"]},
        "simulate.temperatures",
        "each once",
    ),
    "conditions below zero": (ISING, {"conditions": {"temperature": "-3 K"}}, "conditions.temperature", "equal to 0"),
    "temperatures not sorted": (DY, {"simulate/temperatures/0": "0.9 K"}, "simulate.temperatures", "sorted"),
    "a ladder that is flat": (
        ISING,
        {"simulate/temperatures": {"first": "2 K", "last": "2 K", "n": 3}},
        "simulate.temperatures",
        "sorted",
    ),
    "annealing upwards": (DY, {"simulate/annealing/0/temperature": "0.5 K"}, "annealing", "high to low"),
    "a ladder that rises after another": (
        DY,
        {"simulate/slow": [{"first": "1.2 K", "last": "1 K", "n": 3}, {"first": "1.1 K", "last": "0.9 K", "n": 3}]},
        "simulate: slow",
        "sorted",
    ),
    "an unknown key of a ladder among steps": (
        DY,
        {"simulate/annealing": [{"first": "1.2 K", "last": "1 K", "m": 3}]},
        "simulate.annealing.0",
        "unknown key",
    ),
    "no temperature": (
        ISING,
        {"simulate/temperatures": DELETE, "simulate/correlations": DELETE},
        "simulate.temperatures",
        "needs a temperature",
    ),
    "loops without ice rules": (
        ISING,
        {"simulate/moves": [{"kind": "flip"}, {"kind": "short_loop"}]},
        "simulate.moves",
        "ice rules",
    ),
    "a field with loops": (DY, {"conditions": {"field": ["0 T", "0 T", "1 T"]}}, "conditions.field", "field with loop"),
    "flips of vectors": (CUBIC, {"simulate/moves": [{"kind": "flip"}]}, "simulate.moves", "flip"),
    "over-relaxed Ising spins": (
        ISING,
        {"simulate/moves": [{"kind": "over_relaxation"}]},
        "simulate.moves",
        "for ising",
    ),
    "an unknown move": (ISING, {"simulate/moves": [{"kind": "worm"}]}, "simulate.moves.0.kind", "flip"),
    "no moves": (ISING, {"simulate/moves": []}, "simulate.moves", "at least 1"),
    "a width of flips": (ISING, {"simulate/moves": [{"kind": "flip", "width": 0.1}]}, "move flip", "width"),
    "tempering below": (DY, {"simulate/tempering/highest": "0.5 K"}, "tempering.highest", "above"),
    "correlations elsewhere": (DY, {"simulate/correlations/temperatures": ["0.5 K"]}, "correlations", "sampled"),
    "an unknown volume": (DY, {"simulate/volumes": ["hhll"]}, "simulate.volumes", "did you mean 'hhl'"),
    "a volume without edges": (DY, {"volumes/hhl/axes/0/last": -2}, "", "no such bins"),
    "a volume in a plane": (DY, {"volumes/hhl/basis/2": [1, 1, 0]}, "hhl", "independent"),
    "a path and a volume of one name": (
        CUBIC,
        {"volumes/main": CUBIC["volumes"]["hk0"]},
        "volumes.main",
        "same name",
    ),
    "vacancies on no site": (CUBIC, {"simulate/vacancies": {"B": 0.1}}, "simulate.vacancies.B", "no such site"),
    "vacancies everywhere": (ISING, {"simulate/vacancies": {"A": 0.999}}, "simulate.vacancies", "no spin is left"),
    "an order along axes of none": (
        CUBIC,
        {"simulate/order_parameters/neel/direction": "axis"},
        "order_parameters.neel",
        "not every site has",
    ),
    "correlations twice": (
        ISING,
        {"simulate/correlations/temperatures": ["2.5 K", "2500 mK"]},
        "correlations.temperatures",
        "each once",
    ),
    "slabs among vacancies": (DY, {"simulate/vacancies": {"Dy": 0.1}}, "simulate.moves", "slab moves among vacancies"),
    "a population of none": (DY, {"simulate/population": 0}, "simulate.population", "greater than or equal to 1"),
    "an order without direction": (
        CUBIC,
        {"simulate/order_parameters/neel/direction": [0, 0, 0]},
        "order_parameters",
        "direction",
    ),
    "classes that overlap": (
        DY,
        {"simulate/correlations/classes": {"disordered": 60, "ordered": 5}},
        "classes",
        "overlap",
    ),
    "an unknown key": (DY, {"simulate/replicas": 3}, "simulate.replicas", "unknown key"),
    "ranks that do not divide": (CUBIC, {"simulate/ranks": 3}, "simulate.ranks", "multiple of the 2"),
    "a Gaussian in a field": (
        CUBIC,
        {"simulate": GAUSSIAN, "conditions": {"temperature": "3 K", "field": ["0 T", "0 T", "1 T"]}},
        "conditions.field",
        "zero field",
    ),
    "a Gaussian without temperature": (CUBIC, {"simulate": GAUSSIAN}, "conditions.temperature", "at a temperature"),
    "a Gaussian of nothing": (CUBIC, {"simulate": {"kind": "gaussian"}}, "simulate", "nothing is asked for"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_is_one_error_that_says_where(name):
    base, changes, place, text = BAD[name]
    with pytest.raises(SpinscapeError) as caught:
        study_from_data(edited(base, changes))
    message = str(caught.value)
    assert place in message and text in message, message


@pytest.mark.parametrize("base", [DY, ISING, CUBIC], ids=lambda base: base["study"])
def test_a_study_becomes_a_simulator(base):
    study = study_from_data(base)
    header = json.loads(json.dumps(plan_header(study)))
    assert header["kind"] == "montecarlo" and header["ranks_per_point"] == base["simulate"].get("ranks_per_point", 1)
    simulator = MonteCarloSimulator.from_settings(build_model(study)[0], header["settings"])
    template = simulator.template()
    assert template["energy"].shape == (len(base["simulate"]["temperatures"]),) or base is ISING
    shown = report_section(study)
    assert [v["name"] for v in shown["volumes"]] == list(base["volumes"]) and "montecarlo" in shown


def test_a_gaussian_study_becomes_a_simulator():
    study = study_from_data(edited(CUBIC, {"simulate": GAUSSIAN, "conditions": {"temperature": "3 K"}}))
    simulator = GaussianSimulator.from_settings(build_model(study)[0], plan_header(study)["settings"])
    assert {"signal_main", "energy", "susceptibility"} <= set(simulator.template())
    assert study.simulate.module == SIMULATORS["gaussian"].split(":")[0]
    assert "3 temperatures" in study.simulate.summary(study)


def test_ladders_of_temperatures():
    expected = {"linear": [4, 3, 2], "geometric": [4, 2 * 2**0.5, 2], "inverse": [4, 8 / 3, 2]}
    for spacing, values in expected.items():
        ladder = {"first": "4 K", "last": "2 K", "n": 3, "spacing": spacing}
        changes = {"simulate/temperatures": ladder, "simulate/correlations": DELETE, "simulate/thermal": DELETE}
        study = study_from_data(edited(ISING, changes))
        settings = MonteCarloSettings.from_dict(plan_header(study)["settings"]["montecarlo"])
        np.testing.assert_allclose(settings.temperatures, values, rtol=1e-5)


def test_an_annealing_of_several_ladders():
    hot = {"first": "2 K", "last": "1 K", "n": 2, "spacing": "linear", "moves": [{"kind": "flip", "n": 3}]}
    cold = {"first": "0.9 K", "last": "0.7 K", "n": 3, "spacing": "linear", "rounds": 2}
    study = study_from_data(edited(DY, {"simulate/annealing": [{"temperature": "4 K"}, hot, cold]}))
    steps = MonteCarloSettings.from_dict(plan_header(study)["settings"]["montecarlo"]).annealing
    np.testing.assert_allclose([step.temperature for step in steps], [4.0, 2.0, 1.0, 0.9, 0.8, 0.7])
    assert [step.rounds for step in steps] == [1, 1, 1, 2, 2, 2]
    assert [[move.n for move in step.moves] for step in steps] == [[], [3], [3], [], [], []]


def test_the_conditions_may_give_the_temperature():
    changes = {
        "simulate/temperatures": DELETE,
        "simulate/correlations/temperatures": "all",
        "simulate/tempering": DELETE,
    }
    study = study_from_data(edited(ISING, {**changes, "conditions": {"temperature": "2.5 K"}}))
    settings = study.simulate.settings(study)["montecarlo"]
    assert settings["temperatures"] == (2.5,) and settings["correlations"]["temperatures"] == (2.5,)


def test_a_sphere_is_a_demagnetisation_tensor():
    study = study_from_data(edited(DY, {"simulate/demagnetisation": "sphere"}))
    assert np.trace(study.simulate.settings(study)["montecarlo"]["demagnetisation"]) == pytest.approx(1.0)


def test_bins_of_a_volume():
    grid = volume(study_from_data(DY), "hhl")
    assert grid.shape == (33, 33) and grid.integrated == (False, False, True)
    assert grid.edges[0][0] == -2 and grid.basis[0].tolist() == [1, 1, 0]


@pytest.mark.parametrize("base, kinds", [(CUBIC, ["heat_bath", "over_relaxation"]), (ISING, ["flip"])])
def test_a_study_without_moves_gets_those_that_suit_its_spins(base, kinds):
    data = edited(base, {"simulate/moves": DELETE})
    data["simulate"].pop("thermal", None)
    study = study_from_data(data | {"simulate": data["simulate"] | {"thermal": {"samples": 20}}})
    settings = montecarlo_settings(study.simulate, study)
    assert [move.kind for move in settings.moves] == [move.kind for move in settings.thermal.moves] == kinds
