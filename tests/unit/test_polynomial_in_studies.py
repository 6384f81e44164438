"""Polynomials through simulated points, and the study's own Monte Carlo in place of data, as parts of a study."""

from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from spinscape.config import build
from spinscape.config.axes import volume
from spinscape.errors import ConfigError, FitError
from spinscape.experiment.file import read_measurement
from spinscape.lattice.momentum import momentum_to_dict
from spinscape.stages import forward_polynomial, measurement, model

from .tiny_studies import tiny_study


def study(**changes):
    return tiny_study("dy2ti2o7_fit.yaml", **changes)


def test_its_fits_read_the_simulated_points_and_each_measurement_has_an_array():
    tiny = study()
    assert build.fit_files(tiny, "joint") == {"index": "collect/index.json"}
    arrays = build.fit_section(tiny, "joint")["forward"]["arrays"]
    assert arrays["heat"] == "heat_capacity" and arrays["hhl_2K"] == "signal_hhl"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fits__scattering__objective__share": ["artefacts"]}, "share"),
        ({"fits__scattering__forward": {"kind": "polynomial", "degree": 9}}, "degree"),
        ({"simulate__kind": "gaussian"}, "simulat"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        study(**changes)


def test_the_studys_own_simulation_stands_in_at_each_temperature(tmp_path):
    tiny = study(simulate__sampling={"replicas": 4, "samples": 20}, simulate__moves=[{"kind": "flip", "n": 10}])
    model.run(build.model_section(tiny), tmp_path / "model.json")
    made = {}
    for name in ("hhl_4K", "hhl_1p5K", "heat"):
        section = build.measurement_section(tiny, name)
        measurement.run(section, name, tmp_path / "model.json", tiny.seed, None, tmp_path / f"{name}.h5")
        made[name] = read_measurement(tmp_path / f"{name}.h5")
    assert all(m.simulated for m in made.values())
    assert made["hhl_4K"].signal.shape == (17 * 17, 1) and made["heat"].temperatures.tolist() == [1.5, 2.0, 3.0]
    counts = tiny.measurements["hhl_4K"].simulated.counts
    assert np.sum((made["hhl_4K"].signal / made["hhl_4K"].std) ** 2) == pytest.approx(counts, rel=0.02)
    # Ice is sharper in Q the colder it is.
    contrast = [np.std(m.signal) / np.mean(m.signal) for m in (made["hhl_4K"], made["hhl_1p5K"])]
    assert contrast[1] > 1.1 * contrast[0]
    # Between 1 and 3 K the heat capacity of an ice is a few tenths of k_B, with a maximum.
    assert np.all((made["heat"].signal > 0.02) & (made["heat"].signal < 1.0))


class Store:
    """Simulated points of two temperatures: two settled ones and one that is not."""

    template: ClassVar = {
        "signal_hhl": {"dims": ["temperature_of_signal", "u", "v"], "shape": [2, 3, 2],
                       "coords": {"temperature_of_signal": {"values": [4.0, 2.0]}}},
        "heat_capacity": {"dims": ["temperature"], "shape": [2], "coords": {"temperature": {"values": [4.0, 2.0]}}},
    }  # fmt: skip
    state, result_codes = np.array([1, 4, 1]), {"done": 1}

    def read_many(self, name, points):
        shape = tuple(self.template[name]["shape"])
        return np.arange(3 * np.prod(shape)).reshape(3, *shape)[points]


def wanted(name, temperature=None, *, momentum=True):
    return SimpleNamespace(name=name, shape=(6, 1), momentum=QGRID if momentum else None,
                           conditions=SimpleNamespace(temperature=temperature))  # fmt: skip


QGRID = volume(study(), "hhl")


def test_each_measurement_is_found_among_the_voxels_of_its_temperature():
    axes = {"signal_hhl": momentum_to_dict(QGRID)}
    values, places = forward_polynomial._seen(Store(), "signal_hhl", [wanted("a", 2.0), wanted("b", 4.0)], axes)
    assert [first for _, first in places] == [6, 0]
    # Points that did not settle are not learnt from.
    assert values.tolist() == [list(range(12)), list(range(24, 36))]
    only, places = forward_polynomial._seen(Store(), "signal_hhl", [wanted("a", 2.0)], axes)
    assert only.tolist() == [list(range(6, 12)), list(range(30, 36))] and places[0][1] == 0
    heat, places = forward_polynomial._seen(Store(), "heat_capacity", [wanted("heat", momentum=False)], axes)
    assert heat.tolist() == [[0, 1], [4, 5]] and places == [([4.0, 2.0], 0)]
    with pytest.raises(FitError, match="was not simulated"):
        forward_polynomial._seen(Store(), "signal_hhl", [wanted("a", 1.0)], axes)
    with pytest.raises(FitError, match="does not simulate what was measured"):
        forward_polynomial._seen(Store(), "signal_hk0", [wanted("a", 2.0)], axes)
