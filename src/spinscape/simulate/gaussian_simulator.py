"""The simulator of kind ``gaussian``: S(Q) on paths, slices and volumes, and tables over temperature."""

import numpy as np

from ..errors import ConfigError
from ..hamiltonian.conditions import Conditions
from ..lattice.qspace import QPath
from ..lattice.volumes import QGrid
from ..observables.diffuse_template import signal_layout
from .gaussian import GaussianModel, GaussianSettings
from .gaussian_image import GaussianImage
from .gaussian_solve import OrderedError
from .protocol import ArrayTemplate, Coordinate, PointResult, check_settings

_TABLES = {
    "energy": ((), "meV per spin"),
    "heat_capacity": ((), "k_B per spin"),
    "susceptibility": ((3, 3), "μ_B/T per spin"),
}


class GaussianSimulator:
    """The self-consistent Gaussian approximation at the points of a grid.

    Parameters
    ----------
    gaussian : GaussianModel
    temperature : float or None, K
        Of S(Q).
    where : list of QPath and QGrid
    temperatures : (n_temperature,) float64, K
        Of the tables; may be empty.
    """

    def __init__(self, gaussian, temperature, where, temperatures):
        self.gaussian, self.temperature = gaussian, temperature
        self.where, self.temperatures = list(where), np.asarray(temperatures, dtype=np.float64)
        self._check()
        self._images = {w.name: (GaussianImage(gaussian, w), w.shape) for w in self.where}

    def _check(self):
        names = [w.name for w in self.where]
        if len(set(names)) != len(names) or not (names or self.temperatures.size):
            raise ConfigError(
                "paths and grids need different names, and something must be asked for",
                where="simulate: paths, grids, temperatures",
                expected="paths or grids with a temperature, or temperatures of tables",
                got=names,
            )
        wanted = [self.temperature] * bool(names) + self.temperatures.tolist()
        if not all(t is not None and 0 < t < np.inf for t in wanted):
            raise ConfigError(
                "temperatures must be positive", where="conditions.temperature, simulate.temperatures", got=wanted
            )

    @classmethod
    def from_settings(cls, model, settings):
        """Build the simulator from a model and plain settings.

        Parameters
        ----------
        model : Model
        settings : dict
            ``conditions``; ``paths`` and ``grids`` (lists of what ``to_dict`` gives) of S(Q); ``temperatures`` in K of
            energy, heat capacity and susceptibility; ``gaussian``: a dict that :class:`GaussianSettings` takes. All but
            the conditions may be left out.

        Returns
        -------
        GaussianSimulator
        """
        check_settings(settings, ("conditions",), of="the Gaussian simulator")
        conditions = Conditions.from_dict(settings["conditions"])
        if any(conditions.field):
            raise ConfigError(
                "the self-consistent Gaussian approximation is made in zero field",
                where="conditions.field",
                expected="no field",
                got=list(conditions.field),
                fix="leave the field out, or take Monte Carlo",
            )
        where = [QPath.from_dict(data) for data in settings.get("paths", ())]
        where += [QGrid.from_dict(data) for data in settings.get("grids", ())]
        gaussian = GaussianModel(model, GaussianSettings(**settings.get("gaussian", {})))
        return cls(gaussian, conditions.temperature, where, settings.get("temperatures", ()))

    def template(self):
        """Return ``signal_<name>`` of each path and grid per chemical cell, and the tables, by name."""
        out = {}
        for where in self.where:
            dims, shape, coords = signal_layout(where)
            placed = {name: Coordinate(*coordinate) for name, coordinate in coords.items()}
            out[f"signal_{where.name}"] = ArrayTemplate(dims, shape, "float32", "", placed)
        n = len(self.temperatures)
        if n:
            axis = {"temperature": Coordinate(("temperature",), self.temperatures, "K")}
            for name, (shape, unit) in _TABLES.items():
                dims = ("temperature", "alpha", "beta")[: 1 + len(shape)]
                out[name] = ArrayTemplate(dims, (n, *shape), "float64", unit, axis)
        return out

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
            ``failed``, with the wave and the temperature, below the ordering.
        """
        try:
            arrays, diagnostics = self._signals(theta)
            arrays.update(self._tables(theta))
        except OrderedError as error:
            return PointResult("failed", None, str(error), {})
        return PointResult("done", arrays, None, diagnostics)

    def _signals(self, theta):
        if not self.where:
            return {}, {}
        state = self.gaussian.state(theta, self.temperature)
        arrays = {
            f"signal_{name}": image.values(theta, self.temperature, state).reshape(shape).astype(np.float32)
            for name, (image, shape) in self._images.items()
        }
        multipliers = {f"multiplier_{a}": float(x) for a, x in enumerate(state.solution.value)}
        multipliers["share"] = float(self.gaussian.shares(state.solution).max())
        return arrays, {**multipliers, **{name: float(a.mean(dtype=np.float64)) for name, a in arrays.items()}}

    def _tables(self, theta):
        if not self.temperatures.size:
            return {}
        rows = []
        for t in self.temperatures:
            state = self.gaussian.state(theta, t)
            rows.append([getattr(self.gaussian, name)(theta, t, state=state) for name in _TABLES])
        return {name: np.array([row[k] for row in rows]) for k, name in enumerate(_TABLES)}
