"""Axes that must be those of the simulations: what learnt images bin by bin knows no bins between them."""

import numpy as np

from ..errors import FitError

CLOSE = 1e-6
"""How near momenta (r.l.u.) and energies (meV) of bins must be."""


def require_same_axes(measurement, momenta, energies=None):
    """Raise :class:`FitError` unless a measurement lies on the bins that were simulated.

    Parameters
    ----------
    measurement : Measurement
    momenta : MomentumAxis
    energies : (n_energy,) float64, meV, optional
        Centres of the simulated bins; not compared where left out, or where the measurement has none.
    """
    _require_same(measurement, "momentum", measurement.momentum.points, momenta.points, "r.l.u.")
    if energies is not None and measurement.energy is not None:
        _require_same(measurement, "energy", measurement.energy.centres, np.asarray(energies), "meV")


def _require_same(measurement, what, mine, known, unit):
    if mine.shape == known.shape and np.allclose(mine, known, rtol=0.0, atol=CLOSE):
        return
    raise FitError(
        f"the bins of a measurement in {what} are not those that were simulated",
        where=f"measurement {measurement.name}",
        expected=f"{len(known)} bins from {known[0].round(4).tolist()} to {known[-1].round(4).tolist()} {unit}",
        got=f"{len(mine)} bins from {mine[0].round(4).tolist()} to {mine[-1].round(4).tolist()} {unit}",
        fix="simulate on the measurement's axes, or bin the measurement as the study says",
    )
