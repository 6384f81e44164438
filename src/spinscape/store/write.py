"""The work store: a Zarr folder that many processes fill point by point, and that survives a kill at any moment.

A chunk holds one point and has one writing process. A point's ``state`` is written after its data, so that a
point is done or absent, never half there.
"""

import errno
import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import zarr
from zarr.storage import LocalStore

from ..errors import SpinscapeError, StoreError
from .contracts import DIAGNOSTICS_WIDTH, canonical_json
from .layout import create_arrays, read_header, row_text, text_row

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def storing(where):
    """Turn the operating system's refusal to write into one :class:`StoreError`."""
    try:
        yield
    except OSError as error:
        full = error.errno in DISK_FULL
        raise StoreError(
            "the disk is full" if full else "the store cannot be written",
            where=str(where),
            got=f"{type(error).__name__}: {error}",
            fix="make room, then start again: the points that are done are kept"
            if full
            else "check the disk and its permissions, then start again: the points that are done are kept",
        ) from error


class WorkStore:
    """A folder of points under way.

    Parameters
    ----------
    path : Path
    header : StoreHeader
    group : zarr.Group
    """

    def __init__(self, path, header, group):
        self.path, self.header = Path(path), header
        self._arrays = {name: group[name] for name in ("state", "message", "diagnostics", *header.template)}

    @classmethod
    def create(cls, path, header):
        """Create a store in which every point is absent; it appears under its name when it is whole."""
        path = Path(path)
        young = path.with_name(f".{path.name}.young-{os.getpid()}")
        with storing(path):
            shutil.rmtree(young, ignore_errors=True)
            young.mkdir(parents=True)
            create_arrays(LocalStore(young), header, rows_per_chunk=1)
            young.replace(path)
        return cls.open(path)

    @classmethod
    def open(cls, path):
        """Open a store for writing."""
        try:
            group = zarr.open_group(LocalStore(path), mode="r+")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StoreError("the work store cannot be read", where=str(path), got=str(error)) from error
        return cls(path, read_header(group, where=str(path)), group)

    def states(self):
        """Return the result code of every point, (n_point,) int8."""
        return self._arrays["state"][...]

    def n_recorded(self):
        """Return the number of points that have a result, by counting files: cheap, for progress."""
        folder = self.path / "state" / "c"
        return sum(1 for entry in os.scandir(folder) if entry.name.isdigit()) if folder.is_dir() else 0

    def write(self, index, code, *, arrays=None, message="", diagnostics=None):
        """Store the result of one point: data first, state last.

        Parameters
        ----------
        index : int
        code : str
            A key of the header's result codes.
        arrays : dict of str to array, optional
            Each of the template's shape; needed for code ``"done"``.
        message : str
        diagnostics : dict, optional
        """
        with storing(self.path):
            for name in self.header.template if arrays is not None else ():
                self._arrays[name][index] = arrays[name]
            if message:
                self._arrays["message"][index] = text_row(message, "message")
            if diagnostics:
                self._arrays["diagnostics"][index] = text_row(diagnostics_text(diagnostics), "diagnostics")
            self._arrays["state"][index] = np.int8(self.header.result_codes[code])

    def row(self, name, index):
        """Return one point's part of an array as it is stored."""
        return self._arrays[name][index]

    def rows(self, name):
        """Return an array of all points as it is stored."""
        return self._arrays[name][...]

    def text(self, name, index):
        """Return one point's message or diagnostics as text."""
        return row_text(self.row(name, index))

    def forget(self, index):
        """Make a point absent again."""
        with storing(self.path):
            self._arrays["state"][index] = np.int8(0)

    def is_sound(self, index):
        """Tell whether the data of a point that counts as done can be read.

        A machine that loses power may keep the state and lose the data that were written before it.
        """
        try:
            for name, spec in self.header.template.items():
                if not self.chunk_path(name, index).is_file() or self.row(name, index).shape != tuple(spec["shape"]):
                    return False
        except (OSError, ValueError, RuntimeError):
            return False
        return True

    def chunk_path(self, name, index):
        """Return the file of one point's part of an array (chunks hold one point)."""
        zeros = ["0"] * len(self.header.template[name]["shape"])
        return self.path.joinpath(name, "c", str(index), *zeros)


def diagnostics_text(diagnostics):
    """Return diagnostics as JSON, or a note of their size where they do not fit."""
    text = canonical_json(diagnostics)
    size = len(text.encode())
    return text if size <= DIAGNOSTICS_WIDTH else canonical_json({"left_out": f"diagnostics of {size} bytes"})


def prepare_work_store(folder, header, *, keep=("done", "unstable")):
    """Return the work store of a batch, with every point that an earlier run left in ``folder``.

    A store's name is a hash of its points and of all that its values depend on: a changed plan makes a store of
    another name, which takes the results of the points that it shares with those beside it (same id, same origin).
    Stores of another origin are left as they are.

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
    folder = Path(folder)
    path = work_path(folder, header)
    store = _opened(path)
    if store is None:
        if path.exists():
            _move_aside(path)
        store = WorkStore.create(path, header)
    results = [header.result_codes[code] for code in keep]
    _forget_unsound(store, results)
    for other in sorted(folder.glob("*.zarr")):
        if other != path:
            _adopt(store, other, results)
    return store


def work_path(folder, header):
    """Return where the work store of a batch lies."""
    return Path(folder) / f"{header.key[:16]}.zarr"


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
    """Make points absent that have no result, or whose data were lost."""
    states = store.states()
    for index in np.flatnonzero(states):
        if states[index] not in results or not _holds(store, index, states[index]):
            store.forget(index)


def _holds(store, index, state):
    """Tell whether a store holds all that a point of this state must have."""
    return state != store.header.result_codes["done"] or store.is_sound(index)


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
    done = state == store.header.result_codes["done"]
    store.write(
        index,
        code,
        arrays={name: other.row(name, source) for name in store.header.template} if done else None,
        message=other.text("message", source),
        diagnostics=json.loads(other.text("diagnostics", source) or "{}"),
    )


def remove_work_store(store):
    """Delete a work store whose results are sealed."""
    shutil.rmtree(store.path, ignore_errors=True)
