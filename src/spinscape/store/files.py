"""Small result files: whole, or not there."""

import contextlib
import os
import tempfile
from pathlib import Path

import h5py

from ..errors import StoreError


def write_whole(path, data):
    """Write bytes, or text as UTF-8, so that the file is the old one or the new one at any moment.

    Raises
    ------
    StoreError
        Where the disk is full or the folder cannot be written; what was there stays.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".part-", delete=False) as out:
            temporary = Path(out.name)
            out.write(data.encode() if isinstance(data, str) else data)
            out.flush()
            os.fsync(out.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError as error:
        raise StoreError(
            "a file cannot be written",
            where=str(path),
            got=error.strerror or str(error),
            fix="check the folder and the free space; nothing that was there is lost",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            if temporary is not None:
                temporary.unlink(missing_ok=True)


def hdf5_bytes(fill):
    """Return the bytes of an HDF5 file that ``fill(file)`` fills.

    Made in memory: on a full disk the HDF5 library crashes when it closes a file.
    """
    with h5py.File("memory.h5", "w", driver="core", backing_store=False) as file:
        fill(file)
        file.flush()
        return file.id.get_file_image()
