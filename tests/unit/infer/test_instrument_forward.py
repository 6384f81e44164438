"""Spectra whose instrument is fitted in logarithms: values of the plain model, derivatives by differences."""

from pathlib import Path

import numpy as np
import pytest

from spinscape.config import build
from spinscape.config.load import load_study
from spinscape.errors import FitError
from spinscape.experiment.measurement import Measurement
from spinscape.infer.forward import spinwave_forward
from spinscape.infer.instrument_forward import instrument_forward
from spinscape.lattice.qspace import EnergyAxis
from spinscape.simulate.spinwave import SpinwaveSettings

STUDY = Path(__file__).parents[3] / "config" / "test" / "la2nio4.yaml"
AT = np.array([29.0, 1.7, np.log(1.1), np.log(0.06), 0.4])


@pytest.fixture(scope="module")
def parts():
    study = load_study(STUDY)
    model, structure = build.build_model(study)
    settings = SpinwaveSettings.from_dict(build.spinwave_settings(study.simulate))
    path = build.path(study, "path1")
    axis = EnergyAxis.from_range(first=60.0, last=140.0, step=4.0)
    shape = (len(path.points), len(axis.centres))
    return model, structure, [Measurement("m", path, axis, np.zeros(shape), np.ones(shape, bool))], settings


def test_logarithms_are_undone(parts):
    model, structure, measurements, settings = parts
    names = ("ln_fwhm_factor", "ln_q_smear", "energy_offset")
    ours = instrument_forward(model, structure, measurements, settings=settings, nuisances=names)
    plain = spinwave_forward(
        model, structure, measurements, settings=settings, nuisances=("fwhm_factor", "q_smear", "energy_offset")
    )
    assert ours.parameter_names == ("J", "Jp", *names) and ours.units == ("meV", "meV", "", "", "meV")
    known = np.array([29.0, 1.7, 1.1, 0.06, 0.4])
    assert np.array_equal(ours.predict(AT)[0], plain.predict(known)[0])
    q = np.array([[0.5, 0.0, 0.0]])
    assert np.array_equal(ours.mode_energies(AT, q), plain.mode_energies(known, q))


def test_derivatives_by_all_parameters_are_those_of_differences(parts):
    model, structure, measurements, settings = parts
    names = ("ln_fwhm_factor", "ln_q_smear", "energy_offset")
    forward = instrument_forward(model, structure, measurements, settings=settings, nuisances=names)
    gradient = forward.gradient(AT)[0]
    assert len(gradient) == 5
    for column, axis in zip(gradient, np.eye(5), strict=True):
        step = 1e-3 * axis
        two = (forward.predict(AT + step)[0] - forward.predict(AT - step)[0]) / 2e-3
        four = (forward.predict(AT + 2 * step)[0] - forward.predict(AT - 2 * step)[0]) / 4e-3
        assert np.abs(column - (4 * two - four) / 3).max() < 1e-4 * np.abs(column).max()


def test_an_unknown_nuisance_is_named(parts):
    model, structure, measurements, settings = parts
    with pytest.raises(FitError, match="ln_scale"):
        instrument_forward(model, structure, measurements, settings=settings, nuisances=("ln_scale",))
