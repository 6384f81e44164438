"""Randomness as a pure function of its key: no global state, no generator inside an object."""

import hashlib

import numpy as np

PURPOSE = {
    "start": 0,
    "metropolis": 1,
    "bath": 2,
    "split": 3,
    "grid": 4,
    "initialise": 5,
    "batch": 6,
    "bootstrap": 7,
    "counting": 8,
    "restart": 9,
    "dataset": 10,
    "posterior": 11,
    "artefact": 12,
}
"""Purposes of random streams. Append only: a number that changes changes every result."""


def digest_words(*parts):
    """Return four 32-bit words of a hash over numbers, strings and arrays, in their order.

    Floats enter by their exact bits, so that equal couplings give equal keys on every machine.

    >>> digest_words(1.0, "a") == digest_words(1.0, "a") != digest_words(1.0, "b")
    True
    """
    h = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            data, kind = part.encode(), b"s"
        elif isinstance(part, bytes):
            data, kind = part, b"b"
        elif isinstance(part, int | np.integer):
            data, kind = str(int(part)).encode(), b"i"
        else:
            # + 0.0 makes the two zeros one.
            array = np.asarray(part, dtype="<f8") + 0.0
            data, kind = str(array.shape).encode() + array.tobytes(), b"f"
        h.update(kind + len(data).to_bytes(8, "little") + data)
    return tuple(int(word) for word in np.frombuffer(h.digest()[:16], dtype="<u4"))


def stream(root, purpose, *content, replica=0):
    """Return an independent generator for (study seed, purpose, content, replica).

    Parameters
    ----------
    root : int
        Seed of the study.
    purpose : str
        A key of :data:`PURPOSE`.
    *content : numbers, strings or arrays
        What the point is known by: couplings, conditions, settings. Never its place in a grid.
    replica : int

    Examples
    --------
    >>> a = stream(1, "grid", 3.0).random()
    >>> a == stream(1, "grid", 3.0).random() != stream(2, "grid", 3.0).random()
    True
    """
    key = (PURPOSE[purpose], *digest_words(*content), replica)
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(root, spawn_key=key)))
