"""The simulator of kind ``dynamics``: S(Q, ω) of classical spins at a temperature."""

from dataclasses import replace

import numpy as np

from ..errors import ConfigError
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.model import MagneticStructure, Model
from ..lattice.qspace import EnergyAxis, QPath
from ..lattice.volumes import QGrid
from ..observables.dynamic import DynamicSettings
from ..observables.dynamic_weights import SpinLength
from .dynamics import DynamicsModel, TrajectorySettings
from .dynamics_start import StartSettings, structure_spins, thermal_states
from .protocol import ArrayTemplate, Coordinate, PointResult
from .spin_system import block, spin_system

_SETTINGS = ("supercell", "paths", "energy", "conditions")


class DynamicsSimulator:
    """Spectra of trajectories that start at thermal states.

    Parameters
    ----------
    model : Model
        Its spins have the length that the dynamics is done with.
    supercell : three int, or (3, 3) int
    where : sequence of QPath or QGrid
    energy : EnergyAxis
    conditions : Conditions
    trajectory : TrajectorySettings
    spectrum : DynamicSettings
    start : StartSettings
    structure : MagneticStructure, optional
        Where the chain of thermal states begins; a random state where left out.
    """

    def __init__(
        self, model, supercell, where, energy, conditions, *, trajectory=None, spectrum=None, start=None, structure=None
    ):
        self.system = spin_system(model, block(model, supercell))
        self.where, self.energy, self.conditions = tuple(where), energy, conditions
        self.trajectory, self.spectrum = trajectory or TrajectorySettings(), spectrum or DynamicSettings()
        self.start = start or StartSettings()
        self._first = None if structure is None else structure_spins(self.system, structure)

    @classmethod
    def from_settings(cls, model, settings):
        """Build the simulator from a model and plain settings.

        Parameters
        ----------
        model : Model
        settings : dict
            ``supercell``, ``paths`` (of paths and grids), ``energy`` and ``conditions``; optionally ``trajectory``,
            ``spectrum``, ``start``, ``length`` and ``structure``: as ``to_dict`` of the classes gives them.
        """
        missing = [name for name in _SETTINGS if name not in settings]
        if missing:
            raise ConfigError(
                f"the settings of the dynamics lack {', '.join(missing)}",
                where="settings",
                expected=", ".join(_SETTINGS),
                got=", ".join(settings),
            )
        conditions = Conditions.from_dict(settings["conditions"])
        structure = settings.get("structure")
        return cls(
            model_with_length(model, SpinLength(**settings.get("length", {})), temperature=conditions.temperature),
            settings["supercell"],
            [(QPath if "distance" in data else QGrid).from_dict(data) for data in settings["paths"]],
            EnergyAxis.from_dict(settings["energy"]),
            conditions,
            trajectory=TrajectorySettings(**settings.get("trajectory", {})),
            spectrum=DynamicSettings(**settings.get("spectrum", {})),
            start=StartSettings(**settings.get("start", {})),
            structure=None if structure is None else MagneticStructure.from_dict(structure),
        )

    def template(self):
        """Return ``signal_<name>`` and ``error_<name>`` of each path and grid, ``zone`` and ``error_zone``."""
        out = {}
        for where in self.where:
            for kind in ("signal", "error"):
                out[f"{kind}_{where.name}"] = _template(where, self.energy)
        axis = {"energy": Coordinate(("energy",), self.energy.centres, "meV")}
        for name in ("zone", "error_zone"):
            out[name] = ArrayTemplate(("energy",), (len(self.energy.centres),), "float32", "1/meV", axis)
        return out

    def run(self, theta, stream_key):
        """Simulate one point.

        Parameters
        ----------
        theta : (n_parameter,) float64, meV
        stream_key : StreamKey

        Returns
        -------
        PointResult
        """
        model = DynamicsModel(
            self.system, theta, self.conditions, self.where, self.energy, self.trajectory, self.spectrum
        )
        states = thermal_states(
            model.interactions,
            np.asarray(theta, dtype=np.float64),
            self.conditions,
            self.start,
            generator=stream_key.stream("bath"),
            spins=self._first,
        )
        found = model.spectrum(states)
        arrays = {f"signal_{name}": values for name, values in found.signal.items()}
        arrays |= {f"error_{name}": values for name, values in found.error.items()}
        arrays |= {"zone": found.zone, "error_zone": found.zone_error}
        facts = {name: value for name, value in found.facts.items() if value is not None and np.ndim(value) == 0}
        return PointResult("done", {name: x.astype(np.float32) for name, x in arrays.items()}, None, facts)


def model_with_length(model: Model, length: SpinLength, *, temperature) -> Model:
    """Return a model whose classical spins have another length, couplings kept."""
    crystal = model.crystal
    factor = length.factor(crystal.spins, temperature=temperature)
    return replace(model, crystal=replace(crystal, spins=crystal.spins * factor))


def _template(where, energy):
    """Return the declaration of the spectra on one path or grid."""
    name = where.name
    coords = {"energy": Coordinate(("energy",), energy.centres, "meV")}
    if isinstance(where, QPath):
        row = f"q_{name}"
        coords[f"hkl_{name}"] = Coordinate((row, "hkl"), where.points, "r.l.u.")
        coords[f"distance_{name}"] = Coordinate((row,), where.distance, "1/Å")
        dims: tuple[str, ...] = (row,)
    else:
        kept = [k for k, integrated in enumerate(where.integrated) if not integrated]
        dims = tuple(f"{'uvw'[k]}_{name}" for k in kept)
        for k, dim in zip(kept, dims, strict=True):
            coords[dim] = Coordinate((dim,), where.centres[k], "")
    return ArrayTemplate((*dims, "energy"), (*where.shape, len(energy.centres)), "float32", "1/meV", coords)
