"""How modes become a spectrum: plain settings that a study, a plan and a fit hand on."""

from dataclasses import asdict, dataclass

import numpy as np

from ..errors import ConfigError
from ..observables.profiles import LineShape, TableWidth
from ..observables.structure_factor import COMPONENTS
from .modes import REGULARISATION

UNITS = ("spin", "moment", "cross_section")
"""What stands behind the numbers: S^αβ of spins, of moments in μ_B, or the cross section of neutrons."""
BINS = ("centres", "means")
"""What a number of a spectrum is: its value at the centre of a bin, or its mean over the bin."""


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
        FWHM of the resolution in meV, as a polynomial of the mode's energy in meV, the constant first.
    q_smear : float, 1/Å
        Standard deviation of a Gaussian in the length along the path; 0 for none.
    fwhm_factor : float
        Multiplies the FWHM.
    energy_offset : float, meV
        Moves every line, its width kept: an error of the instrument's energy zero.
    regularisation : float
        Shift of a singular D relative to its scale; see :func:`spinscape.simulate.modes.solve`.
    line, mixing : str and float or None
        Shape of a line; see :class:`~spinscape.observables.profiles.LineShape`.
    fwhm_table : tuple of two tuples of float, or None
        Energies and FWHM, meV, in place of the polynomial.
    thermal : bool
        Multiply by 1 + n where the neutron loses energy, and show the lines of energy gain with n.
    units : str
        One of :data:`UNITS`.
    form_factor : dict or None
        Magnetic form factors; see :func:`spinscape.simulate.seen.site_form_factors`.
    spread : dict or None
        ``covariance`` (3, 3) in 1/Å², Cartesian, and ``order``: a Gaussian resolution in Q, sampled.
    ranges : tuple of dict
        ``axis`` (3,) in r.l.u., ``low``, ``high``, ``order``: averages over intervals about each Q.
    twins : dict or None
        ``rotations`` (n_twin, 3, 3), Cartesian, and ``weights``; see :class:`~spinscape.observables.twins.Twins`.
    bins : str
        One of :data:`BINS`; means are over bins of energy, of a grid's three coordinates, and of |Q|.
    """

    energy_factor: float = 1.0
    component: str = "trace"
    cap: float | None = None
    fwhm: tuple[float, ...] = (1.0,)
    q_smear: float = 0.0
    fwhm_factor: float = 1.0
    energy_offset: float = 0.0
    regularisation: float = REGULARISATION
    line: str = "gaussian"
    mixing: float | None = None
    fwhm_table: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    thermal: bool = False
    units: str = "spin"
    form_factor: dict | None = None
    spread: dict | None = None
    ranges: tuple[dict, ...] = ()
    twins: dict | None = None
    bins: str = "centres"

    def __post_init__(self):
        object.__setattr__(self, "fwhm", tuple(float(c) for c in self.fwhm))
        object.__setattr__(self, "ranges", tuple(dict(one) for one in self.ranges))
        checks = {
            "component": (self.component in COMPONENTS, f"one of {', '.join(COMPONENTS)}"),
            "energy_factor": (0 < self.energy_factor < np.inf, "a positive number"),
            "cap": (self.cap is None or self.cap > 0, "a positive number or null"),
            "fwhm": (len(self.fwhm) > 0 and bool(np.all(np.isfinite(self.fwhm))), "one or more finite coefficients"),
            "fwhm_factor": (0 < self.fwhm_factor < np.inf, "a positive number"),
            "q_smear": (0 <= self.q_smear < np.inf, "a number that is not negative, 1/Å"),
            "energy_offset": (bool(np.isfinite(self.energy_offset)), "a finite number, meV"),
            "regularisation": (0 < self.regularisation < 1e-3, "a small positive number"),
            "units": (self.units in UNITS, f"one of {', '.join(UNITS)}"),
            "bins": (self.bins in BINS, f"one of {', '.join(BINS)}"),
        }
        for name, (fits, expected) in checks.items():
            if not fits:
                raise ConfigError(
                    f"{name} is out of range", where=f"spinwave.{name}", expected=expected, got=getattr(self, name)
                )
        LineShape(self.line, self.mixing)
        if self.fwhm_table is not None:
            columns = tuple(tuple(float(x) for x in column) for column in self.fwhm_table)
            TableWidth(*(np.array(column) for column in columns))
            object.__setattr__(self, "fwhm_table", columns)

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
