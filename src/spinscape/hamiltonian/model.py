"""The Hamiltonian as one table, linear in its named parameters.

    E(S; θ) = Σ_bonds(once) θ_k S_i·M·S_j + Σ_i θ_k S_i·A·S_i + Σ_bonds(once) θ_k B (S_i·S_j)²
              + dipoles + μ_B Σ_i B·g_i·S_i

A row is one bond, counted once; couplings are positive for antiferromagnetic exchange; the Zeeman sign is
that of electrons, whose moment is antiparallel to the spin.
"""

from dataclasses import dataclass, field

import numpy as np

from ..errors import ConfigError, check_shape
from ..lattice.crystal import Crystal, read_only
from .biquadratic import BiquadraticTable, empty_biquadratic
from .dipolar import DipolarTable, empty_dipolar


@dataclass(frozen=True, eq=False)
class BondTable:
    """Bilinear terms between two sites.

    Parameters
    ----------
    site_i, site_j : (n_bond,) int64
        Sites of the chemical cell.
    offset : (n_bond, 3) int64
        Lattice cell of site j relative to that of site i.
    parameter : (n_bond,) int64
        Index of the coupling that multiplies the row.
    matrix : (n_bond, 3, 3) float64, dimensionless
        M in θ S_i·M·S_j. Met in reverse, a bond has the transpose.
    """

    site_i: np.ndarray
    site_j: np.ndarray
    offset: np.ndarray
    parameter: np.ndarray
    matrix: np.ndarray

    def __post_init__(self):
        n = len(self.site_i)
        for name, shape, dtype in (
            ("site_i", (n,), np.int64),
            ("site_j", (n,), np.int64),
            ("offset", (n, 3), np.int64),
            ("parameter", (n,), np.int64),
            ("matrix", (n, 3, 3), np.float64),
        ):
            array = read_only(np.asarray(getattr(self, name)).reshape(shape), dtype)
            check_shape(name, array, shape)
            object.__setattr__(self, name, array)

    @property
    def n_bond(self):
        """Number of rows."""
        return len(self.site_i)


@dataclass(frozen=True, eq=False)
class OnsiteTable:
    """Quadratic single-site terms θ S·A·S.

    Parameters
    ----------
    site : (n_onsite,) int64
    parameter : (n_onsite,) int64
    matrix : (n_onsite, 3, 3) float64, dimensionless, symmetric
    """

    site: np.ndarray
    parameter: np.ndarray
    matrix: np.ndarray

    def __post_init__(self):
        n = len(self.site)
        for name, shape, dtype in (
            ("site", (n,), np.int64),
            ("parameter", (n,), np.int64),
            ("matrix", (n, 3, 3), np.float64),
        ):
            object.__setattr__(self, name, read_only(np.asarray(getattr(self, name)).reshape(shape), dtype))

    @property
    def n_onsite(self):
        """Number of rows."""
        return len(self.site)


def empty_onsite():
    """Return a table without rows."""
    return OnsiteTable(np.zeros(0), np.zeros(0), np.zeros((0, 3, 3)))


