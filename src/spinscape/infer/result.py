"""What a fit found: couplings with their errors, every minimum that was met, and what the choices are worth."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Estimate:
    """A fitted quantity and its errors.

    Parameters
    ----------
    value : float
    unit : str
    std : float or None
        Standard deviation: the largest by the methods that count (curvature, information, bootstrap, posterior, those
        that hold backgrounds and line shapes; for real data the group jackknife). None where none was asked for,
        where the quantity sits at a bound, and where the data do not determine it.
    interval68, interval95 : (float, float) or None
        value ± 1 and ± 1.96 std, of a jackknife by Student's law of its groups; cut at the bounds of the box. Those of
        the profile likelihood, which need not be symmetric, where it was asked for and is the wider at 95 %.
    systematic : float or None
        Half the spread (largest less smallest) over the fit and its variants; None without variants.
    std_by_method : dict of str to float
        ``hessian``, ``information``, ``bootstrap``, ``jackknife``, ``robust``, ``shaped``, ``posterior``: whichever
        were done.
    at_bound : bool
        The value sits at a bound of the box.
    method : str or None
        That ``std`` is from.
    intervals : dict of str to dict
        Method → {"68": (lower, upper), "95": ...}, of ``profile`` and ``posterior``.
    identifiable : bool
        False where the data do not determine the quantity within the box: its value is where the search ended, no more.
    """

    value: float
    unit: str
    std: float | None = None
    interval68: tuple[float, float] | None = None
    interval95: tuple[float, float] | None = None
    systematic: float | None = None
    std_by_method: dict[str, float] = field(default_factory=dict)
    at_bound: bool = False
    method: str | None = None
    intervals: dict[str, dict] = field(default_factory=dict)
    identifiable: bool = True

    def to_dict(self):
        """Return plain values, for JSON."""
        return {
            "value": float(self.value),
            "std": self.std,
            "interval68": None if self.interval68 is None else list(self.interval68),
            "interval95": None if self.interval95 is None else list(self.interval95),
            "systematic": self.systematic,
            "unit": self.unit,
            "std_by_method": dict(self.std_by_method),
            "at_bound": self.at_bound,
            "method": self.method,
            "intervals": {m: {level: list(pair) for level, pair in one.items()} for m, one in self.intervals.items()},
            "identifiable": self.identifiable,
        }


@dataclass(frozen=True)
class Combination:
    """A linear combination of couplings, as well determined as the data determine it.

    Parameters
    ----------
    coefficients : dict of str to float
        The largest is 1.
    value, std : float
    unit : str
    """

    coefficients: dict[str, float]
    value: float
    std: float
    unit: str

    @property
    def text(self):
        """The combination in words, as in ``J − 1.63 Jp = 26.7 ± 0.02 meV``."""
        words = ""
        for name, factor in sorted(self.coefficients.items(), key=lambda item: -abs(item[1])):
            size = "" if abs(abs(factor) - 1.0) < 5e-4 else f"{abs(factor):.3g} "
            sign = (" − " if words else "−") if factor < 0 else (" + " if words else "")
            words += f"{sign}{size}{name}"
        value = f"{self.value:.4g}".replace("-", "−")
        return f"{words} = {value} ± {self.std:.2g} {self.unit}".rstrip()

    def to_dict(self):
        """Return plain values, for JSON."""
        return {
            "coefficients": dict(self.coefficients),
            "value": self.value,
            "std": self.std,
            "unit": self.unit,
            "text": self.text,
        }


@dataclass(frozen=True)
class VariantResult:
    """The same fit with something changed.

    Parameters
    ----------
    label : str
    parameters, modes : dict of str to float
        Empty where the variant failed.
    objective : float or None
    error : str or None
    """

    label: str
    parameters: dict[str, float]
    modes: dict[str, float]
    objective: float | None
    error: str | None = None

    def to_dict(self):
        """Return plain values, for JSON."""
        return {
            "label": self.label,
            "parameters": dict(self.parameters),
            "modes": dict(self.modes),
            "objective": self.objective,
            "error": self.error,
        }


@dataclass(frozen=True, eq=False)
class FitResult:
    """Everything that a fit found.

    Parameters
    ----------
    fit : str
    measurements : tuple of str
    parameters, nuisances : dict of str to Estimate
        The couplings, and the properties of the instrument that were fitted beside them.
    modes : dict of str to Estimate
        Energies of the lowest mode at named wave vectors.
    correlation : dict
        ``names`` and ``matrix`` of the couplings and nuisances, of the method that ``std`` is from.
    combinations : tuple of Combination
        Eigenvectors of the couplings' covariance, the best determined first.
    objective, strategy, quality : dict
        Name, settings and value; name, settings and counts; figures of merit.
    minima : tuple of dict
        Every minimum that the search met, the lowest first.
    variants : tuple of VariantResult
    warnings : tuple of str
    provenance : dict
    details : dict
        Of single methods, plain values: ``clip``, ``freer_background``, ``line_shape``, ``posterior``,
        ``identifiability``.
    region : Region or None
        Map of acceptable couplings, for its figure.
    """

    fit: str
    measurements: tuple[str, ...]
    parameters: dict[str, Estimate]
    nuisances: dict[str, Estimate]
    modes: dict[str, Estimate]
    correlation: dict
    combinations: tuple[Combination, ...]
    objective: dict
    strategy: dict
    quality: dict
    minima: tuple[dict, ...]
    variants: tuple[VariantResult, ...]
    warnings: tuple[str, ...]
    provenance: dict
    details: dict = field(default_factory=dict)
    region: object = None

    @property
    def values(self):
        """Values of couplings and nuisances by name."""
        return {name: estimate.value for name, estimate in {**self.parameters, **self.nuisances}.items()}

    def to_dict(self):
        """Return plain values, for the JSON file of the fit."""
        return {
            "fit": self.fit,
            "measurements": list(self.measurements),
            "parameters": {name: e.to_dict() for name, e in self.parameters.items()},
            "nuisances": {name: e.to_dict() for name, e in self.nuisances.items()},
            "modes": {name: e.to_dict() for name, e in self.modes.items()},
            "correlation": self.correlation,
            "combinations": [c.to_dict() for c in self.combinations],
            "objective": self.objective,
            "strategy": self.strategy,
            "quality": self.quality,
            "minima": list(self.minima),
            "variants": [v.to_dict() for v in self.variants],
            "warnings": list(self.warnings),
            "details": self.details,
            "provenance": self.provenance,
        }
