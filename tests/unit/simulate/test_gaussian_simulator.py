"""The simulator of kind gaussian: settings from plain data, a declared result, codes instead of exceptions."""

import json

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.hamiltonian import terms
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.terms import BondTerm
from spinscape.lattice.bonds import Bond
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.qspace import path_through
from spinscape.lattice.symmetry import SiteSpec, crystal_from_space_group
from spinscape.lattice.volumes import QGrid, edges_from_range
from spinscape.simulate.gaussian import GaussianModel, GaussianSettings
from spinscape.simulate.gaussian_simulator import GaussianSimulator
from spinscape.simulate.protocol import RESULT_CODE, StreamKey

KEY = StreamKey(1, "00")
THETA = np.array([0.5])


def model():
    vectors = lattice_vectors(a=4.0, b=4.0, c=4.0)
    crystal = crystal_from_space_group(vectors, "Pm-3m", [SiteSpec("A", "Cr3+", (0, 0, 0), 1.5)])
    return model_from_terms(
        crystal, ("J",), [BondTerm("heisenberg", terms.heisenberg("J", ("J",)), Bond(0, 0, (1, 0, 0)))]
    )


def slice_hk(**changes):
    edges = [
        edges_from_range(first=0, last=1, n_bin=4),
        edges_from_range(first=0, last=2, n_bin=3),
        np.array([-0.1, 0.1]),
    ]
    return QGrid(**{"name": "hk", "origin": np.zeros(3), "basis": np.eye(3), "edges": edges, **changes})


def plain_settings(**changes):
    path = path_through([[0, 0, 0], [1, 1, 0]], n_point=[5], reciprocal=model().crystal.reciprocal, name="line")
    settings = {
        "kind": "gaussian",
        "paths": [path.to_dict()],
        "grids": [slice_hk().to_dict()],
        "conditions": Conditions(temperature=60.0).to_dict(),
        "temperatures": [50.0, 100.0, 200.0],
        "gaussian": GaussianSettings(n_mesh=8, form_factor=True, n_sub=3).to_dict(),
    }
    return json.loads(json.dumps({**settings, **changes}))


def simulator(**changes):
    return GaussianSimulator.from_settings(model(), plain_settings(**changes))


def test_the_template_declares_what_run_returns():
    template, result = simulator().template(), simulator().run(THETA, KEY)
    assert result.code == "done"
    assert set(template) == set(result.arrays)
    assert set(template) == {"signal_line", "signal_hk", "energy", "heat_capacity", "susceptibility"}
    for name, declared in template.items():
        assert result.arrays[name].shape == declared.shape
        assert result.arrays[name].dtype == np.dtype(declared.dtype)
    assert template["signal_hk"].dims == ("u_hk", "v_hk")
    assert template["signal_hk"].coords["v_hk"].values == pytest.approx([1 / 3, 1, 5 / 3])
    assert template["susceptibility"].dims == ("temperature", "alpha", "beta")
    assert template["susceptibility"].coords["temperature"].unit == "K"
    json.dumps({name: declared.to_dict() for name, declared in template.items()})


def test_run_stores_what_the_model_predicts():
    gaussian = GaussianModel(model(), GaussianSettings(n_mesh=8, form_factor=True))
    result = simulator().run(THETA, KEY)
    points = slice_hk().integration_points(3)
    plain = gaussian.predict_structure_factor(THETA, 60.0, points.reshape(-1, 3)).reshape(4, 3, 3).mean(axis=2)
    np.testing.assert_allclose(result.arrays["signal_hk"], plain, rtol=1e-6)
    assert result.diagnostics["multiplier_0"] == pytest.approx(gaussian.state(THETA, 60.0).solution.value[0])
    assert 0 < result.diagnostics["share"] < 0.2
    for k, temperature in enumerate((50.0, 100.0, 200.0)):
        found = {name: result.arrays[name][k] for name in ("energy", "heat_capacity", "susceptibility")}
        for name, value in found.items():
            np.testing.assert_allclose(value, getattr(gaussian, name)(THETA, temperature), rtol=1e-12)


def test_below_the_ordering_a_point_has_a_code_and_a_reason():
    result = simulator().run(4 * THETA, KEY)
    assert result.code == "failed"
    assert result.code in RESULT_CODE
    assert result.arrays is None
    assert "Q = (0.5 0.5 0.5)" in result.error


def test_tables_alone_and_signals_alone():
    tables = simulator(paths=[], grids=[], conditions=Conditions().to_dict())
    assert set(tables.run(THETA, KEY).arrays) == {"energy", "heat_capacity", "susceptibility"}
    assert set(simulator(temperatures=[]).run(THETA, KEY).arrays) == {"signal_line", "signal_hk"}


def test_a_large_grid_is_not_kept_but_gives_the_same(monkeypatch):
    whole = simulator().run(THETA, KEY).arrays["signal_hk"]
    monkeypatch.setattr("spinscape.simulate.gaussian_image._KEEP", 1)
    assert np.array_equal(simulator().run(THETA, KEY).arrays["signal_hk"], whole)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"conditions": Conditions(60.0, (0, 0, 1.0)).to_dict()}, "zero field"),
        ({"conditions": Conditions().to_dict()}, "positive"),
        ({"temperatures": [10.0, -1.0]}, "positive"),
        ({"paths": [], "grids": [], "temperatures": []}, "something must be asked"),
        ({"grids": [slice_hk(name="line").to_dict()]}, "different names"),
    ],
)
def test_bad_settings(changes, words):
    with pytest.raises(ConfigError, match=words):
        simulator(**changes)


def test_settings_that_lack_conditions():
    settings = plain_settings()
    del settings["conditions"]
    with pytest.raises(ConfigError, match="lack conditions"):
        GaussianSimulator.from_settings(model(), settings)
