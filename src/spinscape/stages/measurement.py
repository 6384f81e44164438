"""Stage ``measurement``: from data files, or from a simulation where there are none, to a Measurement file."""

import sys
from importlib import import_module
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from ..config.measurements import MeasurementSection
from ..errors import AbsentError, DataError
from ..experiment.copies import without_copies
from ..experiment.fetch import locate
from ..experiment.file import write_measurement
from .measurement_kinds import READERS, Source


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
        measurement = import_module(section["stand_in"]["module"]).measurement(declared, section, name, model, seed)
    write_measurement(output, measurement)


def read_file(section, name, file, data_folder=None):
    """Return what a file holds now, read in place of the measurement's first declared file.

    Parameters
    ----------
    section, name : as of :func:`run`
    file : str or Path
        Named by the user, not by a study: it may lie anywhere, and its content is not the declared one.
    data_folder : str, Path or None
        Where the measurement's other files lie.

    Raises
    ------
    DataError
        Where it cannot be read, or is not as the section declares.
    """
    declared = TypeAdapter(MeasurementSection).validate_python(section["measurement"])
    return _measured(declared, section, name, data_folder, None, instead=Path(file))


def _measured(declared, section, name, data_folder, cache_folder, instead=None):
    folder = None if data_folder is None else Path(data_folder)
    files = dict(declared.files)
    located = {}
    if instead is not None:
        main = next(iter(files))
        files[main] = files[main].model_copy(update={"file": instead.name, "url": None, "sha256": None})
        located[main] = locate(instead.name, data_folder=instead.resolve().parent)
    for key, file in files.items():
        if key not in located:
            how = {"url": file.url, "sha256": file.sha256, "cache_folder": cache_folder}
            located[key] = locate(file.file, data_folder=folder, **how)
    provenance = {
        "files": {key: {"file": files[key].file, "sha256": found.sha256} for key, found in located.items()},
        "source": next(iter(located.values())).source,
    }
    source = Source(section, name, {key: found.path for key, found in located.items()}, provenance)
    measurement = READERS[declared.kind](declared, source)
    if getattr(declared, "symmetrised_by", ()):
        measurement = without_copies(measurement, declared.symmetrised_by)
    _check_signal(measurement)
    return measurement


def _check_signal(measurement):
    """Raise where every value is zero: that is a dead file, not a measurement of nothing."""
    seen = measurement.signal[measurement.valid]
    if not np.any(seen != 0.0):
        raise DataError(
            "nothing was counted: every measured value is zero", where=f"measurement {measurement.name}",
            expected="signal in at least one bin", got=f"zero in all {len(seen)}",
            fix="check that the file is the right one, or leave the measurement out",
        )  # fmt: skip
