"""What the figures of a fit show of one measurement: labels, as plain data in the fit's JSON file."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Shown:
    """Labels of an objective's figures.

    Parameters
    ----------
    label : str
        Of the objective's value.
    quantity, unit : str
        Of data and fit as the objective compares them.
    residual : str
    """

    label: str
    quantity: str = "signal"
    unit: str = "arb. units"
    residual: str = "residual / standard deviation"

    def to_dict(self):
        """Return plain values, for JSON."""
        return asdict(self)
