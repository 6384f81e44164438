"""The work store: a Zarr folder that many processes fill point by point, and that survives a kill at any moment.

A chunk holds one point and has one writing process. A point's ``state`` is written after its data, so that a
point is done or absent, never half there.
"""

import errno
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import zarr
from zarr.storage import LocalStore

from ..errors import StoreError
from .contracts import DIAGNOSTICS_WIDTH, canonical_json
from .layout import TEXT_WIDTH, create_arrays, read_header, row_text, text_row

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
        self._arrays = {name: group[name] for name in ("state", *TEXT_WIDTH)}
        # A chunk of zeros is a result like any other: its file is the proof that it was written.
        self._arrays |= {name: group[name].with_config({"write_empty_chunks": True}) for name in header.template}

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
        """Make a point absent again, with all that was said of it; its arrays are written over in time."""
        with storing(self.path):
            for name in ("state", *TEXT_WIDTH):
                self._arrays[name][index] = 0

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


def remove_work_store(store):
    """Delete a work store whose results are sealed."""
    shutil.rmtree(store.path, ignore_errors=True)
