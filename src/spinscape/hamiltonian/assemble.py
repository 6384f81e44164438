"""From terms on reference bonds to the symmetry-expanded tables of a model."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..errors import ConfigError, SpinscapeError
from ..lattice.crystal import Crystal
from ..lattice.orbits import bond_orbit, checked_exchange, checked_onsite, single_bond, single_site, site_orbit
from .biquadratic import BiquadraticTable
from .dipolar import DipolarTable
from .model import BondTable, Model, OnsiteTable
from .terms import BiquadraticTerm, BondTerm, DipolarTerm, OnsiteTerm

MAX_ROW = 200_000
Term = BondTerm | OnsiteTerm | BiquadraticTerm | DipolarTerm
BIQUADRATIC = "biquadratic"


class _Row(NamedTuple):
    """One row of a table to be: a coupling on a bond (i, j, offset), on a site (i,), or on all spins ()."""

    kind: str
    place: tuple[int, ...]
    parameter: int
    matrix: np.ndarray
    where: str
    form: str = ""

    @property
    def key(self):
        """What two rows share that say the same thing twice; a bond has two ends to read it from."""
        if len(self.place) <= 1:
            return (self.kind, self.parameter, self.place)
        i, j, *offset = self.place
        return (self.kind, self.parameter, min(self.place, (j, i, *(-n for n in offset))))


def model_from_terms(crystal: Crystal, parameter_names: Sequence[str], terms: Sequence[Term]) -> Model:
    """Return the model of a list of terms.

    Parameters
    ----------
    crystal : Crystal
    parameter_names : sequence of str
        Names of θ, in its order.
    terms : sequence of BondTerm, OnsiteTerm, BiquadraticTerm and DipolarTerm
        Terms on one bond add up. A coupling that one kind of term gives twice to a bond is refused: symmetry has then
        made a bond that is also written out.

    Returns
    -------
    Model
    """
    names = tuple(parameter_names)
    if len(set(names)) != len(names):
        raise ConfigError("two couplings have one name", where="couplings", got=", ".join(names))
    rows = []
    for term in terms:
        try:
            rows += _rows(crystal, names, term)
        except SpinscapeError as error:
            raise error.located(term.where) from None
        if len(rows) > MAX_ROW:
            raise ConfigError("too many bonds", where=term.where, expected=f"at most {MAX_ROW}", got=len(rows))
    _check_said_once(names, rows)
    idle = sorted(set(range(len(names))) - {row.parameter for row in rows})
    if idle:
        raise ConfigError(
            f"a coupling without a term: {', '.join(names[k] for k in idle)}",
            where=f"couplings.{names[idle[0]]}",
            expected="each coupling in at least one term of the hamiltonian",
            fix="add a term, or remove the coupling",
        )
    squares = [row for row in rows if row.kind == BIQUADRATIC]
    bonds = [row for row in rows if len(row.place) > 1 and row.kind != BIQUADRATIC]
    onsite = [row for row in rows if len(row.place) == 1]
    dipolar = [row for row in rows if not row.place]
    return Model(
        crystal, names, _bond_table(bonds), _onsite_table(onsite), _dipolar_table(dipolar), _biquadratic_table(squares)
    )


def _rows(crystal, names, term):
    """Return the rows of a term: every coupling on every bond or site of the orbit."""
    unknown = [name for name in term.coefficients if name not in names]
    if unknown or not term.coefficients:
        raise ConfigError(
            f"a term with an unknown coupling: {', '.join(unknown)}" if unknown else "a term without a coupling",
            expected=f"couplings of {', '.join(names)}",
            fix="declare the coupling or correct the name",
        )
    if isinstance(term, DipolarTerm):
        return [_Row("dipolar", (), names.index(n), np.array(f), term.where) for n, f in term.coefficients.items()]
    if isinstance(term, BiquadraticTerm):
        return _biquadratic_rows(crystal, names, term)
    expand = _onsite_orbit if isinstance(term, OnsiteTerm) else _bond_orbit
    places, orbit, checked = expand(crystal, term)
    rows = []
    for name, matrix in term.coefficients.items():
        matrices = orbit.matrices(checked(matrix, name) if term.symmetry else matrix)
        for place, turned in zip(places, matrices, strict=True):
            if np.any(turned):
                rows.append(_Row(term.kind, place, names.index(name), turned, term.where))
    return rows


def _biquadratic_rows(crystal, names, term):
    """Return the rows of a biquadratic term; (S_i·S_j)² is the same on every bond of the orbit."""
    orbit = bond_orbit(crystal, *term.bond) if term.symmetry else single_bond(*term.bond)
    return [
        _Row(BIQUADRATIC, place, names.index(name), np.array(factor), term.where, term.form)
        for name, factor in term.coefficients.items()
        for place in _places(orbit)
    ]


def _places(orbit):
    """Return (i, j, offset) of every bond of an orbit."""
    return [tuple(row) for row in np.column_stack([orbit.site_i, orbit.site_j, orbit.offset]).tolist()]


def _bond_orbit(crystal, term):
    """Return the places of a bond term, their orbit, and the function that checks a matrix."""
    orbit = bond_orbit(crystal, *term.bond)
    if not term.symmetry:
        orbit = single_bond(*term.bond)
    return _places(orbit), orbit, lambda matrix, name: checked_exchange(crystal, *term.bond, matrix, name=name)


def _onsite_orbit(crystal, term):
    """Return the places of an on-site term, their orbit, and the function that checks a matrix."""
    if not 0 <= term.site < crystal.n_site:
        raise ConfigError(
            "an on-site term names a site that is not there",
            expected=f"a site index below {crystal.n_site}",
            got=term.site,
        )
    orbit = site_orbit(crystal, term.site) if term.symmetry else single_site(term.site)
    places = [(site,) for site in orbit.site.tolist()]
    return places, orbit, lambda matrix, name: checked_onsite(crystal, term.site, matrix, name=name)


def _check_said_once(names, rows):
    seen = {}
    for row in rows:
        first = seen.setdefault(row.key, row)
        if first is not row:
            raise ConfigError(
                f"two {row.kind} terms give {names[row.parameter]} to one bond or site",
                where=row.where,
                expected="one reference bond of each orbit: symmetry makes the others",
                got=f"{row.place}, which {first.where} has made already",
                fix="remove one of the terms, or set symmetry: false on both and list single bonds",
            )


def _dipolar_table(rows):
    return DipolarTable(np.array([row.parameter for row in rows]), np.array([float(row.matrix) for row in rows]))


def _biquadratic_table(rows):
    place = np.array([row.place for row in rows], dtype=np.int64).reshape(-1, 5)
    return BiquadraticTable(
        place[:, 0],
        place[:, 1],
        place[:, 2:],
        np.array([row.parameter for row in rows], dtype=np.int64),
        np.array([float(row.matrix) for row in rows]),
        form=tuple(row.form for row in rows),
    )


def _bond_table(rows):
    place = np.array([row.place for row in rows], dtype=np.int64).reshape(-1, 5)
    parameter = np.array([row.parameter for row in rows], dtype=np.int64)
    return BondTable(place[:, 0], place[:, 1], place[:, 2:], parameter, _stacked(rows))


def _onsite_table(rows):
    site = np.array([row.place[0] for row in rows], dtype=np.int64)
    return OnsiteTable(site, np.array([row.parameter for row in rows], dtype=np.int64), _stacked(rows))


def _stacked(rows):
    return np.array([row.matrix for row in rows], dtype=np.float64).reshape(-1, 3, 3)
