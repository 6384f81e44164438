"""Typed quantities for the schema: text with a unit in YAML, a float in internal units in Python."""

from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

from ..errors import UnitError
from ..units import internal_unit, quantity


def _parse(text, dimension):
    try:
        return quantity(text, dimension)
    except UnitError as error:
        # pydantic collects only its own errors; load.py turns this one back into ours.
        context = {"what": error.what, "expected": str(error.expected), "got": str(error.got), "fix": str(error.fix)}
        raise PydanticCustomError("quantity", "{what}", context) from None


def _quantity_type(dimension):
    unit = internal_unit(dimension)
    return Annotated[
        float,
        BeforeValidator(lambda text: _parse(text, dimension)),
        # repr of a float is exact, so that a dumped section reads back to the same bits.
        PlainSerializer(lambda value: f"{float(value)!r} {unit}", return_type=str),
        WithJsonSchema({"type": "string", "description": f"a number and a unit of {dimension}, as in '1 {unit}'"}),
    ]


Energy = _quantity_type("energy")
Temperature = _quantity_type("temperature")
Length = _quantity_type("length")
Wavevector = _quantity_type("wavevector")
MagneticField = _quantity_type("field")
Angle = _quantity_type("angle")
Time = _quantity_type("time")

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,63}$")]
"""A name that is safe as a file name and as a symbol of an expression."""
Vector = tuple[float, float, float]
IntVector = tuple[int, int, int]
EnergyRange = tuple[Energy, Energy]  # type: ignore[valid-type]
