"""The study file, typed by kind. An unknown key is an error; a setting that does not apply is not a field."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from .fits import FitSection, Strict
from .quantities import (
    Angle,
    Energy,
    EnergyRange,
    IntVector,
    Length,
    MagneticField,
    Name,
    Temperature,
    Vector,
    Wavevector,
)

Expression = Annotated[str, Field(max_length=200)]
Element = Expression | float


class Lattice(Strict):
    """Lengths and angles of the chemical cell."""

    a: Length
    b: Length
    c: Length
    alpha: Angle = 90.0
    beta: Angle = 90.0
    gamma: Angle = 90.0


class Site(Strict):
    """One magnetic site; symmetry makes the others of its orbit."""

    label: Name
    ion: str = Field(pattern=r"^[A-Z][a-z]?[0-9]?[+-]?$", description="as in Ni2+")
    position: Vector
    spin: float = Field(gt=0)
    g: float | tuple[Vector, Vector, Vector] = 2.0


class CrystalSection(Strict):
    """The crystal: either a space group and one site of each orbit, or every site."""

    lattice: Lattice
    space_group: str | int | None = Field(
        None, description="Hermann-Mauguin symbol or number; without it every site is listed"
    )
    sites: tuple[Site, ...] = Field(min_length=1)
    unit_spins: bool = False


class Coupling(Strict):
    """A named coupling θ."""

    description: str = ""
    value: Energy | None = Field(None, description="a fixed value; couplings without one are named by the grid")


class BondBetween(Strict):
    """A reference bond by its ends."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
    from_site: Name = Field(alias="from")
    to_site: Name = Field(alias="to")
    offset: IntVector = (0, 0, 0)
    from_index: int = Field(0, ge=0, description="which site of the orbit")
    to_index: int = Field(0, ge=0)


class BondShell(Strict):
    """A reference bond by its neighbour shell, as ``spinscape show --bonds`` numbers them."""

    shell: int | str


Bond = BondBetween | BondShell


class _BondTerm(Strict):
    bond: Bond
    symmetry: bool = Field(True, description="false takes the bond as it stands, without its orbit")


class HeisenbergTerm(_BondTerm):
    """value · S_i·S_j."""

    kind: Literal["heisenberg"]
    value: Expression


class MatrixTerm(_BondTerm):
    """S_i·M·S_j with a 3×3 matrix of expressions."""

    kind: Literal["matrix"]
    value: tuple[tuple[Element, Element, Element], tuple[Element, Element, Element], tuple[Element, Element, Element]]


class DMTerm(_BondTerm):
    """D·(S_i × S_j)."""

    kind: Literal["dm"]
    value: tuple[Element, Element, Element]


class KitaevTerm(_BondTerm):
    """value · S_i^γ S_j^γ."""

    kind: Literal["kitaev"]
    value: Expression
    axis: Literal["x", "y", "z"]
    frame: tuple[Vector, Vector, Vector] | None = Field(None, description="rows: local x, y, z")


class GammaTerm(_BondTerm):
    """value · (S_i^α S_j^β + S_i^β S_j^α), γ the axis."""

    kind: Literal["gamma"]
    value: Expression
    axis: Literal["x", "y", "z"]
    frame: tuple[Vector, Vector, Vector] | None = None


class AnisotropyTerm(Strict):
    """value · (n·S)² on every site of an orbit, n the axis of the listed site."""

    kind: Literal["anisotropy"]
    value: Expression
    site: Name
    axis: Vector
    symmetry: bool = True


class BiquadraticSection(_BondTerm):
    """value · (S_i·S_j)², in the form of large spins or the renormalised one of coherent states."""

    kind: Literal["biquadratic"]
    value: Expression
    form: Literal["large_s", "renormalised"]


class DipolarSection(Strict):
    """Dipole-dipole interaction of all spins, by Ewald sums; value is μ0 μ_B²/(4π Å³) = 0.05368 meV in nature."""

    kind: Literal["dipolar"]
    value: Expression


Term = Annotated[
    HeisenbergTerm
    | MatrixTerm
    | DMTerm
    | KitaevTerm
    | GammaTerm
    | AnisotropyTerm
    | BiquadraticSection
    | DipolarSection,
    Field(discriminator="kind"),
]


class Moment(Strict):
    """The direction of one spin of the magnetic cell, Cartesian."""

    site: Name
    index: int = Field(0, ge=0, description="which site of the orbit")
    cell: IntVector = (0, 0, 0)
    direction: Vector


class StructureSection(Strict):
    """A commensurate magnetic structure."""

    kind: Literal["supercell"]
    magnetic_cell: tuple[IntVector, IntVector, IntVector]
    moments: tuple[Moment, ...] = Field(min_length=1)


class ConditionsSection(Strict):
    """Temperature and field."""

    temperature: Temperature | None = None
    field: tuple[MagneticField, MagneticField, MagneticField] | None = None


class PathSection(Strict):
    """A path through reciprocal space, or a shifted copy of another one."""

    vertices: tuple[Vector, ...] | None = None
    points: tuple[Annotated[int, Field(ge=2, le=100_000)], ...] | None = None
    labels: tuple[str, ...] | None = None
    like: Name | None = None
    shift: Vector = (0.0, 0.0, 0.0)

    @model_validator(mode="after")
    def _one_way(self):
        if (self.like is None) == (self.vertices is None) or (self.vertices is None) != (self.points is None):
            raise ValueError("a path has either vertices and points, or like and shift")
        return self


