"""S(Q, ω) of classical spins: from records of amplitudes in time to spectra with errors.

    S^αβ(Q, E) = (1/2πħ n_cell) Σ_t exp(−iEt/ħ) <S^α(Q, 0)* S^β(Q, t)>,   S^α(Q) = Σ_i exp(+iQ·r_i) S_i^α

per meV and chemical cell, so that ∫S dE is the equal-time correlation. A spin wave of wave vector +Q stands at +E.
"""

from dataclasses import asdict, dataclass, replace

import numpy as np
import scipy.fft
from scipy.sparse import csr_array, vstack

from ..errors import ConfigError
from ..kernels.precession_power import TINY, add_power, add_trace, take_off_steady
from ..units import FWHM_PER_SIGMA, HBAR
from .dynamic_weights import weighting_factor
from .resolution import fwhm_from_energy
from .structure_factor import COMPONENTS, polarisation_weights

WINDOWS = ("hann", "blackman", "gaussian", "none")
"""How a trajectory is faded in and out before it is transformed in time."""
_BLOCK = 200_000
"""Complex numbers of a block of waves, which stays in the cache."""
_REACH = 5.0
"""Standard deviations of the resolution beyond the energy axis that count."""


@dataclass(frozen=True)
class DynamicSettings:
    """How amplitudes become a spectrum.

    Parameters
    ----------
    component : str
        One of :data:`spinscape.observables.structure_factor.COMPONENTS`.
    window : str
        One of :data:`WINDOWS`. ``none`` keeps lines sharp and lets strong ones leak far; ``gaussian`` ends at 3 σ.
    fwhm : tuple of float, or None
        FWHM of the Gaussian resolution in meV, as a polynomial of the energy transfer in meV, the constant first; None
        for the mean over each energy bin.
    elastic : bool
        Keep what does not change along a trajectory, as a line at zero energy; otherwise it is taken off.
    moments, form_factor : bool
        See :class:`~spinscape.observables.dynamic_series.SpatialTransform`.
    rule : str
        Between allowed wave vectors: one of :data:`spinscape.observables.dynamic_q.RULES`.
    weighting : str
        One of :data:`spinscape.observables.dynamic_weights.WEIGHTINGS`.
    """

    component: str = "trace"
    window: str = "hann"
    fwhm: tuple[float, ...] | None = None
    elastic: bool = True
    moments: bool = False
    form_factor: bool = False
    rule: str = "nearest"
    weighting: str = "classical"

    def __post_init__(self):
        object.__setattr__(self, "fwhm", None if self.fwhm is None else tuple(float(c) for c in self.fwhm))
        checks = {
            "component": (self.component in COMPONENTS, f"one of {', '.join(COMPONENTS)}"),
            "window": (self.window in WINDOWS, f"one of {', '.join(WINDOWS)}"),
            "fwhm": (
                self.fwhm is None or (len(self.fwhm) > 0 and bool(np.all(np.isfinite(self.fwhm)))),
                "coefficients",
            ),
        }
        for name, (fits, expected) in checks.items():
            if not fits:
                raise ConfigError(
                    f"{name} is out of range", where=f"dynamics.{name}", expected=expected, got=getattr(self, name)
                )

    def to_dict(self):
        """Return plain values, for JSON; ``DynamicSettings(**data)`` reads them."""
        return {**asdict(self), "fwhm": None if self.fwhm is None else list(self.fwhm)}


def time_window(kind, n_sample):
    """Return the weights of the samples of a trajectory, (n_sample,) float64, with a mean square of one.

    >>> float(np.mean(time_window("hann", 64) ** 2).round(12))
    1.0
    """
    # Periodic windows: the first sample and the one after the last are the same.
    t = 2.0 * np.pi * (np.arange(n_sample) + 0.5) / n_sample
    if kind == "none":
        weights = np.ones(n_sample)
    elif kind == "hann":
        weights = 0.5 - 0.5 * np.cos(t)
    elif kind == "blackman":
        weights = 0.42 - 0.5 * np.cos(t) + 0.08 * np.cos(2.0 * t)
    else:
        weights = np.exp(-0.5 * (3.0 * (t / np.pi - 1.0)) ** 2)
    return weights / np.sqrt(np.mean(weights**2))


