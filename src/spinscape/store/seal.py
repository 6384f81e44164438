"""Sealing: a finished work store becomes one read-only zip, whole or not at all."""

import os
import zipfile
from pathlib import Path

import numpy as np
from zarr.storage import MemoryStore

from ..errors import StoreError
from .layout import TEXT_WIDTH, create_arrays
from .read import open_batch
from .write import storing

EPOCH = (1980, 1, 1, 0, 0, 0)


def seal(work, output, *, provenance=None):
    """Write the points of a work store into a zip next to its final name, read it back, and rename it.

    Parameters
    ----------
    work : WorkStore
        Every point has a result.
    output : str or Path
        ``….zarr.zip``; what stood there is replaced in one step.
    provenance : dict, optional
        Kept as an attribute; not part of the values.

    Returns
    -------
    Path
    """
    output = Path(output)
    states = work.states()
    if absent := np.flatnonzero(states == 0).tolist():
        raise StoreError(
            "a store with absent points cannot be sealed",
            where=str(work.path),
            expected=f"{len(states)} results",
            got=f"{len(states) - len(absent)}; absent: {absent[:5]}",
            fix="run the batch again: it goes on where it stopped",
        )
    young = output.with_name(f".{output.name}.young-{os.getpid()}")
    try:
        with storing(output):
            output.parent.mkdir(parents=True, exist_ok=True)
            _write_zip(young, work, states, provenance or {})
            _check_sums(young)
        open_batch(young, study=work.header.study).close()
        with storing(output):
            young.replace(output)
            _sync_folder(output.parent)
    finally:
        young.unlink(missing_ok=True)
    return output


def _write_zip(path, work, states, provenance):
    with path.open("wb") as raw:
        with zipfile.ZipFile(raw, "w", zipfile.ZIP_STORED) as archive:
            for name, data in _skeleton(work, states, provenance):
                _add(archive, name, data)
            for index in np.flatnonzero(np.isin(states, work.header.states_with_arrays)):
                for name in work.header.template:
                    chunk = work.chunk_path(name, index)
                    _add(archive, chunk.relative_to(work.path).as_posix(), chunk.read_bytes())
        raw.flush()
        os.fsync(raw.fileno())


def _add(archive, name, data):
    # A fixed date: the same points make the same file.
    archive.writestr(zipfile.ZipInfo(name, EPOCH), data)


def _skeleton(work, states, provenance):
    """Return (name, bytes) of all but the results: metadata, θ, coordinates, states and texts."""
    entries = {}
    rows_per_chunk = max(work.header.n_point, 1)
    group = create_arrays(
        MemoryStore(entries), work.header, rows_per_chunk=rows_per_chunk, attributes={"provenance": provenance}
    )
    group["state"][...] = states
    for name in TEXT_WIDTH:
        group[name][...] = work.rows(name)
    return sorted((name, data.to_bytes()) for name, data in entries.items())


def _check_sums(path):
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise StoreError("the sealed file does not read back", where=str(path), got=damaged, fix="check the disk")


def _sync_folder(folder):
    """Make a rename survive a loss of power, where the file system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)
