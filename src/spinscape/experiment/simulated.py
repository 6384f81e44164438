"""Measurements that the program makes itself, where the real file cannot be had and in tests."""

from dataclasses import asdict, dataclass

import numpy as np

from ..errors import ConfigError, DataError, check_shape
from ..hamiltonian.conditions import Conditions
from ..lattice.momentum import n_momentum
from ..rng import stream
from .measurement import Measurement


@dataclass(frozen=True)
class Background:
    """A background without structure in momentum, in units of the spectrum's mean.

        b(E) = mean · (level · exp(−(E − E_first) / decay) + constant)

    Parameters
    ----------
    level : float
        At the first energy.
    decay : float, meV
    constant : float
    """

    level: float = 0.0
    decay: float = 1.0
    constant: float = 0.0

    def values(self, energies, *, mean):
        """Return b(E), (n_energy,), for energies (n_energy,) in meV."""
        return mean * (self.level * np.exp(-(energies - energies[0]) / self.decay) + self.constant)


@dataclass(frozen=True)
class MissingBlock:
    """Pixels without coverage: momentum indices and energies (meV) between two values, all included."""

    momentum: tuple[int, int]
    energy: tuple[float, float]

    def covers(self, n_q, energies):
        """Return which pixels lie in the block, (n_q, n_energy) bool."""
        q = np.arange(n_q)
        in_q = (q >= self.momentum[0]) & (q <= self.momentum[1])
        in_energy = (energies >= self.energy[0]) & (energies <= self.energy[1])
        return in_q[:, None] & in_energy


def simulated_measurement(
    spectrum,
    *,
    momentum,
    energy,
    counts,
    seed,
    name=None,
    background=None,
    missing_block=None,
    key=(),
    replica=0,
    with_std=False,
    conditions=None,
    provenance=None,
):
    """Return what a detector would count of a spectrum: background, counting noise and a block without coverage.

    Parameters
    ----------
    spectrum : (n_q, n_energy) float64, arbitrary units, not negative
    momentum : QPath, PowderAxis or QGrid
    energy : EnergyAxis or None
        None for diffuse scattering, one column.
    counts : float
        Expected counts in all measured pixels together.
    seed : int
        Of the study.
    background : Background, optional
    missing_block : MissingBlock, optional
    key : tuple of numbers, strings or arrays
        What the spectrum is known by (couplings): another key, other noise.
    replica : int
    with_std : bool
        Give Poisson standard deviations, as counts would have them; the default is a file without errors.

    Returns
    -------
    Measurement
        ``simulated``, with signal = counts / (counts per unit of intensity).

    Notes
    -----
    The variance of a pixel is its expected counts; where none were counted the standard deviation is that of one.
    """
    spectrum = np.asarray(spectrum, dtype=np.float64)
    name = name or momentum.name
    background = background or Background()
    energies = np.zeros(1) if energy is None else energy.centres
    _check_inputs(spectrum, (n_momentum(momentum), len(energies)), counts, background, name)
    missing = np.zeros(spectrum.shape, bool)
    if missing_block is not None:
        missing = missing_block.covers(len(spectrum), energies)
    expected = spectrum + background.values(energies, mean=spectrum.mean())
    per_unit = counts / _measured_total(expected, missing, name)
    generator = stream(seed, "counting", name, float(counts), *key, replica=replica)
    counted = generator.poisson(per_unit * expected).astype(np.float64)
    counted[missing] = 0.0
    return Measurement(
        name=name,
        momentum=momentum,
        energy=energy,
        signal=counted / per_unit,
        valid=~missing,
        std=np.sqrt(np.maximum(counted, 1.0)) / per_unit if with_std else None,
        conditions=conditions or Conditions(),
        simulated=True,
        provenance={
            "reader": "simulated",
            "seed": int(seed),
            "replica": int(replica),
            "counts": float(counts),
            "counts_per_unit": float(per_unit),
            "background": asdict(background),
            "missing_block": None if missing_block is None else asdict(missing_block),
            **(provenance or {}),
        },
    )


def _measured_total(expected, missing, name):
    total = float(expected[~missing].sum())
    if not total > 0:
        raise DataError(
            "a simulated measurement has nothing to count",
            where=f"measurement {name}",
            expected="intensity in at least one pixel with coverage",
            got=f"{total:g} in {int((~missing).sum())} pixels",
            fix="check the missing block, and that the energy window holds the bands",
        )
    return total


def _check_inputs(spectrum, shape, counts, background, name):
    check_shape("spectrum", spectrum, shape, hint="rows are Q, columns energies")
    if not np.all(np.isfinite(spectrum)) or spectrum.min() < 0:
        raise DataError("a spectrum to be counted is negative or not finite", where=f"measurement {name}")
    if not (0 < counts < np.inf) or background.decay <= 0 or min(background.level, background.constant) < 0:
        raise ConfigError(
            "counts and decay must be positive, the background not negative",
            where=f"measurement {name}: simulated",
            got=f"counts {counts}, {background}",
        )
