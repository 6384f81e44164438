"""Forward model ``gaussian``: diffuse scattering, susceptibility and heat capacity with exact derivatives."""

from dataclasses import dataclass

import numpy as np

from ..errors import FitError, UnstableError
from ..lattice.powder_axis import PowderAxis
from ..simulate.gaussian import GaussianModel
from ..simulate.gaussian_image import GaussianImage
from ..simulate.gaussian_solve import OrderedError
from .couplings import OfCouplings, free_couplings


@dataclass(frozen=True, eq=False)
class DiffuseImage:
    """S(Q) of one measurement, as a column.

    Parameters
    ----------
    image : GaussianImage
    temperature : float, K
    n_row : int
        Of the measurement.
    rows : (n_asked,) int64
        Its rows that were measured: the others are zero, and cost nothing.
    """

    image: GaussianImage
    temperature: float
    n_row: int
    rows: np.ndarray

    @classmethod
    def of_axis(cls, gaussian, axis, temperature, *, rows=None):
        """Return the image of an axis, or of some of its rows."""
        n_row = int(np.prod(axis.shape))
        asked = np.arange(n_row) if rows is None else np.asarray(rows, dtype=np.int64)
        return cls(GaussianImage(gaussian, axis, rows=None if rows is None else asked), temperature, n_row, asked)

    def predict(self, theta):
        """Return S(Q), (n_row, 1), at all couplings (n_parameter,)."""
        return self._spread(self.image.values(theta, self.temperature))

    def gradient(self, theta):
        """Return the derivatives by all couplings, (n_parameter, n_row, 1)."""
        return self._spread(self.image.gradient(theta, self.temperature))

    def _spread(self, values):
        out = np.zeros((*values.shape[:-1], self.n_row, 1))
        out[..., self.rows, 0] = values
        return out


@dataclass(frozen=True, eq=False)
class ThermalColumn:
    """Susceptibility or heat capacity of one measurement, as a column, in the units of the simulators.

    Parameters
    ----------
    gaussian : GaussianModel
    quantity : "susceptibility" or "heat_capacity"
    temperatures : (n_temperature,) float64, K
    direction : (3,) float or None
        Of the field; None for a powder, a third of the trace.
    asked : (n_temperature,) bool or None
        Temperatures that were measured: at the others, where spins may order, the values are zero.
    """

    gaussian: GaussianModel
    quantity: str
    temperatures: np.ndarray
    direction: tuple[float, float, float] | None = None
    asked: np.ndarray | None = None

    def predict(self, theta):
        """Return the values, (n_temperature, 1), at all couplings (n_parameter,)."""
        found = getattr(self.gaussian, self.quantity)
        return self._spread(self.seen(np.array([found(theta, t) for t in self._wanted])))

    def gradient(self, theta):
        """Return the derivatives by all couplings, (n_parameter, n_temperature, 1)."""
        found = getattr(self.gaussian, f"{self.quantity}_gradient")
        return self._spread(self.seen(np.stack([found(theta, t).by_theta for t in self._wanted], axis=1)))

    @property
    def _wanted(self):
        return self.temperatures if self.asked is None else self.temperatures[self.asked]

    def _spread(self, values):
        if self.asked is None:
            return values
        out = np.zeros((*values.shape[:-2], len(self.temperatures), 1))
        out[..., self.asked, :] = values
        return out

    def seen(self, values):
        """Return values (..., [3, 3]) along the field, (..., 1)."""
        if self.quantity != "susceptibility":
            return values[..., None]
        if self.direction is None:
            return np.einsum("...xx->...", values)[..., None] / 3.0
        along = np.asarray(self.direction, dtype=np.float64) / np.linalg.norm(self.direction)
        return (values @ along @ along)[..., None]

    def seen_error(self, errors):
        """Return standard deviations of :meth:`seen` from those of the elements, (..., [3, 3]), as if independent."""
        if self.quantity != "susceptibility":
            return errors[..., None]
        if self.direction is None:
            return np.sqrt(np.einsum("...xx->...", errors**2))[..., None] / 3.0
        along = np.asarray(self.direction, dtype=np.float64) / np.linalg.norm(self.direction)
        return np.sqrt(errors**2 @ along**2 @ along**2)[..., None]


@dataclass(frozen=True, eq=False)
class GaussianForward(OfCouplings):
    """The Gaussian approximation on the rows of each measurement. Make it with :func:`gaussian_forward`.

    Parameters
    ----------
    parts : tuple of DiffuseImage and ThermalColumn
        One for each measurement.
    coupling_names : tuple of str
        The free couplings.
    fixed, free : as in :class:`~spinscape.infer.forward.SpinwaveForward`
    """

    parts: tuple
    coupling_names: tuple[str, ...]
    fixed: np.ndarray
    free: np.ndarray
    kind: str = "gaussian"

    def predict(self, parameters):
        """Return the columns, each (n_row, 1); raises ``UnstableError`` below the ordering."""
        theta = self.theta(parameters)
        return tuple(_above_order(part.predict, theta) for part in self.parts)

    def gradient(self, parameters):
        """Return the derivatives by the free couplings, each (n_coupling, n_row, 1)."""
        theta = self.theta(parameters)
        return tuple(_above_order(part.gradient, theta)[self.free] for part in self.parts)


def _above_order(function, theta):
    try:
        return function(theta)
    except OrderedError as error:
        raise UnstableError(error.what, where=error.where, got=error.got, fix=error.fix) from None


def gaussian_forward(model, measurements, *, settings, fixed=None):
    """Return the :class:`GaussianForward` of a model on the rows of measurements.

    Parameters
    ----------
    model : Model
    measurements : sequence of Measurement and ThermalMeasurement
        Diffuse scattering on paths and grids at a temperature, without a field; tables over the temperature, whose
        field is small: the response is linear.
    settings : GaussianSettings
    fixed : dict of str to float, optional
        Couplings that are not fitted, and their values in meV.
    """
    gaussian = GaussianModel(model, settings)
    free, values = free_couplings(model.parameter_names, fixed or {})
    parts = tuple(_part(gaussian, m) for m in measurements)
    return GaussianForward(parts, tuple(model.parameter_names[k] for k in free), values, free)


def _part(gaussian, measurement):
    if measurement.quantity in ("susceptibility", "heat_capacity"):
        direction = measurement.direction
        asked = measurement.valid[:, 0]
        return ThermalColumn(gaussian, measurement.quantity, measurement.temperatures, direction, asked)
    conditions = measurement.conditions
    if measurement.energy is not None or isinstance(measurement.momentum, PowderAxis):
        what = "a powder" if measurement.energy is None else "a spectrum"
        raise FitError(f"the Gaussian approximation does not predict {what}", where=f"measurement {measurement.name}",
                       expected="diffuse scattering on a path or a grid, or a table over the temperature")  # fmt: skip
    if conditions.temperature is None or any(conditions.field):
        raise FitError("diffuse scattering is at a temperature, in no field", where=f"measurement {measurement.name}",
                       got=conditions.to_dict(), fix="declare conditions: {temperature: ...}")  # fmt: skip
    rows = np.nonzero(measurement.valid[:, 0])[0]
    return DiffuseImage.of_axis(gaussian, measurement.momentum, conditions.temperature, rows=rows)
