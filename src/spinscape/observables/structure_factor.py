"""What of S^αβ(Q) is seen: the trace, the part across Q, or one diagonal component."""

import numpy as np

from ..errors import ConfigError

COMPONENTS = ("trace", "perp", "xx", "yy", "zz")
"""Names of intensity components; x, y and z are the Cartesian axes of the crystal."""


def correlation_tensor(amplitudes, *, n_cell):
    """Return S^αβ(Q, n) = <0|S^α(Q)†|n><n|S^β(Q)|0> per chemical cell.

    Parameters
    ----------
    amplitudes : (n_q, n_mode, 3) complex128
        <n|S^α(Q)|0> per magnetic cell, with a phase common to the three components.
    n_cell : int
        Chemical cells in the magnetic cell.

    Returns
    -------
    (n_q, n_mode, 3, 3) complex128, Hermitian in its last two axes
    """
    scaled = amplitudes if n_cell == 1 else amplitudes / np.sqrt(n_cell)
    return scaled.conj()[..., :, None] * scaled[..., None, :]


def polarisation_weights(component, q):
    """Return W(Q) of the intensity Σ_αβ W_αβ Re S^αβ.

        trace: δ_αβ      perp: δ_αβ - Q̂_α Q̂_β      xx, yy, zz: one diagonal element

    Parameters
    ----------
    component : str
        One of :data:`COMPONENTS`.
    q : (n_q, 3) float64, 1/Å, Cartesian

    Returns
    -------
    (n_q, 3, 3) float64, symmetric and positive semidefinite

    Notes
    -----
    At Q = 0, where Q̂ has no direction, perp is the mean over all directions, 2/3 of the trace.
    """
    if component not in COMPONENTS:
        raise ConfigError(
            f"no component of the intensity is called {component!r}",
            expected=f"one of {', '.join(COMPONENTS)}",
            got=component,
        )
    unit = np.tile(np.eye(3), (len(q), 1, 1))
    if component == "trace":
        return unit
    if component != "perp":
        axis = "xyz".index(component[0])
        return unit * np.eye(3)[axis]
    length = np.linalg.norm(q, axis=1)
    zero = length < 1e-9
    direction = q / np.where(zero, 1.0, length)[:, None]
    return np.where(zero[:, None, None], unit * (2.0 / 3.0), unit - direction[:, :, None] * direction[:, None, :])


def intensity(s_ab, weights):
    """Return Σ_αβ W_αβ Re S^αβ.

    Parameters
    ----------
    s_ab : (n_q, n_mode, 3, 3) complex128
    weights : (n_q, 3, 3) float64
        From :func:`polarisation_weights`.

    Returns
    -------
    (n_q, n_mode) float64
    """
    return np.einsum("qab,qnab->qn", weights, s_ab.real)
