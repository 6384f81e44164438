"""Typed quantities for the schema: text with a unit in YAML, a float in internal units in Python."""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

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


def _number(value):
    """Return the number that the text of a fraction stands for; anything else as it is."""
    if not isinstance(value, str) or "/" not in value:
        return value
    found = re.fullmatch(r"\s*([+-]?\d{1,9})\s*/\s*(\d{1,9})\s*", value)
    if found is None or int(found[2]) == 0:
        raise ValueError("a number, or a fraction such as 1/3")
    return int(found[1]) / int(found[2])


# A named type stands once in the JSON schema.
Fractional = TypeAliasType(
    "Fractional",
    Annotated[
        float,
        BeforeValidator(_number),
        WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^\s*[+-]?\d+\s*/\s*\d+\s*$"}]}),
    ],
)
"""A number, or the text of a fraction: 1/3 is not 0.3333."""
Vector = TypeAliasType("Vector", tuple[Fractional, Fractional, Fractional])
IntVector = tuple[int, int, int]
EnergyRange = tuple[Energy, Energy]  # type: ignore[valid-type]
WavevectorRange = tuple[Wavevector, Wavevector]  # type: ignore[valid-type]
