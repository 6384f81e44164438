"""Linear spin waves: the simulator, and the names that the rest of the house takes from here."""

import numpy as np

from ..errors import ConfigError, UnstableError
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.model import MagneticStructure
from ..hamiltonian.spiral import SpiralStructure
from ..lattice.qspace import EnergyAxis, QPath
from .energy_window import check_window
from .modes import Modes, modes
from .protocol import ArrayTemplate, Coordinate, PointResult
from .quadratic import QuadraticForm, quadratic_form
from .spectrum import SpectrumModel, SpinwaveSettings

__all__ = [
    "Modes",
    "QuadraticForm",
    "SpectrumModel",
    "SpinwaveSettings",
    "SpinwaveSimulator",
    "modes",
    "quadratic_form",
]

_SETTINGS = ("structure", "paths", "energy", "conditions", "spinwave")


class SpinwaveSimulator:
    """Spin-wave spectra of one structure on several paths.

    Parameters
    ----------
    spectra : dict of str to SpectrumModel
        By the name of the path.
    """

    def __init__(self, spectra):
        self.spectra = spectra

    @classmethod
    def from_settings(cls, model, settings):
        """Build the simulator from a model and plain settings.

        Parameters
        ----------
        model : Model
        settings : dict
            ``structure``, ``paths``, ``energy``, ``conditions`` and ``spinwave`` as their ``to_dict`` gives them.

        Returns
        -------
        SpinwaveSimulator
        """
        missing = [name for name in _SETTINGS if name not in settings]
        if missing:
            raise ConfigError(
                f"the settings of the spin-wave simulator lack {', '.join(missing)}",
                where="settings",
                expected=", ".join(_SETTINGS),
                got=", ".join(settings),
            )
        kind = SpiralStructure if "k" in settings["structure"] else MagneticStructure
        structure = kind.from_dict(settings["structure"])
        energy = EnergyAxis.from_dict(settings["energy"])
        conditions = Conditions.from_dict(settings["conditions"])
        how = SpinwaveSettings.from_dict(settings["spinwave"])
        paths = [QPath.from_dict(data) for data in settings["paths"]]
        return cls({path.name: SpectrumModel(model, structure, path, energy, how, conditions) for path in paths})

    def template(self):
        """Return one array for each path, ``signal_<path>``, by name."""
        return {f"signal_{name}": _template(name, spectrum) for name, spectrum in self.spectra.items()}

    def run(self, theta, stream_key):
        """Simulate one point.

        Parameters
        ----------
        theta : (n_parameter,) float64, meV
        stream_key : StreamKey
            Not used: nothing here is random.

        Returns
        -------
        PointResult
            ``unstable``, with Q and the lowest eigenvalue, where the structure is not stable on every path; ``failed``
            where the energies asked for hold no mode of a path.
        """
        try:
            arrays = {f"signal_{name}": s.predict(theta).astype(np.float32) for name, s in self.spectra.items()}
            for name, spectrum in self.spectra.items():
                if not np.any(arrays[f"signal_{name}"]):
                    check_window(spectrum, theta)
        except UnstableError as error:
            return PointResult("unstable", None, str(error), {})
        except ConfigError as error:
            return PointResult("failed", None, str(error), {})
        return PointResult("done", arrays, None, {name: _strength(array) for name, array in arrays.items()})


def _strength(array):
    """Return the mean of a spectrum: a plain number that tells an empty one from a full one."""
    return float(array.mean(dtype=np.float64))


def _template(name, spectrum):
    """Return the declaration of one path's array."""
    path, axis = spectrum.path, spectrum.energy
    row = f"q_{name}"
    coords = {
        f"hkl_{name}": Coordinate((row, "hkl"), path.points, "r.l.u."),
        f"distance_{name}": Coordinate((row,), path.distance, "1/Å"),
        "energy": Coordinate(("energy",), axis.centres, "meV"),
    }
    return ArrayTemplate((row, "energy"), spectrum.shape, "float32", "1/meV", coords)
