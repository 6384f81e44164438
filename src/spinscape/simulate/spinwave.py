"""Linear spin waves: the simulator, and the names that the rest of the house takes from here."""

import numpy as np

from ..errors import UnstableError
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.structures import GroundStateSearch, structure_from_dict
from ..lattice.powder_axis import PowderAxis
from ..lattice.qspace import EnergyAxis, QPath
from ..lattice.volumes import QGrid
from ..observables.diffuse_template import signal_layout
from .modes import Modes, modes
from .point_structure import StructureRule
from .powder_spectrum import TOLERANCE, PowderSpectrum
from .protocol import ArrayTemplate, Coordinate, PointResult, check_settings
from .quadratic import QuadraticForm, quadratic_form
from .seen import UNIT_TEXT
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
    """Spin-wave spectra of one structure on several paths, slices, volumes and powders.

    Parameters
    ----------
    make : callable
        (structure, θ) -> dict of str to SpectrumModel or PowderSpectrum, by the name of the path, volume or powder;
        with None for θ, those that can be prepared without it.
    axes : sequence of QPath, QGrid or PowderAxis
    energy : EnergyAxis
    rule : StructureRule
        What structure a point has.
    unit : str
        Of the spectra.
    keep_empty : bool
        Keep spectra whose energy window holds no mode, in place of the code ``failed``.
    """

    def __init__(self, make, axes, energy, rule, *, unit="1/meV", keep_empty=False):
        self._make, self.axes, self.energy, self.rule = make, tuple(axes), energy, rule
        self.unit, self.keep_empty = unit, keep_empty
        declared = rule.structure
        self.spectra = {} if rule.relax or isinstance(declared, GroundStateSearch) else make(declared, None)

    @classmethod
    def from_settings(cls, model, settings):
        """Build the simulator from a model and plain settings.

        Parameters
        ----------
        model : Model
        settings : dict
            ``structure``, ``paths``, ``energy``, ``conditions`` and ``spinwave`` as their ``to_dict`` gives them. What
            may be left out: ``grids`` and ``powders``, lists like that of paths; ``powder`` with ``tolerance`` and
            ``reference`` of :class:`~spinscape.simulate.powder_spectrum.PowderSpectrum`; ``relax``, ``check`` and
            ``unstable`` of :class:`~spinscape.simulate.point_structure.StructureRule`; ``keep_empty``.

        Returns
        -------
        SpinwaveSimulator
        """
        check_settings(settings, _SETTINGS, of="the spin-wave simulator")
        conditions = Conditions.from_dict(settings["conditions"])
        how = SpinwaveSettings.from_dict(settings["spinwave"])
        energy = EnergyAxis.from_dict(settings["energy"])
        axes = [QPath.from_dict(data) for data in settings["paths"]]
        axes += [QGrid.from_dict(data) for data in settings.get("grids", ())]
        axes += [PowderAxis.from_dict(data) for data in settings.get("powders", ())]
        unstable = settings.get("unstable")
        rule = StructureRule(
            model,
            structure_from_dict(settings["structure"]),
            conditions,
            relax=settings.get("relax", False),
            unstable=None if unstable is None else GroundStateSearch.from_dict(unstable),
            check=settings.get("check", True),
        )

        powder = {"tolerance": TOLERANCE, "reference": None, **settings.get("powder", {})}

        def make(structure, theta):
            # The reference is for the declared structure; another one may not be stable there.
            out, fixed = {}, powder["reference"] if theta is None else theta
            for one in axes:
                if not isinstance(one, PowderAxis):
                    out[one.name] = SpectrumModel(model, structure, one, energy, how, conditions)
                elif fixed is not None:
                    frozen = {"reference": fixed, "tolerance": powder["tolerance"]}
                    out[one.name] = PowderSpectrum(model, structure, one, energy, how, conditions, **frozen)
            return out

        unit = UNIT_TEXT[how.units]
        return cls(make, axes, energy, rule, unit=unit, keep_empty=settings.get("keep_empty", False))

    def template(self):
        """Return one array for each path and volume, ``signal_<name>``, by name."""
        return {f"signal_{one.name}": self._template(one) for one in self.axes}

    def run(self, theta, stream_key):
        """Simulate one point.

        Parameters
        ----------
        theta : (n_parameter,) float64, meV
        stream_key : StreamKey
            Of the search for a ground state; nothing else here is random.

        Returns
        -------
        PointResult
            ``unstable``, with Q and the lowest eigenvalue, where the structure is not stable; ``failed`` where the
            energy window of a spectrum holds no mode.
        """
        try:
            found = self.rule.at(theta, stream_key)
            spectra = self._spectra(found, theta)
            rows = {name: one.predict(theta) for name, one in spectra.items()}
        except UnstableError as error:
            return PointResult("unstable", None, str(error), {})
        arrays = {f"signal_{one.name}": self._array(one, rows[one.name]) for one in self.axes}
        diagnostics = {name: _strength(array) for name, array in arrays.items()}
        if found.origin != "declared":
            diagnostics["structure"] = found.origin
        for name, one in spectra.items():
            if not self.keep_empty and _looks_empty(rows[name]) and not one.shows_a_mode(theta)[0]:
                return PointResult("failed", None, self._empty_text(name, one, theta), diagnostics)
        return PointResult("done", arrays, None, diagnostics)

    def _spectra(self, found, theta):
        """Return the spectra of a point's structure; of the declared one those that are prepared."""
        if found.origin == "declared" and len(self.spectra) == len(self.axes):
            return self.spectra
        # Rules of powder averages that no couplings are named for converge at each point's own.
        return self._make(found.structure, theta)

    def _array(self, axes, rows):
        return rows.astype(np.float32).reshape(*axes.shape, len(self.energy.centres))

    def _empty_text(self, name, spectrum, theta):
        low, high = spectrum.shows_a_mode(theta)[1]
        edges = self.energy.edges
        return (
            f"the energy window holds no mode; where: {name}; "
            f"expected: a mode from {edges[0]:g} to {edges[-1]:g} meV; got: modes from {low:.6g} to {high:.6g} meV; "
            "fix: widen simulate.energy, or say simulate.empty: keep"
        )

    def _template(self, axes):
        """Return the declaration of one array."""
        if isinstance(axes, PowderAxis):
            row = f"modulus_{axes.name}"
            dims, shape, placed = (row,), axes.shape, {row: ((row,), axes.centres, "1/Å")}
        else:
            dims, shape, placed = signal_layout(axes)
        coords = {name: Coordinate(*coordinate) for name, coordinate in placed.items()}
        coords["energy"] = Coordinate(("energy",), self.energy.centres, "meV")
        return ArrayTemplate((*dims, "energy"), (*shape, len(self.energy.centres)), "float32", self.unit, coords)


def _looks_empty(rows):
    """Tell whether no row has its maximum inside the energy window: then, and only then, the modes are asked."""
    peak = np.argmax(rows, axis=1)
    return not np.any((peak > 0) & (peak < rows.shape[1] - 1))


def _strength(array):
    """Return the mean of a spectrum: a plain number that tells an empty one from a full one."""
    return float(array.mean(dtype=np.float64))
