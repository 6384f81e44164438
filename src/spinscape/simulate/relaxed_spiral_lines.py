"""Lines of a spiral whose wave vector and spins come to rest anew at every set of couplings, with their derivatives.

In the rotating frame the exchange J(q; θ, k) between the sites depends on k by the turns between cells, and the Q of a
neutron stands for the wave vectors Q, Q + k and Q - k. With k' = dk/dθ from the implicit function theorem
(:mod:`~spinscape.simulate.spiral_relaxation`),

    dJ/dθ_m = J_m + Σ_n θ_n k'_m·∂J_n/∂k,      d exp(∓2πi k·r_i)/dθ_m = ∓2πi (k'_m·r_i) exp(∓2πi k·r_i)

and the rest is that of :mod:`~spinscape.simulate.relaxed_lines`. J knows no local axes; its derivative along k' is a
difference of fourth order, and so is that of biquadratic terms along the motion of the spins.
"""

from dataclasses import replace

import numpy as np

from ..hamiltonian.spiral import SpiralStructure
from .lines import SlopedLines
from .relaxed_lines import RelaxedSource, exchange_matrices, frames
from .spiral import frame_components, merged_parts, rotating_form, rotating_frame, turned_dipoles

_SIGNS = np.array([0.0, 1.0, -1.0])


class RelaxedSpiralSource(RelaxedSource):
    """Lines at fixed wave vectors of a spiral that is relaxed at every θ; parameters are those of ``RelaxedSource``."""

    def __init__(self, relaxation, q, weights, *, settings=None):
        super().__init__(relaxation, q, np.tile(weights, (3, 1, 1)), settings=settings)

    def lines(self, theta):
        """Return energies, ascending, and intensities at θ, (n_q, 3 n_site) each; meV and per chemical cell."""
        return tuple(merged_parts(3, *super().lines(theta)))

    def lines_with_slopes(self, theta):
        """Return :class:`~spinscape.simulate.lines.SlopedLines` at θ: wave vector and spins move in them."""
        return SlopedLines(*merged_parts(3, *super().lines_with_slopes(theta)))

    def _lay_out(self, model, structure):
        self._neutron = self._q
        self._base = rotating_form(model, structure, np.zeros((1, 3)), self._relaxation.conditions)
        return np.arange(model.crystal.n_site)

    _depends = True

    def _follow(self, theta):
        super()._follow(theta)
        self._q = self._points(self._structure.k)

    def _points(self, k):
        """Return Q, Q + k and Q - k, (3 n_q, 3)."""
        return np.concatenate([self._neutron + sign * k for sign in _SIGNS])

    def _at_structure(self, structure):
        model, zero = self._relaxation.model, np.zeros((1, 3))
        at_zero = rotating_exchange(model, structure, zero, fields=True)[:, 0].real
        return rotating_exchange(model, structure, self._points(structure.k)), at_zero

    def _rows(self, motion):
        directions = super()._rows(motion) if self._relaxation.model.biquadratic.n_bond else motion.k[:, :0]
        return np.concatenate([motion.k, directions], axis=1)

    def _displaced(self, way):
        moved = replace(self._structure, k=self._structure.k + way[:3])
        return replace(moved, direction=moved.direction + way[3:].reshape(-1, 3)) if len(way) > 3 else moved

    def _vectors(self, axes):
        """Return v^α of the three wave vectors, (3 n_q, 3, 2N), as :func:`~spinscape.simulate.spiral.spiral_form`."""
        seen = np.einsum("pab,bm->pam", frame_components(self._structure), axes.reshape(-1, 3).T) * self._phases()
        return np.repeat(seen, len(self._neutron), axis=0)

    def _phases(self, slope=None):
        """Return exp(∓2πi k·r_i) of the three parts, (3, 1, 2N), or its derivative where k moves by ``slope``."""
        positions = self._relaxation.model.crystal.positions
        turn = -2j * np.pi * _SIGNS[:, None, None]
        phase = np.exp(turn * (positions @ self._structure.k))
        return np.tile(phase if slope is None else turn * (positions @ slope) * phase, (1, 1, 2))

    def _vector_change(self, direction, motion, k):
        axes = frames(direction, self._spins).reshape(-1, 3).T
        moved = np.einsum("pab,bm->pam", frame_components(self._structure), axes) * self._phases(motion.k[k])
        return super()._vector_change(direction, motion, k) + np.repeat(moved, len(self._neutron), axis=0)


def rotating_exchange(model, spiral, q, *, fields=False):
    """Return J_n(q) in the frame that turns with a spiral; parameters and result are those of ``exchange_matrices``."""
    turned, structure = rotating_frame(model, spiral)
    out = exchange_matrices(turned, structure, q, fields=fields)
    if model.dipolar.n_row:
        between = turned_dipoles(model, spiral, np.asarray(q)).transpose(0, 1, 3, 2, 4)
        between = between.reshape(len(q), *out.shape[-2:])
        for k, factor in zip(model.dipolar.parameter, model.dipolar.factor, strict=True):
            out[k] += factor * between
    return out


def relaxed_source(relaxation, q, weights, *, settings=None):
    """Return the source of lines of what a relaxation relaxes: a spiral, or a structure in a magnetic cell."""
    spiral = isinstance(relaxation.declared, SpiralStructure)
    return (RelaxedSpiralSource if spiral else RelaxedSource)(relaxation, q, weights, settings=settings)
