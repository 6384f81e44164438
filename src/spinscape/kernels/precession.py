"""Precession of classical spins, ħ dS/dt = S × H: any table of neighbours, one spin at a time.

A spin turns about G = ∂E/∂S = −H. With w = (h/2ħ) G τ its rotation during h needs no root and no trigonometry:

    S' = [(1 − w²) S + 2 w × S + 2 w (w·S)] / (1 + w²)

τ = 1 is the Cayley rotation; τ = tan(x)/x, x = h|G|/2ħ, that by the true angle. |S| and S·G stay for any τ.

Energies: ½ Σ S_i·M·S_j over the links of each spin, S·A·S, −f·S, ½ Σ b (S_i·R·S_j)² over its squares. All arrays of
interactions are those of one chemical cell; the spin i stands on site i % n_site.
"""

import numpy as np

from .jit import compiled

_MAX_ITERATION = 60
_SETTLED = 4e-16
"""Change of a spin, relative to its length, below which an iteration stands still: rounding."""


@compiled
def tangent_series(q):
    """Return tan(x)/x of q = x², to order q⁵: 1e-8 at x = 0.37 and 3e-6 at x = 0.65."""
    return 1.0 + q * (1.0 / 3 + q * (2.0 / 15 + q * (17.0 / 315 + q * (62.0 / 2835 + q * (1382.0 / 155925)))))


@compiled
def _linear_slope(i, spins, neighbour, start, matrix, field):
    """Return Σ M S_j − f, the part of ∂E/∂S_i that does not depend on S_i."""
    site = i % (len(start) - 1)
    gx, gy, gz = -field[site, 0], -field[site, 1], -field[site, 2]
    # Unsigned: an index that may be negative is looked at first.
    first = np.uint64(start[site])
    for k in range(np.uint64(start[site + 1]) - first):
        j = np.uint64(neighbour[i, k])
        m = first + k
        x, y, z = spins[j, 0], spins[j, 1], spins[j, 2]
        gx += matrix[m, 0, 0] * x + matrix[m, 0, 1] * y + matrix[m, 0, 2] * z
        gy += matrix[m, 1, 0] * x + matrix[m, 1, 1] * y + matrix[m, 1, 2] * z
        gz += matrix[m, 2, 0] * x + matrix[m, 2, 1] * y + matrix[m, 2, 2] * z
    return gx, gy, gz


@compiled
def _quadratic_part(i, spins, onsite, square_neighbour, square_start, turn, strength, out):
    """Write A + Σ b (R S_j)(R S_j)ᵀ: the energy of spin i that is quadratic in it."""
    site = i % (len(square_start) - 1)
    for a in range(3):
        for b in range(3):
            out[a, b] = onsite[site, a, b]
    u = np.empty(3)
    for k in range(square_start[site + 1] - square_start[site]):
        j, row = square_neighbour[i, k], square_start[site] + k
        for a in range(3):
            u[a] = turn[row, a, 0] * spins[j, 0] + turn[row, a, 1] * spins[j, 1] + turn[row, a, 2] * spins[j, 2]
        for a in range(3):
            for b in range(3):
                out[a, b] += strength[row] * u[a] * u[b]


@compiled
def rotated(s, gx, gy, gz, true_angle, out):
    """Write S turned about w (without τ: half the angle), by Cayley or by the true angle."""
    x, y, z = s[0], s[1], s[2]
    w2 = gx * gx + gy * gy + gz * gz
    if true_angle:
        factor = tangent_series(w2)
        gx, gy, gz, w2 = gx * factor, gy * factor, gz * factor, w2 * factor * factor
    along = 2.0 * (gx * x + gy * y + gz * z)
    scale = 1.0 / (1.0 + w2)
    rest = 1.0 - w2
    out[0] = (rest * x + 2.0 * (gy * z - gz * y) + along * gx) * scale
    out[1] = (rest * y + 2.0 * (gz * x - gx * z) + along * gy) * scale
    out[2] = (rest * z + 2.0 * (gx * y - gy * x) + along * gz) * scale


@compiled
def _implicit_midpoint(s, slope, quadratic, scale, new):
    """Turn S about G + 2 A m, m = (S + S')/2, iterated until it stands still; return whether it did."""
    length = abs(s[0]) + abs(s[1]) + abs(s[2])
    before = np.empty(3)
    new[:] = s
    for _ in range(_MAX_ITERATION):
        before[:] = new
        m0, m1, m2 = s[0] + new[0], s[1] + new[1], s[2] + new[2]
        gx = slope[0] + quadratic[0, 0] * m0 + quadratic[0, 1] * m1 + quadratic[0, 2] * m2
        gy = slope[1] + quadratic[1, 0] * m0 + quadratic[1, 1] * m1 + quadratic[1, 2] * m2
        gz = slope[2] + quadratic[2, 0] * m0 + quadratic[2, 1] * m1 + quadratic[2, 2] * m2
        rotated(s, scale * gx, scale * gy, scale * gz, False, new)
        change = abs(new[0] - before[0]) + abs(new[1] - before[1]) + abs(new[2] - before[2])
        if change <= _SETTLED * length:
            return True
    return change <= 1e3 * _SETTLED * length


