"""Strategy ``descents``: Gauss-Newton descents from random starts, at coarse energy resolution first."""

from dataclasses import asdict, dataclass

import numpy as np

from ..errors import FitError
from ..rng import stream
from .gauss_newton import gauss_newton
from .search import Counted, SearchResult, merged_minima, require_finite

COARSE_TOLERANCE = 0.1
"""How near to its minimum a descent at coarse resolution is taken, in standard deviations."""


@dataclass(frozen=True)
class Descents:
    """Damped Gauss-Newton descents, each from one random point of the box, through ever finer energy resolution.

    Sharp lines make many false minima: a band that is off by more than its width gains nothing from a small move. Lines
    that are ``widths[0]`` times as wide overlap the data from afar; the end of that descent starts the next one.

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
    max_step: int = 30
    merge: float = 0.02
    kind: str = "descents"

    def __post_init__(self):
        object.__setattr__(self, "widths", tuple(float(w) for w in self.widths))
        falling = all(a > b for a, b in zip(self.widths, self.widths[1:], strict=False))
        if not self.widths or not falling or self.widths[-1] != 1.0:
            raise FitError(
                "the widths of descents fall to one", where="strategy.widths", expected="such as [12, 4, 1]",
                got=list(self.widths),
            )  # fmt: skip

    def minimise(self, function, box, seed):
        """Return the minima of a :class:`~spinscape.infer.problem.Problem`; equal seeds give equal results."""
        if not hasattr(function, "blurred"):
            raise FitError(
                "Gauss-Newton descents need a forward model and an objective",
                where="strategy.kind: descents",
                fix="use the strategy multistart",
            )
        problems = [function if width == 1.0 else function.blurred(width) for width in self.widths]
        counted = [Counted(problem) for problem in problems]
        ends = [self._descend(counted, box, seed, replica) for replica in range(self.n_start)]
        values = [counted[-1](end) for end in ends]
        require_finite(np.array(values), where="strategy descents: box")
        minima = merged_minima(ends, values, [1] * len(ends), box=box, tolerance=self.merge)
        calls = {id(problem.calls): problem.calls for problem in problems}.values()
        n_call, n_unstable = sum(c.n_call for c in calls), sum(c.n_unstable for c in calls)
        return SearchResult(minima, n_call, n_unstable, asdict(self))

    def _descend(self, counted, box, seed, replica):
        """Return the end of one descent, (n_parameter,)."""
        here = _start(counted[0], box, stream(seed, "start", "descents", *box.names, replica=replica))
        for problem in counted:
            last = problem is counted[-1]
            if not np.isfinite(problem(here)):
                return here
            tolerance = {} if last else {"tolerance": COARSE_TOLERANCE}
            here = gauss_newton(problem.function, here, box=box, max_step=self.max_step, **tolerance).parameters
        return here


def _start(counted, box, generator, *, n_try=1000):
    """Return a random point of the box with a stable state."""
    for _ in range(n_try):
        here = box.from_unit(generator.random(len(box.names)))
        if np.isfinite(counted(here)):
            return here
    require_finite(np.full(n_try, np.inf), where="strategy descents: box")
    raise AssertionError("unreachable")
