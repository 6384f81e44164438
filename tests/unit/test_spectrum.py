"""Settings and spectra on a path: against a plain sum over modes, and what overrides and bad input do."""

import json

import numpy as np
import pytest

from spinscape.errors import ConfigError, ShapeError, UnstableError
from spinscape.hamiltonian.model import BondTable, MagneticStructure, Model
from spinscape.lattice.crystal import Crystal
from spinscape.lattice.qspace import EnergyAxis, path_through
from spinscape.observables.resolution import smear_along_path
from spinscape.observables.structure_factor import intensity, polarisation_weights
from spinscape.simulate.spectrum import SpectrumModel, SpinwaveSettings
from spinscape.simulate.spinwave import modes, quadratic_form
from spinscape.units import FWHM_PER_SIGMA

THETA = np.array([3.0, 0.4])
SETTINGS = SpinwaveSettings(energy_factor=1.1, component="perp", fwhm=(1.5, -0.01, 0.001))
ENERGY = EnergyAxis.from_range(first=0.0, last=20.0, step=0.25)


def square():
    """A square-lattice antiferromagnet of unequal spins, two sites in the chemical cell, moments along (1, 1, 1)."""
    crystal = Crystal(
        vectors=np.diag([4.0, 4.0, 9.0]),
        positions=[[0, 0, 0], [0.5, 0.5, 0]],
        labels=("a", "b"),
        orbit=[0, 1],
        spins=[1.0, 1.5],
        ions=("", ""),
        g=np.tile(2.0 * np.eye(3), (2, 1, 1)),
        rotations=np.eye(3)[None],
        translations=np.zeros((1, 3)),
    )
    offset = [[0, 0, 0], [-1, 0, 0], [0, -1, 0], [-1, -1, 0], [1, 0, 0], [0, 1, 0]]
    head = [1, 1, 1, 1, 0, 0]
    bonds = BondTable([0] * 6, head, offset, [0, 0, 0, 0, 1, 1], np.tile(np.eye(3), (6, 1, 1)))
    structure = MagneticStructure(np.eye(3), [0, 1], np.zeros((2, 3)), [[1, 1, 1], [-1, -1, -1]])
    return Model(crystal, ("J", "K"), bonds), structure


def path_of(model, corners=((0.1, 0, 0), (0.6, 0.2, 0), (0.6, 0.9, 0.3)), n_point=(9, 12)):
    return path_through(corners, n_point=n_point, reciprocal=model.crystal.reciprocal)


def spectrum(settings=SETTINGS):
    model, structure = square()
    return SpectrumModel(model, structure, path_of(model), ENERGY, settings)


def plain_sum(settings=SETTINGS, *, factor=1.0, offset=0.0):
    model, structure = square()
    points = path_of(model).points
    found = modes(quadratic_form(model, structure, points), THETA)
    values = intensity(found.s_ab, polarisation_weights(settings.component, points @ model.crystal.reciprocal))
    energy = settings.energy_factor * found.energies[..., None]
    sigma = factor * np.polynomial.polynomial.polyval(energy, settings.fwhm) / FWHM_PER_SIGMA
    x = (ENERGY.centres - energy - offset) / sigma
    return np.sum(values[..., None] * np.exp(-0.5 * x**2) / (np.sqrt(2 * np.pi) * sigma), axis=1)


def test_settings_survive_json_and_take_defaults():
    again = SpinwaveSettings.from_dict(json.loads(json.dumps(SETTINGS.to_dict())))
    assert again == SETTINGS
    assert SpinwaveSettings.from_dict({"cap": 20}) == SpinwaveSettings(cap=20)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("energy_factor", 0.0),
        ("component", "xy"),
        ("cap", -1.0),
        ("fwhm", ()),
        ("fwhm", (1.0, np.nan)),
        ("q_smear", -0.1),
        ("fwhm_factor", np.inf),
        ("energy_offset", np.nan),
        ("regularisation", 0.0),
    ],
)
def test_settings_out_of_range_name_their_key(name, value):
    with pytest.raises(ConfigError, match=rf"spinwave\.{name}"):
        SpinwaveSettings(**{name: value})


