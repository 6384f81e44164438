"""The arrays of a fit: what its figures are drawn from. HDF5, under a contract."""

import json
from dataclasses import dataclass

import h5py
import numpy as np

from ..errors import StoreError
from ..lattice.momentum import MomentumAxis, momentum_from_dict, momentum_to_dict
from ..lattice.qspace import EnergyAxis
from ..store.files import hdf5_bytes, write_whole

CONTRACT = "fit-arrays/3"
_IMAGES = ("data", "fitted", "residual", "valid", "bands")


@dataclass(frozen=True, eq=False)
class FittedSpectrum:
    """Data beside the best fit, on the scale that the objective compares.

    Parameters
    ----------
    name : str
        Of the measurement.
    momentum : QPath, PowderAxis, QGrid or None
    energy : EnergyAxis or None
        None of diffuse scattering, which has one column.
    data, fitted, residual : (n_q, n_energy) float64
    valid : (n_q, n_energy) bool
    bands : (n_q, n_mode) float64, meV
        Mode energies of the best fit; no columns where the forward model has none.
    simulated : bool
    quantity : str
        ``spectrum``, ``diffuse``, or that of a table over the temperature.
    temperatures : (n_q,) float64, K, or None
        Rows of such a table, which has neither momenta nor energies.
    """

    name: str
    momentum: MomentumAxis | None
    energy: EnergyAxis | None
    data: np.ndarray
    fitted: np.ndarray
    residual: np.ndarray
    valid: np.ndarray
    bands: np.ndarray
    simulated: bool
    quantity: str = "spectrum"
    temperatures: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Landscape:
    """The objective over two parameters, the others at the best fit.

    Parameters
    ----------
    names, units : tuple of two str
    x, y : (n_x,), (n_y,) float64
    values : (n_x, n_y) float64
        +inf where no stable structure is.
    covariance : (2, 2) float64
    """

    names: tuple[str, str]
    units: tuple[str, str]
    x: np.ndarray
    y: np.ndarray
    values: np.ndarray
    covariance: np.ndarray


def write(path, spectra, landscape, region=None):
    """Write the arrays of a fit; ``landscape`` is None for a fit of one parameter.

    ``region`` is the map of acceptable couplings (:class:`~spinscape.infer.region.Region`), where there is one.
    """
    write_whole(path, hdf5_bytes(lambda file: _fill(file, spectra, landscape, region)))


def _fill(file, spectra, landscape, region):
    file.attrs["contract"] = CONTRACT
    for one in spectra:
        group = file.create_group(f"spectra/{one.name}")
        group.attrs["axes"] = json.dumps(_axes(one))
        group.attrs["simulated"] = one.simulated
        for name in _IMAGES:
            group.create_dataset(name, data=getattr(one, name), compression="gzip", shuffle=True)
    if landscape is not None:
        group = file.create_group("landscape")
        group.attrs["axes"] = json.dumps({"names": list(landscape.names), "units": list(landscape.units)})
        for name in ("x", "y", "values", "covariance"):
            group.create_dataset(name, data=getattr(landscape, name))
    if region is not None:
        group = file.create_group("region")
        group.attrs["names"] = json.dumps(list(region.names))
        for name in ("x", "y", "excess"):
            group.create_dataset(name, data=getattr(region, name))


def _axes(one):
    return {
        "quantity": one.quantity,
        "momentum": None if one.momentum is None else momentum_to_dict(one.momentum),
        "energy": None if one.energy is None else one.energy.to_dict(),
        "temperatures": None if one.temperatures is None else list(map(float, one.temperatures)),
    }


def read(path):
    """Return the spectra (a list) and the landscape (or None) of a fit's arrays."""
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("contract") != CONTRACT:
                raise StoreError(
                    "not the arrays of a fit", where=str(path), expected=CONTRACT, got=file.attrs.get("contract")
                )
            spectra = [_spectrum(name, group) for name, group in file["spectra"].items()]
            return spectra, _landscape(file["landscape"]) if "landscape" in file else None
    except (OSError, KeyError, ValueError) as error:
        raise StoreError(
            "the arrays of a fit cannot be read", where=str(path), got=str(error), fix="run the fit again"
        ) from None


def read_region(path):
    """Return the map of acceptable couplings of a fit's arrays: (names, x, y, excess), or None."""
    with h5py.File(path, "r") as file:
        if "region" not in file:
            return None
        group = file["region"]
        return tuple(json.loads(group.attrs["names"])), *(group[key][()] for key in ("x", "y", "excess"))


def _spectrum(name, group):
    axes = json.loads(group.attrs["axes"])
    images = {key: group[key][()] for key in _IMAGES}
    return FittedSpectrum(
        name=name,
        quantity=axes["quantity"],
        momentum=None if axes["momentum"] is None else momentum_from_dict(axes["momentum"]),
        energy=None if axes["energy"] is None else EnergyAxis.from_dict(axes["energy"]),
        temperatures=None if axes["temperatures"] is None else np.array(axes["temperatures"]),
        simulated=bool(group.attrs["simulated"]),
        **images,
    )


def _landscape(group):
    axes = json.loads(group.attrs["axes"])
    arrays = {key: group[key][()] for key in ("x", "y", "values", "covariance")}
    return Landscape(tuple(axes["names"]), tuple(axes["units"]), **arrays)
