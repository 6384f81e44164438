"""Searches for the minima of a function over a box."""

from dataclasses import asdict, dataclass

import numpy as np

from ..errors import FitError
from ..rng import stream
from .basins import sobol_unit_points, starts_from_scan
from .descents import Descents
from .gaussian_process import GaussianProcessRounds
from .grid_start import GridStart
from .robust_descents import RobustDescents
from .search import Counted, Minimum, SearchResult, merged_minima, require_finite
from .simplex import nelder_mead
from .swarm import ParticleSwarm


@dataclass(frozen=True)
class Multistart:
    """Scrambled Sobol points over the box; the lowest of each basin refined by a simplex; all minima returned.

    Parameters
    ----------
    n_sobol : int
        Points of the scan; a power of two fills the box evenly.
    n_refine : int
        Descents: from the bottoms of distinct basins, then from low points apart from them.
    coarse, fine : float
        A descent ends when its simplex is smaller than ``coarse``, in widths of the box; the distinct minima are then
        finished to ``fine``.
    merge : float
        Ends closer than this, in widths of the box, are one minimum.
    max_call : int
        Calls of one descent.
    """

    n_sobol: int = 256
    n_refine: int = 6
    coarse: float = 2e-3
    fine: float = 1e-6
    merge: float = 0.02
    max_call: int = 2000
    kind: str = "multistart"

    def minimise(self, function, box, seed):
        """Return the minima of ``function`` over ``box``; equal seeds give equal results.

        Parameters
        ----------
        function : callable of (n_parameter,) → float, may be +inf
        box : Box
        seed : int

        Returns
        -------
        SearchResult
        """
        counted = Counted(function)
        unit = sobol_unit_points(self.n_sobol, n_parameter=len(box.names), seed=seed, content=box.names)
        values = np.array([counted(box.from_unit(u)) for u in unit])
        require_finite(values, where="strategy multistart: box")
        starts, weights = starts_from_scan(unit, values, n_start=self.n_refine, n_neighbour=2 * unit.shape[1] + 2)
        size = 0.5 * self.n_sobol ** (-1.0 / unit.shape[1])
        ends = [self._descend(counted, box.from_unit(unit[s]), box, size, self.coarse) for s in starts]
        rough = merged_minima(
            [e.parameters for e in ends], [e.value for e in ends], weights, box=box, tolerance=self.merge
        )
        minima = self._finished(counted, rough, box)
        return SearchResult(minima, counted.n_call, counted.n_infinite, asdict(self), box.from_unit(unit), values)

    def _finished(self, counted, rough, box):
        """Finish every distinct minimum; two that meet are one."""
        ends = [self._descend(counted, m.parameters, box, 2.0 * self.coarse, self.fine) for m in rough]
        weights = [m.n_start for m in rough]
        return merged_minima(
            [e.parameters for e in ends], [e.value for e in ends], weights, box=box, tolerance=self.merge
        )

    def _descend(self, counted, start, box, size, tolerance):
        return nelder_mead(counted, start, box=box, size=size, tolerance=tolerance, max_call=self.max_call)


@dataclass(frozen=True)
class Adam:
    """Adam on random batches of pixels, from several starts: the search of Chitturi et al.

    Parameters
    ----------
    n_start : int
        Starts drawn over the box; unstable ones are drawn anew.
    n_step : int
        Steps of each.
    batch_size : int
        Valid pixels drawn for each step.
    learning_rate : float
        Of parameters in widths of the box.
    beta : (float, float)
        Memory of the mean gradient and of its square.
    merge : float
        Ends closer than this, in widths of the box, are one minimum; noise of the batches spreads them.

    Notes
    -----
    The end of a start is the mean of its last tenth of steps: batches make every single step noisy. Sources: Kingma
    and Ba, arXiv:1412.6980; Nat. Commun. 14, 5852 (2023), Methods (2,000 steps, 4,096 pixels, 0.005).
    """

    n_start: int = 10
    n_step: int = 2000
    batch_size: int = 4096
    learning_rate: float = 0.005
    beta: tuple[float, float] = (0.9, 0.999)
    merge: float = 0.02
    kind: str = "adam"

    def minimise(self, function, box, seed):
        """Return the minima of a :class:`~spinscape.infer.problem.Problem` whose forward can be differentiated.

        Each end's objective is that of all valid pixels.
        """
        if not hasattr(function, "sample_gradient"):
            raise FitError(
                "Adam needs gradients on batches of pixels",
                where="strategy.kind: adam",
                expected="a differentiable forward model",
                fix="use the strategy multistart, or the forward siren",
            )
        counted = Counted(function)
        ends = [self._run(counted, box, seed, replica) for replica in range(self.n_start)]
        values = [counted(end) for end in ends]
        minima = merged_minima(ends, values, [1] * len(ends), box=box, tolerance=self.merge)
        n_call = counted.n_call + self.n_start * self.n_step
        return SearchResult(minima, n_call, counted.n_infinite, asdict(self))

    def _run(self, counted, box, seed, replica):
        start = stream(seed, "start", "adam", *box.names, replica=replica)
        unit = _stable_start(counted, box, start)
        batches = stream(seed, "batch", "adam", *box.names, replica=replica)
        mean, square = np.zeros_like(unit), np.zeros_like(unit)
        n_tail = max(1, self.n_step // 10)
        tail = np.zeros_like(unit)
        for step in range(1, self.n_step + 1):
            _, gradient = counted.function.sample_gradient(box.from_unit(unit), batches, n_pixel=self.batch_size)
            gradient = gradient * box.width
            mean = self.beta[0] * mean + (1.0 - self.beta[0]) * gradient
            square = self.beta[1] * square + (1.0 - self.beta[1]) * gradient**2
            scaled = mean / (1.0 - self.beta[0] ** step)
            rate = self.learning_rate / (np.sqrt(square / (1.0 - self.beta[1] ** step)) + 1e-8)
            unit = np.clip(unit - rate * scaled, 0.0, 1.0)
            tail += unit / n_tail if step > self.n_step - n_tail else 0.0
        return box.from_unit(tail)


def _stable_start(counted, box, generator, *, n_try=1000):
    for _ in range(n_try):
        unit = generator.random(len(box.names))
        if np.isfinite(counted(box.from_unit(unit))):
            return unit
    require_finite(np.full(n_try, np.inf), where="strategy adam: box")
    raise AssertionError("unreachable")


STRATEGIES = {
    "multistart": Multistart,
    "adam": Adam,
    "descents": Descents,
    "grid_start": GridStart,
    "particle_swarm": ParticleSwarm,
    "robust_descents": RobustDescents,
    "gaussian_process": GaussianProcessRounds,
}
"""Name in a study → class of the strategy."""

__all__ = ["STRATEGIES", "Adam", "Minimum", "Multistart", "SearchResult", "strategy_by_name"]


def strategy_by_name(kind, **settings):
    """Return the strategy ``kind`` with its settings (those that a study's ``strategy:`` section holds)."""
    if kind not in STRATEGIES:
        raise FitError("unknown strategy", where="strategy.kind", expected=sorted(STRATEGIES), got=kind)
    return STRATEGIES[kind](**settings)
