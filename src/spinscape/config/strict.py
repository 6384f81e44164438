"""What every section of a study is built from."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """A section that knows its keys, and whose numbers are finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Expression = Annotated[str, Field(max_length=200)]
"""Arithmetic with the names of couplings."""
Element = Expression | float
