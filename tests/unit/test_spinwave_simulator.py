"""The simulator protocol: settings from plain data, a declared result, codes instead of exceptions."""

import json

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model
from spinscape.lattice.crystal import Crystal
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.simulate.protocol import RESULT_CODE, StreamKey
from spinscape.simulate.spinwave import SpectrumModel, SpinwaveSettings, SpinwaveSimulator

KEY = StreamKey(1, "00")


def chain():
    crystal = Crystal(
        vectors=np.diag([3.0, 8.0, 8.0]),
        positions=[[0, 0, 0]],
        labels=("a",),
        orbit=[0],
        spins=[1.0],
        ions=("",),
        g=2.0 * np.eye(3)[None],
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )
    model = Model(crystal, ("J",), BondTable([0], [0], [[1, 0, 0]], [0], [np.eye(3)]))
    return model, MagneticStructure(np.diag([2, 1, 1]), [0, 0], [[0, 0, 0], [1, 0, 0]], [[0, 0, 1], [0, 0, -1]])


def plain_settings():
    model, structure = chain()
    reciprocal = model.crystal.reciprocal
    paths = [
        path_through([[0.1, 0, 0], [0.4, 0, 0]], n_point=[5], reciprocal=reciprocal, name="a"),
        path_through([[0.4, 0, 0], [0.6, 1, 0]], n_point=[7], reciprocal=reciprocal, name="b"),
    ]
    return {
        "kind": "spinwave",
        "structure": structure.to_dict(),
        "paths": [p.to_dict() for p in paths],
        "energy": EnergyAxis.from_range(first=0.0, last=5.0, step=0.5).to_dict(),
        "conditions": Conditions(temperature=4.0).to_dict(),
        "spinwave": SpinwaveSettings(fwhm=(0.5,), cap=20.0).to_dict(),
    }


def simulator():
    return SpinwaveSimulator.from_settings(chain()[0], json.loads(json.dumps(plain_settings())))


def test_the_template_declares_what_run_returns():
    template, result = simulator().template(), simulator().run(np.array([1.0]), KEY)
    assert result.code == "done"
    assert set(template) == set(result.arrays) == {"signal_a", "signal_b"}
    for name, declared in template.items():
        assert result.arrays[name].shape == declared.shape
        assert result.arrays[name].dtype == np.dtype(declared.dtype)
        assert declared.dims[1] == "energy"
        assert declared.coords["energy"].unit == "meV"
    assert template["signal_b"].coords["hkl_b"].values.shape == (7, 3)


def test_run_stores_what_the_forward_model_predicts():
    settings = plain_settings()
    model, structure = chain()
    one = SpectrumModel(
        model,
        structure,
        path_through([[0.1, 0, 0], [0.4, 0, 0]], n_point=[5], reciprocal=model.crystal.reciprocal),
        EnergyAxis.from_dict(settings["energy"]),
        SpinwaveSettings.from_dict(settings["spinwave"]),
    )
    result = simulator().run(np.array([1.3]), KEY)
    np.testing.assert_array_equal(result.arrays["signal_a"], one.predict([1.3]).astype(np.float32))
    assert result.diagnostics["signal_a"] > 0


def test_an_unstable_point_has_a_code_and_a_reason():
    result = simulator().run(np.array([-1.0]), KEY)
    assert result.code == "unstable"
    assert result.code in RESULT_CODE
    assert result.arrays is None
    assert "lowest eigenvalue" in result.error


def test_settings_that_lack_a_part_are_refused():
    settings = plain_settings()
    del settings["structure"], settings["energy"]
    with pytest.raises(ConfigError, match="lack structure, energy"):
        SpinwaveSimulator.from_settings(chain()[0], settings)
