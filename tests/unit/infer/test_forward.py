"""Forward models on the data's own axes."""

from dataclasses import replace

import numpy as np
import pytest

from spinscape.errors import FitError, UnstableError
from spinscape.experiment.measurement import Measurement
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model
from spinscape.infer.forward import siren_forward, spinwave_forward
from spinscape.infer.objectives import correlation
from spinscape.infer.problem import Problem
from spinscape.infer.protocols import GradientForward, ModeForward, PixelForward
from spinscape.lattice.crystal import Crystal, lattice_vectors
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.learn.domain import TrainingDomain
from spinscape.learn.siren import Siren, SirenSettings
from spinscape.simulate.spinwave import SpinwaveSettings

SETTINGS = SpinwaveSettings(energy_factor=1.1, fwhm=(3.0, 0.01), cap=20.0)


@pytest.fixture(scope="module")
def chain():
    """An antiferromagnetic chain of S = 1 along a, with a second neighbour and an easy axis that nothing needs."""
    crystal = Crystal(
        lattice_vectors(a=3.0, b=8.0, c=8.0), np.zeros((1, 3)), ("A",), [0], [1.0], ("Ni2+",), np.eye(3)[None] * 2,
        np.eye(3)[None], np.zeros((1, 3)),
    )  # fmt: skip
    offsets = np.array([[1, 0, 0], [2, 0, 0]])
    bonds = BondTable([0, 0], [0, 0], offsets, [0, 1], np.stack([np.eye(3)] * 2))
    structure = MagneticStructure(np.diag([2, 1, 1]), [0, 0], [[0, 0, 0], [1, 0, 0]], [[0, 0, 1], [0, 0, -1]])
    return Model(crystal, ("J", "K"), bonds), structure


def measurement(chain, *, first=1.0, last=30.0, n_q=17):
    model, _ = chain
    path = path_through([[0.05, 0, 0], [0.95, 0, 0]], n_point=[n_q], reciprocal=model.crystal.reciprocal)
    axis = EnergyAxis.from_range(first=first, last=last, step=1.0)
    shape = (n_q, len(axis.centres))
    return Measurement("m", path, axis, np.ones(shape), np.ones(shape, bool))


def test_each_measurement_gets_a_spectrum_on_its_own_axes(chain):
    sets = [measurement(chain), measurement(chain, first=5.0, last=20.0, n_q=9)]
    forward = spinwave_forward(*chain, sets, settings=SETTINGS)
    images = forward.predict([5.0, 0.3])
    assert [image.shape for image in images] == [m.shape for m in sets]
    assert forward.parameter_names == ("J", "K") and forward.units == ("meV", "meV")
    # Equal points of the two grids: the ends of the path, and energies that both have.
    assert np.allclose(images[0][[0, -1], 4:20], images[1][[0, -1]], rtol=1e-12)


def test_fixed_couplings_and_nuisances_reach_the_simulator(chain):
    one = measurement(chain)
    forward = spinwave_forward(
        *chain, [one], settings=SETTINGS, nuisances=("energy_offset", "fwhm_factor"), fixed={"K": 0.3}
    )
    assert forward.parameter_names == ("J", "energy_offset", "fwhm_factor")
    assert forward.units == ("meV", "meV", "")
    spectrum = forward.spectra[0].predict(np.array([5.0, 0.3]), energy_offset=0.7, fwhm_factor=1.2)
    assert np.array_equal(forward.predict([5.0, 0.7, 1.2])[0], spectrum)
    q = np.array([[0.25, 0, 0]])
    assert np.array_equal(forward.mode_energies([5.0, 0.7, 1.2], q), forward.mode_energies([5.0, 0.0, 1.0], q))


def test_the_band_of_a_chain_is_where_the_closed_form_says(chain):
    forward = spinwave_forward(*chain, [measurement(chain)], settings=SETTINGS)
    assert isinstance(forward, ModeForward) and isinstance(forward, GradientForward)
    j, k, q = 5.0, 0.3, np.array([0.1, 0.25, 0.4])
    a = 2 * j - 2 * k * (1 - np.cos(4 * np.pi * q))
    expected = 1.1 * np.sqrt(a**2 - (2 * j * np.cos(2 * np.pi * q)) ** 2)
    energies = forward.mode_energies([j, k], np.stack([q, 0 * q, 0 * q], axis=1))
    assert np.allclose(energies, expected[:, None], rtol=1e-6)


def test_gradients_agree_with_differences_and_leave_out_fixed_couplings(chain):
    forward = spinwave_forward(
        *chain, [measurement(chain)], settings=SETTINGS, nuisances=("q_smear",), fixed={"J": 5.0}
    )
    at, step = np.array([0.3, 0.05]), np.array([1e-4, 0.0])
    (gradient,) = forward.gradient(at)
    difference = (forward.predict(at + step)[0] - forward.predict(at - step)[0]) / 2e-4
    assert gradient.shape == (1, *difference.shape)
    assert np.abs(gradient[0] - difference).max() < 1e-5 * np.abs(difference).max()


