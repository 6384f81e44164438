"""Minima of energies of unit vectors, quadratic but for squares of scalar products: arrays in, arrays out.

    E(n) = ½ Σ_i n_i·(Σ_j A_ij n_j + B_i n_i) + Σ_i c_i·n_i + ½ Σ_i Σ_j b_ij (n_i·R_ij n_j)²,   f_i = ∂E/∂n_i

Rows of A are lists: the neighbours of i are head[start[i]:start[i + 1]], j ≠ i, and A_ji = A_ijᵀ. The squares are lists
of the same kind, ``squares = (start, head, R, b)``: each twice, with R_ji = R_ijᵀ; i may be j. Sweeps that lay
each spin against its field take turns with a Riemannian trust-region method with truncated conjugate gradients:
Absil, Mahony and Sepulchre, Optimization Algorithms on Matrix Manifolds (Princeton, 2008), ch. 7. Where torques are
below the square root of rounding, energies cannot tell states apart: both decreases are then shifted by what rounding
makes of E, and Newton steps go on.
"""

import numpy as np

from .jit import compiled

_ROUNDING = 1e-13
"""Of Σ_i |E_i|: what differences of E are uncertain by."""
_FLAT = 1e-12
_BENT = -1e-9
"""Curvatures between these, relative to the scale of f, count as none: a move along a zero mode leads nowhere."""
_FIRST_RADIUS, _LAST_RADIUS = 0.25, 1.0
"""Of the trusted region, rad per spin (root mean square)."""


@compiled
def _times(m, v):
    return (
        m[0, 0] * v[0] + m[0, 1] * v[1] + m[0, 2] * v[2],
        m[1, 0] * v[0] + m[1, 1] * v[1] + m[1, 2] * v[2],
        m[2, 0] * v[0] + m[2, 1] * v[1] + m[2, 2] * v[2],
    )


@compiled
def _pull(i, v, start, head, matrix, own):
    """Return row i of (A + B) v."""
    x, y, z = _times(own[i], v[i])
    for k in range(start[i], start[i + 1]):
        a, b, c = _times(matrix[k], v[head[k]])
        x, y, z = x + a, y + b, z + c
    return x, y, z


@compiled
def _square_pull(i, n, squares):
    """Return what the squares add to f_i: Σ_j 2 b (n_i·R n_j) R n_j."""
    start, head, turn, strength = squares
    x, y, z = 0.0, 0.0, 0.0
    for k in range(start[i], start[i + 1]):
        a, b, c = _times(turn[k], n[head[k]])
        weight = 2.0 * strength[k] * (n[i, 0] * a + n[i, 1] * b + n[i, 2] * c)
        x, y, z = x + weight * a, y + weight * b, z + weight * c
    return x, y, z


@compiled
def _square_bend(i, n, v, squares):
    """Return the derivative of :func:`_square_pull` along v."""
    start, head, turn, strength = squares
    x, y, z = 0.0, 0.0, 0.0
    for k in range(start[i], start[i + 1]):
        a, b, c = _times(turn[k], n[head[k]])
        d, e, f = _times(turn[k], v[head[k]])
        weight = 2.0 * strength[k] * (n[i, 0] * a + n[i, 1] * b + n[i, 2] * c)
        change = v[i, 0] * a + v[i, 1] * b + v[i, 2] * c + n[i, 0] * d + n[i, 1] * e + n[i, 2] * f
        change *= 2.0 * strength[k]
        x, y, z = x + change * a + weight * d, y + change * b + weight * e, z + change * c + weight * f
    return x, y, z


@compiled
def _dot(a, b):
    out = 0.0
    for i in range(a.shape[0]):
        out += a[i, 0] * b[i, 0] + a[i, 1] * b[i, 1] + a[i, 2] * b[i, 2]
    return out


@compiled
def _put(out, i, x, y, z):
    """Write a vector as a unit vector."""
    size = np.sqrt(x * x + y * y + z * z)
    out[i, 0], out[i, 1], out[i, 2] = x / size, y / size, z / size


