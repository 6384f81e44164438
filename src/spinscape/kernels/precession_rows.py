"""Precession in rows: all spins of a row turn at once, their neighbours are rows too, each shifted by some places.

A row holds the spins of one site along one axis of the supercell, every P-th cell. In ``data``, one-dimensional, a
row has three stretches of ``width`` doubles, one for each component: ``halo`` copies from the other end, the ``n``
spins, copies from the first end, and what fills up the last vector. The link l of a row begins at
``begin[row, l]``, the place of the x component of its first neighbour.
"""

import numpy as np

from .jit import compiled
from .precession_lanes import LANES, broadcast_at, load_at, store_at, turned
from .simd import fill, plus_product, times


@compiled
def _scalar_slope(data, begin, coupling, row, first, k, width, gx, gy, gz):
    """Return G with Σ J S_j added."""
    for link in range(begin.shape[1]):
        place = begin[row, link] + k
        j = broadcast_at(coupling, first + link)
        gx = plus_product(gx, j, load_at(data, place))
        gy = plus_product(gy, j, load_at(data, place + width))
        gz = plus_product(gz, j, load_at(data, place + 2 * width))
    return gx, gy, gz


@compiled
def _matrix_slope(data, begin, coupling, row, first, k, width, gx, gy, gz):
    """Return G with Σ M S_j added."""
    for link in range(begin.shape[1]):
        place = begin[row, link] + k
        m = first + 9 * link
        x, y, z = load_at(data, place), load_at(data, place + width), load_at(data, place + 2 * width)
        gx = plus_product(gx, broadcast_at(coupling, m), x)
        gx = plus_product(gx, broadcast_at(coupling, m + 1), y)
        gx = plus_product(gx, broadcast_at(coupling, m + 2), z)
        gy = plus_product(gy, broadcast_at(coupling, m + 3), x)
        gy = plus_product(gy, broadcast_at(coupling, m + 4), y)
        gy = plus_product(gy, broadcast_at(coupling, m + 5), z)
        gz = plus_product(gz, broadcast_at(coupling, m + 6), x)
        gz = plus_product(gz, broadcast_at(coupling, m + 7), y)
        gz = plus_product(gz, broadcast_at(coupling, m + 8), z)
    return gx, gy, gz


@compiled
def _add_onsite(gx, gy, gz, onsite, a, x, y, z):
    """Return G + A S."""
    gx = plus_product(gx, broadcast_at(onsite, a), x)
    gx = plus_product(plus_product(gx, broadcast_at(onsite, a + 1), y), broadcast_at(onsite, a + 2), z)
    gy = plus_product(gy, broadcast_at(onsite, a + 3), x)
    gy = plus_product(plus_product(gy, broadcast_at(onsite, a + 4), y), broadcast_at(onsite, a + 5), z)
    gz = plus_product(gz, broadcast_at(onsite, a + 6), x)
    gz = plus_product(plus_product(gz, broadcast_at(onsite, a + 7), y), broadcast_at(onsite, a + 8), z)
    return gx, gy, gz


@compiled
def _iterate_midpoint(data, base, work, n, width, onsite, a, scale, n_iteration):
    """Turn a row about G + scale A (S + S'); ``work`` holds G in its first half.

    All spins of the row make one iteration, then all the next: those of different spins overlap in the processor.
    """
    s = fill(scale)
    for k in range(0, n, LANES):
        x, y, z = load_at(data, base + k), load_at(data, base + k + width), load_at(data, base + k + 2 * width)
        gx, gy, gz = load_at(work, k), load_at(work, k + width), load_at(work, k + 2 * width)
        gx, gy, gz = _add_onsite(gx, gy, gz, onsite, a, times(s, x), times(s, y), times(s, z))
        store_at(work, k, gx)
        store_at(work, k + width, gy)
        store_at(work, k + 2 * width, gz)
        store_at(work, k + 3 * width, x)
        store_at(work, k + 4 * width, y)
        store_at(work, k + 5 * width, z)
    for _ in range(n_iteration):
        for k in range(0, n, LANES):
            x, y, z = load_at(work, k + 3 * width), load_at(work, k + 4 * width), load_at(work, k + 5 * width)
            gx, gy, gz = load_at(work, k), load_at(work, k + width), load_at(work, k + 2 * width)
            gx, gy, gz = _add_onsite(gx, gy, gz, onsite, a, times(s, x), times(s, y), times(s, z))
            x, y, z = load_at(data, base + k), load_at(data, base + k + width), load_at(data, base + k + 2 * width)
            x, y, z = turned(x, y, z, gx, gy, gz, False)
            store_at(work, k + 3 * width, x)
            store_at(work, k + 4 * width, y)
            store_at(work, k + 5 * width, z)
    for k in range(0, n, LANES):
        for c in range(3):
            store_at(data, base + k + c * width, load_at(work, k + (3 + c) * width))


