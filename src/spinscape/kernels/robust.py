"""Scale, slopes and group constants of an image at their best under a robust loss: iterated reweighting in one kernel.

μ_i = Σ_a c_a dense_ai + constant[group_i];  r = (x − μ)/σ;  two losses, both r² near zero up to a factor:

    Student   D = (ν + 1) ln(1 + r²/ν),           w = (ν + 1)/(ν + r²)
    Tukey     D = c²/3 (1 − (1 − (r/c)²)³₊),      w = (1 − (r/c)²)²₊

w/σ² is the curvature of a parabola that touches D and lies above it, so that a weighted least-squares step never
raises D. The constants are eliminated group by group: a step costs a few operations a pixel.
"""

import numpy as np

from .jit import compiled

STUDENT, TUKEY = 0, 1


@compiled
def robust_weight(r, law, shape):
    """Return w at a standardised residual; ``shape`` is ν or c."""
    if law == STUDENT:
        return (shape + 1.0) / (shape + r * r)
    u = 1.0 - (r / shape) ** 2
    return u * u if u > 0.0 else 0.0


@compiled
def robust_deviance(r, law, shape):
    """Return D at a standardised residual; ``shape`` is ν or c."""
    if law == STUDENT:
        return (shape + 1.0) * np.log1p(r * r / shape)
    u = 1.0 - (r / shape) ** 2
    return shape * shape / 3.0 * (1.0 - u * u * u) if u > 0.0 else shape * shape / 3.0


@compiled
def _solve_in_place(matrix, right):
    """Solve by elimination; a direction with next to no pivot, relative to its diagonal, gets zero."""
    n = len(right)
    size = np.empty(n)
    for a in range(n):
        size[a] = matrix[a, a]
    for a in range(n):
        if not matrix[a, a] > 1e-10 * size[a]:
            right[a] = 0.0
            for b in range(n):
                matrix[a, b] = 0.0
                matrix[b, a] = 0.0
            matrix[a, a] = 1.0
        for b in range(a + 1, n):
            factor = matrix[b, a] / matrix[a, a]
            for k in range(a, n):
                matrix[b, k] -= factor * matrix[a, k]
            right[b] -= factor * right[a]
    for a in range(n - 1, -1, -1):
        for b in range(a + 1, n):
            right[a] -= matrix[a, b] * right[b]
        right[a] /= matrix[a, a]


@compiled
def _least_squares(x, dense, group, weight, coefficients, constants, held):
    """Solve the weighted least squares, ``held`` coefficients zero; groups without weight keep their constant."""
    m, n, n_group = dense.shape[0], len(x), len(constants)
    total, data = np.zeros(n_group), np.zeros(n_group)
    mixed, matrix, right = np.zeros((m, n_group)), np.zeros((m, m)), np.zeros(m)
    for i in range(n):
        w, g = weight[i], group[i]
        if g >= 0:
            total[g] += w
            data[g] += w * x[i]
        for a in range(m):
            part = w * dense[a, i]
            if g >= 0:
                mixed[a, g] += part
            right[a] += part * x[i]
            for b in range(a + 1):
                matrix[a, b] += part * dense[b, i]
    for a in range(m):
        for b in range(a + 1):
            for g in range(n_group):
                if total[g] > 0.0:
                    matrix[a, b] -= mixed[a, g] * mixed[b, g] / total[g]
            matrix[b, a] = matrix[a, b]
        for g in range(n_group):
            if total[g] > 0.0:
                right[a] -= mixed[a, g] * data[g] / total[g]
    for b in range(len(held)):
        if held[b]:
            right[b] = 0.0
            for a in range(m):
                matrix[b, a] = 0.0
                matrix[a, b] = 0.0
            matrix[b, b] = 1.0
    _solve_in_place(matrix, right)
    for a in range(m):
        coefficients[a] = right[a]
    for g in range(n_group):
        if total[g] > 0.0:
            constants[g] = data[g]
            for a in range(m):
                constants[g] -= mixed[a, g] * coefficients[a]
            constants[g] /= total[g]


@compiled
def _residuals(x, dense, group, std, coefficients, constants, residual):
    """Write standardised residuals; return the largest change."""
    change = 0.0
    for i in range(len(x)):
        mu = constants[group[i]] if group[i] >= 0 else 0.0
        for a in range(dense.shape[0]):
            mu += coefficients[a] * dense[a, i]
        r = (x[i] - mu) / std[i]
        change = max(change, abs(r - residual[i]))
        residual[i] = r
    return change


@compiled
def _nowhere_negative(x, dense, group, weight, coefficients, constants, held):
    """Solve the weighted least squares with the models' coefficients nowhere negative: those that would be are zero."""
    held[:] = False
    while True:
        _least_squares(x, dense, group, weight, coefficients, constants, held)
        done = True
        for a in range(len(held)):
            if coefficients[a] < 0.0:
                held[a] = True
                done = False
        if done:
            return


@compiled
def reweighted_background(
    x, dense, n_model, group, std, count, law, shape, max_step, tolerance, coefficients, constants, residual
):
    """Minimise Σ count · D(r) over coefficients and constants, in place; return the minimum.

    Parameters
    ----------
    x, std, count : (n_pixel,) float64
        Data, standard deviations, how often a pixel counts.
    dense : (n_dense, n_pixel) float64
        Models first: their coefficients are never negative.
    n_model : int
    group : (n_pixel,) int64
        Negative where no constant stands under a pixel.
    law, shape : int, float
        :data:`STUDENT` with ν, :data:`TUKEY` with c.
    max_step : int
    tolerance : float
        The largest change of a standardised residual at which the search ends.
    coefficients (n_dense,), constants (n_group,), residual (n_pixel,) : float64
        In: a start, unless ``residual`` holds infinities, when the search starts from least squares. Out: the minimum.
    """
    n = len(x)
    weight, held = np.empty(n), np.zeros(n_model, dtype=np.bool_)
    for _ in range(max_step):
        for i in range(n):
            w = 1.0 if np.isinf(residual[i]) else robust_weight(residual[i], law, shape)
            weight[i] = count[i] * w / (std[i] * std[i])
        _nowhere_negative(x, dense, group, weight, coefficients, constants, held)
        if _residuals(x, dense, group, std, coefficients, constants, residual) < tolerance:
            break
    total = 0.0
    for i in range(n):
        if count[i] > 0.0:
            total += count[i] * robust_deviance(residual[i], law, shape)
    return total