@compiled
def gradient(n, start, head, matrix, own, linear, squares, out):
    """Write f; return E.

    Parameters
    ----------
    n : (n_spin, 3) float64
    start : (n_spin + 1,) int64
    head : (n_entry,) int64
    matrix : (n_entry, 3, 3) float64
        A.
    own : (n_spin, 3, 3) float64, symmetric
        B.
    linear : (n_spin, 3) float64
        c.
    squares : (n_spin + 1,) int64, (n_square,) int64, (n_square, 3, 3) float64 and (n_square,) float64
        Start, head, R and b.
    out : (n_spin, 3) float64
    """
    energy = 0.0
    for i in range(n.shape[0]):
        out[i, 0], out[i, 1], out[i, 2] = _pull(i, n, start, head, matrix, own)
        quartic = _square_pull(i, n, squares)
        for a in range(3):
            energy += n[i, a] * (0.5 * out[i, a] + linear[i, a] + 0.25 * quartic[a])
            out[i, a] += linear[i, a] + quartic[a]
    return energy


@compiled
def align(n, start, head, matrix, own, linear, squares, shift, over):
    """Lay each spin in turn against its field; E never grows.

    Parameters
    ----------
    shift : (n_spin,) float64
        At least the largest eigenvalue of B_i, and of the curvature of the squares on top of it, anywhere: a concave
        E − ½ shift n² lies below its tangent, whose minimum is taken.
    over : float, 0 to 1
        How far to go on beyond: 0 stops in the minimum, 1 is the mirror image of a spin near it.

    The other arguments are those of :func:`gradient`; n changes in place.
    """
    for i in range(n.shape[0]):
        x, y, z = _pull(i, n, start, head, matrix, own)
        a, b, c = _square_pull(i, n, squares)
        x += a + linear[i, 0] - shift[i] * n[i, 0]
        y += b + linear[i, 1] - shift[i] * n[i, 1]
        z += c + linear[i, 2] - shift[i] * n[i, 2]
        size = np.sqrt(x * x + y * y + z * z)
        if size > 0.0:
            far = -(1.0 + over) / size
            _put(n, i, far * x - over * n[i, 0], far * y - over * n[i, 1], far * z - over * n[i, 2])


@compiled
def _project(n, field, out):
    """Write the part of a field across the spins; return its largest length."""
    largest = 0.0
    for i in range(n.shape[0]):
        along = n[i, 0] * field[i, 0] + n[i, 1] * field[i, 1] + n[i, 2] * field[i, 2]
        for a in range(3):
            out[i, a] = field[i, a] - along * n[i, a]
        size = out[i, 0] ** 2 + out[i, 1] ** 2 + out[i, 2] ** 2
        # Written so that NaN, which compares with nothing, gets through.
        largest = largest if size <= largest else size
    return np.sqrt(largest)


@compiled
def curvature(n, field, v, start, head, matrix, own, squares, out):
    """Write H v for a tangent v: the second derivative of E along great circles, at n with the field f."""
    for i in range(n.shape[0]):
        x, y, z = _pull(i, v, start, head, matrix, own)
        a, b, c = _square_bend(i, n, v, squares)
        x, y, z = x + a, y + b, z + c
        along = n[i, 0] * field[i, 0] + n[i, 1] * field[i, 1] + n[i, 2] * field[i, 2]
        x, y, z = x - along * v[i, 0], y - along * v[i, 1], z - along * v[i, 2]
        radial = n[i, 0] * x + n[i, 1] * y + n[i, 2] * z
        out[i, 0], out[i, 1], out[i, 2] = x - radial * n[i, 0], y - radial * n[i, 1], z - radial * n[i, 2]


@compiled
def _to_border(step, way, radius):
    """Return the positive t at which |step + t way| is the radius."""
    ss, sw, ww = _dot(step, step), _dot(step, way), _dot(way, way)
    return (-sw + np.sqrt(sw * sw + ww * max(radius * radius - ss, 0.0))) / ww


@compiled
def _trusted_step(n, field, across, radius, scale, start, head, matrix, own, squares, step, work):
    """Write the step that the quadratic model of E takes within a radius (truncated conjugate gradients).

    Returns the decrease that the model promises, and whether the step ends on the border.
    """
    rest, way, bent = work[0], work[1], work[2]
    step[:] = 0.0
    rest[:] = across
    way[:] = -across
    first = size = _dot(rest, rest)
    # Superlinear: the nearer the minimum, the more exact the step.
    goal = first * min(0.01, first / (scale * scale * n.shape[0]))
    promised = 0.0
    for _ in range(2 * n.shape[0] + 5):
        curvature(n, field, way, start, head, matrix, own, squares, bent)
        ww, wbw = _dot(way, way), _dot(way, bent)
        if promised > 0.0 and _BENT * scale * ww < wbw <= _FLAT * scale * ww:
            return promised, False
        border = _to_border(step, way, radius)
        outside = wbw <= 0.0 or size >= border * wbw
        length = border if outside else size / wbw
        promised -= length * _dot(rest, way) + 0.5 * length * length * wbw
        step += length * way
        if outside:
            return promised, True
        rest += length * bent
        before, size = size, _dot(rest, rest)
        if size <= goal:
            return promised, False
        way *= size / before
        way -= rest
    return promised, False


