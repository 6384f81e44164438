"""An energy window without a mode is refused; one that a mode touches is not."""

import numpy as np
import pytest

from spinscape.errors import ConfigError
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model
from spinscape.lattice.crystal import Crystal
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.simulate.energy_window import check_window
from spinscape.simulate.protocol import StreamKey
from spinscape.simulate.spectrum import SpectrumModel, SpinwaveSettings
from spinscape.simulate.spinwave import SpinwaveSimulator


def spectrum(first, last, **settings):
    """Ferromagnetic chain, E = 2 |J| (1 - cos 2πh) from 2 to 4 meV on the path for J = -1."""
    crystal = Crystal(
        vectors=np.diag([3.0, 4.0, 5.0]),
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
    path = path_through([[0.25, 0, 0], [0.5, 0, 0]], n_point=[6], reciprocal=crystal.reciprocal, name="up")
    structure = MagneticStructure(np.eye(3), [0], np.zeros((1, 3)), [[0, 0, 1.0]])
    axis = EnergyAxis.from_range(first=first, last=last, step=0.5)
    return SpectrumModel(model, structure, path, axis, SpinwaveSettings(fwhm=(0.2,), **settings))


@pytest.mark.parametrize("window", [(0.0, 1.5), (4.5, 9.0)])
def test_a_window_without_a_mode_is_refused(window):
    with pytest.raises(ConfigError, match="the energy window holds no mode") as caught:
        check_window(spectrum(*window), [-1.0])
    assert caught.value.where == "energy, path 'up', J = -1 meV"
    assert caught.value.expected == "energies of 2 to 4 meV, where the modes are"
    assert caught.value.got == f"{window[0] - 0.25:g} to {window[1] + 0.25:g} meV"
    assert not np.any(np.isnan(spectrum(*window).predict([-1.0])))


@pytest.mark.parametrize(
    ("window", "settings"), [((0.0, 2.0), {}), ((4.0, 9.0), {}), ((7.5, 9.0), {"energy_factor": 2.0})]
)
def test_a_window_that_a_mode_touches_is_not(window, settings):
    check_window(spectrum(*window, **settings), [-1.0])


def test_an_offset_of_the_energy_counts():
    check_window(spectrum(0.0, 1.5, energy_offset=-1.0), [-1.0])


def test_the_simulator_says_why_a_point_is_empty():
    simulator = SpinwaveSimulator({"up": spectrum(6.0, 9.0), "all": spectrum(0.0, 9.0)})
    result = simulator.run(np.array([-1.0]), StreamKey(0, "p"))
    assert result.code == "failed" and "holds no mode" in result.error and result.arrays is None
    assert simulator.run(np.array([-2.0]), StreamKey(0, "p")).code == "done"
