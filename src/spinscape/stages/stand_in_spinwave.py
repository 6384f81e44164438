"""A simulated spectrum of spin waves in place of a measurement that cannot be had."""

import numpy as np

from ..experiment.simulated import Background, MissingBlock, simulated_measurement
from ..hamiltonian.conditions import Conditions
from ..lattice.momentum import momentum_from_dict
from ..lattice.qspace import EnergyAxis
from ..simulate.spectra import spectrum_on
from ..simulate.spectrum_settings import SpinwaveSettings
from .model_file import read_model


def measurement(declared, section, name, model_path, seed):
    """Return the measurement that a section's ``simulated`` declares; arguments as of ``stages.measurement.run``."""
    how = section["stand_in"]
    axis, energy = momentum_from_dict(section["momentum"]), EnergyAxis.from_dict(how["energy"])
    conditions = Conditions.from_dict(section["conditions"])
    model, structure = read_model(model_path)
    settings, theta = SpinwaveSettings.from_dict(how["spinwave"]), np.array(how["theta"])
    start = {"relax": how["relax"], "tolerance": how["tolerance"], "reference": theta, "seed": seed}
    spectrum = spectrum_on(model, structure, axis, energy, settings, conditions, **start).predict(theta)
    return counted(declared.simulated, spectrum, axis, energy, name, seed, conditions, model, theta)


def counted(simulated, spectrum, axis, energy, name, seed, conditions, model, theta):
    """Return a spectrum, counted as a section declares."""
    block = simulated.missing_block
    return simulated_measurement(
        spectrum,
        momentum=axis,
        energy=energy,
        counts=simulated.counts,
        seed=seed,
        name=name,
        background=Background(**dict(simulated.background)),
        missing_block=None if block is None else MissingBlock(block.momentum, block.energy),
        key=(theta,),
        conditions=conditions,
        provenance={"couplings": dict(zip(model.parameter_names, theta.tolist(), strict=True))},
    )
