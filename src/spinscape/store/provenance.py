"""Where a file comes from: versions, machine, time. Never part of what counts as its values."""

import datetime
import os
import platform
from importlib import metadata

from .. import __version__

PACKAGES = ("numpy", "scipy", "numba", "torch", "zarr", "h5py", "spglib", "mpi4py", "snakemake")


def versions(packages=PACKAGES):
    """Return the versions of Python, this package and those of ``packages`` that are installed.

    They are read from the installed metadata: nothing is imported.

    >>> sorted(versions(("numpy",)))
    ['numpy', 'python', 'spinscape']
    """
    out = {"python": platform.python_version(), "spinscape": __version__}
    for name in packages:
        try:
            out[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return out


def provenance(*, code=None, **more):
    """Return a record of the making of a file: plain values.

    Parameters
    ----------
    code : str, optional
        Fingerprint of the code that made it.
    **more
        Anything else that is plain: seeds, sums of the inputs, timings.
    """
    return {
        "made": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": versions(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "code": code,
        **more,
    }