@compiled
def _turn_row(data, base, work, n, width, true_angle):
    """Turn a row about what ``work`` holds."""
    for k in range(0, n, LANES):
        gx, gy, gz = load_at(work, k), load_at(work, k + width), load_at(work, k + 2 * width)
        place = base + k
        x, y, z = load_at(data, place), load_at(data, place + width), load_at(data, place + 2 * width)
        x, y, z = turned(x, y, z, gx, gy, gz, true_angle)
        store_at(data, place, x)
        store_at(data, place + width, y)
        store_at(data, place + 2 * width, z)


@compiled
def _renew_halo(data, base, n, halo, width):
    """Copy both ends of a row to beyond the other one."""
    for c in range(3):
        place = base + c * width
        for j in range(halo):
            data[place - halo + j] = data[place + n - halo + j]
            data[place + n + j] = data[place + j]


@compiled
def turn_rows(
    data, rows, begin, kind, coupling, onsite, field, n, halo, width, scale, is_matrix, true_angle, n_iteration
):  # fmt: skip
    """Turn all spins of some rows, none a neighbour of another, each about its field.

    Parameters
    ----------
    data : (n_row * 3 * width,) float64, changed
    rows : (n_chosen,) int64
    begin : (n_row, n_link) int64
    kind : (n_row,) int64
        Which set of couplings a row has.
    coupling : (n_kind * n_link,) or (n_kind * n_link * 9,) float64, meV
        One number, or the elements of a matrix, for each link.
    onsite : (n_kind * 9,) float64, meV
    field : (n_kind * 3,) float64, meV
    n, halo, width : int
    scale : float, 1/meV
        h/2ħ of the time h.
    is_matrix, true_angle : bool
    n_iteration : int
        Of the implicit midpoint; 0 where there are no on-site terms.
    """
    s = fill(scale)
    work = np.empty(6 * width + LANES)
    n_link = begin.shape[1]
    for c in range(len(rows)):
        row = rows[c]
        base = row * 3 * width + halo
        at = kind[row]
        f = fill(-1.0)
        fx = times(f, broadcast_at(field, 3 * at))
        fy = times(f, broadcast_at(field, 3 * at + 1))
        fz = times(f, broadcast_at(field, 3 * at + 2))
        # Two short loops: the processor overlaps more of their turns than of those of one long one.
        for k in range(0, n, LANES):
            if is_matrix:
                gx, gy, gz = _matrix_slope(data, begin, coupling, row, at * n_link * 9, k, width, fx, fy, fz)
            else:
                gx, gy, gz = _scalar_slope(data, begin, coupling, row, at * n_link, k, width, fx, fy, fz)
            store_at(work, k, times(s, gx))
            store_at(work, k + width, times(s, gy))
            store_at(work, k + 2 * width, times(s, gz))
        if n_iteration > 0:
            _iterate_midpoint(data, base, work, n, width, onsite, 9 * at, scale, n_iteration)
        else:
            _turn_row(data, base, work, n, width, true_angle)
        _renew_halo(data, base, n, halo, width)


@compiled
def write_grid(data, first, n, halo, width, component, step, out):
    """Write the spins of rows into a grid.

    Parameters
    ----------
    data : (n_row * 3 * width,) float64
    first : (n_row,) int64
        Place in ``out`` of the x component of the first spin of each row.
    n, halo, width : int
    component, step : int
        From one component, and from one spin of a row, to the next in ``out``.
    out : (size,) float32 or float64
    """
    # Unsigned: an index that may be negative is looked at first, which takes longer than the copy.
    stride = np.uint64(step)
    for row in range(len(first)):
        for c in range(3):
            place = np.uint64((row * 3 + c) * width + halo)
            there = np.uint64(first[row] + c * component)
            for k in range(np.uint64(n)):
                out[there + k * stride] = data[place + k]


@compiled
def run_rows(
    data, colour_start, rows, begin, kind, coupling, onsite, field, n, halo, width,
    stage_colour, stage_scale, n_step, merge, is_matrix, true_angle, n_iteration,
):  # fmt: skip
    """Make time steps, each a sequence of stages that turn one colour by one time.

    Parameters
    ----------
    colour_start : (n_colour + 1,) int64
        The rows of colour c are ``rows[colour_start[c] : colour_start[c + 1]]``.
    stage_colour, stage_scale : (n_stage,) int64 and float64 (1/meV)
    n_step : int
    merge : bool
        Make the last stage of a step and the first of the next, of one colour, at once.
    others : as of :func:`turn_rows`
    """
    n_stage = len(stage_colour)
    for step in range(n_step):
        for k in range(n_stage):
            scale = stage_scale[k]
            if merge and k == 0 and step > 0:
                continue
            if merge and k == n_stage - 1 and step < n_step - 1:
                scale += stage_scale[0]
            colour = stage_colour[k]
            turn_rows(
                data, rows[colour_start[colour] : colour_start[colour + 1]], begin, kind, coupling, onsite, field,
                n, halo, width, scale, is_matrix, true_angle, n_iteration,
            )  # fmt: skip
