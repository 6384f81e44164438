"""Checks that several sections of a study need."""

import difflib

from ..errors import ConfigError


def known(name, names, *, what, where):
    """Raise unless ``name`` is one of ``names``; the error names the nearest."""
    if name not in names:
        near = difflib.get_close_matches(str(name), [str(n) for n in names], 1)
        raise ConfigError(
            f"unknown {what} {name!r}",
            where=where,
            expected=f"one of {', '.join(sorted(str(n) for n in names))}" if names else "none is declared",
            got=name,
            fix=f"did you mean {near[0]!r}?" if near else f"declare the {what} or correct the name",
        )


def check_names_of_couplings(study, names, *, where, complete=True):
    """Raise unless ``names`` are those of the free couplings."""
    free = [name for name, coupling in study.couplings.items() if coupling.value is None]
    missing = sorted(set(free) - set(names)) if complete else []
    unknown = sorted(set(names) - set(free))
    if missing or unknown:
        raise ConfigError(
            "the couplings do not match",
            where=where,
            expected=f"every free coupling once: {', '.join(free)}",
            got=f"missing {missing}, unknown or fixed {unknown}",
            fix="name each free coupling once",
        )


def check_range(pair, *, where):
    """Raise unless a range rises."""
    if not pair[0] < pair[1]:
        raise ConfigError("an empty range", where=where, expected="[lower, upper] with lower < upper", got=list(pair))
