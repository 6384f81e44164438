"""Scale and background constants of counts at their best: arrays in, arrays out.

Poisson's deviance is convex in all of them, and for a given scale every group of pixels has a constant of its own that
no other group feels: constants are found group by group inside a search over the scale. Pixels without counts are in
the slopes by their sums alone: what iterates runs over the others, which are few where counts are.
"""

import numpy as np

from .jit import compiled

MAX_INNER = 200
STEP = 1e-5
"""Of a constant, relative, after which it is found: Newton's error is then of the square of it."""
DARK = 1e-12
"""A constant below this part of a group's mean count is zero."""


@compiled
def _counted(n, weight, start):
    """Return the pixels that saw something, and where those of each group begin: (n_counted,), (n_group + 1,) int64."""
    some, first, k = np.empty(len(n), np.int64), np.empty(len(start) + 1, np.int64), 0
    for g in range(len(start)):
        first[g] = k
        for i in range(start[g], start[g + 1] if g + 1 < len(start) else len(n)):
            if n[i] > 0.0 and weight[i] > 0.0:
                some[k] = i
                k += 1
    first[len(start)] = k
    return some[:k], first


@compiled
def _totals(values, weight, start):
    """Return Σ weight · value of each group, (n_group,)."""
    out = np.zeros(len(start))
    for g in range(len(start)):
        for i in range(start[g], start[g + 1] if g + 1 < len(start) else len(values)):
            out[g] += weight[i] * values[i]
    return out


@compiled
def _by_constant(n, base, exposure, weight, some, total, constant):
    """Return half the first and second derivative of a group's deviance by its constant, and whether it is finite."""
    slope, curve = total, 0.0
    for i in some:
        mu = base[i] + constant * exposure[i]
        if not mu > 0.0:
            return 0.0, 0.0, False
        ratio = weight[i] * n[i] * exposure[i] / mu
        slope -= ratio
        curve += ratio * exposure[i] / mu
    return slope, curve, True


@compiled
def best_constant(n, base, exposure, weight, some, total, start):
    """Return the constant c ≥ 0 that minimises the deviance of the pixels of a group.

    base : (n_pixel,) float64, not negative where something was counted
        Expectations without the constant: μ = base + c · exposure.
    some : (n_counted,) int64
        Pixels of the group that saw something and count.
    total : float
        Σ weight · exposure over all pixels of the group.
    start : float
        What the search begins with; anything.

    Notes
    -----
    Newton's steps: monotone from below, as the slope is concave in c; a step below zero asks at zero first.
    """
    counted = 0.0
    for i in some:
        counted += weight[i] * n[i]
    if counted == 0.0 or total == 0.0:
        return 0.0
    mean = counted / total  # no minimum lies above it
    c = start if 0.0 < start <= mean else mean
    asked = False
    for _ in range(MAX_INNER):
        slope, curve, finite = _by_constant(n, base, exposure, weight, some, total, c)
        if not finite:
            return mean
        after = c - slope / curve if curve > 0.0 else 0.0
        if after <= 0.0:
            if not asked:
                asked = True
                at_zero, _, finite = _by_constant(n, base, exposure, weight, some, total, 0.0)
                if finite and at_zero >= 0.0:
                    return 0.0
            after = 0.1 * c
        if after > mean:
            after = mean
        if abs(after - c) <= STEP * c or after < DARK * mean:
            return after
        c = after
    return c


@compiled
def best_constants(n, base, exposure, weight, start, constants):
    """Write the constant of every group; ``constants`` (n_group,) says where to begin and is overwritten.

    start : (n_group,) int64
        First pixel of each group.
    """
    some, first = _counted(n, weight, start)
    _constants(n, base, exposure, weight, some, first, _totals(exposure, weight, start), constants)


@compiled
def _constants(n, base, exposure, weight, some, first, totals, constants):
    for g in range(len(totals)):
        here = some[first[g] : first[g + 1]]
        constants[g] = best_constant(n, base, exposure, weight, here, totals[g], constants[g])


@compiled
def _by_scale(n, seen, exposure, weight, some, first, total, scale, constants, tangent):
    """Return half the derivatives by the scale, the constants at their best, and whether they are finite.

    ``tangent`` (n_group,) is overwritten with the derivatives of the constants.
    """
    slope, second = total, 0.0
    for g in range(len(constants)):
        curve, mixed = 0.0, 0.0
        for i in some[first[g] : first[g + 1]]:
            mu = scale * seen[i] + constants[g] * exposure[i]
            if not mu > 0.0:
                return 0.0, 0.0, False
            ratio = weight[i] * n[i] / mu
            slope -= seen[i] * ratio
            ratio /= mu
            second += seen[i] * seen[i] * ratio
            mixed += seen[i] * exposure[i] * ratio
            curve += exposure[i] * exposure[i] * ratio
        tangent[g] = 0.0
        if constants[g] > 0.0 and curve > 0.0:
            second -= mixed * mixed / curve
            tangent[g] = -mixed / curve
    return slope, second, True


@compiled
def profile_counts(n, seen, exposure, weight, start, constants, tolerance):
    """Return the scale a ≥ 0 that, with the best constants c ≥ 0, minimises Poisson's deviance of counts.

        μ_i = a · seen_i + c[group of i] · exposure_i

    Parameters
    ----------
    n, seen, exposure, weight : (n_pixel,) float64
        Counts, exposure · model (not negative), exposure, and how often a pixel counts.
    start : (n_group,) int64
    constants : (n_group,) float64
        To begin with; overwritten with the result.
    tolerance : float
        Decrease of the deviance that a further step promises, at which the search ends.

    Notes
    -----
    Newton's steps inside a bracket that only shrinks; one below zero asks at zero first. At the minimum Σ μ = Σ n, so
    that a ≤ Σ n / Σ seen.
    """
    some, first = _counted(n, weight, start)
    exposures, total = _totals(exposure, weight, start), _totals(seen, weight, start).sum()
    base, tangent, counted = np.zeros(len(n)), np.zeros(len(start)), 0.0
    for i in some:
        counted += weight[i] * n[i]
    if not total > 0.0:
        _constants(n, base, exposure, weight, some, first, exposures, constants)
        return 0.0
    low, high, asked = 0.0, counted / total, False
    scale = 0.5 * high
    for _ in range(MAX_INNER):
        for i in some:
            base[i] = scale * seen[i]
        _constants(n, base, exposure, weight, some, first, exposures, constants)
        slope, second, finite = _by_scale(n, seen, exposure, weight, some, first, total, scale, constants, tangent)
        if scale == 0.0 and finite and slope >= 0.0:
            return 0.0
        if not finite or slope < 0.0:
            low = scale
        else:
            high = scale
        after = scale - slope / second if finite and second > 0.0 else -1.0
        if finite and second > 0.0 and slope * slope <= tolerance * second:
            return scale
        if after <= 0.0 and low == 0.0 and not asked:
            asked, after = True, 0.0
        elif not (low < after < high):
            after = 0.5 * (low + high)
        if high - low <= 1e-14 * high:
            return after
        if finite:
            for g in range(len(start)):
                constants[g] = max(constants[g] + (after - scale) * tangent[g], 0.1 * constants[g])
        scale = after
    return scale
