"""The three parts of a fit: a forward model, an objective, a strategy. Any sensible combination is a fit.

A forward model turns parameters into spectra on the data's own axes; an objective, bound to its measurements, turns
spectra into one number to be minimised; a strategy finds the minima. None knows the others.
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

Images = tuple[np.ndarray, ...]
"""One array (n_q, n_energy) for each measurement."""


@runtime_checkable
class Forward(Protocol):
    """From parameters to spectra, one for each measurement of the fit.

    Attributes
    ----------
    parameter_names : tuple of str
        The free couplings, then the fitted properties of the instrument.
    units : tuple of str
        Unit of each parameter; empty for a plain number.
    coupling_names : tuple of str
        The leading part of ``parameter_names``.
    """

    parameter_names: tuple[str, ...]
    units: tuple[str, ...]
    coupling_names: tuple[str, ...]

    def predict(self, parameters: np.ndarray) -> Images:
        """Return the spectra, each (n_q, n_energy) on its measurement's axes; raises ``UnstableError``."""
        ...


@runtime_checkable
class GradientForward(Forward, Protocol):
    """A forward model that knows its derivatives by the couplings; what it does not know is differentiated by steps."""

    def gradient(self, parameters: np.ndarray) -> Images:
        """Return the derivatives by the couplings, the leading parameters: each (n_coupling, n_q, n_energy)."""
        ...


@runtime_checkable
class PixelForward(Forward, Protocol):
    """A forward model that can be asked for a few pixels and differentiated backwards, as networks can."""

    def predict_pixels(self, parameters: np.ndarray, pixels: Sequence[np.ndarray]) -> tuple[Images, Any]:
        """Return the values at flat pixel indices of each measurement, and a pullback.

        The pullback takes the objective's derivative by each value, (n_pixel,) a measurement, to its derivative by
        the parameters, (n_parameter,).
        """
        ...


@runtime_checkable
class ModeForward(Forward, Protocol):
    """A forward model that knows the energies of modes beside the spectra."""

    def mode_energies(self, parameters: np.ndarray, q: np.ndarray) -> np.ndarray:
        """Return mode energies at q (n_q, 3) in r.l.u.: (n_q, n_mode), meV, rising."""
        ...


@runtime_checkable
class Objective(Protocol):
    """One number to be minimised, bound to measurements; only their valid pixels are ever read."""

    kind: str

    def value(self, predictions: Images) -> float:
        """Return the number to be minimised."""
        ...

    def derivative(self, predictions: Images) -> tuple[float, Images]:
        """Return the value and its derivative by every pixel of the predictions (zero at masked ones)."""
        ...

    def normal_equations(self, predictions: Images, jacobians: Images) -> tuple[np.ndarray, np.ndarray]:
        """Return the gradient (p,) and the Gauss-Newton matrix (p, p) of the value by the parameters."""
        ...

    def covariance(self, predictions: Images, jacobians: Images, hessian: np.ndarray) -> np.ndarray:
        """Return the covariance (p, p) of the minimum that the pixels' noise makes."""
        ...

    def reweighted(self, multiplicities: Images) -> "Objective":
        """Return the objective with every pixel counted as often as (n_q, n_energy) multiplicities say."""
        ...

    def quality(self, predictions: Images) -> dict[str, float]:
        """Return figures of merit for the report."""
        ...


@runtime_checkable
class Strategy(Protocol):
    """A search for the minima of a function over a box."""

    kind: str

    def minimise(self, function: Any, box: Any, seed: int) -> Any:
        """Return a ``SearchResult`` with every minimum that was met."""
        ...
