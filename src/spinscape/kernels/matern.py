"""Means of Gaussian processes with the Matérn kernel of order 5/2, and their derivatives: one pass over the points."""

import numpy as np

from .jit import compiled


@compiled
def matern_mean(at, points, weights, amplitude, mean, slope):
    """Write the mean and its derivative at some places.

        k(d) = a (1 + √5 d + 5 d²/3) exp(−√5 d),   mean = Σ w k,   ∂mean/∂x = −5/3 a Σ w (1 + √5 d) exp(−√5 d) (x − x_i)

    Parameters
    ----------
    at : (m, n_parameter) float64
        In units of the kernel's lengths, as ``points`` are.
    points : (n, n_parameter) float64
    weights : (n,) float64
    amplitude : float
    mean (m,), slope (m, n_parameter) : float64
    """
    n_parameter = at.shape[1]
    for j in range(len(at)):
        mean[j] = 0.0
        slope[j] = 0.0
        for i in range(len(points)):
            square = 0.0
            for k in range(n_parameter):
                square += (at[j, k] - points[i, k]) ** 2
            distance = np.sqrt(5.0 * square)
            fall = weights[i] * amplitude * np.exp(-distance)
            mean[j] += fall * (1.0 + distance + distance * distance / 3.0)
            factor = -5.0 / 3.0 * fall * (1.0 + distance)
            for k in range(n_parameter):
                slope[j, k] += factor * (at[j, k] - points[i, k])
