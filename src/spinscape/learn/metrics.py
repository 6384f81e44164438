"""How well a network reproduces spectra that it has not seen."""

import numpy as np

from ..rng import stream
from .dataset import read_log_spectra


def held_out_metrics(net, store, layout, indices, *, n_pixel=None, seed=0):
    """Return the errors of log(1 + S) at held-out points.

    Parameters
    ----------
    net : Siren
    store : StudyStore
    layout : SpectrumLayout
    indices : (n,) int
    n_pixel : int, optional
        So many pixels of each spectrum, drawn once; all where left out.
    seed : int

    Returns
    -------
    dict
        ``r2`` = 1 − Σ(error²)/Σ(target − mean)², pooled over all pixels; ``rms`` of all; ``theta`` and ``rms_by_point``
        in the order of ``indices``; ``n_pixel`` of each spectrum. Plain values.
    """
    pixels = np.arange(layout.n_pixel)
    if n_pixel is not None and n_pixel < layout.n_pixel:
        pixels = np.sort(stream(seed, "dataset", "score").choice(layout.n_pixel, n_pixel, replace=False))
    row, column = np.divmod(pixels, layout.shape[1])
    coords = np.empty((len(pixels), 4 + len(store.parameter_names)))
    coords[:, :3], coords[:, 3] = layout.q_points[row], layout.energy[column]
    moments, squares = np.zeros(2), []
    for index in indices:
        target = read_log_spectra(store, layout, [index]).reshape(-1)[pixels].astype(np.float64)
        coords[:, 4:] = store.theta[index]
        squares.append(float(np.mean((net.log_at(coords) - target) ** 2)))
        moments += target.sum(), np.sum(target**2)
    n = len(pixels) * len(indices)
    variance = moments[1] / n - (moments[0] / n) ** 2
    return {
        "r2": float(1.0 - np.mean(squares) / variance),
        "rms": float(np.sqrt(np.mean(squares))),
        "theta": np.asarray(store.theta)[indices].tolist(),
        "rms_by_point": np.sqrt(squares).tolist(),
        "n_pixel": len(pixels),
    }
