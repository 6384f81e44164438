"""What is seen of spin waves: intensities, resolution in energy and Q, twins. Parts of the ``simulate:`` section."""

from typing import Annotated, Literal

import numpy as np
from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from ..errors import ConfigError, SpinscapeError
from .axes import vectors
from .build_model import build_crystal
from .quantities import Angle, Energy, Vector, Wavevector
from .strict import Strict

Coefficients = Annotated[tuple[float, ...], Field(min_length=7, max_length=7)]
"""A, a, B, b, C, c, D of an expansion in Gaussians of s = |Q|/4π; a, b, c in Å²."""


class FormFactorCoefficients(Strict):
    """Form factor of an ion that the table lacks, or in place of its own."""

    j0: Coefficients
    j2: Coefficients | None = None
    source: str = Field(min_length=3, max_length=300, description="where the numbers are from")


class FormFactorSection(Strict):
    """Magnetic form factors of the sites' ions, <j0> + (2 - g)/g <j2>."""

    g: Literal["spin_only", "sites"] | dict[str, float] = Field(
        "spin_only", description="2, the mean of each site's g tensor, or a number for each ion (its Landé factor)"
    )
    coefficients: dict[str, FormFactorCoefficients] = Field(default_factory=dict)

    def plain(self):
        """Return what :func:`spinscape.simulate.seen.form_factors_of` reads."""
        rows = {ion: {"j0": list(one.j0), "j2": None if one.j2 is None else list(one.j2)}
                for ion, one in self.coefficients.items()}  # fmt: skip
        return {"g": self.g if isinstance(self.g, str) else dict(self.g), "coefficients": rows}


def _switched(value):
    """Return a section for yes, none for no."""
    return ({} if value else None) if isinstance(value, bool) else value


FormFactor = Annotated[
    FormFactorSection | None, BeforeValidator(_switched, json_schema_input_type=bool | FormFactorSection | None)
]


class Intensity(Strict):
    """What of S^αβ is seen."""

    component: Literal["trace", "perp", "xx", "yy", "zz"] = "perp"
    cap: float | None = Field(None, gt=0, description="largest intensity of a group of degenerate modes")
    form_factor: FormFactor = Field(None, description="true for those of free ions in the spin-only approximation")
    thermal: bool = Field(
        False, description="1 + n at energy loss and n at energy gain, at the temperature of the conditions"
    )
    units: Literal["spin", "moment", "cross_section"] = Field(
        "spin", description="of S^αβ: 1/meV, μ_B²/meV or b/(sr meV); for one chemical cell"
    )

    def plain(self):
        """Return the settings that are not at their default, and component and cap."""
        out = {"component": self.component, "cap": self.cap}
        if self.form_factor is not None:
            out["form_factor"] = self.form_factor.plain()
        if self.thermal:
            out["thermal"] = True
        return out if self.units == "spin" else {**out, "units": self.units}

    def check(self, study):
        """Raise :class:`ConfigError` for an ion without form factor, and a temperature that is not there."""
        if self.thermal and study.conditions.temperature is None:
            raise ConfigError(
                "thermal factors need a temperature",
                where="simulate.intensity.thermal",
                expected="conditions: {temperature: ...}",
                got="no temperature",
                fix="declare the temperature, or leave thermal out",
            )
        if self.form_factor is not None:
            self._check_form_factors(study)

    def _check_form_factors(self, study):
        from ..observables.formfactor import magnetic_form_factor
        from ..simulate.seen import form_factors_of

        try:
            for known, g in form_factors_of(build_crystal(study), self.plain()["form_factor"]):
                magnetic_form_factor(np.zeros(1), ion=known, g=g)
        except SpinscapeError as error:
            raise ConfigError(
                error.what,
                where="simulate.intensity.form_factor",
                expected=error.expected,
                got=error.got,
                fix=error.fix or "correct the ion of the site, or give coefficients",
            ) from None


class WidthTable(Strict):
    """FWHM at some energies, straight lines between them."""

    energy: tuple[Energy, ...] = Field(min_length=2, max_length=10_000)
    fwhm: tuple[Energy, ...] = Field(min_length=2, max_length=10_000)

    @model_validator(mode="after")
    def _usable(self):
        if len(self.energy) != len(self.fwhm) or np.any(np.diff(self.energy) <= 0) or min(self.fwhm) <= 0:
            raise ValueError("rising energies and as many positive widths")
        return self


class _Resolution(Strict):
    fwhm: tuple[float, ...] | None = Field(
        None, min_length=1, max_length=8, description="FWHM in meV as a polynomial of the energy transfer in meV"
    )
    table: WidthTable | None = Field(None, description="in place of the polynomial")

    @model_validator(mode="after")
    def _one_width(self):
        if (self.fwhm is None) == (self.table is None):
            raise ValueError("a resolution has either fwhm or table")
        return self

    def plain(self):
        """Return the settings of the line and its width."""
        out = {"fwhm": list(self.fwhm)} if self.table is None else {}
        if self.table is not None:
            out["fwhm_table"] = [list(self.table.energy), list(self.table.fwhm)]
        return out if self.kind == "gaussian" else {**out, "line": self.kind}


class GaussianResolution(_Resolution):
    """Gaussian lines."""

    kind: Literal["gaussian"]


class LorentzianResolution(_Resolution):
    """Lorentzian lines."""

    kind: Literal["lorentzian"]