def test_unknown_settings_are_refused():
    with pytest.raises(ConfigError, match="'smear'"):
        SpinwaveSettings.from_dict({"smear": 0.1})


def test_predict_is_the_sum_over_modes():
    out = spectrum().predict(THETA)
    assert out.shape == spectrum().shape == (21, 81)
    np.testing.assert_allclose(out, plain_sum(), atol=1e-10)


def test_overrides_stand_in_for_the_settings():
    out = spectrum().predict(THETA, fwhm_factor=1.3, energy_offset=-0.4)
    np.testing.assert_allclose(out, plain_sum(factor=1.3, offset=-0.4), atol=1e-10)
    set_so = SpinwaveSettings(**{**SETTINGS.to_dict(), "fwhm_factor": 1.3, "energy_offset": -0.4, "q_smear": 0.1})
    np.testing.assert_array_equal(spectrum(set_so).predict(THETA, q_smear=0.0), out)
    smeared = spectrum(set_so).predict(THETA)
    np.testing.assert_array_equal(spectrum().predict(THETA, q_smear=0.1, fwhm_factor=1.3, energy_offset=-0.4), smeared)
    np.testing.assert_allclose(
        smeared, smear_along_path(out, distance=path_of(square()[0]).distance, sigma=0.1), rtol=1e-12
    )


def test_the_cap_cuts_a_group_of_degenerate_modes():
    """Equal spins and J alone make the two branches degenerate: their sum is cut, so no row has more than the cap."""
    model, structure = square()
    crystal = type(model.crystal).from_dict({**model.crystal.to_dict(), "spins": [1.0, 1.0]})
    model = Model(crystal, model.parameter_names, model.bonds)
    energy = EnergyAxis.from_range(first=-10.0, last=60.0, step=0.25)
    free, cut = (
        SpectrumModel(model, structure, path_of(model), energy, SpinwaveSettings(cap=cap, fwhm=(2.0,)))
        for cap in (None, 1.0)
    )
    areas = 0.25 * free.predict([3.0, 0.0]).sum(axis=1)
    assert areas.min() < 0.9 < 1.5 < areas.max()
    np.testing.assert_allclose(0.25 * cut.predict([3.0, 0.0]).sum(axis=1), np.minimum(areas, 1.0), rtol=1e-9)


def test_mode_energies_carry_the_factor_and_any_q():
    model, structure = square()
    q = [[0.3, 0.1, 0.0], [0.5, 0.5, 0.0]]
    expected = 1.1 * modes(quadratic_form(model, structure, q), THETA).energies
    np.testing.assert_array_equal(spectrum().mode_energies(THETA, q), expected)
    np.testing.assert_array_equal(spectrum().mode_energies(THETA, q[0]), expected[:1])


def test_predict_is_a_pure_function():
    one = spectrum()
    first = one.predict(THETA)
    one.predict([5.0, 0.1])
    np.testing.assert_array_equal(one.predict(THETA), first)


def test_bad_couplings_and_widths_are_errors():
    with pytest.raises(UnstableError, match=r"Q = \("):
        spectrum().predict([3.0, 4.0])
    with pytest.raises(ShapeError, match="theta"):
        spectrum().predict([3.0])
    with pytest.raises(ConfigError, match="no positive width"):
        spectrum(SpinwaveSettings(fwhm=(1.0, -0.5))).predict(THETA)
    with pytest.raises(ConfigError, match="no positive width"):
        spectrum(SpinwaveSettings(fwhm=(1.0, -0.5))).predict_gradient(THETA)
    with pytest.raises(ConfigError, match="Q smear"):
        spectrum().predict(THETA, q_smear=-1.0)
