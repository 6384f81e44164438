"""Spin-wave spectra on a path: what a forward model of S(Q, ω) predicts."""

from dataclasses import asdict, dataclass

import numpy as np

from ..errors import ConfigError, check_shape
from ..hamiltonian.conditions import Conditions
from ..hamiltonian.spiral import SpiralStructure
from ..kernels.adjoint import broaden_pullback
from ..kernels.spectrum import broaden, broaden_gradient, mode_intensities
from ..observables.resolution import smear_along_path, smear_pullback
from ..observables.structure_factor import COMPONENTS, polarisation_weights
from .gradient import eigenmodes, line_gradient, line_pullback
from .modes import REGULARISATION, blocks_of, checked_couplings, solve
from .quadratic import quadratic_form
from .spiral import merged_parts, spiral_form

DEGENERACY = 1e-6
"""Modes closer than this part of the largest energy at their Q are one group."""


@dataclass(frozen=True)
class SpinwaveSettings:
    """How modes become a spectrum.

    Parameters
    ----------
    energy_factor : float
        Multiplies the energies, and only them (quantum renormalisation Zc).
    component : str
        ``"trace"``, ``"perp"`` (across Q), ``"xx"``, ``"yy"`` or ``"zz"`` (Cartesian).
    cap : float or None
        Largest intensity of a group of degenerate modes, before broadening.
    fwhm : tuple of float
        FWHM of the Gaussian resolution in meV, as a polynomial of the mode's energy in meV, the constant first.
    q_smear : float, 1/Å
        Standard deviation of a Gaussian in the length along the path; 0 for none.
    fwhm_factor : float
        Multiplies the FWHM.
    energy_offset : float, meV
        Moves every line, its width kept: an error of the instrument's energy zero.
    regularisation : float
        Shift of a singular D relative to its scale; see :func:`spinscape.simulate.modes.solve`.
    """

    energy_factor: float = 1.0
    component: str = "trace"
    cap: float | None = None
    fwhm: tuple[float, ...] = (1.0,)
    q_smear: float = 0.0
    fwhm_factor: float = 1.0
    energy_offset: float = 0.0
    regularisation: float = REGULARISATION

    def __post_init__(self):
        object.__setattr__(self, "fwhm", tuple(float(c) for c in self.fwhm))
        checks = {
            "component": (self.component in COMPONENTS, f"one of {', '.join(COMPONENTS)}"),
            "energy_factor": (0 < self.energy_factor < np.inf, "a positive number"),
            "cap": (self.cap is None or self.cap > 0, "a positive number or null"),
            "fwhm": (len(self.fwhm) > 0 and bool(np.all(np.isfinite(self.fwhm))), "one or more finite coefficients"),
            "fwhm_factor": (0 < self.fwhm_factor < np.inf, "a positive number"),
            "q_smear": (0 <= self.q_smear < np.inf, "a number that is not negative, 1/Å"),
            "energy_offset": (bool(np.isfinite(self.energy_offset)), "a finite number, meV"),
            "regularisation": (0 < self.regularisation < 1e-3, "a small positive number"),
        }
        for name, (fits, expected) in checks.items():
            if not fits:
                raise ConfigError(
                    f"{name} is out of range", where=f"spinwave.{name}", expected=expected, got=getattr(self, name)
                )

    def to_dict(self):
        """Return plain values, for JSON; :meth:`from_dict` is the inverse."""
        return {**asdict(self), "fwhm": list(self.fwhm)}

    @classmethod
    def from_dict(cls, data):
        """Rebuild settings from :meth:`to_dict`; what is left out has its default."""
        unknown = sorted(set(data) - set(cls.__dataclass_fields__))
        if unknown:
            raise ConfigError(
                f"unknown spin-wave setting {unknown[0]!r}",
                where="spinwave",
                expected=f"some of {', '.join(cls.__dataclass_fields__)}",
                got=unknown,
            )
        return cls(**data)


def form_of(model, structure, q, conditions):
    """Return the quadratic form of a commensurate structure, or of a spiral at Q, Q + k and Q - k."""
    make = spiral_form if isinstance(structure, SpiralStructure) else quadratic_form
    return make(model, structure, q, conditions)


