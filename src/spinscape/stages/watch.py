"""``spinscape watch``: a fit that follows a file while it grows, and says when to stop."""

import io
import time
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import SpinscapeError
from ..infer.watching import Watch
from .open_fit import open_fit

QUIET = 0.2
"""Seconds for which a file must not have changed before it is read: whoever writes it has paused."""


@dataclass
class Follower:
    """Tells when a file holds a new state that is worth reading.

    Parameters
    ----------
    path : Path
    """

    path: Path
    _read: tuple = field(default=(), repr=False)
    _seen: tuple = field(default=(), repr=False)
    _since: float = field(default=0.0, repr=False)

    def changed(self, now):
        """Return whether the file differs from what was read last and has been quiet for :data:`QUIET` seconds."""
        try:
            stat = self.path.stat()
        except OSError:
            return False
        state = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        if state != self._seen:
            self._seen, self._since = state, now
            return False
        return state != self._read and now - self._since >= QUIET

    def taken(self):
        """Note that the state seen last was read, whether or not anything could be made of it."""
        self._read = self._seen


def readings(
    study, file, goal, *, fit=None, measurement=None, data_folder=None, poll=0.1, sleep=time.sleep, clock=time.monotonic
):
    """Follow a file; yield a :class:`~spinscape.infer.watching.Reading`, or the error, for each of its states.

    Of a state that the whole box is searched for there are two, first that from the minima known before, or from the
    best basin alone: it is the search that takes longest. While there is no file yet the study's own measurement is
    fitted, for its compiled functions to be ready.

    Parameters
    ----------
    study : Study
    file : str or Path
        The measurement's main file. A state that cannot be read, one that is half written for instance, yields the
        error; the next one is waited for. So is a file that is not there yet.
    goal : Goal
    fit, measurement : str, optional
        The study's only ones by default.
    data_folder : str or Path, optional
        Where the other files of the fit lie.
    poll : float, s
    sleep, clock : callable
        For tests.

    Yields
    ------
    Reading or SpinscapeError
    """
    follower, watch = Follower(Path(file)), None
    how = {"fit": fit, "measurement": measurement, "data_folder": data_folder}
    if not Path(file).exists():
        _warm_up(study, goal, how)
    while True:
        if not follower.changed(clock()):
            sleep(poll)
            continue
        follower.taken()
        try:
            if watch is None:
                one, watch = _opened(study, goal, how | {"file": file})
                state = one.current
            else:
                state = one.state(file)
            reading = watch.update(state, one.counts(state))
            yield reading
            if reading.pending:
                yield watch.search()
        except SpinscapeError as error:
            yield error


def _opened(study, goal, how):
    one = open_fit(study, **how)
    return one, Watch(one.problem, one.box, one.strategy, goal, study.seed)


def _warm_up(study, goal, how):
    """Answer for what the study has now: modules are read and functions compiled before the first change counts."""
    # Whoever watches a file need not hear that a simulated measurement stands in for it here.
    with redirect_stderr(io.StringIO()):
        try:
            one, watch = _opened(study, goal, how)
            watch.update(one.current, one.counts(one.current))
        except SpinscapeError:
            # The study may have no data yet. What is wrong with it the watched file's own error says.
            return


def sentence(reading, goal):
    """Return one line for a reading: counts, couplings with intervals, and what is still needed."""
    parts = []
    for name in reading.couplings:
        low, high = reading.interval(name)
        value = f"{name} = {reading.values[name]:.4g} ± {reading.stds[name]:.2g} meV"
        parts.append(f"{value} (95 %: {low:.4g} to {high:.4g})")
    size = f"{100 * goal.relative:.3g} %" if goal.relative is not None else f"{goal.absolute:.3g} meV"
    if reading.pending:
        end = "other basins not searched yet"
    elif reading.done:
        end = f"{goal.name} is known to {size}: stop"
    elif np.isfinite(reading.needed):
        times = reading.needed / reading.counts
        end = f"{goal.name} to {size} needs about {reading.needed:.3g} counts, {times:.2g} times as many"
    else:
        end = f"{goal.name} is not determined yet"
    return f"{reading.counts:.4g} counts: {', '.join(parts)}; {end}"