@dataclass(frozen=True, eq=False)
class Model:
    """A crystal and the terms of its spin Hamiltonian.

    Parameters
    ----------
    crystal : Crystal
    parameter_names : tuple of str
        Names of θ, in the order of every array (n_point, n_parameter) in the project.
    bonds : BondTable
    onsite : OnsiteTable
    dipolar : DipolarTable
    biquadratic : BiquadraticTable
    """

    crystal: Crystal
    parameter_names: tuple[str, ...]
    bonds: BondTable
    onsite: OnsiteTable = field(default_factory=empty_onsite)
    dipolar: DipolarTable = field(default_factory=empty_dipolar)
    biquadratic: BiquadraticTable = field(default_factory=empty_biquadratic)

    @property
    def n_parameter(self):
        """Number of couplings."""
        return len(self.parameter_names)

    def to_dict(self):
        """Return plain lists, for JSON; :meth:`from_dict` is the inverse, bit for bit."""
        out = {
            "crystal": self.crystal.to_dict(),
            "parameter_names": list(self.parameter_names),
            "bonds": _lists(self.bonds),
            "onsite": _lists(self.onsite),
        }
        # Without rows a table is not written: the files of models that lack it are what they always were.
        if self.dipolar.n_row:
            out["dipolar"] = _lists(self.dipolar)
        if self.biquadratic.n_bond:
            out["biquadratic"] = _lists(self.biquadratic)
        return out

    @classmethod
    def from_dict(cls, data):
        """Rebuild a model from :meth:`to_dict`."""
        return cls(
            Crystal.from_dict(data["crystal"]),
            tuple(data["parameter_names"]),
            BondTable(**data["bonds"]),
            OnsiteTable(**data["onsite"]),
            DipolarTable(**data["dipolar"]) if "dipolar" in data else empty_dipolar(),
            BiquadraticTable(**data["biquadratic"]) if "biquadratic" in data else empty_biquadratic(),
        )

    def check_bilinear(self, where, *, biquadratic=False):
        """Raise :class:`ConfigError` where the model has terms beyond bonds and single sites.

        Parameters
        ----------
        where : str
            What it is that cannot deal with them.
        biquadratic : bool
            Let biquadratic terms pass.
        """
        rows = {"dipoles": self.dipolar.n_row, "biquadratic terms": self.biquadratic.n_bond}
        found = [name for name, n in rows.items() if n and not (biquadratic and name == "biquadratic terms")]
        if found:
            raise ConfigError(
                f"{' and '.join(found)} are not taken into account here",
                where=where,
                expected="bonds and on-site terms only",
                got=", ".join(f"{rows[name]} rows of {name}" for name in found),
                fix="give the structure in place of a search for it",
            )


def _lists(table):
    """Return the columns of a table as plain lists."""
    columns = {name: getattr(table, name) for name in table.__dataclass_fields__}
    return {name: list(x) if isinstance(x, tuple) else x.tolist() for name, x in columns.items()}


@dataclass(frozen=True, eq=False)
class MagneticStructure:
    """A commensurate magnetic structure.

    Parameters
    ----------
    magnetic_cell : (3, 3) int64
        Rows: the magnetic lattice vectors in units of the chemical ones.
    site : (n_sublattice,) int64
        Chemical site of each sublattice of the magnetic cell.
    cell : (n_sublattice, 3) int64
        Chemical cell of each sublattice.
    direction : (n_sublattice, 3) float64
        Unit vectors of the *spins* in the Cartesian frame of the crystal.
    """

    magnetic_cell: np.ndarray
    site: np.ndarray
    cell: np.ndarray
    direction: np.ndarray

    def __post_init__(self):
        n = len(self.site)
        direction = np.asarray(self.direction, dtype=np.float64).reshape(n, 3)
        norm = np.linalg.norm(direction, axis=1, keepdims=True)
        object.__setattr__(self, "magnetic_cell", read_only(self.magnetic_cell, np.int64))
        object.__setattr__(self, "site", read_only(self.site, np.int64))
        object.__setattr__(self, "cell", read_only(np.asarray(self.cell).reshape(n, 3), np.int64))
        object.__setattr__(self, "direction", read_only(direction / np.where(norm > 0, norm, 1.0)))
        check_shape("magnetic_cell", self.magnetic_cell, (3, 3))

    @property
    def n_sublattice(self):
        """Number of spins in the magnetic cell."""
        return len(self.site)

    def to_dict(self):
        """Return plain lists, for JSON."""
        return {k: getattr(self, k).tolist() for k in self.__dataclass_fields__}

    @classmethod
    def from_dict(cls, data):
        """Rebuild a structure from :meth:`to_dict`."""
        return cls(**data)
