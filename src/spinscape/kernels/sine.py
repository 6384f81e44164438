"""Sine and its slope in one pass, single precision: arrays in, arrays out.

The two polynomials on [−π/4, π/4] are those of Cephes (sinf.c, cosf.c: relative error below 1e-7); the reduction by
multiples of π/2 in three steps follows Cody and Waite, Software Manual for the Elementary Functions (1980), chapter 8.
"""

import numba as nb
import numpy as np

LARGEST = 8192.0
"""Largest |x| with the stated accuracy; beyond it the reduction loses digits."""

_TWO_OVER_PI = np.float32(2.0 / np.pi)
# π/2 in three parts, of which n times the first two is exact for the n that can occur.
_PART = (np.float32(1.5703125), np.float32(4.837512969970703e-4), np.float32(7.549789948768648e-8))
_SIN = (np.float32(-1.6666654611e-1), np.float32(8.3321608736e-3), np.float32(-1.9515295891e-4))
_COS = (np.float32(4.166664568298827e-2), np.float32(-1.388731625493765e-3), np.float32(2.443315711809948e-5))
_ONE, _HALF = np.float32(1.0), np.float32(0.5)


@nb.njit(cache=True, error_model="numpy", fastmath={"contract"}, nogil=True)
def sine_and_cosine(x, sine, cosine):
    """Write sin(x) and cos(x), all (n,) float32; the three must not overlap, or the loop is not vectorised.

    Absolute error below 2e-7 for |x| < LARGEST.
    """
    for i in range(x.size):
        n = np.rint(x[i] * _TWO_OVER_PI)
        r = ((x[i] - n * _PART[0]) - n * _PART[1]) - n * _PART[2]
        square = r * r
        s = r + r * square * (_SIN[0] + square * (_SIN[1] + square * _SIN[2]))
        c = _ONE - _HALF * square + square * square * (_COS[0] + square * (_COS[1] + square * _COS[2]))
        quadrant = np.int32(n)
        odd = (quadrant & 1) != 0
        first = c if odd else s
        second = s if odd else c
        sine[i] = -first if (quadrant & 2) != 0 else first
        cosine[i] = -second if ((quadrant + 1) & 2) != 0 else second
