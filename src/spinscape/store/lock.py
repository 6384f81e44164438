"""Locks on work stores: one job at a time writes a store, and a killed job's lock ends with its process."""

import fcntl
import os
import time
from contextlib import contextmanager
from pathlib import Path

from ..errors import StoreError
from .write import storing


@contextmanager
def locked(path, *, patience):
    """Hold the lock of a work store.

    Parameters
    ----------
    path : str or Path
        The store; the lock lies beside it and is removed with it.
    patience : float, s
        How long to wait for another process to let go.

    Raises
    ------
    StoreError
        Where another process keeps the lock.
    """
    deadline = time.monotonic() + patience
    while True:
        with locked_if_idle(path) as is_mine:
            if is_mine:
                yield
                return
        if time.monotonic() >= deadline:
            raise StoreError(
                "another process works on this batch", where=str(path), fix="wait for it to end, or end it first"
            )
        time.sleep(0.1)


@contextmanager
def locked_if_idle(path):
    """Hold the lock of a work store where nobody else has it; the value of the block's variable says whether."""
    path = Path(path).with_suffix(".lock")
    descriptor = _take(path)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            path.unlink(missing_ok=True)
            os.close(descriptor)


def _take(path):
    """Return the open descriptor of a locked file, or None where another process has it."""
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    if _is_locked(descriptor) and _has_its_name(descriptor, path):
        return descriptor
    os.close(descriptor)
    return None


def _is_locked(descriptor):
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        # A file system without locks: the workflow's own lock has to do.
        return True
    return True


def _has_its_name(descriptor, path):
    """Tell whether a locked file is still the one of that name: its last owner may have removed it meanwhile."""
    try:
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except OSError:
        return False
