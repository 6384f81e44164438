"""Units: meV, ångström, kelvin, tesla and picoseconds inside, conversion at the edge.

The constants are derived from CODATA values in :mod:`scipy.constants`, never typed in.
"""

import math
import re

from scipy import constants as _c

from .errors import UnitError

MEV_IN_JOULE = 1e-3 * _c.e
HBAR = _c.hbar / MEV_IN_JOULE * 1e12
"""Reduced Planck constant, meV ps."""
K_B = _c.k / MEV_IN_JOULE
"""Boltzmann constant, meV / K."""
MU_B = _c.value("Bohr magneton") / MEV_IN_JOULE
"""Bohr magneton, meV / T."""
NEUTRON_ENERGY = _c.hbar**2 / (2.0 * _c.m_n) / MEV_IN_JOULE * 1e20
"""ħ²/2m of a neutron, meV Å²: its energy is this times the square of its wave number in 1/Å."""
FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))
"""Full width at half maximum of a Gaussian, in units of its standard deviation."""

_UNITS = {
    "energy": {
        "meV": 1.0,
        "eV": 1e3,
        "µeV": 1e-3,
        "ueV": 1e-3,
        "K": K_B,
        "THz": _c.h * 1e12 / MEV_IN_JOULE,
        "1/cm": _c.h * _c.c * 1e2 / MEV_IN_JOULE,
    },
    "temperature": {"K": 1.0, "mK": 1e-3},
    "length": {"Å": 1.0, "A": 1.0, "angstrom": 1.0, "nm": 10.0},
    "wavevector": {"1/Å": 1.0, "1/A": 1.0, "1/angstrom": 1.0, "1/nm": 0.1},
    "field": {"T": 1.0, "mT": 1e-3},
    "time": {"ps": 1.0, "fs": 1e-3, "ns": 1e3},
    "angle": {"deg": 1.0, "°": 1.0, "rad": 180.0 / math.pi},
}
_INTERNAL = {
    "energy": "meV",
    "temperature": "K",
    "length": "Å",
    "wavevector": "1/Å",
    "field": "T",
    "time": "ps",
    "angle": "deg",
}
_QUANTITY = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(\S.*?)?\s*$")


def unit_scale(unit, dimension):
    """Return the factor that takes a value in ``unit`` to the internal unit of ``dimension``.

    >>> unit_scale("eV", "energy")
    1000.0
    """
    known = _UNITS[dimension]
    # A micro sign (U+00B5) and a Greek mu (U+03BC) look alike; likewise ångström and angstrom sign.
    name = unit.strip().replace("\u03bc", "\u00b5").replace("\u212b", "Å").replace("Å^-1", "1/Å").replace("Å⁻¹", "1/Å")
    if name not in known:
        raise UnitError(
            f"{unit!r} is not a unit of {dimension}",
            expected=f"one of {', '.join(known)}",
            got=unit,
            fix="correct the unit",
        )
    return known[name]


def quantity(text, dimension):
    """Return the value of a quantity such as ``"3.89 Å"`` in the internal unit of its dimension.

    >>> quantity("0.029 eV", "energy")
    29.0
    >>> quantity("29", "energy")
    Traceback (most recent call last):
    ...
    spinscape.errors.UnitError: an energy without a unit
      expected: a number and a unit, as in '1 meV'
      got: '29'
      fix: write the unit behind the number
    """
    internal = _INTERNAL[dimension]
    match = _QUANTITY.match(text) if isinstance(text, str) else None
    if match is None or match[2] is None:
        article = "an" if dimension[0] in "ae" else "a"
        # nan and inf may stand before a unit and are no numbers all the same.
        odd = isinstance(text, str) and re.match(r"\s*[-+]?\.?(nan|inf)", text, re.IGNORECASE)
        raise UnitError(
            f"{article} {dimension} that is not finite" if odd else f"{article} {dimension} without a unit",
            expected=f"a number and a unit, as in '1 {internal}'",
            got=repr(text),
            fix="write a number" if odd else "write the unit behind the number",
        )
    return float(match[1]) * unit_scale(match[2], dimension)


def internal_unit(dimension):
    """Return the unit that ``dimension`` has inside the program.

    >>> internal_unit("energy")
    'meV'
    """
    return _INTERNAL[dimension]
