"""Strategy ``robust_descents``: several descents with a loss that feels the model from afar, the best one refined."""

from dataclasses import asdict, dataclass

import numpy as np

from ..errors import FitError
from .basins import sobol_unit_points, starts_from_scan
from .gauss_newton import gauss_newton
from .problem import Problem
from .search import SearchResult, merged_minima, require_finite


@dataclass(frozen=True)
class RobustDescents:
    """Scan the box, descend from the best basins with the objective's ``coarse`` form, refine the best end.

    A loss that leaves out what is far away has no slope there: every start that is off by more than its cut is a
    minimum. Its coarse form (Student's law) has one basin where it has many.

    Parameters
    ----------
    n_scan : int
        Sobol points at which the coarse objective is asked.
    n_start : int
        Descents.
    n_refine : int
        Distinct ends that are refined with the objective itself; the one with the lowest coarse value is the answer.
    coarse_step, max_step : int
        Linearisations of each.
    merge : float
        Ends closer than this, in widths of the box, are one minimum.
    """

    n_scan: int = 24
    n_start: int = 5
    n_refine: int = 1
    coarse_step: int = 10
    max_step: int = 15
    merge: float = 0.02
    kind: str = "robust_descents"

    def minimise(self, function, box, seed):
        """Return the minima of a :class:`~spinscape.infer.problem.Problem`; equal seeds give equal results."""
        if not hasattr(getattr(function, "objective", None), "coarse"):
            raise FitError(
                "robust descents need an objective with a coarse form",
                where="strategy.kind: robust_descents",
                expected="objective: {kind: robust_tiled}",
                fix="use the strategy multistart",
            )
        coarse = Problem(function.forward, function.objective.coarse())
        unit = sobol_unit_points(self.n_scan, n_parameter=len(box.names), seed=seed, content=box.names)
        values = np.array([coarse(box.from_unit(u)) for u in unit])
        require_finite(values, where="strategy robust_descents: box")
        starts, weights = starts_from_scan(unit, values, n_start=self.n_start, n_neighbour=2 * unit.shape[1] + 2)
        how = {"box": box, "max_step": self.coarse_step, "tolerance": 0.3}
        ends = [gauss_newton(coarse, box.from_unit(unit[s]), **how) for s in starts]
        rough = merged_minima(
            [e.parameters for e in ends], [e.value for e in ends], weights, box=box, tolerance=self.merge
        )
        fine = [
            gauss_newton(function, m.parameters, box=box, max_step=self.max_step, tolerance=0.01)
            for m in rough[: self.n_refine]
        ]
        counts = [m.n_start for m in rough[: self.n_refine]]
        minima = merged_minima(
            [e.parameters for e in fine], [e.value for e in fine], counts, box=box, tolerance=self.merge
        )
        n_call = coarse.calls.n_call + function.calls.n_call
        n_unstable = coarse.calls.n_unstable + function.calls.n_unstable
        return SearchResult(minima, n_call, n_unstable, asdict(self), box.from_unit(unit), values)
