"""The ``learn:`` section: models that are trained on the store."""

from typing import Annotated, Literal

from pydantic import Field

from ..errors import ConfigError
from .build_model import build_crystal
from .checks import check_range, known
from .grids import check_enough
from .phases import TransformSection, check_arrays
from .quantities import Name, Temperature, WavevectorRange
from .signals import signals_section
from .simulated_places import simulated_places
from .strict import Strict


class SirenSection(Strict):
    """A sinusoidal network Φ(Q, ω, θ) → log(1 + S)."""

    kind: Literal["siren"]
    arrays: tuple[Name, ...] | None = Field(
        None, min_length=1, description="arrays of the simulations, of one energy axis; those on paths where left out"
    )
    temperature: Temperature | None = Field(None, description="of arrays that are simulated at several")
    width: int = Field(64, ge=4, le=1024)
    hidden_layers: int = Field(4, ge=1, le=16)
    n_train: int = Field(ge=1)
    n_step: int = Field(ge=1)
    batch_size: int = Field(2048, ge=16)


Dimension = Annotated[int, Field(ge=1, le=10_000)]


class PcaMethod(Strict):
    """Principal components."""

    kind: Literal["pca"]
    dimensions: tuple[Dimension, ...] = Field(min_length=1)
    transform: TransformSection = TransformSection(kind="none")


class AugmentSection(Strict):
    """Artefacts that an encoder learns to see through: largest levels, 1 being what a user would call bad."""

    rings: float = Field(4.0, ge=0, le=100)
    bragg: float = Field(4.0, ge=0, le=100)
    background: float = Field(4.0, ge=0, le=100)
    hot: float = Field(4.0, ge=0, le=100, description="single voxels")
    share: float = Field(0.8, ge=0, le=1, description="of the images that have each kind")
    missing: float = Field(0.5, ge=0, le=1, description="share of the images that lose a block, gaps or a sector")
    scale: float = Field(1.0, ge=1, le=100, description="factor up to which images are multiplied or divided")
    beyond: float = Field(1.0, ge=1, le=100, description="how far voxels are seen, in units of what clean images reach")
    ring_radius: WavevectorRange | None = Field(None, description="of rings, as |Q|; left out: anywhere")
    ring_width: WavevectorRange | None = Field(
        None, description="standard deviations of rings in |Q|; left out: 0.7 to 2.8 % of the range of |Q|"
    )


class NetworkMethod(Strict):
    """An autoencoder."""

    kind: Literal["logistic", "dense", "variational"]
    dimensions: tuple[Dimension, ...] = Field(min_length=1)
    transform: TransformSection = TransformSection()
    width: int = Field(96, ge=1, le=4096, description="of the hidden layers; not of logistic")
    depth: int = Field(1, ge=1, le=8, description="hidden layers of each side; not of logistic")
    n_component: int = Field(64, ge=0, le=10_000, description="components that it sees; 0: the voxels")
    input_noise: float = Field(0.3, ge=0, description="added while it learns, in units of a transformed voxel")
    kl_weight: float = Field(1.0, ge=0, description="of variational")
    n_epoch: int = Field(300, ge=1, le=100_000)
    batch_size: int = Field(64, ge=1)
    learning_rate: float = Field(5e-3, gt=0)
    patience: int = Field(300, ge=1)
    augment: AugmentSection | None = Field(None, description="it then sees voxels and which of them are missing")


class GeneratorSection(Strict):
    """From couplings to latent numbers."""

    experts: Literal["auto", "one"] = Field(
        "auto",
        description="auto: processes of their own for phases between which images jump, where this foretells more",
    )
    components: Dimension | None = Field(
        None,
        description="principal components that it rests on, in place of the compressor that is kept: processes smooth "
        "the noise of many away, which a compressor of one image cannot",
    )


