"""Sealed batches that are kept under the hash of what they hold, for batches whose names do not tell their points.

The batch of a round has a fixed name, and its points may change: where they are chosen anew, Snakemake deletes the
sealed file before the job begins. A second name for the same file (a hard link, no further space) outlives that, and
points that are wanted again are taken from it.
"""

import os
from pathlib import Path

import numpy as np

from ..errors import StoreError
from .read import open_batch
from .write import storing


def kept_path(folder, header):
    """Return where a batch of this content is kept."""
    return Path(folder) / f"{header.key[:16]}.zarr.zip"


def keep_sealed(sealed, folder, header):
    """Give a sealed file its second name; files whose values depend on something else are let go.

    Where the file system has no hard links nothing is kept: points are then simulated again.
    """
    path = kept_path(folder, header)
    with storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    for other in path.parent.glob("*.zarr.zip"):
        if other != path and _result_key(other) != header.result_key:
            other.unlink(missing_ok=True)
    _link(sealed, path)


def take_whole(folder, header, output):
    """Put a kept batch of the same content in place of ``output``; tell whether there was one."""
    path = kept_path(folder, header)
    try:
        with open_batch(path, study=header.study) as batch:
            same = batch.header.key == header.key
    except StoreError:
        return False
    output = Path(output)
    with storing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        if same and _link(path, output):
            # Not older than the plan that asks for it.
            output.touch()
            return True
    return False


def take_points(store, folder, *, keep=("done", "unstable", "not_equilibrated")):
    """Copy into a work store what kept batches hold of its absent points; the number of points that were copied."""
    header, count = store.header, 0
    results = [header.result_codes[code] for code in keep if code in header.result_codes]
    for path in sorted(Path(folder).glob("*.zarr.zip")):
        wanted = np.flatnonzero(store.states() == 0)
        try:
            with open_batch(path, study=header.study) as batch:
                if len(wanted) and batch.header.result_key == header.result_key:
                    count += _copied(store, wanted, batch, results)
        except StoreError:
            # A damaged file is no loss but of time.
            continue
    return count


def _copied(store, wanted, batch, results):
    there = {point: row for row, point in enumerate(batch.header.point_ids) if batch.state[row] in results}
    codes = {number: name for name, number in batch.header.result_codes.items()}
    found = [
        (index, there[store.header.point_ids[index]]) for index in wanted if store.header.point_ids[index] in there
    ]
    for index, row in found:
        arrays = {name: batch.read(name, row) for name in store.header.template} if batch.done[row] else None
        code, notes = codes[int(batch.state[row])], batch.diagnostics(row)
        store.write(index, code, arrays=arrays, message=batch.message(row), diagnostics=notes)
    return len(found)


def _result_key(path):
    try:
        with open_batch(path) as batch:
            return batch.header.result_key
    except StoreError:
        return None


def _link(source, target):
    """Give a file a second name in one step; tell whether the file system could."""
    young = target.with_name(f".{target.name}.young-{os.getpid()}")
    try:
        young.unlink(missing_ok=True)
        os.link(source, young)
        young.replace(target)
        # Two names of one file: a rename of one onto the other does nothing.
        young.unlink(missing_ok=True)
    except OSError:
        return False
    return True
