"""Forward model ``generator``: images of a trained compression model in place of simulations that take seconds.

A generator knows its own error (:meth:`~spinscape.learn.generator.Generator.error_columns`), the same for every pixel
that a latent number moves: a fit cannot average it away. :func:`surrogate_covariance` is what it adds.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import FitError
from .couplings import OfCouplings, free_couplings
from .same_axes import require_same_axes
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
    lines : tuple of ((n_row, n_known) float64 or None)
        Of a table over the temperature: weights of the simulated temperatures in each of its rows.
    coupling_names : tuple of str
        The free couplings.
    fixed, free : as in :class:`~spinscape.infer.forward.SpinwaveForward`
    """

    generator: object
    voxels: tuple[slice, ...]
    shapes: tuple[tuple[int, int], ...]
    lines: tuple[np.ndarray | None, ...]
    coupling_names: tuple[str, ...]
    fixed: np.ndarray
    free: np.ndarray
    kind: str = "generator"

    @property
    def known(self):
        """Least and largest free couplings that the generator has learnt from, (2, n_coupling)."""
        return self.generator.box[:, self.free]

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
        parts = zip(self.voxels, self.shapes, self.lines, strict=True)
        return tuple(
            (rows[:, voxels] if lines is None else rows[:, voxels] @ lines.T).reshape(len(rows), *shape)
            for voxels, shape, lines in parts
        )


def generator_forward(generator, measurements, *, voxels, fixed=None):
    """Return the :class:`GeneratorForward` of a trained generator on the axes of measurements.

    Parameters
    ----------
    generator : Generator
    measurements : sequence of Measurement
    voxels : sequence of (momentum axis, or temperatures (n_known,); first voxel)
        Axis of what the generator was trained on for each measurement, and where its voxels begin. Momenta must agree
        bin by bin: a generator knows its own voxels and none between them. Tables over the temperature lie on straight
        lines between the simulated temperatures.
    fixed : dict of str to float, optional
        Couplings that are not fitted, and their values in meV.
    """
    free, values = free_couplings(tuple(generator.parameter_names), fixed or {})
    places, lines = [], []
    for measurement, (axis, first) in zip(measurements, voxels, strict=True):
        if measurement.momentum is None:
            lines.append(lines_between(axis, measurement))
            places.append(slice(first, first + len(axis)))
            continue
        require_same_axes(measurement, axis)
        lines.append(None)
        places.append(slice(first, first + int(np.prod(measurement.shape))))
    names, shapes = tuple(generator.parameter_names[k] for k in free), tuple(m.shape for m in measurements)
    return GeneratorForward(generator, tuple(places), shapes, tuple(lines), names, values, free)


def lines_between(known, measurement):
    """Return the weights (n_row, n_known) of straight lines between simulated temperatures at those of a table.

    Rows that are not measured may lie beyond them, where the ends hold.
    """
    known, wanted = np.asarray(known, dtype=np.float64), measurement.temperatures
    order, inside = np.argsort(known), wanted[measurement.valid[:, 0]]
    if inside.size and not known.min() * (1 - 1e-6) <= inside.min() <= inside.max() <= known.max() * (1 + 1e-6):
        raise FitError(
            "a table lies beyond the simulated temperatures",
            where=f"measurement {measurement.name}",
            expected=f"within {known.min():g} to {known.max():g} K",
            got=f"{inside.min():g} to {inside.max():g} K",
            fix="simulate these temperatures, or fit the table between: those that are simulated",
        )
    return np.stack([np.interp(wanted, known[order], row) for row in np.eye(len(known))[:, order]], axis=1)


@dataclass(frozen=True, eq=False)
class JoinedForward(OfCouplings):
    """Several generators of the same couplings, each on some of the measurements. Make it with :func:`joined`.

    Parameters
    ----------
    parts : tuple of GeneratorForward
    which : tuple of tuple of int
        Places of each part's measurements among all.
    """

    parts: tuple[GeneratorForward, ...]
    which: tuple[tuple[int, ...], ...]
    kind: str = "generator"

    @property
    def coupling_names(self):
        """The free couplings."""
        return self.parts[0].coupling_names

    @property
    def fixed(self):
        """All couplings, those that are fixed filled in."""
        return self.parts[0].fixed

    @property
    def free(self):
        """Which of them are free."""
        return self.parts[0].free

    @property
    def known(self):
        """Least and largest free couplings that all generators have learnt from, (2, n_coupling)."""
        each = np.array([part.known for part in self.parts])
        return np.stack([each[:, 0].max(axis=0), each[:, 1].min(axis=0)])

    def predict(self, parameters):
        """Return the images, each (n_q, n_energy)."""
        return self._placed([part.predict(parameters) for part in self.parts])

    def gradient(self, parameters):
        """Return the derivatives by the free couplings, each (n_coupling, n_q, n_energy)."""
        return self._placed([part.gradient(parameters) for part in self.parts])

    def error_images(self, parameters):
        """Return independent errors of the images: those of one generator leave the others' images alone."""
        found = [part.error_images(parameters) for part in self.parts]
        sizes = [len(images[0]) for images in found]
        total, out = sum(sizes), []
        for start, images in zip(np.cumsum([0, *sizes[:-1]]), found, strict=True):
            whole = [np.zeros((total, *image.shape[1:])) for image in images]
            for wide, image in zip(whole, images, strict=True):
                wide[start : start + len(image)] = image
            out.append(whole)
        return self._placed(out)

    def _placed(self, found):
        pairs = (
            pair for places, images in zip(self.which, found, strict=True) for pair in zip(places, images, strict=True)
        )
        return tuple(image for _, image in sorted(pairs, key=lambda pair: pair[0]))


def joined(parts, which):
    """Return one forward model of several, ``which`` being the places of each one's measurements."""
    names = {part.generator.parameter_names for part in parts}
    if len(names) > 1:
        raise FitError("generators of different couplings make no joint fit", where="forward.model", got=sorted(names))
    return parts[0] if len(parts) == 1 else JoinedForward(tuple(parts), tuple(map(tuple, which)))


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
