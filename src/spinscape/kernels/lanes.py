"""Dense Hermitian linear algebra on LANES small matrices side by side: arrays in, arrays out.

The last axis of every array is the lane, so that each inner loop is one SIMD instruction; real and imaginary parts
stand in arrays of their own. Only lower triangles are used. Sources: Golub and Van Loan, Matrix Computations, 4th ed.,
4.2 (Cholesky), 8.3 (Householder tridiagonalisation, implicit QL).
"""

import numba as nb
import numpy as np

LANES = 8
"""Matrices that are treated side by side."""
JIT = {"cache": True, "error_model": "numpy", "fastmath": {"contract"}, "nogil": True}
"""Options of every compiled function here: contraction to fused multiply-adds, no other freedom."""
_MAX_SWEEP = 60


@nb.njit(**JIT)
def cholesky(re, im, smallest):
    """Factorise in place, D = C C†; `smallest` receives the smallest squared pivot of each lane."""
    n = len(re)
    smallest[:] = np.inf
    root = np.empty(LANES)
    for j in range(n):
        for lane in range(LANES):
            pivot = re[j, j, lane]
            # Written so that NaN, which compares with nothing, gets through.
            smallest[lane] = smallest[lane] if pivot >= smallest[lane] else pivot
            # A lane that fails goes on with harmless numbers; the caller reads `smallest`.
            root[lane] = 1.0 / np.sqrt(pivot if pivot > 1e-280 else 1.0)
            re[j, j, lane] = 1.0 / root[lane]
            im[j, j, lane] = 0.0
        for i in range(j + 1, n):
            for lane in range(LANES):
                re[i, j, lane] *= root[lane]
                im[i, j, lane] *= root[lane]
        for i in range(j + 1, n):
            for k in range(j + 1, i + 1):
                for lane in range(LANES):
                    re[i, k, lane] -= re[i, j, lane] * re[k, j, lane] + im[i, j, lane] * im[k, j, lane]
                    im[i, k, lane] -= im[i, j, lane] * re[k, j, lane] - re[i, j, lane] * im[k, j, lane]


@nb.njit(**JIT)
def forward(re, im, y_re, y_im):
    """Solve C y = v in place, for the three sources."""
    n = len(re)
    for i in range(n):
        for c in range(3):
            for k in range(i):
                for lane in range(LANES):
                    y_re[i, c, lane] -= re[i, k, lane] * y_re[k, c, lane] - im[i, k, lane] * y_im[k, c, lane]
                    y_im[i, c, lane] -= re[i, k, lane] * y_im[k, c, lane] + im[i, k, lane] * y_re[k, c, lane]
            for lane in range(LANES):
                y_re[i, c, lane] /= re[i, i, lane]
                y_im[i, c, lane] /= re[i, i, lane]


@nb.njit(**JIT)
def sandwich(re, im, sign, h_re, h_im):
    """Form the lower triangle of H = C† g C from the lower triangle C."""
    n = len(re)
    for i in range(n):
        for k in range(i + 1):
            for lane in range(LANES):
                h_re[i, k, lane] = 0.0
                h_im[i, k, lane] = 0.0
    for r in range(n):
        s = sign[r]
        for i in range(r + 1):
            for k in range(i + 1):
                for lane in range(LANES):
                    h_re[i, k, lane] += s * (re[r, i, lane] * re[r, k, lane] + im[r, i, lane] * im[r, k, lane])
                    h_im[i, k, lane] += s * (re[r, i, lane] * im[r, k, lane] - im[r, i, lane] * re[r, k, lane])


