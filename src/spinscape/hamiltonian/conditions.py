"""The conditions of a point: temperature and field."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Conditions:
    """Temperature and applied field of a simulation or a measurement.

    Parameters
    ----------
    temperature : float or None, K
    field : tuple of 3 float, T
        In the Cartesian frame of the crystal.
    """

    temperature: float | None = None
    field: tuple[float, float, float] = (0.0, 0.0, 0.0)

    def to_dict(self):
        """Return plain values, for JSON."""
        return {"temperature": self.temperature, "field": list(self.field)}

    @classmethod
    def from_dict(cls, data):
        """Rebuild conditions from :meth:`to_dict`."""
        return cls(data["temperature"], tuple(float(x) for x in data["field"]))
