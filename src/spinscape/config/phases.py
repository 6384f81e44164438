"""The ``phases:`` section: maps of phases, without labels, over the grid of couplings."""

from typing import Annotated, Literal

from pydantic import Field

from ..errors import ConfigError
from .grids import check_enough, grid_section
from .quantities import Name, Vector
from .signals import signals_section
from .strict import Strict


class TransformSection(Strict):
    """What is compared of an intensity S."""

    kind: Literal["none", "log1p", "standardised"] = "log1p"
    c: float = Field(1.0, gt=0, description="of log1p: log(1 + c S)")
    noise: Annotated[float, Field(gt=0)] | Literal["replicas"] = Field(
        1.0, description="of standardised: the noise of a voxel; replicas: of each, from repeated points (under learn)"
    )


class CountSection(Strict):
    """The numbers of the rule that says how many phases there are; docs/theory/phases.md."""

    max_cluster: int = Field(10, ge=2, le=100)
    stability: float = Field(0.8, ge=0, le=1)
    n_bootstrap: int = Field(50, ge=1, le=10_000)
    min_points: int = Field(3, ge=1)
    min_share: float = Field(0.02, ge=0, lt=1)
    max_crossover: float = Field(0.08, ge=0, le=1)
    contrast: float = Field(3.0, gt=0)


class BoundarySection(Strict):
    """Which points the energies of two phases are fitted to, by their distance from the border."""

    near: float = Field(0.3, ge=0, description="in steps of the grid")
    far: float = Field(8.0, gt=0, description="in steps of the grid")


class PhaseSection(Strict):
    """A map of phases by clusters of what is simulated at each point."""

    arrays: tuple[Name, ...] = Field(min_length=1, description="arrays of the simulations, compared side by side")
    transform: TransformSection = TransformSection()
    correlations: tuple[Vector, ...] = Field(
        (), description="vectors r, in cells: in place of S(Q) over whole zones, its ⟨S_0·S_r⟩ are compared"
    )
    latent: Name | None = Field(
        None, description="a compressor under learn: its latent numbers are compared in place of the arrays"
    )
    beside: dict[Name, Annotated[float, Field(gt=0)]] = Field(
        default_factory=dict, description="further arrays and their weights; what else is compared has weight 1"
    )
    method: Literal["ward", "average", "complete", "graph_degree", "hdbscan"] = "ward"
    n_neighbour: int = Field(20, ge=1, description="of graph_degree")
    count: CountSection = CountSection()
    boundaries: BoundarySection = BoundarySection()


def phase_section(study, name):
    """Return what the stage ``phases`` needs of a study, as plain data."""
    return {
        "study": study.study,
        "name": name,
        "phases": study.section("phases")[name],
        "signals": signals_section(study),
        **grid_section(study),
    }


def check_phases(study):
    """Raise :class:`ConfigError` where a map asks for what the study does not simulate."""
    for name, section in study.phases.items():
        check_arrays(study, section.arrays, where=f"phases.{name}.arrays")
        least, where = 2 * section.count.min_points, f"phases.{name}.count.min_points"
        check_enough(study, least, where=where, fix="a larger grid, or a lower min_points: two phases need that many")
        if section.transform.noise == "replicas":
            raise ConfigError(
                "a map of phases reads one run of each point",
                where=f"phases.{name}.transform.noise",
                expected="a number",
                got="replicas",
                fix="give the noise, or map the latent numbers of a compressor",
            )
        volumes = [f"signal_{volume}" for volume in study.volumes]
        if section.correlations and not set(section.arrays) <= set(volumes):
            raise ConfigError(
                "correlations are those of S(Q) in volumes",
                where=f"phases.{name}.arrays",
                expected=f"some of {', '.join(volumes)}",
                got=list(section.arrays),
            )


def check_arrays(study, arrays, *, where):
    """Raise :class:`ConfigError` where arrays are those of a path or volume that is not declared."""
    for array in arrays:
        place = array.removeprefix("signal_")
        if array.startswith("signal_") and place not in (*study.paths, *study.volumes):
            raise ConfigError(
                f"there is no path or volume {place!r}",
                where=where,
                expected=", ".join(f"signal_{n}" for n in (*study.paths, *study.volumes)),
                got=array,
                fix="declare it, and name it under simulate",
            )
