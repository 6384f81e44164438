"""Magnetic form factors of ions, from the table of the International Tables that periodictable maintains.

    f(Q) = <j0(Q)> + (2 - g)/g <j2(Q)>,   intensities go with f(Q)²

with <j0> = A e^{-a s²} + B e^{-b s²} + C e^{-c s²} + D, <j2> = s² (the same form), and s = |Q|/4π.
"""

import difflib
import functools
import re
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, DataError

_ION = re.compile(r"([A-Z][a-z]?)([0-9])\+")
_LANDE = {"Ce3+": 6.0 / 7.0, "Pr3+": 4.0 / 5.0}
"""Ions for which the table has f(Q) at the Landé factor of the free ion instead of <j2>. Other entries of that kind
are not used: some contradict the <j0> and <j2> of the same table (Dy3+ would begin at 1.13)."""
_G_TOLERANCE = 1e-3


@dataclass(frozen=True)
class FormFactor:
    """The tabulated expansion of an ion's form factor, each A, a, B, b, C, c, D with a, b, c in Å².

    Parameters
    ----------
    ion : str
        Element and charge: ``"Ni2+"``.
    j0, j2 : tuple of 7 float, or None where the table has none
    dipole : tuple of 7 float or None
        f(Q) itself, of the form of <j0>, at ``dipole_g``.
    dipole_g : float or None
    """

    ion: str
    j0: tuple[float, ...] | None
    j2: tuple[float, ...] | None = None
    dipole: tuple[float, ...] | None = None
    dipole_g: float | None = None

    def __post_init__(self):
        for name in ("j0", "j2", "dipole"):
            row = getattr(self, name)
            if row is not None and (len(row) != 7 or not np.all(np.isfinite(row))):
                raise DataError(
                    "a form factor needs seven finite coefficients",
                    where=f"{self.ion}: {name}",
                    expected="A, a, B, b, C, c, D",
                    got=row,
                )


def form_factor_ions() -> tuple[str, ...]:
    """Return the names of all ions with a form factor, by element and charge."""
    return tuple(_tables())


def form_factor(ion: str) -> FormFactor:
    """Return the form factor of an ion.

    Parameters
    ----------
    ion : str
        ``"Ni2+"``; neutral atoms are ``"Ni0+"``.

    Raises
    ------
    DataError
        Where the table has no such ion; it names those of the same element or with as many electrons.
    """
    found = _tables().get(str(ion).strip())
    if found is None:
        near = _near(str(ion).strip()[:16])
        raise DataError(
            f"there is no magnetic form factor of {ion!r}",
            where="ion",
            expected=f"an ion of the table, near ones are {', '.join(near)}" if near else "an ion such as Ni2+ or Dy3+",
            got=ion,
            fix="name one of these ions, or give the coefficients of your own",
        )
    return found


def form_factor_j0(q, *, ion: str | FormFactor) -> np.ndarray:
    """Return <j0> at |Q| (...) in 1/Å, dimensionless; see :func:`magnetic_form_factor`."""
    return _sum_of_gaussians(_s2(q), _row(_resolved(ion), "j0"))


def form_factor_j2(q, *, ion: str | FormFactor) -> np.ndarray:
    """Return <j2> at |Q| (...) in 1/Å, dimensionless; see :func:`magnetic_form_factor`."""
    s2 = _s2(q)
    return s2 * _sum_of_gaussians(s2, _row(_resolved(ion), "j2"))


def magnetic_form_factor(q, *, ion: str | FormFactor, g: float = 2.0) -> np.ndarray:
    """Return the form factor of an ion in the dipole approximation.

        f(Q) = <j0> + (2 - g)/g <j2>

    Parameters
    ----------
    q : (...) float64, 1/Å
        |Q|.
    ion : str or FormFactor
    g : float
        2 for spin only, the Landé factor for a free rare-earth ion.

    Returns
    -------
    (...) float64, dimensionless, 1 at Q = 0 to the 0.3 % of the table

    Notes
    -----
    The expansions hold for s = |Q|/4π up to some 1 to 1.5 1/Å, and the dipole approximation for |Q| small against the
    inverse radius of the shell. Source: P. J. Brown, International Tables for Crystallography C, 4.4.5.
    """
    known = _resolved(ion)
    if not 0 < abs(g) < np.inf:
        raise ConfigError("a g factor is zero or not finite", where=f"form factor of {known.ion}", got=g)
    if g == 2.0 and known.j0 is not None:
        return form_factor_j0(q, ion=known)
    if known.j0 is not None and known.j2 is not None:
        return form_factor_j0(q, ion=known) + (2.0 - g) / g * form_factor_j2(q, ion=known)
    if known.dipole is None or known.dipole_g is None or abs(g - known.dipole_g) > _G_TOLERANCE:
        raise DataError(
            f"the table has no <j0> and <j2> of {known.ion} for this g",
            where=f"form factor of {known.ion}",
            expected="g = 2" if known.dipole_g is None else f"g = {known.dipole_g:.4f}, the one that is tabulated",
            got=f"g = {g}",
            fix="take that g for the form factor, or give the coefficients of your own",
        )
    return _sum_of_gaussians(_s2(q), known.dipole)


def _resolved(ion):
    return ion if isinstance(ion, FormFactor) else form_factor(ion)


def _row(known, name):
    row = getattr(known, name)
    if row is None:
        raise DataError(
            f"the table has no <{name}> of {known.ion}",
            where=f"form factor of {known.ion}",
            fix="take the dipole form at the Landé factor, or give the coefficients of your own",
        )
    return row


def _s2(q):
    """Return s² = (|Q|/4π)², 1/Å²."""
    return (np.asarray(q, dtype=np.float64) / (4.0 * np.pi)) ** 2


def _sum_of_gaussians(s2, row):
    a, b, c = (row[k] * np.exp(-row[k + 1] * s2) for k in (0, 2, 4))
    return a + b + c + row[6]


@functools.cache
def _tables():
    """Return every ion of periodictable by name; the import is slow and waits until an ion is asked for."""
    import periodictable

    tables = {}
    for element in periodictable.elements:
        for charge, entry in sorted((getattr(element, "magnetic_ff", None) or {}).items()):
            ion = f"{element.symbol}{charge}+"
            rows = [getattr(entry, name, None) for name in ("j0", "j2")]
            free = (entry.J, _LANDE[ion]) if ion in _LANDE else (None, None)
            tables[ion] = FormFactor(ion, *rows, *free)
    return tables


def _near(ion):
    """Return known ions like ``ion``: of its element, then with as many electrons, then of a similar name."""
    known = list(_tables())
    match = _ION.fullmatch(ion)
    element = match[1] if match else re.sub(r"[^A-Za-z]", "", ion).capitalize()
    near = [name for name in known if _ION.fullmatch(name)[1] == element]
    if match:
        near += [name for name in known if _electrons(name) == _electrons(ion) is not None]
    return list(dict.fromkeys(near or difflib.get_close_matches(ion, known, 3)))


def _electrons(ion):
    """Return the number of electrons of an ion, or None for an unknown element."""
    import periodictable

    symbol, charge = _ION.fullmatch(ion).groups()
    elements = {element.symbol: element.number for element in periodictable.elements}
    return elements[symbol] - int(charge) if symbol in elements else None
