"""Lines of S(Q, ω) at a list of wave vectors: energies and intensities of spin waves, and their derivatives.

A source of lines is what stands between a model and an instrument. Whoever has one asks it for

    lines(θ)                energies and intensities, (n_q, n_mode)
    lines_with_slopes(θ)    the same with brighten and shift, (n_parameter, n_q, n_mode)
    lines_with_pullback(θ)  the same with a function of factors (by_intensity, by_shift) to (n_parameter,)

where brighten and shift are those of :class:`~spinscape.simulate.gradient.LineGradient`.
"""

from typing import NamedTuple

import numpy as np

from ..hamiltonian.conditions import Conditions
from ..hamiltonian.spiral import SpiralStructure
from ..kernels.spectrum import mode_intensities
from .gradient import eigenmodes, line_gradient, line_pullback
from .modes import blocks_of, checked_couplings, solve
from .quadratic import quadratic_form
from .seen import seen_form
from .spectrum_settings import SpinwaveSettings
from .spiral import merged_parts, spiral_form

DEGENERACY = 1e-6
"""Modes closer than this part of the largest energy at their Q are one group."""


class SlopedLines(NamedTuple):
    """Lines and their derivatives by the couplings; see :class:`~spinscape.simulate.gradient.LineGradient`.

    Parameters
    ----------
    energies, intensities : (n_q, n_mode) float64
    brighten, shift : (n_parameter, n_q, n_mode) float64
    """

    energies: np.ndarray
    intensities: np.ndarray
    brighten: np.ndarray
    shift: np.ndarray


def form_of(model, structure, q, conditions):
    """Return the quadratic form of a commensurate structure, or of a spiral at Q, Q + k and Q - k."""
    make = spiral_form if isinstance(structure, SpiralStructure) else quadratic_form
    return make(model, structure, q, conditions)


def parts_of(structure):
    """Return how many wave vectors' magnons show at one Q: those of Q, Q + k and Q - k for a spiral."""
    return 3 if isinstance(structure, SpiralStructure) else 1


class LineSource:
    """Lines of one structure at fixed wave vectors, everything that does not depend on θ prepared once.

    Parameters
    ----------
    model : Model
    structure : MagneticStructure or SpiralStructure
    q : (n_q, 3) float64, r.l.u.
    weights : (n_q, 3, 3) float64, symmetric
        W of the intensity Σ_αβ W_αβ Re S^αβ.
    conditions : Conditions, optional
    settings : SpinwaveSettings, optional
        Its ``regularisation``, ``form_factor`` and ``units``.
    """

    def __init__(self, model, structure, q, weights, *, conditions=None, settings=None):
        settings = settings or SpinwaveSettings()
        self.parameter_names, self.regularisation = model.parameter_names, settings.regularisation
        form = form_of(model, structure, q, conditions or Conditions())
        self._form = seen_form(form, crystal=model.crystal, structure=structure, settings=settings)
        self._blocks = blocks_of(self._form)
        self._n_part = parts_of(structure)
        self._weights = np.tile(weights, (self._n_part, 1, 1))

    def lines(self, theta):
        """Return energies, ascending, and intensities at θ, (n_q, n_mode) each; meV and per chemical cell.

        Raises
        ------
        UnstableError
            Where the structure is not stationary, or not stable at one of the wave vectors.
        """
        values = checked_couplings(theta, self.parameter_names)
        energies, amplitudes, _ = solve(self._form, values, blocks=self._blocks, regularisation=self.regularisation)
        intensities = np.empty_like(energies)
        mode_intensities(amplitudes, self._weights, 1.0 / self._form.n_cell, intensities)
        return tuple(merged_parts(self._n_part, energies, intensities))

    def lines_with_slopes(self, theta):
        """Return :class:`SlopedLines` at θ."""
        found = self._eigenmodes(theta)
        slopes = line_gradient(found)
        return SlopedLines(
            *merged_parts(self._n_part, found.energies, found.intensities, slopes.brighten, slopes.shift)
        )

    def lines_with_pullback(self, theta):
        """Return energies and intensities at θ, and the adjoint of their derivatives.

        Returns
        -------
        energies, intensities : (n_q, n_mode) float64
        pullback : function
            (by_intensity, by_shift), each (n_q, n_mode) -> (n_parameter,); see
            :func:`~spinscape.simulate.gradient.line_pullback`.
        """
        found = self._eigenmodes(theta)
        order = np.arange(found.energies.size, dtype=np.float64).reshape(found.energies.shape)
        energies, intensities, order = merged_parts(self._n_part, found.energies, found.intensities, order)
        place = order.astype(np.int64).ravel()

        def pullback(by_intensity, by_shift):
            apart = np.empty((2, energies.size))
            apart[0, place], apart[1, place] = np.ravel(by_intensity), np.ravel(by_shift)
            return line_pullback(found, *apart.reshape(2, *found.energies.shape))

        return energies, intensities, pullback

    def _eigenmodes(self, theta):
        """Return :class:`~spinscape.simulate.gradient.Eigenmodes` at θ."""
        return eigenmodes(
            self._form,
            checked_couplings(theta, self.parameter_names),
            self._weights,
            regularisation=self.regularisation,
            tolerance=DEGENERACY,
        )
