"""Lines of a spiral whose wave vector and spins come to rest anew at every set of couplings, with their derivatives.

In the rotating frame the exchange J(q; θ, k) between the sites depends on k by the turns between cells, and the Q of a
neutron stands for the wave vectors Q, Q + k and Q - k. With k' = dk/dθ from the implicit function theorem
(:mod:`~spinscape.simulate.spiral_relaxation`),

    dJ/dθ_m = J_m + Σ_n θ_n k'_m·∂J_n/∂k,      d exp(∓2πi k·r_i)/dθ_m = ∓2πi (k'_m·r_i) exp(∓2πi k·r_i)

and the rest is that of :mod:`~spinscape.simulate.relaxed_lines`. J knows no local axes; its derivative along k' is a
difference of fourth order.
"""

import numpy as np

from ..hamiltonian.spiral import SpiralStructure
from .lines import SlopedLines
from .relaxed_lines import RelaxedSource, exchange_matrices, frames
from .spiral import frame_components, merged_parts, rotating_form, rotating_frame, turned_dipoles

_STEP = 2e-4
"""r.l.u.: a bond over n cells turns by 0.0013 n, and the error is the fourth power of it over 30 of its part of J."""
_SIGNS = np.array([0.0, 1.0, -1.0])
_STILL = 1e-12
"""r.l.u./meV: a wave vector that moves by less stands still, as symmetry makes it."""


class RelaxedSpiralSource(RelaxedSource):
    """Lines at fixed wave vectors of a spiral that is relaxed at every θ; parameters are those of ``RelaxedSource``."""

    def __init__(self, relaxation, q, weights, *, settings=None):
        super().__init__(relaxation, q, np.tile(weights, (3, 1, 1)), settings=settings)

    def lines(self, theta):
        """Return energies, ascending, and intensities at θ, (n_q, 3 n_site) each; meV and per chemical cell."""
        self._follow(theta)
        return tuple(merged_parts(3, *super().lines(theta)))

    def lines_with_slopes(self, theta):
        """Return :class:`~spinscape.simulate.lines.SlopedLines` at θ: wave vector and spins move in them."""
        self._follow(theta)
        self._motion = self._relaxation.motion(theta).k
        return SlopedLines(*merged_parts(3, *super().lines_with_slopes(theta)))

    def _lay_out(self, model, structure):
        self._neutron, self._followed = self._q, None
        self._base = rotating_form(model, structure, np.zeros((1, 3)), self._relaxation.conditions)
        return np.arange(model.crystal.n_site)

    def _follow(self, theta):
        """Prepare the exchange in the frame of the spiral at θ."""
        key = np.asarray(theta, dtype=np.float64).tobytes()
        if key == self._followed:
            return
        self._followed = None  # should the relaxation fail
        self._spiral = self._relaxation.at(theta)
        self._q = self._points(self._spiral.k)
        self._exchange, self._uniform = self._exchange_at(self._spiral.k)
        self._along, self._followed = None, key

    def _points(self, k):
        """Return Q, Q + k and Q - k, (3 n_q, 3)."""
        return np.concatenate([self._neutron + sign * k for sign in _SIGNS])

    def _exchange_at(self, k):
        """Return J_n at the wave vectors of k and at zero, of unit couplings."""
        spiral = SpiralStructure(k, self._spiral.axis, self._spiral.direction)
        points = np.concatenate([self._points(k), np.zeros((1, 3))])
        found = rotating_exchange(self._relaxation.model, spiral, points)
        return found[:, :-1], found[:, -1].real

    def _changes(self, theta, k):
        motion = self._motion
        if self._along is None:
            # Wave vectors move along few directions, mostly one: a difference for each of them.
            _, size, ways = np.linalg.svd(motion, full_matrices=False)
            self._ways = ways[size > _STILL]
            self._along = [self._slope_along(way, theta) for way in self._ways]
        exchange, uniform = self._exchange[k].copy(), self._uniform[k].copy()
        for way, (slope, uniform_slope) in zip(self._ways, self._along, strict=True):
            exchange += (motion[k] @ way) * slope
            uniform += (motion[k] @ way) * uniform_slope
        return exchange, uniform

    def _slope_along(self, way, theta):
        """Return the derivatives of Σ θ_n J_n, at the wave vectors and at zero, where k moves along ``way`` (3,)."""
        parts = []
        for n in (-2, -1, 1, 2):
            found = self._exchange_at(self._spiral.k + n * _STEP * way)
            parts.append([np.tensordot(theta, part, axes=1) for part in found])
        a, b, c, d = parts
        return tuple((8.0 * (c[m] - b[m]) - (d[m] - a[m])) / (12.0 * _STEP) for m in range(2))

    def _vectors(self, axes):
        """Return v^α of the three wave vectors, (3 n_q, 3, 2N), as :func:`~spinscape.simulate.spiral.spiral_form`."""
        seen = np.einsum("pab,bm->pam", frame_components(self._spiral), axes.reshape(-1, 3).T) * self._phases()
        return np.repeat(seen, len(self._neutron), axis=0)

    def _phases(self, slope=None):
        """Return exp(∓2πi k·r_i) of the three parts, (3, 1, 2N), or its derivative where k moves by ``slope``."""
        positions = self._relaxation.model.crystal.positions
        turn = -2j * np.pi * _SIGNS[:, None, None]
        phase = np.exp(turn * (positions @ self._spiral.k))
        return np.tile(phase if slope is None else turn * (positions @ slope) * phase, (1, 1, 2))

    def _vector_change(self, direction, k, slope):
        here = np.einsum("pab,bm->pam", frame_components(self._spiral), frames(direction, self._spins).reshape(-1, 3).T)
        moved = here * self._phases(self._motion[k])
        return super()._vector_change(direction, k, slope) + np.repeat(moved, len(self._neutron), axis=0)


def rotating_exchange(model, spiral, q):
    """Return J_n(q) between the sites in the frame that turns with a spiral, (n_parameter, n_q, 3N, 3N) complex128."""
    turned, structure = rotating_frame(model, spiral)
    out = exchange_matrices(turned, structure, q)
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
