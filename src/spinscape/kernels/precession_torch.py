"""Precession of many states of one magnet at once, on any device: :mod:`spinscape.kernels.precession` by torch.

Spins are (n_spin, 3, n_state) in the order of their colours: those of one colour are a slice, and what a neighbour has
in all states lies together. The couplings of a spin to all of its neighbours are one matrix (3, 3 n_link).
"""

import torch


def turned(spins, w, *, true_angle):
    """Return spins turned about w, both (n, 3, n_state): by Cayley, or by the true angle."""
    square = (w * w).sum(dim=1, keepdim=True)
    if true_angle:
        factor = _tangent_series(square)
        w, square = w * factor, square * factor * factor
    rate = 2.0 / (1.0 + square)
    along = (w * spins).sum(dim=1, keepdim=True)
    return (rate - 1.0) * spins + rate * (torch.linalg.cross(w, spins, dim=1) + along * w)


def _tangent_series(q):
    """Return tan(x)/x of q = x²: :func:`spinscape.kernels.precession.tangent_series`."""
    out = torch.full_like(q, 1382.0 / 155925)
    for c in (62.0 / 2835, 17.0 / 315, 2.0 / 15, 1.0 / 3, 1.0):
        out = out * q + c
    return out


def turn_slice(spins, first, last, neighbour, coupling, onsite, field, *, scale, true_angle, n_iteration):
    """Turn the spins from ``first`` to ``last``, none a neighbour of another, each about its field.

    Parameters
    ----------
    spins : (n_spin, 3, n_state) float64 tensor, changed
    first, last : int
    neighbour : (n_spin, n_link) int64
        Any spin where a link is missing; its coupling is zero.
    coupling : (n_spin, 3, 3 n_link) float64, meV
    onsite : (n_spin, 3, 3) float64, meV
    field : (n_spin, 3, 1) float64, meV
    scale : float, 1/meV
        h/2ħ of the time h.
    true_angle : bool
        Of spins without on-site terms.
    n_iteration : int
        Of the implicit midpoint; 0 where there are no on-site terms.
    """
    own = spins[first:last]
    near = spins[neighbour[first:last].reshape(-1)].reshape(last - first, -1, spins.shape[2])
    slope = torch.baddbmm(field[first:last], coupling[first:last], near, beta=-scale, alpha=scale)
    if n_iteration:
        matrix = onsite[first:last]
        slope = torch.baddbmm(slope, matrix, own, alpha=scale)
        new = own
        for _ in range(n_iteration):
            new = turned(own, torch.baddbmm(slope, matrix, new, alpha=scale), true_angle=False)
    else:
        new = turned(own, slope, true_angle=true_angle)
    spins[first:last] = new


def run_states(spins, colour_start, tables, stages, n_step, *, merge, true_angle, n_iteration):
    """Make time steps, each a sequence of stages that turn one colour by one time.

    Parameters
    ----------
    spins : (n_spin, 3, n_state) float64 tensor, changed
    colour_start : list of int
        The spins of colour c are ``colour_start[c]`` to ``colour_start[c + 1]``.
    tables : tuple of tensors
        ``neighbour, coupling, onsite, field`` of :func:`turn_slice`.
    stages : list of (int, float)
        Colour and h/2ħ, 1/meV.
    n_step : int
    merge : bool
        Make the last stage of a step and the first of the next, of one colour, at once.
    true_angle, n_iteration : as of :func:`turn_slice`
    """
    for step in range(n_step):
        for k, (colour, scale) in enumerate(stages):
            if merge and k == 0 and step > 0:
                continue
            if merge and k == len(stages) - 1 and step < n_step - 1:
                scale = scale + stages[0][1]
            turn_slice(
                spins, colour_start[colour], colour_start[colour + 1], *tables,
                scale=scale, true_angle=true_angle, n_iteration=n_iteration,
            )  # fmt: skip
