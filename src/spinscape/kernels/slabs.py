"""Slab moves of Ising spins: what lies between two lattice planes goes over into an image of itself.

A slab is some neighbouring layers of spins; an operation, drawn from a set that holds each one's inverse, maps every
layer onto itself (translations along the layer, mirror planes across it, ...); then all spins of the slab may be
reversed. Where order can be stacked in many ways, this takes one stacking to the next, which single spins and loops
do not: it turns whole layers.

Detailed balance. Slab, operation and reversal are drawn without looking at the spins, and an operation as often as its
inverse, which undoes it: a new state is proposed from the old one as often as the old one from the new, and
min(1, exp(−βΔE)) keeps the Boltzmann distribution, whatever the Hamiltonian is. That the operations are those of the
Hamiltonian makes acceptance likely, and nothing else.
"""

import numpy as np

from .ice_flips import accepts
from .ice_random import next_below, next_word
from .jit import borrowing
from .loops import turn_all, turn_energy
from .simd32 import lowest_bit

_33, _ONE, _TOP = np.uint64(33), np.uint64(1), np.uint64(1) << np.uint64(63)


@borrowing
def _changed(image, order, start, first, thickness, reverse, spins, path):
    """Write the spins of a slab that an operation changes into ``path``; return their number."""
    count, n_layer = 0, len(start) - 1
    for k in range(first, first + thickness):
        layer = k % n_layer
        for at in range(start[layer], start[layer + 1]):
            here = order[at]
            code = image[here]
            turn = np.float32(1 - 2 * ((code & 1) ^ reverse))
            path[count] = here
            count += np.int64(turn * spins[code >> 1] != spins[here])
    return count


@borrowing
def slab_tries(table, slabs, beta, n_try, spins, local, path, sign, words):
    """Try images of slabs; return how many were taken that differ from what was there.

    Parameters
    ----------
    table, beta, spins, local, words : as in ``ice_flips.prescreened_sweeps``
    slabs : tuple
        image : (n_operation, n) int32
            Twice the place that a spin's new value comes from, and 1 more where it comes reversed.
        first : (n_axis + 1,) int64
            Where the operations of each axis begin.
        order : (n_axis, n_spin) int64
            Places by layer along each axis.
        start : (n_axis, most + 1) int64
            Where the layers begin in ``order``.
        n_layer : (n_axis,) int64
    n_try : int
    path, sign : (n + 1,) int64
        Work space.

    Notes
    -----
    A slab is k layers thick with probability 2^-k, and half of all layers at most.
    """
    image, first, order, start, n_layer = slabs
    accepted = 0
    for _ in range(n_try):
        axis = next_below(words, len(n_layer))
        operation = first[axis] + next_below(words, first[axis + 1] - first[axis])
        begin = next_below(words, n_layer[axis])
        word = next_word(words)
        thickness = min(1 + lowest_bit((word >> _ONE) | _TOP), max(n_layer[axis] // 2, 1))
        layers = start[axis, : n_layer[axis] + 1]
        reverse = np.int64(word >> np.uint64(63))
        count = _changed(image[operation], order[axis], layers, begin, thickness, reverse, spins, path)
        if count == 0:
            continue
        cost = turn_energy(table, spins, local, path, 0, count)
        if accepts(np.int64(next_word(words) >> _33), -beta * cost, words):
            turn_all(table, spins, local, path, 0, count, sign)
            accepted += 1
    return accepted
