"""The simulator protocol: settings from plain data, a declared result, codes instead of exceptions."""

import json

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model
from spinscape.hamiltonian.spiral import SpiralStructure
from spinscape.hamiltonian.structures import GroundStateSearch
from spinscape.lattice.crystal import Crystal
from spinscape.lattice.powder_axis import PowderAxis
from spinscape.lattice.qspace import EnergyAxis, QPath, path_through
from spinscape.lattice.volumes import QGrid
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


def more(**changes):
    return SpinwaveSimulator.from_settings(chain()[0], json.loads(json.dumps({**plain_settings(), **changes})))


def test_a_volume_has_the_axes_of_its_bins():
    grid = QGrid("v", [0, 0, 0], np.eye(3), (np.linspace(0.1, 0.5, 4), np.array([-0.5, 0.5]), np.linspace(0, 1, 3)))
    one = more(grids=[grid.to_dict()])
    template, result = one.template()["signal_v"], one.run(np.array([1.3]), KEY)
    assert template.dims == ("u_v", "w_v", "energy") and template.shape == (3, 2, 11)
    assert result.arrays["signal_v"].shape == template.shape
    np.testing.assert_allclose(template.coords["u_v"].values, grid.centres[0])
    # Nothing disperses along b and c: the mean over a bin is its value, and bins along w are equal.
    np.testing.assert_array_equal(result.arrays["signal_v"][:, 0], result.arrays["signal_v"][:, 1])


def test_units_of_the_spectrum_are_declared():
    how = SpinwaveSettings(fwhm=(0.5,), units="moment").to_dict()
    assert more(spinwave=how).template()["signal_a"].unit == "μ_B²/meV"
    assert simulator().template()["signal_a"].unit == "1/meV"


def test_a_spiral_gives_what_its_magnetic_cell_gives():
    spiral = SpiralStructure([0.5, 0, 0], [1, 0, 0], [[0, 0, 1]])
    one, two = (more(structure=s.to_dict()).run(np.array([1.3]), KEY) for s in (spiral, chain()[1]))
    np.testing.assert_allclose(one.arrays["signal_b"], two.arrays["signal_b"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("key", ["structure", "unstable"])
def test_points_may_have_their_own_ground_states(key):
    result = more(**{key: GroundStateSearch(max_cell=2, n_start=8).to_dict()}).run(np.array([-1.0]), KEY)
    assert result.code == "done" and result.diagnostics["structure"] == "own"
    # A ferromagnetic chain: 2 S |J| (1 - cos 2πh) at h = 0.4 lies between 3.5 and 4 meV.
    assert np.argmax(result.arrays["signal_a"][-1]) in (7, 8)


def test_a_window_without_modes_has_a_code_and_a_reason():
    far = EnergyAxis.from_range(first=20.0, last=25.0, step=0.5).to_dict()
    result = more(energy=far).run(np.array([1.0]), KEY)
    assert result.code == "failed" and result.arrays is None
    assert "holds no mode" in result.error and "from 19.75 to 25.25 meV" in result.error
    kept = more(energy=far, keep_empty=True).run(np.array([1.0]), KEY)
    assert kept.code == "done" and np.all(np.isfinite(kept.arrays["signal_a"]))
    # 2 |sin 2πh| is 1.18 meV at h = 0.4, where path b begins, and less on the rest of it.
    near = EnergyAxis.from_range(first=1.0, last=1.5, step=0.25).to_dict()
    assert more(energy=near).run(np.array([1.0]), KEY).code == "done"
    above = EnergyAxis.from_range(first=1.5, last=2.0, step=0.25).to_dict()
    assert "where: b" in more(energy=above).run(np.array([1.0]), KEY).error


@pytest.mark.parametrize("powder", [{}, {"powder": {"reference": [-1.3], "tolerance": 0.002}}])
def test_a_powder_is_the_mean_over_directions(powder):
    """A chain disperses along a alone: the mean over directions of Q is one over cos θ, done here by its own rule."""
    along = MagneticStructure(np.eye(3), [0], [[0, 0, 0]], [[0, 0, 1]])
    axis = PowderAxis.from_range(first=0.4, last=1.2, n=3, name="p")
    how = SpinwaveSettings(fwhm=(1.0,), component="trace").to_dict()
    one = more(powders=[axis.to_dict()], spinwave=how, structure=along.to_dict(), **powder)
    template, result = one.template()["signal_p"], one.run(np.array([-1.3]), KEY)
    assert template.dims == ("modulus_p", "energy") and template.coords["modulus_p"].unit == "1/Å"
    cosine, weight = np.polynomial.legendre.leggauss(200)
    for row, modulus in zip(result.arrays["signal_p"], axis.centres, strict=True):
        points = np.outer(modulus * cosine * 3.0 / (2.0 * np.pi), [1.0, 0.0, 0.0])
        path = QPath("r", points, np.zeros(200), np.arange(200.0))
        energy = EnergyAxis.from_dict(plain_settings()["energy"])
        model = SpectrumModel(chain()[0], along, path, energy, SpinwaveSettings.from_dict(how))
        mean = weight @ model.predict([-1.3]) / 2.0
        # Two per cent of the spectrum's root mean square, or what is asked for; four times that at the worst pixel.
        np.testing.assert_allclose(row, mean, atol=4 * (0.002 if powder else 0.02) * np.sqrt(np.mean(mean**2)))