class PseudoVoigtResolution(_Resolution):
    """η · Lorentzian + (1 - η) · Gaussian of one FWHM."""

    kind: Literal["pseudo_voigt"]
    mixing: float = Field(ge=0, le=1, description="η")

    def plain(self):
        """Return the settings of the line and its width."""
        return {**super().plain(), "mixing": self.mixing}


Resolution = Annotated[GaussianResolution | LorentzianResolution | PseudoVoigtResolution, Field(discriminator="kind")]


class QSmear(Strict):
    """A Gaussian smear along the path."""

    kind: Literal["along_path"]
    sigma: Wavevector = Field(ge=0)


class Spread(Strict):
    """A Gaussian spread along one direction."""

    along: Vector = Field(description="direction in r.l.u.")
    sigma: Wavevector = Field(gt=0)


class QEllipsoid(Strict):
    """A Gaussian resolution in Q of independent spreads, sampled at fixed points."""

    kind: Literal["gaussian"]
    spreads: tuple[Spread, ...] = Field(min_length=1, max_length=3)
    order: int = Field(5, ge=1, le=32, description="points along each direction")

    def plain(self, reciprocal):
        """Return covariance (3, 3) in 1/Å², Cartesian, and order."""
        covariance = np.zeros((3, 3))
        for k, one in enumerate(self.spreads):
            direction = np.array(one.along) @ reciprocal
            length = np.linalg.norm(direction)
            if not length > 0:
                raise ConfigError(
                    "a spread has no direction", where=f"simulate.q_smear.spreads.{k}.along", got=list(one.along)
                )
            covariance += one.sigma**2 * np.outer(direction, direction) / length**2
        return {"covariance": covariance.tolist(), "order": self.order}


def _smear_kind(value):
    if value == "none":
        return "str"
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return {"along_path": "QSmear", "gaussian": "QEllipsoid"}.get(kind)


Smear = Annotated[
    Annotated[QSmear, Tag("QSmear")]
    | Annotated[QEllipsoid, Tag("QEllipsoid")]
    | Annotated[Literal["none"], Tag("str")],
    Discriminator(
        _smear_kind,
        custom_error_type="smear",
        custom_error_message="none, {{kind: along_path, sigma: ...}} or {{kind: gaussian, spreads: [...]}}",
    ),
]


class Interval(Strict):
    """A mean over an interval about each Q: what a detector or a cut sums up."""

    along: Vector = Field(description="r.l.u.; low and high are multiples of it")
    low: float
    high: float
    order: int = Field(8, ge=1, le=64)

    @model_validator(mode="after")
    def _not_empty(self):
        if not self.low < self.high or not any(self.along):
            raise ValueError("low < high, and a direction that is not zero")
        return self

    def plain(self):
        """Return the settings of one of ``SpinwaveSettings.ranges``."""
        return {"axis": list(self.along), "low": self.low, "high": self.high, "order": self.order}


Weights = Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1, max_length=192)]


class TwinsAbout(Strict):
    """Domains turned about one axis."""

    kind: Literal["about"]
    axis: Vector = Field(description="Cartesian")
    angles: tuple[Angle, ...] = Field(min_length=1, max_length=192)
    weights: Weights | None = Field(None, description="volume fractions; equal where they are left out")

    def build(self, lattice):
        """Return the ``Twins``."""
        from ..observables.twins import twins_about

        return twins_about(self.axis, self.angles, weights=_weights(self, len(self.angles)))


class TwinsByOperations(Strict):
    """Domains that symmetry operations of the lattice make: those that the magnetic order breaks."""

    kind: Literal["operations"]
    operations: tuple[str, ...] = Field(min_length=1, max_length=192, description="as -y,x,z")
    weights: Weights | None = None

    def build(self, lattice):
        """Return the ``Twins``."""
        from ..lattice.triplets import operation_from_triplet
        from ..observables.twins import twins_from_operations

        turns = np.array([operation_from_triplet(text[:200])[0] for text in self.operations])
        return twins_from_operations(lattice, turns, weights=_weights(self, len(turns)))


class TwinsByRotations(Strict):
    """Domains by orthogonal matrices."""

    kind: Literal["rotations"]
    rotations: tuple[tuple[Vector, Vector, Vector], ...] = Field(min_length=1, max_length=192, description="Cartesian")
    weights: Weights | None = None

    def build(self, lattice):
        """Return the ``Twins``."""
        from ..observables.twins import Twins

        given = _weights(self, len(self.rotations))
        return Twins(np.array(self.rotations), np.ones(len(self.rotations)) if given is None else given)


TwinsSection = Annotated[TwinsAbout | TwinsByOperations | TwinsByRotations, Field(discriminator="kind")]


def _weights(declared, n):
    if declared.weights is None or len(declared.weights) == n:
        return declared.weights
    raise ConfigError(
        "the weights of twins are not as many as the twins",
        where="simulate.twins.weights",
        expected=f"{n} volume fractions",
        got=len(declared.weights),
    )


def twins_settings(declared, study):
    """Return rotations and weights of a ``twins:`` section as plain lists."""
    try:
        twins = declared.build(vectors(study))
    except SpinscapeError as error:
        where = error.where if str(error.where).startswith("simulate") else "simulate.twins"
        raise ConfigError(error.what, where=where, expected=error.expected, got=error.got, fix=error.fix) from None
    return {"rotations": twins.rotations.tolist(), "weights": twins.weights.tolist()}