@compiled
def turn_spins(
    spins, chosen, neighbour, start, matrix, onsite, field, square_neighbour, square_start, turn, strength,
    scale, true_angle, has_quadratic,
):  # fmt: skip
    """Turn some spins, none a neighbour of another, each about its field.

    Parameters
    ----------
    spins : (n_spin, 3) float64, changed
    chosen : (n,) int64
    neighbour : (n_spin, max_link) int64
    start, matrix, onsite, field : interactions of one chemical cell, meV
    square_neighbour : (n_spin, max_square) int64
    square_start, turn, strength : as above
    scale : float, 1/meV
        h/2ħ of the time h.
    true_angle : bool
        Of spins without a quadratic part; those with one take the implicit midpoint.
    has_quadratic : bool
        Whether there are on-site terms or squares.

    Returns
    -------
    int
        Spins whose iteration did not come to rest.
    """
    quadratic, new = np.empty((3, 3)), np.empty(3)
    failed = 0
    for c in range(len(chosen)):
        i = chosen[c]
        slope = _linear_slope(i, spins, neighbour, start, matrix, field)
        s = spins[i]
        if has_quadratic:
            _quadratic_part(i, spins, onsite, square_neighbour, square_start, turn, strength, quadratic)
            failed += not _implicit_midpoint(s, slope, quadratic, scale, new)
        else:
            rotated(s, scale * slope[0], scale * slope[1], scale * slope[2], true_angle, new)
        s[0], s[1], s[2] = new[0], new[1], new[2]
    return failed


@compiled
def run_spins(
    spins, colour_start, chosen, neighbour, start, matrix, onsite, field, square_neighbour, square_start, turn,
    strength, stage_colour, stage_scale, n_step, merge, true_angle, has_quadratic,
):  # fmt: skip
    """Make time steps, each a sequence of stages that turn one colour by one time.

    Parameters
    ----------
    colour_start : (n_colour + 1,) int64
        The spins of colour c are ``chosen[colour_start[c] : colour_start[c + 1]]``.
    stage_colour, stage_scale : (n_stage,) int64 and float64 (1/meV)
    n_step : int
    merge : bool
        Make the last stage of a step and the first of the next, of one colour, at once.
    others : as of :func:`turn_spins`

    Returns
    -------
    int
        Iterations that did not come to rest.
    """
    n_stage = len(stage_colour)
    failed = 0
    for step in range(n_step):
        for k in range(n_stage):
            scale = stage_scale[k]
            if merge and k == 0 and step > 0:
                continue
            if merge and k == n_stage - 1 and step < n_step - 1:
                scale += stage_scale[0]
            first, last = colour_start[stage_colour[k]], colour_start[stage_colour[k] + 1]
            failed += turn_spins(
                spins, chosen[first:last], neighbour, start, matrix, onsite, field, square_neighbour, square_start,
                turn, strength, scale, true_angle, has_quadratic,
            )  # fmt: skip
    return failed


@compiled
def fields(spins, neighbour, start, matrix, onsite, field, square_neighbour, square_start, turn, strength, out):
    """Write the effective field −∂E/∂S of every spin, (n_spin, 3), meV; arguments as of :func:`turn_spins`."""
    quadratic = np.empty((3, 3))
    has_quadratic = len(strength) > 0 or np.any(onsite != 0.0)
    for i in range(len(spins)):
        gx, gy, gz = _linear_slope(i, spins, neighbour, start, matrix, field)
        if has_quadratic:
            _quadratic_part(i, spins, onsite, square_neighbour, square_start, turn, strength, quadratic)
            x, y, z = 2.0 * spins[i, 0], 2.0 * spins[i, 1], 2.0 * spins[i, 2]
            gx += quadratic[0, 0] * x + quadratic[0, 1] * y + quadratic[0, 2] * z
            gy += quadratic[1, 0] * x + quadratic[1, 1] * y + quadratic[1, 2] * z
            gz += quadratic[2, 0] * x + quadratic[2, 1] * y + quadratic[2, 2] * z
        out[i, 0], out[i, 1], out[i, 2] = -gx, -gy, -gz


@compiled
def site_energies(spins, neighbour, start, matrix, onsite, field, square_neighbour, square_start, turn, strength, out):
    """Write the energy of every spin, half of each bond at either end, (n_spin,), meV."""
    quadratic = np.empty((3, 3))
    none = np.zeros_like(onsite)
    for i in range(len(spins)):
        site = i % (len(start) - 1)
        s = spins[i]
        slope = _linear_slope(i, spins, neighbour, start, matrix, field)
        _quadratic_part(i, spins, none, square_neighbour, square_start, turn, strength, quadratic)
        total = 0.0
        for a in range(3):
            total += 0.5 * (slope[a] - field[site, a]) * s[a]
            for b in range(3):
                total += s[a] * (onsite[site, a, b] + 0.5 * quadratic[a, b]) * s[b]
        out[i] = total


@compiled
def turn_all(start, middle, field, scale, out):
    """Write start turned about −field by the Cayley rotation, and its middle (start + out)/2; all (n_spin, 3).

    Returns
    -------
    float
        Largest change of a component of the middle: 0 where an iteration stands still.
    """
    new = np.empty(3)
    change = 0.0
    for i in range(len(start)):
        rotated(start[i], -scale * field[i, 0], -scale * field[i, 1], -scale * field[i, 2], False, new)
        for a in range(3):
            m = 0.5 * (start[i, a] + new[a])
            change = max(change, abs(m - middle[i, a]))
            middle[i, a] = m
            out[i, a] = new[a]
    return change
