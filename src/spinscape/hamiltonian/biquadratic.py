"""Biquadratic terms θ B (S_i·S_j)² between two sites, each bond once, in one of two named forms.

``large_s``: the spins are classical vectors of length S. ``renormalised``: the energy is the quantum mechanical mean of
(S_i·S_j)² in a product of coherent states. With the quadrupoles Q^ab = (S^a S^b + S^b S^a)/2 - δ_ab S(S + 1)/3,

    (S_i·S_j)² = Σ_ab Q_i^ab Q_j^ab - ½ S_i·S_j + S_i(S_i + 1) S_j(S_j + 1)/3,

and the mean of Q^ab is r (S^a S^b - δ_ab S²/3) of the vector, r = 1 - 1/(2S), so that the classical energy is

    r_i r_j (S_i·S_j)² - ½ S_i·S_j + [S_i(S_i + 1) S_j(S_j + 1) - r_i r_j S_i² S_j²]/3.

Source: Dahlbom et al., Renormalized classical theory of quantum magnets, arXiv:2304.03874.
"""

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, check_shape
from ..lattice.crystal import read_only

FORMS = ("large_s", "renormalised")


@dataclass(frozen=True, eq=False)
class BiquadraticTable:
    """Biquadratic terms θ B (S_i·R·S_j)².

    Parameters
    ----------
    site_i, site_j : (n_bond,) int64
        Sites of the chemical cell.
    offset : (n_bond, 3) int64
        Lattice cell of site j relative to that of site i.
    parameter : (n_bond,) int64
        Index of the coupling that multiplies the row.
    factor : (n_bond,) float64, dimensionless
        B.
    form : tuple of str, length n_bond
        One of :data:`FORMS` for each row; a single name stands for all.
    turn : (n_bond, 3, 3) float64
        R, a rotation: the unit matrix in the laboratory, and where it is left out.
    """

    site_i: np.ndarray
    site_j: np.ndarray
    offset: np.ndarray
    parameter: np.ndarray
    factor: np.ndarray
    form: tuple[str, ...] | str = "large_s"
    turn: np.ndarray | None = None

    def __post_init__(self):
        n = len(self.site_i)
        object.__setattr__(self, "form", (self.form,) * n if isinstance(self.form, str) else tuple(self.form))
        if self.turn is None:
            object.__setattr__(self, "turn", np.tile(np.eye(3), (n, 1, 1)))
        for name, shape, dtype in (
            ("site_i", (n,), np.int64),
            ("site_j", (n,), np.int64),
            ("offset", (n, 3), np.int64),
            ("parameter", (n,), np.int64),
            ("factor", (n,), np.float64),
            ("turn", (n, 3, 3), np.float64),
        ):
            array = np.asarray(getattr(self, name))
            array = read_only(array.reshape(shape) if n == 0 else array, dtype)
            check_shape(name, array, shape)
            object.__setattr__(self, name, array)
        unknown = sorted(set(self.form) - set(FORMS))
        if unknown or len(self.form) != n:
            raise ConfigError(
                "the form of a biquadratic term is not known",
                where="biquadratic: form",
                expected=f"{', '.join(FORMS)}, one for each of {n} rows",
                got=list(self.form),
            )

    @property
    def n_bond(self):
        """Number of rows."""
        return len(self.site_i)

    @property
    def renormalised(self):
        """Rows in the renormalised form, (n_bond,) bool."""
        return np.array([form == "renormalised" for form in self.form], dtype=bool)


def empty_biquadratic():
    """Return a table without rows."""
    return BiquadraticTable(np.zeros(0), np.zeros(0), np.zeros((0, 3)), np.zeros(0), np.zeros(0))


@dataclass(frozen=True, eq=False)
class BiquadraticParts:
    """What the rows of a table are in terms of classical spins: quartic (S_i·R·S_j)² + bilinear S_i·R·S_j + constant.

    Parameters
    ----------
    quartic, bilinear, constant : (n_bond,) float64
        For each unit of the row's coupling.
    """

    quartic: np.ndarray
    bilinear: np.ndarray
    constant: np.ndarray


def biquadratic_parts(table, spins):
    """Return :class:`BiquadraticParts` of a table; see the head of this file.

    Parameters
    ----------
    table : BiquadraticTable
    spins : (n_site,) float64
        Lengths S.

    Returns
    -------
    BiquadraticParts
    """
    first, second = spins[table.site_i], spins[table.site_j]
    shrink = (1.0 - 0.5 / first) * (1.0 - 0.5 / second)
    whole = first * (first + 1.0) * second * (second + 1.0) - shrink * (first * second) ** 2
    new = table.renormalised
    return BiquadraticParts(
        quartic=table.factor * np.where(new, shrink, 1.0),
        bilinear=table.factor * np.where(new, -0.5, 0.0),
        constant=table.factor * np.where(new, whole / 3.0, 0.0),
    )
