"""Which operations map every layer of a supercell onto itself: what slab moves are drawn from."""

from typing import NamedTuple

import numpy as np

from ..hamiltonian.operations import axial_rotations, model_operations
from ..lattice.symmetry import site_maps
from .places import Places
from .spin_system import SpinSystem

MAX_OPERATION = 256
"""Operations for each axis; of larger groups a part that holds each one's inverse."""
MAX_ENTRY = 4_000_000
"""Operations of all axes times spins: 16 MB."""
_WHOLE = 1e-6


class Slabs(NamedTuple):
    """The arrays of ``kernels.slabs``, by place."""

    image: np.ndarray
    first: np.ndarray
    order: np.ndarray
    start: np.ndarray
    n_layer: np.ndarray


NO_SLABS = Slabs(
    np.zeros((0, 1), np.int32), np.zeros(1, np.int64), np.zeros((0, 1), np.int64), np.zeros((0, 1), np.int64),
    np.zeros(0, np.int64),
)  # fmt: skip


def slabs(system: SpinSystem, place: Places) -> Slabs:
    """Return layers across each vector of the supercell, and the operations of the Hamiltonian that keep each of them.

    Parameters
    ----------
    system : SpinSystem
        Of Ising spins, without vacancies.
    place : Places
    """
    limit = int(np.clip(MAX_ENTRY // (3 * place.n_place), 2, MAX_OPERATION))
    images, orders, starts = [], [], []
    kept = model_operations(system.model)
    for axis in range(3):
        images.append(_images(system, place, axis, kept, limit))
        layer = _layers(system, axis)
        order = np.argsort(layer, kind="stable")
        orders.append(place.of_spin[order])
        starts.append(np.searchsorted(layer[order], np.arange(layer.max() + 2)))
    most = max(len(start) for start in starts)
    padded = [np.append(start, np.full(most - len(start), system.n_spin)) for start in starts]
    return Slabs(
        np.concatenate(images),
        np.cumsum([0, *map(len, images)]),
        np.array(orders),
        np.array(padded),
        np.array([len(start) - 1 for start in starts]),
    )


def _layers(system, axis):
    """Return the layer of each spin along an axis, (n_spin,) int64."""
    cell = system.cell
    place = (cell.cells[:, None] + system.model.crystal.positions[None]).reshape(-1, 3) @ np.linalg.inv(cell.matrix)
    height = np.round(place[:, axis] / _WHOLE).astype(np.int64) % round(1.0 / _WHOLE)
    return np.unique(height, return_inverse=True)[1].reshape(-1)


def _images(system, place, axis, kept, limit):
    """Return those of the Hamiltonian's operations that keep every layer, rows (n_operation, n_place) of ``image``."""
    crystal, cell = system.model.crystal, system.cell
    to_super, found = np.linalg.inv(cell.matrix), {}
    rotations, shifts = crystal.rotations[kept], crystal.translations[kept]
    turned = cell.matrix @ rotations.swapaxes(1, 2) @ to_super
    maps = site_maps(crystal.vectors, crystal.positions, rotations, shifts)
    sign = np.einsum("oxy,sy->osx", axial_rotations(crystal)[kept], crystal.axis)
    for o, (rotation, shift) in enumerate(zip(rotations, shifts, strict=True)):
        fits = np.all(np.abs(turned[o] - np.round(turned[o])) < _WHOLE)
        if not fits or np.abs(turned[o][:, axis] - np.eye(3)[axis]).max() > _WHOLE:
            continue
        reversed_here = np.sum(sign[o] * crystal.axis[maps.site[o]], axis=1) < 0
        climb = ((shift + cell.cells) @ to_super)[:, axis]
        for step in cell.cells[np.abs(climb - np.round(climb)) < _WHOLE]:
            where = (cell.cells @ rotation.T)[:, None] + maps.cell[o] + step
            image = np.arange(0, 2 * place.n_place, 2, dtype=np.int32)
            target = place.of_spin[cell.site_index(maps.site[o], where).ravel()]
            image[target] = 2 * place.of_spin + np.tile(reversed_here, cell.n_cell)
            found.setdefault(image.tobytes(), image)
    return _with_inverses(list(found.values()), limit)


def _with_inverses(images, limit):
    """Return about ``limit`` of some operations at most, each with its inverse."""
    rows = {image.tobytes() for image in images}
    chosen: dict[bytes, np.ndarray] = {}
    for image in images:
        inverse = np.empty_like(image)
        inverse[image >> 1] = 2 * np.arange(len(image), dtype=np.int32) + (image & 1)
        assert inverse.tobytes() in rows, "operations are a group"
        if len(chosen) < limit:
            chosen |= {image.tobytes(): image, inverse.tobytes(): inverse}
    return np.array(list(chosen.values()))
