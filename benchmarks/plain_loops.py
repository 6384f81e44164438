"""Monte Carlo of a simple cubic lattice as one writes it in numba at first: what the engines are measured against.

Neighbours by index arithmetic, a xoroshiro128+ of its own (numpy's generator costs three times as much), all freedom of
floating point. One spin after the other, in the order of memory.
"""

import numba as nb
import numpy as np

loop = nb.njit(fastmath=True, error_model="numpy")
part = nb.njit(fastmath=True, error_model="numpy", inline="always")
U = np.uint64


@part
def uniform(state):
    s, t = state[0], state[1]
    word = s + t
    t ^= s
    state[0] = (s << U(24) | s >> U(40)) ^ t ^ t << U(16)
    state[1] = t << U(37) | t >> U(27)
    return (word >> U(11)) * (1.0 / 9007199254740992.0)


@part
def after(i, n):
    return i + 1 if i + 1 < n else 0


@part
def before(i, n):
    return i - 1 if i > 0 else n - 1


@part
def neighbours(spins, i, j, k):
    """Return the sum of the six spins around one."""
    n = len(spins)
    up, down = after(i, n), before(i, n)
    right, left, front, back = after(j, n), before(j, n), after(k, n), before(k, n)
    x = spins[up, j, k, 0] + spins[down, j, k, 0] + spins[i, right, k, 0]
    y = spins[up, j, k, 1] + spins[down, j, k, 1] + spins[i, right, k, 1]
    z = spins[up, j, k, 2] + spins[down, j, k, 2] + spins[i, right, k, 2]
    x += spins[i, left, k, 0] + spins[i, j, front, 0] + spins[i, j, back, 0]
    y += spins[i, left, k, 1] + spins[i, j, front, 1] + spins[i, j, back, 1]
    z += spins[i, left, k, 2] + spins[i, j, front, 2] + spins[i, j, back, 2]
    return x, y, z


@part
def direction(state):
    """Marsaglia's way: a point in the disc by rejection, and no sine."""
    square = 2.0
    while square >= 1.0:
        x, y = 2.0 * uniform(state) - 1.0, 2.0 * uniform(state) - 1.0
        square = x * x + y * y
    factor = 2.0 * np.sqrt(1.0 - square)
    return factor * x, factor * y, 1.0 - 2.0 * square


@loop
def metropolis(spins, strength, beta, state):
    n = len(spins)
    for i in range(n):
        for j in range(n):
            for k in range(n):
                x, y, z = neighbours(spins, i, j, k)
                a, b, c = direction(state)
                change = (a - spins[i, j, k, 0]) * x + (b - spins[i, j, k, 1]) * y + (c - spins[i, j, k, 2]) * z
                change *= strength
                if change <= 0.0 or uniform(state) < np.exp(-beta * change):
                    spins[i, j, k, 0], spins[i, j, k, 1], spins[i, j, k, 2] = a, b, c


@loop
def heat_bath(spins, strength, beta, state):
    n = len(spins)
    for i in range(n):
        for j in range(n):
            for k in range(n):
                x, y, z = neighbours(spins, i, j, k)
                x, y, z = -strength * x, -strength * y, -strength * z
                norm = np.sqrt(x * x + y * y + z * z)
                x, y, z = x / norm, y / norm, z / norm
                u, a = uniform(state), beta * norm
                cosine = 1.0 + np.log(u + (1.0 - u) * np.exp(-2.0 * a)) / a
                sine, angle = np.sqrt(max(1.0 - cosine * cosine, 0.0)), 2.0 * np.pi * uniform(state)
                # Two directions across the field, by cross products.
                if abs(z) < 0.9:
                    p, q, r = y, -x, 0.0
                else:
                    p, q, r = 0.0, z, -y
                side = np.sqrt(p * p + q * q + r * r)
                p, q, r = p / side, q / side, r / side
                e, f, g = y * r - z * q, z * p - x * r, x * q - y * p
                c, s = sine * np.cos(angle), sine * np.sin(angle)
                spins[i, j, k, 0] = cosine * x + c * p + s * e
                spins[i, j, k, 1] = cosine * y + c * q + s * f
                spins[i, j, k, 2] = cosine * z + c * r + s * g


@loop
def over_relaxation(spins, strength, beta, state):
    n = len(spins)
    for i in range(n):
        for j in range(n):
            for k in range(n):
                x, y, z = neighbours(spins, i, j, k)
                a, b, c = spins[i, j, k, 0], spins[i, j, k, 1], spins[i, j, k, 2]
                square = x * x + y * y + z * z
                if square > 0.0:
                    factor = 2.0 * (a * x + b * y + c * z) / square
                    spins[i, j, k, 0], spins[i, j, k, 1] = factor * x - a, factor * y - b
                    spins[i, j, k, 2] = factor * z - c


@part
def add_product(matrix, spins, i, j, k, x, y, z):
    a, b, c = spins[i, j, k, 0], spins[i, j, k, 1], spins[i, j, k, 2]
    x += matrix[0, 0] * a + matrix[0, 1] * b + matrix[0, 2] * c
    y += matrix[1, 0] * a + matrix[1, 1] * b + matrix[1, 2] * c
    z += matrix[2, 0] * a + matrix[2, 1] * b + matrix[2, 2] * c
    return x, y, z


@loop
def matrix_metropolis(spins, matrices, beta, state):
    """Six matrices (6, 3, 3): to the neighbours at +x, −x, +y, −y, +z, −z."""
    n = len(spins)
    for i in range(n):
        for j in range(n):
            for k in range(n):
                x, y, z = add_product(matrices[0], spins, after(i, n), j, k, 0.0, 0.0, 0.0)
                x, y, z = add_product(matrices[1], spins, before(i, n), j, k, x, y, z)
                x, y, z = add_product(matrices[2], spins, i, after(j, n), k, x, y, z)
                x, y, z = add_product(matrices[3], spins, i, before(j, n), k, x, y, z)
                x, y, z = add_product(matrices[4], spins, i, j, after(k, n), x, y, z)
                x, y, z = add_product(matrices[5], spins, i, j, before(k, n), x, y, z)
                a, b, c = direction(state)
                change = (a - spins[i, j, k, 0]) * x + (b - spins[i, j, k, 1]) * y + (c - spins[i, j, k, 2]) * z
                if change <= 0.0 or uniform(state) < np.exp(-beta * change):
                    spins[i, j, k, 0], spins[i, j, k, 1], spins[i, j, k, 2] = a, b, c


@loop
def ising(spins, strength, beta, state):
    """Spins ±1, (n, n, n) int8; the exponentials of all sums of neighbours are made once."""
    n = len(spins)
    weight = np.exp(-2.0 * beta * strength * np.arange(-6.0, 7.0))
    for i in range(n):
        for j in range(n):
            for k in range(n):
                total = spins[after(i, n), j, k] + spins[before(i, n), j, k] + spins[i, after(j, n), k]
                total += spins[i, before(j, n), k] + spins[i, j, after(k, n)] + spins[i, j, before(k, n)]
                # ΔE = −2 J σ Σ σ'
                w = weight[6 - spins[i, j, k] * total]
                if w >= 1.0 or uniform(state) < w:
                    spins[i, j, k] = -spins[i, j, k]
