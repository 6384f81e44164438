"""Single trajectories: states kept over time, their motion by bands of frequency, and what fluctuates along them."""

import itertools
from dataclasses import dataclass

import numpy as np
import scipy.fft

from ..errors import ConfigError, check_shape
from ..units import HBAR
from .integrators import integrator
from .integrators_field import Interactions, largest_field
from .integrators_step import step_from_error

MAX_BYTES = 2e9
"""Of the spins that are kept."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Spins over time.

    Parameters
    ----------
    spins : (n_sample, n_spin, 3) float32
    interval : float, ps
        Between samples.
    """

    spins: np.ndarray
    interval: float

    def __post_init__(self):
        check_shape("spins", self.spins, ("n_sample", "n_spin", 3))

    @property
    def times(self):
        """Times of the samples, (n_sample,), ps."""
        return self.interval * np.arange(len(self.spins))

    @property
    def energies(self):
        """Energies ħω of the frequencies that the samples tell apart, (n_sample//2 + 1,), meV."""
        return 2.0 * np.pi * HBAR * scipy.fft.rfftfreq(len(self.spins), self.interval)


def follow(of: Interactions, spins, *, duration, n_sample, kind="suzuki_trotter_2", frequency_error=2e-3):
    """Follow one state and keep what it goes through.

    Parameters
    ----------
    of : Interactions
    spins : (n_spin, 3) float64
    duration : float, ps
        From the first sample to one interval after the last.
    n_sample : int
    kind : str
        Integrator.
    frequency_error : float
        Relative; the time step is the largest that keeps it and divides the interval.

    Returns
    -------
    Trajectory
    """
    if n_sample < 2 or not duration > 0:
        raise ConfigError("a trajectory has a length and samples", where="dynamics.duration", got=[duration, n_sample])
    if 12.0 * n_sample * len(spins) > MAX_BYTES:
        raise ConfigError(
            "a trajectory takes more memory than there is", where="dynamics.n_sample",
            expected=f"at most {int(MAX_BYTES / 12 / len(spins))} samples of {len(spins)} spins", got=n_sample,
            fix="take fewer samples, or a smaller supercell",
        )  # fmt: skip
    interval = duration / n_sample
    stride = int(np.ceil(interval / step_from_error(kind, frequency_error, bound=largest_field(of)) - 1e-9))
    mover = integrator(of, kind=kind, dt=interval / stride)
    mover.set_spins(spins)
    out = np.empty((n_sample, len(spins), 3), dtype=np.float32)
    for k in range(n_sample):
        if k:
            mover.run(stride)
        out[k] = mover.spins
    return Trajectory(out, interval)


def band_power(trajectory: Trajectory, edges):
    """Return how much each spin moves in bands of frequency.

    Parameters
    ----------
    trajectory : Trajectory
    edges : (n_band + 1,) float64, meV
        Of the bands, rising.

    Returns
    -------
    (n_spin, n_band) float64
        Mean over time of |S_band|², S_band the spin with all other frequencies left out. The bands of a whole range
        from 0 up add to the mean of |S − <S>|² but for the frequency zero, which is in none.

    Notes
    -----
    No window: a line leaks into neighbouring bands as 1/ω² of its distance; take bands wider than 2πħ over the length
    of the trajectory.
    """
    edges = _checked_edges(edges, trajectory)
    n = len(trajectory.spins)
    out = np.zeros((trajectory.spins.shape[1], len(edges) - 1))
    energy = trajectory.energies
    weight = np.where((np.arange(len(energy)) == 0) | (2 * np.arange(len(energy)) == n), 1.0, 2.0) / n**2
    weight[0] = 0.0
    for first in range(0, out.shape[0], 256):
        waves = scipy.fft.rfft(trajectory.spins[:, first : first + 256], axis=0)
        power = weight[:, None] * np.sum(np.abs(waves) ** 2, axis=2)
        for band, (low, high) in enumerate(itertools.pairwise(edges)):
            out[first : first + 256, band] = power[(energy >= low) & (energy < high)].sum(axis=0)
    return out


