"""A fit that follows a running measurement: couplings with intervals, what is still needed, and when to stop."""

from dataclasses import dataclass, field, replace

import numpy as np

from ..errors import FitError, SpinscapeError
from .gauss_newton import gauss_newton
from .intervals import few_counts, information_covariance, instrument_warnings, interval_width, profile_interval
from .planning import counts_needed
from .weighted_sum import as_likelihood

AGAIN = 2.0
"""The whole box is searched again when the counts have grown by this factor: few may show a false minimum."""

BELIEVED = 0.1
"""How far widths of lines are believed to be off the declared ones where more counts are foretold, relative."""
LOST = 30.0
"""A minimum whose deviance lies this much above the best is followed no further."""
PROFILE_TOLERANCE = 0.05
"""Of the ends of an interval, in standard deviations."""


@dataclass(frozen=True)
class Goal:
    """When a measurement may stop: a standard deviation of one coupling, of its value or in meV."""

    name: str
    relative: float | None = None
    absolute: float | None = None

    def target(self, value):
        """Return the standard deviation to be reached, meV."""
        return self.relative * abs(value) if self.relative is not None else self.absolute

    @classmethod
    def parse(cls, text):
        """Return the goal that a text says.

        >>> Goal.parse("J=1%")
        Goal(name='J', relative=0.01, absolute=None)
        >>> Goal.parse("Jp=0.05meV").absolute
        0.05
        """
        name, _, size = text.partition("=")
        unit = next((u for u in ("%", "meV") if size.strip().endswith(u)), None)
        try:
            value = float(size.strip().removesuffix(unit or "?"))
        except ValueError:
            value = 0.0
        if unit is None or not value > 0 or not name.strip():
            raise FitError("no precision to stop at", where="until", expected="J=1% or J=0.2meV", got=text)
        return cls(name.strip(), value / 100.0) if unit == "%" else cls(name.strip(), None, value)


@dataclass(frozen=True)
class Reading:
    """What a watched measurement says now.

    Parameters
    ----------
    counts : float
    couplings : tuple of str
        The free ones.
    values, stds : dict of str to float
        Of all parameters of the fit; couplings in meV. ``stds`` are those of the information, or where there are few
        counts what the profile likelihood's intervals of 95 % say, if that is more.
    target : float
        Standard deviation of the goal's coupling to be reached.
    needed : float
        Counts in all at which it is, as it looks now; infinite where the goal's coupling is not determined.
    done : bool
    searched : bool
        The whole box was searched for this reading.
    warnings : tuple of str
    profile : dict of str to (float, float)
        Intervals of 95 % of the couplings by the profile likelihood, where there are few counts.
    pending : bool
        The whole box is still to be searched: this is the fit from the minima known before, or from the best basin
        alone, and not the last word; never ``done``.
    """

    counts: float
    couplings: tuple[str, ...]
    values: dict[str, float]
    stds: dict[str, float]
    target: float
    needed: float
    done: bool
    searched: bool
    warnings: tuple[str, ...] = ()
    profile: dict[str, tuple[float, float]] = field(default_factory=dict)
    pending: bool = False

    def interval(self, name, level=0.95):
        """Return the interval of a parameter: at 95 % that of the profile, where there is one and it is the wider."""
        half = interval_width(level) * self.stds[name]
        central = self.values[name] - half, self.values[name] + half
        pair = self.profile.get(name, central)
        return pair if level == 0.95 and np.ptp(pair) >= np.ptp(central) * (1.0 - 1e-9) else central


