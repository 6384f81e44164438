"""Strategy ``particle_swarm``: particles that fly towards the best places seen by themselves and by all."""

from dataclasses import asdict, dataclass

import numpy as np

from ..rng import stream
from .gauss_newton import gauss_newton
from .search import Counted, SearchResult, merged_minima, require_finite
from .simplex import nelder_mead

PHI = 4.1
"""Pull of both best places together, as in SpinW (``ndbase.pso``); above 4 the flight converges."""
CONSTRICTION = 2.0 / (PHI - 2.0 + np.sqrt(PHI**2 - 4.0 * PHI))
"""Factor on every velocity, 0.7298. Source: Clerc and Kennedy, IEEE Trans. Evol. Comput. 6, 58 (2002), eq. 4.13."""


@dataclass(frozen=True)
class ParticleSwarm:
    """Several independent swarms; the best place of each is finished by Gauss-Newton, or by a simplex.

        v ← χ (v + φ/2 u₁ (own best − x) + φ/2 u₂ (swarm's best − x)),   x ← x + v

    u₁, u₂ are uniform in [0, 1] in each coordinate. A particle that would leave the box stops at its wall.

    Parameters
    ----------
    n_particle : int
    n_step : int
        Steps at most.
    n_swarm : int
        Swarms with starts of their own: each tells one minimum.
    spread : float
        A swarm ends when its own bests lie closer than this, in widths of the box.
    merge : float
        Ends closer than this, in widths of the box, are one minimum.
    """

    n_particle: int = 20
    n_step: int = 100
    n_swarm: int = 3
    spread: float = 1e-3
    merge: float = 0.02
    kind: str = "particle_swarm"

    def minimise(self, function, box, seed):
        """Return the minima of ``function`` over ``box``; equal seeds give equal results."""
        counted = Counted(function)
        ends = [self._fly(counted, box, seed, replica) for replica in range(self.n_swarm)]
        require_finite(np.array([value for _, value in ends]), where="strategy particle_swarm: box")
        finished = [_finished(counted, x, box) for x, value in ends if np.isfinite(value)]
        minima = merged_minima(
            [x for x, _ in finished], [v for _, v in finished], [1] * len(finished), box=box, tolerance=self.merge
        )
        calls = getattr(function, "calls", None)
        n_call = counted.n_call if calls is None else calls.n_call
        return SearchResult(minima, n_call, counted.n_infinite, asdict(self))

    def _fly(self, counted, box, seed, replica):
        """Return the best place of one swarm and its value; +inf where no place was stable."""
        generator = stream(seed, "start", "particle_swarm", *box.names, replica=replica)
        x = generator.random((self.n_particle, len(box.names)))
        v = generator.uniform(-0.5, 0.5, x.shape)
        best, value = x.copy(), np.array([counted(box.from_unit(one)) for one in x])
        for _ in range(self.n_step):
            leader = best[np.argmin(value)]
            own, all_ = generator.random(x.shape), generator.random(x.shape)
            v = CONSTRICTION * (v + 0.5 * PHI * (own * (best - x) + all_ * (leader - x)))
            x, v = _inside(x + v, v)
            here = np.array([counted(box.from_unit(one)) for one in x])
            better = here < value
            best[better], value[better] = x[better], here[better]
            if np.ptp(best, axis=0).max() < self.spread:
                break
        return box.from_unit(best[np.argmin(value)]), float(value.min())


def _inside(x, v):
    """Return places and velocities of particles that stop at the walls of the unit cube."""
    clipped = np.clip(x, 0.0, 1.0)
    return clipped, np.where(clipped == x, v, 0.0)


def _finished(counted, start, box):
    problem = counted.function
    if hasattr(problem, "linearise"):
        end = gauss_newton(problem, start, box=box, max_step=60)
        return end.parameters, end.value
    end = nelder_mead(counted, start, box=box, size=0.02, tolerance=1e-6, max_call=2000)
    return end.parameters, end.value
