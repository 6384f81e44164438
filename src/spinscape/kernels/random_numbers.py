"""Random numbers of the Monte Carlo kernels: xoroshiro128+, one stream or LANES side by side; arrays in, arrays out.

The state is an array of words that the caller owns; every number is a function of the two words that it was made from.
Sources: Blackman and Vigna, ACM Trans. Math. Softw. 47, 36 (2021); splitmix64 of Steele, Lea and Flood (OOPSLA 2014)
for the start; logarithm of fdlibm (e_log.c) and sine and cosine of Cephes (sin.c), below 1e-15 here.
"""

import numpy as np

from .jit import inlined
from .simd import LANES, divided, fill, minus_product, plus_product, times
from .simd_math import (
    halves,
    larger,
    mantissa_and_exponent,
    minus,
    one_to_two,
    plus,
    root,
    signed_by_bit,
    smaller,
    times_power,
    where_bit,
)

N_STREAM = LANES + 1
"""Streams of a state: one for each lane, and one for single numbers."""

_U = np.uint64
_LN2 = 0.6931471805599453
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_SHIFT = 1.5 * 2.0**52
_LOG = (
    6.666666666666735130e-01,
    3.999999999940941908e-01,
    2.857142874366239149e-01,
    2.222219843214978396e-01,
    1.818357216161805012e-01,
    1.531383769920937332e-01,
    1.479819860511658591e-01,
)
_SIN = (
    1.58962301576546568060e-10,
    -2.50507477628578072866e-8,
    2.75573136213857245213e-6,
    -1.98412698295895385996e-4,
    8.33333333332211858878e-3,
    -1.66666666666666307295e-1,
)
_COS = (
    -1.13585365213876817300e-11,
    2.08757008419747316778e-9,
    -2.75573141792967388112e-7,
    2.48015872888517045348e-5,
    -1.38888888888730564116e-3,
    4.16666666666665929218e-2,
)


def random_state(seed):
    """Return the state of N_STREAM streams.

    Parameters
    ----------
    seed : (2,) uint64

    Returns
    -------
    (2, N_STREAM) uint64
        Each column is the state of one stream; the last is that of single numbers.
    """
    mask = (1 << 64) - 1
    first, second = (int(x) for x in np.asarray(seed, dtype=np.uint64))
    # The second word enters through the mixer too: seeds that differ in one bit have nothing in common.
    at = (_mixed(first) ^ _mixed(second ^ 0xD1B54A32D192ED03)) & mask
    words = [_mixed(at + k * 0x9E3779B97F4A7C15 & mask) for k in range(1, 2 * N_STREAM + 1)]
    return np.array(words, dtype=np.uint64).reshape(2, N_STREAM)


def _mixed(z):
    """Return the output function of splitmix64, on Python integers."""
    mask = (1 << 64) - 1
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & mask
    z = (z ^ z >> 27) * 0x94D049BB133111EB & mask
    return z ^ z >> 31


@inlined
def next_word(state):
    """Return a word of the stream of single numbers, and advance it."""
    s, t = state[0, LANES], state[1, LANES]
    word = s + t
    t ^= s
    state[0, LANES] = (s << _U(24) | s >> _U(40)) ^ t ^ t << _U(16)
    state[1, LANES] = t << _U(37) | t >> _U(27)
    return word


@inlined
def next_uniform(state):
    """Return a number in [0, 1), of 53 bits."""
    return (next_word(state) >> _U(11)) * (1.0 / 9007199254740992.0)


@inlined
def next_exponential(state):
    """Return a number from the exponential distribution of mean one."""
    return -np.log(1.0 - next_uniform(state))


@inlined
def polynomial(x, c0, c1, c2, c3, c4, c5):
    """Return c0 x⁵ + ... + c5 of lanes, by Horner's rule."""
    p = plus_product(fill(c1), fill(c0), x)
    p = plus_product(fill(c2), p, x)
    p = plus_product(fill(c3), p, x)
    p = plus_product(fill(c4), p, x)
    return plus_product(fill(c5), p, x)


@inlined
def exp_minus(x):
    """Return e⁻ˣ of lanes, x from 0 to 700 and beyond both as at the ends; relative error below 1e-14."""
    x = smaller(larger(x, fill(0.0)), fill(700.0))
    shifted = minus_product(fill(_SHIFT), x, fill(1.0 / _LN2))
    n = minus(shifted, fill(_SHIFT))
    # −x = n ln 2 + r, ln 2 in two parts
    r = minus_product(minus_product(minus(fill(0.0), x), n, fill(_LN2_HIGH)), n, fill(_LN2_LOW))
    square = times(r, r)
    low = polynomial(r, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5, 1.0, 1.0)
    high = polynomial(r, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720)
    return times_power(plus_product(low, times(times(square, square), square), high), shifted)


@inlined
def minus_ln(u):
    """Return −ln u of lanes of normal numbers; a finite 709 at zero."""
    m, k = mantissa_and_exponent(u)
    f = minus(m, fill(1.0))
    s = divided(f, plus(m, fill(1.0)))
    z = times(s, s)
    r = polynomial(z, _LOG[6], _LOG[5], _LOG[4], _LOG[3], _LOG[2], _LOG[1])
    r = times(z, plus_product(fill(_LOG[0]), r, z))
    half = times(times(fill(0.5), f), f)
    # ln m = f − half + s (half + r)
    low = minus(minus_product(half, s, plus(half, r)), f)
    return minus_product(low, k, fill(_LN2))


@inlined
def minus_logarithm(word):
    """Return −ln u of u in (0, 1], drawn from the upper 52 bits of words: the exponential distribution."""
    return minus_ln(minus(fill(2.0), one_to_two(word)))


@inlined
def logistic(word):
    """Return ln (1 − u)/u: it is above x with the probability 1/(1 + eˣ)."""
    number = one_to_two(word)
    return minus(minus_ln(minus(fill(2.0), number)), minus_ln(minus(number, fill(1.0))))


@inlined
def _circle(number, word, mirrored, turned):
    """Return cosine and sine of an angle; the number, in [1, 2), and two bits of a word say which."""
    angle = times(minus(number, fill(1.5)), fill(0.5 * np.pi))
    z = times(angle, angle)
    s = polynomial(z, _SIN[0], _SIN[1], _SIN[2], _SIN[3], _SIN[4], _SIN[5])
    s = plus_product(angle, times(s, z), angle)
    c = polynomial(z, _COS[0], _COS[1], _COS[2], _COS[3], _COS[4], _COS[5])
    c = plus_product(minus_product(fill(1.0), fill(0.5), z), times(c, z), z)
    # A quarter of the circle so far: one bit mirrors it at the diagonal, another turns it by half a turn.
    first, second = where_bit(word, mirrored, s, c), where_bit(word, mirrored, c, s)
    return signed_by_bit(first, word, turned), signed_by_bit(second, word, turned)


@inlined
def circle(word):
    """Return cosine and sine of an angle drawn evenly from the circle, in steps of 2⁻⁵⁴ of it."""
    return _circle(one_to_two(word), word, 10, 11)


@inlined
def sphere(word):
    """Return a direction drawn evenly from the sphere, (x, y, z): z and angle are 32 bits each of a word."""
    upper, lower = halves(word)
    x, y = _circle(lower, word, 30, 31)
    # In the middles of 2³² steps: never a pole.
    z = plus_product(fill(-3.0 + 2.0**-32), fill(2.0), upper)
    across = root(minus_product(fill(1.0), z, z))
    return times(across, x), times(across, y), z
