"""The simulator of kind ``dynamics``: S(Q, ω) of classical spins at a temperature."""

from dataclasses import replace

import numpy as np

from ..hamiltonian.conditions import Conditions
from ..hamiltonian.model import MagneticStructure, Model
from ..lattice.qspace import EnergyAxis, QPath
from ..lattice.volumes import QGrid
from ..observables.dynamic import DynamicSettings
from ..observables.dynamic_weights import SpinLength
from .dynamics import DynamicsModel, TrajectorySettings
from .dynamics_start import StartSettings, structure_spins, thermal_states
from .protocol import ArrayTemplate, Coordinate, PointResult, check_settings
from .spin_system import SpinSystem, block, spin_system

_SETTINGS = ("supercell", "paths", "energy", "conditions")
_NOTED = ("dt", "stride", "n_sample", "energy_step", "frequency_error", "largest_q_distance", "energy_drift", "n_block")
"""Facts of a point: the largest over its temperatures."""
_PILOT, _MAX_LENGTH_STEP, _LENGTH_TOLERANCE = 16, 6, 5e-3
"""States, steps and tolerance of the search for the length that obeys the sum rule."""


class DynamicsSimulator:
    """Spectra of trajectories that start at thermal states, at one temperature or several.

    Parameters
    ----------
    model : Model
        Its spins have their quantum number S as length.
    supercell : three int, or (3, 3) int
    where : sequence of QPath or QGrid
    energy : EnergyAxis
    conditions : Conditions
    temperatures : sequence of float, K
        That of the conditions where left out. Each has states of its own.
    trajectory : TrajectorySettings
    spectrum : DynamicSettings
    start : StartSettings
    length : SpinLength
        Of the classical spins.
    zone_weightings : sequence of str
        Of the spectrum summed over the zone.
    structure : MagneticStructure, optional
        Where the chain of thermal states begins; a random state where left out.
    """

    def __init__(
        self,
        model,
        supercell,
        where,
        energy,
        conditions,
        *,
        temperatures=(),
        trajectory=None,
        spectrum=None,
        start=None,
        length=None,
        zone_weightings=(),
        structure=None,
    ):
        self._model, self._numbers, self._structure = model, supercell, structure
        self.where, self.energy, self.conditions = tuple(where), energy, conditions
        self.temperatures = tuple(temperatures) or (conditions.temperature,)
        self.trajectory, self.spectrum = trajectory or TrajectorySettings(), spectrum or DynamicSettings()
        self.start, self.length = start or StartSettings(), length or SpinLength()
        self.zone_weightings = tuple(zone_weightings) or (self.spectrum.weighting,)
        self._systems: dict[bytes, SpinSystem] = {}

    @classmethod
    def from_settings(cls, model, settings):
        """Build the simulator from a model and plain settings.

        Parameters
        ----------
        model : Model
        settings : dict
            ``supercell``, ``paths`` (of paths and grids), ``energy`` and ``conditions``; optionally ``temperatures``,
            ``trajectory``, ``spectrum``, ``start``, ``length``, ``zone_weightings`` and ``structure``: as ``to_dict``
            of the classes gives them.
        """
        check_settings(settings, _SETTINGS, of="the dynamics")
        structure = settings.get("structure")
        return cls(
            model,
            settings["supercell"],
            [(QPath if "distance" in data else QGrid).from_dict(data) for data in settings["paths"]],
            EnergyAxis.from_dict(settings["energy"]),
            Conditions.from_dict(settings["conditions"]),
            temperatures=settings.get("temperatures", ()),
            trajectory=TrajectorySettings(**settings.get("trajectory", {})),
            spectrum=DynamicSettings(**settings.get("spectrum", {})),
            start=StartSettings(**settings.get("start", {})),
            length=SpinLength(**settings.get("length", {})),
            zone_weightings=settings.get("zone_weightings", ()),
            structure=None if structure is None else MagneticStructure.from_dict(structure),
        )

    def template(self):
        """Return the arrays of a point, all of them over ``temperature``.

        ``signal_<name>`` and ``error_<name>`` of each path and grid; ``zone`` and ``zone_error`` for each weighting of
        the zone; ``moment`` and ``moment_error``, the integrals of the zone, classical and for each weighting;
        ``state_energy`` and ``state_energy_error``, per spin of the states that trajectories begin at;
        ``length_factor``, the length of the classical spins over S.
        """
        out = {}
        for where in self.where:
            for kind in ("signal", "error"):
                out[f"{kind}_{where.name}"] = _template(where, self.energy)
        axis = {"energy": Coordinate(("energy",), self.energy.centres, "meV")}
        n = len(self.zone_weightings)
        for suffix in ("", "_error"):
            shape = (n, len(self.energy.centres))
            out[f"zone{suffix}"] = ArrayTemplate(("weighting", "energy"), shape, "float32", "1/meV", axis)
            out[f"moment{suffix}"] = ArrayTemplate(("integral",), (1 + n,), "float64")
            out[f"state_energy{suffix}"] = ArrayTemplate((), (), "float64", "meV")
        out["length_factor"] = ArrayTemplate(("site",), (self._model.crystal.n_site,), "float64")
        return {name: _over_temperature(one, self.temperatures) for name, one in out.items()}

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
        theta = np.asarray(theta, dtype=np.float64)
        rows, facts = [], {}
        for k, temperature in enumerate(self.temperatures):
            arrays, noted = self._at(theta, temperature, stream_key.stream("bath", replica=k))
            rows.append(arrays)
            facts |= {name: max(value, facts.get(name, value)) for name, value in noted.items()}
        template = self.template()
        stacked = {name: np.stack([np.asarray(row[name]) for row in rows]) for name in template}
        return PointResult("done", {n: x.astype(template[n].dtype) for n, x in stacked.items()}, None, facts)

    def _at(self, theta, temperature, generator):
        """Return the arrays at one temperature, and what is noted of them."""
        conditions = replace(self.conditions, temperature=temperature)
        factor = self._length_factor(theta, conditions, generator)
        system = self._system(factor)
        model = self.dynamics(system, theta, conditions)
        states = _Watched(model.interactions, self._states(model, theta, conditions, generator))
        found = model.spectrum(states)
        arrays = {f"signal_{name}": values for name, values in found.signal.items()}
        arrays |= {f"error_{name}": values for name, values in found.error.items()}
        arrays |= {"zone": found.zone, "zone_error": found.zone_error}
        arrays |= {"moment": found.moment, "moment_error": found.moment_error}
        arrays["state_energy"], arrays["state_energy_error"] = states.mean_and_error()
        arrays["length_factor"] = factor
        noted = {name: found.facts[name] for name in _NOTED}
        return arrays, noted

    def dynamics(self, system, theta, conditions):
        """Return the :class:`DynamicsModel` of a system at one θ and temperature."""
        return DynamicsModel(
            system,
            theta,
            conditions,
            self.where,
            self.energy,
            self.trajectory,
            self.spectrum,
            zone_weightings=self.zone_weightings,
        )

    def _pilot(self, system, theta, conditions):
        """Return a model of which only the sum over the zone is of interest, in detailed balance."""
        where = QPath("one", np.zeros((1, 3)), np.zeros(1, dtype=np.int64), np.zeros(1))
        spectrum = replace(self.spectrum, weighting="detailed_balance")
        return DynamicsModel(system, theta, conditions, [where], self.energy, self.trajectory, spectrum)

    def _states(self, model, theta, conditions, generator, start=None):
        first = None if self._structure is None else structure_spins(model.system, self._structure)
        return thermal_states(
            model.interactions, theta, conditions, start or self.start, generator=generator, spins=first
        )

    def _length_factor(self, theta, conditions, generator):
        """Return the length of the classical spins over S; that of the sum rule is found step by step."""
        spins, temperature = self._model.crystal.spins, conditions.temperature
        if self.length.kind != "sum_rule":
            return self.length.factor(spins, temperature=temperature)
        wanted, factor = float(np.sum(spins * (spins + 1.0)) / np.sum(spins**2)), np.ones(len(spins))
        few = replace(self.start, n_configuration=min(self.start.n_configuration, _PILOT))
        for _ in range(_MAX_LENGTH_STEP):
            model = self._pilot(self._system(factor), theta, conditions)
            found = model.spectrum(self._states(model, theta, conditions, generator, few))
            last, factor = factor, np.full(len(spins), np.sqrt(wanted * found.moment[0] / found.moment[1]))
            if abs(factor[0] - last[0]) < _LENGTH_TOLERANCE:
                break
        return factor

    def _system(self, factor) -> SpinSystem:
        """Return the system whose spins have ``factor`` times their length; the last one is kept."""
        key = factor.tobytes()
        if key not in self._systems:
            model = model_of_length(self._model, factor)
            self._systems = {key: spin_system(model, block(model, self._numbers))}
        return self._systems[key]


class _Watched:
    """States whose energies are noted as they are handed on."""

    def __init__(self, of, states):
        self._of, self._states, self._energies = of, states, []

    def __iter__(self):
        for spins in self._states:
            self._energies.append(self._of.energy(spins) / len(spins))
            yield spins

    def mean_and_error(self):
        """Return the mean of the energy per spin and its standard error, meV; infinite from one state."""
        n = len(self._energies)
        return np.mean(self._energies), np.std(self._energies, ddof=1) / np.sqrt(n) if n > 1 else np.inf


def model_of_length(model: Model, factor) -> Model:
    """Return a model whose classical spins have ``factor`` (a number, or one for each site) times their length."""
    return replace(model, crystal=replace(model.crystal, spins=model.crystal.spins * factor))


def _over_temperature(one, temperatures):
    """Return a declaration with the temperatures as its first axis."""
    coords = {**one.coords, "temperature": Coordinate(("temperature",), np.array(temperatures, dtype=float), "K")}
    shape = (len(temperatures), *one.shape)
    return ArrayTemplate(("temperature", *one.dims), shape, one.dtype, one.unit, coords)


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
