"""Generators, robust and latent objectives, and Gaussian-process rounds as parts of a study."""

from types import SimpleNamespace

import numpy as np
import pytest

from spinscape.config import build
from spinscape.errors import ConfigError, FitError
from spinscape.experiment.measurement import Measurement
from spinscape.hamiltonian.conditions import Conditions
from spinscape.infer.gaussian_process import objective_process
from spinscape.infer.robust_tiled import robust_tiled
from spinscape.lattice.volumes import QGrid, edges_from_range
from spinscape.stages.choose_by_fit import simulated_values
from spinscape.stages.forward_generator import first_voxel, which_temperature

from .tiny_studies import tiny_study


def study(**changes):
    return tiny_study("square_fit.yaml", **changes)


def plane(temperature=None):
    edges = edges_from_range(first=0.0, last=1.0, n_bin=6)
    grid = QGrid("plane", np.zeros(3), np.eye(3), (edges, edges, np.array([0.0, 1.0])))
    signal = 2.0 + np.random.default_rng(1).random((36, 1))
    ones = np.ones((36, 1))
    return Measurement("plane", grid, None, signal, ones > 0, 0.05 * ones, Conditions(temperature))


def test_fits_and_rounds_name_their_files_and_modules():
    tiny = study()
    assert build.fit_files(tiny, "robust") == {"generator:images": "compress/images_generator.pt"}
    both = {"generator:images": "compress/images_generator.pt", "compressor": "compress/images.pt"}
    assert build.fit_files(tiny, "latent") == both
    section = build.refine_section(tiny)
    assert section["arrays"] == {"plane": "signal_hk0"} and "rounds" not in section["refine"]
    assert tiny.refine.modules(tiny) == ("spinscape.stages.choose_by_fit", "spinscape.stages.objective_robust")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fits__robust__forward": {"kind": "generator", "model": "imgs"}}, "did you mean 'images'"),
        ({"fits__latent__objective__model": "none"}, "unknown compression"),
        ({"fits__latent__objective__scale": 0.0}, "a scale is positive"),
        ({"fits__latent__objective__background": {"empty": ["can"]}}, "unknown measurement"),
        ({"fits__latent__objective__weights": "paper"}, "weights"),
        ({"refine__fit": "robst"}, "did you mean 'robust'"),
        ({"refine__fit": "latent"}, "no objective that reads a trained model"),
        ({"fits__robust__forward__arrays": {"plane": "signal_other"}}, "array of the model"),
        ({"refine__acquisition": "luck"}, "acquisition"),
    ],
)
def test_what_does_not_fit_together_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        study(**changes)


def test_voxels_of_a_temperature_among_several_arrays():
    about = {
        "arrays": ["a", "b"],
        "shapes": {"a": [5], "b": [3, 6, 6]},
        "temperatures": {"a": None, "b": [1.0, 2.0, 4.0]},
    }
    assert first_voxel(about, "b", plane(2.0)) == 5 + 36
    with pytest.raises(FitError, match="was not simulated"):
        which_temperature([1.0, 2.0], plane(3.0))
    with pytest.raises(FitError, match="was not simulated"):
        which_temperature([1.0, 2.0], plane(None))
    assert which_temperature([1.0], plane(None)) == 0


def test_values_of_stored_images_are_those_of_the_objective():
    """The best of stored points is the one that the data were made from; a process of the values finds its place."""
    data = plane(2.0)
    rng = np.random.default_rng(2)
    points = rng.random((100, 2))
    images = data.signal[:, 0] * (1.0 + np.outer(points[:, 0] - 0.4, np.linspace(-1, 1, 36)))
    images += np.outer((points[:, 1] - 0.7), np.sin(np.arange(36.0)))
    rows = np.stack([np.zeros_like(images), images], axis=1).reshape(100, 2, 6, 6)
    temperatures = {"temperature_of_signal": {"values": [1.0, 2.0]}}
    store = SimpleNamespace(
        n_point=100,
        template={"signal_plane": {"dims": ["temperature_of_signal", "h", "k"], "coords": temperatures}},
        read_many=lambda name, index: rows[index],
    )
    objective = robust_tiled([data], tiles=1, model_error=0.0)
    values = simulated_values(store, objective, [data], {"plane": "signal_plane"})
    assert values[7] == objective.value((images[7][:, None],))
    assert np.abs(objective_process(points, values).minimum()[0] - [0.4, 0.7]).max() < 0.08