class CompressionSection(Strict):
    """Compressors of volumes into a few numbers, compared, and the generator that the best of them allows."""

    kind: Literal["compression"]
    arrays: tuple[Name, ...] = Field(min_length=1, description="arrays of the simulations, side by side")
    methods: dict[Name, Annotated[PcaMethod | NetworkMethod, Field(discriminator="kind")]] = Field(min_length=1)
    n_seed: int = Field(3, ge=1, le=20, description="trainings of each network")
    held_out: float = Field(0.2, gt=0, lt=1, description="share of the points, where no points have replicas")
    generator: GeneratorSection = GeneratorSection()
    keep: Name | None = Field(None, description="method that is kept; that of the least held-out error where left out")


Learning = Annotated[SirenSection | CompressionSection, Field(discriminator="kind")]


def learn_section(study, name):
    """Return what the learn stage needs of a study, as plain data."""
    grid = study.grid
    box = {name: list(pair) for name, pair in grid.box.items()} if grid.kind in ("random", "sobol") else None
    return {
        "study": study.study,
        "model": study.section("learn")[name],
        "box": box,
        "name": name,
        "axes": simulated_places(study)["axes"],
        "signals": signals_section(study),
    }


def compression_section(study, name):
    """Return what the stage ``compress`` needs of a study, as plain data."""
    return {
        "study": study.study,
        "model": study.section("learn")[name],
        "name": name,
        "replicas": study.replicas is not None,
        "reciprocal": build_crystal(study).reciprocal.tolist(),
        "signals": signals_section(study),
    }


def names_of_kind(study, kind):
    """Return the names of the models of one kind, in their order."""
    return [name for name, section in study.learn.items() if section.kind == kind]


def check_learning(study):
    """Raise :class:`ConfigError` where a model asks for what the study does not simulate."""
    _check_latents(study)
    for name in names_of_kind(study, "siren"):
        more = "a larger grid, or a lower n_train"
        check_enough(study, study.learn[name].n_train + 1, where=f"learn.{name}.n_train", fix=more)
        places = [f"signal_{place}" for place in (*study.paths, *study.volumes)]
        for array in study.learn[name].arrays or ():
            known(array, places, what="array on a path or volume", where=f"learn.{name}.arrays")
    for name in names_of_kind(study, "compression"):
        section = study.learn[name]
        check_arrays(study, section.arrays, where=f"learn.{name}.arrays")
        for one, method in section.methods.items():
            # One more to learn from than dimensions, and at least one that is held out.
            least, where = max(method.dimensions) + 2, f"learn.{name}.methods.{one}.dimensions"
            check_enough(study, least, where=where, fix="a larger grid, or fewer dimensions")
            _check_rings(method, where=f"learn.{name}.methods.{one}.augment")
        if section.keep is not None and section.keep not in section.methods:
            raise ConfigError(
                "no such method",
                where=f"learn.{name}.keep",
                expected=", ".join(section.methods),
                got=section.keep,
                fix="name one of the methods",
            )
        measured = [n for n, m in section.methods.items() if m.transform.noise == "replicas"]
        if study.replicas is None and measured:
            raise ConfigError(
                "the noise of a voxel is known from points that are simulated several times",
                where=f"learn.{name}.methods.{measured[0]}.transform.noise",
                expected="points that are simulated several times",
                got="none",
                fix="declare replicas: {share: 0.1, n: 4}, or give the noise as a number",
            )
        if study.replicas is None and study.simulate.random:
            raise ConfigError(
                "the error of a compressor cannot be told from the noise of the simulations",
                where=f"learn.{name}",
                expected="points that are simulated several times",
                got="none",
                fix="declare replicas: {share: 0.1, n: 4}",
            )


def _check_rings(method, *, where):
    for name in ("ring_radius", "ring_width"):
        pair = getattr(getattr(method, "augment", None), name, None)
        if pair is not None:
            check_range(pair, where=f"{where}.{name}")


def _check_latents(study):
    """Raise :class:`ConfigError` where a map of phases rests on a compressor that is not declared."""
    known = names_of_kind(study, "compression")
    for name, section in study.phases.items():
        if section.latent is not None and section.latent not in known:
            raise ConfigError(
                "there is no such compressor",
                where=f"phases.{name}.latent",
                expected=f"a model of kind compression under learn: {', '.join(known) or 'none is declared'}",
                got=section.latent,
                fix="declare it under learn",
            )
