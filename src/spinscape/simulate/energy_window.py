"""Whether the energies that a spectrum is asked for hold any of its modes."""

import numpy as np

from ..errors import ConfigError


def check_window(spectrum, theta):
    """Raise where no mode of any wave vector of a path lies between the edges of its energy axis.

    Parameters
    ----------
    spectrum : SpectrumModel
    theta : (n_parameter,) float64, meV

    Raises
    ------
    ConfigError
        Names the window and the energies of the modes.
    """
    energies = spectrum.mode_energies(theta, spectrum.path.points) + spectrum.settings.energy_offset
    centres, half = spectrum.energy.centres, 0.5 * spectrum.energy.step
    first, last = float(centres[0] - half), float(centres[-1] + half)
    if np.any((energies >= first) & (energies <= last)):
        return
    names = zip(spectrum.parameter_names, np.asarray(theta, dtype=np.float64), strict=True)
    raise ConfigError(
        "the energy window holds no mode",
        where=f"energy, path {spectrum.path.name!r}, {', '.join(f'{name} = {value:.6g} meV' for name, value in names)}",
        expected=f"energies of {energies.min():.6g} to {energies.max():.6g} meV, where the modes are",
        got=f"{first:.6g} to {last:.6g} meV",
        fix="widen or move the window, or correct the couplings or their unit",
    )
