"""Diffuse scattering and tables of the self-consistent Gaussian approximation in place of files that cannot be had."""

import numpy as np

from ..experiment.measurement import ThermalMeasurement
from ..experiment.simulated import Background, simulated_measurement
from ..hamiltonian.conditions import Conditions
from ..infer.gaussian_forward import DiffuseImage, ThermalColumn
from ..lattice.momentum import momentum_from_dict
from ..rng import stream
from ..simulate.gaussian import GaussianModel, GaussianSettings
from .model_file import read_model


def measurement(declared, section, name, model_path, seed):
    """Return the measurement that a section's ``simulated`` declares; arguments as of ``stages.measurement.run``."""
    how, conditions = section["stand_in"], Conditions.from_dict(section["conditions"])
    model, _ = read_model(model_path)
    gaussian, theta = GaussianModel(model, GaussianSettings(**how["gaussian"])), np.array(how["theta"])
    couplings = dict(zip(model.parameter_names, theta.tolist(), strict=True))
    if declared.quantity != "diffuse":
        return _table(declared, gaussian, theta, name, seed, conditions, couplings)
    axis = momentum_from_dict(section["momentum"])
    image = DiffuseImage.of_axis(gaussian, axis, conditions.temperature).predict(theta)
    return simulated_measurement(
        image, momentum=axis, energy=None, counts=declared.simulated.counts, seed=seed, name=name, with_std=True,
        background=Background(constant=declared.simulated.background.constant), key=(theta,), conditions=conditions,
        provenance={"couplings": couplings},
    )  # fmt: skip


def _table(declared, gaussian, theta, name, seed, conditions, couplings):
    """Return a table over the temperature with normal noise."""
    simulated = declared.simulated
    temperatures = np.sort(np.array(simulated.temperatures))
    direction = getattr(declared, "direction", None)
    values = ThermalColumn(gaussian, declared.quantity, temperatures, direction).predict(theta)
    generator = stream(seed, "counting", name, float(simulated.relative), theta)
    noise = simulated.relative * np.abs(values)
    return ThermalMeasurement(
        name=name, quantity=declared.quantity, temperatures=temperatures,
        signal=values + noise * generator.standard_normal(values.shape), valid=np.ones(values.shape, bool), std=noise,
        direction=direction, conditions=conditions, simulated=True,
        provenance={"reader": "simulated", "seed": int(seed), "couplings": couplings},
    )  # fmt: skip