class EnergyProjection:
    """From the frequencies of a trajectory to the bins of an energy axis.

    Parameters
    ----------
    axis : EnergyAxis
    n_sample : int
    energy_step : float, meV
        2πħ over the length of the trajectory.
    settings : DynamicSettings
    temperature : float or None, K

    Attributes
    ----------
    index : (n_frequency,) int64
        Frequencies that count, as indices of a transform of n_sample numbers.
    energy : (n_frequency,) float64, meV
    plain, matrix : (n_energy, n_frequency) sparse float64
        Weights and resolution, without and with the weighting, for amplitudes squared per meV.
    """

    def __init__(self, axis, n_sample, energy_step, settings, temperature=None):
        number = np.arange(-((n_sample - 1) // 2), n_sample // 2 + 1)
        energy = number * energy_step
        edges = axis.edges
        width = self._width(energy, settings)
        reach = 0.5 * energy_step if width is None else _REACH * width
        kept = (energy + reach > edges[0]) & (energy - reach < edges[-1])
        self.index, self.energy = number[kept] % n_sample, energy[kept]
        if width is None:
            matrix = _overlap(self.energy, energy_step, edges) / axis.step
        else:
            width = width[kept]
            if not np.all(width > 0):
                raise ConfigError(
                    "the energy resolution has no positive width",
                    where=f"resolution at {self.energy[np.argmin(width)]:.6g} meV",
                    got=f"fwhm polynomial {list(settings.fwhm)}",
                    fix="give a polynomial that is positive at every energy of the axis, those below zero among them",
                )
            x = (axis.centres[:, None] - self.energy) / width
            matrix = energy_step * np.exp(-0.5 * x**2) / (np.sqrt(2.0 * np.pi) * width)
            matrix[np.abs(x) > _REACH] = 0.0
        factor = weighting_factor(settings.weighting, self.energy, temperature=temperature)
        self.plain = csr_array(matrix)
        self.matrix = csr_array(self.plain * factor)

    @staticmethod
    def _width(energy, settings):
        if settings.fwhm is None:
            return None
        return fwhm_from_energy(energy, settings.fwhm) / FWHM_PER_SIGMA


def _overlap(energy, step, edges):
    """Return how much of [E − step/2, E + step/2] lies in each bin, meV: sparse, (n_bin, n_energy)."""
    low, high = energy - 0.5 * step, energy + 0.5 * step
    # Bins are at least as wide as a step, so that a frequency meets two of them; three where rounding has a say.
    first = np.searchsorted(edges, low, side="right") - 1
    rows = first + np.arange(max(3, int(np.ceil(step / np.min(np.diff(edges)))) + 2))[:, None]
    kept = (rows >= 0) & (rows < len(edges) - 1)
    safe = np.clip(rows, 0, len(edges) - 2)
    inside = np.where(kept, np.minimum(high, edges[safe + 1]) - np.maximum(low, edges[safe]), 0.0)
    columns = np.broadcast_to(np.arange(len(energy)), rows.shape)
    kept &= inside > 0
    return csr_array((inside[kept], (safe[kept], columns[kept])), shape=(len(edges) - 1, len(energy)))


class WholeProjection(EnergyProjection):
    """As :class:`EnergyProjection`, for several weightings, and with the integrals over all energies.

    Parameters
    ----------
    axis, n_sample, energy_step, settings, temperature : as there
    weightings : tuple of str
        In place of that of the settings, which is the one that counts where none is given.

    Attributes
    ----------
    plain, matrix : (n_weighting n_energy + 1 + n_weighting, n_frequency) sparse float64
        The spectra of one weighting after the other; then the integral over all energies, classical and of each
        weighting. All weightings are 1 in ``plain``.
    """

    def __init__(self, axis, n_sample, energy_step, settings, temperature=None, *, weightings=()):
        super().__init__(axis, n_sample, energy_step, replace(settings, weighting="classical"))
        number = np.arange(-((n_sample - 1) // 2), n_sample // 2 + 1)
        index, energy = number % n_sample, number * energy_step
        # The frequencies in rising order, those of the spectrum among them.
        place = np.searchsorted(number, np.round(self.energy / energy_step).astype(np.int64))
        onto = csr_array((np.ones(len(place)), (np.arange(len(place)), place)), shape=(len(place), n_sample))
        kinds = weightings or (settings.weighting,)
        factors = [weighting_factor(kind, energy, temperature=temperature) for kind in kinds]
        totals = energy_step * np.stack([np.ones(n_sample), *factors])
        binned = self.plain @ onto
        self.matrix = csr_array(vstack([binned * factor for factor in factors] + [csr_array(totals)]))
        alike = csr_array(energy_step * np.ones(totals.shape))
        self.plain = csr_array(vstack([binned] * len(factors) + [alike]))
        self.index, self.energy = index, energy


class SpectrumSum:
    """Mean of S(Q, E) over trajectories, with errors from the scatter of blocks of them.

    Parameters
    ----------
    transform : SpatialTransform or Probes
    q : (n_q, 3) float64, 1/Å, Cartesian
        Of the transform's wave vectors.
    projection : EnergyProjection
    settings : DynamicSettings
    n_cell : float
        The spectrum is divided by it.
    n_sample : int
    interval : float, ps
        Between samples.
    per_block : int
        Trajectories in a block: more than one where they are correlated, or many.
    pooled : bool
        Take the mean over q, one row, in place of each.

    Attributes
    ----------
    weight : (n_sample,) float64
        What the waves of each sample are to be multiplied with.
    n_block : int
        Full blocks so far.

    Notes
    -----
    Memory does not grow with the number of trajectories.

    What does not move along a trajectory is taken apart from the rest, amplitude by amplitude: C = D + s. Of |C|² the
    part |s|² is the line at zero energy, which no weighting touches; the rest, |D|² and the product of the two, is
    motion. So a Bragg peak leaks nowhere that a weighting would lift it, and a slow fluctuation, of which s is only
    what the trajectory was too short for, keeps its shape through zero energy.
    """

    def __init__(self, transform, q, projection, settings, *, n_cell, n_sample, interval, per_block=1, pooled=False):
        self._transform, self._projection, self._settings = transform, projection, settings
        self._n_sample, self._per_block, self._pooled = n_sample, per_block, pooled
        self.weight = time_window(settings.window, n_sample)
        hat = np.fft.ifft(self.weight, norm="forward")
        self._kept = np.flatnonzero(np.abs(hat) > TINY * np.abs(hat).max())
        self._hat = hat[self._kept].astype(np.complex64)
        # Rows of the block at which the steady part stands, and its shape there.
        self._near = np.flatnonzero(np.isin(projection.index, self._kept))
        self._shape = (np.abs(hat[projection.index[self._near]]) ** 2).astype(np.float32)
        self._line = (csr_array(projection.plain)[:, self._near] @ self._shape)[:, None]
        # Wave after wave, as the blocks of them come; only the order is another one.
        self._order = np.argsort(transform.row, kind="stable")
        self._factors = _square_roots(polarisation_weights(settings.component, q))[self._order]
        self._row, self._beyond = transform.row[self._order], transform.beyond[self._order]
        self._phase = np.ascontiguousarray(transform.phase[:, self._order])
        # Σ of the squared weights is n_sample: |Σ_t|² Δt/(2πħ n_sample) integrates to the mean of |C|².
        self._scale = interval / (2.0 * np.pi * HBAR * n_sample * n_cell)
        self._matrix = csr_array(projection.matrix)
        self._block = np.zeros((len(projection.energy), 1 if pooled else len(q)), dtype=np.float32)
        self._steady = np.zeros(self._block.shape[1], dtype=np.float32)
        self._in_block, self.n_block = 0, 0
        self._mean = np.zeros((projection.matrix.shape[0], self._block.shape[1]))
        self._square = np.zeros_like(self._mean)

    def add(self, series):
        """Take one trajectory: (n_sample, *transform.shape) complex64, the weights multiplied in."""
        n_site, _, n_wave = self._transform.shape
        step = max(1, _BLOCK // (3 * n_site * self._n_sample))
        for first in range(0, n_wave, step):
            last = min(n_wave, first + step)
            begin, end = np.searchsorted(self._row, [first, last])
            if end > begin:
                self._add_waves(series[..., first:last], first, slice(begin, end))
        self._in_block += 1
        if self._in_block == self._per_block:
            self._close_block()

    def _add_waves(self, series, first, chosen):
        """Add the power of some waves, those from ``first`` on, at the wave vectors that are made of them."""
        # The waves are conjugates of those in S(Q): what goes as exp(−iEt) stands for +E.
        wave = scipy.fft.ifft(series, axis=0, norm="forward")
        index, near = self._projection.index, self._near
        whole = np.zeros((len(near), chosen.stop - chosen.start), dtype=np.float32)
        self._power(wave, index[near], first, chosen, whole)
        steady = np.empty(wave.shape[1:], dtype=np.complex64)
        take_off_steady(wave, self._kept, self._hat, steady)
        out = np.zeros((len(index), whole.shape[1]), dtype=np.float32)
        self._power(wave, index, first, chosen, out)
        line = np.zeros((1, out.shape[1]), dtype=np.float32)
        if self._settings.elastic:
            self._power(steady[None], np.zeros(1, dtype=np.int64), first, chosen, line)
            out[near] = whole - self._shape[:, None] * line
        if self._pooled:
            self._block[:, 0] += out.sum(axis=1) / np.float32(len(self._row))
            self._steady += line.sum() / np.float32(len(self._row))
        else:
            self._block[:, chosen] += out
            self._steady[chosen] += line[0]

    def _power(self, wave, index, first, chosen, out):
        row, beyond, phase = self._row[chosen] - first, self._beyond[chosen], self._phase[:, chosen]
        if self._settings.component == "trace" and len(phase) == 1 and self._transform.g is None:
            add_trace(wave, index, row, beyond, np.abs(phase[0]) ** 2, out)
            return
        has_g = self._transform.g is not None
        g = self._transform.g if has_g else np.zeros((len(phase), 3, 3), dtype=np.float32)
        add_power(wave, index, row, beyond, np.ascontiguousarray(phase), g, has_g, self._factors[chosen], out)

    def _close_block(self):
        values = self._matrix @ self._block
        values += self._line * self._steady
        values *= self._scale / self._in_block
        self.n_block += 1
        values -= self._mean
        self._mean += values / self.n_block
        values *= values
        self._square += values * ((self.n_block - 1) / self.n_block)
        self._block[:], self._steady[:], self._in_block = 0.0, 0.0, 0

    @property
    def mean(self):
        """S(Q, E), (n_q, n_energy) float64, per meV and chemical cell; trajectories of a block that is open are out."""
        if not self.n_block:
            raise ConfigError(
                "no block of trajectories is full",
                where="dynamics.n_configuration",
                expected=f"at least {self._per_block}",
                got=self._in_block,
            )
        return self._ordered(self._mean)

    @property
    def error(self):
        """Standard error of the mean, (n_q, n_energy); infinite from one block alone."""
        if self.n_block < 2:
            return self._ordered(np.full(self._mean.shape, np.inf))
        return self._ordered(np.sqrt(self._square / (self.n_block * (self.n_block - 1))))

    def _ordered(self, values):
        """Take (n_energy, n_q) in the order of the waves to (n_q, n_energy) in that of the wave vectors."""
        if self._pooled:
            return values.T.copy()
        out = np.empty(values.shape[::-1])
        out[self._order] = values.T
        return out


def _square_roots(weights):
    """Return L of W = Σ_k L_k L_kᵀ, (n_q, n_form, 3) float32: as many as some W has directions."""
    values, axes = np.linalg.eigh(weights)
    kept = np.any(values > 1e-12, axis=0)
    roots = np.sqrt(np.maximum(values, 0.0))[:, :, None] * axes.swapaxes(1, 2)
    return np.ascontiguousarray(roots[:, kept], dtype=np.float32)
