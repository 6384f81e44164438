"""Ranks that work on one batch: what all of them must agree on, with and without MPI."""

import time
import traceback

from ..errors import SpinscapeError

_NAP = 0.02
"""Seconds between looks whether the others have come."""


class SingleRank:
    """The communicator of one process, where MPI is not wanted."""

    rank, size = 0, 1

    def Split(self, color=0, key=0):  # noqa: N802 - the name of mpi4py
        """Return itself: one rank cannot be split."""
        return self

    def bcast(self, value, root=0):
        """Return the value."""
        return value

    def allgather(self, value):
        """Return the value of the only rank."""
        return [value]


def together(communicator, function):
    """Call ``function`` on every rank; where one of them fails, all raise its error.

    Without this a rank that stops leaves the others waiting for it for ever.
    """
    value, error = None, None
    try:
        value = function()
    except SpinscapeError as caught:
        error = caught
    except Exception as caught:
        error = RuntimeError(f"{caught!r}\n{traceback.format_exc()}")
        error.__cause__ = caught if communicator.size == 1 else None
    _rest(communicator)
    first = next((e for e in communicator.allgather(error) if e is not None), None)
    if first is not None:
        raise first
    return value


def _rest(communicator):
    """Sleep until all ranks are here: MPI waits in a loop that takes a core from those that still work."""
    if hasattr(communicator, "Ibarrier"):
        request = communicator.Ibarrier()
        while not request.Test():
            time.sleep(_NAP)


def on_root(communicator, function):
    """Call ``function`` on rank 0 and return its value on every rank; its error is everyone's."""
    value = together(communicator, lambda: function() if communicator.rank == 0 else None)
    return communicator.bcast(value, root=0)
