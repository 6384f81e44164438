"""Heat bath of vector spins, LANES at once, and the angles it draws: arrays in, arrays out.

The cosine of the angle to the field has the density exp(a cos θ), a = β |h| S, on [−1, 1]: 1 − cos θ is exponential of
rate a, cut off at 2. An exponential number has no memory, so that its remainder modulo 2 is what is wanted.
"""

import numpy as np

from .jit import borrowing, inlined
from .lane_field import curvature_change, local_fields, put, refresh_copies
from .metropolis import TINY, accepted_of, draw_numbers
from .random_numbers import circle, minus_logarithm, next_exponential, next_uniform
from .simd import LANES, divided, fill, load, minus_product, plus_product, store, times
from .simd_math import (
    item,
    larger,
    load_words,
    minus,
    plus,
    root,
    size,
    store_words,
    where_less,
    whole,
    with_sign,
    word_sum,
    words_after,
)

SMALLEST = 1e-9
"""β |h| S below which the field counts as this: there the distribution is even to a part in 10⁹."""


@borrowing
def remainder_cosine(exponential, a):
    """Return 1 − cos θ in [0, 2) from an exponential number, a > 0."""
    x = exponential / max(a, SMALLEST)
    return x - 2.0 * np.floor(0.5 * x)


@borrowing
def von_mises(a, state):
    """Return the cosine of an angle to the field of a spin in a plane, of density exp(a cos θ).

    Rejection from the wrapped Cauchy distribution. Source: Best and Fisher, J. R. Stat. Soc. C 28, 152 (1979).
    """
    if a < 1e-5:
        # Even to first order in a: accept an even angle with (1 + a cos θ) / (1 + a).
        while True:
            cosine = np.cos(2.0 * np.pi * next_uniform(state))
            if (1.0 + a) * next_uniform(state) <= 1.0 + a * cosine:
                return cosine
    tau = 1.0 + np.sqrt(1.0 + 4.0 * a * a)
    rho = (tau - np.sqrt(2.0 * tau)) / (2.0 * a)
    r = (1.0 + rho * rho) / (2.0 * rho)
    while True:
        z = np.cos(np.pi * next_uniform(state))
        f = (1.0 + r * z) / (r + z)
        c = a * (r - f)
        u = 1.0 - next_uniform(state)
        if c * (2.0 - c) - u > 0.0 or np.log(c / u) + 1.0 - c >= 0.0:
            return min(max(f, -1.0), 1.0)


@borrowing
def draw_bath(first, last, state, draws):
    """Draw an angle around the field into draws[:, :2], and an exponential number into draws[:, 2]."""
    s, t = load_words(state, 0), load_words(state, 1)
    for at in range(last - first):
        word = word_sum(s, t)
        s, t = words_after(s, t)
        store(draws, (at, 2), minus_logarithm(word))
        word = word_sum(s, t)
        s, t = words_after(s, t)
        x, y = circle(word)
        store(draws, (at, 0), x)
        store(draws, (at, 1), y)
    store_words(state, 0, s)
    store_words(state, 1, t)


@inlined
def _about_field(beta, length, draws, at, a, b, c):
    """Return spins drawn about the field (a, b, c)."""
    square = plus_product(plus_product(times(a, a), b, b), c, c)
    norm = root(square)
    inverse = divided(fill(1.0), larger(norm, fill(TINY)))
    strength = larger(times(times(fill(beta), length), norm), fill(SMALLEST))
    x = divided(load(draws, (at, 2)), strength)
    x = minus_product(x, fill(2.0), whole(times(fill(0.5), x)))
    across = root(times(x, minus(fill(2.0), x)))
    # No field: along z.
    a, b = times(a, inverse), times(b, inverse)
    c = where_less(norm, fill(TINY), fill(1.0), times(c, inverse))
    p, q = times(across, load(draws, (at, 0))), times(across, load(draws, (at, 1)))
    sign = with_sign(fill(1.0), c)
    along = times(sign, minus(fill(1.0), x))
    # Half a turn about n ± z takes ± z to n.
    up = plus(c, sign)
    dot = plus_product(plus_product(times(a, p), b, q), up, along)
    dot = divided(dot, plus(fill(1.0), size(c)))
    x = times(length, minus_product(times(dot, a), fill(1.0), p))
    y = times(length, minus_product(times(dot, b), fill(1.0), q))
    return x, y, times(length, minus_product(times(dot, up), fill(1.0), along))


