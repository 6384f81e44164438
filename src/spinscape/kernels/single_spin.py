"""Moves of single vector spins, one after the other, for any couplings: arrays in, arrays out.

The plain way, for every kind of spin and every supercell. What a spin S feels, its neighbours given, is
E(S) = −h·S + S·Q·S; a move proposes S' and accepts it with the probability min(1, exp(−β Δ)). Δ is the change of E of
a proposal drawn evenly, and the change of S·Q·S alone where the proposal has already the density exp(β h·S'), or leaves
h·S as it is.
"""

from typing import NamedTuple

import numpy as np

from .heat_bath import scalar_bath, von_mises
from .jit import borrowing, inlined
from .lane_rounds import RESTORE, adapted_width
from .metropolis import HEAT_BATH, OVER_RELAXATION, REFLECTION, SMALL_STEP, TINY, UNIFORM
from .random_numbers import next_exponential, next_uniform


class PlainLattice(NamedTuple):
    """Spins and their neighbours.

    Parameters
    ----------
    order : (n_move,) int64
        The spins that are moved, in the order in which they are.
    site : (n_spin,) int64
    length : (n_spin,) float64
        Zero where there is no spin.
    near : (n_spin, max_link) int64
        Spins at the other ends of the links of the site, in their order.
    square_near : (n_spin, max_square) int64
    """

    order: np.ndarray
    site: np.ndarray
    length: np.ndarray
    near: np.ndarray
    square_near: np.ndarray


@inlined
def field_on(i, lattice, couplings, spins):
    """Return the field h on spin i."""
    site = lattice.site[i]
    first, matrix = couplings.start[site], couplings.matrix
    x, y, z = couplings.field[site, 0], couplings.field[site, 1], couplings.field[site, 2]
    for link in range(first, couplings.start[site + 1]):
        j = lattice.near[i, link - first]
        a, b, c = spins[j, 0], spins[j, 1], spins[j, 2]
        if couplings.scalar:
            strength = couplings.strength[link]
            x, y, z = x - strength * a, y - strength * b, z - strength * c
        else:
            x -= matrix[link, 0, 0] * a + matrix[link, 0, 1] * b + matrix[link, 0, 2] * c
            y -= matrix[link, 1, 0] * a + matrix[link, 1, 1] * b + matrix[link, 1, 2] * c
            z -= matrix[link, 2, 0] * a + matrix[link, 2, 1] * b + matrix[link, 2, 2] * c
    return x, y, z


@borrowing
def curvature_of(i, lattice, couplings, spins, x, y, z):
    """Return S·Q·S of spin i for S = (x, y, z)."""
    site = lattice.site[i]
    onsite, first = couplings.onsite[site], couplings.square_start[site]
    out = onsite[0, 0] * x * x + onsite[1, 1] * y * y + onsite[2, 2] * z * z
    out += 2.0 * (onsite[0, 1] * x * y + onsite[0, 2] * x * z + onsite[1, 2] * y * z)
    for row in range(first, couplings.square_start[site + 1]):
        j, turn, product = lattice.square_near[i, row - first], couplings.square_turn[row], 0.0
        for k in range(3):
            product += (x * turn[0, k] + y * turn[1, k] + z * turn[2, k]) * spins[j, k]
        out += couplings.square_strength[row] * product * product
    return out


@inlined
def _direction(site, couplings, state):
    """Return a direction drawn evenly from those of a site."""
    frame = couplings.frame[site]
    if couplings.line[site]:
        sign = 1.0 if next_uniform(state) < 0.5 else -1.0
        return sign * frame[2, 0], sign * frame[2, 1], sign * frame[2, 2]
    angle = 2.0 * np.pi * next_uniform(state)
    p, q = np.cos(angle), np.sin(angle)
    if couplings.planar[site]:
        return p * frame[0, 0] + q * frame[1, 0], p * frame[0, 1] + q * frame[1, 1], p * frame[0, 2] + q * frame[1, 2]
    z = 2.0 * next_uniform(state) - 1.0
    across = np.sqrt(1.0 - z * z)
    return across * p, across * q, z


@inlined
def _step(kind, width, site, length, couplings, state, x, y, z):
    """Return a proposal that is as likely as its reverse; an Ising spin has no small steps, its direction is drawn."""
    if kind == REFLECTION:
        return -x, -y, -z
    a, b, c = _direction(site, couplings, state)
    if kind == SMALL_STEP and not couplings.line[site]:
        reach = width * length
        a, b, c = x + reach * a, y + reach * b, z + reach * c
        length /= np.sqrt(max(a * a + b * b + c * c, TINY))
    return length * a, length * b, length * c


