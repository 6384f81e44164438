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
def _midpoint(x, y, z, gx, gy, gz, onsite, a, scale, n_iteration):
    """Return S turned about scale (G + A (S + S')), by a given number of iterations."""
    nx, ny, nz = x, y, z
    s = fill(scale)
    for _ in range(n_iteration):
        mx, my, mz = plus_product(x, fill(1.0), nx), plus_product(y, fill(1.0), ny), plus_product(z, fill(1.0), nz)
        wx = plus_product(gx, broadcast_at(onsite, a), mx)
        wx = plus_product(plus_product(wx, broadcast_at(onsite, a + 1), my), broadcast_at(onsite, a + 2), mz)
        wy = plus_product(gy, broadcast_at(onsite, a + 3), mx)
        wy = plus_product(plus_product(wy, broadcast_at(onsite, a + 4), my), broadcast_at(onsite, a + 5), mz)
        wz = plus_product(gz, broadcast_at(onsite, a + 6), mx)
        wz = plus_product(plus_product(wz, broadcast_at(onsite, a + 7), my), broadcast_at(onsite, a + 8), mz)
        nx, ny, nz = turned(x, y, z, times(s, wx), times(s, wy), times(s, wz), False)
    return nx, ny, nz


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
    n_link = begin.shape[1]
    for c in range(len(rows)):
        row = rows[c]
        base = row * 3 * width + halo
        at = kind[row]
        f = fill(-1.0)
        fx = times(f, broadcast_at(field, 3 * at))
        fy = times(f, broadcast_at(field, 3 * at + 1))
        fz = times(f, broadcast_at(field, 3 * at + 2))
        for k in range(0, n, LANES):
            if is_matrix:
                gx, gy, gz = _matrix_slope(data, begin, coupling, row, at * n_link * 9, k, width, fx, fy, fz)
            else:
                gx, gy, gz = _scalar_slope(data, begin, coupling, row, at * n_link, k, width, fx, fy, fz)
            place = base + k
            x, y, z = load_at(data, place), load_at(data, place + width), load_at(data, place + 2 * width)
            if n_iteration > 0:
                x, y, z = _midpoint(x, y, z, gx, gy, gz, onsite, 9 * at, scale, n_iteration)
            else:
                x, y, z = turned(x, y, z, times(s, gx), times(s, gy), times(s, gz), true_angle)
            store_at(data, place, x)
            store_at(data, place + width, y)
            store_at(data, place + 2 * width, z)
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
