"""The study's own Monte Carlo in place of files that cannot be had: what a fit through its points should find again."""

from types import SimpleNamespace

import numpy as np

from ..errors import DataError
from ..experiment.measurement import ThermalMeasurement
from ..experiment.simulated import Background, simulated_measurement
from ..hamiltonian.conditions import Conditions
from ..infer.generator_forward import lines_between
from ..lattice.momentum import momentum_from_dict
from ..rng import stream
from ..simulate.montecarlo import MonteCarloSimulator
from ..simulate.protocol import StreamKey
from .forward_generator import temperatures_of, which_temperature
from .model_file import read_model


def measurement(declared, section, name, model_path, seed):
    """Return the measurement that a section's ``simulated`` declares; arguments as of ``stages.measurement.run``."""
    how, theta = section["stand_in"], np.array(section["stand_in"]["theta"])
    model, _ = read_model(model_path)
    runs = MonteCarloSimulator.from_settings(model, how["simulate"])
    place = declared.place or getattr(declared, "stand_in_place", None)
    array = declared.quantity if place is None else f"signal_{place[1]}"
    template = {key: spec.to_dict() for key, spec in runs.template().items()}
    if array not in template:
        raise DataError("the study does not simulate what was measured", where=f"measurements.{name}.simulated",
                        expected=sorted(template), got=array)  # fmt: skip
    # One key for all measurements of the same couplings: they are of one sample.
    values = runs.run(theta, StreamKey(seed, f"stand-in {theta.tolist()}")).arrays[array]
    temperatures = temperatures_of(SimpleNamespace(template=template), array)
    about = {
        "conditions": Conditions.from_dict(section["conditions"]),
        "provenance": {"couplings": dict(zip(model.parameter_names, theta.tolist(), strict=True))},
    }
    made = _table if place is None else _image
    return made(declared, section, name, seed, theta, values, temperatures, about)


def _image(declared, section, name, seed, theta, values, temperatures, about):
    """Return what a detector would count of S(Q) at the measurement's temperature."""
    wanted = SimpleNamespace(name=name, conditions=about["conditions"])
    image = values if temperatures is None else values[which_temperature(temperatures, wanted)]
    background = Background(constant=declared.simulated.background.constant)
    return simulated_measurement(
        np.maximum(image.reshape(-1, 1).astype(np.float64), 0.0), momentum=momentum_from_dict(section["momentum"]),
        energy=None, counts=declared.simulated.counts, seed=seed, name=name, with_std=True, background=background,
        key=(theta, name), **about,
    )  # fmt: skip


def _table(declared, section, name, seed, theta, values, temperatures, about):
    """Return the heat capacity with normal noise, on straight lines between the simulated temperatures."""
    simulated, at = declared.simulated, np.sort(np.array(declared.simulated.temperatures))
    shape = (len(at), 1)
    table = ThermalMeasurement(
        name=name, quantity=declared.quantity, temperatures=at, signal=np.zeros(shape), valid=np.ones(shape, bool),
        conditions=about["conditions"],
    )  # fmt: skip
    clean = lines_between(temperatures, table) @ values.reshape(-1, 1)
    noise = simulated.relative * np.abs(clean)
    generator = stream(seed, "counting", name, float(simulated.relative), theta)
    return ThermalMeasurement(
        name=name, quantity=declared.quantity, temperatures=at, signal=clean + noise * generator.standard_normal(shape),
        valid=table.valid, std=noise, conditions=about["conditions"], simulated=True,
        provenance={"reader": "simulated", "seed": int(seed), **about["provenance"]},
    )  # fmt: skip
