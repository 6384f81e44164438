import json

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.lattice.qspace import path_through
from spinscape.lattice.volumes import QGrid
from spinscape.simulate.montecarlo_settings import (
    Correlations,
    MonteCarloSettings,
    Order,
    Sampling,
    Step,
    Tempering,
    Thermal,
    check_temperatures,
)
from spinscape.simulate.moves import Move

FLIP = (Move("flip", 2),)


def everything():
    path = path_through([[0, 0, 0], [1, 0, 0]], n_point=(5,), reciprocal=np.eye(3), name="p")
    grid = QGrid("g", np.zeros(3), np.eye(3), ([0, 1, 2], [0, 1, 2], [0, 1]))
    return MonteCarloSettings(
        supercell=((2, 1, 0), (0, 2, 0), (0, 0, 3)),
        temperatures=(3.0, 2.0, 1.0),
        moves=FLIP,
        annealing=(Step(8.0, 3, (Move("flip"),)), Step(4.0)),
        slow=(Step(5.0), Step(4.0)),
        sampling=Sampling(replicas=2),
        tempering=Tempering(5.0, 8, moves=(Move("short_loop", 3),)),
        orders=(Order("m"), Order("n", (0.5, 0, 0), "axis"), Order("k", direction=(0, 0, 1))),
        correlations=Correlations((1.0,), True, (path, grid), {"component": "trace"}, (5.0, 60.0)),
        thermal=Thermal(Sampling(replicas=2, samples=20), FLIP),
        keep=("series",),
        vacancies=(("A", 0.1),),
        demagnetisation=((1.0, 0, 0), (0, 0, 0), (0, 0, 0)),
    )


def test_settings_pass_through_json_unchanged():
    settings = everything()
    data = json.loads(json.dumps(settings.to_dict()))
    assert json.loads(json.dumps(MonteCarloSettings.from_dict(data).to_dict())) == data
    assert MonteCarloSettings.from_dict(data).correlations.where[1].name == "g"


def test_each_temperature_is_sampled_in_its_own_way():
    settings = everything()
    assert settings.at(1.0).sampling is settings.sampling and settings.at(2.0) is settings.thermal
    assert [move.kind for move in settings.all_moves] == ["flip", "flip", "short_loop", "flip"]
    assert settings.falling == (3.0, 2.0, 1.0)


@pytest.mark.parametrize(
    ("values", "text"),
    [((), "no temperature"), ((1.0, -1.0), "positive"), ((1.0, 3.0, 2.0), "sorted"), ((2.0, 2.0), "sorted")],
)
def test_temperatures_are_positive_and_sorted(values, text):
    with pytest.raises(ConfigError, match=text):
        check_temperatures(values, where="temperatures")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"annealing": (Step(2.0), Step(4.0))}, "high to low"),
        ({"moves": ()}, "at least one move"),
        ({"tempering": Tempering(2.5, 8)}, "above the sampled"),
        ({"tempering": Tempering(0.5, 8, rescue=True)}, "above the sampled"),
        ({"orders": (Order("m"), Order("m"))}, "same name"),
        ({"keep": ("everything",)}, "cannot be kept"),
        ({"correlations": Correlations((1.5,))}, "that are sampled"),
        ({"thermal": Thermal(Sampling(replicas=3), FLIP)}, "all temperatures"),
    ],
)
def test_contradictions_are_errors(changes, text):
    values = {name: getattr(everything(), name) for name in everything().__dataclass_fields__}
    with pytest.raises(ConfigError, match=text):
        MonteCarloSettings(**{**values, **changes})


@pytest.mark.parametrize(
    "make",
    [
        lambda: Sampling(samples=4),
        lambda: Sampling(r_hat=1.0),
        lambda: Sampling(replicas=0),
        lambda: Step(-1.0),
        lambda: Tempering(3.0, 1),
    ],
)
def test_numbers_out_of_range_are_errors(make):
    with pytest.raises(ConfigError):
        make()