def test_an_unstable_point_raises_and_is_infinite(chain):
    one = measurement(chain)
    forward = spinwave_forward(*chain, [one], settings=SETTINGS)
    with pytest.raises(UnstableError):
        forward.predict([-5.0, 0.0])
    data = Measurement("m", one.momentum, one.energy, forward.predict([5.0, 0.3])[0], one.valid)
    problem = Problem(forward, correlation([data]))
    assert problem(np.array([-5.0, 0.0])) == np.inf
    assert problem(np.array([5.0, 0.3])) == pytest.approx(0.0, abs=1e-12)


def test_unknown_names_are_errors(chain):
    one = [measurement(chain)]
    with pytest.raises(FitError, match="unknown nuisance parameter 'temperature'"):
        spinwave_forward(*chain, one, settings=SETTINGS, nuisances=("temperature",))
    with pytest.raises(FitError, match="unknown coupling 'L'"):
        spinwave_forward(*chain, one, settings=SETTINGS, fixed={"L": 1.0})
    with pytest.raises(FitError, match="every coupling is fixed"):
        spinwave_forward(*chain, one, settings=SETTINGS, fixed={"J": 1.0, "K": 0.0})


@pytest.fixture(scope="module")
def network(chain):
    """An untrained network: any smooth function will do here."""
    one = measurement(chain)
    domain = TrainingDomain(("J", "K"), one.momentum.points, one.energy.centres, [1.0, -1.0], [10.0, 1.0], 0.5, 0.3)
    return Siren(SirenSettings(width=8, hidden_layers=2), domain, seed=3)


def test_a_network_answers_on_the_axes_of_the_data(chain, network):
    one = measurement(chain)
    forward = siren_forward(network, [one])
    at = np.array([5.0, 0.3])
    assert np.array_equal(forward.predict(at)[0], network.predict(one.momentum.points, one.energy.centres, at))
    assert isinstance(forward, PixelForward) and not isinstance(forward, ModeForward)
    assert forward.outside(at) == ()
    assert forward.outside([50.0, 0.3]) == ("theta",)
    wide = siren_forward(network, [one, measurement(chain, first=1.0, last=60.0)])
    assert wide.outside(at) == ("energy",)


def test_a_network_s_gradients_agree_with_differences(chain, network):
    forward = siren_forward(network, [measurement(chain)], fixed={"K": 0.3})
    assert forward.parameter_names == ("J",)
    (gradient,) = forward.gradient([5.0])
    difference = (forward.predict([5.05])[0] - forward.predict([4.95])[0]) / 0.1
    # Weights are float32: differences of values of order 1 are good to 1e-7 / 0.1.
    assert np.abs(gradient[0] - difference).max() < 1e-3 * np.abs(difference).max() + 1e-5


def test_pixels_of_a_network_are_those_of_its_images(chain, network):
    forward = siren_forward(network, [measurement(chain), measurement(chain, n_q=9)])
    at = np.array([5.0, 0.3])
    pixels = (np.array([0, 7, 100]), np.array([3, 4]))
    values, pullback = forward.predict_pixels(at, pixels)
    images, jacobians = forward.predict(at), forward.gradient(at)
    weights = (np.array([1.0, -2.0, 0.5]), np.array([0.3, 4.0]))
    expected = np.zeros(2)
    for value, image, jacobian, index, weight in zip(values, images, jacobians, pixels, weights, strict=True):
        assert np.allclose(value, image.reshape(-1)[index], atol=1e-6)
        expected += jacobian.reshape(2, -1)[:, index] @ weight
    assert np.allclose(pullback(weights), expected, rtol=1e-4, atol=1e-6)


def test_a_network_with_the_bands_of_its_simulator_knows_their_energies(chain, network):
    one = measurement(chain)
    bands = spinwave_forward(*chain, [one], settings=SETTINGS)
    forward = siren_forward(network, [one], bands=bands)
    assert isinstance(forward, ModeForward)
    q = np.array([[0.25, 0, 0]])
    assert np.array_equal(forward.mode_energies([5.0, 0.3], q), bands.mode_energies([5.0, 0.3], q))
    assert np.array_equal(forward.predict([5.0, 0.3])[0], siren_forward(network, [one]).predict([5.0, 0.3])[0])


def test_a_network_of_diffuse_scattering_answers_where_there_are_no_energies(chain, network):
    spectra = measurement(chain)
    diffuse = replace(
        spectra, energy=None, signal=spectra.signal[:, :1], valid=spectra.valid[:, :1],
        std=None if spectra.std is None else spectra.std[:, :1],
    )  # fmt: skip
    points = spectra.momentum.points
    domain = TrainingDomain(("J", "K"), points, np.zeros(1), [1.0, -1.0], [10.0, 1.0], 0.5, 0.3)
    one = Siren(SirenSettings(width=8, hidden_layers=2), domain, seed=3)
    forward, at = siren_forward(one, [diffuse]), np.array([5.0, 0.3])
    assert forward.predict(at)[0].shape == diffuse.shape
    assert np.array_equal(forward.predict(at)[0], one.predict(points, np.zeros(1), at))
    assert forward.outside(at) == ()
    with pytest.raises(FitError, match="without energies"):
        siren_forward(network, [diffuse])
