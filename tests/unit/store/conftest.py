"""Small stores for the tests of this folder."""

from types import SimpleNamespace

import numpy as np
import pytest

from spinscape.store.contracts import StoreHeader
from spinscape.store.seal import seal
from spinscape.store.write import WorkStore

CODES = {"absent": 0, "done": 1, "unstable": 2, "failed": 3}


def template(energies=(0.0, 0.1, 0.3)):
    axis = {"dims": ["energy"], "values": list(energies), "unit": "meV"}
    spec = {"dims": ["q", "energy"], "shape": [4, 3], "dtype": "float32", "unit": "1/meV", "coords": {"energy": axis}}
    return {"signal": spec}


def make_header(ids=("a", "b", "c", "d", "e"), **changes):
    theta = [[ord(point[0]) / 7.0, 2.0] for point in ids]
    values = {
        "study": "demo",
        "parameter_names": ("J", "D"),
        "point_ids": ids,
        "theta": theta,
        "template": template(),
        "result_codes": CODES,
        "origin": {"kind": "toy", "seed": 1, "code": "aa"},
        "settings": {"kind": "toy"},
    }
    return StoreHeader(**{**values, **changes})


def signal(point):
    """What the point ``point`` holds: numbers that follow from its name."""
    return np.random.default_rng(ord(point[0])).normal(size=(4, 3)).astype(np.float32)


def fill(store, *, leave=(), unstable=()):
    for index, point in enumerate(store.header.point_ids):
        if point in unstable:
            store.write(index, "unstable", message=f"ω² < 0 at {point}")
        elif point not in leave:
            store.write(index, "done", arrays={"signal": signal(point)}, diagnostics={"name": point})
    return store


def make_sealed(path, ids=("a", "b", "c", "d", "e"), *, unstable=(), **changes):
    """Seal a store of these points; the work store stays beside it."""
    work = WorkStore.create(path.with_suffix(".work"), make_header(ids, **changes))
    return seal(fill(work, unstable=unstable), path, provenance={"made_by": "a test"})


@pytest.fixture
def toy():
    """The builders of this file: test modules cannot import each other."""
    return SimpleNamespace(
        codes=CODES, template=template, header=make_header, signal=signal, fill=fill, sealed=make_sealed
    )
