"""Laws of noise: the deviance of one pixel, its slope by the expectation, and the weight of a squared step."""

from dataclasses import dataclass

import numpy as np

from ..errors import FitError


@dataclass(frozen=True)
class Poisson:
    """Counts n with the expectation μ.

        D = 2 (μ - n + n ln(n/μ)),   ½ dD/dμ = 1 - n/μ,   expected weight 1/μ

    Zero counts are data like any other: D = 2 μ.
    """

    kind: str = "poisson"
    positive: bool = True
    """Expectations and backgrounds cannot be negative."""

    def deviance(self, n, mu, variance):
        """Return D, (n_pixel,); +inf where something was counted that cannot be."""
        ratio = np.divide(n, mu, out=np.ones_like(mu), where=(n > 0) & (mu > 0))
        impossible = (n > 0) & ~(mu > 0)
        return np.where(impossible, np.inf, 2.0 * (mu - n + n * np.log(ratio)))

    def slope(self, n, mu, variance):
        """Return ½ dD/dμ, (n_pixel,)."""
        return 1.0 - n / np.maximum(mu, TINY)

    def weight(self, n, mu, variance):
        """Return the expectation of ½ d²D/dμ², (n_pixel,)."""
        return 1.0 / np.maximum(mu, NOTHING)

    def curvature(self, n, mu, variance):
        """Return ½ d²D/dμ² at the data themselves, (n_pixel,): the inner minimum is sought with it."""
        return n / np.maximum(mu, TINY) ** 2

    def residual(self, n, mu, variance):
        """Return (n - μ)/√μ, (n_pixel,)."""
        return (n - mu) / np.sqrt(np.maximum(mu, NOTHING))

    def drawn(self, mu, variance, generator):
        """Return counts of an experiment, (n_pixel,) float64."""
        return generator.poisson(mu).astype(np.float64)


@dataclass(frozen=True)
class Gaussian:
    """Values x of known variance σ²: D = (x - μ)²/σ²."""

    kind: str = "gaussian"
    positive: bool = False

    def deviance(self, x, mu, variance):
        """Return D, (n_pixel,)."""
        return (x - mu) ** 2 / variance

    def slope(self, x, mu, variance):
        """Return ½ dD/dμ, (n_pixel,)."""
        return (mu - x) / variance

    def weight(self, x, mu, variance):
        """Return ½ d²D/dμ², (n_pixel,)."""
        return 1.0 / variance

    curvature = weight

    def residual(self, x, mu, variance):
        """Return (x - μ)/σ, (n_pixel,)."""
        return (x - mu) / np.sqrt(variance)

    def drawn(self, mu, variance, generator):
        """Return values of an experiment, (n_pixel,)."""
        return mu + np.sqrt(variance) * generator.standard_normal(len(mu))


@dataclass(frozen=True)
class StudentT:
    """Values of known scale σ with heavy tails: what is far away pulls less the farther it is.

        D = (ν + 1) ln(1 + r²/ν),   r = (x - μ)/σ,   ½ dD/dμ = -w r/σ,   w = (ν + 1)/(ν + r²)

    w/σ² is the curvature of a parabola that touches D and lies above it: a step of least squares with it never raises D
    (iterated reweighting). The expected weight of the information is (ν + 1)/(ν + 3)/σ².

    Parameters
    ----------
    nu : float
        Degrees of freedom ν > 0; 1 is Lorentz's law, infinity Gauss's.
    """

    nu: float = 4.0
    kind: str = "student_t"
    positive: bool = False

    def __post_init__(self):
        if not self.nu > 0:
            raise FitError("Student's law needs positive degrees of freedom", where="nu", got=self.nu)

    def deviance(self, x, mu, variance):
        """Return D, (n_pixel,)."""
        return (self.nu + 1.0) * np.log1p((x - mu) ** 2 / (self.nu * variance))

    def slope(self, x, mu, variance):
        """Return ½ dD/dμ, (n_pixel,)."""
        return self.curvature(x, mu, variance) * (mu - x)

    def weight(self, x, mu, variance):
        """Return the expectation of ½ d²D/dμ², (n_pixel,)."""
        return (self.nu + 1.0) / (self.nu + 3.0) / variance

    def curvature(self, x, mu, variance):
        """Return w/σ², (n_pixel,)."""
        return (self.nu + 1.0) / (self.nu * variance + (x - mu) ** 2)

    def residual(self, x, mu, variance):
        """Return (x - μ)/σ, (n_pixel,)."""
        return (x - mu) / np.sqrt(variance)

    def drawn(self, mu, variance, generator):
        """Return values of an experiment, (n_pixel,)."""
        return mu + np.sqrt(variance) * generator.standard_t(self.nu, len(mu))


TINY = 1e-120
"""Smallest expectation: nothing is divided by zero, nor by its square."""
NOTHING = 1e-6
"""Expected counts below which a pixel is as good as dark: its weight rises no further."""
Law = Poisson | Gaussian | StudentT
