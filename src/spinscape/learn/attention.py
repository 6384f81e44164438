"""Where a network errs: a map of its errors over blocks of pixels, by which training pixels are drawn.

Drawing where errors are large, with weights that undo it, leaves the expected gradient as it is and lowers its noise:
least noise is had where a pixel's probability is proportional to its error (importance sampling).
"""

import numpy as np

from ..errors import TrainingError

_MEMORY = 0.9
"""What is left of older errors at each refresh."""
_PRIOR = 8.0
"""Each cell starts with so many pixels of average error, so that a cell without any is not forgotten."""
_HIGHEST = 0.95
"""Quantile of the errors above which drawing does not rise further: lone cells must not make all others rare."""


class ErrorMap:
    """Mean squared errors of cells, and the probabilities with which pixels of each are kept.

    A cell is a block of neighbouring momenta and energies, of all points together; pixels with signal and pixels
    without are two layers of cells.

    Parameters
    ----------
    shape : (n_q, n_energy)
        Of one point's pixels.
    block : (int, int)
        Momenta and energies of a cell.
    lowest : float
        Smallest probability of keeping a pixel, relative to the largest: weights grow no further than by its inverse.

    Attributes
    ----------
    acceptance : (2, n_cell) float64, in [lowest, 1]
        First layer: pixels without signal.
    """

    def __init__(self, shape, *, block=(8, 8), lowest=0.1):
        n_q, n_energy = shape
        columns = -(-n_energy // block[1])
        self.cell = (np.arange(n_q)[:, None] // block[0] * columns + np.arange(n_energy) // block[1]).reshape(-1)
        n_cell = int(self.cell[-1]) + 1
        self._lowest = lowest
        self._square, self._count = np.zeros((2, n_cell)), np.zeros((2, n_cell))
        self.acceptance = np.ones((2, n_cell))

    def add(self, place, square):
        """Add squared errors (n,) of drawn pixels at flat places (n,) of (2, n_cell)."""
        self._square += np.bincount(place, square, self._square.size).reshape(self._square.shape)
        self._count += np.bincount(place, minlength=self._count.size).reshape(self._count.shape)

    def refresh(self):
        """Make the probabilities anew from the errors so far, and let older errors fade."""
        total = self._count.sum()
        if total > 0:
            mean = self._square.sum() / total
            error = np.sqrt((self._square + _PRIOR * mean) / (self._count + _PRIOR))
            self.acceptance = np.clip(error / max(np.quantile(error, _HIGHEST), 1e-300), self._lowest, 1.0)
        self._square *= _MEMORY
        self._count *= _MEMORY

    def state(self):
        """Return all that later batches depend on, for a checkpoint."""
        return {"square": self._square.tolist(), "count": self._count.tolist(), "acceptance": self.acceptance.tolist()}

    def restore(self, state):
        """Take over what :meth:`state` returned."""
        arrays = {name: np.array(state[name], dtype=np.float64) for name in ("square", "count", "acceptance")}
        if any(array.shape != self._count.shape for array in arrays.values()):
            raise TrainingError("the error map is of other spectra", expected=self._count.shape)
        self._square, self._count, self.acceptance = arrays["square"], arrays["count"], arrays["acceptance"]