@dataclass
class Watch:
    """Fits one state of a running measurement after the other.

    Parameters
    ----------
    problem_of : callable
        From a measurement to its :class:`~spinscape.infer.problem.Problem`.
    box : Box
    strategy : Strategy
        For searches of the whole box.
    goal : Goal
    seed : int
    """

    problem_of: object
    box: object
    strategy: object
    goal: Goal
    seed: int = 0
    _minima: list = field(default_factory=list, repr=False)
    _searched_at: float = field(default=0.0, repr=False)
    _state: tuple = field(default=(), repr=False)

    def update(self, measurement, counts):
        """Return the :class:`Reading` of a measurement with ``counts`` counts in its valid pixels.

        From the minima of the reading before; from the best basin of the box where there are none, or the counts have
        become fewer: then it is another measurement. After that, and where the counts have doubled since the last
        search, one is due: the reading is ``pending``, and :meth:`search` says the rest.
        """
        problem = self.problem_of(measurement)
        problem = replace(problem, objective=as_likelihood(problem.objective))
        if self.goal.name not in problem.forward.coupling_names:
            raise FitError("the precision asked for is that of no free coupling", where="until",
                           expected=", ".join(problem.forward.coupling_names), got=self.goal.name)  # fmt: skip
        self._state = problem, counts
        if not self._minima or counts < self._searched_at:
            self._minima = []
            return self._first()
        ends = _descents(problem, self._minima, self.box)
        if not ends:
            return self.search()
        self._minima = _kept(ends, self.box)
        return self._reading(problem, ends[0][1], counts, pending=counts >= AGAIN * self._searched_at)

    def _first(self):
        """Return the reading from the lowest point of the strategy's scan alone, where it descends from several.

        No minimum of it is kept, so that the search goes as if this had not been: the scan and the one descent are
        done twice, about half of a search's time again, for an answer that does not wait for the other descents.
        """
        problem, counts = self._state
        if getattr(self.strategy, "n_refine", 1) < 2:
            return self.search()
        try:
            found = replace(self.strategy, n_refine=1).minimise(problem.counting(), self.box, self.seed)
        except SpinscapeError:
            # The lowest point may have no stable state where lines are narrow; another one has, or the search says why.
            return self.search()
        return self._reading(problem, found.best.parameters, counts, pending=True)

    def search(self):
        """Return the :class:`Reading` of the last state, the whole box searched."""
        problem, counts = self._state
        found = self.strategy.minimise(problem.counting(), self.box, self.seed).minima[:2]
        self._searched_at = counts
        ends = [(m.objective, m.parameters) for m in found] + _descents(problem, self._minima, self.box)
        if not ends:
            raise FitError("no fit of this state of the measurement ends in a minimum", where="watch")
        self._minima = _kept(ends, self.box)
        return self._reading(problem, min(ends, key=_value)[1], counts, searched=True)

    def _reading(self, problem, best, counts, *, searched=False, pending=False):
        warnings = list(instrument_warnings(self.box, best))
        names, index = self.box.names, self.box.names.index(self.goal.name)
        try:
            covariance = information_covariance(problem, best, self.box)
            stds, later = covariance.std, foretold_std(problem, best, self.box, covariance, index)
        except SpinscapeError as error:
            stds, later = np.full(len(best), np.inf), np.inf
            warnings.append(str(error).splitlines()[0])
        values, spread = dict(zip(names, best.tolist(), strict=True)), dict(zip(names, stds.tolist(), strict=True))
        target = self.goal.target(values[self.goal.name])
        # With more counts the likelihood becomes a parabola: what is foretold is of the information.
        needed = counts_needed(counts, later, target)
        profile = self._profile(problem, best, spread, warnings)
        for name, pair in profile.items():
            spread[name] = max(spread[name], 0.5 * float(np.ptp(pair)) / interval_width(0.95))
        std = spread[self.goal.name]
        # A coupling at the bound of its interval has no error of its own: nothing is known of it yet.
        known = 0 < std < np.inf
        needed = needed if known else np.inf
        return Reading(
            counts,
            problem.forward.coupling_names,
            values,
            spread,
            target,
            needed,
            bool(known and std <= target and not pending),
            searched,
            tuple(warnings),
            profile,
            pending,
        )

    def _profile(self, problem, best, spread, warnings):
        """Return the intervals of 95 % of the couplings, name → pair, where there are few counts."""
        out = {}
        for name in problem.forward.coupling_names if few_counts(problem.objective) else ():
            if not 0 < spread[name] < np.inf:
                continue
            try:
                out[name] = profile_interval(problem, best, self.box, name, tolerance=PROFILE_TOLERANCE)
            except SpinscapeError as error:
                warnings.append(f"no profile of {name}: {error.what}")
        return out


def foretold_std(problem, best, box, covariance, index):
    """Return the standard deviation of a parameter by which more counts are foretold.

    That of the information where the widths of the lines are believed to be what is declared, to :data:`BELIEVED`: few
    counts make them narrow or wide by chance, and the information of a narrow line is large. The other parameters
    follow along the valley. With more counts the fit's own width has its way.

    Parameters
    ----------
    problem : Problem
    best : (n_parameter,) float64
    box : Box
    covariance : Covariance
        Of the information at ``best``.
    index : int
    """
    for name, declared in {"ln_fwhm_factor": 0.0, "fwhm_factor": 1.0}.items():
        if name in box.names and covariance.along(unit := np.eye(len(best))[box.names.index(name)]) > 0:
            moved = covariance.matrix @ unit
            variance = float(unit @ moved)
            step = (declared - float(unit @ best)) * variance / (variance + BELIEVED**2)
            near = box.clip(best + moved / variance * step)
            if problem.predict(near) is not None:
                return float(information_covariance(problem, near, box).std[index])
    return float(covariance.std[index])


def _descents(problem, starts, box):
    """Return (value, parameters) of the ends of descents, the lowest first."""
    ends = [end for start in starts if (end := _descended(problem, start, box)) is not None]
    return sorted([(end.value, end.parameters) for end in ends], key=_value)


def _value(end):
    return end[0]


def _kept(ends, box):
    """Return at most two minima that are followed on, the best first.

    The others until the whole box is searched again: twice the counts will not bring them so far down.
    """
    lowest = min(value for value, _ in ends)
    alive = [parameters for value, parameters in sorted(ends, key=_value) if value <= lowest + LOST]
    return _distinct(alive, box)[:2]


def _descended(problem, start, box):
    try:
        return gauss_newton(problem, start, box=box, max_step=60)
    except SpinscapeError:
        return None


def _distinct(points, box):
    out = []
    for point in points:
        if all(np.abs(box.to_unit(point) - box.to_unit(other)).max() > 0.02 for other in out):
            out.append(point)
    return out