@nb.njit(**JIT)
def _reflector(h_re, h_im, j, v_re, v_im, e, tau):
    """Make the Householder vector that clears column j below its subdiagonal; H's new element is e (real)."""
    n = len(h_re)
    for lane in range(LANES):
        tau[lane] = 0.0
    for i in range(j + 1, n):
        for lane in range(LANES):
            v_re[i, lane], v_im[i, lane] = h_re[i, j, lane], h_im[i, j, lane]
            tau[lane] += v_re[i, lane] ** 2 + v_im[i, lane] ** 2
    for lane in range(LANES):
        a_re, a_im = v_re[j + 1, lane], v_im[j + 1, lane]
        norm, head = np.sqrt(tau[lane]), np.sqrt(a_re * a_re + a_im * a_im)
        tiny = norm < 1e-150
        # P = 1 - tau v v† takes the column to -phase·norm; the phase is taken off afterwards, in `make_real`.
        c = 1.0 if head < 1e-150 else a_re / head
        s = 0.0 if head < 1e-150 else a_im / head
        v_re[j + 1, lane] += c * norm
        v_im[j + 1, lane] += s * norm
        e[0, lane] = 0.0 if tiny else -c * norm
        e[1, lane] = 0.0 if tiny else -s * norm
        tau[lane] = 0.0 if tiny else 1.0 / (norm * (norm + head))


@nb.njit(**JIT)
def _apply_to_matrix(h_re, h_im, j, v_re, v_im, w_re, w_im, tau, dot):
    """Reflect H ← P H P below column j, by a symmetric rank-two update of the lower triangle."""
    n = len(h_re)
    for i in range(j + 1, n):
        for lane in range(LANES):
            w_re[i, lane] = h_re[i, i, lane] * v_re[i, lane]
            w_im[i, lane] = h_re[i, i, lane] * v_im[i, lane]
    for i in range(j + 1, n):
        for k in range(j + 1, i):
            for lane in range(LANES):
                a, b = h_re[i, k, lane], h_im[i, k, lane]
                w_re[i, lane] += a * v_re[k, lane] - b * v_im[k, lane]
                w_im[i, lane] += a * v_im[k, lane] + b * v_re[k, lane]
                w_re[k, lane] += a * v_re[i, lane] + b * v_im[i, lane]
                w_im[k, lane] += a * v_im[i, lane] - b * v_re[i, lane]
    for lane in range(LANES):
        dot[lane] = 0.0
    for i in range(j + 1, n):
        for lane in range(LANES):
            dot[lane] += v_re[i, lane] * w_re[i, lane] + v_im[i, lane] * w_im[i, lane]
    for i in range(j + 1, n):
        for lane in range(LANES):
            half = 0.5 * tau[lane] * dot[lane]
            w_re[i, lane] = tau[lane] * (w_re[i, lane] - half * v_re[i, lane])
            w_im[i, lane] = tau[lane] * (w_im[i, lane] - half * v_im[i, lane])
    for i in range(j + 1, n):
        for k in range(j + 1, i + 1):
            for lane in range(LANES):
                h_re[i, k, lane] -= (
                    v_re[i, lane] * w_re[k, lane]
                    + v_im[i, lane] * w_im[k, lane]
                    + w_re[i, lane] * v_re[k, lane]
                    + w_im[i, lane] * v_im[k, lane]
                )
                h_im[i, k, lane] -= (
                    v_im[i, lane] * w_re[k, lane]
                    - v_re[i, lane] * w_im[k, lane]
                    + w_im[i, lane] * v_re[k, lane]
                    - w_re[i, lane] * v_im[k, lane]
                )


@nb.njit(**JIT)
def _apply_to_sources(j, v_re, v_im, tau, y_re, y_im, d_re, d_im):
    """Reflect the sources: y ← P y."""
    n = len(v_re)
    for c in range(3):
        for lane in range(LANES):
            d_re[lane] = 0.0
            d_im[lane] = 0.0
        for i in range(j + 1, n):
            for lane in range(LANES):
                d_re[lane] += v_re[i, lane] * y_re[i, c, lane] + v_im[i, lane] * y_im[i, c, lane]
                d_im[lane] += v_re[i, lane] * y_im[i, c, lane] - v_im[i, lane] * y_re[i, c, lane]
        for lane in range(LANES):
            d_re[lane] *= tau[lane]
            d_im[lane] *= tau[lane]
        for i in range(j + 1, n):
            for lane in range(LANES):
                y_re[i, c, lane] -= v_re[i, lane] * d_re[lane] - v_im[i, lane] * d_im[lane]
                y_im[i, c, lane] -= v_re[i, lane] * d_im[lane] + v_im[i, lane] * d_re[lane]


