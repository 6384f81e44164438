"""Which arrays of the simulations the measurements of a study are compared with."""

from ..lattice.momentum import momentum_to_dict
from .axes import energy_axis, path, volume


def simulated_places(study):
    """Return ``axes``, array → momentum axis, ``energies`` and ``arrays``, measurement → array, as plain data.

    ``energies`` are the centres of the simulated spectra's bins in meV; None where there are none.
    """
    axes = {f"signal_{name}": momentum_to_dict(volume(study, name)) for name in study.volumes}
    axes |= {f"signal_{name}": momentum_to_dict(path(study, name)) for name in study.paths}
    arrays = {}
    for name, measurement in study.measurements.items():
        place = measurement.place or getattr(measurement, "stand_in_place", None)
        if measurement.quantity == "heat_capacity":
            arrays[name] = "heat_capacity"
        if place is not None and place[0] in ("paths", "volumes"):
            arrays[name] = f"signal_{place[1]}"
    declared = getattr(study.simulate, "energy", None)
    energies = None if declared is None else energy_axis(declared).centres.tolist()
    return {"axes": axes, "energies": energies, "arrays": arrays}