class SpectrumModel:
    """The spectrum S(Q, ω; θ) on one path, everything that does not depend on θ prepared once.

    Parameters
    ----------
    model : Model
    structure : MagneticStructure or SpiralStructure
    path : QPath
    energy : EnergyAxis
    settings : SpinwaveSettings
    conditions : Conditions, optional

    Examples
    --------
    ``SpectrumModel(model, structure, path, energy, settings).predict(theta)`` has the shape (n_q, n_energy).
    """

    def __init__(self, model, structure, path, energy, settings=None, conditions=None):
        self.model, self.structure, self.path, self.energy = model, structure, path, energy
        self.settings = settings or SpinwaveSettings()
        self.conditions = conditions or Conditions()
        # Corners stand twice on a path: each Q is solved once.
        unique, inverse = np.unique(np.round(path.points, 12), axis=0, return_inverse=True)
        self._row = inverse.reshape(-1)
        self._form = form_of(model, structure, unique, self.conditions)
        self._blocks = blocks_of(self._form)
        weights = polarisation_weights(self.settings.component, unique @ model.crystal.reciprocal)
        # A spiral shows the magnons of three wave vectors at each Q.
        self._n_part = len(self._form.q) // len(unique)
        self._weights = np.tile(weights, (self._n_part, 1, 1))
        self._polynomial = np.array(self.settings.fwhm)

    @property
    def parameter_names(self):
        """Names of θ."""
        return self.model.parameter_names

    @property
    def shape(self):
        """(n_q, n_energy)."""
        return (*self.path.shape, len(self.energy.centres))

    def _lines(self, theta):
        """Return energies and intensities at θ, (n_unique, n_mode)."""
        values = checked_couplings(theta, self.parameter_names)
        energies, amplitudes, _ = solve(
            self._form, values, blocks=self._blocks, regularisation=self.settings.regularisation
        )
        intensities = np.empty_like(energies)
        mode_intensities(amplitudes, self._weights, 1.0 / self._form.n_cell, intensities)
        return merged_parts(self._n_part, energies, intensities)

    def _shape_arguments(self, fwhm_factor, energy_offset):
        """Return the arguments that say how a line looks, in the order of the kernels."""
        s = self.settings
        return (
            float(s.energy_factor),
            float(s.energy_offset if energy_offset is None else energy_offset),
            self._polynomial,
            float(s.fwhm_factor if fwhm_factor is None else fwhm_factor),
            float(np.inf if s.cap is None else s.cap),
            DEGENERACY,
            float(self.energy.centres[0]),
            self.energy.step,
        )

    def predict(self, theta, *, q_smear=None, fwhm_factor=None, energy_offset=None):
        """Return the spectrum at θ.

        Parameters
        ----------
        theta : (n_parameter,) float64, meV
        q_smear, fwhm_factor, energy_offset : float, optional
            In place of those of the settings.

        Returns
        -------
        (n_q, n_energy) float64, per meV and chemical cell
            Values at the bin centres.

        Raises
        ------
        UnstableError
            Where the structure is not stationary or not stable on the path.
        ConfigError
            Where the width of a line is not positive.
        """
        energies, intensities = self._lines(theta)
        rows = np.empty((len(energies), len(self.energy.centres)))
        self._check_width(broaden(energies, intensities, *self._shape_arguments(fwhm_factor, energy_offset), rows))
        return self._along_path(rows, q_smear)

    def predict_gradient(self, theta, *, q_smear=None, fwhm_factor=None, energy_offset=None):
        """Return the derivative of :meth:`predict` by the couplings.

        Parameters
        ----------
        theta : (n_parameter,) float64, meV
        q_smear, fwhm_factor, energy_offset : float, optional
            In place of those of the settings.

        Returns
        -------
        (n_parameter, n_q, n_energy) float64, 1/meV²

        Notes
        -----
        Exact, degenerate modes included. Where a group reaches the cap the spectrum has a kink.
        """
        found = self._eigenmodes(theta)
        lines = line_gradient(found)
        parts = merged_parts(self._n_part, found.energies, found.intensities, lines.brighten, lines.shift)
        rows = np.empty((self.model.n_parameter, len(parts[0]), len(self.energy.centres)))
        self._check_width(broaden_gradient(*parts, *self._shape_arguments(fwhm_factor, energy_offset), rows))
        return np.stack([self._along_path(part, q_smear) for part in rows])

    def predict_with_pullback(self, theta, *, q_smear=None, fwhm_factor=None, energy_offset=None):
        """Return the spectrum at θ, and a function that takes a cotangent of it to one of θ.

        Parameters
        ----------
        theta : (n_parameter,) float64, meV
        q_smear, fwhm_factor, energy_offset : float, optional
            In place of those of the settings.

        Returns
        -------
        spectrum : (n_q, n_energy) float64
            That of :meth:`predict`, but for rounding.
        pullback : function
            (n_q, n_energy) -> (n_parameter,): Σ cotangent · ∂(spectrum)/∂θ, all couplings at once.

        Notes
        -----
        The adjoint of :meth:`predict_gradient`; needs full eigenvectors, which the function keeps.
        """
        found = self._eigenmodes(theta)
        order = np.arange(found.energies.size, dtype=np.float64).reshape(found.energies.shape)
        energies, intensities, order = merged_parts(self._n_part, found.energies, found.intensities, order)
        shape = self._shape_arguments(fwhm_factor, energy_offset)
        rows = np.empty((len(energies), len(self.energy.centres)))
        self._check_width(broaden(energies, intensities, *shape, rows))

        def pullback(cotangent):
            values = np.ascontiguousarray(cotangent, dtype=np.float64)
            check_shape("cotangent", values, self.shape, hint="It has the shape of the spectrum.")
            sigma = self.settings.q_smear if q_smear is None else q_smear
            back = smear_pullback(
                values, distance=self.path.distance, sigma=sigma, source=self._row, n_row=len(energies)
            )
            merged = np.empty((2, *energies.shape))
            broaden_pullback(energies, intensities, back, *shape, *merged)
            apart = np.empty((2, energies.size))
            apart[:, order.astype(np.int64).ravel()] = merged.reshape(2, -1)
            return line_pullback(found, *apart.reshape(2, *found.energies.shape))

        return self._along_path(rows, q_smear), pullback

    def pullback(self, theta, cotangent, **instrument):
        """Return Σ cotangent · ∂(spectrum)/∂θ: the derivative of one number by all couplings at once.

        Parameters
        ----------
        theta : (n_parameter,) float64, meV
        cotangent : (n_q, n_energy) float64
            Derivative of the number by the spectrum.
        **instrument
            Those of :meth:`predict`.

        Returns
        -------
        (n_parameter,) float64
        """
        return self.predict_with_pullback(theta, **instrument)[1](cotangent)

    def _eigenmodes(self, theta):
        """Return :class:`Eigenmodes` at θ."""
        return eigenmodes(
            self._form,
            checked_couplings(theta, self.parameter_names),
            self._weights,
            regularisation=self.settings.regularisation,
            tolerance=DEGENERACY,
        )

    def _along_path(self, rows, sigma):
        """Take (n_unique, n_energy) to the path, smeared."""
        sigma = self.settings.q_smear if sigma is None else sigma
        return smear_along_path(rows, distance=self.path.distance, sigma=sigma, source=self._row)

    def _check_width(self, energy):
        """Raise :class:`ConfigError` where a kernel met a line without width; NaN says that it met none."""
        if not np.isnan(energy):
            raise ConfigError(
                "the energy resolution has no positive width",
                where=f"resolution at {energy:.6g} meV",
                got=f"fwhm polynomial {list(self.settings.fwhm)}",
                fix="give a polynomial and a factor that are positive at every energy of the bands",
            )

    def mode_energies(self, theta, q):
        """Return the mode energies at wave vectors that need not lie on the path.

        Parameters
        ----------
        theta : (n_parameter,) float64, meV
        q : (n, 3) float64, r.l.u.

        Returns
        -------
        (n, n_mode) float64, meV, ascending, ``energy_factor`` included
        """
        form = form_of(self.model, self.structure, np.atleast_2d(q), self.conditions)
        values = checked_couplings(theta, self.parameter_names)
        energies, _, _ = solve(form, values, blocks=blocks_of(form), regularisation=self.settings.regularisation)
        return self.settings.energy_factor * merged_parts(self._n_part, energies)[0]