@nb.njit(**JIT)
def tridiagonalise(h_re, h_im, y_re, y_im, diagonal, below, work):
    """Bring H to tridiagonal form, lane by lane alike; `below` (n, 2, LANES) stays complex."""
    n = len(h_re)
    v_re, v_im, w_re, w_im = work[0], work[1], work[2], work[3]
    tau, dot, spare = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    for j in range(n - 2):
        _reflector(h_re, h_im, j, v_re, v_im, below[j], tau)
        _apply_to_matrix(h_re, h_im, j, v_re, v_im, w_re, w_im, tau, dot)
        _apply_to_sources(j, v_re, v_im, tau, y_re, y_im, dot, spare)
    for lane in range(LANES):
        if n > 1:
            below[n - 2, 0, lane], below[n - 2, 1, lane] = h_re[n - 1, n - 2, lane], h_im[n - 1, n - 2, lane]
        for i in range(n):
            diagonal[i, lane] = h_re[i, i, lane]


@nb.njit(**JIT)
def make_real(lane, diagonal, below, y_re, y_im, d, e, z):
    """Copy one lane out, with phases on the basis that make its subdiagonal real and positive."""
    c, s = 1.0, 0.0
    for i in range(len(d)):
        d[i] = diagonal[i, lane]
        for a in range(3):
            z[i, a] = c * y_re[i, a, lane] + s * y_im[i, a, lane]
            z[i, a + 3] = c * y_im[i, a, lane] - s * y_re[i, a, lane]
        if i + 1 < len(d):
            x, y = below[i, 0, lane], below[i, 1, lane]
            # Element (i+1, i) in the basis whose i-th vector has the phase c + is.
            x, y = x * c - y * s, x * s + y * c
            e[i] = np.sqrt(x * x + y * y)
            c, s = (x / e[i], y / e[i]) if e[i] > 0.0 else (1.0, 0.0)


@nb.njit(**JIT)
def implicit_ql(d, e, z):
    """Diagonalise a real tridiagonal matrix, rotating the rows of z along; True where it converged."""
    n, eps = len(d), 2.3e-16
    e[n - 1] = 0.0
    for low in range(n):
        for sweep in range(_MAX_SWEEP + 1):
            m = low
            while m < n - 1 and abs(e[m]) > eps * (abs(d[m]) + abs(d[m + 1])):
                m += 1
            if m == low:
                break
            if sweep == _MAX_SWEEP:
                return False
            g = (d[low + 1] - d[low]) / (2.0 * e[low])
            r = np.sqrt(g * g + 1.0)
            g = d[m] - d[low] + e[low] / (g + (r if g >= 0 else -r))
            s, c, p = 1.0, 1.0, 0.0
            broken = False
            for i in range(m - 1, low - 1, -1):
                f, b = s * e[i], c * e[i]
                r = np.sqrt(f * f + g * g)
                e[i + 1] = r
                if r == 0.0:
                    d[i + 1] -= p
                    e[m] = 0.0
                    broken = True
                    break
                s, c = f / r, g / r
                g = d[i + 1] - p
                r = (d[i] - g) * s + 2.0 * c * b
                p = s * r
                d[i + 1] = g + p
                g = c * r - b
                for a in range(8):
                    upper, lower = z[i, a], z[i + 1, a]
                    z[i + 1, a] = s * upper + c * lower
                    z[i, a] = c * upper - s * lower
            if not broken:
                d[low] -= p
                e[low] = g
                e[m] = 0.0
    return True
