"""Dense Hermitian linear algebra on LANES small matrices side by side: arrays in, arrays out.

The last axis of every array is the lane, so that each operation is one SIMD instruction; real and imaginary parts
stand in arrays of their own. Only lower triangles are used. Sources: Golub and Van Loan, Matrix Computations, 4th ed.,
4.2 (Cholesky), 8.3 (Householder tridiagonalisation, implicit QL).
"""

import numpy as np

from .jit import compiled
from .simd import LANES, divided, fill, load, minus_product, plus_product, store, times

_MAX_SWEEP = 60


@compiled
def cholesky(re, im, smallest):
    """Factorise in place, D = C C†; `smallest` receives the smallest squared pivot of each lane."""
    n = len(re)
    smallest[:] = np.inf
    root = np.empty((1, LANES))
    for j in range(n):
        for lane in range(LANES):
            pivot = re[j, j, lane]
            # Written so that NaN, which compares with nothing, gets through.
            smallest[lane] = smallest[lane] if pivot >= smallest[lane] else pivot
            # A lane that fails goes on with harmless numbers; the caller reads `smallest`.
            root[0, lane] = 1.0 / np.sqrt(pivot if pivot > 1e-280 else 1.0)
            re[j, j, lane] = 1.0 / root[0, lane]
            im[j, j, lane] = 0.0
        r = load(root, 0)
        for i in range(j + 1, n):
            store(re, (i, j), times(load(re, (i, j)), r))
            store(im, (i, j), times(load(im, (i, j)), r))
        for i in range(j + 1, n):
            a, b = load(re, (i, j)), load(im, (i, j))
            for k in range(j + 1, i + 1):
                c, d = load(re, (k, j)), load(im, (k, j))
                store(re, (i, k), minus_product(minus_product(load(re, (i, k)), a, c), b, d))
                store(im, (i, k), plus_product(minus_product(load(im, (i, k)), b, c), a, d))


@compiled
def forward(re, im, y_re, y_im):
    """Solve C y = v in place, for the three sources."""
    n = len(re)
    for i in range(n):
        pivot = load(re, (i, i))
        for c in range(3):
            p, q = load(y_re, (i, c)), load(y_im, (i, c))
            for k in range(i):
                a, b = load(re, (i, k)), load(im, (i, k))
                x, y = load(y_re, (k, c)), load(y_im, (k, c))
                p = plus_product(minus_product(p, a, x), b, y)
                q = minus_product(minus_product(q, a, y), b, x)
            store(y_re, (i, c), divided(p, pivot))
            store(y_im, (i, c), divided(q, pivot))


@compiled
def sandwich(re, im, sign, h_re, h_im):
    """Form the lower triangle of H = C† g C from the lower triangle C."""
    n = len(re)
    for i in range(n):
        for k in range(i + 1):
            h_re[i, k] = 0.0
            h_im[i, k] = 0.0
    for r in range(n):
        s = fill(sign[r])
        for i in range(r + 1):
            a, b = times(s, load(re, (r, i))), times(s, load(im, (r, i)))
            for k in range(i + 1):
                c, d = load(re, (r, k)), load(im, (r, k))
                store(h_re, (i, k), plus_product(plus_product(load(h_re, (i, k)), a, c), b, d))
                store(h_im, (i, k), minus_product(plus_product(load(h_im, (i, k)), a, d), b, c))


@compiled
def _reflector(h_re, h_im, j, v_re, v_im, e, tau):
    """Make the Householder vector that clears column j below its subdiagonal; H's new element is e (real)."""
    n = len(h_re)
    square = fill(0.0)
    for i in range(j + 1, n):
        a, b = load(h_re, (i, j)), load(h_im, (i, j))
        store(v_re, i, a)
        store(v_im, i, b)
        square = plus_product(plus_product(square, a, a), b, b)
    store(tau, 0, square)
    for lane in range(LANES):
        a_re, a_im = v_re[j + 1, lane], v_im[j + 1, lane]
        norm, head = np.sqrt(tau[0, lane]), np.sqrt(a_re * a_re + a_im * a_im)
        tiny = norm < 1e-150
        # P = 1 - tau v v† takes the column to -phase·norm; the phase is taken off afterwards, in `make_real`.
        c = 1.0 if head < 1e-150 else a_re / head
        s = 0.0 if head < 1e-150 else a_im / head
        v_re[j + 1, lane] += c * norm
        v_im[j + 1, lane] += s * norm
        e[0, lane] = 0.0 if tiny else -c * norm
        e[1, lane] = 0.0 if tiny else -s * norm
        tau[0, lane] = 0.0 if tiny else 1.0 / (norm * (norm + head))


