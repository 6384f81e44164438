"""The ``learn:`` section: models that are trained on the store."""

from typing import Literal

from pydantic import Field

from .strict import Strict


class SirenSection(Strict):
    """A sinusoidal network Φ(Q, ω, θ) → log(1 + S)."""

    kind: Literal["siren"]
    width: int = Field(64, ge=4, le=1024)
    hidden_layers: int = Field(4, ge=1, le=16)
    n_train: int = Field(ge=1)
    n_step: int = Field(ge=1)
    batch_size: int = Field(2048, ge=16)


def learn_section(study, name):
    """Return what the learn stage needs of a study, as plain data."""
    grid = study.grid
    box = {name: list(pair) for name, pair in grid.box.items()} if grid.kind in ("random", "sobol") else None
    return {"model": study.section("learn")[name], "box": box, "name": name}
