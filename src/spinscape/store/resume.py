"""Resuming: what earlier runs left behind is taken over, point by point."""

import json
from pathlib import Path

import numpy as np

from ..errors import SpinscapeError
from .lock import locked_if_idle
from .write import WorkStore, storing


def work_path(folder, header):
    """Return where the work store of a batch lies."""
    return Path(folder) / f"{header.key[:16]}.zarr"


def prepare_work_store(folder, header, *, keep=("done", "unstable", "not_equilibrated")):
    """Return the work store of a batch, with every point that an earlier run left in ``folder``.

    A store's name is a hash of its points and of all that its values depend on: a changed plan makes a store of
    another name, which takes the results of the points that it shares with those beside it (same id, same origin),
    unless another process is at work on them. Stores of another origin are left as they are.

    Parameters
    ----------
    folder : str or Path
    header : StoreHeader
    keep : tuple of str
        Codes that are results; points with any other code are done again.

    Returns
    -------
    WorkStore
    """
    path = work_path(folder, header)
    results = [header.result_codes[code] for code in keep if code in header.result_codes]
    store = _opened(path)
    if store is not None:
        _forget_unsound(store, results)
    else:
        if path.exists():
            _move_aside(path)
        store = WorkStore.create(path, header)
    for other in sorted(Path(folder).glob("*.zarr")):
        if other != path:
            with locked_if_idle(other) as idle:
                # A store that is being worked on is sealed and deleted by its own job.
                if idle:
                    _adopt(store, other, results)
    return store


def _opened(path):
    try:
        return WorkStore.open(path) if path.exists() else None
    except SpinscapeError:
        return None


def _move_aside(path):
    number = 1
    while (aside := path.with_name(f"{path.stem}.unreadable-{number}")).exists():
        number += 1
    with storing(path):
        path.replace(aside)


def _forget_unsound(store, results):
    """Make points absent that have no result, or whose data were lost.

    An absent point may have a message too: that of a job killed before it wrote the state.
    """
    for index, state in enumerate(store.states()):
        if state not in results or not _holds(store, index, state):
            store.forget(index)


def _holds(store, index, state):
    """Tell whether a store holds all that a point of this state must have."""
    return state not in store.header.states_with_arrays or store.is_sound(index)


def _adopt(store, path, results):
    """Copy into ``store`` what another store holds of its absent points."""
    other = _opened(path)
    if other is None or other.header.result_key != store.header.result_key:
        return
    there = {point: k for k, point in enumerate(other.header.point_ids)}
    theirs = other.states()
    for index in np.flatnonzero(store.states() == 0):
        source = there.get(store.header.point_ids[index])
        if source is not None and theirs[source] in results and _holds(other, source, theirs[source]):
            _copy_point(store, index, other, source, theirs[source])


def _copy_point(store, index, other, source, state):
    code = next(name for name, number in store.header.result_codes.items() if number == state)
    done = state in store.header.states_with_arrays
    store.write(
        index,
        code,
        arrays={name: other.row(name, source) for name in store.header.template} if done else None,
        message=other.text("message", source),
        diagnostics=json.loads(other.text("diagnostics", source) or "{}"),
    )
