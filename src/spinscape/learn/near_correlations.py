"""Correlations of near spins, from S(Q) over whole zones: what a phase is known by when its ordering vector moves.

    C(r) = Σ_Q S(Q) cos(2π Q·r) / Σ_Q S(Q) = ⟨S_0·S_r⟩ / S²      (one site in the cell)

With several sites in the cell and Q over as many zones as tell them apart, C(r) is the same sum over all pairs that are
r apart. The peaks of two spirals of slightly different pitch do not overlap; their near correlations are nearly equal.
"""

import numpy as np

from ..errors import DataError, check_shape

_WHOLE = 1e-6


def near_correlations(signal, q, vectors):
    """Return the correlations at some distances, each between −1 and 1, (n_point, n_vector) float64.

    Parameters
    ----------
    signal : (n_point, n_q) float64
        S(Q), the trace over spin components, without form factor.
    q : (n_q, 3) float64, r.l.u.
        Bin centres, evenly over whole zones: a constant S(Q) has no correlations.
    vectors : (n_vector, 3) float64
        r in units of the cell.
    """
    signal, q, vectors = (np.asarray(x, dtype=np.float64) for x in (signal, q, vectors))
    check_shape("q", q, ("n_q", 3))
    check_shape("vectors", vectors, ("n_vector", 3))
    check_shape("signal", signal, (len(signal), len(q)))
    wave = np.cos(2.0 * np.pi * q @ vectors.T)
    off = np.abs(wave.mean(axis=0))
    if np.any(off > _WHOLE):
        raise DataError(
            "the volume does not hold whole zones evenly",
            where="correlations",
            expected="bins over one zone or several, none counted twice: first: -0.5, last: 0.5",
            got=f"a constant S(Q) has the correlation {off.max():.3g} at {vectors[np.argmax(off)].tolist()}",
            fix="change the volume, or leave out vectors that are 0",
        )
    total = signal.sum(axis=1, keepdims=True)
    if np.any(total <= 0):
        raise DataError("a point without intensity", where="correlations", got=int(np.argmin(total)))
    return signal @ wave / total
