"""Compilation of kernels, with a cache that knows every kernel file.

Numba keeps compiled functions beside their source and compiles again when *that file* changes; a function that calls
one from another file would go on with the old code of it. Here the cache is stamped with the sources of all kernels.
"""

import hashlib
from pathlib import Path

import numba as nb
import numba.extending

OPTIONS = {"error_model": "numpy", "fastmath": {"contract"}, "nogil": True}
"""Contraction to fused multiply-adds, and no other freedom: the same source gives the same bits."""


def source_stamp(folder):
    """Return a hash of the Python files of a folder, of their names and contents.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    str
    """
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        data = path.read_bytes()
        digest.update(f"{path.name} {len(data)} ".encode() + data)
    return digest.hexdigest()


_STAMP = source_stamp(Path(__file__).parent)


def compiled(function):
    """Compile a kernel on its first call, and keep the machine code for later processes.

    Where the cache's internals are not what they are in the pinned numba, the function is compiled anew in each
    process: slower to start, never stale.
    """
    return _compiled(function, OPTIONS)


def borrowing(function):
    """Compile a kernel that allocates no array and keeps none: arrays are not counted as they are handed on.

    Counting is an atomic instruction for each array of each call: a loop that hands tuples of arrays to small
    functions spends most of its time on it.
    """
    return _compiled(function, OPTIONS | {"_nrt": False})


def inlined(function):
    """Compile a small kernel into those that call it: as :func:`borrowing`, and nothing is handed on at all."""
    return _compiled(function, OPTIONS | {"_nrt": False, "forceinline": True})


def _compiled(function, options):
    dispatcher = nb.njit(**options)(function)
    if not numba.extending.is_jitted(dispatcher):
        return dispatcher  # NUMBA_DISABLE_JIT
    cached = nb.njit(cache=True, **options)(function)
    index = getattr(getattr(cached, "_cache", None), "_cache_file", None)
    if not hasattr(index, "_source_stamp"):
        return dispatcher
    index._source_stamp = (_STAMP, index._source_stamp)
    return cached
