"""NXSPE: what each detector of a direct-geometry spectrometer counted, by energy transfer, before any binning in Q.

Layout (HDF5, NeXus definition NXspe): one NXentry holds ``NXSPE_info`` with ``fixed_energy``, ``ki_over_kf_scaling``
and ``psi``, and ``data`` with ``data`` and ``error`` (n_detector, n_energy), ``energy`` (bin edges), ``polar`` and
``azimuthal``. NaN is a masked detector; ``error`` is a standard deviation.
"""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from ..errors import DataError, SpinscapeError, check_shape
from ..lattice.crystal import read_only
from ..units import NEUTRON_ENERGY, unit_scale
from .links import own_item

DEFINITION = "NXSPE"
MAX_PIXEL = 200_000_000
_ANGLES = {"degree": "deg", "degrees": "deg", "radian": "rad", "radians": "rad"}
"""Names of units in such files that :mod:`spinscape.units` calls otherwise."""


@dataclass(frozen=True, eq=False)
class DetectorSpectra:
    """One run: spectra of all detectors about one orientation of the sample.

    Parameters
    ----------
    incident : float, meV
        Energy of the incident neutrons.
    edges : (n_energy + 1,) float64, meV
        Of the bins of energy transfer, rising.
    signal, std : (n_detector, n_energy) float64
        The cross-section times k_i/k_f, and its standard deviation. NaN where nothing was measured.
    polar, azimuthal : (n_detector,) float64, rad
        The scattering angle 2θ, and the angle about the beam: 0 in the horizontal plane, on the left of one who looks
        along the beam, and a quarter of a turn upwards.
    psi : float or None, rad
        Angle of the sample's rotation; None where the file has none, as those of powders.
    """

    incident: float
    edges: np.ndarray
    signal: np.ndarray
    std: np.ndarray
    polar: np.ndarray
    azimuthal: np.ndarray
    psi: float | None = None

    def __post_init__(self):
        for name in ("edges", "signal", "std", "polar", "azimuthal"):
            object.__setattr__(self, name, read_only(getattr(self, name)))
        check_shape("edges", self.edges, ("n_edge",))
        check_shape("polar", self.polar, ("n_detector",))
        shape = (len(self.polar), len(self.edges) - 1)
        for name, expected in (("signal", shape), ("std", shape), ("azimuthal", shape[:1])):
            check_shape(name, getattr(self, name), expected, hint="one row for each detector")

    @property
    def energies(self):
        """Bin centres, (n_energy,), meV."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])

    @property
    def wave_numbers(self):
        """k_i, and k_f of each energy, (n_energy,), 1/Å; NaN where no neutron can lose so much."""
        final = self.incident - self.energies
        k_f = np.sqrt(np.where(final > 0, final, np.nan) / NEUTRON_ENERGY)
        return np.sqrt(self.incident / NEUTRON_ENERGY), k_f

    def modulus(self, chosen=slice(None)):
        """Return |Q| of each pixel of some detectors, (n_detector, n_energy), 1/Å.

        Q² = k_i² + k_f² - 2 k_i k_f cos 2θ
        """
        k_i, k_f = self.wave_numbers
        square = k_i**2 + k_f**2 - 2.0 * k_i * k_f * np.cos(self.polar[chosen])[:, None]
        return np.sqrt(np.maximum(square, 0.0))

    def transfer(self, chosen=slice(None)):
        """Return Q = k_i - k_f of each pixel, (n_detector, n_energy, 3), 1/Å: along the beam, to its left, upwards."""
        k_i, k_f = self.wave_numbers
        polar, azimuthal = self.polar[chosen], self.azimuthal[chosen]
        across = np.sin(polar)
        direction = np.stack([np.cos(polar), across * np.cos(azimuthal), across * np.sin(azimuthal)], axis=1)
        return np.array([k_i, 0.0, 0.0]) - k_f[None, :, None] * direction[:, None, :]


def read_nxspe(path) -> DetectorSpectra:
    """Return the spectra of a file.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    DataError
        Where the file is no such file, is truncated or contradicts itself.
    """
    path = Path(path)
    try:
        with h5py.File(path, "r") as file:
            return _read(file, path)
    except SpinscapeError:
        raise
    except (OSError, KeyError, RuntimeError) as error:
        raise DataError(
            "the file cannot be read as HDF5", where=str(path), expected="an NXSPE file, whole", got=str(error),
            fix="copy the file again",
        ) from None  # fmt: skip


def _read(file, path):
    info, data = _groups(file, path)
    counts = _array(data, "data", path)
    if counts.size > MAX_PIXEL:
        raise DataError("too many pixels", where=str(path), expected=f"at most {MAX_PIXEL}", got=counts.size)
    edges = _scaled(data, "energy", "energy", "meV", path)
    shape = (len(_array(data, "polar", path)), len(edges) - 1)
    if counts.shape != shape:
        raise DataError(
            "the data fit neither detectors nor energies", where=f"{path}: data",
            expected=f"{shape}: one row for each detector, one column for each bin of energy", got=counts.shape,
        )  # fmt: skip
    incident = float(np.ravel(_scaled(info, "fixed_energy", "energy", "meV", path))[0])
    _check(path, incident, edges)
    std = _errors(data, counts, path)
    signal = np.where(np.isfinite(counts) & np.isfinite(std), counts, np.nan)
    psi = float(np.ravel(_scaled(info, "psi", "angle", "deg", path))[0]) if "psi" in info else np.nan
    spectra = DetectorSpectra(
        incident=incident,
        edges=edges,
        signal=signal,
        std=std,
        polar=np.radians(_scaled(data, "polar", "angle", "deg", path)),
        azimuthal=np.radians(_scaled(data, "azimuthal", "angle", "deg", path)),
        psi=None if np.isnan(psi) else float(np.radians(psi)),
    )
    scaled = "ki_over_kf_scaling" in info and bool(np.ravel(info["ki_over_kf_scaling"][()])[0])
    return spectra if scaled else _with_scaling(spectra)


def _groups(file, path):
    """Return the groups ``NXSPE_info`` and ``data`` of the entry that has both."""
    for name in file:
        found = [own_item(file, f"{name}/{part}", path) for part in ("NXSPE_info", "data")]
        if all(isinstance(group, h5py.Group) for group in found):
            return found
    raise DataError(
        "not an NXSPE file", where=str(path), expected="an entry with NXSPE_info and data", got=sorted(file),
        fix="save the reduced run with SaveNXSPE",
    )  # fmt: skip


def _array(group, name, path):
    found = own_item(group, name, path)
    if not isinstance(found, h5py.Dataset):
        raise DataError("an array is missing", where=f"{path}: {group.name}", expected=name, got=sorted(group))
    return np.asarray(found[()], dtype=np.float64)


def _scaled(group, name, dimension, default, path):
    """Return an array in the internal unit of its dimension."""
    values = _array(group, name, path)
    unit = group[name].attrs.get("units", default)
    unit = (unit.decode() if isinstance(unit, bytes) else str(unit)).strip() or default
    try:
        return values * unit_scale(_ANGLES.get(unit, unit), dimension)
    except SpinscapeError as error:
        raise error.located(f"{path}: {group.name}/{name}") from None


def _check(path, incident, edges):
    if not 0 < incident < np.inf:
        raise DataError("the incident energy must be positive", where=f"{path}: fixed_energy", got=incident)
    if len(edges) < 2 or not np.all(np.isfinite(edges)) or np.any(np.diff(edges) <= 0):
        raise DataError("bin edges must rise", where=f"{path}: energy", got=edges[:4].tolist())
    if edges[0] >= incident:
        raise DataError(
            "no neutron can lose so much energy", where=f"{path}: energy", expected=f"bins below {incident:g} meV",
            got=f"from {edges[0]:g} meV", fix="check the unit of the energies",
        )  # fmt: skip


def _errors(data, counts, path):
    std = _array(data, "error", path)
    if std.shape != counts.shape:
        raise DataError("error has another shape than data", where=str(path), expected=counts.shape, got=std.shape)
    if np.any(std < 0):
        raise DataError("an error is negative", where=f"{path}: error", got=float(np.nanmin(std)))
    return std


def _with_scaling(spectra):
    """Return spectra that are multiplied by k_i/k_f, of such that are not yet."""
    k_i, k_f = spectra.wave_numbers
    return DetectorSpectra(
        spectra.incident, spectra.edges, spectra.signal * (k_i / k_f), spectra.std * (k_i / k_f), spectra.polar,
        spectra.azimuthal, spectra.psi,
    )  # fmt: skip
