"""Numbers as people read them: values with their uncertainty, and no more digits than it leaves."""

import math

DASH = "–"


def with_uncertainty(value, std=None):
    """Return a value with its standard deviation in brackets, in units of the last digits.

    >>> with_uncertainty(29.2312, 0.031), with_uncertainty(1.585, 0.0042), with_uncertainty(1234.5, 120.0)
    ('29.231(31)', '1.5850(42)', '1230(120)')
    >>> with_uncertainty(29.2312), with_uncertainty(-7.5, 0.6), with_uncertainty(None)
    ('29.231', '−7.50(60)', '–')
    """
    if not _finite(value):
        return DASH
    if not _finite(std) or std <= 0:
        return plain(value)
    decimals = decimals_for(std)
    if decimals > 0:
        digits = round(std * 10**decimals)
        return _signed(f"{value:.{decimals}f}({digits})")
    return _signed(f"{round(value, decimals):.0f}({round(std, decimals):.0f})")


def decimals_for(std):
    """Return how many decimals show a standard deviation to two digits; negative for tens and hundreds.

    >>> decimals_for(0.031), decimals_for(0.996), decimals_for(120.0)
    (3, 1, -1)
    """
    # Two digits of 0.996 are 1.0: round first.
    return 1 - math.floor(math.log10(float(f"{std:.1e}")))


def interval(pair, std=None):
    """Return an interval with the decimals of its standard deviation, or of its half width.

    >>> interval([29.17, 29.29], 0.06), interval(None)
    ('29.170 … 29.290', '–')
    """
    if pair is None or not all(_finite(x) for x in pair):
        return DASH
    width = std if _finite(std) and std > 0 else 0.5 * abs(pair[1] - pair[0])
    decimals = max(0, decimals_for(width)) if width > 0 else 4
    return " … ".join(_signed(f"{x:.{decimals}f}") for x in pair)


def plain(value, digits=5):
    """Return a number with at most so many digits; text and whole numbers as they are.

    >>> plain(0.4671171), plain(-12), plain("siren"), plain(True), plain(None)
    ('0.46712', '−12', 'siren', 'yes', '–')
    """
    if value is None:
        return DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return _signed(str(value))
    if isinstance(value, float):
        return _signed(f"{value:.{digits}g}") if math.isfinite(value) else DASH
    return str(value)


def _finite(value):
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _signed(text):
    """Return a number with a proper minus sign."""
    return "−" + text[1:] if text.startswith("-") else text
