"""Strategy ``descents``: Gauss-Newton descents from random starts, at coarse energy resolution first."""

from dataclasses import asdict, dataclass

import numpy as np

from ..errors import FitError
from ..rng import stream
from .gauss_newton import gauss_newton
from .search import Minimum, SearchResult, merged_minima, require_finite

TOLERANCE = 0.01
"""How near to its minimum a descent is taken, in standard deviations; ten times as near as errors are quoted."""


@dataclass(frozen=True)
class Descents:
    """Damped Gauss-Newton descents from random points of the box, through ever finer energy resolution.

    Sharp lines make many false minima: a band that is off by more than its width gains nothing from a small move. Lines
    that are ``widths[0]`` times as wide overlap the data from afar. Descents that end in one minimum there are one
    from then on: it starts the descent at the next width.

    Parameters
    ----------
    n_start : int
        Starts drawn over the box; those without a stable state are drawn anew.
    widths : tuple of float
        Factors on the widths of the lines, falling, the last one 1.
    max_step : int
        Linearisations of each descent.
    merge : float
        Ends closer than this, in widths of the box, are one minimum.

    Notes
    -----
    At factors above 1 an objective with terms that count every pixel of the window's edge is asked without them
    (``coarse``): wide lines leave any window.
    """

    n_start: int = 10
    widths: tuple[float, ...] = (12.0, 4.0, 1.0)
    max_step: int = 40
    merge: float = 0.02
    kind: str = "descents"

    def __post_init__(self):
        object.__setattr__(self, "widths", tuple(float(w) for w in self.widths))
        falling = all(a > b for a, b in zip(self.widths, self.widths[1:], strict=False))
        if not self.widths or not falling or self.widths[-1] != 1.0:
            raise FitError(
                "the widths of descents fall to one",
                where="strategy.widths",
                expected="such as [12, 4, 1]",
                got=list(self.widths),
            )

    def minimise(self, function, box, seed):
        """Return the minima of a :class:`~spinscape.infer.problem.Problem`; equal seeds give equal results.

        ``n_start`` of a minimum are the starts whose descents came there.
        """
        if not hasattr(function, "linearise"):
            raise FitError(
                "Gauss-Newton descents need a forward model and an objective",
                where="strategy.kind: descents",
                fix="use the strategy multistart",
            )
        problems = [function if width == 1.0 else function.blurred(width) for width in self.widths]
        minima = [self._start(problems[0], box, seed, replica) for replica in range(self.n_start)]
        for problem in problems:
            minima = self._stage(problem, minima, box)
        calls = [problem.calls for problem in problems]
        n_call, n_unstable = sum(c.n_call for c in calls), sum(c.n_unstable for c in calls)
        return SearchResult(tuple(minima), n_call, n_unstable, asdict(self))

    def _stage(self, problem, minima, box):
        """Return the distinct ends of descents from some minima, the lowest first."""
        alive = [m for m in minima if np.isfinite(problem(m.parameters))]
        require_finite(np.array([0.0 if alive else np.inf]), where="strategy descents: box")
        how = {"box": box, "max_step": self.max_step, "tolerance": TOLERANCE}
        ends = [gauss_newton(problem, m.parameters, **how) for m in alive]
        parameters, values = [end.parameters for end in ends], [end.value for end in ends]
        return merged_minima(parameters, values, [m.n_start for m in alive], box=box, tolerance=self.merge)

    def _start(self, problem, box, seed, replica, *, n_try=1000):
        """Return a random point of the box with a stable state, as a minimum to descend from."""
        generator = stream(seed, "start", "descents", *box.names, replica=replica)
        for _ in range(n_try):
            here = box.from_unit(generator.random(len(box.names)))
            value = problem(here)
            if np.isfinite(value):
                return Minimum(here, value, 1)
        require_finite(np.full(n_try, np.inf), where="strategy descents: box")
        raise AssertionError("unreachable")
