"""Forward model ``generator``: images of a trained compression model in place of simulations that take seconds.

A generator knows its own error (:meth:`~spinscape.learn.generator.Generator.error_columns`), the same for every pixel
that a latent number moves: a fit cannot average it away. :func:`surrogate_covariance` is what it adds.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import FitError
from .couplings import OfCouplings, free_couplings
from .uncertainty import Covariance


@dataclass(frozen=True, eq=False)
class GeneratorForward(OfCouplings):
    """A generator on the axes of each measurement. Make it with :func:`generator_forward`.

    Parameters
    ----------
    generator : Generator
        ``predict``, ``gradient``, ``error_columns``, ``box``.
    voxels : tuple of slice
        Where each measurement's pixels stand in a generated image.
    shapes : tuple of (n_q, n_energy)
    coupling_names : tuple of str
        The free couplings.
    fixed, free : as in :class:`~spinscape.infer.forward.SpinwaveForward`
    """

    generator: object
    voxels: tuple[slice, ...]
    shapes: tuple[tuple[int, int], ...]
    coupling_names: tuple[str, ...]
    fixed: np.ndarray
    free: np.ndarray
    kind: str = "generator"

    def predict(self, parameters):
        """Return the images, each (n_q, n_energy)."""
        return tuple(images[0] for images in self._images(self.generator.predict(self.theta(parameters))))

    def gradient(self, parameters):
        """Return the derivatives by the free couplings, each (n_coupling, n_q, n_energy)."""
        return self._images(self.generator.gradient(self.theta(parameters))[0][self.free])

    def error_images(self, parameters):
        """Return independent errors of the images, one standard deviation each: (n_error, n_q, n_energy)."""
        return self._images(self.generator.error_columns(self.theta(parameters)))

    def _images(self, rows):
        """Return rows (n, n_voxel) as images (n, n_q, n_energy) of each measurement."""
        parts = zip(self.voxels, self.shapes, strict=True)
        return tuple(rows[:, voxels].reshape(len(rows), *shape) for voxels, shape in parts)


def generator_forward(generator, measurements, *, voxels, fixed=None):
    """Return the :class:`GeneratorForward` of a trained generator on the axes of measurements.

    Parameters
    ----------
    generator : Generator
    measurements : sequence of Measurement
    voxels : sequence of (momentum axis, first voxel)
        Axis of what the generator was trained on for each measurement, and where its voxels begin. Axes must agree
        bin by bin: a generator knows its own voxels and none between them.
    fixed : dict of str to float, optional
        Couplings that are not fitted, and their values in meV.
    """
    free, values = free_couplings(tuple(generator.parameter_names), fixed or {})
    places, shapes = [], []
    for measurement, (axis, first) in zip(measurements, voxels, strict=True):
        _require_same_axis(measurement, axis)
        places.append(slice(first, first + int(np.prod(measurement.shape))))
        shapes.append(measurement.shape)
    names = tuple(generator.parameter_names[k] for k in free)
    return GeneratorForward(generator, tuple(places), tuple(shapes), names, values, free)


def _require_same_axis(measurement, axis):
    mine, known = measurement.momentum.points, axis.points
    if mine.shape != known.shape or not np.allclose(mine, known, rtol=0.0, atol=1e-6):
        raise FitError(
            "the axes of a measurement are not those that the generator was trained on",
            where=f"measurement {measurement.name}",
            expected=f"{len(known)} bins from {known[0].round(4).tolist()} to {known[-1].round(4).tolist()}",
            got=f"{len(mine)} bins from {mine[0].round(4).tolist()} to {mine[-1].round(4).tolist()}",
            fix="simulate on the measurement's axes, or bin the measurement as the study says",
        )


def surrogate_covariance(problem, best, box):
    """Return the covariance that the forward model's own error gives the minimum.

        Δθ_d = −(JᵀWJ)⁻¹ JᵀW e_d for each independent error e_d of the images;   covariance Σ_d Δθ_d Δθ_dᵀ

    Parameters
    ----------
    problem : Problem
        Whose forward has ``error_images`` and whose objective ``shift_of``.
    best : (n_parameter,) float64
        Parameters at a bound of the box are held there.
    box : Box

    Returns
    -------
    Covariance
    """
    fixed = box.at_bound(best)
    free = np.array([name not in fixed for name in box.names])
    predictions, jacobians = problem.linearise(best, box)
    errors = problem.forward.error_images(best)
    shift = np.zeros((len(errors[0]), len(free)))
    if free.any():
        kept = tuple(jacobian[free] for jacobian in jacobians)
        shift[:, free] = problem.objective.shift_of(predictions, kept, errors)
    return Covariance(box.names, shift.T @ shift, fixed, "surrogate")