@compiled
def descend(n, start, head, matrix, own, linear, squares, scale, tolerance, max_step):
    """Minimise E from n, in place, by trusted Newton steps; arguments as of :func:`gradient`.

    Parameters
    ----------
    scale : float
        Upper estimate of |f_i|.
    tolerance : float
        Largest |torque| / scale to end with.
    max_step : int

    Returns
    -------
    energy, largest torque, number of steps
    """
    n_spin = n.shape[0]
    field, across, step = np.empty((n_spin, 3)), np.empty((n_spin, 3)), np.empty((n_spin, 3))
    trial, trial_field, work = np.empty((n_spin, 3)), np.empty((n_spin, 3)), np.empty((3, n_spin, 3))
    radius, last = _FIRST_RADIUS * np.sqrt(n_spin), _LAST_RADIUS * np.sqrt(n_spin)
    rounding = _ROUNDING * scale * n_spin
    energy = gradient(n, start, head, matrix, own, linear, squares, field)
    torque = _project(n, field, across)
    n_step = 0
    while torque > tolerance * scale and n_step < max_step and radius > 1e-12:
        n_step += 1
        promised, border = _trusted_step(n, field, across, radius, scale, start, head, matrix, own, squares, step, work)
        for i in range(n_spin):
            _put(trial, i, n[i, 0] + step[i, 0], n[i, 1] + step[i, 1], n[i, 2] + step[i, 2])
        trial_energy = gradient(trial, start, head, matrix, own, linear, squares, trial_field)
        kept = (energy - trial_energy + rounding) / (promised + rounding)
        if kept < 0.25:
            radius = 0.25 * np.sqrt(_dot(step, step))
        elif kept > 0.75 and border:
            radius = min(2.0 * radius, last)
        if kept > 0.1:
            n[:] = trial
            field[:] = trial_field
            energy = trial_energy
            torque = _project(n, field, across)
    return energy, torque, n_step


@compiled
def minimise_runs(
    point,
    n,
    start,
    head,
    matrix,
    own,
    linear,
    squares,
    shift,
    scale,
    sweeps,
    max_step,
    over,
    tolerance,
    energy,
    torque,
    steps,
):
    """Minimise E from many starts at many sets of couplings, in rounds of sweeps and Newton steps.

    Sweeps converge fast where minima are degenerate and bent families, Newton steps where long waves are slow.

    Parameters
    ----------
    point : (n_run,) int64
        Which set of couplings each run has.
    n : (n_run, n_spin, 3) float64
        Starts; replaced by the minima.
    start, head
        As of :func:`gradient`.
    matrix, own, linear, shift, scale
        As of :func:`align` and :func:`descend`, with the axis (n_point,) in front.
    squares
        As of :func:`gradient`, b with the axis (n_point,) in front, R with that axis or one of length 1.
    sweeps, max_step : (n_round,) int64
        Sweeps of each round, and Newton steps after them at most; no round begins at rest.
    over, tolerance : float
        As of :func:`align` and :func:`descend`.
    energy, torque : (n_run,) float64, steps : (n_run,) int64
        Written.
    """
    for r in range(len(point)):
        p = point[r]
        some = (squares[0], squares[1], squares[2][min(p, len(squares[2]) - 1)], squares[3][p])
        steps[r] = 0
        torque[r] = np.inf
        for k in range(len(sweeps)):
            for _ in range(sweeps[k]):
                align(n[r], start, head, matrix[p], own[p], linear[p], some, shift[p], over)
            energy[r], torque[r], n_step = descend(
                n[r], start, head, matrix[p], own[p], linear[p], some, scale[p], tolerance, max_step[k]
            )
            steps[r] += n_step
            if torque[r] <= tolerance * scale[p]:
                break