def band_motion(trajectory: Trajectory, edges):
    """Return how fast each spin moves in bands of frequency at each time.

    Parameters
    ----------
    trajectory : Trajectory
    edges : (n_band + 1,) float64, meV

    Returns
    -------
    (n_sample, n_spin, n_band) float32
        |S_band(t)|, S_band the spin with all other frequencies left out.

    Notes
    -----
    The trajectory is followed there and back: of the jump from its end to its beginning, which a transform would see
    otherwise, slow motion would stand in all bands near both ends.
    """
    edges = _checked_edges(edges, trajectory)
    n = len(trajectory.spins)
    energy = 2.0 * np.pi * HBAR * scipy.fft.rfftfreq(2 * n, trajectory.interval)
    out = np.empty((n, trajectory.spins.shape[1], len(edges) - 1), dtype=np.float32)
    waves = scipy.fft.rfft(np.concatenate([trajectory.spins, trajectory.spins[::-1]]), axis=0)
    waves[0] = 0.0
    for band, (low, high) in enumerate(itertools.pairwise(edges)):
        inside = (energy >= low) & (energy < high)
        kept = scipy.fft.irfft(np.where(inside[:, None, None], waves, 0), n=2 * n, axis=0)[:n]
        out[:, :, band] = np.linalg.norm(kept, axis=2)
    return out


def _checked_edges(edges, trajectory):
    edges = np.asarray(edges, dtype=np.float64)
    if len(edges) < 2 or np.any(np.diff(edges) <= 0) or edges[0] < 0:
        raise ConfigError("the edges of bands rise from zero or above", where="bands", got=edges.tolist())
    if edges[-1] > trajectory.energies[-1] * (1.0 + 1e-9):
        raise ConfigError(
            "a band reaches beyond the sampling rate", where="bands",
            expected=f"at most {trajectory.energies[-1]:.4g} meV", got=float(edges[-1]), fix="take more samples",
        )  # fmt: skip
    return edges


def participation(power):
    """Return the number of sites that hold 90 % of a band's power, (n_band,) int64.

    Parameters
    ----------
    power : (n_spin, n_band) float64
    """
    falling = -np.sort(-np.asarray(power), axis=0)
    total = np.cumsum(falling, axis=0)
    return np.argmax(total >= 0.9 * total[-1] * (1.0 - 1e-12), axis=0) + 1


def heat_capacity_from_parts(energies, whole, *, beta, n_spin, n_part):
    """Return the heat capacity from the energies of parts of several sizes along trajectories of the whole.

        β² <(E_part − E n_part/n_spin)²> = C n_part (1 − n_part/n_spin) + what the surface adds

    Parameters
    ----------
    energies : (n_size, ..., n_sample) float64, meV
        Of parts of each size at any times of any trajectories; equal parts of one size (slabs, say, in all places) may
        stand on the axes between.
    whole : (n_sample,) float64, meV
        Energy of the whole at the same times: constant along each trajectory.
    beta : float, 1/meV
    n_spin : int
        Spins of the whole.
    n_part : (n_size,) int
        Spins of the parts, two sizes or more, all with equal surfaces.

    Returns
    -------
    float, k_B per spin

    Notes
    -----
    The whole has a constant energy: what the part has more the rest has less (Lebowitz, Percus and Verlet, Phys. Rev.
    153, 250 (1967)). Bonds across a surface correlate a part with the rest; once part and rest are thicker than the
    correlation length that is a constant, and the slope over n_part (1 − n_part/n_spin) is free of it.
    """
    n_part = np.asarray(n_part, dtype=np.float64)
    energies, whole = np.asarray(energies, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    if len(n_part) < 2 or len(energies) != len(n_part):
        raise ConfigError("a slope needs parts of two sizes", where="n_part", expected="one size for each row",
                          got=n_part.tolist())  # fmt: skip
    share = (n_part / n_spin).reshape(-1, *[1] * (energies.ndim - 1))
    squares = beta**2 * np.mean((energies - share * whole).reshape(len(n_part), -1) ** 2, axis=1)
    return float(np.polyfit(n_part * (1.0 - n_part / n_spin), squares, 1)[0])


def susceptibility_from_moment(moments, *, beta, n_spin):
    """Return β <(M − <M>)²> along trajectories, per spin and component, of moments (..., 3) in units of spin; 1/meV."""
    moments = np.asarray(moments, dtype=np.float64).reshape(-1, 3)
    return beta * np.var(moments, axis=0) / n_spin
