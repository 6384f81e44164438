"""The sections that the model is made of: crystal, couplings, hamiltonian, structure."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from .quantities import Angle, Energy, Fractional, IntVector, Length, Name, Vector
from .strict import Element, Expression, Strict
from .structures import StructureSection

ION = r"^[A-Z][a-z]?[0-9]?[+-]?$"


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
    ion: str = Field(pattern=ION, description="as in Ni2+")
    position: Vector
    spin: Annotated[Fractional, Field(gt=0)]
    g: float | tuple[Vector, Vector, Vector] = 2.0
    kind: Literal["heisenberg", "xy", "ising"] = Field("heisenberg", description="how a classical spin may point")
    axis: Vector | None = Field(None, description="Cartesian: line of an Ising spin, normal of an XY spin's plane")


class CrystalSection(Strict):
    """The crystal: either a space group and one site of each orbit, or every site."""

    lattice: Lattice
    space_group: str | int | None = Field(
        None, description="Hermann-Mauguin symbol or number; without it every site is listed"
    )
    sites: tuple[Site, ...] = Field(min_length=1)
    unit_spins: bool = False


class IonSection(Strict):
    """What a CIF does not say of a magnetic ion."""

    ion: str = Field(pattern=ION, description="as in Ni2+")
    spin: Annotated[Fractional, Field(gt=0)]
    g: float | tuple[Vector, Vector, Vector] = 2.0


class CrystalFileSection(Strict):
    """The crystal of a CIF or a magnetic CIF below the data folder."""

    file: str = Field(max_length=500, description="path below the folder that SPINSCAPE_DATA names")
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")
    magnetic_ions: dict[str, IonSection] = Field(min_length=1, description="by label, type symbol or element")
    block: str | None = None
    assume_full_occupancy: bool = False
    allow_disorder_elsewhere: bool = False
    parent_cell: bool = Field(False, description="of a magnetic CIF: go to the chemical cell of the parent structure")
    space_group: str | None = Field(None, description="of the parent, in place of the one in the file")
    unit_spins: bool = False


def _crystal_kind(data):
    keys = data if isinstance(data, dict) else type(data).model_fields
    return "CrystalFileSection" if "file" in keys else "CrystalSection"


Crystal = Annotated[
    Annotated[CrystalSection, Tag("CrystalSection")] | Annotated[CrystalFileSection, Tag("CrystalFileSection")],
    Discriminator(_crystal_kind),
]
"""Declared in the study, or read from a file; the tags are names of classes, which errors leave out of places."""


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
    """A reference bond by its neighbour shell, as ``spinscape show --symmetry`` numbers them."""

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


class ModelSections(Strict):
    """The sections that the model is made of."""

    crystal: Crystal
    couplings: dict[Name, Coupling] = Field(min_length=1)
    hamiltonian: tuple[Term, ...] = Field(min_length=1)
    structure: StructureSection | None = None