@compiled
def _times_vector(h_re, h_im, j, v_re, v_im, w_re, w_im):
    """Write w = H v below column j, from the lower triangle of H."""
    n = len(h_re)
    for i in range(j + 1, n):
        x, y, a = load(v_re, i), load(v_im, i), load(h_re, (i, i))
        p, q = times(a, x), times(a, y)
        for k in range(j + 1, i):
            a, b = load(h_re, (i, k)), load(h_im, (i, k))
            s, t = load(v_re, k), load(v_im, k)
            p = minus_product(plus_product(p, a, s), b, t)
            q = plus_product(plus_product(q, a, t), b, s)
            store(w_re, k, plus_product(plus_product(load(w_re, k), a, x), b, y))
            store(w_im, k, minus_product(plus_product(load(w_im, k), a, y), b, x))
        store(w_re, i, p)
        store(w_im, i, q)


@compiled
def _rank_two(h_re, h_im, j, v_re, v_im, w_re, w_im):
    """Take v w† + w v† off the lower triangle of H below column j."""
    n = len(h_re)
    for i in range(j + 1, n):
        x, y, u, v = load(v_re, i), load(v_im, i), load(w_re, i), load(w_im, i)
        for k in range(j + 1, i + 1):
            a, b, c, d = load(v_re, k), load(v_im, k), load(w_re, k), load(w_im, k)
            p = minus_product(minus_product(load(h_re, (i, k)), x, c), y, d)
            store(h_re, (i, k), minus_product(minus_product(p, u, a), v, b))
            q = plus_product(minus_product(load(h_im, (i, k)), y, c), x, d)
            store(h_im, (i, k), plus_product(minus_product(q, v, a), u, b))


@compiled
def _apply_to_matrix(h_re, h_im, j, v_re, v_im, w_re, w_im, tau):
    """Reflect H ← P H P below column j, by a symmetric rank-two update of the lower triangle."""
    n = len(h_re)
    _times_vector(h_re, h_im, j, v_re, v_im, w_re, w_im)
    dot = fill(0.0)
    for i in range(j + 1, n):
        dot = plus_product(plus_product(dot, load(v_re, i), load(w_re, i)), load(v_im, i), load(w_im, i))
    t = load(tau, 0)
    half = times(times(fill(0.5), t), dot)
    for i in range(j + 1, n):
        store(w_re, i, times(t, minus_product(load(w_re, i), half, load(v_re, i))))
        store(w_im, i, times(t, minus_product(load(w_im, i), half, load(v_im, i))))
    _rank_two(h_re, h_im, j, v_re, v_im, w_re, w_im)


@compiled
def _apply_to_sources(j, v_re, v_im, tau, y_re, y_im):
    """Reflect the sources: y ← P y."""
    n = len(v_re)
    t = load(tau, 0)
    for c in range(3):
        p, q = fill(0.0), fill(0.0)
        for i in range(j + 1, n):
            a, b, x, y = load(v_re, i), load(v_im, i), load(y_re, (i, c)), load(y_im, (i, c))
            p = plus_product(plus_product(p, a, x), b, y)
            q = minus_product(plus_product(q, a, y), b, x)
        p, q = times(t, p), times(t, q)
        for i in range(j + 1, n):
            a, b = load(v_re, i), load(v_im, i)
            store(y_re, (i, c), plus_product(minus_product(load(y_re, (i, c)), a, p), b, q))
            store(y_im, (i, c), minus_product(minus_product(load(y_im, (i, c)), a, q), b, p))


@compiled
def tridiagonalise(h_re, h_im, y_re, y_im, diagonal, below, work):
    """Bring H to tridiagonal form, lane by lane alike; `below` (n, 2, LANES) stays complex."""
    n = len(h_re)
    v_re, v_im, w_re, w_im = work[0], work[1], work[2], work[3]
    tau = np.empty((1, LANES))
    for j in range(n - 2):
        _reflector(h_re, h_im, j, v_re, v_im, below[j], tau)
        _apply_to_matrix(h_re, h_im, j, v_re, v_im, w_re, w_im, tau)
        _apply_to_sources(j, v_re, v_im, tau, y_re, y_im)
    for lane in range(LANES):
        if n > 1:
            below[n - 2, 0, lane], below[n - 2, 1, lane] = h_re[n - 1, n - 2, lane], h_im[n - 1, n - 2, lane]
        for i in range(n):
            diagonal[i, lane] = h_re[i, i, lane]


@compiled
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


@compiled
def implicit_ql(d, e, z):
    """Diagonalise a real tridiagonal matrix, rotating the rows of z (n, LANES) along; True where it converged."""
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
                upper, lower, cosine, sine = load(z, i), load(z, i + 1), fill(c), fill(s)
                store(z, i + 1, plus_product(times(cosine, lower), sine, upper))
                store(z, i, minus_product(times(cosine, upper), sine, lower))
            if not broken:
                d[low] -= p
                e[low] = g
                e[m] = 0.0
    return True
