"""Slab moves: the operations are symmetries that keep layers, and the kernel does what a few lines of numpy do."""

import numpy as np
import pytest

from spinscape.hamiltonian import terms
from spinscape.hamiltonian.assemble import model_from_terms
from spinscape.hamiltonian.conditions import Conditions
from spinscape.hamiltonian.terms import BondTerm, DipolarTerm
from spinscape.kernels.ice_random import next_word
from spinscape.kernels.slabs import slab_tries
from spinscape.lattice.bonds import shell_bond
from spinscape.lattice.crystal import lattice_vectors
from spinscape.lattice.symmetry import SiteSpec, crystal_from_space_group
from spinscape.simulate import slabs as module
from spinscape.simulate.ice_engine import IceEngine
from spinscape.simulate.moves import Move
from spinscape.simulate.slabs import slabs
from spinscape.simulate.spin_system import block, spin_system

NAMES = ("D", "J")


def system_of(crystal, numbers):
    parts = [DipolarTerm({"D": 30.0}), BondTerm("heisenberg", terms.heisenberg("J", NAMES), shell_bond(crystal, 1))]
    model = model_from_terms(crystal, NAMES, parts)
    return spin_system(model, block(model, numbers))


def pyrochlore(numbers=(1, 2, 2)):
    site = SiteSpec("A", "Dy3+", (0.5, 0.5, 0.5), 1.0, g=np.eye(3), kind="ising", axis=(1, 1, 1))
    return system_of(crystal_from_space_group(lattice_vectors(a=10.0, b=10.0, c=10.0), "Fd-3m", [site]), numbers)


def kagome(numbers=((2, 1, 0), (0, 2, 0), (0, 0, 2))):
    site = SiteSpec("A", "Ni2+", (0.5, 0.0, 0.0), 1.5, kind="ising", axis=(0, 0, 1))
    vectors = lattice_vectors(a=6.0, b=6.0, c=9.0, gamma=120.0)
    return system_of(crystal_from_space_group(vectors, "P6/mmm", [site]), numbers)


@pytest.fixture(params=[pyrochlore, kagome], ids=["pyrochlore", "kagome"])
def engine(request):
    return IceEngine(request.param(), [1.3, 0.7], Conditions(), (3, 4))


def layers_of(table, axis):
    """Return the layer of every place, -1 where there is no spin."""
    out = np.full(table.places.n_place, -1)
    n = table.slabs.n_layer[axis]
    for layer, (a, b) in enumerate(zip(table.slabs.start[axis, :n], table.slabs.start[axis, 1 : n + 1], strict=True)):
        out[table.slabs.order[axis, a:b]] = layer
    return out


def test_operations_keep_layers_and_the_energy(engine):
    table, generator = engine.table, np.random.default_rng(1)
    sigma = engine._spins.copy()
    energy, place = engine.energy, table.places.of_spin
    for axis in range(3):
        layer = layers_of(table, axis)
        assert np.all(np.sort(layer[place]) == np.repeat(np.arange(layer.max() + 1), np.bincount(layer[place])))
        chosen = range(table.slabs.first[axis], table.slabs.first[axis + 1])
        assert len(chosen) > 1
        for o in generator.choice(chosen, min(len(chosen), 6), replace=False):
            image = table.slabs.image[o]
            assert np.array_equal(np.sort(image[place] >> 1), np.sort(place))
            assert np.array_equal(layer[image[place] >> 1], layer[place])
            moved = sigma[image >> 1] * (1 - 2 * (image & 1))
            engine.set_spins(moved[place][:, None] * engine._along)
            assert engine.energy == pytest.approx(energy, rel=1e-9)


@pytest.mark.parametrize("limit", [5, 1000])
def test_every_operation_has_its_inverse(monkeypatch, limit):
    monkeypatch.setattr(module, "MAX_OPERATION", limit)
    system = pyrochlore((1, 1, 2))
    found = slabs(system, IceEngine(system, [1.0, 1.0], Conditions(), (1, 2)).table.places)
    for a, b in zip(found.first[:-1], found.first[1:], strict=True):
        rows = {image.tobytes() for image in found.image[a:b]}
        assert len(rows) == b - a <= limit + 1
        for image in found.image[a:b]:
            inverse = np.empty_like(image)
            inverse[image >> 1] = 2 * np.arange(len(image)) + (image & 1)
            assert inverse.tobytes() in rows


def windows(n):
    """Yield which of n layers lie in a slab, for every slab."""
    for begin in range(n):
        for thickness in range(1, max(n // 2, 1) + 1):
            yield (np.arange(n) - begin) % n < thickness


def test_an_accepted_slab_is_the_image_of_a_slab(engine):
    """At infinite temperature every try is taken: what comes out is one operation on some layers, fields included."""
    table = engine.table
    image, first, _, _, n_layer = table.slabs
    path, sign = np.zeros(table.places.n_place + 1, np.int64), np.zeros(table.places.n_place + 1, np.int64)
    for _ in range(20):
        before = engine._spins.copy()
        slab_tries(engine._rows, table.slabs, 0.0, 1, engine._spins, engine._local, path, sign, engine._state[1])
        after, fits = engine._spins.copy(), False
        for axis in range(3):
            layer = layers_of(table, axis)
            at = [layer == k for k in range(n_layer[axis])]
            as_before = np.array([np.all((after == before)[here]) for here in at])
            for o in range(first[axis], first[axis + 1]):
                moved = before[image[o] >> 1] * (1 - 2 * (image[o] & 1))
                for turn in (1, -1):
                    at_image = np.array([np.all((after == turn * moved)[here]) for here in at])
                    fits |= any(np.all(np.where(inside, at_image, as_before)) for inside in windows(int(n_layer[axis])))
        assert fits
        fields = engine._local.copy()
        engine.set_spins(engine.spins)
        assert np.array_equal(fields, engine._local)


def test_tries_are_counted_and_some_taken(engine):
    tried, taken = engine.run((Move("slab", 50),), 0.0, 3)["slab"]
    assert tried == 150 and 0 < taken <= 150
    assert next_word(engine._state[1]) > 0


def test_vacancies_have_no_slabs():
    model = pyrochlore().model
    occupied = np.ones(64, dtype=bool)
    occupied[3] = False
    engine = IceEngine(spin_system(model, block(model, (1, 2, 2)), occupied=occupied), [1, 1], Conditions(), (1, 2))
    assert "slab" not in engine.supports and engine.table.slabs is None
    with pytest.raises(Exception, match="vacancies"):
        engine.run((Move("slab"),), 1.0, 1)
