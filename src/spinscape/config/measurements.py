"""The ``measurements:`` section: its kinds, and what the measurement stage needs of a study."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from ..errors import ConfigError
from ..lattice.momentum import momentum_to_dict
from .axes import conditions, path, powder, vectors, volume
from .checks import check_names_of_couplings, known
from .couplings import theta_from_couplings
from .gaussian import gaussian_settings
from .measurement_histograms import MantidMeasurement, NxspeMeasurement
from .measurement_tables import ColumnsMeasurement, CsvMeasurement, TableMeasurement
from .measurement_thermal import HeatCapacityMeasurement, SusceptibilityMeasurement
from .spinwave import spinwave_settings

MeasurementSection = Annotated[
    CsvMeasurement
    | TableMeasurement
    | ColumnsMeasurement
    | MantidMeasurement
    | NxspeMeasurement
    | HeatCapacityMeasurement
    | SusceptibilityMeasurement,
    Field(discriminator="kind"),
]  # fmt: skip
_AXES = {"paths": path, "powders": powder, "volumes": volume}
STAND_INS = {
    "spinwave": "spinscape.stages.stand_in_spinwave",
    "gaussian": "spinscape.stages.stand_in_gaussian",
    "montecarlo": "spinscape.stages.stand_in_gaussian",
}
"""Kind of simulation → module of what it simulates in place of files that cannot be had."""
BY_SIMULATION = "spinscape.stages.stand_in_montecarlo"
"""The same by the study's own Monte Carlo."""


def momentum_axis(study, measurement):
    """Return the momentum axis that a measurement, or what stands in for it, declares; None for none."""
    place = measurement.place or getattr(measurement, "stand_in_place", None)
    return None if place is None else _AXES[place[0]](study, place[1])


def conditions_of(study, measurement):
    """Return the temperature and field of a measurement: its own, or the study's."""
    return conditions(study if measurement.conditions is None else measurement)


def measurement_section(study, name):
    """Return what the measurement stage needs of a study, as plain data."""
    measurement = study.measurements[name]
    axis = momentum_axis(study, measurement)
    out = {
        "measurement": study.section("measurements")[name],
        "momentum": None if axis is None else momentum_to_dict(axis),
        "conditions": conditions_of(study, measurement).to_dict(),
        "vectors": vectors(study).tolist(),
    }
    if measurement.simulated is not None:
        out["stand_in"] = _stand_in(study, measurement)
    return out


def _stand_in(study, measurement):
    """Return how a measurement is simulated where its files cannot be had: plain data."""
    simulate = study.simulate
    energy = getattr(measurement, "simulated_energy", None)
    out = {
        "module": _stand_in_module(study, measurement),
        "theta": theta_from_couplings(study, measurement.simulated.couplings).tolist(),
        "energy": None if energy is None else energy.to_dict(),
    }
    if _by_simulation(measurement):
        return {**out, "simulate": {**simulate.settings(study), "conditions": conditions(study).to_dict()}}
    if simulate.kind != "spinwave":
        return {**out, "gaussian": gaussian_settings(study)}
    return {
        **out,
        "spinwave": spinwave_settings(simulate, study),
        "relax": getattr(simulate, "relax", False),
        "tolerance": getattr(getattr(simulate, "powder", None), "tolerance", None),
    }


def measurement_modules(study, name):
    """Return the modules of ``spinscape.stages`` that make a measurement, beside the stage itself."""
    measurement = study.measurements[name]
    return () if measurement.simulated is None else (_stand_in_module(study, measurement),)


def _stand_in_module(study, measurement):
    return BY_SIMULATION if _by_simulation(measurement) else STAND_INS[study.simulate.kind]


def _by_simulation(measurement):
    return getattr(measurement.simulated, "by", None) == "simulation"


def check_measurement(study, name, measurement):
    """Raise :class:`ConfigError` where a measurement names what is not there, or cannot be simulated as declared."""
    where = f"measurements.{name}"
    for place in (measurement.place, getattr(measurement, "stand_in_place", None)):
        if place is not None:
            section, axis = place
            known(axis, getattr(study, section), what=section[:-1], where=f"{where}.{section[:-1]}")
    if measurement.simulated is None:
        return
    check_names_of_couplings(study, measurement.simulated.couplings, where=f"{where}.simulated.couplings")
    able = ("spinwave",) if measurement.quantity == "spectrum" else ("gaussian", "montecarlo")
    if _by_simulation(measurement):
        able = ("montecarlo",)
    if study.simulate.kind not in able:
        raise ConfigError(
            f"no simulation of kind {study.simulate.kind!r} can stand in for a measurement of {measurement.quantity}",
            where=f"{where}.simulated", expected=f"simulate: {{kind: {' or '.join(able)}, ...}}",
            got=study.simulate.kind, fix="leave simulated out",
        )  # fmt: skip


def files_of(measurement):
    """Return the declared files of a measurement."""
    return tuple(measurement.files.values())


def is_local(measurement, data_folder):
    """Tell whether every file of a measurement lies below the data folder."""
    return data_folder is not None and all((Path(data_folder) / f.file).is_file() for f in files_of(measurement))
