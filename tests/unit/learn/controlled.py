"""A model of diffuse scattering with exact truth: the square lattice J1 = 1, J2, J3 in the self-consistent Gaussian."""

import numpy as np
from scipy.optimize import brentq

N_Q = 24
"""Points along each axis of [0, 2)² r.l.u."""


def exchange(j2, j3):
    """J(q) on the grid, (576,)."""
    x, y = np.meshgrid(*[2.0 * np.pi * np.arange(N_Q) * 2 / N_Q] * 2, indexing="ij")
    near = 2 * (np.cos(x) + np.cos(y))
    return (near + 4 * j2 * np.cos(x) * np.cos(y) + 2 * j3 * (np.cos(2 * x) + np.cos(2 * y))).ravel()


def structure_factor(j2, j3, beta):
    """S(q) = 3/(λ + βJ(q)) with the mean of 1/(λ + βJ) = 1/3."""
    j = beta * exchange(j2, j3)
    level = brentq(lambda x: np.mean(1.0 / (x + j)) - 1.0 / 3.0, -j.min() + 1e-9, -j.min() + 10.0, xtol=1e-13)
    return 3.0 / (level + j)


def images(n, *, seed, box=((-0.6, 0.9), (-0.5, 0.7), (1 / 3, 1 / 1.2))):
    """Points (n, 3), truth and noisy images (22 % a pixel), both (n, 576)."""
    rng = np.random.default_rng(seed)
    theta = np.column_stack([rng.uniform(*pair, n) for pair in box])
    truth = np.array([structure_factor(*row) for row in theta])
    return theta, truth, truth * rng.gamma(20.0, 1.0 / 20.0, truth.shape)


def error(found, truth, train):
    """Squared error against the truth, in units of the spread of the truth about the training images' mean."""
    return float(np.sum((found - truth) ** 2) / np.sum((truth - train.mean(axis=0)) ** 2))
