"""Stage ``measurement``: from data files, or from a simulation where there are none, to a Measurement file."""

import sys
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from ..config.measurements import MeasurementSection
from ..errors import AbsentError
from ..experiment.csv_reader import read_csv_spectrum, read_csv_table
from ..experiment.fetch import locate
from ..experiment.file import write_measurement
from ..experiment.simulated import Background, MissingBlock, simulated_measurement
from ..hamiltonian.conditions import Conditions
from ..lattice.momentum import momentum_from_dict
from ..lattice.qspace import EnergyAxis
from ..simulate.spectra import spectrum_on
from ..simulate.spectrum_settings import SpinwaveSettings
from .model_file import read_model


def run(section, name, model, seed, data_folder, output, *, cache_folder=None):
    """Read, or simulate, one measurement and write it.

    Parameters
    ----------
    section : dict
        ``build.measurement_section``.
    name : str
    model : str or Path
        Model file, read only where the measurement is simulated.
    seed : int
    data_folder : str, Path or None
        The only folder that local files are read from.
    output : str or Path
        HDF5 file of ``experiment.file``.
    cache_folder : str, Path or None
        Where downloads are kept.
    """
    declared = TypeAdapter(MeasurementSection).validate_python(section["measurement"])
    try:
        measurement = _measured(declared, section, name, data_folder, cache_folder)
    except AbsentError as error:
        if declared.simulated is None:
            raise
        print(f"{name}: the measured data cannot be had; a SIMULATED measurement stands in.\n{error}", file=sys.stderr)
        measurement = _simulated(declared.simulated, section, name, model, seed)
    write_measurement(output, measurement)


def _measured(declared, section, name, data_folder, cache_folder):
    folder = None if data_folder is None else Path(data_folder)
    files = declared.files
    located = {
        key: locate(file.file, data_folder=folder, url=file.url, sha256=file.sha256, cache_folder=cache_folder)
        for key, file in files.items()
    }
    missing = declared.missing if isinstance(declared.missing, str) else declared.missing.model_dump()
    common = {
        "layout": declared.layout,
        "missing": missing,
        "name": name,
        "conditions": Conditions.from_dict(section["conditions"]),
        "provenance": {
            "files": {key: {"file": files[key].file, "sha256": found.sha256} for key, found in located.items()},
            "source": located["signal"].source,
        },
    }
    signal, axis = located["signal"].path, momentum_from_dict(section["momentum"])
    if declared.kind == "table":
        return read_csv_table(signal, momentum=axis, energy=declared.declared_energy, **common)
    labels = {"momentum": located["momentum"].path, "energy": located["energy"].path}
    return read_csv_spectrum(signal, path=axis, energy_unit=declared.energy.unit, **labels, **common)


def _simulated(declared, section, name, model_path, seed):
    axis, energy = momentum_from_dict(section["momentum"]), EnergyAxis.from_dict(section["energy"])
    conditions = Conditions.from_dict(section["conditions"])
    model, structure = read_model(model_path)
    settings = SpinwaveSettings.from_dict(section["spinwave"])
    theta = np.array(section["theta"])
    how = {"relax": section["relax"], "tolerance": section["tolerance"], "reference": theta, "seed": seed}
    spectrum = spectrum_on(model, structure, axis, energy, settings, conditions, **how).predict(theta)
    block = declared.missing_block
    return simulated_measurement(
        spectrum,
        momentum=axis,
        energy=energy,
        counts=declared.counts,
        seed=seed,
        name=name,
        background=Background(**dict(declared.background)),
        missing_block=None if block is None else MissingBlock(block.momentum, block.energy),
        key=(theta,),
        conditions=conditions,
        provenance={"couplings": dict(zip(model.parameter_names, theta.tolist(), strict=True))},
    )