@borrowing
def _in_plane(beta, length, frame, state, work, a, b, c):
    """Return spins in a plane drawn about the field (a, b, c), lane by lane."""
    store(work, 0, a)
    store(work, 1, b)
    store(work, 2, c)
    store(work, 3, length)
    for lane in range(LANES):
        p = q = 0.0
        for k in range(3):
            p += frame[0, k] * work[k, lane]
            q += frame[1, k] * work[k, lane]
        norm = np.sqrt(p * p + q * q)
        if norm > TINY:
            p, q = p / norm, q / norm
        else:
            p, q = 1.0, 0.0
        cosine = von_mises(beta * norm * work[3, lane], state)
        sine = np.sqrt(1.0 - cosine * cosine)
        sine = -sine if next_uniform(state) < 0.5 else sine
        p, q = cosine * p - sine * q, cosine * q + sine * p
        for k in range(3):
            work[k, lane] = work[3, lane] * (frame[0, k] * p + frame[1, k] * q)
    return load(work, 0), load(work, 1), load(work, 2)


@borrowing
def heat_bath_sweep(beta, lattice, couplings, spins, state, draws, fields, work, tally):
    """Draw every spin once in the linear field it feels; the rest of its energy, if any, accepts or refuses.

    The proposal has the density exp(β h·S'), so that min(1, exp(−β Δ(S·Q·S))) is what detailed balance asks for.
    Arguments as of :func:`spinscape.kernels.metropolis.metropolis_sweep`; ``work`` (4, LANES) is more work space.
    """
    accepted, gained = load(tally, 0), load(tally, 1)
    zero, one = fill(0.0), fill(1.0)
    for batch in range(len(lattice.batch_start) - 1):
        first, last = lattice.batch_start[batch], lattice.batch_start[batch + 1]
        local_fields(first, last, lattice, couplings, spins, fields)
        draw_bath(first, last, state, draws)
        if couplings.any_curved:
            draw_numbers(first, last, state, draws)
        for group in range(first, last):
            at, site, length = group - first, item(lattice.site, group), load(lattice.length, group)
            x, y, z = load(spins, (group, 0)), load(spins, (group, 1)), load(spins, (group, 2))
            a, b, c = load(fields, (at, 0)), load(fields, (at, 1)), load(fields, (at, 2))
            if item(couplings.planar, site):
                u, v, w = _in_plane(beta, length, couplings.frame[site], state, work, a, b, c)
            else:
                u, v, w = _about_field(beta, length, draws, at, a, b, c)
            change = times(minus(x, u), a)
            change = plus_product(plus_product(change, minus(y, v), b), minus(z, w), c)
            taken = where_less(zero, length, one, zero)
            if item(couplings.curved, site):
                curved = curvature_change(group, lattice, couplings, spins, u, v, w)
                taken = accepted_of(fill(beta), curved, load(draws, (at, 3)), length)
                u, v, w = where_less(zero, taken, u, x), where_less(zero, taken, v, y), where_less(zero, taken, w, z)
                change = plus(change, curved)
            accepted = plus(accepted, taken)
            gained = plus_product(gained, taken, change)
            put(group, spins, u, v, w)
        refresh_copies(first, last, lattice, spins)
    store(tally, 0, accepted)
    store(tally, 1, gained)


@borrowing
def scalar_bath(beta, length, x, y, z, state):
    """Return one spin drawn in the field (x, y, z)."""
    norm = np.sqrt(x * x + y * y + z * z)
    if norm > TINY:
        x, y, z = x / norm, y / norm, z / norm
    else:
        x, y, z = 0.0, 0.0, 1.0
    lost = remainder_cosine(next_exponential(state), beta * norm * length)
    angle = 2.0 * np.pi * next_uniform(state)
    across = np.sqrt(lost * (2.0 - lost))
    p, q, sign = across * np.cos(angle), across * np.sin(angle), np.copysign(1.0, z)
    along = sign * (1.0 - lost)
    dot = (x * p + y * q + (z + sign) * along) / (1.0 + abs(z))
    return length * (dot * x - p), length * (dot * y - q), length * (dot * (z + sign) - along)