@inlined
def _bath(site, length, couplings, beta, state, x, y, z):
    """Return a spin drawn in the field (x, y, z)."""
    frame = couplings.frame[site]
    if couplings.line[site]:
        along = x * frame[2, 0] + y * frame[2, 1] + z * frame[2, 2]
        up = next_uniform(state) * (1.0 + np.exp(-2.0 * beta * along * length)) < 1.0
        length = length if up else -length
        return length * frame[2, 0], length * frame[2, 1], length * frame[2, 2]
    if not couplings.planar[site]:
        return scalar_bath(beta, length, x, y, z, state)
    p = x * frame[0, 0] + y * frame[0, 1] + z * frame[0, 2]
    q = x * frame[1, 0] + y * frame[1, 1] + z * frame[1, 2]
    norm = np.sqrt(p * p + q * q)
    p, q = (p / norm, q / norm) if norm > TINY else (1.0, 0.0)
    cosine = von_mises(beta * norm * length, state)
    sine = np.sqrt(1.0 - cosine * cosine)
    sine = -sine if next_uniform(state) < 0.5 else sine
    p, q = length * (cosine * p - sine * q), length * (cosine * q + sine * p)
    return p * frame[0, 0] + q * frame[1, 0], p * frame[0, 1] + q * frame[1, 1], p * frame[0, 2] + q * frame[1, 2]


@inlined
def _half_turn(site, couplings, x, y, z, a, b, c):
    """Return (x, y, z) after half a turn about the field (a, b, c), or its part in the plane of the spin."""
    if couplings.line[site]:
        return x, y, z
    if couplings.planar[site]:
        p, q, r = couplings.frame[site, 2]
        along = a * p + b * q + c * r
        a, b, c = a - along * p, b - along * q, c - along * r
    square = a * a + b * b + c * c
    if square < TINY:
        return x, y, z
    factor = 2.0 * (a * x + b * y + c * z) / square
    return factor * a - x, factor * b - y, factor * c - z


@borrowing
def plain_sweep(kind, width, beta, lattice, couplings, spins, state):
    """Try to move every spin of the order once; return accepted moves and the energy gained.

    Arguments as of :func:`spinscape.kernels.lane_rounds.lane_rounds`, but ``spins`` (n_spin, 3) and a
    :class:`PlainLattice`.
    """
    n_accepted, gained = 0, 0.0
    for i in lattice.order:
        site, length = lattice.site[i], lattice.length[i]
        x, y, z = spins[i, 0], spins[i, 1], spins[i, 2]
        a, b, c = field_on(i, lattice, couplings, spins)
        if kind == HEAT_BATH:
            u, v, w = _bath(site, length, couplings, beta, state, a, b, c)
        elif kind == OVER_RELAXATION:
            u, v, w = _half_turn(site, couplings, x, y, z, a, b, c)
        else:
            u, v, w = _step(kind, width, site, length, couplings, state, x, y, z)
        linear = (x - u) * a + (y - v) * b + (z - w) * c if kind != OVER_RELAXATION else 0.0
        curved = 0.0
        if couplings.curved[site]:
            curved = curvature_of(i, lattice, couplings, spins, u, v, w)
            curved -= curvature_of(i, lattice, couplings, spins, x, y, z)
        weighed = curved if kind in (HEAT_BATH, OVER_RELAXATION) else linear + curved
        if beta * weighed <= 0.0 or beta * weighed <= next_exponential(state):
            spins[i, 0], spins[i, 1], spins[i, 2] = u, v, w
            gained += linear + curved
            n_accepted += 1
    return n_accepted, gained


@borrowing
def restore_plain(lattice, spins):
    """Give spins back the length that rounding has changed."""
    for i in lattice.order:
        norm = np.sqrt(spins[i, 0] ** 2 + spins[i, 1] ** 2 + spins[i, 2] ** 2)
        for k in range(3):
            spins[i, k] *= lattice.length[i] / norm


@borrowing
def plain_rounds(
    kinds, counts, widths, adapt, n_round, beta, lattice, couplings, spins, state, age, draws, fields, lanes, tally
):
    """Make rounds of moves: as :func:`spinscape.kernels.lane_rounds.lane_rounds` on a plain lattice."""
    for _ in range(n_round):
        for move in range(len(kinds)):
            kind, accepted = kinds[move], 0
            for _ in range(counts[move]):
                done, gained = plain_sweep(kind, widths[move], beta, lattice, couplings, spins, state)
                accepted += done
                tally[move, 1] += gained
                if kind == OVER_RELAXATION:
                    age[0] += 1
                    if age[0] >= RESTORE:
                        restore_plain(lattice, spins)
                        age[0] = 0
            tally[move, 0] += accepted
            if adapt[move] and kind == SMALL_STEP:
                widths[move] = adapted_width(widths[move], accepted / max(len(lattice.order) * counts[move], 1))


KINDS = {
    "uniform": UNIFORM,
    "small_step": SMALL_STEP,
    "reflection": REFLECTION,
    "heat_bath": HEAT_BATH,
    "over_relaxation": OVER_RELAXATION,
}
"""Number of each kind of move."""
