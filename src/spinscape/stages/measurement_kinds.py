"""How files of each kind of ``measurements:`` are read: a function of its section and of where its files are."""

from dataclasses import dataclass, replace

import numpy as np

from ..experiment.column_reader import read_columns, read_diffuse_table
from ..experiment.csv_reader import read_csv_spectrum, read_csv_table
from ..experiment.mantid import read_histogram
from ..experiment.mantid_measurement import check_lattice, measurement_from_histogram
from ..experiment.nxspe import read_nxspe
from ..experiment.rebin import crystal_measurement, powder_measurement
from ..experiment.thermal_reader import read_thermal_table
from ..hamiltonian.conditions import Conditions
from ..lattice.crystal import lattice_vectors
from ..lattice.momentum import momentum_from_dict


@dataclass(frozen=True)
class Source:
    """What a reader gets beside the section of its measurement.

    Parameters
    ----------
    section : dict
        ``build.measurement_section``.
    name : str
    files : dict of str to Path
        By the names of the section's ``files``.
    provenance : dict
    """

    section: dict
    name: str
    files: dict
    provenance: dict

    @property
    def momentum(self):
        """The declared momentum axis."""
        return momentum_from_dict(self.section["momentum"])

    @property
    def vectors(self):
        """Lattice vectors of the study as rows, (3, 3), Å."""
        return np.array(self.section["vectors"])

    @property
    def common(self):
        """Arguments that every reader takes."""
        conditions = Conditions.from_dict(self.section["conditions"])
        return {"name": self.name, "conditions": conditions, "provenance": self.provenance}


def _missing(declared):
    return declared.missing if isinstance(declared.missing, str) else declared.missing.model_dump()


def _csv(declared, source):
    return read_csv_spectrum(
        source.files["signal"], momentum=source.files["momentum"], energy=source.files["energy"],
        path=source.momentum, energy_unit=declared.energy.unit, layout=declared.layout, missing=_missing(declared),
        **source.common,
    )  # fmt: skip


def _table(declared, source):
    how = {"momentum": source.momentum, "layout": declared.layout, "missing": _missing(declared), "skip": declared.skip}
    how |= {"errors": declared.errors.pair, **source.common}
    if declared.energy is None:
        return read_diffuse_table(source.files["signal"], **how)
    return read_csv_table(source.files["signal"], energy=declared.axis_of_energy, **how)


def _columns(declared, source):
    return read_columns(
        source.files["signal"], columns=declared.columns, momentum=source.momentum, energy=declared.axis_of_energy,
        skip=declared.skip, errors=declared.errors.pair, **source.common,
    )  # fmt: skip


def _mantid(declared, source):
    histogram = read_histogram(source.files["histogram"])
    given = declared.lattice
    if given is not None:
        given = source.vectors if given == "study" else lattice_vectors(**dict(given))
    check_lattice(histogram, given=given, expected=source.vectors, where=str(source.files["histogram"]))
    return measurement_from_histogram(histogram, integrated=declared.energy == "integrated", **source.common)


def _nxspe(declared, source):
    runs = [_turned(read_nxspe(source.files[f"run_{k}"]), run.psi) for k, run in enumerate(declared.runs)]
    how = {"energy": declared.axis_of_energy, **source.common}
    if declared.powder is not None:
        return powder_measurement(runs, source.momentum, **how)
    reciprocal = 2.0 * np.pi * np.linalg.inv(source.vectors).T
    return crystal_measurement(runs, source.momentum, reciprocal=reciprocal, u=declared.u, v=declared.v, **how)


def _turned(run, psi):
    return run if psi is None else replace(run, psi=np.radians(psi))


def _thermal(declared, source):
    return read_thermal_table(
        source.files["table"], quantity=declared.kind, unit=declared.unit, columns=declared.columns,
        spins=declared.spins, skip=declared.skip, errors=declared.errors.pair, between=declared.between,
        direction=getattr(declared, "direction", None), **source.common,
    )  # fmt: skip


READERS = {
    "csv": _csv,
    "table": _table,
    "columns": _columns,
    "mantid": _mantid,
    "nxspe": _nxspe,
    "heat_capacity": _thermal,
    "susceptibility": _thermal,
}
"""Kind → reader."""