class RandomGrid(Strict):
    """Points drawn evenly from a box; more points keep the first ones."""

    kind: Literal["random", "sobol"]
    n_point: int = Field(ge=1, le=1_000_000)
    box: dict[Name, EnergyRange]


class LatticeAxis(Strict):
    """Equally spaced values of one coupling, both ends included."""

    first: Energy
    last: Energy
    n: int = Field(ge=1, le=100_000)


class LatticeGrid(Strict):
    """Every combination of the axes' values."""

    kind: Literal["lattice"]
    axes: dict[Name, LatticeAxis]


class ListGrid(Strict):
    """Points written out."""

    kind: Literal["list"]
    points: tuple[dict[Name, Energy], ...] = Field(min_length=1)


class MapAxis(Strict):
    """Equally spaced values of a coordinate without a unit (an angle in radians, say)."""

    first: float
    last: float
    n: int = Field(ge=1, le=100_000)


class MapGrid(Strict):
    """Images of another set of coordinates: couplings as functions of them, in a declared unit."""

    kind: Literal["map"]
    axes: dict[Name, MapAxis]
    unit: Energy
    couplings: dict[Name, Expression]


Grid = Annotated[RandomGrid | LatticeGrid | ListGrid | MapGrid, Field(discriminator="kind")]


class EnergySection(Strict):
    """Bin centres of the energy axis."""

    first: Energy
    last: Energy
    step: Energy


class Intensity(Strict):
    """What of S^αβ is seen."""

    component: Literal["trace", "perp", "xx", "yy", "zz"] = "perp"
    cap: float | None = Field(None, gt=0, description="largest intensity of a group of degenerate modes")


class Resolution(Strict):
    """Energy resolution: FWHM in meV as a polynomial of the energy transfer in meV."""

    kind: Literal["gaussian"]
    fwhm: tuple[float, ...] = Field(min_length=1, max_length=8)


class QSmear(Strict):
    """A Gaussian smear along the path."""

    kind: Literal["along_path"]
    sigma: Wavevector = Field(ge=0)


class SpinwaveSection(Strict):
    """Linear spin-wave spectra over the grid."""

    kind: Literal["spinwave"]
    paths: tuple[Name, ...] = Field(min_length=1)
    energy: EnergySection
    energy_factor: float = Field(1.0, gt=0)
    intensity: Intensity = Intensity()
    resolution: Resolution
    q_smear: QSmear | Literal["none"] = "none"
    batch_size: int = Field(64, ge=1)
    ranks: int = Field(1, ge=1, le=1024)
    failed_fraction: float = Field(0.05, ge=0, le=1)


class SirenSection(Strict):
    """A sinusoidal network Φ(Q, ω, θ) → log(1 + S)."""

    kind: Literal["siren"]
    width: int = Field(64, ge=4, le=1024)
    hidden_layers: int = Field(4, ge=1, le=16)
    n_train: int = Field(ge=1)
    n_step: int = Field(ge=1)
    batch_size: int = Field(2048, ge=16)


class DataFile(Strict):
    """A file below the data folder, and where it can be had."""

    file: str
    url: str | None = None
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _sum_for_download(self):
        if self.url is not None and self.sha256 is None:
            raise ValueError("a download needs the sha256 of the file")
        return self


class EnergyFile(DataFile):
    """The file of energy labels."""

    unit: Literal["meV", "eV", "THz", "1/cm"]


class MissingMomenta(Strict):
    """A range of momentum indices without coverage, both ends included."""

    momentum: tuple[int, int]


class MissingValue(Strict):
    """A value that stands for "not measured"."""

    value: float


class SimulatedBackground(Strict):
    """Background of a simulated measurement, in units of the spectrum's mean."""

    level: float = Field(ge=0)
    decay: Energy = Field(gt=0)


class MissingBlock(Strict):
    """A block of pixels without coverage."""

    momentum: tuple[int, int]
    energy: EnergyRange


class SimulatedSection(Strict):
    """What stands in for a measurement that cannot be had."""

    energy: EnergySection
    couplings: dict[Name, Energy]
    counts: float = Field(gt=0)
    background: SimulatedBackground
    missing_block: MissingBlock | None = None


class CsvMeasurement(Strict):
    """Three text files: signal, momenta and energies."""

    kind: Literal["csv"]
    path: Name
    layout: Literal["energy_rows", "momentum_rows"]
    signal: DataFile
    momentum: DataFile
    energy: EnergyFile
    missing: Literal["none", "nan", "zero"] | MissingMomenta | MissingValue
    optional: bool = False
    simulated: SimulatedSection | None = None


class ModelSections(Strict):
    """The sections that the model is made of."""

    crystal: CrystalSection
    couplings: dict[Name, Coupling] = Field(min_length=1)
    hamiltonian: tuple[Term, ...] = Field(min_length=1)
    structure: StructureSection


class Study(ModelSections):
    """A whole study."""

    study: Name
    title: str = ""
    seed: int = Field(ge=0, lt=2**63)
    conditions: ConditionsSection = ConditionsSection()
    paths: dict[Name, PathSection]
    grid: Grid
    simulate: SpinwaveSection
    learn: dict[Name, SirenSection] = Field(default_factory=dict)
    measurements: dict[Name, CsvMeasurement] = Field(default_factory=dict)
    fits: dict[Name, FitSection] = Field(default_factory=dict)

    def section(self, name):
        """Return a section as plain data that validates to the same bits: what a rule of the workflow receives."""
        return self.model_dump(mode="json", by_alias=True, include={name})[name]
